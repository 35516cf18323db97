"""Compare near duplicates with plain sets of trigrams, record by record."""

from __future__ import annotations

import random

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from kit19.curating.signs import extract_signs
from tests.support.near import find_near

WORDS = [
    "어제는",
    "오늘은",
    "날씨가",
    "정말",
    "맑아서",
    "공원에",
    "갔다",
    "왔다",
    "좋았다",
    "걸었다",
]
SENTENCE = "어제는 날씨가 정말 맑아서 가족과 함께 공원에 갔다 왔다"
sentences = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join)
changes = st.lists(st.tuples(st.integers(0, 60), st.sampled_from("은는이가 .!")), max_size=3)
texts = st.one_of(
    sentences,
    st.builds(
        lambda edits: "".join(dict(edits).get(at, one) for at, one in enumerate(SENTENCE * 2)),
        changes,
    ),
)
records = st.lists(st.tuples(texts, st.sampled_from(["가", "나 다"])), max_size=25)


def bare(text: str) -> str:
    return "".join(one for one in text if one.isalnum())


def near(one: str, other: str) -> bool:
    if one == other:
        return True
    if min(len(one), len(other)) < 15:
        return False
    mine, theirs = ({text[at : at + 3] for at in range(len(text) - 2)} for text in (one, other))
    return len(mine & theirs) >= 0.8 * len(mine | theirs)


def one_by_one(
    batch: list[tuple[str, str, str]], kept: list[tuple[str, str, str]]
) -> dict[str, str]:
    """Map each dropped id to the id of the kept record."""
    kept, gone = [*kept], {}
    for record in batch:
        name, *fields = record
        twins = [
            other
            for other, *theirs in kept
            if all(near(bare(a), bare(b)) for a, b in zip(fields, theirs, strict=True))
        ]
        if twins:
            gone[name] = twins[0]
        else:
            kept.append(record)
    return gone


def frame(some: list[tuple[str, str, str]]) -> pl.DataFrame:
    return pl.DataFrame(some, schema=dict.fromkeys(["id", "text", "more"], pl.String), orient="row")


@given(records, st.integers(0, 25))
@example([("좋아", "가"), ("좋아!", "가")], 0)
@example([(SENTENCE, "가"), (SENTENCE + "!", "나 다"), (SENTENCE + ".", "가")], 0)
def test_near_duplicates_are_those_of_a_plain_comparison(
    some: list[tuple[str, str]], count: int
) -> None:
    named = [(f"s/train/{n}", *fields) for n, fields in enumerate(some)]
    kept: list[tuple[str, str, str]] = []
    for record in named[:count]:  # kept records are never near to each other
        if not one_by_one([record], kept):
            kept.append(record)
    batch = named[count:]
    found = find_near(frame(batch), frame(kept), ["text", "more"])
    assert dict(found.iter_rows()) == one_by_one(batch, kept)


def test_long_texts_are_found_among_many() -> None:
    chance = random.Random(19)
    stories = [" ".join(chance.choices(WORDS, k=60)) for _ in range(60)]
    twins = [story.replace("갔다", "갔었다", 1) for story in stories[:30]]
    batch = [(f"s/train/{n}", story, "가") for n, story in enumerate([*stories, *twins])]
    found = find_near(frame(batch), frame([]), ["text", "more"])
    assert dict(found.iter_rows()) == one_by_one(batch, [])


def test_a_text_too_short_for_a_trigram_is_near_to_its_equal() -> None:
    batch = [("s/train/0", "좋아", ""), ("s/train/1", "좋아!", ""), ("s/train/2", "싫어", "")]
    found = find_near(frame(batch), frame([]), ["text"])
    assert found.rows() == [("s/train/1", "s/train/0")]


def test_a_symbol_before_punctuation_is_a_sign() -> None:
    signs = extract_signs(pl.Series(["이 표 ♥!", "이 표 ★!", "이 표 ★"]))
    assert signs[0] != signs[1] == signs[2]
