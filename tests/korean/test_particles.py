import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19.core.errors import Kit19Error, ParticleError
from kit19.korean import PARTICLES, Final, Particle, attach, choose, parse_particle
from kit19.korean.finals import either

ATTACHED = [
    # 표준국어대사전, each particle
    ("은/는", "사과|는 귤|은 감|은 서울|은 민수|는 3|은 2|는 KBS|는 UN|은 50%|는 10kg|은"),
    ("이/가", "사과|가 귤|이 감|이 10|이 1조|가 URL|이"),
    ("을/를", "사과|를 귤|을 감|을 10km|를 $10|를 GDP|를"),
    ("과/와", "사과|와 귤|과 감|과 여덟|과 A|와 M|과"),
    (
        "으로/로",
        "사과|로 귤|로 서울|로 감|으로 여덟|으로 1|로 7|로 8|로 3|으로 URL|로 집|으로 부산|으로",
    ),
    ("으로서/로서", "의사|로서 딸|로서 학생|으로서"),
    ("으로써/로써", "말|로써 쌀|로써 돈|으로써"),
    ("으로부터/로부터", "친구|로부터 서울|로부터 부산|으로부터"),
    ("이나/나", "사과|나 귤|이나 감|이나"),
    ("이란/란", "사과|란 귤|이란 AI|란"),
    ("이라는/라는", "사과|라는 귤|이라는 『토지』|라는 〈기생충〉|이라는"),
    ("이라고/라고", "사과|라고 “감”|이라고"),
    ("이든/든", "사과|든 감|이든"),
    ("이며/며", "의사|며 학생|이며"),
    ("이야/야", "사과|야 귤|이야"),
    ("아/야", "철수|야 길동|아"),
    ("이여/여", "그대|여 임|이여"),
    ("이랑/랑", "나|랑 동생|이랑"),
    ("이지만/지만", "의사|지만 학생|이지만"),
    ("이므로/므로", "의사|므로 학생|이므로"),
    ("이세요/세요", "의사|세요 선생님|이세요"),
    ("이십니다/십니다", "의사|십니다 선생님|이십니다"),
    # 표준어 규정 제26항: 이에요, 이어요; after a vowel 예요, 여요
    ("이에요/예요", "사과|예요 귤|이에요 감|이에요 지아니|예요 ‘아니’|예요"),
    ("이어요/여요", "의사|여요 학생|이어요"),
    # 한글 맞춤법 제36항
    ("이었다/였다", "의사|였다 학생|이었다"),
    ("이었습니다/였습니다", "의사|였습니다 학생|이었습니다"),
]


@pytest.mark.parametrize(
    ("pair", "expected"),
    [(pair, text) for pair, texts in ATTACHED for text in texts.split()],
)
def test_a_word_takes_the_right_form(pair: str, expected: str) -> None:
    word, form = expected.split("|")
    assert choose(word, pair) == form
    assert attach(word, pair) == word + form


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ("은/는", "York은(는)"),
        ("이/가", "York이(가)"),
        ("을/를", "York을(를)"),
        ("과/와", "York와(과)"),
        ("으로/로", "York(으)로"),
        ("으로서/로서", "York(으)로서"),
        ("이라는/라는", "York(이)라는"),
        ("아/야", "York아(야)"),
        ("이에요/예요", "York이에요(예요)"),
        ("이었다/였다", "York이었(였)다"),
    ],
)
def test_where_nobody_knows_both_forms_are_written(pair: str, expected: str) -> None:
    assert attach("York", pair) == expected


READINGS = {Final.VOWEL: "사과", Final.RIEUL: "귤", Final.CONSONANT: "감"}


@pytest.mark.parametrize("particle", PARTICLES, ids=lambda particle: particle.name)
@pytest.mark.parametrize("final", Final)
def test_a_form_is_known_if_every_reading_takes_it(particle: Particle, final: Final) -> None:
    forms = {choose(word, particle) for single, word in READINGS.items() if single & final}
    assert particle.after(final) == (forms.pop() if len(forms) == 1 else particle.both)


