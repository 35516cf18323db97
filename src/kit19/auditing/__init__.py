"""Auditing: find benchmark items in any dataset.

The audit uses the rules of the build (``kit19.curating.contamination``), so it finds what a build would
have dropped.

Modules are imported when a name is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit19.core.loaded_on_use import load_on_use

if TYPE_CHECKING:
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

__getattr__ = load_on_use(
    __name__,
    {
        "difference": ["AuditDiff", "diff_audits"],
        "files": ["audit_files"],
        "result": ["Audit", "Compromised", "Hit", "to_frame"],
        "run": ["audit"],
        "shares": ["FilesAudit", "merge_audit"],
    },
)
