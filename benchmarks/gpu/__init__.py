"""What only a GPU can show, in 15 minutes and without a network: ``python -m benchmarks.gpu``."""
