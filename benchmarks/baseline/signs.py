"""What two near duplicates must have in common: the numbers, symbols and indentation of a text."""

from __future__ import annotations

import functools
import re
import sys
import unicodedata

from kit19.korean.invisible import is_invisible

_SYMBOLS = "".join(
    re.escape(one)
    for one in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(one).startswith("S")
)
_NEXT_TO_A_NUMBER = r"\-*/%&#@!\^~|\\"
_SIGNS = _SYMBOLS + _NEXT_TO_A_NUMBER
_SUPERSCRIPTS = re.compile(r"([²³¹⁰⁴-⁹]+)")
_DASHES = re.compile(r"[‐‑‒–—―−]")
_STEPS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"[`´¨¯]", " "),
        (r"!=", "≠"),
        (r":=", "≔"),
        (r"(^|[\s(&|=])!([A-Za-z(])", r"\1¬\2"),
        *[(r"([0-9]),([0-9]{3})", r"\1\2")] * 2,
        (r"[.,:]+([^0-9]|\Z)", r"_\1"),
        (r"(^|[^0-9])[.,:!~]+", r"\1_"),
        (rf"[^0-9.,:A-Za-z\s{_SIGNS}]+", "_"),
        (rf"\s*([{_SIGNS}])\s*", r"\1"),
        (r"\s+", "_"),
        (r"[A-Za-z]+", "a"),
        (rf"(?:^|_)(?:(?:a|[{_NEXT_TO_A_NUMBER}]+)(?:_+|\Z))+", "_"),
        (r"_+", "_"),
    )
]
_LINE_ENDS = re.compile(r"\s*\n")
_INDENTS = re.compile(r"\n[ \t]*")


@functools.lru_cache(maxsize=1 << 16)
def find_signs(text: str) -> str:
    """The signs of a text: decimals, symbols, operators next to numbers, the indentation of lines."""
    visible = "".join(one for one in text if not is_invisible(one))
    found = unicodedata.normalize("NFKC", _SUPERSCRIPTS.sub(r"^\1", visible))
    found = _DASHES.sub("-", found)
    for pattern, replacement in _STEPS:
        found = pattern.sub(replacement, found)
    indents = "".join(_INDENTS.findall(_LINE_ENDS.sub("\n", text.strip())))
    return found.strip("_") + (indents if indents.strip("\n") else "")
