"""Measure the effect of leaked benchmark items."""
