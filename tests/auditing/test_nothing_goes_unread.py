"""Tests that every file, column, cell and byte is searched, or reported as not searched."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19.auditing import Audit, audit
from kit19.auditing.page import audit_page
from kit19.core.errors import Kit19Error, ReadError
from tests.support.exams import INNOCENT, SENTENCES, write_jsonl
from tests.support.invoking import run_main

TEXTS = [INNOCENT[0], SENTENCES[0], INNOCENT[1], SENTENCES[3]]
LEAKED = [1, 3]
SHORT = "짧은 문장"


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [{"text": text} for text in [*SENTENCES, SHORT]]
    return write_jsonl(tmp_path_factory.mktemp("exam") / "mine.jsonl", list(rows))


def searched(path: Path, exam: Path, **options: Any) -> Audit:
    result = audit(path, [str(exam)], **options)
    assert result.not_searched == []
    return result


def lines(texts: list[str]) -> bytes:
    return "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()


def parquet(texts: list[str]) -> bytes:
    stream = io.BytesIO()
    pl.DataFrame({"text": texts}).write_parquet(stream)
    return stream.getvalue()


def zstd(data: bytes) -> bytes:
    pyarrow = pytest.importorskip("pyarrow")
    return bytes(pyarrow.compress(data, "zstd", asbytes=True))


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "."), data)
    return stream.getvalue()


# Files.


def test_what_save_to_disk_writes_is_read(tmp_path: Path, exam: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    datasets.Dataset.from_dict({"text": TEXTS}).save_to_disk(str(tmp_path / "saved"))
    result = searched(tmp_path / "saved", exam)
    assert (result.rows_read, result.rows) == (4, LEAKED)
    assert {note.where for note in result.notes} == {"dataset_info.json", "state.json"}


@pytest.mark.parametrize("write", ["write_ipc", "write_ipc_stream"])
def test_arrow_is_read_as_a_stream_and_as_a_file(write: str, tmp_path: Path, exam: Path) -> None:
    path = tmp_path / "train.arrow"
    getattr(pl.DataFrame({"n": [1] * 4, "text": TEXTS}), write)(path)
    assert searched(path, exam).rows == LEAKED


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd,
}


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("train.jsonl", lines(TEXTS)),
        ("train.csv", "\n".join(["text", *TEXTS]).encode("cp949")),
        ("train.json", json.dumps([{"text": text} for text in TEXTS]).encode("utf-16")),
        ("train.parquet", parquet(TEXTS)),
    ],
)
def test_compressed_files_are_read(
    kind: str, name: str, data: bytes, tmp_path: Path, exam: Path
) -> None:
    path = tmp_path / "data" / f"{name}.{kind}"
    path.parent.mkdir()
    path.write_bytes(PACKED[kind](data))
    write_jsonl(path.parent / "a.jsonl", [INNOCENT[2]])
    assert searched(path, exam).rows == LEAKED
    assert searched(path.parent, exam).rows_read == len(TEXTS) + 1


def test_what_needs_a_package_that_is_not_there_is_named(
    tmp_path: Path, exam: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b.jsonl.zst").write_bytes(zstd(lines(TEXTS)))
    write_jsonl(tmp_path / "a.jsonl", list(INNOCENT))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = audit(tmp_path, [str(exam)])
    assert (result.rows_read, result.rows) == (3, [])
    assert [(one.where, one.what) for one in result.not_searched] == [
        ("b.jsonl.zst", "is compressed by zstd, which needs pyarrow")
    ]
    with pytest.raises(ReadError, match="pip install pyarrow"):
        audit(tmp_path / "b.jsonl.zst", [str(exam)])


def test_an_archive_of_another_kind_is_named_by_that(tmp_path: Path, exam: Path) -> None:
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress(b"\0"))
    write_jsonl(tmp_path / "a.jsonl", list(INNOCENT))
    (only,) = audit(tmp_path, [str(exam)]).not_searched
    assert (only.where, only.what) == ("b.tar.gz", "kit19 does not read .tar")


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt"])
def test_hangul_in_seven_bits_is_read(name: str, tmp_path: Path, exam: Path) -> None:
    texts = [json.dumps(text, ensure_ascii=False) for text in TEXTS]
    (tmp_path / name).write_bytes("\n".join(texts).encode("iso2022_kr"))
    assert searched(tmp_path / name, exam).rows == LEAKED


def test_archives_are_read_and_what_lies_in_them_unread_is_named(
    tmp_path: Path, exam: Path
) -> None:
    inner = {"a__jsonl": lines(TEXTS[:2]), "b__parquet": parquet(TEXTS[2:]), "README__md": b"x"}
    path = tmp_path / "all.zip"
    path.write_bytes(zipped(**inner))
    result = searched(path, exam)
    assert [note.where for note in result.notes] == ["all.zip/README.md"]
    # Parquet comes first, as in a folder.
    assert (result.rows_read, result.rows) == (4, [1, 3])
    inside = zipped(more__zip=path.read_bytes(), **inner, c__jsonl__gz=gzip.compress(lines(TEXTS)))
    path.write_bytes(inside)
    result = audit(tmp_path, [str(exam)])
    assert (result.rows_read, len(result.rows)) == (8, 4)
    assert [(one.where, one.what) for one in result.not_searched] == [
        ("all.zip/more.zip", "kit19 does not read .zip")
    ]


def test_an_archive_that_cannot_be_unpacked_is_an_error(tmp_path: Path, exam: Path) -> None:
    data = bytearray(zipped(a__jsonl=lines(TEXTS)))
    flags = data.index(b"PK\x01\x02") + 8
    data[flags] |= 1  # encrypted
    data[6] |= 1
    for name, content in (
        ("secret.zip", bytes(data)),
        ("cut.zip", bytes(data[:-9])),
        ("none.zip", zipped(a__bin=b"\0")),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ReadError, match=name):
            audit(tmp_path / name, [str(exam)])


def test_linked_folders_are_searched_once_and_links_in_a_circle_end(
    tmp_path: Path, exam: Path
) -> None:
    write_jsonl(tmp_path / "elsewhere" / "rows.jsonl", list(TEXTS))
    data = tmp_path / "around" / "data"
    write_jsonl(data / "a.jsonl", [INNOCENT[2]])
    (data / "linked").symlink_to(tmp_path / "elsewhere")
    (data / "linked again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(data)
    result = searched(data, exam)
    assert (result.rows_read, result.rows) == (5, [2, 4])
    (data / "up").symlink_to(tmp_path / "around")
    assert [one.where for one in audit(data, [str(exam)]).not_searched] == ["up"]


UNREAD: dict[str, Callable[[Path], object]] = {
    "table.xlsx": lambda path: path.write_bytes(b"PK"),
    "text.md": lambda path: path.write_text(SENTENCES[0], "utf-8"),
    "no suffix": lambda path: path.write_text(SENTENCES[0], "utf-8"),
    ".hidden.jsonl": lambda path: path.write_bytes(lines(TEXTS)),
    "pipe.jsonl": os.mkfifo,
    "nowhere.jsonl": lambda path: path.symlink_to("nothing"),
}


@pytest.mark.parametrize("name", UNREAD)
def test_a_file_that_is_not_read_is_named_and_fails(
    name: str,
    tmp_path: Path,
    exam: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_jsonl(tmp_path / "data" / "a.jsonl", list(INNOCENT))
    UNREAD[name](tmp_path / "data" / name)
    monkeypatch.chdir(tmp_path)
    command = ("audit", "-q", "data", "--against", str(exam))
    assert run_main(*command) == 0
    out = capsys.readouterr().out
    assert "nothing found in 3 rows, but not all of the dataset was searched\n" in out
    assert f"\nnot searched:\n  {name}: " in out
    assert run_main(*command, "--fail-on-hit", "--json") == 3
    document = json.loads(capsys.readouterr().out)
    assert [one["where"] for one in document["not_searched"]] == [name]
    page = audit_page(Audit.model_validate(document))
    assert "but not all of the dataset was searched" in page
    assert f"<li>{name}: " in page


def test_what_lies_about_the_data_is_named_and_fails_nothing(
    tmp_path: Path,
    exam: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_jsonl(tmp_path / "a.jsonl", list(INNOCENT))
    for name in ("README.md", "LICENSE", ".gitattributes", ".DS_Store", "dataset_infos.json"):
        (tmp_path / name).write_text(SENTENCES[0], "utf-8")
    command = ("audit", "-q", str(tmp_path), "--against", str(exam), "--fail-on-hit")
    assert run_main(*command) == 0
    out = capsys.readouterr().out
    assert "nothing found in 3 rows\n" in out
    assert "\nnotes:\n  .DS_Store: not searched: tools keep it here\n" in out


def test_a_folder_without_data_says_what_it_holds(tmp_path: Path, exam: Path) -> None:
    (tmp_path / "dataset_info.json").write_text(json.dumps({"text": SENTENCES[0]}), "utf-8")
    (tmp_path / "data.tar").write_bytes(b"\0")
    with pytest.raises(
        ReadError, match=r"has no dataset files(.|\n)*data.tar: kit19 does not read"
    ):
        audit(tmp_path, [str(exam)])


# Columns and cells.


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
@pytest.mark.parametrize("header", ["문장\t문장", "\t", "text\ttext"])
def test_columns_of_one_name_are_all_searched(
    name: str, header: str, tmp_path: Path, exam: Path
) -> None:
    rows = [f"id\t{header}", *(f"{n}\t{text}\t없음" for n, text in enumerate(TEXTS))]
    text = "\n".join(rows)
    (tmp_path / name).write_text(text.replace("\t", ",") if name == "a.csv" else text, "utf-8")
    result = searched(tmp_path / name, exam, header=True)
    assert (result.rows_read, result.rows) == (4, LEAKED)
    assert {hit.column for hit in result.hits} == {header.split("\t", maxsplit=1)[0]}


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_a_repeated_key_loses_no_text(name: str, tmp_path: Path, exam: Path) -> None:
    row = f'{{"text": "{SENTENCES[0]}", "n": {{"a": "{SENTENCES[1]}", "a": 1, "a": []}}, "text": "x"}}'
    (tmp_path / name).write_text(f"[{row}]" if name == "a.json" else row, "utf-8")
    hits = searched(tmp_path / name, exam).hits
    assert [hit.column for hit in hits] == ["text", "n.a"]


def test_bytes_that_are_text_are_searched_and_others_are_named(tmp_path: Path, exam: Path) -> None:
    image = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
    cells: list[bytes] = [
        TEXTS[0].encode(),
        TEXTS[1].encode("utf-16"),
        image,
        TEXTS[3].encode("cp949"),
    ]
    path = tmp_path / "a.parquet"
    frame = pl.DataFrame({"text": cells, "nested": [{"bytes": [cell]} for cell in cells]})
    frame.write_parquet(path)
    result = audit(path, [str(exam)])
    assert result.rows == LEAKED
    assert [(one.where, one.what) for one in result.not_searched] == [
        ("a.parquet, column text", "1 cell with bytes that are not text (row 2)"),
        ("a.parquet, column nested.bytes", "1 cell with bytes that are not text (row 2)"),
    ]
    # Columns that are not requested are not reported.
    only = audit(path, [str(exam)], columns=["nested"])
    assert [one.where for one in only.not_searched] == ["a.parquet, column nested.bytes"]


wrapped: list[Callable[[Any], Any]] = [
    lambda value: [value],
    lambda value: {"a": value},
    lambda value: {"role": "user", "content": value},
    json.dumps,
    lambda value: json.dumps(value, ensure_ascii=False, indent=1),
    lambda value: f" \n{json.dumps(value)} ",
]


@given(st.lists(st.sampled_from(wrapped), max_size=5), st.booleans(), st.booleans())
def test_text_is_found_however_it_is_wrapped(
    tmp_path_factory: pytest.TempPathFactory,
    exam: Path,
    wraps: list[Callable[[Any], Any]],
    as_key: bool,
    in_document: bool,
) -> None:
    path = tmp_path_factory.mktemp("w") / ("a.json" if in_document else "a.jsonl")
    rows = []
    for text in (INNOCENT[0], SENTENCES[2], SHORT):
        value: Any = {text: "네"} if as_key else text
        for wrap in wraps:
            value = wrap(value)
        rows.append({"conversations": value})
    whole = json.dumps(rows) if in_document else "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(whole, "utf-8")
    assert searched(path, exam).rows == [1, 2]


def test_a_document_that_is_keyed_by_text_is_searched(tmp_path: Path, exam: Path) -> None:
    path = tmp_path / "a.json"
    for value in ({"답": "네"}, "네", [{"답": "네"}], ["네"]):
        path.write_text(json.dumps(dict.fromkeys(TEXTS, value)), "utf-8")
        found = {hit.item for hit in searched(path, exam).hits}
        assert found == {"items/0", "items/3"}, value


def test_escapes_within_other_text_are_searched(tmp_path: Path, exam: Path) -> None:
    cut = json.dumps({"a": f"{SENTENCES[0]} 😀"})[:-1]
    path = write_jsonl(tmp_path / "a.jsonl", [{"text": f"log: {cut}"}, {"text": "\\ud83d"}])
    assert searched(path, exam).rows == [0]


def test_numbers_of_any_length_and_unknown_time_zones_hide_no_text(
    tmp_path: Path, exam: Path
) -> None:
    row = f'{{"n": {"9" * 5000}, "text": "{SENTENCES[0]}"}}'
    for name, text in (("a.jsonl", row), ("a.json", f"[{row}]")):
        (tmp_path / name).write_text(text, "utf-8")
        assert searched(tmp_path / name, exam).rows == [0]
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")

    times = pa.array([1], pa.timestamp("us", tz="Mars/Phobos"))
    pq.write_table(pa.table({"at": times, "text": [SENTENCES[0]]}), tmp_path / "a.parquet")
    assert searched(tmp_path / "a.parquet", exam).rows == [0]


# Bytes and lines.


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt", "a.jsonl", "a.json"])
@pytest.mark.parametrize("encoding", ["cp949", "utf-8"])
def test_text_after_a_megabyte_of_ascii_is_searched(
    name: str, encoding: str, tmp_path: Path, exam: Path
) -> None:
    texts = ["x" * 100] * 11_000 + TEXTS
    if "json" in name:
        rows = [json.dumps({"text": text}, ensure_ascii=False) for text in texts]
        content = "\n".join(rows) if name == "a.jsonl" else f"[{','.join(rows)}]"
    else:
        content = "\n".join(["text", *texts])
    (tmp_path / name).write_bytes(content.encode(encoding))
    result = searched(tmp_path / name, exam, header=True)
    assert result.rows == [11_001, 11_003] if name != "a.txt" else [11_001, 11_003]


def test_lines_in_another_encoding_are_searched_and_bytes_that_are_no_text_named(
    tmp_path: Path, exam: Path
) -> None:
    path = tmp_path / "a.csv"
    mixed = [
        b"text",
        SENTENCES[0].encode(),
        SENTENCES[1].encode("cp949"),
        SENTENCES[2].encode()[:-2],
        SENTENCES[3].encode(),
    ]
    path.write_bytes(b"\n".join(mixed[:1] + [INNOCENT[0].encode()] * 50_000 + mixed[1:]))
    result = audit(path, [str(exam)])
    assert result.rows == [50_000, 50_001, 50_002, 50_003]
    assert [(one.where, one.what) for one in result.not_searched] == [
        ("a.csv", "1 line has bytes that are not text (line 50004)")
    ]


def test_bytes_that_are_no_text_in_a_document_are_named(tmp_path: Path, exam: Path) -> None:
    path = tmp_path / "a.json"
    rows = [{"text": SENTENCES[0]}, {"text": "@"}, *({"text": INNOCENT[0]} for _ in range(99))]
    path.write_bytes(json.dumps(rows, ensure_ascii=False).encode().replace(b"@", b"\xff"))
    result = audit(path, [str(exam)])
    assert result.rows == [0]
    assert [one.where for one in result.not_searched] == ["a.json, column text"]


@given(st.integers(0, 5), st.sampled_from(['"', '"x" ', 'x"y"z ', '""" ']), st.integers(0, 9))
def test_a_quote_out_of_place_takes_no_other_row_with_it(
    tmp_path_factory: pytest.TempPathFactory, exam: Path, place: int, quote: str, later: int
) -> None:
    texts = [INNOCENT[0], SHORT, INNOCENT[1], SENTENCES[0], SHORT, INNOCENT[2]]
    cells = [quote + text if n == place else text for n, text in enumerate(texts)]
    if later < len(cells) and later != place:
        cells[later] = f'"{cells[later]}"'
    rows = ["id,text,label", *(f"{n},{cell},1" for n, cell in enumerate(cells))]
    path = tmp_path_factory.mktemp("q") / "a.csv"
    path.write_text("\n".join(rows) + "\n", "utf-8")
    result = searched(path, exam)
    assert result.rows_read == len(texts)
    assert set(result.rows) >= {1, 3, 4} - {place}
    for note in result.notes:
        assert "has misplaced quotes and is read as a single line" in note.what


