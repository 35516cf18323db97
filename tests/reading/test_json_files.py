"""JSON documents and JSON lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19.catalog.file_formats import Json, JsonLines
from kit19.core.errors import ReadError
from kit19.reading.json_rows import read_json, read_jsonl
from kit19.reading.rows import ROW, Rows

ARRAY = Json(format="json")
LINES = JsonLines(format="jsonl")
KEYED = Json(format="json", keyed=True)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def lines(*texts: str) -> Rows:
    return read_jsonl("\n".join(texts).encode("utf-8"), LINES, ["a", "b.c"], "file")


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1), st.booleans())
def test_texts_are_read_back_exactly_escaped_or_not(
    rows: list[tuple[str, str]], ascii_: bool
) -> None:
    written = [json.dumps({"b": {"c": c}, "a": a}, ensure_ascii=ascii_) for a, c in rows]
    found = lines(*written)
    assert found.quarantined == []
    assert found.frame.drop("#line").rows() == [(n, a, c) for n, (a, c) in enumerate(rows)]


@given(st.dictionaries(TEXT, TEXT, min_size=1))
def test_the_keys_of_a_keyed_document_are_a_column(document: dict[str, str]) -> None:
    data = json.dumps({key: {"a": text} for key, text in document.items()}).encode()
    rows = read_json(data, KEYED, ["#key", "a"], "file")
    assert rows.frame.select("#key", "a").rows() == list(document.items())


def test_numbers_and_truth_values_become_text_and_null_stays_nothing() -> None:
    document = [{"a": 7}, {"a": 2.5}, {"a": True}, {"a": None}, {"a": "7"}, {"a": 0}]
    rows = read_json(json.dumps(document).encode(), ARRAY, ["a"], "file")
    assert rows.frame["a"].to_list() == ["7", "2.5", "true", None, "7", "0"]


def test_carriage_returns_and_a_bom_change_nothing() -> None:
    data = '\ufeff{"a": "가", "b": {"c": "나"}}\r\n{"a": "다", "b": {"c": "라"}}\r\n'
    rows = read_jsonl(data.encode("utf-8"), LINES, ["a", "b.c"], "file")
    assert rows.frame.drop("#line").rows() == [(0, "가", "나"), (1, "다", "라")]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"a": "가", "b": {"c"', "is not valid JSON: "),
        ("", "is not valid JSON: "),
        ('{"a": "\\ud800", "b": {"c": ""}}', "is not valid JSON: "),
        ("[1]", "is not an object"),
        ("7", "is not an object"),
        ('{"a": "가"}', "has no key 'b.c'"),
        ('{"a": "가", "b": "나"}', "has no key 'b.c'"),
        (
            '{"a": ["가"], "b": {"c": ""}}',
            "'a' is a list: take one element with [0], or each with []",
        ),
    ],
)
def test_a_bad_line_is_quarantined_with_its_number_and_reason(line: str, why: str) -> None:
    good = '{"a": "가", "b": {"c": "나"}}'
    rows = lines(good, line, good)
    assert rows.frame.drop("#line").rows() == [(0, "가", "나"), (2, "가", "나")]
    [bad] = rows.quarantined
    assert (bad.row, bad.line) == (1, 2)
    assert bad.why.startswith(why)


def test_a_key_with_a_question_mark_may_be_missing() -> None:
    data = [{"a": ["가"]}, {}, {"a": None}, {"a": []}, {"a?": ["물음표"]}, 7, {"a": "글"}]
    text = "".join(json.dumps(one) + "\n" for one in data)
    rows = read_jsonl(text.encode(), LINES, ["a?[0]"], "file")
    assert rows.frame["a?[0]"].to_list() == ["가", None, None, None, "물음표"]
    reasons = ["is not an object", "'a?[0]' leads into what is not a list"]
    assert [bad.why for bad in rows.quarantined] == reasons


def test_rows_know_their_lines_where_the_format_has_lines() -> None:
    good = '{"a": "가", "b": {"c": "나"}}'
    assert lines(good, good).frame["#line"].to_list() == [1, 2]
    assert read_json(b'[{"a": "1"}]', ARRAY, ["a"], "file").frame["#line"].to_list() == [0]


def test_a_line_that_is_not_utf8_is_quarantined() -> None:
    good = '{"a": "가", "b": {"c": "나"}}\n'.encode()
    rows = read_jsonl(
        good + good.replace("가".encode(), b"\xb0\xa1") + good, LINES, ["a", "b.c"], "file"
    )
    assert rows.frame[ROW].to_list() == [0, 2]
    assert [(bad.row, bad.line) for bad in rows.quarantined] == [(1, 2)]


def test_a_record_of_a_document_that_lacks_a_key_is_quarantined_alone() -> None:
    rows = read_json(b'{"x": {"a": "1"}, "y": {}, "z": 5, "w": {"a": "2"}}', KEYED, ["a"], "file")
    assert rows.frame.drop("#line").rows() == [(0, "1"), (3, "2")]
    reasons = [(bad.row, bad.line, bad.why) for bad in rows.quarantined]
    assert reasons == [(1, 0, "has no key 'a'"), (2, 0, "is not an object")]


@pytest.mark.parametrize(
    ("data", "read", "message"),
    [
        (b'[{"a": "1"}, {"a"', ARRAY, "file: is not valid JSON: "),
        (b"", ARRAY, "file: is not valid JSON: "),
        (b'[{"a": "\xff"}]', ARRAY, "file: is not valid JSON: "),
        (b"[" * 10_000, ARRAY, "file: is not valid JSON: "),
        (b'{"1": {"a": "1"}}', ARRAY, "file: is not an array of objects"),
        (b'[{"a": "1"}]', KEYED, "file: is not an object of objects"),
        (b'"a"', KEYED, "file: is not an object of objects"),
    ],
)
def test_a_document_that_is_cut_or_of_another_kind_is_refused(
    data: bytes, read: Json, message: str
) -> None:
    with pytest.raises(ReadError) as error:
        read_json(data, read, ["a"], "file")
    assert str(error.value).startswith(message)


def test_an_empty_file_of_lines_is_refused() -> None:
    with pytest.raises(ReadError, match=r"^file: is empty"):
        read_jsonl(b"", LINES, ["a"], "file")
