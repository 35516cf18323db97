"""Rendering alone: one parquet of records in, one parquet of instructions out.

Every way chooses one of eight templates for each record by the same hash and writes the same rows
as zstd parquet. Particles: four templates insert one after free text, the most
expensive place (the card here declares ``text`` as ``short``, unlike real cards), and four after a
label's word.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from benchmarks.language import attached
from benchmarks.oracle import first_template, fits, with_options
from kit19.catalog import load_catalog
from kit19.catalog.templates import TemplateFile

TEMPLATES = """
subset: nsmc
words:
  label:
    noun: {negative: 부정, positive: 긍정}
    wish: {negative: 비추천, positive: 추천}
templates:
  - id: review_in_question
    style: 해요체
    why: the review stands inside the question
    instruction: "{text}{이라는/라는} 영화평은 긍정인가요, 부정인가요?"
    output: "{label.noun}"
  - id: mood_of_review
    style: 합쇼체
    why: asks what the review expresses
    instruction: 다음 글에 담긴 감정이 긍정인지 부정인지 판단하십시오.
    input: "{text}{은/는} 어떤 평입니까?"
    output: "{label.noun} 평가입니다."
  - id: told_by_a_friend
    style: 해체
    why: a friend tells what somebody wrote
    instruction: 친구가 영화를 보고 이렇게 말했어. 이 영화를 추천한 걸까?
    input: "{text}{이라고/라고} 했어."
    output: "{label.wish}한 거야."
  - id: review_as_subject
    style: 시험체
    why: the voice of an exam paper
    instruction: 다음 감상이 나타내는 태도를 ‘긍정’ 또는 ‘부정’으로 쓰시오.
    input: "{text}{이/가} 나타내는 태도:"
    output: "{label.noun}"
  - id: answer_is
    style: 해요체
    why: the answer is a sentence
    instruction: 이 영화평의 분위기를 한마디로 말해 주세요.
    input: "{text}"
    output: "{label.noun}{이에요/예요}."
  - id: close_to
    style: 합쇼체
    why: the answer says which side it is close to
    instruction: 아래 리뷰가 어느 쪽에 가까운지 알려 주십시오.
    input: "리뷰: {text}"
    output: "{label.noun}{으로/로} 볼 수 있습니다."
  - id: opinion_word
    style: 해체
    why: the answer names the opinion
    instruction: 이 감상을 쓴 사람은 영화를 추천할까, 추천하지 않을까?
    input: "{text}"
    output: "{label.wish}{이라고/라고} 할 것 같아."
  - id: plain_label
    style: 해라체
    why: the answer is written as a report
    instruction: 관객이 남긴 글을 읽고 평가의 방향을 적어라.
    input: "관객: {text}"
    output: "{label.wish}{을/를} 뜻한다."
"""
COLUMNS = ["id", "instruction", "input", "output"]
LEVEL = 3  # zstd; every way writes at the level that kit19 writes at

# Without a fingerprint of ours, datasets would pickle and hash every template first.
_MAP: dict[str, Any] = {
    "remove_columns": ["text", "label"],
    "new_fingerprint": "rendered",
    "load_from_cache_file": False,
}

Work = Callable[[], Any]


def make_records(data_dir: str, out: str, count: int) -> Work:
    """Write NSMC's records (id, text, label), without the empty ones, as parquet."""
    from kit19.fetching import select_files, subset_use
    from kit19.reading import read_subset

    def work() -> int:
        catalog = load_catalog()
        source, subset = catalog.subset("nsmc")
        (selected,) = select_files([subset_use(catalog, "nsmc")], Path(data_dir))
        frame = read_subset("nsmc", source, subset, selected.used).frame.head(count)
        frame = frame.filter(pl.col("text") != "").select("id", "text", "label")
        frame.write_parquet(out, compression="zstd", compression_level=LEVEL)
        return frame.height

    return work


