"""The items of every benchmark, as its card reads them from the sample and from the real files."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit19.auditing.items import find_benchmark_items
from kit19.catalog import load_catalog
from kit19.curating import bare
from kit19.sample import SAMPLE

CATALOG = load_catalog()
SAMPLED = find_benchmark_items(CATALOG, (), SAMPLE)


def real(data: Path, name: str) -> pl.DataFrame:
    return find_benchmark_items(CATALOG, [name], data).benchmarks[name].rows


@pytest.mark.parametrize("name", CATALOG.benchmarks)
def test_the_sample_has_items_of_every_benchmark(name: str) -> None:
    card, rows = CATALOG.benchmarks[name], SAMPLED.benchmarks[name].rows
    assert rows.height
    assert rows["#id"].n_unique() == rows.height or len(card.splits) > 1
    assert SAMPLED.missing == {}
    for combination in card.combinations():
        has_text = [bare(rows[field].fill_null("")) != "" for field in combination]
        complete = pl.DataFrame(dict(zip(combination, has_text, strict=True)))
        assert complete.select(pl.all_horizontal(pl.all()).any()).item(), combination


def test_parts_are_taken_out_of_a_prompt() -> None:
    rows = SAMPLED.benchmarks["haerae"].rows
    told = dict(zip(rows["#id"], zip(rows["question"], rows["answer"], strict=True), strict=True))
    assert told["general_knowledge.test.0000:1"] == (
        "서울 지하철에서 갈아타는 역을 부르는 말로 알맞은 것은 무엇인가?",
        "환승역",
    )
    assert told["loan_words.test.0000:0"] == ("리플렛의 순화어 알맞은 것은?", "광고지")


def test_a_frame_that_is_part_of_the_question_is_cut_off() -> None:
    questions = SAMPLED.benchmarks["click"].rows["question"].to_list()
    assert "정월 대보름 아침에 이를 튼튼하게 하려고 깨무는 것을 무엇이라고 하는가?" in questions
    assert "띄어쓰기가 옳은 것은?" in questions


def test_options_are_cut_off_where_the_question_holds_them() -> None:
    first = SAMPLED.benchmarks["kobalt"].rows["question"][0]
    assert first.endswith("모셔다 드리셨대.”")


def test_marks_of_entities_are_not_part_of_the_sentence() -> None:
    assert SAMPLED.benchmarks["klue_ner"].rows["sentence"].to_list()[:2] == [
        "지난달 한빛시청 앞 광장에 은행나무 세 그루를 새로 심었다.",
        "이도윤 관장은 열두 명의 자원봉사자에게 감사 편지를 썼다.",
    ]


@pytest.mark.real
def test_sentences_of_ner_are_the_letters_of_their_blocks(real_data: Path) -> None:
    path = real_data / "klue/klue_benchmark/klue-ner-v1.1/klue-ner-v1.1_dev.tsv"
    expected = {}
    for block in path.read_text("utf-8").split("\n\n"):
        lines = block.split("\n")
        ids = [line[3:].split("\t")[0] for line in lines if line.startswith("## klue-")]
        letters = [line.split("\t")[0] for line in lines if line and not line.startswith("##")]
        if ids:
            expected[ids[0]] = "".join(letters).strip()
    rows = real(real_data, "klue_ner")
    assert dict(zip(rows["#id"], rows["sentence"], strict=True)) == expected
    assert len(expected) == 5000


@pytest.mark.real
def test_items_of_other_benchmarks_are_those_of_their_files(real_data: Path) -> None:
    document = json.loads((real_data / "korquad/KorQuAD_v1.0_dev.json").read_text("utf-8"))
    asked = [
        (qa["id"], qa["question"].strip(), qa["answers"][0]["text"].strip(), p["context"].strip())
        for article in document["data"]
        for p in article["paragraphs"]
        for qa in p["qas"]
    ]
    assert real(real_data, "korquad").select("#id", "question", "answer", "context").rows() == asked

    files = sorted((real_data / "click/Dataset").rglob("*.json"))
    given: list[dict[str, Any]] = [
        item for path in files for item in json.loads(path.read_text("utf-8"))
    ]
    rows = real(real_data, "click")
    assert rows["asked"].to_list() == [item["question"].strip() for item in given]
    assert rows["answer"].to_list() == [item["answer"].strip() for item in given]
    cut = [a for a, q in zip(rows["asked"], rows["question"], strict=True) if a != q]
    assert len(cut) > 500
    assert all(re.match("다음은 한국.*에 대한 문제이다", text) for text in cut)

    with (real_data / "kobbq/data/KoBBQ_test_samples.tsv").open(encoding="utf-8") as file:
        samples = list(csv.DictReader(file, delimiter="\t"))
    assert real(real_data, "kobbq")["context"].to_list() == [one["context"] for one in samples]

    dp = real(real_data, "klue_dp")
    assert dp.height == dp["#id"].n_unique() == 2000
    path = real_data / "klue/klue_benchmark/klue-dp-v1.1/klue-dp-v1.1_dev.tsv"
    assert all(sentence in path.read_text("utf-8") for sentence in dp["sentence"][:50])


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "items"),
    [("klue_nli", 3000), ("logickor", 42), ("komt_bench", 80), ("kocommongen_v2", 847 + 495)],
)
def test_every_row_is_an_item(real_data: Path, name: str, items: int) -> None:
    assert real(real_data, name).height == items
