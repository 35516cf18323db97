"""One meaning of a search on every page: without regard to case, composed or decomposed alike."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable

import polars as pl

Span = tuple[int, int]


def contains(texts: Iterable[pl.Expr], words: str) -> pl.Expr:
    """Whether one of some columns contains words; null contains nothing.

    Args:
        texts: Columns of texts.
        words: What to search for. Case does not count, and Korean of decomposed letters (as file
            names of macOS have it) is the same as that of syllables.
    """
    forms = _forms(words)
    cased = [one for one in "".join(forms) if one.lower() != one.upper()]
    if not all(one.isascii() for one in cased):
        pattern = "(?i)" + "|".join(map(pl.escape_regex, forms))
        found = [text.str.contains(pattern) for text in texts]
    elif cased:
        found = [text.str.contains_any(forms, ascii_case_insensitive=True) for text in texts]
    else:  # for Korean, a third of the time of the two others
        found = [text.str.contains(form, literal=True) for text in texts for form in forms]
    return pl.any_horizontal(found).fill_null(value=False)


def find_all(text: str, words: str) -> list[Span]:
    """Where a text contains words, by the same rules."""
    return [match.span() for match in _pattern(words).finditer(text)] if words else []


@functools.lru_cache(32)
def _pattern(words: str) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, _forms(words))), re.IGNORECASE)


def _forms(words: str) -> list[str]:
    return list(dict.fromkeys(unicodedata.normalize(form, words) for form in ("NFC", "NFD")))
