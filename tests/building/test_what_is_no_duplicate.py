"""Tests that a different sign, number, answer or indentation is not a duplicate, but punctuation is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19 import build
from tests.support.near import find_near
from tests.support.samples import dropped_of, rows_of

RECIPE = """\
id: mine
title: Mine
data: sample
decontaminate: false
pii: keep
extra:
  - name: mydata
    path: my.jsonl
    license: CC-BY-4.0
"""
Row = tuple[str, str, str]
ASK = "다음 문장을 읽고 맞는 답을 하나만 골라서 적어 주세요"
# Groups of rows with different meanings and the same or nearly the same letters.
DIFFERENT: list[list[Row]] = [
    [(text, "", "팔") for text in ("3 + 5는?", "3 - 5는?", "3 × 5는?", "3 / 5는?")],
    [(text, "", "예") for text in ("x > 3?", "x < 3?", "x != 3?", "x = 3?", "x^3?", "x3?")],
    [("언어의 이름을 바꾸세요", text, "ㄱ") for text in ("C 언어", "C++ 언어", "C# 언어")],
    [("뜻을 고르세요", text, "긍정") for text in ("😀", "😡", "👍🏻", "👍🏿", "", "...")],
    [("기온은?", text, "5") for text in ("-5", "5", "5%", "5℃")],
    [("온도는?", "-5", text) for text in ("5", "-5", "오", "5!")],
    [("값은?", text, "가") for text in ("3.5", "35", "3:5", "3 5", "3,5")],
    [("식의 값", text, "수") for text in ("2(3+4)", "23+4", "2*(3+4)", "2*3+4")],
    [("넓이는", text, "구") for text in ("3²", "32", "3!2")],
    [
        ("코드를 고치세요", text, "ok")
        for text in (
            "if x:\n    return 1\n  return 2",
            "if x:\n  return 1\n    return 2",
            "if x:\n\treturn 1\n\treturn 2",
            "if x:\n    return 1\nreturn 2",
            "if x:\nreturn 1\n    return 2",
        )
    ],
    # Long texts are near by their trigrams.
    [(f"{ASK} {year}", "", "가") for year in ("2018년", "2019년", "20190년")],
    [(f"{ASK} 하나", "", text) for text in ("ok", "OK", "OK+", "ok ok")],
    [(f"{ASK} 둘", "", f"{ASK} {text}") for text in ("서울입니다", "부산입니다")],
]
# Groups of which only one stays.
ALIKE: list[list[Row]] = [
    [("수도를 말해 보세요.", "프랑스", "파리"), ("수도를 말해보세요", "프랑스!", "파리.")],
    [("1,000원의 10%는?", "", "백 원"), ("1000원의 10 %는?", "", "백 원")],
    [("3 + 5 는 얼마인가", "", "팔"), ("３+５는 얼마인가?", "", "팔.")],
    [("좋아요 ~ 최고 ^^", "", "긍정"), ("좋아요, 최고!!", "", "긍정")],
    [("줄을 바꾸고\n또 바꾼 글", "", "글"), ("줄을 바꾸고 또 바꾼 글", "", "글")],
    [("하이픈 - 말고 줄표", "", "글"), ("하이픈 — 말고 줄표", "", "글")],
    [("안\u200b보이는\u3164글자", "", "글"), ("안보이는 글자", "", "글")],
    [("for x in y:\n    print(x)", "", "코드"), ("for x in y:  \n    print(x)\n", "", "코드")],
]  # fmt: skip


def built(place: Path, rows: list[Row], **changes: Any) -> pl.DataFrame:
    names = ("instruction", "input", "output")
    lines = [json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) for row in rows]
    (place / "my.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (place / "mine.yaml").write_text(RECIPE, encoding="utf-8")
    build(str(place / "mine.yaml"), place / "out", changes=changes)
    return dropped_of(place / "out")


@pytest.mark.parametrize("dedup", ["near", "exact"])
def test_what_differs_in_a_sign_a_number_or_an_answer_stays(tmp_path: Path, dedup: str) -> None:
    rows = [row for group in DIFFERENT for row in group]
    dropped = built(tmp_path, rows, dedup=dedup)
    number = pl.col("id").str.extract(r"(\d+)$").cast(pl.Int64)
    gone = dropped.select(number, "reason").rows()
    assert [(rows[n], reason) for n, reason in gone] == []
    assert rows_of(tmp_path / "out").height == len(rows)


def test_what_differs_in_punctuation_alone_is_a_repeat(tmp_path: Path) -> None:
    dropped = built(tmp_path, [row for group in ALIKE for row in group])
    pairs = zip(dropped["id"], dropped["evidence"], strict=True)
    met = sorted(tuple(sorted(int(one.rpartition("/")[2]) for one in pair)) for pair in pairs)
    assert met == [(at, at + 1) for at in range(0, 2 * len(ALIKE), 2)]


operators = st.sampled_from(["+", "-", "*", "/", "=", "<", ">", "%", "×", "÷", "≤", "^"])
sums = st.tuples(st.integers(0, 30), operators, st.integers(0, 30))


@given(sums, sums, st.sampled_from(["", " "]), st.sampled_from(["", " "]))
def test_two_sums_are_near_only_if_they_are_one(
    one: tuple[int, str, int], other: tuple[int, str, int], blank: str, other_blank: str
) -> None:
    def asked(parts: tuple[int, str, int], between: str) -> str:
        return f"{ASK}: {between.join(map(str, parts))}{between}는 얼마입니까?"

    texts = [asked(one, blank), asked(other, other_blank)]
    batch = pl.DataFrame({"id": ["a", "b"], "text": texts})
    found = find_near(batch, batch.clear(), ["text"])
    assert found.height == (one == other)


def test_a_text_without_letters_is_near_to_itself_alone() -> None:
    texts = ["...", "...?", "😀", "😀 😀", "♥", "♡", "...", ""]
    batch = pl.DataFrame({"id": list("abcdefgh"), "text": texts})
    assert find_near(batch, batch.clear(), ["text"]).rows() == [("g", "a")]


@pytest.mark.real
def test_problems_of_kmwp_with_another_answer_all_stay(real_data: Path, tmp_path: Path) -> None:
    """An earlier rule dropped 32 as near duplicates, of which 31 had another answer."""
    recipe = tmp_path / "kmwp.yaml"
    recipe.write_text("id: mine\ntitle: Mine\nsubsets: [kmwp]\ncap: null\ndecontaminate: false\n")
    build(str(recipe), tmp_path / "out", data_dir=real_data)
    near = dropped_of(tmp_path / "out").filter(pl.col("reason") == "near_duplicate")
    upstream = pl.read_csv(real_data / "kmwp" / "data" / "train.csv", infer_schema=False)
    answers = upstream["answer"].to_list()
    for name, stays in near.select("id", "evidence").iter_rows():
        one, other = (int(record.rpartition("/")[2]) for record in (name, stays))
        assert answers[one].strip() == answers[other].strip()
    assert near.height <= 1
