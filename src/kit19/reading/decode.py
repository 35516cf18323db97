"""Named decoders that undo upstream's escaping of text. A card chooses them by name.

``csv_once``: a few Question_Pair rows kept their CSV escaping inside a file without quoting.
``csv_twice``: NSMC was escaped as CSV twice before it became tab-separated, as 623 train rows show.

A field counts as escaped only if it is enclosed in quotes and every quote inside is doubled:
``"가" 그리고 "나"`` is a sentence, not an escaped field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl


def csv_once(texts: pl.Series) -> pl.Series:
    """Undo one CSV escaping: strip the outer quotes, turn ``""`` into ``"``."""
    quoted = (texts.str.starts_with('"') & texts.str.ends_with('"')).fill_null(value=False)
    # Few texts are enclosed in quotes, so only those are examined further.
    places = (quoted & (texts.str.len_bytes() >= 2)).arg_true()
    inner = texts.gather(places).str.strip_prefix('"').str.strip_suffix('"')
    escaped = ~inner.str.replace_all('""', "", literal=True).str.contains('"', literal=True)
    decoded = inner.filter(escaped).str.replace_all('""', '"', literal=True)
    return texts.clone().scatter(places.filter(escaped), decoded)


def csv_twice(texts: pl.Series) -> pl.Series:
    """Undo two CSV escapings, one after the other."""
    return csv_once(csv_once(texts))


DECODERS: Mapping[str, Callable[[pl.Series], pl.Series]] = {
    "csv_once": csv_once,
    "csv_twice": csv_twice,
}
