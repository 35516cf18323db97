"""Tests of copies without the rows that were found, or with a column that names what was found."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit19.auditing import FilesAudit, audit, merge_audit
from kit19.core.errors import ArgumentError, OutputError
from kit19.core.processes import Killed
from tests.support.corpora import (
    TEXTS,
    encode,
    make_rows,
    search,
    write_corpus,
)
from tests.support.exams import INNOCENT, SENTENCES
from tests.support.invoking import invoke

FOUND = [place for place, text in enumerate(TEXTS) if text not in INNOCENT]
FORMATS = ["a.jsonl", "a.json", "a.csv", "a.tsv", "a.txt", "a.parquet"]


pytestmark = pytest.mark.usefixtures("pages")


def cleaned(result: FilesAudit) -> list[tuple[str, int, int, int, str]]:
    assert result.cleaned is not None
    return [
        (one.file, one.rows, one.found, one.written, one.problem.what if one.problem else "")
        for one in result.cleaned
    ]


@pytest.mark.parametrize("name", FORMATS)
@given(texts=st.lists(st.sampled_from(TEXTS), min_size=1, max_size=8))
@settings(max_examples=3)
def test_a_copy_is_the_file_without_the_rows(
    tmp_path_factory: pytest.TempPathFactory, exam: Path, name: str, texts: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("clean")
    write_corpus(folder / "data", {f"in/{name}": texts})
    result = search(folder / "data", exam, clean=folder / "copy")
    rows = make_rows(texts)
    kept = [row for row in rows if row["text"] in INNOCENT]
    assert cleaned(result) == [(f"in/{name}", len(rows), len(rows) - len(kept), len(kept), "")]
    copy = folder / "copy" / "in" / name
    if name == "a.parquet":
        assert pl.read_parquet(copy).to_dicts() == kept
    elif name == "a.json":
        assert json.loads(copy.read_bytes()) == kept
    else:
        assert copy.read_bytes() == encode(kept, name)
    if kept:
        assert search(folder / "copy", exam).audit == audit(folder / "copy", [exam])
        assert audit(folder / "copy", [exam]).rows == []


LINES = {
    "a.jsonl": b'\xef\xbb\xbf {"text" : "%b"} \r\n\n\t\n{"text": "%b"}\n  "%b"  \r\n{"text":"%b"}',
    "a.csv": b'\xef\xbb\xbftext,n\r\n"%b\n",1\r\n\r\n"%b",  2\n%b,"3"\r%b,4',
    "a.tsv": b"text\tn\r\n%b\t1\n\n%b\t2 \r\n%b\t\n%b\t4",
    "a.txt": b"%b\n\n%b\r\n%b\n%b",
}


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
def test_all_other_bytes_stay(name: str, encoding: str, tmp_path: Path, exam: Path) -> None:
    texts = [INNOCENT[0], SENTENCES[0], INNOCENT[1], SENTENCES[1]]
    pattern = LINES[name].removeprefix(b"\xef\xbb\xbf") if encoding == "cp949" else LINES[name]
    whole = pattern % tuple(text.encode(encoding) for text in texts)
    write_corpus(tmp_path / "data", {})
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_bytes(whole)
    result = search(tmp_path / "data", exam, clean=tmp_path / "copy")
    rows = 5 if name == "a.txt" else 4
    assert cleaned(result) == [(name, rows, 2, rows - 2, "")]
    copy = (tmp_path / "copy" / name).read_bytes()
    # What was left out are the lines with the sentences, and nothing else.
    left = whole
    for text in (SENTENCES[0], SENTENCES[1]):
        at = left.index(text.encode(encoding))
        begin = max(left.rfind(end, 0, at) for end in (b"\n", b"\r")) + 1
        ends = [place for end in (b"\n", b"\r") if (place := left.find(end, at)) >= 0]
        stop = min(ends) + 1 if ends else len(left)
        stop += left[stop - 1 : stop + 1] == b"\r\n"
        left = left[:begin] + left[stop:]
    assert copy == left


@pytest.mark.parametrize(
    ("suffix", "pack", "unpack"),
    [
        (".gz", gzip.compress, gzip.decompress),
        (".bz2", bz2.compress, bz2.decompress),
        (".xz", lzma.compress, lzma.decompress),
        (".zst", None, None),
    ],
)
def test_a_copy_is_compressed_as_the_file_is(
    suffix: str,
    pack: Callable[[bytes], bytes] | None,
    unpack: Callable[[bytes], bytes] | None,
    tmp_path: Path,
    exam: Path,
) -> None:
    if pack is None or unpack is None:
        pyarrow = pytest.importorskip("pyarrow")

        def pack(data: bytes) -> bytes:
            return bytes(pyarrow.compress(data, "zstd", asbytes=True))

        def unpack(data: bytes) -> bytes:
            return bytes(pyarrow.CompressedInputStream(io.BytesIO(data), "zstd").read())

    (tmp_path / "data").mkdir()
    (tmp_path / "data" / f"a.jsonl{suffix}").write_bytes(pack(encode(make_rows(TEXTS), "a.jsonl")))
    search(tmp_path / "data", exam, clean=tmp_path / "copy")
    copy = unpack((tmp_path / "copy" / f"a.jsonl{suffix}").read_bytes())
    kept = [row for n, row in enumerate(make_rows(TEXTS)) if n not in FOUND]
    assert copy == encode(kept, "a.jsonl")


def test_parquet_keeps_its_schema_metadata_and_compression(tmp_path: Path, exam: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    fields = [
        pa.field("text", pa.large_string(), nullable=False, metadata={"of": "a field"}),
        pa.field("kind", pa.dictionary(pa.int16(), pa.string())),
        pa.field("at", pa.timestamp("ms", "Asia/Seoul")),
        pa.field("lists", pa.list_(pa.struct([("n", pa.int32())]))),
    ]
    schema = pa.schema(fields, metadata={"huggingface": "{}"})
    rows = [
        {"text": text, "kind": "ab"[n % 2], "at": n, "lists": [{"n": n}] * (n % 3)}
        for n, text in enumerate(TEXTS)
    ]
    table = pa.Table.from_pylist(rows, schema=schema)
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "a.parquet"
    how = {"text": "GZIP", "kind": "SNAPPY", "at": "NONE", "lists.list.element.n": "ZSTD"}
    parquet.write_table(table, path, compression=how, row_group_size=4)
    search(tmp_path / "data", exam, clean=tmp_path / "copy")
    copy = parquet.ParquetFile(tmp_path / "copy" / "a.parquet")
    assert copy.schema_arrow.equals(parquet.ParquetFile(path).schema_arrow, check_metadata=True)
    assert copy.read().equals(table.filter(pa.array([n not in FOUND for n in range(len(rows))])))

    def compressions(file: Any) -> list[str]:
        group = file.metadata.row_group(0)
        return [group.column(n).compression for n in range(group.num_columns)]

    assert compressions(copy) == compressions(parquet.ParquetFile(path))


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.tsv", "a.parquet"])
def test_a_mask_names_what_was_found_and_keeps_all_rows(
    name: str, tmp_path: Path, exam: Path
) -> None:
    texts = [*TEXTS, f"{SENTENCES[0]} {SENTENCES[1]}"]
    corpus = write_corpus(tmp_path / "data", {name: texts})
    result = search(corpus, exam, clean=tmp_path / "copy", mask="found in")
    assert cleaned(result) == [(name, len(texts), len(FOUND) + 1, len(texts), "")]
    copy = (tmp_path / "copy" / name).read_bytes()
    if name == "a.jsonl":
        rows = [json.loads(line) for line in copy.splitlines()]
    elif name == "a.parquet":
        rows = pl.read_parquet(io.BytesIO(copy)).to_dicts()
    else:
        kind = "excel" if name == "a.csv" else "excel-tab"
        rows = list(csv.DictReader(io.StringIO(copy.decode()), dialect=kind))
    given = make_rows(texts)
    assert [{key: row[key] for key in ("id", "text")} for row in rows] == given
    assert result.audit is not None
    for number, row in enumerate(rows):
        items = [f"exam/items/q{n}" for n, one in enumerate(SENTENCES) if one in texts[number]]
        if texts[number] == TEXTS[-1]:  # one word is another
            items = ["exam/items/q5"]
        listed = row["found in"]
        assert (listed.split("; ") if isinstance(listed, str) and listed else listed or []) == items


def test_a_masked_object_may_be_empty_and_keeps_its_line_end(tmp_path: Path, exam: Path) -> None:
    (tmp_path / "data").mkdir()
    data = f'\ufeff{{ }}\r\n\n{{"a": "{SENTENCES[0]}"  }} \n'.encode()
    (tmp_path / "data" / "a.jsonl").write_bytes(data)
    search(tmp_path / "data", exam, clean=tmp_path / "copy", mask="x")
    expected = f'\ufeff{{"x": []}}\r\n\n{{"a": "{SENTENCES[0]}", "x": ["exam/items/q0"]}} \n'
    assert (tmp_path / "copy" / "a.jsonl").read_bytes() == expected.encode()


def test_only_rows_of_compromised_items_on_request(tmp_path: Path) -> None:
    from tests.support.exams import small_catalog

    cards = small_catalog(tmp_path / "cards")
    write_corpus(tmp_path / "data", {"a.jsonl": [SENTENCES[2], *INNOCENT, SENTENCES[5]]})
    arguments: list[str | Path] = [
        "audit",
        tmp_path / "data",
        "--catalog-only",
        cards,
        "--data-dir",
        cards / "data",
    ]
    done = invoke(*arguments, "--clean", tmp_path / "copy", "--clean-by", "compromised", "-q")
    assert done.code == 0
    assert "1 file, 5 rows - 1 removed = 4 rows" in done.out
    kept = pl.read_ndjson(tmp_path / "copy" / "a.jsonl")["text"].to_list()
    assert kept == [SENTENCES[2], *INNOCENT]  # one side of a pair


@pytest.mark.parametrize(
    ("name", "data", "mask", "reason"),
    [
        ("a.json", b'{"data": [{"text": "%b"}]}', None, "not the elements of one array"),
        ("a.csv", "%b\n", "x", "is in UTF-16"),
        ("a.json", '[{"text": "%b"}]', None, "is in UTF-16"),
        ("a.json", b'[{"text": "%b"}]', "x", "no column can be added"),
        ("a.txt", b"%b\n", "x", "no column can be added"),
        ("a.jsonl", b'"%b"\n', "x", "row 0 is not an object"),
        ("a.jsonl", b'{"text": "%b", "x": 1}\n', "x", "already has a column 'x'"),
        ("a.csv", b"text,x\n%b,1\n", "x", "already has a column 'x'"),
        ("a.csv", b'text,n\n%b,"1" 2\nabc,3\n', "x", "misplaced quotes"),
        (
            "a.tsv",
            b"text\tn\na\t1\n%b\t1\t2\t3\n",
            "x",
            "row 1 has 4 cells, but there are 2 columns",
        ),
    ],
)
def test_what_cannot_be_copied_is_named_and_not_there(
    name: str, data: bytes | str, mask: str | None, reason: str, tmp_path: Path, exam: Path
) -> None:
    text = SENTENCES[0]
    whole = (
        data.replace("%b", text).encode("utf-16") if isinstance(data, str) else data % text.encode()
    )
    write_corpus(tmp_path / "data", {"good.jsonl": TEXTS})
    (tmp_path / "data" / name).write_bytes(whole)
    write_corpus(tmp_path / "copy", {name: ["of an earlier run"]})
    extra = ["--mask", mask] if mask else []
    arguments: list[str | Path] = [
        "audit",
        tmp_path / "data",
        "--against",
        exam,
        "--clean",
        tmp_path / "copy",
    ]
    done = invoke(*arguments, *extra, "-q")
    assert done.code == 1
    assert reason in done.err
    assert "1 file could not be copied" in done.err
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["good.jsonl"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.tsv", "a.txt"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_copy_in_utf_16_has_the_bytes_of_all_other_rows(
    name: str, encoding: str, tmp_path: Path, exam: Path
) -> None:
    def encoded(rows: list[dict[str, Any]]) -> bytes:
        text = encode(rows, name).decode().replace("\n", "\r\n")
        return f"\ufeff{text}".encode(encoding)

    rows = make_rows([*TEXTS[:-1], "말끝\U0001f600", TEXTS[-1]])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_bytes(encoded(rows))
    ((_, read, found, written, problem),) = cleaned(
        search(tmp_path / "data", exam, clean=tmp_path / "copy")
    )
    assert (read, found, written, problem) == (len(rows), len(FOUND), len(rows) - len(FOUND), "")
    kept = [row for row in rows if row["text"] in INNOCENT or "말끝" in row["text"]]
    assert (tmp_path / "copy" / name).read_bytes() == encoded(kept)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
def test_a_file_in_utf_16_that_is_cut_off_is_named(name: str, tmp_path: Path, exam: Path) -> None:
    text = encode(make_rows(TEXTS), name).decode()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_bytes(text.encode("utf-16") + b"x")
    ((*_, problem),) = cleaned(search(tmp_path / "data", exam, clean=tmp_path / "copy"))
    assert "ends within a character" in problem
    assert not (tmp_path / "copy" / name).exists()


@pytest.mark.parametrize("kind", ["file", "stream"])
@pytest.mark.parametrize("mask", [None, "found"])
def test_arrow_keeps_its_schema_metadata_and_kind(
    kind: str, mask: str | None, tmp_path: Path, exam: Path
) -> None:
    pa = pytest.importorskip("pyarrow")
    fields = [
        pa.field("text", pa.string(), nullable=False, metadata={"of": "a field"}),
        pa.field("kind", pa.dictionary(pa.int16(), pa.string())),
        pa.field("n", pa.uint8()),
    ]
    schema = pa.schema(fields, metadata={"huggingface": "{}"})
    rows = [{"text": text, "kind": "ab"[n % 2], "n": n} for n, text in enumerate(TEXTS)]
    table = pa.Table.from_pylist(rows, schema=schema)
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "a.arrow"
    with (pa.ipc.new_file if kind == "file" else pa.ipc.new_stream)(str(path), schema) as writer:
        writer.write_table(table, max_chunksize=3)
    ((_, read, found, _, problem),) = cleaned(
        search(tmp_path / "data", exam, clean=tmp_path / "copy", mask=mask)
    )
    assert (read, found, problem) == (len(TEXTS), len(FOUND), "")
    data = (tmp_path / "copy" / "a.arrow").read_bytes()
    copy = (pa.ipc.open_file if kind == "file" else pa.ipc.open_stream)(data).read_all()
    if mask is None:
        assert copy.schema.equals(schema, check_metadata=True)
        kept = table.filter(pa.array([n not in FOUND for n in range(len(TEXTS))]))
        assert copy.to_pylist() == kept.to_pylist()
    else:
        assert copy.drop_columns(["found"]).schema.equals(schema, check_metadata=True)
        assert copy.drop_columns(["found"]).equals(table)
        assert [n for n, names in enumerate(copy["found"].to_pylist()) if names] == FOUND


def test_an_archive_is_not_copied(tmp_path: Path, exam: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", SENTENCES[0])
    (one,) = cleaned(search(tmp_path / "a.zip", exam, clean=tmp_path / "copy"))
    assert one == ("a.zip", 1, 1, 0, "is an archive, which is not copied without rows")


def test_a_file_that_changed_since_it_was_searched_is_not_copied(
    tmp_path: Path, exam: Path
) -> None:
    corpus = write_corpus(tmp_path / "data", {"a.jsonl": TEXTS})

    def change(what: str, _done: int, _total: int) -> None:
        if what == "files read":
            (corpus / "a.jsonl").write_bytes(encode(make_rows(TEXTS[1:]), "a.jsonl"))

    (one,) = cleaned(search(corpus, exam, clean=tmp_path / "copy", on_progress=change))
    assert one[-1].startswith("has 10 rows, of which")
    assert not (tmp_path / "copy" / "a.jsonl").exists()


def test_copies_never_touch_the_dataset_or_files_of_others(tmp_path: Path, exam: Path) -> None:
    corpus = write_corpus(tmp_path / "data", {"a.jsonl": TEXTS})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    for folder, message in (
        (corpus, "which is read"),
        (corpus / "clean", "which is read"),
        (tmp_path / "mine", "holds thesis.txt"),
    ):
        with pytest.raises(OutputError, match=message):
            search(corpus, exam, clean=folder)
    with pytest.raises(OutputError, match="would replace it"):
        search(corpus / "a.jsonl", exam, clean=corpus)
    with pytest.raises(ArgumentError, match="needs `clean`"):
        search(corpus, exam, mask="x")
    assert (corpus / "a.jsonl").read_bytes() == encode(make_rows(TEXTS), "a.jsonl")


def test_a_copy_whose_processes_were_killed_is_named(
    tmp_path: Path, exam: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = write_corpus(tmp_path / "data", {f"{n}.jsonl": TEXTS[n:] for n in range(3)})

    def run_tasks(tasks: list[Any], jobs: int, make: Any, _on_amount: object) -> Iterator[Any]:
        """All tasks are done here, and the last of them is killed."""
        assert jobs == 2
        yield from ((task, make()(task, lambda _done: None)) for task in tasks[:-1])
        yield tasks[-1], Killed("SIGKILL")

    monkeypatch.setattr("kit19.auditing.clean.run_tasks", run_tasks)
    monkeypatch.setattr("kit19.auditing.engine.run_tasks", run_tasks)
    copy = tmp_path / "copy"
    first, second, third = cleaned(search(corpus, exam, clean=copy, jobs=2))
    killed = "SIGKILL ended"
    assert third[0] == "2.jsonl"  # the smallest file is searched last
    assert killed in third[-1]
    assert (first[-1], killed in second[-1]) == ("", True)
    assert [path.name for path in copy.iterdir()] == ["0.jsonl"]


def test_shares_of_copies_are_the_copies(tmp_path: Path, exam: Path) -> None:
    corpus = write_corpus(tmp_path / "data", {f"{n}.jsonl": TEXTS[n:] for n in range(5)})
    whole = search(corpus, exam, tmp_path / "out", clean=tmp_path / "whole", span=300)
    merge: list[str | Path] = [
        "audit",
        "--merge",
        tmp_path / "out",
        "--clean",
        tmp_path / "shares",
        "-q",
    ]
    before = (tmp_path / "out" / "audit.json").stat().st_mtime_ns
    for share in ("3/3", "1/3", "2/3"):
        assert invoke(*merge, "--shard", share).code == 0
    assert (tmp_path / "out" / "audit.json").stat().st_mtime_ns == before
    one, other = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("whole", "shares")
    )
    assert one == other
    assert len(one) == 5
    total = merge_audit(tmp_path / "out", clean=tmp_path / "shares")
    assert total.cleaned == whole.cleaned
