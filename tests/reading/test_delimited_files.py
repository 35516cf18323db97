"""Delimited text: cells come out exactly as they stand, by the quoting rule that the card names."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19.catalog.file_formats import Delimited
from kit19.core.errors import ReadError
from kit19.reading.delimited import read_delimited
from kit19.reading.rows import ROW

TAB = Delimited(format="delimited", delimiter="tab", quoting="none")
TAB_CSV = Delimited(format="delimited", delimiter="tab", quoting="csv")
COMMA_CSV = Delimited(format="delimited", delimiter="comma", quoting="csv")
NO_HEADER = Delimited(
    format="delimited", delimiter="tab", quoting="none", header=False, names=["a", "b"]
)

Cells = list[tuple[str, str]]


def text(without: str) -> st.SearchStrategy[str]:
    """Korean, quotes, blanks and the odd sign; never a character that the format splits at."""
    likely = st.text(
        st.sampled_from([c for c in "가나 \"',\u00a0\u2028\x0b\r\n\tㅋ" if c not in without])
    )
    anything = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=without))
    return likely | anything


def cells(data: str | bytes, read: Delimited = TAB) -> Cells:
    raw = data if isinstance(data, bytes) else data.encode("utf-8")
    rows = read_delimited(raw, read, ["a", "b"], "file")
    assert rows.quarantined == []
    assert rows.frame[ROW].to_list() == list(range(rows.total))
    return rows.frame.select("a", "b").rows()


@given(st.lists(st.tuples(text("\t\n\r"), text("\t\n\r"))), st.sampled_from(["\n", "\r\n"]))
def test_rows_without_tabs_and_newlines_are_read_back_exactly(rows: Cells, end: str) -> None:
    data = "".join(f"{a}\t{b}{end}" for a, b in [("a", "b"), *rows])
    assert cells(data) == rows


@given(
    st.lists(st.tuples(text(""), text(""))),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([TAB_CSV, COMMA_CSV]),
)
def test_quoted_cells_are_read_back_exactly(rows: Cells, end: str, read: Delimited) -> None:
    delimiter = "\t" if read.delimiter == "tab" else ","
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("a", "b"), *rows])
    assert cells(stream.getvalue(), read) == rows


@given(st.lists(st.tuples(text("\r"), text("\r"))))
def test_cells_quoted_only_where_they_must_be_are_read_back_exactly(rows: Cells) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerows([("a", "b"), *rows])
    assert cells(stream.getvalue(), COMMA_CSV) == rows


def test_quotes_are_text_without_quoting() -> None:
    data = 'a\tb\n"가\t나\n"다"\t라""\n마"\t"바\n'
    assert cells(data) == [('"가', "나"), ('"다"', '라""'), ('마"', '"바')]


def test_the_wrong_quoting_gives_the_right_count_and_wrong_cells() -> None:
    data = 'a\tb\n"끝을 ""v"" 모양으로 자른다."\t0\n'
    assert cells(data, TAB_CSV) == [('끝을 "v" 모양으로 자른다.', "0")]
    assert cells(data, TAB) == [('"끝을 ""v"" 모양으로 자른다."', "0")]


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c", "\r"])
def test_only_a_line_feed_ends_a_line(sign: str) -> None:
    assert cells(f"a\tb\n가{sign}나\t다\n") == [(f"가{sign}나", "다")]


@pytest.mark.parametrize("sign", ["\u2028", "\u0085", "\x0b", "\x0c", "\x1c"])
def test_only_a_line_feed_ends_a_line_of_a_quoted_file(sign: str) -> None:
    assert cells(f"a,b\n가{sign}나,다\n", COMMA_CSV) == [(f"가{sign}나", "다")]


@pytest.mark.parametrize("read", [TAB, TAB_CSV])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_bom_line_ends_and_a_missing_last_newline_change_nothing(
    read: Delimited, end: str, last: bool, bom: str
) -> None:
    data = bom + end.join(["a\tb", "가\t나", "다\t라"]) + (end if last else "")
    assert cells(data, read) == [("가", "나"), ("다", "라")]


def test_a_bom_before_the_first_record_is_not_text() -> None:
    assert cells("\ufeff가\t나\n", NO_HEADER) == [("가", "나")]


def test_a_zero_width_sign_inside_a_cell_stays() -> None:
    assert cells("a\tb\n\ufeff가\u200b\t나\ufeff\n") == [("\ufeff가\u200b", "나\ufeff")]


def test_columns_are_found_by_name_and_not_by_place() -> None:
    assert cells("x\tb\ta\n1\t나\t가\n") == [("가", "나")]


def test_a_cell_longer_than_the_csv_module_allows_by_itself_is_read() -> None:
    long = "가" * (csv.field_size_limit() + 1)
    assert cells(f'a,b\n"{long}",나\n', COMMA_CSV) == [(long, "나")]
    assert csv.field_size_limit() < len(long)


@pytest.mark.parametrize("read", [TAB, COMMA_CSV])
def test_an_empty_file_is_refused(read: Delimited) -> None:
    with pytest.raises(ReadError, match=r"^file: is empty"):
        read_delimited(b"", read, ["a"], "file")


@pytest.mark.parametrize("read", [TAB, TAB_CSV])
def test_a_file_without_a_column_is_refused_by_name(read: Delimited) -> None:
    with pytest.raises(ReadError) as error:
        read_delimited("a\tc\n가\t나\n".encode(), read, ["a", "b"], "file")
    assert str(error.value) == "file: has no column 'b'\n    it has 'a', 'c'"


def test_a_lone_carriage_return_does_not_split_a_row_of_a_quoted_file() -> None:
    data = "a,b\n가\r나,다\n라,마\n".encode()
    rows = read_delimited(data, COMMA_CSV, ["a", "b"], "file")
    assert rows.total == 2
