"""A user's own rows (``extra`` of a recipe): JSON or parquet, in the layouts that trainers read.

A row's keys decide its layout: ``instruction`` and ``output`` (``input`` is optional), ``prompt`` and
``completion``, or one question and one answer under ``messages`` or ``conversations``. A row with
further keys that belong to the question or the answer (``system``, ``history``, ``tools``,
reasoning …) is malformed; see ``layouts``. Other keys are ignored, except ``id``, the label, and
``license``, which must not contradict the recipe.
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
from kit19.reading.values import InvalidLine, is_valid_unicode, read_values


def read_own_rows(name: str, source: Source, found: UpstreamFile) -> Records:
    """Read a user's own rows.

    Args:
        name: The subset that they become.
        source: The card of that subset (see ``Extra.source``).
        found: The file.

    Returns:
        Records with the fields instruction, input, output and, if there is one, the label. A record's
        key is its ``id`` if every row has a unique one (text or an integer), otherwise its 0-based
        number.

    Raises:
        ReadError: The file, or every one of its rows, cannot be read.
    """
    label = source.subsets[name].label
    rows: list[dict[str, str | None]] = []
    bad: list[BadRow] = []
    number = -1
    for number, (line, row) in enumerate(_rows(found)):
        try:
            rows.append({"number": str(number), **_parse_row(row, label, source.license.spdx)})
        except LayoutError as error:
            record = f"{name}/{SPLIT}/{found.stem}:{number}"
            bad.append(BadRow(record, found.name, line, "malformed", str(error)))
    if not rows:
        what = (
            f"none of its {number + 1:,} rows can be read; the first: {bad[0].why}"
            if bad
            else "is empty"
        )
        raise ReadError(Problem(what, str(found.path), f"a row has {LAYOUTS}"))
    fields = [*TEXTS, *([label] if label else [])]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(("number", "id", *fields), pl.String))
    named = frame["id"].fill_null("").str.strip_chars() != ""
    has_ids = named.all() and frame["id"].is_unique().all()
    key = pl.concat_str(pl.lit(f"{name}/{SPLIT}/"), "id" if has_ids else "number")
    records = frame.select(*fields, id=key, split=pl.lit(SPLIT), group=key)
    return Records(records, bad, upstream_rows=number + 1)


def _rows(found: UpstreamFile) -> Iterator[tuple[int, Any]]:
    """Yield each row with its line (0 where the format has none); an invalid line as its error."""
    for line, value in read_values(found.path):
        yield line, LayoutError(value.why) if isinstance(value, InvalidLine) else value


def _parse_row(row: Any, label: str | None, license_: str) -> dict[str, str | None]:
    if isinstance(row, LayoutError):
        raise row
    if not isinstance(row, dict):
        raise LayoutError("is not an object")
    stated = row.get("license")
    if stated is not None and not (isinstance(stated, str) and same_license(stated, license_)):
        raise LayoutError(f"license: says {stated!r}, the recipe says {license_!r}")
    found: dict[str, str | None] = {
        name: _text(name, value) for name, value in zip(TEXTS, texts_of(row), strict=True)
    }
    if label:
        found[label] = _scalar_text(row.get(label))
        if found[label] is None and row.get(label) is not None:
            raise LayoutError(f"{label}: is neither text nor an integer")
    if isinstance(row.get("id"), Decimal):  # a number of thousands of digits is damage, not an id
        raise LayoutError("id: is a number with too many digits")
    return {"id": _scalar_text(row.get("id")), **found}


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise LayoutError(f"{name}: is not text")
    if not is_valid_unicode(value):
        raise LayoutError(f"{name}: has characters that are not text")
    return value.strip() if shows_something(value) else ""


def _scalar_text(value: Any) -> str | None:
    """Return a text or integer as text; None for anything else."""
    if isinstance(value, str):
        return value if is_valid_unicode(value) else None
    if isinstance(value, float) and value.is_integer():  # as pandas writes 1 in a column with gaps
        value = int(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
