"""Escapes that keep an answer valid whatever a field holds: JSON strings, cells of a table."""

from __future__ import annotations

import json

import polars as pl

from kit19.rendering.parse import Escape

# JSON forbids these characters in a string (RFC 8259, section 7).
_JSON = {chr(code): json.dumps(chr(code))[1:-1] for code in (*range(0x20), ord('"'), ord("\\"))}
_LINE = r"\r\n|\r|\n"


def escaped(text: pl.Expr, escape: Escape) -> pl.Expr:
    """Escape a String expression; null stays null."""
    if escape == "json":
        return pl.concat_str(
            pl.lit('"'), text.str.replace_many(list(_JSON), list(_JSON.values())), pl.lit('"')
        )
    if escape == "cell":
        cell = text.str.replace_all("|", r"\|", literal=True)
        return cell.str.replace_all(_LINE, "<br>")
    return text


def escaped_word(word: str, escape: Escape) -> str:
    """Escape a word of the templates file."""
    if escape == "json":
        return json.dumps(word, ensure_ascii=False)
    if escape == "cell":
        return word.replace("|", r"\|")
    return word
