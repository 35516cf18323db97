"""The judge of ``studies/particle_judge``: what it does alone, and what it says where kiwipiepy is."""

import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kit19.catalog import BUILT_IN
from kit19.korean import Final, choose, final_sound, parse_particle
from studies.particle_judge.judge import KINDS, OTHER, UNREAD, Judge, in_hangul
from studies.particle_judge.particles import Place
from studies.particle_judge.reviewed import KNOWN_TO_US, TYPED_IN_A_CHAT, UNSPLIT_WORDS
from studies.particle_judge.texts import Line, spacing, spelling

DOCS = (Path(__file__).parents[2] / "docs" / "korean.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def judge() -> Judge:
    pytest.importorskip("kiwipiepy", reason="the judge is not here: pip install 'kit19[judge]'")
    return Judge()


def ends_in(hangul: str) -> Final:
    coda = (ord(hangul[-1]) - ord("가")) % 28
    return {0: Final.VOWEL, 8: Final.RIEUL}.get(coda, Final.CONSONANT)


@pytest.mark.parametrize(
    ("figures", "hangul"),
    [
        ("0", "영"),
        ("10", "십"),
        ("1,200", "천이백"),
        ("10000", "일만"),
        ("1,000,000", "백만"),
        ("100000000", "일억"),
        ("1010001", "백일만일"),
        ("3.14", "삼점일사"),
        ("3/4", "사분의 삼"),
        ("-5", "오"),
        ("007", "영영칠"),
        ("‘19’", "십구’"),
        ("제2", "제이"),
        ("사과", "사과"),
        ("GPT-4", "GPT-4"),
        ("2024-01-02", "2024-01-02"),
        ("2024.12", "2024.12"),
        ("2024. 3.", "2024. 3."),
        ("Windows 7", "Windows 7"),
        ("3024.12", "삼천이십사점일이"),
    ],
)
def test_figures_are_written_out_for_the_judge(figures: str, hangul: str) -> None:
    assert in_hangul(figures).lstrip("‘") == hangul


@given(st.integers(0, 10**16 - 1), st.booleans())
def test_numbers_end_as_a_second_reading_says(number: int, commas: bool) -> None:
    text = f"{number:,}" if commas else str(number)
    assert final_sound(text) is ends_in(in_hangul(text))


@given(st.from_regex(r"(0|[1-9][0-9]{0,5})\.[0-9]{1,6}", fullmatch=True))
def test_decimals_end_as_a_second_reading_says(text: str) -> None:
    assume(in_hangul(text) != text)  # 2024.12 is a month
    assert final_sound(text) is ends_in(in_hangul(text))


def test_every_kind_of_disagreement_is_explained() -> None:
    section = DOCS.split("\n| kind |")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| \*\*(.+?)\*\* \|", section, re.MULTILINE)) == set(KINDS)
    assert set(UNREAD) | set(UNSPLIT_WORDS) <= set(KINDS)


def test_every_reviewed_word_stands_in_a_template() -> None:
    texts = [path.read_text("utf-8") for path in (BUILT_IN / "templates").glob("*.yaml")]
    words = [
        word
        for listed in (*UNSPLIT_WORDS.values(), KNOWN_TO_US, TYPED_IN_A_CHAT)
        for word in listed.split()
    ]
    assert [word for word in words if not any(word in text for text in texts)] == []


@pytest.mark.parametrize("word", ["사과", "감", "서울", "여덟", "‘나무’", "12", "1,000"])
@pytest.mark.parametrize("pair", ["은/는", "을/를", "이/가", "과/와", "으로/로"])
def test_the_judge_writes_as_we_do_and_notices_the_other_form(
    judge: Judge, word: str, pair: str
) -> None:
    particle = parse_particle(pair)
    ours = choose(word, particle)
    (other,) = {particle.after_consonant, particle.after_vowel} - {ours}
    assert Place("", "", word, particle, ours).kind(judge) == ""
    assert Place("", "", word, particle, other).kind(judge) == OTHER


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("이 글을 읽고 답해 주십시오.", []),
        ("이글을 읽고 답할수 있습니까?", [OTHER, OTHER]),
        ("참/거짓", ["beside a sign"]),
        ("댓글 점검표 작성", ["compound"]),
    ],
)
def test_spacing_that_is_wrong_and_not_known_is_unexplained(
    judge: Judge, text: str, kinds: list[str]
) -> None:
    line = Line("", text, (True,) * len(text))
    assert [kind for kind, _ in spacing(judge, line)] == kinds


@pytest.mark.parametrize(("asked", "kind"), [(True, "chat spelling"), (False, OTHER)])
def test_chat_spelling_is_for_prompts(judge: Judge, asked: bool, kind: str) -> None:
    text = "이 댓글 좀 심한거 아님?"
    line = Line("", text, (True,) * len(text), asked)
    assert [kind for kind, _ in spacing(judge, line)] == [kind]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("결과를 JSON으로 적어 주세요.", ["no reading"]),
        ("대상이 하나이고 뜻은 둘이다.", ["short form"]),
        ("두었다.", ["short form"]),
        ("㉠과 ㉡을 비교한다.", ["letter name", "letter name"]),
        ("앞의 기준(0~5)으로 매긴다.", ["last in brackets"]),
        ("책를 읽었다.", [OTHER]),
    ],
)
def test_spelling_that_differs_has_a_kind(judge: Judge, text: str, kinds: list[str]) -> None:
    line = Line("", text, (True,) * len(text))
    assert [kind for kind, _ in spelling(judge, line)] == kinds


def test_what_a_record_says_is_not_judged(judge: Judge) -> None:
    text = "이글을 읽고 답할수 있습니까?"
    assert list(spacing(judge, Line("", text, (False,) * len(text)))) == []
