"""Tests that the spans of a file give the rows of the file."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path
from typing import Literal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19.core.errors import ReadError
from kit19.reading import Remarks
from kit19.reading.csv_records import find_records
from kit19.reading.foreign_text import read_head
from kit19.reading.row_groups import row_groups
from kit19.reading.spans import LineSpan, Span, digest, find_spans, lines_of_file, read_span
from kit19.reading.texts import ColumnFilter, chunk_texts
from tests.support.corpora import encode, make_rows

# Lines that end differently, are blank, or begin with a byte order mark.
LINES = st.sampled_from(["가나다", "", "a\tb", "\ufeffx", "긴 줄" * 20, "c\r"])


def rows_of(path: Path, spans: list[Span | None], remarks: Remarks | None = None) -> list[object]:
    found: list[object] = []
    remarks = Remarks() if remarks is None else remarks
    for span in spans:
        for chunk in read_span(path, span, remarks=remarks):
            found += [row.value for row in chunk.rows()]
    return found


@given(st.lists(LINES, min_size=1, max_size=30), st.integers(1, 60), st.booleans())
def test_spans_of_lines_are_the_lines(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], size: int, ends: bool
) -> None:
    path = tmp_path_factory.mktemp("spans") / "a.txt"
    path.write_bytes("\n".join(lines).encode() + b"\n" * ends)
    data = path.read_bytes()
    spans, _ = find_spans(path, size)
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
    assert rows_of(path, [*find_spans(path, size)[0]] or [None]) == rows_of(path, [None])


CELL = st.text('가나 a,;\t"\n', max_size=9)


@given(
    st.lists(st.lists(CELL, min_size=1, max_size=3), min_size=2, max_size=90),
    st.integers(5, 300),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "cp949"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_spans_of_csv_have_its_rows(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[str]],
    size: int,
    delimiter: str,
    end: str,
    encoding: str,
    quoting: Literal[0, 1],
) -> None:
    path = tmp_path_factory.mktemp("spans") / "a.csv"
    with path.open("w", encoding=encoding, newline="") as stream:
        csv.writer(stream, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)
    spans, why = find_spans(path, size)
    with path.open("rb") as stream:
        detected = read_head(stream, encoding, ".csv", None, "").delimiter
    if detected == delimiter:  # few short rows do not tell it
        assert (why, bool(spans)) == ("", path.stat().st_size > size)
    whole = rows_of(path, [None])
    assert rows_of(path, [*spans] or [None]) == whole
    assert [one.end for one in spans[:-1]] == [one.begin for one in spans[1:]]


@given(
    st.lists(
        st.sampled_from(['"', '""', ",", "\n", "\r\n", "\r", "가", "ab", "\0", '","', '"\n"']),
        min_size=1,
        max_size=70,
    ),
    st.integers(2, 40),
)
def test_csv_of_any_quotes_is_divided_only_where_that_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str], size: int
) -> None:
    path = tmp_path_factory.mktemp("spans") / "a.csv"
    data = "".join(["a,b\n", *pieces]).encode()
    path.write_bytes(data)
    if b"\0" in data:  # what the file is would depend on it
        assert find_records(path, ",", [])[1]
        return
    spans, why = find_spans(path, size)
    told = [Remarks(), Remarks()]
    whole = rows_of(path, [None], told[0])
    if why:
        assert spans == []
        assert b'"' in data or b"\r" in data
    else:
        assert rows_of(path, [*spans] or [None], told[1]) == whole
        assert told[0].dump() == told[1].dump()
        assert not (spans and told[0].dump())


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"a,b\n" * 9 + b'"c,d\n', "has a quote that never closes"),
        (b'a,b\n"c"d,e\n' * 9, "has misplaced quotes"),
        (b"a,b\nc\rd,e\n" * 9, "has lines that end with a carriage return alone, or zero bytes"),
        (b'a,b\n"c\rd",e\n' * 9, "has lines that end with a carriage return alone, or zero bytes"),
        (b"a,b\n" * 9 + b"c\r", "has lines that end with a carriage return alone, or zero bytes"),
    ],
)
def test_csv_with_odd_quotes_or_ends_is_not_divided(data: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(data)
    assert find_spans(tmp_path / "a.csv", 20) == ([], why)


def test_csv_with_a_row_that_is_too_long_is_not_divided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit19.reading.csv_records.LONGEST", 100)
    path = tmp_path / "a.csv"
    for text in ('a,b\nc,"d\n' + "e\n" * 50 + '"\nf,g\n', 'a,b\nc,"d' + "e\n" * 50 + '"'):
        path.write_text(text)
        assert find_spans(path, 20) == ([], "has a row that is too long")


@pytest.mark.parametrize(
    ("name", "why"), [("a.json", "is one JSON document"), ("a.jsonl.gz", "is compressed")]
)
def test_what_is_read_from_its_beginning_has_no_spans(name: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(encode(make_rows(["가나다라"] * 50), name))
    assert find_spans(path, 10) == ([], why)


@pytest.mark.parametrize("name", ["a.txt", "a.csv"])
def test_lines_in_utf_16_have_no_spans(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("가나다\n" * 50, "utf-16")
    assert find_spans(path, 10) == ([], "is in UTF-16")


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
    spans, _ = find_spans(path, path.stat().st_size // 4)
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
    for span in find_spans(path, 130)[0]:
        for chunk in read_span(path, span, remarks=Remarks()):
            try:
                with lines_of_file(path, span):
                    list(chunk_texts(chunk, 0, ColumnFilter(()), Remarks()))
            except ReadError as error:
                told.append(error.problems[0].where)
    assert told == [f"{path}:41"]
