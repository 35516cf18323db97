"""The comparison: results of several models in, what the tuning was worth out.

``compare`` is the whole of it; the numbers are made in ``kit19.statistics`` and drawn here.
"""

from kit19.comparing.result import Comparison, Unfair
from kit19.comparing.run import check, compare

__all__ = ["Comparison", "Unfair", "check", "compare"]
