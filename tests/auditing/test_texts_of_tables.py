"""Texts found column by column are those that are found row by row, in the same order."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit19.reading.cells import texts_in
from kit19.reading.json_lines import json_lines
from kit19.reading.texts import read_texts

TEXTS = st.one_of(
    st.sampled_from(
        [
            *("", "네", "한국어로 된 문장을 하나 썼다.", "또 하나의 긴 문장이 여기에 있다."),
            *(
                '{"a": "안쪽"}',
                ' ["x", {"b": "y"}] ',
                '"따옴표"로 시작한다',
                '"인용"',
                "[속보] 오늘",
            ),
            *("\\ud55c\\uae00", "\\u0041", '[{"c": "\\\\ud83d"}]', "\ufeff[1]", "\u3000{}", "[\n]"),
        ]
    ),
    st.text(max_size=5),
)
NULLABLE = st.none() | TEXTS
SENTENCES = st.none() | st.lists(NULLABLE, max_size=4)
TURN = st.fixed_dictionaries({"role": NULLABLE, "content": NULLABLE, "tags": SENTENCES})
ROW = st.fixed_dictionaries(
    {
        "text": NULLABLE,
        "n": st.none() | st.integers(0, 9),
        "lines": SENTENCES,
        "messages": st.none() | st.lists(st.none() | TURN, max_size=3),
        "meta": st.none() | st.fixed_dictionaries({"title": NULLABLE, "deep": SENTENCES}),
        "grid": st.none() | st.lists(SENTENCES, max_size=3),
        "last": NULLABLE,
    }
)
SENTENCE_LIST = pl.List(pl.String)
SCHEMA = pl.Schema(
    {
        "text": pl.String(),
        "n": pl.Int64(),
        "lines": SENTENCE_LIST,
        "messages": pl.List(
            pl.Struct({"role": pl.String, "content": pl.String, "tags": SENTENCE_LIST})
        ),
        "meta": pl.Struct({"title": pl.String, "deep": SENTENCE_LIST}),
        "grid": pl.List(SENTENCE_LIST),
        "last": pl.String(),
    }
)
Texts = list[tuple[int, str, str]]


def row_by_row(rows: Iterable[Any]) -> Texts:
    return [
        (row, name, text.encode("utf-8", "replace").decode())
        for row, value in enumerate(rows)
        for name, text in texts_in(value, lambda _: None)
    ]


def found(path: Path) -> Texts:
    return [text for _, batch in read_texts(path) for text in batch.iter_rows()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@settings(max_examples=150, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=8), st.booleans())
def test_texts_of_json_lines(folder: Path, rows: list[dict[str, Any]], absent: bool) -> None:
    if absent:
        rows = [{key: one for key, one in row.items() if one is not None} for row in rows]
    data = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(data)
    values = [value for _, value in json_lines(io.BytesIO(data.encode()), "utf-8")]
    assert found(folder / "rows.jsonl") == row_by_row(values)


@settings(max_examples=100, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=8))
def test_texts_of_parquet(folder: Path, rows: list[dict[str, Any]]) -> None:
    frame = pl.DataFrame(rows, schema=SCHEMA)
    frame.write_parquet(folder / "rows.parquet")
    assert found(folder / "rows.parquet") == row_by_row(frame.iter_rows(named=True))


AS_STORED: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "categories": lambda frame: frame.with_columns(pl.col("text").cast(pl.Categorical)),
    "enumeration": lambda frame: frame.with_columns(pl.col("text").cast(pl.Enum(["가", "나"]))),
    "list of categories": lambda frame: frame.with_columns(
        pl.concat_list("text", "text").cast(pl.List(pl.Categorical))
    ),
    "array": lambda frame: frame.select(pl.concat_list("text", "text").list.to_array(2)),
    "bytes": lambda frame: frame.with_columns(pl.col("text").cast(pl.Binary)),
    "key that is text": lambda frame: frame.rename({"text": "이것은 무엇인가 하는 질문"}),
}


@pytest.mark.parametrize("stored", AS_STORED)
@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_text_is_found_however_it_is_stored(stored: str, suffix: str, tmp_path: Path) -> None:
    frame = AS_STORED[stored](pl.DataFrame({"text": ["가", None, "나", "가"], "n": [1, 2, 3, 4]}))
    path = tmp_path / f"rows.{suffix}"
    frame.write_parquet(path) if suffix == "parquet" else frame.write_ipc(path)
    assert found(path) == row_by_row(frame.iter_rows(named=True))


def test_content_decides_over_the_name(tmp_path: Path) -> None:
    frame = pl.DataFrame({"text": ["가", "나"]})
    frame.write_parquet(tmp_path / "rows.jsonl")
    frame.write_ipc(tmp_path / "rows.json")
    expected = [(0, "text", "가"), (1, "text", "나")]
    assert found(tmp_path / "rows.jsonl") == found(tmp_path / "rows.json") == expected


def test_a_pattern_is_read_only_where_no_file_has_this_name(tmp_path: Path) -> None:
    for name, text in (("1", "가"), ("2", "나"), ("other", "다")):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": text}), "utf-8")
    pattern = tmp_path / "[12].jsonl"
    assert found(pattern) == [(0, "text", "가"), (1, "text", "나")]
    pattern.write_text(json.dumps({"text": "라"}), "utf-8")
    assert found(pattern) == [(0, "text", "라")]
