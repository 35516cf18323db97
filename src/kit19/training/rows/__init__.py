"""Rows to train on: read, turned into tokens, checked, packed into sequences."""
