"""Experiments that evaluate kit19's rules and data, each with its frozen results."""
