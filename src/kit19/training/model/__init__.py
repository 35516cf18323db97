"""The model to train: its files, base weights, adapters, and what its layers can do."""
