"""Lint: check templates, and the joins between template text and fields, on every record.

It never judges the content of a field: reviews contain braces, comments contain double blanks. Rules
that need no record check a template's own text (``syntax``, ``particles``, ``answers``, ``style``,
``alike``); the others check every render as column expressions (``renders``).
"""

from kit19.linting.check import check
from kit19.linting.finding import RULES, Checked, Finding, LintReport, Shown
from kit19.linting.run import lint, lint_file
from kit19.linting.view import View

__all__ = [
    "RULES",
    "Checked",
    "Finding",
    "LintReport",
    "Shown",
    "View",
    "check",
    "lint",
    "lint_file",
]
