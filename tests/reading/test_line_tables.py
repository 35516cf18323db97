"""JSON lines read as tables have exactly the values that the parser of single lines finds in them."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from kit19.core import text_series
from kit19.reading import chunks, line_tables
from kit19.reading.chunks import Chunk, Row, chunks_of_lines
from kit19.reading.column_texts import find_texts
from kit19.reading.json_lines import InvalidLine, json_lines

TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            "가",
            "한국어 문장",
            'a "b" c',
            "\\",
            '\\"',
            '{"a": 1}',
            '["x", 2]',
            ": 5",
            ", 7",
            "\ufeff",
        ]
    ),
    st.text(max_size=6),
    st.text('\\"{}[]:,u0dDeE8\ud83d\ude00\x00\t \n', max_size=8),
)
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.integers(-(10**22), 10**22),
    st.floats(),
    st.sampled_from([10**17, 10**18, 1e22, 1e-7, 5e-324, 1e308, -0.0, 0.5]),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=6,
)
TURNS = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant"]), "content": TEXTS},
        optional={"name": st.none() | TEXTS},
    ),
    max_size=3,
)
ROWS = st.one_of(
    st.fixed_dictionaries({"instruction": TEXTS, "output": TEXTS}, optional={"input": TEXTS}),
    st.fixed_dictionaries({"messages": TURNS}, optional={"id": NUMBERS | TEXTS}),
    st.fixed_dictionaries({"text": TEXTS, "n": st.integers(0, 9)}, optional={"f": st.floats()}),
    st.dictionaries(st.sampled_from(["a", "b", "c d", "가 나", "", "a: 1", "a\\"]), VALUES),
    VALUES,
)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """One line: a row, written in one of the usual ways, and sometimes damaged."""
    spaces = draw(st.sampled_from([(", ", ": "), (",", ":"), (" ,", " : "), (",\t", ":  ")]))
    text = json.dumps(draw(ROWS), ensure_ascii=draw(st.booleans()), separators=spaces)
    line = text.encode("utf-8", "surrogatepass")
    kind = draw(st.integers(0, 9))
    if kind == 0:
        at = draw(st.integers(0, len(line)))
        cut = draw(st.integers(0, 2))
        put = draw(
            st.sampled_from([b"", b'"', b"\\", b"\xb0\xa1", b"\x00", b"7", b",", b"{", b" "])
        )
        line = line[:at] + put + line[at + cut :]
    elif kind == 1:
        line = draw(st.sampled_from([b"\xef\xbb\xbf", b" ", b"\x0b", b"\xc2\xa0"])) + line
    elif kind == 2:
        line += draw(st.sampled_from([b"\r", b" ", b"{}", line, b"\x0c"]))
    elif kind == 3:
        repeated = b'"output": "x", "output": '
        line = line.replace(b'"output":', repeated).replace(b'"role":', b'"role": null, "role":')
    return line.replace(b"\n", b" ")


ODD = [
    rb'{"a": "\ud83d"}',
    rb'{"a": "\udbff\uFFFF"}',
    rb'{"a": "\\ud83d\ude00"}',
    rb'{"a": "\ud83d\\ude00"}',
    rb'{"a": "\uD83D\uDE00"}',
    rb'{"a": "x", "\u0061": "y"}',
    b'{"a": "x", "a": "y"}',
    b'{"a": "x" "b": "y"}',
    b'{"a": 0123}',
    b'{"a": 1.}',
    b'{"a": 1e400}',
    b'{"a": -0}',
    b'{"a": NaN}',
    b'{"a": "x",}',
    b'{"a": \\"x\\"}',
    b'{"a": "x}',
    b'"}',
    b'{"a": "\t"}',
    b'{"a, 5": 1}',
    b"{}",
    b'{"a": {}}',
    b'{"a": [{}]}',
    b"[1, 2]",
    b"null",
    b'{"a": ' + b"[" * 300 + b"]" * 300 + b"}",
    b'{"a": ' + b"9" * 5_000 + b"}",
    b'{"a": "\xb0\xa1\xb3\xaa\xb4\xd9"}',
    b'{"a": "\xff"}',
    b"\xef\xbb\xbf",
    b"",
    b" \r",
    b" \x0c",
    b'{"a": "crlf"}\r',
    b'\xef\xbb\xbf{"a": "x"}',
    b'{"a": "x"},',
    b'{"a": "x"} {"a": "x"}',
    b'  {"a": "x"} ',
    rb'{"a": "\u0000\u007f\u0080\u07FF\uffff"}',
    b'{"a": "\x00"}',
    rb'{"a": "\ud83d\ud83d\ude00"}',
    rb'{"a": "\u12"}',
    rb'{"a": "\x"}',
    rb'{"a": "\"}',
    rb'{"a": "\\\" \/\b\f\n\r\t"}',
    rb'{"a": "\\uac00 \\\\u"}',
    b'{"a": " {\\"b\\": 1}\\u3000"}',
    b'{"a": "' + b"\\n\xea\xb0\x80" * 2_000 + b'"}',
    b'{"a": 1}',
    b'{"a": -12.50e-07, "b": "x"}',
    b'{"a": null, "b": true}',
    b'{"b": "x", "a": "y"}',
    b'{"a": ["x", "y"]}',
    b'{"a": [["x"], [], null]}',
]


def read(data: bytes, block: int, scanned: bool) -> list[Chunk]:
    small = 0 if scanned else len(data)
    with patch.object(line_tables, "BLOCK", block), patch.object(chunks, "SMALL", small):
        return list(chunks_of_lines(io.BytesIO(data), "rows.jsonl"))


def comparable(value: Any) -> Any:
    """A value with its types and the order of its keys; null keys count as absent."""
    if isinstance(value, dict):
        return [(key, comparable(one)) for key, one in value.items() if one is not None]
    if isinstance(value, list):
        return type(value).__name__, [comparable(one) for one in value]
    return type(value).__name__, value.why if isinstance(value, InvalidLine) else repr(value)


def assert_same(data: bytes, block: int, scanned: bool) -> None:
    expected = list(json_lines(io.BytesIO(data), "utf-8"))
    found: list[Row] = []
    for chunk in read(data, block, scanned):
        found += chunk.rows()
        texts = chunk.regular.texts()
        assert texts is not None
        expected_texts = find_texts(chunk.table)
        assert_frame_equal(texts.frame, expected_texts.frame)
        assert sorted(texts.columns) == sorted(expected_texts.columns)
        assert texts.odd.tolist() == expected_texts.odd.tolist()
    assert [row.number for row in found] == list(range(len(expected)))
    assert [(row.line, comparable(row.value)) for row in found] == [
        (line, comparable(value)) for line, value in expected
    ]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(lines(), max_size=12),
    st.sampled_from([16, 100, 1 << 20]),
    st.booleans(),
    st.booleans(),
)
@example(ODD, 1 << 20, True, True)
@example(ODD, 1 << 20, True, False)
@example(ODD, 16, False, True)
@example(ODD, 16, False, False)
def test_tables_have_the_values_of_the_parser(
    some: Sequence[bytes], block: int, ended: bool, scanned: bool
) -> None:
    assert_same(b"\n".join(some) + b"\n" * ended, block, scanned)


@pytest.mark.parametrize("scanned", [True, False])
@pytest.mark.parametrize("odd", ODD)
def test_one_odd_line_leaves_the_others_regular(odd: bytes, scanned: bool) -> None:
    regular = [json.dumps({"a": f"문장 {number}"}).encode() for number in range(100)]
    data = b"\n".join([*regular[:50], odd, *regular[50:]])
    assert_same(data, 1 << 20, scanned)
    assert sum(chunk.table.height for chunk in read(data, 1 << 20, scanned)) >= 84


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": "무엇?", "input": None, "output": '답 "하나"\n둘 \U0001f600'},
        {"messages": [{"role": "user", "content": "가"}, {"role": "assistant", "content": "\\"}]},
        {"id": 12345678901, "score": -1.5e-3, "label": True, "tags": ["a", "b"], "meta": {"n": 1}},
    ],
)
@pytest.mark.parametrize("escaped", [True, False])
@pytest.mark.parametrize("scanned", [True, False])
def test_usual_rows_need_no_object(row: dict[str, Any], escaped: bool, scanned: bool) -> None:
    data = b"".join(json.dumps(row, ensure_ascii=escaped).encode() + b"\n" for _ in range(200))
    found = read(data, 1_000, scanned)
    assert sum(chunk.table.height for chunk in found) == 200
    assert not any(chunk.others for chunk in found)


def test_a_scan_reads_all_rows_of_a_file_whose_outlines_vary() -> None:
    rows = [
        {"turns": [{"role": "user", "content": f"말 {turn}"} for turn in range(number % 90)]}
        for number in range(300)
    ]
    rows.append({"turns": [{"role": "user", "content": "가\n" * 250_000}]})
    data = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    assert_same(data, 20_000, scanned=True)


def test_a_scan_does_not_make_characters_of_halves_in_two_texts() -> None:
    # 가 is EA B0 80. In the array of a scan's texts, these bytes would follow each other.
    line = b'{"a": "all of this is text \xea", "b": "\xb0\x80 and this, too"}\n'
    assert_same(b'{"a": "text", "b": "more text"}\n' * 40 + line * 9, 1_000, scanned=True)


def test_lines_of_a_scan_let_go_of_their_memory() -> None:
    data = b'{"a": "long enough not to be in a view"}\n' * 50
    kept = read(data, 1_000, scanned=True)
    held = len(text_series.held_arrays())
    assert held >= len(kept) > 1
    tables = [chunk.table["a"].clone() for chunk in kept]
    del kept
    assert tables[-1][0] == "long enough not to be in a view"
    assert len(text_series.held_arrays()) == held
    del tables
    assert len(text_series.held_arrays()) <= held - 2
