"""Rules for instructions: each is followed by one answer and broken by another that is close to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19.core.errors import CatalogError
from kit19.evaluating import TASKS
from kit19.evaluating.instruction_rules.numerals import systems
from kit19.evaluating.instruction_rules.particles import has_particle
from kit19.evaluating.instruction_rules.register import registers
from kit19.evaluating.instruction_rules.rules import RULES, follows
from kit19.evaluating.instruction_rules.scoring import (
    check,
    load,
    score_answer,
    share_of_instructions,
    variants,
)
from kit19.evaluating.instruction_rules.texts import sentences, words
from kit19.korean.jamo import initial_letters, join_letters, split_letters
from tests.support.invoking import invoke

# (arguments, an answer that follows, one that does not)
CASES: dict[str, list[tuple[dict[str, Any], str, str]]] = {
    "keywords:existence": [({"keywords": ["서울", "Hangul"]}, "서울에서 hangul을", "서울에서")],
    "keywords:frequency": [
        ({"keyword": "우산", "relation": "최소", "frequency": 2}, "우산과 우산꽂이", "우산 하나"),
        ({"keyword": "비", "relation": "less than", "frequency": 2}, "비", "비, 또 비"),
    ],
    "keywords:forbidden_words": [
        ({"forbidden_words": ["달", "하트"]}, "배달이 달콤하다", "달은 밝다"),
        ({"forbidden_words": ["연인"]}, "여인들의 밤", "연인들의 밤"),
    ],
    "keywords:letter_frequency": [
        ({"letter": "ㄱ", "let_relation": "at least", "let_frequency": 3}, "각각", "각"),
        ({"letter": "가", "let_relation": "less than", "let_frequency": 1}, "각", "가"),
    ],
    "language:response_language": [
        ({"language": "ko"}, "오늘은 vLLM을 배웁니다", "Today 배움"),
        ({"language": "ja"}, "きょうはいい天気", "오늘은 맑다"),
    ],
    "kit19:hangul_only": [({}, "한글만 씁니다. 1, 2!", "한글과 漢字")],
    "length_constraints:number_words": [
        ({"relation": "최소", "num_words": 3}, "나는 밥을 먹는다", "나는 *** - 먹는다"),
        ({"relation": "미만", "num_words": 3}, "나는 먹는다", "나는 밥을 먹는다"),
    ],
    "length_constraints:number_sentences": [
        ({"relation": "at least", "num_sentences": 3}, "갔다. 왔다!\n쉰다", "3.5점이다. 왔다!"),
        ({"relation": "미만", "num_sentences": 2}, "1. 물을 끓인다.", "물을 끓인다. 쉰다."),
    ],
    "kit19:number_letters": [
        ({"relation": "이하", "num_letters": 5}, "가 나다 라마", "가 나다 라마바"),
        ({"relation": "정확히", "num_letters": 1}, "각", "각"),
    ],
    "length_constraints:number_paragraphs": [
        ({"num_paragraphs": 2}, "하나\n***\n둘\n***", "하나\n***\n\n***\n둘"),
    ],
    "length_constraints:nth_paragraph_first_word": [
        (
            {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "신문 찾기"},
            "처음\n\n**신문 찾기**는 쉽다",
            "처음\n\n신문 찾기왕",
        ),
        ({"num_paragraphs": 2, "nth_paragraph": 1, "first_word": "봄"}, "봄이다\n끝", "봄이다"),
    ],
    "detectable_content:number_placeholders": [
        ({"num_placeholders": 2}, "[이름] 님, [주소]", "[이름] 님 []"),
    ],
    "detectable_content:postscript": [
        ({"postscript_marker": "P.S."}, "안녕\n**P. S. 또 봐", "안녕 ps"),
        ({"postscript_marker": "추신"}, "안녕\n추신: 또 봐", "추신이 없다고 했다는 안녕"[3:]),
    ],
    "detectable_format:number_bullet_lists": [
        ({"num_bullets": 2}, "* 하나\n- 둘\n---\n**셋**", "* 하나\n- 둘\n• 셋"),
    ],
    "detectable_format:constrained_response": [
        ({}, "제 대답은 아니오입니다.", "아니오."),
    ],
    "detectable_format:number_highlighted_sections": [
        ({"num_highlights": 2}, "*하나*와 **둘**", "* 하나\n* 둘\n*셋*"),
    ],
    "detectable_format:multiple_sections": [
        ({"section_spliter": "단락", "num_sections": 2}, "단락 1\n글\n단락2", "단락 1\n단락 둘"),
    ],
    "detectable_format:json_format": [
        ({}, '```json\n{"가": [1]}\n```', "{'가': 1}"),
    ],
    "detectable_format:title": [({}, "<<봄>>\n봄이다", "<< >>\n봄이다")],
    "combination:two_responses": [
        ({}, "하나\n******\n둘", "하나\n******\n하나"),
    ],
    "combination:repeat_prompt": [
        ({"prompt_to_repeat": "봄을 쓰세요."}, "봄을\n쓰세요. 봄이다", "네, 봄을 쓰세요."),
    ],
    "startend:end_checker": [({"end_phrase": "끝."}, "“봄이다. 끝.”", "봄이다. 끝")],
    "kit19:start_checker": [({"start_phrase": "먼저"}, "“먼저 간다", "나 먼저")],
    "startend:quotation": [({}, "“봄이다”", '"봄이다')],
    "change_case:english_capital": [({}, "SPRING 2", "Spring")],
    "change_case:english_lowercase": [({}, "spring", "봄")],
    "change_case:capital_word_frequency": [
        ({"capital_relation": "at least", "capital_frequency": 2}, "AI와 USA, NATO", "AI와 Usa"),
    ],
    "punctuation:no_comma": [({}, "봄 여름.", "봄、여름"), ({}, "봄·여름", "1,000")],
    "Korean:acrostic_poem": [
        ({"target_word": "장마"}, "<<비>>\n장: 장화 신고\n\n- 마중 간다", "장화 신고\n집에\n마중"),
    ],
    "kit19:initial_consonants": [({"initials": "ㅅㄹ"}, "첫사랑", "사과")],
    "Korean:postposition_drop": [
        ({}, "물 끓인 뒤 라면 넣기, 고양이 같이", "물을 끓인 뒤"),
        ({}, "좋은 책 읽는 습관", "책으로 배우기"),
    ],
    "Korean:honorifics": [
        ({"direction_to": "honorific"}, "<<제목>>\n쉬세요. 갑시다!", "쉬세요. 나는 간다."),
        ({"direction_to": "non-honorific"}, "어디 있어? 빨리 와 줘.", "어디 있어요?"),
    ],
    "Korean:numbers": [
        ({"direction_to": "chinese"}, "사과 일 개와 배 이 개", "사과 한 개와 배 이 개"),
        ({"direction_to": "korean"}, "사흘째 되는 날, 세 명", "3일째 되는 날, 세 명"),
    ],
}


def test_every_rule_has_a_case() -> None:
    assert set(CASES) == set(RULES)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("identity", CASES)
def test_a_rule_tells_an_answer_that_follows_from_a_close_one(
    identity: str, form: Literal["NFC", "NFD"]
) -> None:
    for arguments, *answers in CASES[identity]:
        good, bad = (normalize(form, text) for text in answers)
        assert follows(identity, good, arguments), good
        assert good == bad or not follows(identity, bad, arguments), bad
        assert not follows(identity, " \n", arguments)


@pytest.mark.parametrize(
    ("identity", "arguments", "message"),
    [
        ("keywords:nothing", {}, "there is no rule for the instruction 'keywords:nothing'"),
        ("length_constraints:number_words", {"num_words": 3}, "KeyError: 'relation'"),
        (
            "length_constraints:number_words",
            {"num_words": 3, "relation": "about"},
            "unknown relation 'about'",
        ),
        ("language:response_language", {"language": "sw"}, "no rule for the language 'sw'"),
    ],
)
def test_what_no_rule_knows_is_an_error(
    identity: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(CatalogError, match=message):
        follows(identity, "답", arguments)


REGISTERS = {
    "여기까지 오시느라 고생하셨습니다. 이제 좀 쉬세요.": ["polite", "polite"],
    "지금 어디에 있어? 빨리 와 줘.": ["plain", "plain"],
    "우리 함께 갑시다. 그분은 의사이시다.": ["polite", "plain"],
    "정말 아름답지요? “어디 가십니까?”": ["polite", "polite"],
    "준비물: 우산 (필요)": [],
    "바다\n필요\n먹었음": [],
    "그랬구나! 내가 금방 돌아올게. 이건 책이야": ["plain", "plain", "plain"],
    "그 말은 사실이 아니다. 비가 오니까. 책을 판다.": ["plain", "plain", "plain"],
    "제가 할게요. 그렇죠? 학교에 가요. 죄송합니다만.": ["polite"] * 4,
    "내가 할게. 그렇네. 참 좋지?": ["plain", "plain", "plain"],
    "네! 예, 네. 와, 정말 멋지네요!": ["polite", "polite", "polite"],
    "와! 자! 우와~": [],
    "시민 참여\n## 품질 유지\n1. 에너지\n**아이디어**\n- 사용자": [],
    "나도 갈래\n이제 좀 쉬자\n잘 지내지": ["plain", "plain", "plain"],
}


@pytest.mark.parametrize("text", REGISTERS)
def test_the_register_of_sentences(text: str) -> None:
    assert registers(text) == REGISTERS[text]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("오늘 이 회의를 하고 이번 주말에 일을 한다. 구분하고 사회에 나간다.", set()),
        ("사과 하나, 배 둘, 포도 세 송이", {"native"}),
        ("스무 분 동안 서른다섯 살", {"native"}),
        ("이십 분 동안 삼십오 세", {"sino"}),
        ("오 마리, 삼일째", {"sino"}),
        ("네 가지와 20분", {"native", "digits"}),
        ("그 일 시작했다. 일 해 보니 네 번호는 일 점심 뒤에 오 분위기", set()),
        ("세 시쯤 두 명씩 두 해 전", {"native"}),
        ("삼 년간 일 년에 칠 년 만에", {"sino"}),
    ],
)
def test_systems_of_numerals(text: str, found: set[str]) -> None:
    assert systems(text) == found


def test_nouns_that_end_like_a_particle_have_none() -> None:
    nouns = "사랑 바나나 누나 여가 협의 선호도 낭만 프로 나들이 지팡이 호랑이 두께 교과"
    assert [word for word in nouns.split() if has_particle(word)] == []
    carried = "사랑이 바나나를 누나가 여가를 협의도 낭만과 프로만 두께와 세계로 너랑"
    assert all(map(has_particle, carried.split()))


@pytest.mark.real
def test_particles_are_those_of_klue(real_data: Path) -> None:
    """On gold tags; the file is in the test only where it is at hand."""
    [path] = (real_data / "klue/klue_benchmark/klue-dp-v1.1").glob("*dev*.tsv")
    rows = [line.rstrip("\n").split("\t") for line in path.read_text("utf-8").splitlines()]
    pairs = [
        (bool(tags) and tags[-1].startswith("J"), has_particle(word))
        for _, word, _, pos, *_ in (row for row in rows if len(row) == 6 and row[0].isdigit())
        for tags in [[t for t in pos.split("+") if t[0] != "S" or t in ("SL", "SN", "SH")]]
    ]
    right = sum(gold and found for gold, found in pairs)
    assert len(pairs) == 22_496
    assert right / sum(found for _, found in pairs) > 0.97
    assert right / sum(gold for gold, _ in pairs) > 0.95


HANGUL = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), max_size=12)


@given(HANGUL)
def test_letters_of_a_syllable_are_put_together_again(text: str) -> None:
    assert "".join(join_letters(split_letters(one)) for one in text) == text
    assert [split_letters(one)[0] for one in text] == list(initial_letters(text))


@given(
    st.lists(HANGUL.filter(lambda text: len(text) > 1), min_size=1, max_size=6), st.integers(0, 7)
)
def test_counts_of_words_and_sentences(parts: list[str], wanted: int) -> None:
    assert len(words(" ".join(parts))) == len(parts)
    assert len(sentences(". ".join(parts) + ".")) == len(parts)
    for unit, text in (("words", " ".join(parts)), ("sentences", "\n".join(parts))):
        identity = f"length_constraints:number_{unit}"
        found = {
            relation: follows(identity, text, {"relation": relation, f"num_{unit}": wanted})
            for relation in ("at least", "미만", "exactly")
        }
        assert found == {
            "at least": len(parts) >= wanted,
            "미만": len(parts) < wanted,
            "exactly": len(parts) == wanted,
        }


@given(st.text("가나 .\n*", max_size=30), st.sampled_from(sorted(CASES)))
def test_what_is_followed_strictly_is_followed_loosely(text: str, identity: str) -> None:
    arguments = [CASES[identity][0][0]]
    strict = check([identity], arguments, text)
    assert strict <= check([identity], arguments, text, loose=True)
    assert text in variants(text)


def test_loose_accuracy_forgives_a_preface_a_closing_remark_and_emphasis() -> None:
    ids = ["startend:quotation", "punctuation:no_comma"]
    answer = '네, 알겠습니다.\n*"봄이다"*\n더 필요하세요?'
    assert check(ids, [{}, {}], answer) == [False, False]
    assert check(ids, [{}, {}], answer, loose=True) == [True, True]


def test_accuracy_over_prompts_and_over_instructions() -> None:
    doc = {
        "instruction_id_list": ["punctuation:no_comma", "startend:quotation"],
        "kwargs": [{}, {}],
    }
    assert score_answer(doc, ["봄이다"]) == {
        "prompt_level_strict_acc": False,
        "inst_level_strict_acc": [True, False],
        "prompt_level_loose_acc": False,
        "inst_level_loose_acc": [True, False],
    }
    assert share_of_instructions([[True, False], [True]]) == pytest.approx(2 / 3)


def test_a_repeated_prompt_does_not_count_against_the_register() -> None:
    ids = ["Korean:honorifics", "combination:repeat_prompt"]
    prompt = "다음 문장을 반말로 바꾸세요. '어제는 즐거웠어요.'"
    arguments = [{"direction_to": "non-honorific"}, {"prompt_to_repeat": prompt}]
    assert check(ids, arguments, f"{prompt}\n어제는 즐거웠어.") == [True, True]
    assert check(ids, arguments, f"{prompt}\n어제는 즐거웠어요.") == [False, True]


@pytest.mark.parametrize("name", ["ifeval_ko", "kite"])
def test_the_tasks_are_scored_on_the_sample(
    model_of: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    text = (TASKS / "generated" / f"{name}.yaml").read_text("utf-8")
    short = text.replace("max_gen_toks: 1280", "max_gen_toks: 8").replace(
        f"task: {name}", "task: s"
    )
    (tmp_path / "short.yaml").write_text(short, encoding="utf-8")
    out = tmp_path / "out"
    ran = invoke(
        *("eval", str(model_of()), "--out", str(out), "--tasks", str(tmp_path / "short.yaml")),
        *("--sample", "--device", "cpu", "--dtype", "float32"),
    )
    assert ran.code == 0, ran.err
    samples = [
        json.loads(line) for line in (out / "samples_s.jsonl").read_text("utf-8").splitlines()
    ]
    scores = json.loads((out / "results.json").read_text("utf-8"))["results"]["s"]
    documents = load(name, "sample")["test"]
    assert [one["doc"]["item"] for one in samples] == documents["item"]
    followed = [
        check(doc["instruction_id_list"], doc["kwargs"], one["resps"][0][0])
        for doc, one in zip(documents, samples, strict=True)
    ]
    assert scores["inst_level_strict_acc,none"] == share_of_instructions(followed)
    assert scores["prompt_level_strict_acc,none"] == sum(map(all, followed)) / len(followed)