def kit19_way(records: str, out: str) -> Work:
    from kit19.rendering import choose, render
    from kit19.rendering.load import check_templates

    source, subset = load_catalog().subset("nsmc")
    subset = subset.model_copy(update={"short": ["text"]})
    file = _template_file()

    def work() -> int:
        frame = pl.read_parquet(records)
        known = check_templates(file, {}, "benchmark", source, subset)
        rows = render(frame, choose(frame, known, 1, 19), known)
        rows.select(COLUMNS).write_parquet(out, compression="zstd", compression_level=LEVEL)
        return rows.height

    return work


def floor(rendered: str, out: str) -> Work:
    """Read the rows rendered by kit19 and write them again: a lower bound for every way."""

    def work() -> int:
        frame = pl.read_parquet(rendered)
        frame.write_parquet(out, compression="zstd", compression_level=LEVEL)
        return frame.height

    return work


def python_loop(records: str, out: str) -> Work:
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    from benchmarks.language import by_format

    file = _template_file()

    def work() -> int:
        cards = _cards(file)
        renders = {name: by_format(card, file.words) for name, card in cards.items()}
        rows = []
        for row in pq.read_table(records).to_pylist():
            name = _choose(cards, row)
            rows.append((row["id"], *renders[name](with_options(cards[name], file.words, row))))
        columns = dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
        _write(pa.table(columns), out)
        return len(rows)

    return work


def datasets_batched(records: str, out: str, cache: str) -> Work:
    from datasets import Dataset

    from benchmarks.language import by_format

    file = _template_file()

    def work() -> int:
        cards = _cards(file)
        renders = {name: by_format(card, file.words) for name, card in cards.items()}

        def batch(columns: dict[str, list[str]]) -> dict[str, list[str]]:
            made: dict[str, list[str]] = {name: [] for name in COLUMNS}
            for one, text, label in zip(
                *(columns[c] for c in ("id", "text", "label")), strict=True
            ):
                row = {"id": one, "text": text, "label": label}
                name = _choose(cards, row)
                rendered = renders[name](with_options(cards[name], file.words, row))
                for column, value in zip(COLUMNS, (one, *rendered), strict=True):
                    made[column].append(value)
            return made

        loaded = Dataset.from_parquet(records, cache_dir=cache)
        mapped = loaded.map(batch, batched=True, **_MAP)
        _write(mapped.data.table, out)
        return int(mapped.num_rows)

    return work


def datasets_jinja(records: str, out: str, cache: str) -> Work:
    from datasets import Dataset

    from benchmarks.language import by_jinja

    file = _template_file()

    def work() -> int:
        cards = _cards(file)
        renders = {name: by_jinja(card, file.words, set()) for name, card in cards.items()}

        def one(row: dict[str, str]) -> dict[str, str]:
            name = _choose(cards, row)
            rendered = renders[name](with_options(cards[name], file.words, row))
            return dict(zip(COLUMNS[1:], rendered, strict=True))

        loaded = Dataset.from_parquet(records, cache_dir=cache)
        mapped = loaded.map(one, **_MAP)
        _write(mapped.data.table, out)
        return int(mapped.num_rows)

    return work


def same_rows(ours: str, others: list[str]) -> Work:
    """Compare row by row. kit19 gives rows grouped by template, so all are put in order of id."""
    from polars.testing import assert_frame_equal

    def work() -> int:
        expected = pl.read_parquet(ours).sort("id")
        for other in others:
            assert_frame_equal(pl.read_parquet(other).sort("id").select(COLUMNS), expected)
        return expected.height

    return work


def _template_file() -> TemplateFile:
    return TemplateFile.model_validate(yaml.safe_load(TEMPLATES))


def _cards(file: Any) -> dict[str, dict[str, Any]]:
    return {t.id: t.model_dump(exclude_none=True) for t in file.templates if not t.retired}


def _choose(cards: dict[str, dict[str, Any]], row: dict[str, str]) -> str:
    return first_template(
        row["id"], (name for name in cards if fits(cards[name], row, (), attached))
    )


def _write(table: Any, out: str) -> None:
    # Not Dataset.to_parquet: given compression="zstd", it raises a TypeError.
    import pyarrow.parquet as pq

    pq.write_table(table, out, compression="zstd", compression_level=LEVEL)
