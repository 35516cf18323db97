"""The audit: which benchmark items stand in anybody's dataset, where, and how.

The rules are those of the build (``kit19.curate.contamination``), so what the audit finds in a dataset
is what a build would have kept out of it.
"""

from kit19.auditing.folder import write_audit
from kit19.auditing.run import audit
from kit19.report import Audit, Compromised, Hit, to_frame

__all__ = ["Audit", "Compromised", "Hit", "audit", "to_frame", "write_audit"]
