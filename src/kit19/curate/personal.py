"""Personal data in free text: found by form, masked so that the text still reads.

Petitions above all hold telephone numbers, addresses and account numbers of real people. What is
found by form alone: e-mail addresses, telephone numbers, resident registration numbers and account
numbers. Names are not found: no rule tells a person's name from a word.
"""

from __future__ import annotations

import polars as pl

# The first rule that fits wins; registration numbers come before accounts, which they resemble.
RULES: dict[str, str] = {
    # local@domain; Korean letters may follow at once (…com으로)
    "[이메일]": r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}",
    # 주민등록번호: birth date, a digit for century and sex, six more (often masked with *)
    "[주민등록번호]": r"\b\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\s?-\s?[1-8][\d*]{6}",
    # mobile, area and internet numbers: 010-1234-5678, 02 123 4567, 070.1234.5678, 01012345678
    "[전화번호]": r"\b(?:01[016789]|02|0[3-6]\d|070|0502|050\d)[-. )]?\s?\d{3,4}[-. ]\s?\d{4}\b"
    r"|\b01[016789]\d{7,8}\b|\+82[-. ]?\d{1,2}[-. ]?\d{3,4}[-. ]?\d{4}\b",
    # accounts: three or four groups of digits joined by hyphens, ten digits or more in all
    "[계좌번호]": r"\b\d{3,6}-\d{2,6}-\d{3,8}(?:-\d{1,6})?\b",
}


def count(text: pl.Expr) -> pl.Expr:
    """How many pieces of personal data a text holds (UInt32; null counts as none)."""
    return mask(text).str.count_matches(_MASKS).fill_null(0) - text.str.count_matches(
        _MASKS
    ).fill_null(0)


def mask(text: pl.Expr) -> pl.Expr:
    """The text with each piece of personal data replaced by what kind it is, in brackets."""
    for name, pattern in RULES.items():
        text = text.str.replace_all(pattern, name)
    return text


_MASKS = r"\[(?:이메일|주민등록번호|전화번호|계좌번호)\]"
