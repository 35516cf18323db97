"""Chat with a model in the prompt format of its training."""
