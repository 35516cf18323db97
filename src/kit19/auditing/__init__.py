"""Auditing: find benchmark items in any dataset.

The audit uses the rules of the build (``kit19.curating.contamination``), so it finds what a build would
have dropped.
"""

from kit19.auditing.difference import AuditDiff, diff_audits
from kit19.auditing.files import audit_files
from kit19.auditing.result import Audit, Compromised, Hit, to_frame
from kit19.auditing.run import audit
from kit19.auditing.shares import FilesAudit, merge_audit

__all__ = [
    "Audit",
    "AuditDiff",
    "Compromised",
    "FilesAudit",
    "Hit",
    "audit",
    "audit_files",
    "diff_audits",
    "merge_audit",
    "to_frame",
]