@given(st.lists(st.sampled_from(Final), min_size=1))
def test_joined_readings_leave_no_more_known_than_each_does(finals: list[Final]) -> None:
    for particle in PARTICLES:
        forms = {particle.after(final) for final in finals}
        expected = forms.pop() if len(forms) == 1 else particle.both
        assert particle.after(either(*finals)) == expected


@pytest.mark.parametrize(
    ("texts", "topic", "direction"),
    [
        # readings that differ only for 으로/로: 일/원, 칠/세븐
        ("KBS1|G7|Windows 7|GPT-4.1|F1|o1|iOS 17.1|Ⅶ|咽", "은", "(으)로"),
        # and those that differ only for the others: 팔/에이트, 마일/엠피에이치
        ("iPhone 8|80mph|VIII|不|archive.tar", "은(는)", "로"),
        ("README|INFP|.org|.ipynb|PyTorch|Qwen3|II|Ⅱ|9:00|12:00|사과😀|사과♥", "는", "로"),
        ("Git|EXAONE|5Å|감😀|감♥|감™|GOT7|XIII", "은", "으로"),
        ("Makefile|Dior|2024-12|귤🇰🇷", "은", "로"),
        ("JPEG|MP3|III|IX|ENTP|10:12", "은(는)", "(으)로"),
    ],
)
def test_a_form_is_decided_pair_by_pair(texts: str, topic: str, direction: str) -> None:
    for text in texts.split("|"):
        assert attach(text, "은/는") == text + topic
        assert attach(text, "으로/로") == text + direction


@pytest.mark.parametrize(
    "ani", ["아니", "사과가 아니", "사과가\u00a0아니", "\u110b\u1161\u1102\u1175"]
)
@pytest.mark.parametrize(
    ("pair", "form"),
    [
        ("이에요/예요", "에요"),
        ("이었다/였다", "었다"),
        ("이었습니다/였습니다", "었습니다"),
        ("이어서/여서", "어서"),
        ("이라고/라고", "라고"),
        ("이여/여", "여"),
    ],
)
def test_ani_takes_eyo_and_never_yeyo(ani: str, pair: str, form: str) -> None:
    assert attach(ani, pair) == ani + form


@pytest.mark.parametrize("particle", PARTICLES, ids=lambda particle: particle.name)
def test_every_way_to_name_a_pair_gives_the_same_pair(particle: Particle) -> None:
    consonant, vowel = particle.after_consonant, particle.after_vowel
    names = [f"{consonant}/{vowel}", f"{vowel}/{consonant}", f" {consonant} / {vowel} "]
    names += [particle.both, f"{consonant}({vowel})", f"{vowel}({consonant})"]
    for name in names:
        assert parse_particle(name) is particle
        assert parse_particle(unicodedata.normalize("NFD", name)) is particle


@pytest.mark.parametrize("particle", PARTICLES, ids=lambda particle: particle.name)
def test_only_the_kin_of_euro_take_rieul_as_a_vowel(particle: Particle) -> None:
    assert particle.rieul_as_vowel == particle.after_consonant.startswith("으로")
    expected = particle.after_vowel if particle.rieul_as_vowel else particle.after_consonant
    assert particle.after(Final.RIEUL) == choose("귤", particle) == expected


@pytest.mark.parametrize(
    "name",
    ["", "은", "은/가", "은/는/은", "/", "이/이", "입니다/ㅂ니다", "인데/ㄴ데", "은(는", "를를"],
)
def test_a_pair_that_korean_does_not_have_is_refused_with_those_it_has(name: str) -> None:
    with pytest.raises(ParticleError) as caught:
        choose("사과", name)
    assert isinstance(caught.value, Kit19Error)
    message = str(caught.value)
    assert message.startswith(f"Korean has no pair of particles {name!r}\n    known: 은/는, 이/가,")
    assert all(particle.name in message for particle in PARTICLES)


@given(st.text(), st.sampled_from(PARTICLES))
def test_attaching_never_changes_the_word(word: str, particle: Particle) -> None:
    attached = attach(word, particle)
    assert attached.startswith(word)
    assert attached[len(word) :] == choose(word, particle)
    assert attached[len(word) :] in {
        particle.after_consonant,
        particle.after_vowel,
        particle.after_ani,
        particle.both,
    }
