"""Calibrate the contamination rules: recall and false hits."""
