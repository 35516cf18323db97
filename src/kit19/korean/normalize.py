"""Text made comparable: what looks the same should compare the same."""

from __future__ import annotations

import polars as pl


def nfc(text: pl.Expr) -> pl.Expr:
    """Put texts into Unicode's composed form: n texts → n texts, null where null.

    Korean from macOS comes decomposed, so that 가 may be two characters.
    """
    return text.str.normalize("NFC")


def one_blank(text: pl.Expr) -> pl.Expr:
    r"""Turn each run of white space (Unicode's ``\s``: no-break blanks too) into one blank."""
    return text.str.replace_all(r"\s+", " ")


def identity_key(text: pl.Expr) -> pl.Expr:
    """Make what two texts must share to count as the same: composed, single blanks, stripped.

    Args:
        text: String expression, n texts.

    Returns:
        String expression, n keys; null where null. Case and punctuation are kept.

    """
    return one_blank(nfc(text)).str.strip_chars(" ")
