"""Shared foundations: errors, hash order, paths, and the models of files that kit19 writes."""
