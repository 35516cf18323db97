"""Text made comparable: what looks the same should compare the same."""

from __future__ import annotations

import polars as pl

from kit19.korean.invisible import VISIBLE


def nfc(text: pl.Expr) -> pl.Expr:
    """Put texts into Unicode's composed form: n texts → n texts, null where null.

    Korean from macOS comes decomposed, so that 가 may be two characters.
    """
    return text.str.normalize("NFC")


def identity_key(text: pl.Expr) -> pl.Expr:
    """Make what two texts must share to count as the same: composed, single blanks, stripped.

    The blanks and tabs that a line begins with stay as they are, with the line break before them: in
    code they say what belongs together.

    Args:
        text: String expression, n texts.

    Returns:
        String expression, n keys; null where null. Case and punctuation are kept.

    """
    lines = nfc(text).str.strip_chars().str.replace_all(r"\s*\n", "\n")
    wrapped = lines.str.replace_all(r"\n([^ \t])", " $1")
    return wrapped.str.replace_all(r"(\S)[\s&&[^\n]]+", "$1 ")


def indentation(text: pl.Expr) -> pl.Expr:
    """The blanks before each line of a text but the first; empty where no line has any."""
    lines = text.str.strip_chars().str.replace_all(r"\s*\n", "\n")
    before = lines.str.extract_all(r"\n[ \t]*").list.join("")
    return before.str.replace(r"\A\n*\z", "")


def nothing_if_invisible(text: pl.Expr) -> pl.Expr:
    """Make texts empty that hold nothing but white space and invisible characters."""
    shows = text.str.contains(VISIBLE) | text.is_null()
    return pl.when(shows).then(text).otherwise(pl.lit(""))
