"""An independent judge of our Korean."""
