"""The rules by instruction id. Each takes an answer and the arguments of its instruction."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from kit19.core.errors import CatalogError, Problem
from kit19.evaluating.instruction_rules import texts
from kit19.evaluating.instruction_rules.numerals import System, systems
from kit19.evaluating.instruction_rules.particles import particles
from kit19.evaluating.instruction_rules.register import registers
from kit19.korean.jamo import initial_letters

Arguments = Mapping[str, Any]
"""The ``kwargs`` of an instruction, without those that are null."""
Rule = Callable[[str, Arguments], bool]

RULES: dict[str, Rule] = {}
"""The rules by id: IFEval's, KITE's (``Korean:``) and some of our own (``kit19:``)."""

_COMMAS = re.compile("[,，、﹐]")
_BULLET = re.compile(r"^\s*(?:\*(?!\*)|-(?!-)|[•‣◦+])\s*\S", re.MULTILINE)
_HIGHLIGHT = re.compile(r"\*\*(?!\s)[^*\n]*[^*\s]\*\*|\*(?![\s*])(?:[^*\n]*[^*\s])?\*")
_FENCE = re.compile(r"^```[a-zA-Z]*\s*\n?(.*?)\n?```$", re.DOTALL)
_CONSTRAINED = re.compile(
    r"(?:제|저의|내|나의) (?:대)?답변?은 (?:예|네|아니오|아니요|아마도)(?:입니다|이다|예요|이에요|야)"
    r"|my answer is (?:yes|no|maybe)",
    re.IGNORECASE,
)
_SCRIPTS = {
    "ko": "HANGUL",
    "ja": "HIRAGANA|KATAKANA",
    "zh": "CJK",
    "en": "LATIN",
    "ru": "CYRILLIC",
    "ar": "ARABIC",
    "hi": "DEVANAGARI",
    "th": "THAI",
    "el": "GREEK",
    "he": "HEBREW",
}
_SYSTEM_OF_KITE: dict[str, System] = {"korean": "native", "chinese": "sino"}


def rule(identity: str) -> Callable[[Rule], Rule]:
    """Register a rule under the id of its instruction."""

    def register(check: Rule) -> Rule:
        RULES[identity] = check
        return check

    return register


def compare(found: int, relation: str, wanted: int) -> bool:
    """Compare a count as an instruction words it, in English or Korean.

    Raises:
        ValueError: The relation is unknown.
    """
    match relation.strip().lower():
        case "at least" | "최소" | "이상":
            return found >= wanted
        case "less than" | "미만":
            return found < wanted
        case "at most" | "최대" | "이하":
            return found <= wanted
        case "more than" | "초과":
            return found > wanted
        case "exactly" | "정확히":
            return found == wanted
    raise ValueError(f"unknown relation {relation!r}")


@rule("keywords:existence")
def _has_keywords(text: str, given: Arguments) -> bool:
    return all(texts.normalize(word) in texts.normalize(text) for word in given["keywords"])


@rule("keywords:frequency")
def _repeats_keyword(text: str, given: Arguments) -> bool:
    found = texts.normalize(text).count(texts.normalize(given["keyword"]))
    return compare(found, given["relation"], given["frequency"])


@rule("keywords:forbidden_words")
def _avoids_words(text: str, given: Arguments) -> bool:
    return not any(texts.count_word(text, word) for word in given["forbidden_words"])


@rule("keywords:letter_frequency")
def _repeats_letter(text: str, given: Arguments) -> bool:
    found = texts.count_letter(text, given["letter"])
    return compare(found, given["let_relation"], given["let_frequency"])


@rule("language:response_language")
def _is_in_language(text: str, given: Arguments) -> bool:
    script = _SCRIPTS.get(given["language"])
    if script is None:
        raise ValueError(f"no rule for the language {given['language']!r}")
    return texts.script_share(text, script) > 0.5


@rule("kit19:hangul_only")
def _is_hangul(text: str, _: Arguments) -> bool:
    return texts.script_share(text, "HANGUL") == 1


@rule("length_constraints:number_words")
def _has_words(text: str, given: Arguments) -> bool:
    return compare(len(texts.words(text)), given["relation"], given["num_words"])


@rule("length_constraints:number_sentences")
def _has_sentences(text: str, given: Arguments) -> bool:
    return compare(len(texts.sentences(text)), given["relation"], given["num_sentences"])


@rule("kit19:number_letters")
def _has_letters(text: str, given: Arguments) -> bool:
    return compare(texts.letters(text), given["relation"], given["num_letters"])


@rule("length_constraints:number_paragraphs")
def _has_paragraphs(text: str, given: Arguments) -> bool:
    parts = [part.strip() for part in re.split(r"\*\*\*", text)]
    inner = parts[1:-1]  # a divider may also stand before or after everything
    return all(inner) and sum(map(bool, parts)) == int(given["num_paragraphs"])


@rule("length_constraints:nth_paragraph_first_word")
def _starts_paragraph(text: str, given: Arguments) -> bool:
    parts = [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
    if len(parts) == 1:  # IFEval-Ko and KITE also ask for single line breaks
        parts = texts.lines(text)
    number = given["nth_paragraph"]
    return (
        len(parts) == int(given["num_paragraphs"])
        and 1 <= number <= len(parts)
        and texts.starts_with_word(parts[number - 1], given["first_word"])
    )


@rule("detectable_content:number_placeholders")
def _has_placeholders(text: str, given: Arguments) -> bool:
    return len(re.findall(r"\[[^\[\]\n]+\]", text)) >= int(given["num_placeholders"])


@rule("detectable_content:postscript")
def _has_postscript(text: str, given: Arguments) -> bool:
    marker = re.sub(r"[\s.]", "", texts.normalize(given["postscript_marker"]))
    heads = (re.sub(r"[\s.]", "", texts.normalize(line)) for line in texts.lines(text))
    return any(head.lstrip("*_#>").startswith(marker) for head in heads)


@rule("detectable_format:number_bullet_lists")
def _has_bullets(text: str, given: Arguments) -> bool:
    return len(_BULLET.findall(text)) == int(given["num_bullets"])


@rule("detectable_format:constrained_response")
def _is_one_of_the_options(text: str, _: Arguments) -> bool:
    return bool(_CONSTRAINED.search(text))


@rule("detectable_format:number_highlighted_sections")
def _has_highlights(text: str, given: Arguments) -> bool:
    return len(_HIGHLIGHT.findall(text)) >= int(given["num_highlights"])


@rule("detectable_format:multiple_sections")
def _has_sections(text: str, given: Arguments) -> bool:
    marker = re.escape(given["section_spliter"].strip())
    return len(re.findall(rf"{marker}\s?\d+", text)) >= int(given["num_sections"])


@rule("detectable_format:json_format")
def _is_json(text: str, _: Arguments) -> bool:
    fenced = _FENCE.match(text.strip())
    try:
        json.loads(fenced[1] if fenced else text)
    except ValueError:
        return False
    return True


@rule("detectable_format:title")
def _has_title(text: str, _: Arguments) -> bool:
    return any(title.strip("<> ") for title in re.findall(r"<<[^\n]+>>", text))


@rule("combination:two_responses")
def _has_two_answers(text: str, _: Arguments) -> bool:
    parts = [part.strip() for part in text.split("******")]
    answers = [part for part in parts if part]
    return len(answers) == 2 and all(parts[1:-1]) and answers[0] != answers[1]


@rule("combination:repeat_prompt")
def _repeats_prompt(text: str, given: Arguments) -> bool:
    wanted = " ".join(texts.normalize(given["prompt_to_repeat"]).split())
    return " ".join(texts.normalize(text).split()).startswith(wanted)


@rule("startend:end_checker")
def _ends_with(text: str, given: Arguments) -> bool:
    bare = texts.normalize(text).strip().strip(texts.QUOTES).strip()
    return bare.endswith(texts.normalize(given["end_phrase"]).strip())


@rule("kit19:start_checker")
def _starts_with(text: str, given: Arguments) -> bool:
    bare = texts.normalize(text).strip().strip(texts.QUOTES).strip()
    return bare.startswith(texts.normalize(given["start_phrase"]).strip())


@rule("startend:quotation")
def _is_quoted(text: str, _: Arguments) -> bool:
    bare = text.strip()
    return len(bare) > 1 and f"{bare[0]}{bare[-1]}" in ('""', "“”")


@rule("change_case:english_capital")
def _is_upper(text: str, _: Arguments) -> bool:
    return text.isupper() and texts.script_share(text, "LATIN") > 0.5


@rule("change_case:english_lowercase")
def _is_lower(text: str, _: Arguments) -> bool:
    return text.islower() and texts.script_share(text, "LATIN") > 0.5


@rule("change_case:capital_word_frequency")
def _has_capital_words(text: str, given: Arguments) -> bool:
    found = sum(word.isupper() for word in texts.words(text))
    return compare(found, given["capital_relation"], given["capital_frequency"])


@rule("punctuation:no_comma")
def _has_no_comma(text: str, _: Arguments) -> bool:
    return not _COMMAS.search(text)


@rule("Korean:acrostic_poem")
def _is_acrostic(text: str, given: Arguments) -> bool:
    """Lines that follow each other begin with the letters of the word; a title may precede them."""
    begins = [texts.without_marks(line)[:1] for line in texts.lines(text)]
    return given["target_word"] in "".join(begins)


@rule("kit19:initial_consonants")
def _has_initials(text: str, given: Arguments) -> bool:
    """A word, or words that follow each other, have these first consonants."""
    return given["initials"] in initial_letters(text)


@rule("Korean:postposition_drop")
def _has_no_particle(text: str, _: Arguments) -> bool:
    return not particles(text)


@rule("Korean:honorifics")
def _has_register(text: str, given: Arguments) -> bool:
    """All sentences with an ending have the register; sentences without (headings) do not count."""
    wanted = "polite" if given["direction_to"] == "honorific" else "plain"
    return set(registers(text)) == {wanted}


@rule("Korean:numbers")
def _has_numerals(text: str, given: Arguments) -> bool:
    """Every numeral is of the system, and there is one."""
    return systems(text) == {_SYSTEM_OF_KITE[given["direction_to"]]}


def follows(identity: str, text: str, given: Arguments) -> bool:
    """Whether an answer follows an instruction. An empty answer follows none.

    Args:
        identity: The id of the instruction.
        text: The answer.
        given: The arguments of the instruction.

    Raises:
        CatalogError: There is no rule for the instruction, or an argument is missing or unknown.
    """
    check = RULES.get(identity)
    if check is None:
        fix = f"use one of {', '.join(sorted(RULES))}"
        raise CatalogError(Problem(f"there is no rule for the instruction {identity!r}", fix=fix))
    if not text.strip():
        return False
    try:
        return check(unicodedata.normalize("NFC", text), given)
    except (KeyError, TypeError, ValueError) as error:
        what = f"the arguments {dict(given)} do not fit: {type(error).__name__}: {error}"
        raise CatalogError(Problem(what, identity)) from error
