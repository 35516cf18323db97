"""Benchmarks of kit19 beside baselines that do the same work. See README.md."""