@pytest.mark.parametrize("delimiter", ["\t", ";", "|", ","])
def test_the_delimiter_of_csv_is_seen(delimiter: str, tmp_path: Path, exam: Path) -> None:
    rows = [
        ["id", "text", "label"],
        ["0", SHORT, "1, 2"],
        ["1", '"다른 말"', "0"],
        ["2", "또", "0"],
    ]
    if delimiter == ",":
        rows[1][2] = "1; 2"
    path = tmp_path / "a.csv"
    path.write_text("\n".join(delimiter.join(row) for row in rows), "utf-8")
    result = searched(path, exam)
    assert (result.rows_read, result.rows) == (3, [0])
    assert result.hits[0].column == "text"


@pytest.mark.parametrize("indent", [None, 0, 1])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16"])
def test_an_array_is_read_whatever_its_name(
    indent: int | None, encoding: str, tmp_path: Path, exam: Path
) -> None:
    text = json.dumps([{"text": text} for text in TEXTS], ensure_ascii=False, indent=indent)
    (tmp_path / "a.jsonl").write_bytes(text.encode(encoding))
    result = searched(tmp_path / "a.jsonl", exam)
    assert (result.rows_read, result.rows) == (4, LEAKED)


def test_lines_that_are_arrays_are_rows(tmp_path: Path, exam: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [[text, "네"] for text in TEXTS])
    assert searched(path, exam).rows == LEAKED


