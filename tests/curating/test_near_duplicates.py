"""Compare near duplicates with plain sets of trigrams, record by record, and with joins of tables."""

from __future__ import annotations

import json
import random
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal, assert_series_equal

from kit19.curating import Workers, bare, near_search, workers
from kit19.curating.grams import composed
from kit19.curating.near import _with_case
from kit19.curating.signs import _MAY_HAVE, _signs_and_lines, extract_signs
from tests.support.near import find_near, find_near_slowly
from tests.support.perturb import replaced, spaces

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


def letters_of(text: str) -> str:
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
            if all(near(letters_of(a), letters_of(b)) for a, b in zip(fields, theirs, strict=True))
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


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1 << 32), st.sampled_from([20, 45, 90, 240, 300]))
def test_texts_around_the_limit_are_decided_as_a_plain_comparison_does(
    seed: int, letters: int
) -> None:
    """Halves of few texts and texts with some letters changed: of sizes that marks have, and larger."""
    chance = random.Random(seed)
    stories = [
        "".join(chance.choices("가나다라마바사아자차카타파하거너더러", k=letters)) for _ in "12345"
    ]
    texts = [*stories]
    for _ in range(25):
        one, other = chance.sample(stories, 2)
        texts.append(one[: letters // 2] + other[letters // 2 :])
        changed = [*one]
        for at in chance.sample(range(letters), chance.randint(1, max(2, letters // 14))):
            changed[at] = chance.choice("고노도")
        texts.append("".join(changed)[: chance.randint(letters * 8 // 10, letters)])
    chance.shuffle(texts)
    batch = [(f"s/train/{number}", text, "") for number, text in enumerate(texts)]
    found = find_near(frame(batch), frame([]), ["text"])
    assert dict(found.iter_rows()) == one_by_one(batch, [])


def test_a_text_too_short_for_a_trigram_is_near_to_its_equal() -> None:
    batch = [("s/train/0", "좋아", ""), ("s/train/1", "좋아!", ""), ("s/train/2", "싫어", "")]
    found = find_near(frame(batch), frame([]), ["text"])
    assert found.rows() == [("s/train/1", "s/train/0")]


def test_a_symbol_before_punctuation_is_a_sign() -> None:
    signs = extract_signs(pl.Series(["이 표 ♥!", "이 표 ★!", "이 표 ★"]))
    assert signs[0] != signs[1] == signs[2]


ODD = [
    *(
        "😀" * 8,
        "!" * 15,
        "." * 20,
        "\x00" * 16,
        "\U00020000\U00020001漢字" * 5,
        "ㅋ" * 16,
        "ㅋ" * 30,
    ),
    *("3.5", "35", "+", "C++", "①", "\n\t가", "é", "E\u0301", "ﬁ", "가", "\u200b", ""),
]
odd = st.lists(st.sampled_from([*ODD, SENTENCE, SENTENCE[2:], *WORDS[:3]]), max_size=4).map(
    " ".join
)
rows = st.lists(
    st.tuples(
        st.one_of(texts, odd), st.one_of(texts, odd), st.sampled_from(["긍정", "긍정.", "A"])
    ),
    max_size=40,
)


@settings(deadline=None)
@given(rows, st.integers(1, 12), st.integers(1, 3))
def test_blocks_chunks_and_threads_do_not_change_what_joins_of_tables_find(
    some: list[tuple[str, str, str]], size: int, threads: int
) -> None:
    named = pl.DataFrame(
        [(f"s/train/{number}", *row) for number, row in enumerate(some)],
        schema=dict.fromkeys(["id", "text", "more", "label"], pl.String),
        orient="row",
    )
    given_ = (named, named.clear(), ["text", "more"], ["label"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_search, "_FIRST", size)
        patch.setattr(near_search, "_MOST_PAIRS", size)
        patch.setattr(near_search, "_MOST_TOKENS", 40)
        patch.setattr(near_search, "_CANDIDATES", size)
        patch.setattr(workers, "CHUNK", 5)
        found = find_near(*given_, Workers(threads=threads))
    assert_frame_equal(found, find_near_slowly(*given_))


def test_many_texts_that_are_near_to_each_other_after_many_that_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The order of a build is random. This is the worst one: the block is divided."""
    monkeypatch.setattr(near_search, "_FIRST", 64)
    monkeypatch.setattr(near_search, "_MOST_PAIRS", 64**2)
    chance = random.Random(19)
    apart = ["".join(chance.choices("가나다라마바사아자차카타파하", k=30)) for _ in range(100)]
    alike = [SENTENCE + chance.choice("가나다라") + "ㅋㅎ"[number % 2] for number in range(400)]
    named = [(f"s/train/{number}", text, "") for number, text in enumerate([*apart, *alike])]
    found = find_near(frame(named), frame([]), ["text"])
    assert found["id"].to_list() == [name for name, _, _ in named[101:]]
    assert found["evidence"].unique().to_list() == ["s/train/100"]


@pytest.mark.parametrize("kind", ["reviews", "petitions"])
def test_real_files(kind: str, real_data: Path) -> None:
    chance = random.Random(19)
    if kind == "reviews":
        lines = (real_data / "nsmc/ratings_train.txt").read_text("utf-8").split("\n")[1:8_001]
        texts = [line.split("\t")[1] for line in lines]
    else:
        lines = (real_data / "petitions/petitions_2017-08").read_text("utf-8").splitlines()
        texts = [json.loads(line)["content"] for line in lines]
    changed = [
        change(text, chance)
        for text in chance.sample(texts, len(texts) // 10)
        for change in (replaced, spaces, lambda one, _: one[: -(len(one) // 6) or None])
    ]
    every = [*texts, *changed]
    chance.shuffle(every)
    named = frame([(f"s/train/{number}", text, "") for number, text in enumerate(every)])
    split = (named[1:], named[:1], ["text"])
    found = find_near(*split)
    assert_frame_equal(found, find_near_slowly(*split))
    assert found.height > len(changed) / 2


def test_only_some_characters_have_case() -> None:
    codes = [one for one in range(0x2_0000) if not 0xD800 <= one < 0xE000]
    some = pl.Series([f"가{chr(one)}b" for one in codes])
    expected = composed(some).str.replace_all(r"[^\p{L}\p{N}]", "")
    assert_series_equal(_with_case(bare(some), some), expected)


PIECES = [
    *("가", "나다 라", "\u11a8", "\u0338", "\u3099", "ㅋㅋ", "_", "a", "C", "漢"),
    *(
        "3",
        "35",
        ",000",
        ".",
        ",",
        ":",
        "!",
        "~",
        "=",
        "!=",
        ":=",
        "+",
        "-",
        "*",
        "(",
        ")",
        "|",
        "&",
    ),
    *("²", "①", "￥", "♥", "`", " ", "  ", "\n", "\n\t", "\u200b", "\u3164", "가 \n 나"),
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), min_size=1))
def test_words_between_signs_do_not_matter(some: list[str]) -> None:
    # Of texts that may have signs; of others none are extracted: !(강추) and 강추* are decoration.
    texts = pl.Series(some, dtype=pl.String)
    texts = texts.filter(texts.str.contains(_MAY_HAVE))
    assert extract_signs(texts).to_list() == _signs_and_lines(texts, texts).to_list()
