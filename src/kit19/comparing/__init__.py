"""Comparing the results of models with those of a base model.

``compare`` is the entry point. ``kit19.statistics`` computes the numbers.
"""

from kit19.comparing.result import Comparison, Mismatch
from kit19.comparing.run import check, compare

__all__ = ["Comparison", "Mismatch", "check", "compare"]
