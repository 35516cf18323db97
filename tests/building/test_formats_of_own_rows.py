"""Tests of users' files in every format and encoding, for builds and training."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit19 import build
from kit19.core.errors import Kit19Error, ReadError, TrainError
from kit19.training.rows.files import load_file_rows
from tests.support.samples import dropped_of

ROWS = [
    {"instruction": "가나다를 거꾸로", "output": "다나가"},
    {"instruction": "하늘의 색은", "output": "파랑", "input": "맑은 날"},
]


def lines(rows: list[Any] = ROWS, *, mark: bool = False) -> str:
    begin = "\ufeff" if mark else ""
    return "".join(f"{begin}{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


def array(indent: int | None = None) -> str:
    return json.dumps(ROWS, ensure_ascii=False, indent=indent)


FILES: dict[str, Callable[[], bytes]] = {
    "lines.jsonl": lambda: lines().encode(),
    "bom.jsonl": lambda: lines(mark=True).encode(),
    "cp949.jsonl": lambda: lines().encode("cp949"),
    "utf16.jsonl": lambda: lines().encode("utf-16"),
    "array.json": lambda: array(1).encode(),
    "array.jsonl": lambda: array(1).encode(),
    "one_line.jsonl": lambda: array().encode(),
    "cp949.json": lambda: array().encode("cp949"),
    "utf16.json": lambda: array(2).encode("utf-16"),
    "lines.json": lambda: lines().encode(),
    "data.json": lambda: json.dumps({"version": "1", "data": ROWS}).encode(),
    "lines.jsonl.gz": lambda: gzip.compress(lines().encode()),
    "array.json.bz2": lambda: bz2.compress(array().encode()),
    "cp949.jsonl.xz": lambda: lzma.compress(lines().encode("cp949")),
}


def built(path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Build only this file; return its rows and the dropped records."""
    recipe = path.parent / "mine.yaml"
    recipe.write_text(
        "id: mine\ntitle: Mine\ndata: sample\ndecontaminate: false\nextra:\n"
        f"  - {{name: mine_rows, path: '{path.name}', license: CC-BY-4.0}}\n",
        "utf-8",
    )
    build(str(recipe), path.parent / "out")
    (data,) = (path.parent / "out" / "data").iterdir()
    return pl.read_parquet(data).sort("id"), dropped_of(path.parent / "out")


def trained_on(path: Path) -> pl.DataFrame:
    return pl.concat(load_file_rows(path, 0, 0).train.batches())


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_rows(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name]())
    expected = [(row["instruction"], row.get("input", ""), row["output"]) for row in ROWS]
    rows, dropped = built(path)
    assert rows.select("instruction", "input", "output").rows() == expected
    assert dropped.is_empty()
    assert trained_on(path).select("instruction", "input", "output").rows() == expected


@pytest.mark.parametrize("write", ["write_parquet", "write_ipc", "write_ipc_stream"])
def test_tables_give_the_same_rows_with_any_columns_of_times(write: str, tmp_path: Path) -> None:
    path = tmp_path / ("a.parquet" if write == "write_parquet" else "a.arrow")
    frame = pl.DataFrame({**{k: [v] for k, v in ROWS[1].items()}, "at": [1]})
    getattr(frame.with_columns(pl.col("at").cast(pl.Datetime("us", "Asia/Seoul"))), write)(path)
    assert built(path)[0]["output"].to_list() == ["파랑"]
    assert trained_on(path)["output"].to_list() == ["파랑"]


def test_an_unknown_time_zone_stops_nothing(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    times = pa.array([1], pa.timestamp("us", tz="Mars/Phobos"))
    table = pa.table({**{k: [v] for k, v in ROWS[1].items()}, "at": times})
    pq.write_table(table, tmp_path / "a.parquet")
    assert built(tmp_path / "a.parquet")[0]["output"].to_list() == ["파랑"]
    assert trained_on(tmp_path / "a.parquet")["output"].to_list() == ["파랑"]


DIGITS = "9" * 4301
BAD: dict[str, tuple[bytes, str]] = {
    "two values": (b'{"instruction": "a", "output": "b", "output": "c"}', "output"),
    "bytes": (b'{"instruction": "a", "output": "\xff\xfe"}', "JSON|text"),
    "half a character": (b'{"instruction": "a", "output": "\\ud83d"}', "not text"),
    "many digits": (f'{{"instruction": "a", "output": {DIGITS}}}'.encode(), "is not text"),
    "an array deep": (b'{"instruction": "a", "output": ' + b"[" * 190 + b"]" * 190 + b"}", "text"),
    "objects deep": (
        b'{"instruction": "a", "output": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}",
        "is not text|nested|recursion",
    ),
    "turns deep": (
        b'{"messages": [{"role": ' + b"[" * 900 + b"]" * 900 + b"}]}",
        "unknown or no role|nested|recursion",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_an_invalid_row_is_reported(case: str, tmp_path: Path) -> None:
    line, said = BAD[case]
    path = tmp_path / "my.jsonl"
    # Enough intact rows that a broken byte does not change the detected encoding.
    path.write_bytes(lines().encode() + line + b"\n" + lines().encode())
    _, dropped = built(path)
    evidence = dropped.filter(reason="malformed")["evidence"].to_list()
    assert len(evidence) == 1
    assert "my.jsonl:3: " in evidence[0]
    import re

    assert re.search(said, evidence[0])
    data = load_file_rows(path, 0, 0)
    assert data.malformed.first
    assert (data.malformed.total, data.malformed.first.place) == (1, f"{path}:3")
    assert trained_on(path).height == 4


def test_what_is_read_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that unpacks to too much data; the test lowers the limits instead of filling a disk."""
    from kit19.reading import opening

    monkeypatch.setattr(opening, "_MIN_UNPACKED_LIMIT", 1 << 20)
    text = '{"instruction": "a", "output": "b"}\n' * 200_000
    path = tmp_path / "bomb.jsonl.gz"
    path.write_bytes(gzip.compress(text.encode()))
    assert path.stat().st_size * 256 < len(text)
    for read in (built, trained_on):
        with pytest.raises(Kit19Error, match=r"bomb.jsonl.gz: unpacks to more than"):
            read(path)


@pytest.mark.parametrize("reader", ["build", "train"])
def test_a_line_without_end_is_refused(
    reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kit19.reading import chunks

    monkeypatch.setattr(chunks, "LONGEST", 1000)
    path = tmp_path / "my.jsonl"
    path.write_text(lines() + json.dumps({"instruction": "a" * 2000, "output": "b"}), "utf-8")
    if reader == "train":
        assert "my.jsonl:3: is longer than" in load_file_rows(path, 0, 0).malformed.summary()
        return
    _, dropped = built(path)
    assert "my.jsonl:3: is longer than" in dropped["evidence"].to_list()[0]


def test_files_of_other_kinds_are_an_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "bytes.jsonl").write_bytes(b"\x80\0\1")
    with pytest.raises(ReadError, match="is not text"):
        built(tmp_path / "bytes.jsonl")
    with pytest.raises(TrainError, match="is not text"):
        trained_on(tmp_path / "bytes.jsonl")
    for name, said in (
        ("pipe.jsonl", "pipe, socket or device"),
        ("n" * 300, "there is no such file"),
        ("nul\0", "there is no such file"),
    ):
        with pytest.raises(TrainError, match=said):
            trained_on(tmp_path / name)
