"""Tests that the spans of a file give the rows of the file."""

from __future__ import annotations

import itertools
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19.core.errors import ReadError
from kit19.reading import Remarks
from kit19.reading.row_groups import row_groups
from kit19.reading.spans import LineSpan, Span, digest, find_spans, lines_of_file, read_span
from kit19.reading.texts import ColumnFilter, chunk_texts
from tests.support.corpora import encode, make_rows

# Lines that end differently, are blank, or begin with a byte order mark.
LINES = st.sampled_from(["가나다", "", "a\tb", "\ufeffx", "긴 줄" * 20, "c\r"])


def rows_of(path: Path, spans: list[Span | None]) -> list[object]:
    found: list[object] = []
    for span in spans:
        for chunk in read_span(path, span, remarks=Remarks()):
            found += [row.value for row in chunk.rows()]
    return found


@given(st.lists(LINES, min_size=1, max_size=30), st.integers(1, 60), st.booleans())
def test_spans_of_lines_are_the_lines(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], size: int, ends: bool
) -> None:
    path = tmp_path_factory.mktemp("spans") / "a.txt"
    path.write_bytes("\n".join(lines).encode() + b"\n" * ends)
    data = path.read_bytes()
    spans = find_spans(path, size)
    assert bool(spans) == (len(data) > size)
    parts = []
    for span in spans:
        with LineSpan(path, span.begin, span.end) as stream:
            parts.append(stream.readall() or b"")
    assert b"".join(parts) == (data if spans else b"")
    filled = [part for part in parts if part]
    assert all(part.endswith(b"\n") for part in filled[:-1])


@pytest.mark.parametrize("name", ["a.jsonl", "a.tsv", "a.txt", "a.parquet"])
@given(
    texts=st.lists(st.text("가나 ab", min_size=1), min_size=1, max_size=70),
    size=st.integers(9, 900),
)
def test_spans_have_the_rows_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, name: str, texts: list[str], size: int
) -> None:
    path = tmp_path_factory.mktemp("spans") / name
    path.write_bytes(encode(make_rows(texts), name))
    assert rows_of(path, [*find_spans(path, size)] or [None]) == rows_of(path, [None])


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.jsonl.gz"])
def test_what_is_read_from_its_beginning_has_no_spans(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(encode(make_rows(["가나다라"] * 50), name))
    assert find_spans(path, 10) == []


def test_lines_in_utf_16_have_no_spans(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("가나다\n" * 50, "utf-16")
    assert find_spans(path, 10) == []


@given(st.lists(st.integers(0, 5), max_size=12), st.integers(1, 6))
def test_row_groups_are_those_that_were_written(
    tmp_path_factory: pytest.TempPathFactory, heights: list[int], columns: int
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path_factory.mktemp("groups") / "a.parquet"
    names = [f"c{number}" for number in range(columns)]
    schema = pl.DataFrame(schema=dict.fromkeys(names, pl.String)).to_arrow().schema
    with parquet.ParquetWriter(path, schema) as writer:
        for height in heights:
            frame = pl.DataFrame({name: [name] * height for name in names})
            writer.write_table(frame.to_arrow().cast(schema), row_group_size=9)
    metadata = parquet.ParquetFile(path).metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    found = row_groups(path)
    assert [group.height for group in found] == [group.num_rows for group in groups]
    assert all(one.begin < other.begin for one, other in itertools.pairwise(found))


@pytest.mark.parametrize("cut", [0, 3, 20, -1, -9])
def test_half_a_parquet_file_has_no_row_groups(cut: int, tmp_path: Path) -> None:
    data = encode(make_rows(["가나다"] * 9), "a.parquet")
    (tmp_path / "a.parquet").write_bytes(data[:cut])
    with pytest.raises(ReadError, match="not a readable parquet file"):
        row_groups(tmp_path / "a.parquet")


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_a_change_in_a_span_changes_its_digest_alone(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    texts = [f"{number:06}" * 2_000 for number in range(400)]  # more than the head that all share
    path.write_bytes(encode(make_rows(texts), "a.jsonl"))
    if name == "a.parquet":
        pl.DataFrame({"text": texts}).write_parquet(
            path, compression="uncompressed", row_group_size=50
        )
    spans = find_spans(path, path.stat().st_size // 4)
    assert len(spans) > 3
    before = [digest(path, span) for span in spans]
    assert len(set(before)) == len(spans)
    data = path.read_bytes()
    at = data.rindex(b"000399")
    path.write_bytes(data[:at] + b"9" + data[at + 1 :])
    after = [digest(path, span) for span in spans]
    assert [one == other for one, other in zip(before, after, strict=True)] == [
        *[True] * (len(spans) - 1),
        False,
    ]


def test_an_invalid_line_has_its_number_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": "b"}\n' * 40 + '{"a": \n' + '{"a": "b"}\n' * 9)
    told = []
    for span in find_spans(path, 130):
        for chunk in read_span(path, span, remarks=Remarks()):
            try:
                with lines_of_file(path, span):
                    list(chunk_texts(chunk, 0, ColumnFilter(()), Remarks()))
            except ReadError as error:
                told.append(error.problems[0].where)
    assert told == [f"{path}:41"]
