"""Small corpora of many files in every format, and audits of them against an exam of one's own."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit19.auditing import FilesAudit, audit_files
from kit19.core.errors import OutputError
from tests.support.exams import INNOCENT, SENTENCES, write_jsonl

MERGED = ("audit.json", "hits.parquet", "report.html")
TEXTS = [*INNOCENT, *SENTENCES, f"{INNOCENT[0]} {SENTENCES[2]}", SENTENCES[5].replace("토기", "컵")]

Row = dict[str, Any]


def write_exam(path: Path) -> Path:
    """Write a benchmark of one's own with all the sentences."""
    return write_jsonl(path, [{"id": f"q{n}", "text": text} for n, text in enumerate(SENTENCES)])


def make_rows(texts: Sequence[str], first: int = 0) -> list[Row]:
    return [{"id": f"d{first + n}", "text": text} for n, text in enumerate(texts)]


def encode(rows: Sequence[Row], name: str) -> bytes:
    """The bytes of a file with rows, in the format that its name says."""
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    if name.endswith(".jsonl"):
        return lines
    if name.endswith(".jsonl.gz"):
        return gzip.compress(lines, mtime=0)
    if name.endswith(".json"):
        return json.dumps(list(rows), ensure_ascii=False, indent=1).encode()
    if name.endswith(".parquet"):
        stream = io.BytesIO()
        schema = {"id": pl.String, "text": pl.String}
        pl.DataFrame(list(rows), schema=schema).write_parquet(stream, row_group_size=2)
        return stream.getvalue()
    if name.endswith(".txt"):
        return "".join(f"{row['text']}\n" for row in rows).encode()
    text = io.StringIO()
    if name.endswith(".csv"):
        writer = csv.DictWriter(text, ["id", "text"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        text.write("id\ttext\n" + "".join(f"{row['id']}\t{row['text']}\n" for row in rows))
    return text.getvalue().encode()


def write_corpus(folder: Path, files: dict[str, list[str]]) -> Path:
    """Write files of texts; a document's id counts over all of them."""
    count = 0
    for name, texts in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(make_rows(texts, count), name))
        count += len(texts)
    return folder


def search(corpus: Path, exam: Path, out: Path | None = None, **options: Any) -> FilesAudit:
    return audit_files(corpus, out, against=[exam], **options)


def merged_bytes(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in MERGED}


@contextmanager
def plain_pages() -> Iterator[None]:
    """Pages without embedded glyphs, as without the extra ``report``: drawing them takes longest."""

    def refuse(_page: str) -> str:
        raise OutputError("not here")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kit19.auditing.folder.font_face", refuse)
        yield
