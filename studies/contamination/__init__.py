"""How well benchmark text is found."""
