"""Rows of one's own (``extra`` of a recipe): JSON or parquet, in the layouts that trainers read.

A row's layout is told by its keys: ``instruction`` and ``output`` (``input`` may be left out),
``prompt`` and ``completion``, or one question and one answer under ``messages`` or ``conversations``.
A row with keys that belong to the question or the answer beside these (``system``, ``history``,
``tools``, reasoning …) is malformed; see ``layouts``. Other keys are not looked at, except ``id``, the
label's, and ``license``, which must not contradict the recipe.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import polars as pl

from kit19.catalog.extra import SPLIT, TEXTS
from kit19.catalog.license_ids import same_license
from kit19.catalog.source import Source
from kit19.core.errors import Problem, ReadError
from kit19.fetching import UpstreamFile
from kit19.korean import shows_something
from kit19.reading.layouts import LAYOUTS, LayoutError, texts_of
from kit19.reading.records import BadRow, Records
from kit19.reading.values import NotJson, is_whole, values_of


def read_own(name: str, source: Source, found: UpstreamFile) -> Records:
    """Read rows of one's own.

    Args:
        name: The subset that they become.
        source: Its card (see ``Extra.source``).
        found: The file.

    Returns:
        Records with the fields instruction, input, output and perhaps the label. A record's key is
        its own ``id`` if every row has one (text or a whole number) and no two the same, else its
        0-based number.

    Raises:
        ReadError: The file cannot be read, or not one of its rows.
    """
    label = source.subsets[name].label
    rows: list[dict[str, str | None]] = []
    bad: list[BadRow] = []
    number = -1
    for number, (line, row) in enumerate(_rows(found)):
        try:
            rows.append({"number": str(number), **_plain(row, label, source.license.spdx)})
        except LayoutError as error:
            record = f"{name}/{SPLIT}/{found.stem}:{number}"
            bad.append(BadRow(record, found.name, line, "malformed", str(error)))
    if not rows:
        what = (
            f"not one of its {number + 1:,} rows can be read; the first: {bad[0].why}"
            if bad
            else "is empty"
        )
        raise ReadError(Problem(what, str(found.path), f"a row has {LAYOUTS}"))
    fields = [*TEXTS, *([label] if label else [])]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(("number", "id", *fields), pl.String))
    named = frame["id"].fill_null("").str.strip_chars() != ""
    own = named.all() and frame["id"].is_unique().all()
    key = pl.concat_str(pl.lit(f"{name}/{SPLIT}/"), "id" if own else "number")
    records = frame.select(*fields, id=key, split=pl.lit(SPLIT), group=key)
    return Records(records, bad, upstream_rows=number + 1)


def _rows(found: UpstreamFile) -> Iterator[tuple[int, Any]]:
    """Each row with its line (0 where the format has none); what is no JSON, as the reason."""
    for line, value in values_of(found.path):
        yield line, LayoutError(value.why) if isinstance(value, NotJson) else value


def _plain(row: Any, label: str | None, license_: str) -> dict[str, str | None]:
    if isinstance(row, LayoutError):
        raise row
    if not isinstance(row, dict):
        raise LayoutError("is not an object")
    said = row.get("license")
    if said is not None and not (isinstance(said, str) and same_license(said, license_)):
        raise LayoutError(f"license: says {said!r}, the recipe says {license_!r}")
    found: dict[str, str | None] = {
        name: _text(name, value) for name, value in zip(TEXTS, texts_of(row), strict=True)
    }
    if label:
        found[label] = _scalar(row.get(label))
        if found[label] is None and row.get(label) is not None:
            raise LayoutError(f"{label}: is neither text nor a whole number")
    if isinstance(row.get("id"), Decimal):  # a number of thousands of digits is damage, and no id
        raise LayoutError("id: is a number of too many digits")
    return {"id": _scalar(row.get("id")), **found}


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise LayoutError(f"{name}: is not text")
    if not is_whole(value):
        raise LayoutError(f"{name}: has characters that are no text")
    return value.strip() if shows_something(value) else ""


def _scalar(value: Any) -> str | None:
    """A text or whole number as text; None for what is neither."""
    if isinstance(value, str):
        return value if is_whole(value) else None
    if isinstance(value, float) and value.is_integer():  # as pandas writes 1 in a column with gaps
        value = int(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
