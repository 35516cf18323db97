"""Results: what they are (numbers), and how they are drawn (pages)."""

from kit19.report.audit_page import audit_page
from kit19.report.audit_result import Audit, Compromised, Hit, strongest, to_frame

__all__ = ["Audit", "Compromised", "Hit", "audit_page", "strongest", "to_frame"]
