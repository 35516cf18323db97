"""What the template language refuses, each mistake with its exact message.

The same mistakes in whole files, with line numbers, stand in ``tests/catalog/bad_cards``.
"""

from __future__ import annotations

from typing import Any

import pytest

from kit19 import CatalogError, Kit19Error
from kit19.rendering.parse import Insertion, Literal, TemplateSyntaxError, parse
from tests.support.kiosk import WORDS, template, templates


def complaint(*cards: dict[str, Any], words: dict[str, Any] | None = None) -> str:
    with pytest.raises(CatalogError) as caught:
        templates(*cards, words=words)
    return str(caught.value).replace("notes.yaml: ", "", 1)


def test_a_template_is_read_into_its_pieces() -> None:
    named, plain = parse("카페 ‘{name}’{은/는} {{좋은}} {label.ko}!")[1::2]
    assert isinstance(named, Insertion)
    assert (named.field, named.form, named.closing) == ("name", "", "’")
    assert named.particle
    assert named.particle.name == "은/는"
    assert plain == Insertion("label", "ko")
    assert parse("카페 ‘{name}’{은/는} {{좋은}} {label.ko}!")[0::2] == [
        Literal("카페 ‘"),
        Literal(" {좋은} "),
        Literal("!"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{text", "the brace '{' at 0 has no partner"),
        ("text}", "the brace '}' at 4 has no partner"),
        ("{{text}", "the brace '}' at 6 has no partner"),
        ("{te{xt}}", "the brace '{' at 0 has no partner"),
        ("{}", "'{}' is neither a field nor a particle; a literal brace is written {{ or }}"),
        ("{ text }", "'{ text }' is neither a field nor a particle; a literal brace is written"),
        ("{Text}", "'{Text}' is neither a field nor a particle; a literal brace is written"),
        ("{a.b.c}", "'{a.b.c}' is neither a field nor a particle; a literal brace is written"),
        ("{글}", "'{글}' is neither a field nor a particle; a literal brace is written"),
        ("{은/는}", "the particle {은/는} does not follow an insertion"),
        ("사과{은/는}", "the particle {은/는} does not follow an insertion"),
        ("{name} {은/는}", "the particle {은/는} does not follow an insertion"),
        ("{name}{은/는}{이/가}", "the particle {이/가} does not follow an insertion"),
        ("{name}, {은/는}", "the particle {은/는} does not follow an insertion"),
        ("{name}{는/가}", "Korean has no pair of particles '는/가'"),
        ("{name}{/}", "Korean has no pair of particles '/'"),
    ],
)
def test_text_that_is_not_well_formed_is_refused(text: str, message: str) -> None:
    with pytest.raises(Kit19Error) as caught:
        parse(text)
    assert str(caught.value).startswith(message)


def test_a_brace_without_partner_is_a_syntax_error() -> None:
    with pytest.raises(TemplateSyntaxError):
        parse("{")


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (
            template(input="{texts}"),
            "template plain: {texts}: unknown field\n    did you mean text?",
        ),
        (
            template(output="{label.kor}"),
            "template plain: {label.kor}: unknown form\n    did you mean ko?",
        ),
        (
            template(input="{text.ko}"),
            "template plain: {text.ko}: unknown form\n    give words.text",
        ),
        (
            template(output="{label}"),
            (
                "template plain: {label}: a categorical field needs a form\n"
                "    write {label.FORM} with a form of `words.label`"
            ),
        ),
        (
            template(input="{text}{은/는}"),
            (
                "template plain: {text}: a particle may not follow free text\n"
                "    quote it with a noun that carries the particle, or put it on its own line"
            ),
        ),
        (
            template(input="‘{text}’{은/는}"),
            (
                "template plain: {text}: a particle may not follow free text\n"
                "    quote it with a noun that carries the particle, or put it on its own line"
            ),
        ),
        (
            template(input="{은/는} {text}"),
            "template plain, input: the particle {은/는} does not follow an insertion",
        ),
        (
            template(input="{text"),
            "template plain, input: the brace '{' at 0 has no partner",
        ),
        (
            template(output="긍정입니다."),
            (
                "template plain: the output inserts nothing from the record\n"
                "    insert a field or a label word"
            ),
        ),
        (
            template(when={"label": ["great"]}),
            "template plain: when.label: no such value: great\n    known: bad, good",
        ),
        (
            template(when={"label": []}),
            "template plain: when.label: names no value\n    known: bad, good",
        ),
        (
            template(when={"text": ["글"]}),
            "template plain: when.text: no categorical field\n    known: label, topics",
        ),
        (
            template(retired={"since": "0.2.0", "use": "another"}),
            "every template is retired",
        ),
    ],
)
def test_a_template_that_makes_no_sense_is_refused(card: dict[str, Any], message: str) -> None:
    assert complaint(card) == message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"bad": "부정"},
            (
                "template plain: {label.ko}: no word for good\n"
                "    give it in words.label.ko, or exclude it with `when`"
            ),
        ),
        ({"bad": "좋음", "good": "좋음"}, "words.label.ko: one word is used for two values"),
        (
            {"bad": "부정", "good": "긍정", "so_so": "보통"},
            "words.label.ko: no such value: so_so",
        ),
    ],
)
def test_words_that_do_not_fit_the_values_are_refused(words: dict[str, str], message: str) -> None:
    assert complaint(template(), words={"label": {"ko": words}}) == message


def test_words_for_free_text_are_refused() -> None:
    told = complaint(template(), words={**WORDS, "text": {"ko": {"a": "가"}}})
    assert told == "words.text: no categorical field\n    known: label, topics"


@pytest.mark.parametrize(
    "second",
    [
        template("second"),
        template("second", instruction="어때요!?", style="해체"),
        template("second", instruction=" 어 때 요 "),
        template("second", input="{text}\n"),
    ],
)
def test_templates_that_ask_the_same_in_the_same_words_are_alike(second: dict[str, Any]) -> None:
    assert complaint(template(), second) == "templates plain and second have the same wording"


@pytest.mark.parametrize(
    "second",
    [
        template("second", output="{label.like}"),
        template("second", instruction="어떤가요?"),
        template("second", input="{name}"),
        template("second", when={"label": ["good"]}),
    ],
)
def test_templates_that_differ_in_a_word_a_field_or_a_condition_are_two(
    second: dict[str, Any],
) -> None:
    assert len(templates(template(), second).templates) == 2


def test_all_mistakes_are_told_at_once() -> None:
    told = complaint(template(input="{texts}", output="{label}"), template("b", input="{"))
    assert [line for line in told.splitlines() if "template" in line] == [
        "template plain: {texts}: unknown field",
        "notes.yaml: template plain: {label}: a categorical field needs a form",
        "notes.yaml: template b, input: the brace '{' at 0 has no partner",
    ]
