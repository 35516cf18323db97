import unicodedata
from pathlib import Path

import polars as pl
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from kit19.korean import (
    PARTICLES,
    Final,
    Particle,
    attach,
    attach_expr,
    choose,
    choose_expr,
    final_expr,
    final_sound,
    parse_particle,
)
from kit19.korean.columns import _NOTHING, _settled
from kit19.korean.signs import LOOK_THROUGH, SIGNS

WORD = pl.col("word")
BLOCKS = yaml.safe_load(Path(__file__).with_name("final_sound.yaml").read_text(encoding="utf-8"))
CASES = [text for block in BLOCKS for final in Final for text in block.get(final.name.lower(), [])]

# Texts made of what the rules are about, far likelier to disagree than arbitrary Unicode.
CHARACTERS = (
    "가각갈닭아니ㅋㅠㄹㅏ()（）*.,~/-: \n1270樂不咽日大ⅡⅦⅩ♥😀Å7\uf914\uf967$²αΩ😊ａ１ᆞ^\u11af\u0308"
)
STRINGS = [
    "사과",
    "귤",
    "아니",
    "\u1100\u1161\u11af",
    "kg",
    "KBS",
    "URL",
    "iPhone",
    "10,000",
    "2024-1",
    "9:00",
    "GOT",
    "VII",
    "\u200d",
    "1/2",
]
PIECES = st.sampled_from([*CHARACTERS, *STRINGS, *LOOK_THROUGH, *SIGNS])
MIXED = st.lists(PIECES, max_size=8).map("".join)
DECOMPOSED = MIXED.map(lambda text: unicodedata.normalize("NFD", text))
ANY = st.text(st.characters(exclude_categories=["Cs"]))  # polars holds no surrogates


def frame(words: list[str | None]) -> pl.DataFrame:
    return pl.DataFrame({"word": words}, schema={"word": pl.String})


def finals(words: list[str | None]) -> list[int | None]:
    return frame(words).select(final_expr(WORD))["word"].to_list()


@given(st.lists(st.none() | MIXED | DECOMPOSED | ANY))
@example(CASES)
@example([None, None])
@example([])
def test_the_fast_twin_agrees_with_the_reference(words: list[str | None]) -> None:
    expected = [None if word is None else final_sound(word).value for word in words]
    assert finals(words) == expected


@given(st.lists(st.none() | MIXED | DECOMPOSED), st.sampled_from(PARTICLES))
@example(
    ["아니", "\u110b\u1161니", "사과가 아니", "‘아니’", "아니\n", None],
    parse_particle("이에요/예요"),
)
def test_attaching_to_a_column_agrees_with_attaching_to_each_word(
    words: list[str | None], particle: Particle
) -> None:
    both = frame(words).select(
        attach_expr(WORD, particle).alias("attached"), choose_expr(WORD, particle).alias("chosen")
    )
    assert both["attached"].to_list() == [None if w is None else attach(w, particle) for w in words]
    assert both["chosen"].to_list() == [None if w is None else choose(w, particle) for w in words]


def test_every_last_character_settled_in_the_engine_is_settled_whatever_stands_before() -> None:
    settled = {character: final for character, final in _settled().items() if character != _NOTHING}
    for before in ("", "사과 ", "1", "a", "ㅋ", "(", "*", "\u0308"):
        assert {character: final_sound(before + character) for character in settled} == settled


def test_the_column_keeps_its_name_and_type_also_in_a_lazy_or_streamed_plan() -> None:
    lazy = frame([*CASES, None]).lazy().select(final_expr(WORD))
    assert lazy.collect_schema() == {"word": pl.UInt8}
    eager = frame([*CASES, None]).select(final_expr(WORD))
    assert lazy.collect().equals(eager)
    assert lazy.collect(engine="streaming").equals(eager)
    attached = frame(["귤"]).lazy().select(attach_expr(WORD, parse_particle("은/는")))
    assert attached.collect().to_dict(as_series=False) == {"word": ["귤은"]}


def test_every_distinct_text_is_asked_once_and_the_rest_never(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def spy(text: str) -> Final:
        asked.append(text)
        return final_sound(text)

    monkeypatch.setattr("kit19.korean.columns.final_sound", spy)
    plain = [
        "사과",
        "귤.",
        "“감”",
        "大",
        "①",
        "50%",
        "ㅋㅋ",
        "좋아ㅠ",
        "",
        "...",
        "좋아요^^",
        "감♥",
        "不",
    ]
    finals([*plain, "10", "KBS", "10", "사과(귤)", None, "KBS", "감😀"])
    assert sorted(asked) == ["10", "KBS", "감😀", "사과(귤)"]


@pytest.mark.real
def test_the_twins_agree_on_every_real_review() -> None:
    path = Path(__file__).parents[3] / "shared/data/nsmc/ratings_train.txt"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    reviews = pl.read_csv(path, separator="\t", quote_char=None).select(word="document")
    expected = [None if text is None else final_sound(text).value for text in reviews["word"]]
    assert reviews.select(final_expr(WORD))["word"].to_list() == expected
