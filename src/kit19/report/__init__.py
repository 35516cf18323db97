"""Results: what they are (numbers), and how they are drawn (pages)."""

from kit19.report.audit_page import audit_page
from kit19.report.audit_result import Audit, Compromised, Hit, Remark, strongest, to_frame

__all__ = ["Audit", "Compromised", "Hit", "Remark", "audit_page", "strongest", "to_frame"]
