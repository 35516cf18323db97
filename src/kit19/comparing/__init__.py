"""The comparison: results of several models in, what the tuning was worth out.

``compare`` is the whole of it; the numbers are made in ``kit19.report.stats`` and drawn in
``kit19.report``.
"""

from kit19.comparing.run import check, compare
from kit19.report.compare_result import Comparison, Unfair

__all__ = ["Comparison", "Unfair", "check", "compare"]
