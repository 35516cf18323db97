"""Check our Korean with an independent morphological analyzer."""
