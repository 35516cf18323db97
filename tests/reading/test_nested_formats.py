"""Nested JSON, JSON lines and parquet: the same rows give the same records, whatever the file."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19.core.errors import FilesError, ReadError
from kit19.fetching import Use, select_files
from kit19.reading import read_table
from tests.support.nested import quiz, read_quiz
from tests.support.reading import complaints, present_files, put, texts

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
ANSWERS = st.lists(st.fixed_dictionaries({"text": TEXT | st.none(), "start": st.integers(0, 9)}))
QUESTION = st.fixed_dictionaries(
    {
        "question": TEXT,
        "answers": ANSWERS | st.none(),
        "facts": st.fixed_dictionaries({"year": st.integers(0, 3000) | st.none()}) | st.none(),
        "label": st.integers(0, 3) | st.none(),
        "topics": st.lists(st.integers(0, 2) | st.none(), max_size=3) | st.none(),
        "score": st.floats(allow_nan=False, allow_infinity=False) | st.none(),
        "sure": st.booleans() | st.none(),
    }
)
ARTICLE = st.fixed_dictionaries({"title": TEXT, "qas": st.lists(QUESTION, max_size=4)})
SCHEMA = {
    "title": pl.String,
    "question": pl.String,
    "answers": pl.List(pl.Struct({"text": pl.String, "start": pl.Int64})),
    "facts": pl.Struct({"year": pl.Int64}),
    "label": pl.Int64,
    "topics": pl.List(pl.Int32),
    "score": pl.Float64,
    "sure": pl.Boolean,
}
COLUMNS = {
    "question": "question",
    "answer": "answers[0].text",
    "answers": {"from": "answers[].text", "join": " / "},
    "second": "answers[1].start",
    "year": "facts.year",
    "label": {"from": "label", "values": {"0": "no", "1": "yes", "2": "maybe"}},
    "topics": {"from": "topics[]", "values": {"0": "sports", "1": "politics"}, "missing": ["2"]},
    "score": "score",
    "sure": {"from": "sure", "values": {"true": "certain", "false": "doubtful"}},
}
FLAT: dict[str, Any] = {**COLUMNS, "title": "title"}
NESTED: dict[str, Any] = {**COLUMNS, "title": "data[].title"}


def as_json(rows: Any) -> bytes:
    return json.dumps(rows, ensure_ascii=False).encode()


def as_lines(rows: list[Any]) -> bytes:
    return b"".join(as_json(row) + b"\n" for row in rows)


def as_parquet(rows: list[Any], schema: Any = None) -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(buffer)
    return buffer.getvalue()


def outcome(read: dict[str, Any], columns: dict[str, Any], data: bytes) -> tuple[Any, Any]:
    """All records, and number and reason of all others; or why the file is refused."""
    with tempfile.TemporaryDirectory() as folder:
        put(Path(folder), "quiz/rows", data)
        try:
            records = read_quiz(quiz(read, columns, "rows"), Path(folder))
        except ReadError as error:
            return "refused", error.problems[0].what.rpartition(": ")[2]
        reasons = [(bad.id, bad.why.rpartition("]: ")[2]) for bad in records.bad]
        return texts(records, *FLAT), sorted(reasons)


@given(st.lists(ARTICLE, max_size=4))
def test_the_same_rows_in_every_format_give_the_same_records(articles: list[Any]) -> None:
    rows = [{"title": one["title"], **row} for one in articles for row in one["qas"]]
    nested = as_json({"version": 1, "data": articles})
    nested_read = {"format": "json", "path": "data[].qas[]"}
    expected = outcome({"format": "parquet"}, FLAT, as_parquet(rows, SCHEMA))
    assert outcome({"format": "json"}, FLAT, as_json(rows)) == expected
    assert outcome(nested_read, NESTED, nested) == expected
    if rows:  # a file of lines without a line is empty, not a file without rows
        assert outcome({"format": "jsonl"}, FLAT, as_lines(rows)) == expected
        lines = {"format": "jsonl", "path": "qas[]"}
        columns = {**COLUMNS, "title": "$.title"}
        assert outcome(lines, columns, as_lines(articles)) == expected


def test_labels_lists_and_numbers_become_what_the_card_says(tmp_path: Path) -> None:
    rows = [
        {"question": "가", "answers": [{"text": "하나"}, {"text": "둘"}], "label": 1, "t": [0, 1]},
        {"question": "나", "answers": [], "label": 0, "t": []},
        {"question": "다", "answers": None, "label": None, "t": None},
        {"question": "라", "answers": [{"text": None}], "label": 7, "t": [1]},
        {"question": "마", "answers": None, "label": 1, "t": [1, 5, 6]},
    ]
    put(tmp_path, "quiz/train.parquet", as_parquet(rows))
    columns = {
        "question": "question",
        "answer": "answers[0].text",
        "all": {"from": "answers[].text", "join": "\n"},
        "label": {"from": "label", "values": {"0": "no", "1": "yes"}},
        "topics": {"from": "t[]", "values": {"0": "sports", "1": "politics"}},
    }
    source = quiz({"format": "parquet"}, columns, "train.parquet")
    records = read_quiz(source, tmp_path)
    assert texts(records, *columns) == {
        "quiz/train/0": ("가", "하나", "하나\n둘", "yes", "sports,politics"),
        "quiz/train/1": ("나", None, None, "no", None),
        "quiz/train/2": ("다", None, None, None, None),
    }
    assert [(bad.id, bad.line, bad.why) for bad in records.bad] == [
        ("quiz/train/train:3", 0, "label: unknown value '7'"),
        ("quiz/train/train:4", 0, "topics: unknown value '5, 6'"),
    ]
    assert source.multi_valued_fields(source.subsets["quiz"]) == {"topics"}


def test_parquet_types_that_other_writers_use_are_text(tmp_path: Path) -> None:
    frame = pl.DataFrame({"question": ["가", "나"], "kind": ["x", "y"], "n": [0.1, 1e-5]})
    frame = frame.with_columns(
        pl.col("kind").cast(pl.Categorical),
        pl.col("n").cast(pl.Float32),
        pair=pl.Series([["a", "b"], ["c", "d"]], dtype=pl.Array(pl.String, 2)),
        day=pl.date(2024, 2, 29),
        nothing=pl.lit(None),
    )
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    put(tmp_path, "quiz/a", buffer.getvalue())
    columns = {
        "question": "question",
        "kind": "kind",
        "n": "n",
        "day": "day",
        "nothing": "nothing",
        "second": "pair[1]",
        "both": {"from": "pair[]", "join": "+"},
    }
    assert texts(read_quiz(quiz({"format": "parquet"}, columns, "a"), tmp_path), *columns) == {
        "quiz/train/0": ("가", "x", "0.1", "2024-02-29", None, "b", "a+b"),
        "quiz/train/1": ("나", "y", "1e-05", "2024-02-29", None, "d", "c+d"),
    }


@pytest.mark.parametrize("name", ["rows.json", "rows.parquet"])
def test_a_key_that_has_dots_in_it_comes_before_the_path(name: str, tmp_path: Path) -> None:
    rows = [{"a.b": "점", "a": {"b": "길", "c": "끝"}}]
    read = {"format": name.partition(".")[2]}
    put(tmp_path, f"quiz/{name}", as_json(rows) if read["format"] == "json" else as_parquet(rows))
    records = read_quiz(quiz(read, {"dots": "a.b", "path": "a.c"}, name), tmp_path)
    assert texts(records, "dots", "path") == {"quiz/train/0": ("점", "끝")}


def test_shards_are_one_split_and_their_rows_are_numbered_in_each(tmp_path: Path) -> None:
    for n, words in enumerate((["가", "나"], ["다"])):
        rows = [{"question": word} for word in words]
        put(tmp_path, f"quiz/data/train-0000{n}-of-00002.parquet", as_parquet(rows))
    source = quiz({"format": "parquet"}, {"question": "question"}, "data/train-*-of-00002.parquet")
    assert texts(read_quiz(source, tmp_path), "question") == {
        "quiz/train/train-00000-of-00002:0": ("가",),
        "quiz/train/train-00000-of-00002:1": ("나",),
        "quiz/train/train-00001-of-00002:0": ("다",),
    }


def test_a_shard_that_is_not_there_is_missing(tmp_path: Path) -> None:
    put(tmp_path, "quiz/train-00000-of-00002.parquet", as_parquet([{"question": "가"}]))
    source = quiz({"format": "parquet"}, {"question": "question"}, "train-*-of-00002.parquet")
    with pytest.raises(FilesError, match=r"train-00001-of-00002\.parquet: is missing"):
        select_files([Use("quiz", source, ["rows"], ["train"])], tmp_path)


def test_a_bad_row_deep_in_a_document_is_named_by_its_path(tmp_path: Path) -> None:
    good = {"id": "1", "question": "가", "label": 0}
    document = [
        {"paragraphs": [{"qas": [good, {"id": "2", "label": 0}]}]},
        {"title": "없음"},
        {"paragraphs": [{"qas": [{**good, "id": "3", "label": 9}, 7, good]}, {"qas": "나"}]},
    ]
    put(tmp_path, "quiz/dev.json", as_json({"data": document}))
    columns = {"question": "question", "label": {"from": "label", "values": {"0": "no"}}}
    read = {"format": "json", "path": "data[].paragraphs[].qas[]"}
    records = read_quiz(quiz(read, columns, "dev.json", key="id"), tmp_path)
    assert list(texts(records, "question")) == ["quiz/train/1"]
    assert sorted(complaints(records)) == [
        ("quiz/dev.json", 0, "data[0].paragraphs[0].qas[1]: has no key 'question'"),
        ("quiz/dev.json", 0, "data[1]: has no key 'paragraphs'; it has 'title'"),
        ("quiz/dev.json", 0, "data[2].paragraphs[0].qas[0]: label: unknown value '9'"),
        ("quiz/dev.json", 0, "data[2].paragraphs[0].qas[1]: is not an object"),
        (
            *("quiz/dev.json", 0),
            "data[2].paragraphs[0].qas[2]: has the key of an earlier row: quiz/train/1",
        ),
        ("quiz/dev.json", 0, "data[2].paragraphs[1].qas: is not an array of objects"),
    ]
    assert records.read == records.upstream_rows == 7


@pytest.mark.parametrize(
    ("path", "what", "fix"),
    [
        ("data[].paragraph[]", "data[0]: has no key 'paragraph'; it has 'title', 'paragraphs'", ""),
        ("date[]", "has no key 'date'; it has 'version', 'data'", ""),
        ("data[].title[]", "data[0].title: is not an array of objects", ""),
        ("", "is not an array of objects; it has 'version', 'data'", "give the card's `read` a"),
    ],
)
def test_a_wrong_path_of_a_card_is_one_message_with_what_is_there(
    path: str, what: str, fix: str, tmp_path: Path
) -> None:
    document = {"version": 1, "data": [{"title": "가", "paragraphs": []}, {"title": "나"}]}
    put(tmp_path, "quiz/dev.json", as_json(document))
    with pytest.raises(ReadError) as error:
        read_quiz(quiz({"format": "json", "path": path}, {"q": "q"}, "dev.json"), tmp_path)
    [problem] = error.value.problems
    assert (problem.what, problem.where) == (what, str(tmp_path / "quiz/dev.json"))
    assert problem.fix.startswith(fix or f"the card's path is {path}")


@pytest.mark.parametrize(
    ("column", "what", "fix"),
    [
        ("nope", "has no column 'nope'", "it has 'question', 'answers'"),
        ("answers.txet[0]", "has no column 'answers.txet[0]': no 'txet' in it", "it has 'text'"),
        ("answers", "column 'answers' holds no text, but Struct({'text': List(String)})", "name a"),
        ("answers.text", "column 'answers.text' holds no text, but List(String)", "name a key"),
        ("question[0]", "has no list at 'question[0]'", "there is String"),
    ],
)
def test_a_column_that_a_parquet_file_lacks_is_one_message_with_what_is_there(
    column: str, what: str, fix: str, tmp_path: Path
) -> None:
    put(tmp_path, "quiz/a", as_parquet([{"question": "가", "answers": {"text": ["나"]}}]))
    with pytest.raises(ReadError) as error:
        read_quiz(quiz({"format": "parquet"}, {"q": column}, "a"), tmp_path)
    [problem] = error.value.problems
    assert (problem.what, problem.where) == (what, str(tmp_path / "quiz/a"))
    assert problem.fix.startswith(fix)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"question\n", as_parquet([{"q": "a"}])[:-9]])
def test_a_parquet_file_that_is_damaged_is_refused(data: bytes, tmp_path: Path) -> None:
    put(tmp_path, "quiz/a", data)
    with pytest.raises(ReadError, match=r"quiz/a: is not a readable parquet file"):
        read_quiz(quiz({"format": "parquet"}, {"q": "q"}, "a"), tmp_path)


def test_a_parquet_file_is_read_in_the_archive_that_upstream_ships(tmp_path: Path) -> None:
    data = as_parquet([{"question": "가"}])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as bundle:
        bundle.writestr("quiz/train.parquet", data)
    put(tmp_path, "quiz/quiz.zip", packed.getvalue())
    source = quiz({"format": "parquet"}, {"question": "question"}, "train.parquet")
    card = source.model_dump(by_alias=True)
    card["tables"]["rows"]["files"]["train"][0]["archive"] = {
        "path": "quiz.zip",
        "member": "quiz/train.parquet",
        "sha256": hashlib.sha256(packed.getvalue()).hexdigest(),
    }
    source = type(source).model_validate(card)
    [found] = present_files(source, ["rows"], ["train"], tmp_path, check=True)
    assert (found.status, found.by, found.packed) == ("verified", "sha256", True)
    assert read_table(source, "rows", [found])["question"].to_list() == ["가"]


@pytest.mark.parametrize("rows", [2, 3])
@pytest.mark.parametrize(
    ("read", "data"),
    [
        ({"format": "parquet"}, as_parquet([{"q": "가"}, {"q": "나"}])),
        ({"format": "json", "path": "data[].qas[]"}, as_json({"data": [{"qas": [{}]}, {}]})),
        ({"format": "jsonl", "path": "qas[]"}, as_lines([{"qas": []}, {"qas": [{}, {}]}])),
    ],
)
def test_the_rows_of_nested_files_are_what_their_number_is_checked_by(
    read: dict[str, Any], data: bytes, rows: int, tmp_path: Path
) -> None:
    put(tmp_path, "quiz/a", data)
    source = quiz(read, {"q": "q"}, "a")
    card = source.model_dump(by_alias=True)
    card["tables"]["rows"]["files"]["train"][0]["rows"] = rows
    source = type(source).model_validate(card)
    found = present_files(source, ["rows"], ["train"], tmp_path, check=True)
    assert [one.by for one in found] == (["rows"] if rows == 2 else [])


@functools.cache
def squad(path: Path) -> list[dict[str, Any]]:
    """A second reader of SQuAD's layout: one row per question."""
    return [
        {"title": article["title"], "context": paragraph["context"], **question}
        for article in json.loads(path.read_bytes())["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]


@pytest.mark.real
def test_korquad_is_read_by_a_card_alone_nested_and_as_the_hub_has_it(
    real_data: Path, tmp_path: Path
) -> None:
    upstream = real_data / "korquad" / "KorQuAD_v1.0_dev.json"
    expected = {
        f"quiz/train/{row['id']}": tuple(
            text.strip()
            for text in (row["question"], row["answers"][0]["text"], row["title"], row["context"])
        )
        for row in squad(upstream)
    }
    assert len(expected) == 5774
    names = ("question", "answer", "title", "context")
    put(tmp_path, "quiz/dev.json", upstream.read_bytes())
    here = ("question", "answers[0].text", "data[].title", "data[].paragraphs[].context")
    read = {"format": "json", "path": "data[].paragraphs[].qas[]"}
    nested = quiz(read, dict(zip(names, here, strict=True)), "dev.json", key="id")
    records = read_quiz(nested, tmp_path)
    assert texts(records, *names) == expected
    assert records.bad == []
    # The Hub's KorQuAD has a struct of lists in its parquet files.
    rows = [
        {**row, "answers": {key: [one[key] for one in row["answers"]] for key in row["answers"][0]}}
        for row in squad(upstream)
    ]
    put(tmp_path, "quiz/dev-00000-of-00001.parquet", as_parquet(rows))
    there = ("question", "answers.text[0]", "title", "context")
    shards = "dev-*-of-00001.parquet"
    on_hub = quiz({"format": "parquet"}, dict(zip(names, there, strict=True)), shards, key="id")
    assert texts(read_quiz(on_hub, tmp_path), *names) == expected
