"""Benchmarks of kit19 against peers that do the same work. See README.md."""
