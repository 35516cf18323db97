"""Tests that the same rows are found in every format and layout of columns."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kit19.auditing import audit
from kit19.core.errors import ReadError, UnknownNameError
from kit19.reading import dataset_files
from kit19.reading.foreign_text import is_header
from kit19.reading.texts import read_texts
from tests.support.exams import INNOCENT, SENTENCES, write_jsonl

TEXTS = [INNOCENT[0], SENTENCES[0], INNOCENT[1], SENTENCES[3], SENTENCES[5], INNOCENT[2]]
LEAKED = [1, 3, 4]
LONG = 30 * INNOCENT[0] + SENTENCES[3]
ROWS = [{"id": str(n), "text": text, "label": str(n % 2)} for n, text in enumerate(TEXTS)]


@pytest.fixture
def exam(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "exam" / "mine.jsonl", [{"text": text} for text in SENTENCES])


def found(path: Path, exam: Path, **options: Any) -> list[int]:
    result = audit(path, [str(exam)], **options)
    assert result.rows_read == len(TEXTS)
    return result.rows


def table(delimiter: str, *, header: bool, ends: str = "\n", quoted: bool = False) -> str:
    stream = io.StringIO(newline="")
    writer = csv.writer(
        stream,
        delimiter=delimiter,
        lineterminator=ends,
        quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL,
    )
    if header:
        writer.writerow(ROWS[0])
    writer.writerows(row.values() for row in ROWS)
    return stream.getvalue()


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


TEXT_LAYOUTS: dict[str, Callable[[], str]] = {
    "lines.jsonl": lambda: "".join(compact(row) + "\n" for row in ROWS),
    "escaped.jsonl": lambda: "".join(json.dumps(row) + "\n" for row in ROWS),
    "crlf.jsonl": lambda: "\r\n".join(map(compact, ROWS)),
    "blank_lines.jsonl": lambda: "\n\n".join(map(compact, ROWS)) + "\n\n",
    "other.ndjson": lambda: "".join(compact(row) + "\n" for row in ROWS),
    "messages.jsonl": lambda: "".join(
        compact({"messages": [{"role": "user", "content": text}, {"role": "bot", "content": "네"}]})
        + "\n"
        for text in TEXTS
    ),
    "strings.jsonl": lambda: "".join(compact(text) + "\n" for text in TEXTS),
    "deep.jsonl": lambda: "".join(compact({"a": [[{"b": {"c": [t]}}]]}) + "\n" for t in TEXTS),
    "array.json": lambda: compact(ROWS),
    "pretty.json": lambda: json.dumps(ROWS, ensure_ascii=False, indent=2),
    "array_of_texts.json": lambda: compact(TEXTS),
    "data.json": lambda: compact({"version": "1.0", "data": ROWS}),
    "two_lists.json": lambda: compact({"train": ROWS[:4], "test": ROWS[4:]}),
    "keyed.json": lambda: compact({f"q{n}": row for n, row in enumerate(ROWS)}),
    "by_column.json": lambda: compact({"id": list("abcdef"), "text": TEXTS}),
    "frame.json": lambda: compact({"text": {str(n): text for n, text in enumerate(TEXTS)}}),
    "really_lines.json": lambda: "".join(compact(row) + "\n" for row in ROWS),
    "with_header.csv": lambda: table(",", header=True),
    "without_header.csv": lambda: table(",", header=False),
    "quoted.csv": lambda: table(",", header=True, quoted=True, ends="\r\n"),
    "with_header.tsv": lambda: table("\t", header=True),
    "without_header.tsv": lambda: table("\t", header=False),
    "crlf.tsv": lambda: table("\t", header=True, ends="\r\n"),
    "tabs.txt": lambda: table("\t", header=True),
    "plain.txt": lambda: "\n".join(TEXTS),
    "plain_crlf.txt": lambda: "\r\n".join(TEXTS) + "\r\n",
    "no_suffix": lambda: "\n".join(TEXTS) + "\n",
    "lines_without_a_suffix": lambda: "".join(compact(row) + "\n" for row in ROWS),
}


@pytest.mark.parametrize("name", TEXT_LAYOUTS)
def test_every_layout_gives_the_same_rows(name: str, tmp_path: Path, exam: Path) -> None:
    path = tmp_path / name
    path.write_text(TEXT_LAYOUTS[name](), encoding="utf-8", newline="")
    assert found(path, exam) == LEAKED


@pytest.mark.parametrize("name", TEXT_LAYOUTS)
def test_a_mark_at_the_beginning_changes_no_row(name: str, tmp_path: Path, exam: Path) -> None:
    path = tmp_path / name
    path.write_text(TEXT_LAYOUTS[name](), encoding="utf-8-sig", newline="")
    assert found(path, exam) == LEAKED


@pytest.mark.parametrize("name", [name for name in TEXT_LAYOUTS if "." in name])
def test_compressed_layouts_give_the_same_rows(name: str, tmp_path: Path, exam: Path) -> None:
    path = tmp_path / f"{name}.gz"
    path.write_bytes(gzip.compress(TEXT_LAYOUTS[name]().encode()))
    assert found(path, exam) == LEAKED


@pytest.mark.parametrize("encoding", ["cp949", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("name", ["lines.jsonl", "pretty.json", "quoted.csv", "plain.txt"])
def test_files_of_excel_and_notepad_are_read(
    name: str, encoding: str, tmp_path: Path, exam: Path
) -> None:
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    path = tmp_path / name
    path.write_bytes(mark + TEXT_LAYOUTS[name]().encode(encoding))
    assert found(path, exam) == LEAKED


def test_parquet_gives_the_same_rows_however_it_is_cut(tmp_path: Path, exam: Path) -> None:
    frame = pl.DataFrame(ROWS)
    nested = pl.DataFrame({"messages": [[{"content": text}] for text in TEXTS]})
    frame.write_parquet(tmp_path / "one.parquet")
    frame.write_parquet(tmp_path / "groups.parquet", row_group_size=2)
    nested.write_parquet(tmp_path / "nested.parquet")
    frame.with_columns(pl.col("text").cast(pl.Categorical)).write_parquet(tmp_path / "cat.parquet")
    for path in tmp_path.glob("*.parquet"):
        assert found(path, exam) == LEAKED, path.name


def test_a_folder_is_one_dataset_with_its_files_in_order(tmp_path: Path, exam: Path) -> None:
    folder = tmp_path / "data"
    write_jsonl(folder / "a" / "1.jsonl", list(ROWS[:2]))
    write_jsonl(folder / "a" / "2.jsonl", list(ROWS[2:3]))
    (folder / "b.csv").write_text(f"text\n{TEXTS[3]}\n{TEXTS[4]}\n", encoding="utf-8")
    (folder / "c.txt.gz").write_bytes(gzip.compress(TEXTS[5].encode()))
    (folder / "README.md").write_text(SENTENCES[0], encoding="utf-8")
    (folder / "dataset_infos.json").write_text(compact(SENTENCES), encoding="utf-8")
    write_jsonl(folder / ".cache" / "0.jsonl", list(SENTENCES))
    assert found(folder, exam) == LEAKED


def test_parquet_in_a_folder_comes_first(tmp_path: Path, exam: Path) -> None:
    folder = tmp_path / "data"
    write_jsonl(folder / "more" / "rows.jsonl", [{"text": INNOCENT[0]}, {"text": SENTENCES[1]}])
    for place in range(0, 6, 2):
        part = pl.DataFrame(ROWS[place : place + 2])
        part.write_parquet(folder / f"train-{place}.parquet")
    pl.DataFrame({"id": SENTENCES}).write_parquet(folder / "dropped.parquet")
    result = audit(folder, [str(exam)])
    assert (result.rows_read, result.rows) == (len(TEXTS) + 2, [*LEAKED, len(TEXTS) + 1])
    assert [note.where for note in result.notes] == ["dropped.parquet"]
    assert not result.not_searched


def test_exports_of_a_build_are_its_rows_again(tmp_path: Path, exam: Path) -> None:
    folder = tmp_path / "data"
    write_jsonl(folder / "exports" / "alpaca.jsonl", list(ROWS))
    (folder / "manifest.json").write_text("{}", "utf-8")
    pl.DataFrame(ROWS).write_parquet(folder / "train.parquet")
    assert found(folder, exam) == LEAKED
    notes = audit(folder, [str(exam)]).notes
    assert [note.where for note in notes] == ["exports/alpaca.jsonl", "manifest.json"]


def test_only_the_named_columns_are_looked_at(tmp_path: Path, exam: Path) -> None:
    rows = [
        {"question": SENTENCES[0], "answer": {"text": SENTENCES[1], "more": [SENTENCES[2]]}},
        {"question": INNOCENT[0], "answer": {"text": SENTENCES[3]}},
    ]
    path = write_jsonl(tmp_path / "rows.jsonl", list(rows))
    expected = {
        ("question",): [(0, "question")],
        ("answer",): [(0, "answer.more"), (0, "answer.text"), (1, "answer.text")],
        ("answer.more", "question"): [(0, "answer.more"), (0, "question")],
    }
    for columns, places in expected.items():
        result = audit(path, [str(exam)], columns=columns)
        assert sorted((hit.row, hit.column) for hit in result.hits) == places


def test_an_unknown_column_is_reported_with_the_nearest(tmp_path: Path, exam: Path) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [{"question": INNOCENT[0], "answer": "네"}])
    with pytest.raises(UnknownNameError) as raised:
        audit(path, [str(exam)], columns=["qestion"])
    assert str(raised.value) == (
        f"{path}: has no text in a column 'qestion'\n    did you mean question?"
    )


def test_a_header_can_be_stated(tmp_path: Path, exam: Path) -> None:
    path = tmp_path / "rows.tsv"
    path.write_text(f"{SENTENCES[0]}\t{SENTENCES[1]}\n{SENTENCES[2]}\t{INNOCENT[0]}\n", "utf-8")
    assert audit(path, [str(exam)], header=False).rows == [0, 1]
    assert audit(path, [str(exam)], header=True).rows == [0]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["id\tdocument\tlabel", "9\t아 더빙\t0"], True),
        (["문장\t악플", f"{SENTENCES[0]}\t1", f"{SENTENCES[1]}\t0"], True),
        (["질문\t답변", *["\t".join(SENTENCES[n : n + 2]) for n in range(3)]], True),
        (["0\t메일 보내\t1", "1\t메일 지워\t0"], False),
        (["오늘 날씨 어때?\t날씨", "내일은 비가 오려나\t비 오는지"], False),
        ([SENTENCES[0], SENTENCES[1], SENTENCES[2]], False),
        (["네", SENTENCES[1], SENTENCES[2], SENTENCES[3]], False),
        (["a\tb", "c\td"], False),
        (["text"], False),
        (["sentence", "no more than words", "of one kind"], True),
        (["utterances", SENTENCES[0], SENTENCES[1]], True),
    ],
)
def test_a_header_is_detected_from_the_lines(lines: list[str], expected: bool) -> None:
    assert is_header([line.split("\t") for line in lines]) is expected


@pytest.mark.parametrize("first", ["hello", "네", "2024", "Hello world"])
def test_plain_lines_have_no_header(first: str, tmp_path: Path, exam: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("\n".join([first, SENTENCES[0], INNOCENT[0], SENTENCES[2]]), "utf-8")
    result = audit(path, [str(exam)])
    assert (result.rows_read, result.rows) == (4, [1, 3])


def test_a_quote_in_tsv_is_text_and_a_line_ends_only_at_a_line_feed(
    tmp_path: Path, exam: Path
) -> None:
    path = tmp_path / "rows.tsv"
    odd = f'"{SENTENCES[0]}\r 그리고\u2028또\u0085 {INNOCENT[0]}'
    path.write_text(f"id\ttext\n0\t{odd}\n1\t{SENTENCES[3]}\n", "utf-8", newline="")
    result = audit(path, [str(exam)])
    assert (result.rows_read, result.rows) == (2, [0, 1])


def test_a_line_feed_in_quotes_belongs_to_its_csv_row(tmp_path: Path, exam: Path) -> None:
    path = tmp_path / "rows.csv"
    first, second = SENTENCES[0].split(" 난방비를 ")
    path.write_text(f'id,text\r\n0,"{first}\r\n난방비를 {second}"\r\n1,{INNOCENT[0]}\r\n', "utf-8")
    result = audit(path, [str(exam)])
    assert (result.rows_read, result.rows, result.hits[0].rule) == (2, [0], "equal")


def test_text_outside_the_rows_of_a_document_is_searched(tmp_path: Path, exam: Path) -> None:
    path = tmp_path / "talk.json"
    path.write_text(compact({"turns": [{"say": INNOCENT[0]}], "summary": SENTENCES[0]}), "utf-8")
    assert audit(path, [str(exam)]).rows == [1]


@pytest.mark.parametrize("suffix", ["json", "jsonl", "txt"])
def test_a_text_of_millions_of_characters_is_searched_to_its_end(
    suffix: str, tmp_path: Path, exam: Path
) -> None:
    filling = INNOCENT[0] * 40_000  # a million characters
    text = filling + SENTENCES[0] + filling[:300_000] + SENTENCES[1] + filling[:500]
    path = tmp_path / f"long.{suffix}"
    wrap = {"json": compact([{"a": text}]), "jsonl": compact({"a": text}), "txt": text}
    path.write_text(wrap[suffix], "utf-8")
    result = audit(path, [str(exam)])
    assert (result.rows_read, result.rows) == (1, [0])
    assert [hit.item for hit in result.hits] == ["items/0", "items/1"]
    assert all(hit.item_text[:10] in hit.text for hit in result.hits)


@pytest.mark.parametrize("place", [979_990, 999_985, 1_000_000, 1_959_990, 1_979_985])
def test_an_item_is_not_cut_where_a_long_text_is(place: int, tmp_path: Path, exam: Path) -> None:
    filling = (INNOCENT[0] * 80_000)[:2_000_000]
    path = tmp_path / "long.txt"
    path.write_text(filling[:place] + SENTENCES[0] + filling[place:], "utf-8")
    (hit,) = audit(path, [str(exam)]).hits
    assert hit.overlap == 1.0


def test_rows_are_counted_over_chunks_and_files(
    tmp_path: Path, exam: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit19.reading.line_tables.BLOCK", 1_000)
    count = 2_000
    rows: list[object] = [{"text": ""} for _ in range(count)]
    write_jsonl(tmp_path / "d" / "1.jsonl", [*rows[1:], {"text": SENTENCES[0]}])
    write_jsonl(tmp_path / "d" / "2.jsonl", [{"text": SENTENCES[1]}, *rows, {"n": 1}])
    result = audit(tmp_path / "d", [str(exam)])
    assert (result.rows_read, result.rows) == (2 * count + 2, [count - 1, count])


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


def is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


@given(st.lists(values, max_size=8), st.sampled_from([None, 1]), st.booleans())
@example([[{}, {"": ""}]], None, False)
@example([[{"a": "x"}], [{}, {"a": "y"}]], 1, False)
def test_an_array_gives_the_rows_of_its_lines(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[Any],
    indent: int | None,
    ascii_only: bool,
) -> None:
    folder = tmp_path_factory.mktemp("json")
    lines = [json.dumps(row, ensure_ascii=ascii_only) for row in rows]
    (folder / "a.jsonl").write_bytes("\n".join(lines).encode())
    if len(rows) == 1 and rows[0] and is_list_of_objects(rows[0]):
        rows = rows[0]  # the only line is itself an array of rows
    whole = json.dumps(rows, ensure_ascii=ascii_only, indent=indent)
    (folder / "a.json").write_bytes(whole.encode())

    def texts(path: Path) -> list[tuple[Any, ...]]:
        return [cell for _, batch in read_texts(path) for cell in batch.rows()]

    assert texts(folder / "a.json") == texts(folder / "a.jsonl")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", '[{"a": "가"}, {"a": "나"}]'),
        ("a.json", '[{"a": "가"}, {"a": "나"}]'),
        ("a.json", '{"data": [{"a": "가"}, {"a": "나"}]}'),
    ],
)
def test_blank_lines_after_a_document_of_one_line_change_nothing(
    name: str, content: str, encoding: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    for after in ("", "\n", "\n\n", "\r\n \r\n", "\n" * 100_000):
        path.write_bytes((content + after).encode(encoding))
        found = [row for _, batch in read_texts(path) for row in batch.rows()]
        assert found == [(0, "a", "가"), (1, "a", "나")]


@pytest.mark.parametrize("cut", [1 << 20, (1 << 20) - 1, (1 << 20) + 1])
def test_a_document_is_read_across_the_ends_of_its_chunks(cut: int, tmp_path: Path) -> None:
    # Tokens of every kind are at the end of the reader's first chunk of text.
    for token in ('"가\\n\\u0041나"', "12345.5", "true", "null", '{"a": "b"}', "[1, [2]]"):
        for shift in range(len(token) + 1):
            head = '["' + "x" * (cut - 5 - shift) + '",'
            (tmp_path / "a.json").write_text(f"{head}{token},7]", "utf-8")
            rows = list(read_texts(tmp_path / "a.json"))[-1][0]
            assert rows == 3, (token, shift)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"a": "x"}\n{"a": \n', "a.jsonl:2: is not valid JSON: EOF while parsing"),
        ("a.jsonl", b'{"a": "x"}\n' * 99 + b'{"a": "\xff"}\n', "a.jsonl:100: is not valid JSON"),
        ("a.json", b'[{"a": 1},\n{"b" 2}]', "a.json:2: is not valid JSON: Expecting ':' delimiter"),
        ("a.json", b'[{"a": 1},\n{"b": 2}', "a.json:2: is not valid JSON: Expecting ',' or ']'"),
        ("a.json", b'["a"] ["b"]', "a.json:1: is not valid JSON: Extra data"),
        ("a.json", b"[" * 100_000, "a.json:1: is not valid JSON: nested too deeply"),
        ("a.json", b"", "a.json:1: is not valid JSON: Expecting value"),
        ("a.bin", b"\x80\x00\x01", "a.bin: is not text"),
        ("a.parquet", b"PAR1", "a.parquet: is not a readable parquet file"),
        ("a.txt.gz", b"text", "a.txt.gz: is damaged|a.txt.gz: cannot be read: Not a gzipped file"),
        (
            "a.txt.gz",
            gzip.compress(b"x" * 99, mtime=0)[:-9],
            "a.txt.gz: is damaged: Compressed file ended",
        ),
        ("a.csv", b"", "a.csv: has no rows"),
        ("a.jsonl", b'{"a": 1}\n', "a.jsonl: has no text"),
    ],
)
def test_an_unreadable_file_is_reported_with_its_path(
    name: str, content: bytes, message: str, tmp_path: Path, exam: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ReadError) as raised:
        audit(path, [str(exam)])
    assert re.search(message.replace("[", r"\["), str(raised.value))


def test_a_missing_or_empty_file_is_an_error(tmp_path: Path, exam: Path) -> None:
    with pytest.raises(ReadError, match="nowhere: does not exist"):
        audit(tmp_path / "nowhere", [str(exam)])
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "model.bin").write_bytes(b"\0")
    with pytest.raises(ReadError, match="d: has no dataset files"):
        dataset_files(tmp_path / "d")


def test_half_of_a_surrogate_pair_stops_nothing(tmp_path: Path, exam: Path) -> None:
    for name, form in (("a.jsonl", '{{"a": "\\ud83d {}"}}'), ("a.json", '[{{"a": "\\ud83d {}"}}]')):
        path = tmp_path / name
        path.write_text(form.format(SENTENCES[0]) + "\n", "utf-8")
        assert audit(path, [str(exam)]).rows == [0]


def test_long_rows_are_found_in_the_place_that_is_shown(tmp_path: Path, exam: Path) -> None:
    other = "무게는 5㎏, 길이는 30㎝. " * 100  # ㎏ and ㎝ are two letters each
    forms = {"nfc": LONG, "nfd": unicodedata.normalize("NFD", LONG), "odd": other + LONG}
    for name, text in forms.items():
        path = write_jsonl(tmp_path / f"{name}.jsonl", [{"a": text}])
        (hit,) = audit(path, [str(exam)]).hits
        assert hit.rule == "contained"
        assert SENTENCES[3] in hit.text
        assert hit.text.startswith("…")


@pytest.mark.parametrize("wrap", ["sentences", "lines", "paragraphs", "json"])
def test_a_list_of_sentences_or_lines_is_one_text_as_well(tmp_path: Path, wrap: str) -> None:
    """No single sentence or line is half of the item."""
    exam = write_jsonl(tmp_path / "exam.jsonl", [{"text": " ".join(SENTENCES[:4])}])
    words = " ".join(SENTENCES[:4]).split()
    lines = [" ".join(words[at : at + 4]) for at in range(0, len(words), 4)]
    text: Any = lines if wrap == "lines" else SENTENCES[:4]
    if wrap == "paragraphs":
        text = {"body": [{"lines": SENTENCES[:4]}]}
    if wrap == "json":
        text = json.dumps(SENTENCES[:4], ensure_ascii=False)
    data = write_jsonl(tmp_path / "data.jsonl", [{"text": INNOCENT[0]}, {"document": text}])
    result = audit(data, [str(exam)])
    assert [(hit.row, hit.rule) for hit in result.hits] == [(1, "equal")]


def test_options_and_words_are_no_text_together(tmp_path: Path) -> None:
    options = ["매우 그렇다", "그렇다", "보통이다", "아니다", "전혀 아니다"]
    exam = write_jsonl(tmp_path / "exam.jsonl", [{"text": SENTENCES[0], "options": options}])
    data = write_jsonl(tmp_path / "data.jsonl", [{"text": " ".join(options)}, {"options": options}])
    assert audit(data, [str(exam)]).hits == []
