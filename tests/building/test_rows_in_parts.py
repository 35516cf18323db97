"""What is done in parts of the rows, to need little memory, gives the same as for all at once."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

import polars as pl
import pytest

from kit19.core.rows import MESSAGES, ROW_SCHEMA
from kit19.curating import find_repeats, reasons, with_place
from kit19.writing import exports, parquet
from kit19.writing.outputs import Outputs
from tests.support.small_items import subset

_TURNS = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
_TALK = [
    {"role": "system", "content": "짧게 답하세요."},
    {"role": "user", "content": "안녕?"},
    {"role": "assistant", "content": "반가워요."},
    {"role": "user", "content": "몇 시?"},
    {"role": "assistant", "content": "세 시"},
]


def rows(*, talks: bool) -> pl.DataFrame:
    """Seven rows; the fifth may be a conversation."""
    columns = [
        pl.Series(name, [f"{name} {n}" for n in range(7)])
        if kind == pl.String
        else pl.Series(name, [None] * 7, dtype=kind)
        for name, kind in ROW_SCHEMA.items()
    ]
    turns = [_TALK if number == 4 else None for number in range(7)]
    messages = [pl.Series(MESSAGES, turns, dtype=_TURNS)] if talks else []
    return pl.DataFrame([*columns, *messages])


class _Kept(Outputs):
    def __init__(self) -> None:
        self.stream = io.BytesIO()

    @contextmanager
    def open(self, name: str, rows: int | None = None) -> Iterator[IO[bytes]]:
        assert (name.endswith("-train.jsonl"), rows) == (True, 7)
        yield cast("IO[bytes]", self.stream)


@pytest.mark.parametrize("talks", [False, True])
@pytest.mark.parametrize("size", [1, 3, 7])
def test_rows_are_exported_and_hashed_alike(
    size: int, talks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rows(talks=talks)
    digest = parquet.content_digest(whole, whole.clear())
    monkeypatch.setattr(exports, "_ROWS_AT_ONCE", size)
    monkeypatch.setattr(parquet, "_ROWS_PER_GROUP", size)
    assert parquet.content_digest(whole, whole.clear()) == digest
    for kind, convert in exports.EXPORTS.items():
        kept = _Kept()
        exports.write_export(whole, kept, kind, "train")
        expected = convert(whole).write_ndjson().encode().splitlines(keepends=True)
        written = kept.stream.getvalue().splitlines(keepends=True)
        if kind == "alpaca" and talks:  # the first row with a history begins the file, of any size
            first = next(line for line in expected if b'"history":[]' not in line)
            expected.remove(first)
            expected.insert(0, first)
            assert written[0] == first
        assert written == expected


def test_repeats_are_found_across_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["좋다", "싫다", "좋 다", "싫다", "좋다", "  좋다", "E\u0301", "\u00c9"]
    named = pl.DataFrame({"id": [f"s/train/{n}" for n in range(8)], "text": texts})
    records = with_place(named, 19)
    found = find_repeats(records, subset())
    monkeypatch.setattr(reasons, "_ROWS_AT_ONCE", 3)
    for one, other in zip(find_repeats(records, subset()), found, strict=True):
        assert one.equals(other)
    assert found[1].height == 4
