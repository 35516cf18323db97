"""Benchmarks of kit19 next to baselines that do the same work. See README.md."""
