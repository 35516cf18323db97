"""Auditing: find benchmark items in any dataset.

The audit uses the rules of the build (``kit19.curating.contamination``), so it finds what a build would
have dropped.
"""

from kit19.auditing.result import Audit, Compromised, Hit, to_frame
from kit19.auditing.run import audit

__all__ = ["Audit", "Compromised", "Hit", "audit", "to_frame"]
