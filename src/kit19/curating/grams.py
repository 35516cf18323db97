"""The forms in which texts are compared: bare, and spaced, many texts at once."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl

from kit19.korean.invisible import INVISIBLE, WIDE_INVISIBLE
from kit19.korean.jamo import SEPARATE_LETTERS, join_letters

GRAM = 3
"""Letters of a trigram."""


def bare(texts: pl.Series) -> pl.Series:
    """Convert texts to the form in which they are compared: NFKC, lower case, letters and digits only.

    Invisible characters are removed, and Hangul written as single letters is joined into syllables.
    """
    return composed(texts).str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "")


def has_letters(texts: pl.Series) -> pl.Series:
    """Whether anything is left of each text in bare form; not of null."""
    found = texts.str.contains("[가-힣a-zA-Z0-9]").fill_null(value=False)
    rest = (~found).arg_true()  # few texts: bare form takes time
    return found.scatter(rest, bare(texts.gather(rest)).fill_null("") != "")


def spaced(texts: pl.Series) -> pl.Series:
    """Convert texts to bare form, but keep one blank between words."""
    return words_of(composed(texts))


def words_of(texts: pl.Series) -> pl.Series:
    """Convert texts from the form that ``composed`` gives to that of ``spaced``."""
    # Remove non-letters before merging blanks: a zero-width character does not separate words.
    kept = texts.str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}\s]", "")
    return kept.str.replace_all(r"\s+", " ")


def without_blanks(words: pl.Series) -> pl.Series:
    """Convert texts from the form that ``spaced`` gives to bare form."""
    return words.str.replace_all(" ", "", literal=True)


def composed(texts: pl.Series) -> pl.Series:
    """Normalize texts to NFKC and remove invisible characters.

    Invisible characters that take up space become a blank.
    """
    # NFKC is slow and leaves ASCII and Hangul syllables unchanged, so only odd texts are normalized.
    odd = texts.str.contains(r"[^ -~가-힣]").fill_null(value=False).arg_true()
    some = texts.gather(odd).str.replace_all(f"[{WIDE_INVISIBLE}]", " ")
    some = some.str.replace_all(f"[{INVISIBLE}]", "")
    apart = some.str.contains(SEPARATE_LETTERS).arg_true()
    joined = pl.Series([join_letters(text) for text in some.gather(apart)], dtype=pl.String)
    some = some.scatter(apart, joined).str.normalize("NFKC")
    return texts.clone().scatter(odd, some)


def slices_by_length(texts: pl.Series, most: int, parts: int = 1) -> list[tuple[int, int]]:
    """Return starts and ends of slices of texts (none null) that have about so many bytes or less.

    The slices are about equal, and about a multiple of ``parts``: so many threads end together.

    Args:
        texts: The texts.
        most: Bytes of a slice; only a text that has more by itself makes a larger one.
        parts: The least number of slices, if there are that many bytes and texts.
    """
    ends = texts.str.len_bytes().to_numpy().cumsum(dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    size = total // (parts * max(1, -(-total // (most * parts)))) + 1
    starts = np.flatnonzero(np.diff(ends // size) > 0) + 1
    return list(itertools.pairwise([0, *starts.tolist(), len(texts)]))
