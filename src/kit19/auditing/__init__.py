"""The audit: which benchmark items stand in anybody's dataset, where, and how.

The rules are those of the build (``kit19.curating.contamination``), so what the audit finds in a
dataset is what a build would have kept out of it.
"""

from kit19.auditing.result import Audit, Compromised, Hit, to_frame
from kit19.auditing.run import audit

__all__ = ["Audit", "Compromised", "Hit", "audit", "to_frame"]
