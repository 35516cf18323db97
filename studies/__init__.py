"""Experiments: what kit19's rules and data are worth, with frozen results beside each."""
