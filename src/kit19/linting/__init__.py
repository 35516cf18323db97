"""Lint: what templates make, and how it joins with the fields, judged on every record.

It never judges what a field contains: reviews hold braces, comments hold double blanks. Rules that
need no record look at a template's own words (``syntax``, ``particles``, ``answers``, ``style``,
``alike``); the rest looks at every render, whole columns at a time (``renders``).
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
