"""Excerpts of texts around what was found in them."""

from __future__ import annotations

import unicodedata

import numpy as np

EXCERPT = 120
"""Characters of an excerpt, at most."""
_BEFORE = 10  # characters of an excerpt before the match
_UNKNOWN = 0xFF
_letters = np.full(0x11_0000, _UNKNOWN, np.uint8)
"""How many letters and digits each character has in bare form; one may have several, such as ㎏."""


def excerpt_around(text: str, at: int) -> str:
    """Cut an excerpt around a match that begins after ``at`` bare characters of a text."""
    if len(text) <= EXCERPT:
        return text
    composed = unicodedata.normalize("NFC", text)
    begin = int(np.searchsorted(_letters_before(composed), at))
    while begin < len(composed) and not composed[begin].isalnum():
        begin += 1
    if begin == len(composed):
        return shorten(composed)
    start = max(0, begin - _BEFORE)
    return ("…" if start else "") + shorten(composed[start:])


def shorten(text: str) -> str:
    """Cut a text to the length of an excerpt."""
    return text if len(text) <= EXCERPT else text[:EXCERPT] + "…"


def _letters_before(text: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return how many letters and digits are before each character of a text."""
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    for code in np.unique(codes[_letters[codes] == _UNKNOWN]).tolist():
        _letters[code] = sum(map(str.isalnum, unicodedata.normalize("NFKC", chr(code))))
    here = _letters[codes]
    return np.cumsum(here, dtype=np.int64) - here
