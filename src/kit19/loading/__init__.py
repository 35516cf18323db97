"""Loading: upstream records and built sets, in the shape that the caller works in."""
