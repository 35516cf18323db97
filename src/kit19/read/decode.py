"""Named ways to undo what upstream did to its text. A card chooses them by name.

``csv_once``: a few Question_Pair rows kept their CSV escaping inside a file without quoting.
``csv_twice``: NSMC was written as CSV twice before it became tab-separated; 623 train rows show it.

A field counts as escaped only if it stands between quotes and every quote inside is doubled:
``"가" 그리고 "나"`` is a sentence, not an escaped field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl


def csv_once(text: pl.Expr) -> pl.Expr:
    """Undo one CSV escaping: strip the outer quotes, turn ``""`` into ``"``."""
    inner = text.str.slice(1, text.str.len_chars() - 2)
    escaped = (
        text.str.starts_with('"')
        & text.str.ends_with('"')
        & (text.str.len_chars() >= 2)
        & ~inner.str.replace_all('""', "", literal=True).str.contains('"', literal=True)
    )
    return pl.when(escaped).then(inner.str.replace_all('""', '"', literal=True)).otherwise(text)


def csv_twice(text: pl.Expr) -> pl.Expr:
    """Undo two CSV escapings, one after the other."""
    return csv_once(csv_once(text))


DECODERS: Mapping[str, Callable[[pl.Expr], pl.Expr]] = {
    "csv_once": csv_once,
    "csv_twice": csv_twice,
}
