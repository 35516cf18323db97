"""Tests of what counts as found: companions, frames, short questions, texts that are alike."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19.catalog import Benchmark
from kit19.curating import ItemSearch, find_items
from kit19.curating.contamination import build_index
from kit19.curating.evidence import search_with
from kit19.curating.grams import spaced

FRAME = "다음 글의 주제로 가장 알맞은 것을 고르십시오."
LONG = "소금 장수가 고개를 넘다가 만난 호랑이에게 내어 준 물건은 무엇이라고 하였는가?"
OTHER = "비 오는 날 장터에서 우산을 팔던 노인이 마지막 손님에게 들려준 이야기는 무엇인가?"
SHORT = "달빛 나루는 어디?"
INNOCENT = "오늘은 날이 맑아서 빨래를 널고 산책을 다녀왔다."
EXAM: list[dict[str, str | None]] = [
    {"question": LONG, "answer": "대나무 피리와 낡은 짚신"},
    {"question": FRAME, "answer": "나무를 심는 일의 즐거움"},
    {"question": FRAME, "answer": "시장의 아침이 이른 까닭"},
    {"question": SHORT, "answer": "북쪽 강가"},
    {"question": OTHER, "answer": "물"},
    {
        "question": "우물가에 핀 꽃을 세어 본 아이가 어머니에게 말한 숫자는 얼마였는가?",
        "answer": "2",
    },
]


def search(rows: list[dict[str, str | None]], **card: Any) -> ItemSearch:
    fields = list(rows[0])
    given: dict[str, Any] = {
        "id": "exam",
        "title": "exam",
        "source": "s",
        "table": "t",
        "splits": ["test"],
        "scored": "test",
        "items": len(rows),
        **card,
    }
    ids = {"#id": [str(n) for n in range(len(rows))], "split": ["test"] * len(rows)}
    table = pl.DataFrame(ids | {name: [row[name] for row in rows] for name in fields})
    exam = {"exam": (Benchmark.model_validate(given), table)}
    return search_with(build_index(exam), exam)


def questions(**card: Any) -> ItemSearch:
    rules: dict[str, Any] = {"only_with": {"answer": "question"}, "frames": {"question": 20}}
    return search(EXAM, texts=["question"], compromised=[["question", "answer"]], **(rules | card))


def found(known: ItemSearch, *rows: list[str]) -> set[tuple[int, str, str, bool]]:
    """Find the items in rows of several texts: (row, item, field, is_weak)."""
    texts = [text for row in rows for text in row]
    numbers = pl.Series([n for n, row in enumerate(rows) for _ in row], dtype=pl.UInt32)
    hits = known.find(pl.Series(texts, dtype=pl.String), numbers)
    rows_of = numbers.gather(hits["place"])
    items = hits["item"].str.strip_prefix("exam/test/")
    return set(zip(rows_of, items, hits["field"], hits["is_weak"], strict=True))


def dropped(known: ItemSearch, *texts: str) -> list[int]:
    """Return the places of the records that a build drops."""
    ids = [str(n) for n in range(len(texts))]
    records = pl.DataFrame({"id": ids, "text": spaced(pl.Series(texts))})
    return [int(one) for one in known.find_contaminated(records, ["text"])["id"]]


def test_an_answer_counts_only_in_a_row_with_its_question() -> None:
    answer = "대나무 피리와 낡은 짚신"
    question, right = (0, "0", "question", False), (0, "0", "answer", False)
    assert found(questions(), [LONG, f"정답은 {answer}입니다."]) == {question, right}
    assert found(questions(), [f"{LONG} 1) {answer} 2) 물"]) == {question, right}
    assert found(questions(), [LONG], [answer]) == {question}
    assert found(questions(), [answer, f"{answer}입니다."]) == set()


def test_a_frame_counts_only_with_its_own_answer() -> None:
    assert found(questions(), [FRAME]) == set()
    assert found(questions(), [f"{FRAME} 소나무가 푸른 까닭"]) == set()
    hits = found(questions(), [FRAME, "시장의 아침이 이른 까닭"])
    assert hits == {(0, "2", "question", False), (0, "2", "answer", False)}
    assert found(questions(), [FRAME], ["시장의 아침이 이른 까닭"]) == set()


def test_a_frame_that_only_its_length_tells_is_one_too() -> None:
    rows: list[dict[str, str | None]] = [{"question": FRAME, "answer": "나무를 심는 일의 즐거움"}]
    card: dict[str, Any] = {"texts": ["question"], "only_with": {"answer": "question"}}
    assert found(search(rows, **card), [FRAME]) == {(0, "0", "question", False)}
    assert found(search(rows, **card, frames={"question": 30}), [FRAME]) == set()
    with_answer = [FRAME, "나무를 심는 일의 즐거움"]
    assert len(found(search(rows, **card, frames={"question": 30}), with_answer)) == 2


def test_a_short_answer_next_to_a_frame_is_too_little() -> None:
    rows: list[dict[str, str | None]] = [
        {"question": FRAME, "answer": a} for a in ("나가라다", "물")
    ]
    known = search(
        rows, texts=["question"], only_with={"answer": "question"}, frames={"question": 5}
    )
    assert found(known, [FRAME, "나-가-라-다"], [FRAME, "물"]) == set()


def test_a_short_question_touches_and_compromises_only_with_its_answer() -> None:
    known = questions(frames={})
    assert found(known, [SHORT]) == {(0, "3", "question", True)}
    with_answer = found(known, [SHORT, "북쪽 강가예요"])
    assert with_answer == {(0, "3", "question", False), (0, "3", "answer", False)}
    assert found(known, [f"{SHORT} 북쪽 강가예요"]) == set()  # short texts match by equality only
    assert dropped(known, SHORT, LONG) == [1]


@pytest.mark.parametrize(
    ("text", "is_found"),
    [("물이요.", True), ("정답: 물", True), ("식물", False), ("강물", False)],
)
def test_a_very_short_answer_must_begin_a_word(text: str, is_found: bool) -> None:
    answers = {field for _, _, field, _ in found(questions(), [OTHER, text])}
    assert answers == ({"question", "answer"} if is_found else {"question"})


@pytest.mark.parametrize(
    ("text", "is_found"), [("2", True), ("2번", True), ("2023년", False), ("12", False)]
)
def test_a_number_must_be_the_whole_number(text: str, is_found: bool) -> None:
    question = str(EXAM[5]["question"])
    assert len(found(questions(), [question, text])) == 1 + is_found


def test_a_long_answer_may_differ_a_little() -> None:
    answer = "마을 사람들이 모여서 다리를 다시 놓기로 약속하였기 때문이다"
    rows: list[dict[str, str | None]] = [{"question": LONG, "answer": answer}]
    known = search(rows, texts=["question"], only_with={"answer": "question"})
    changed = answer.replace("약속하였기", "약속했기")
    assert len(found(known, [LONG, changed])) == 2
    assert len(found(known, [LONG, "마을 사람들이 아무도 그 다리를 건너지 않았다"])) == 1


def test_a_second_turn_counts_only_with_the_first() -> None:
    second = "위에서 답한 내용을 세 문장으로 줄여서 다시 써 주세요."
    rows: list[dict[str, str | None]] = [{"turn_1": LONG, "turn_2": second}]
    known = search(rows, texts=["turn_1"], only_with={"turn_2": "turn_1"})
    assert found(known, [second]) == set()
    assert {field for _, _, field, _ in found(known, [LONG, second])} == {"turn_1", "turn_2"}
    assert dropped(known, second, LONG) == [1]


def test_a_build_keeps_what_only_touches() -> None:
    passage = (
        "고개 너머 마을에는 소금을 지고 다니던 장수가 살았는데, 그는 밤마다 피리를 불었다고 한다."
    )
    rows: list[dict[str, str | None]] = [{"question": LONG, "context": passage, "answer": "피리"}]
    known = search(
        rows,
        texts=["question", "context"],
        only_with={"answer": "question"},
        compromised=[["question"]],
    )
    assert found(known, [passage]) == {(0, "0", "context", False)}
    assert dropped(known, passage, LONG, INNOCENT) == [1]
    # Both texts of a pair help to compromise it, so either is dropped.
    pair = search([{"one": LONG, "two": passage}], texts=["one", "two"], compromised="all")
    assert dropped(pair, passage, LONG, INNOCENT) == [0, 1]


def test_a_build_drops_a_frame_only_with_its_answer_in_any_field() -> None:
    known = questions()
    ids = ["a", "b", "c"]
    records = pl.DataFrame(
        {
            "id": ids,
            "ask": spaced(pl.Series([FRAME, FRAME, INNOCENT])),
            "reply": spaced(pl.Series(["시장의 아침이 이른 까닭", INNOCENT, "물"])),
        }
    )
    hits = known.find_contaminated(records, ["ask", "reply"])
    assert hits.rows() == [("a", "equal exam/test/2")]


def test_of_texts_that_are_alike_only_the_best_near_match_counts() -> None:
    options = [
        "세종 대왕은 백성들을 위해 한글을 만들어 널리 펴려고 애를 썼다",
        "세종 대왕은 백성들을 위해 한글을 만들어 널리 펴려고 힘을 썼다",
    ]
    rows: list[dict[str, str | None]] = [{"option_1": options[0], "option_2": options[1]}]
    # A trigram that most items have would weigh nothing.
    rows += [
        {"option_1": f"{n}번째 문항에 딸린 보기는 모두 {n * n}개였다", "option_2": None}
        for n in range(20)
    ]
    texts = list(rows[0])
    near = options[0].replace("대왕은", "대왕이")
    assert len(found(search(rows, texts=texts), [near])) == 2
    alike = search(rows, texts=texts, alike=True)
    assert found(alike, [near]) == {(0, "0", "option_1", False)}
    assert len(found(alike, options)) == 2


@given(st.lists(st.sampled_from([LONG, OTHER, FRAME, SHORT, INNOCENT, "물", ""]), max_size=6))
def test_without_such_rules_every_match_counts(texts: list[str]) -> None:
    known = search(EXAM, texts=["question", "answer"])
    given = pl.Series(texts, dtype=pl.String)
    hits = known.find(given, pl.Series(range(len(texts)), dtype=pl.UInt32))
    assert hits.drop("is_weak").equals(find_items(given, known.index))
    assert not hits["is_weak"].any()