# What is looked for.


def test_items_that_cannot_be_read_completely_are_refused(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "data.jsonl", list(TEXTS))
    write_jsonl(tmp_path / "exam" / "a.jsonl", list(SENTENCES))
    (tmp_path / "exam" / "b.xlsx").write_bytes(b"PK")
    with pytest.raises(Kit19Error, match=r"b.xlsx: cannot be read: kit19 does not read .xlsx"):
        audit(data, [str(tmp_path / "exam")])


def test_more_text_than_items_can_have_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit19.auditing.items._MOST_TEXT", 100)
    data = write_jsonl(tmp_path / "data.jsonl", list(TEXTS))
    with pytest.raises(ReadError, match=r"data.jsonl: has more than .* of text"):
        audit(data, [str(data)])


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.tsv", "a.txt", "a.jsonl.gz"])
def test_a_row_without_end_is_refused_with_its_line(
    name: str, tmp_path: Path, exam: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("chunks", "json_lines", "foreign_json", "foreign_text"):
        monkeypatch.setattr(f"kit19.reading.{module}.LONGEST", 100_000)
    monkeypatch.setattr("kit19.reading.foreign_json._CHUNK", 1_000)
    rows = [json.dumps({"text": text}) for text in (INNOCENT[0], "x" * 300_000)]
    text = f"[{rows[0]},\n{rows[1]}]" if name == "a.json" else "\n".join(rows)
    data = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    if name in ("a.csv", "a.tsv"):
        (tmp_path / name).write_text("text\n" + "x" * 300_000, "utf-8")
    with pytest.raises(ReadError, match=rf"{name}:2: (is longer|has a value of more) than"):
        audit(tmp_path / name, [str(exam)])
