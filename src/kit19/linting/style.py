"""Rule ``mixed_styles``: sentence endings must match the style that a template declares."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kit19.linting.view import FIELD, View, Violation

_QUOTED = re.compile('“[^”]*”|‘[^’]*’|「[^」]*」|『[^』]*』|〈[^〉]*〉|<[^>]*>|"[^"]*"')
_ASIDE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_ITEM = re.compile(
    r"\s*(?:[-*•■○×①-⑳ⓐ-ⓩ㉠-㉿]|\d+[.)점번]|\([가-힣ㄱ-ㅎA-Z\d]\)|[A-Za-z가-하ㄱ-ㅎ][:.)])"
)
_SENTENCE = re.compile(r"[^.?!…\n]+(?:[.?!…]+|$)", re.MULTILINE)
_LABEL = re.compile(r"^[^:.?!]{1,20}:\s*")


def _syllables_with_final(first: str) -> str:
    """Return all syllables with the final consonant of the given one (such as 갈)."""
    return "".join(map(chr, range(ord(first), ord("힣") + 1, 28)))


# Sentence ending → style; the first match wins. A weak ending decides only before a punctuation mark:
# without one it may be the end of a noun (유지, 조사, 답지, 단가).
_ENDINGS: tuple[tuple[re.Pattern[str], str, bool], ...] = tuple(
    (re.compile(f"(?:{pattern})$"), style, weak)
    for pattern, style, weak in (
        (r"십시오", "합쇼체", False),
        (r"것은", "시험체", True),  # 옳은 것은?
        (r"시오", "시험체", False),
        (r"니다|(?<!으)니까", "합쇼체", False),
        (r"(?:필|수|개|주|소|중)요", "명사형", False),
        (r"요|죠", "해요체", False),
        # 달라, 몰라, 골라: verbs in 르, not the imperative -라.
        (rf"더라|[{_syllables_with_final('갈')}]라|잖아|거든", "해체", False),
        (r"나라", "명사형", False),
        (r"라|느냐", "해라체", False),
        (rf"[{_syllables_with_final('간')}]가", "해라체", True),
        (r"다", "해라체", False),
        (r"[기음함됨임]", "명사형", False),
        (r"줘|돼|해|봐|써|와|래|어|아|야|지|까|니|네|데|걸|냐|게|자", "해체", True),
    )
)

# Style → allowed styles of its sentences, and of its answer. Nouns fit any style.
_QUESTION_STYLES = {
    "합쇼체": {"합쇼체"},
    "하십시오체": {"합쇼체"},
    "해요체": {"해요체"},
    "해체": {"해체", "명사형"},
    "해라체": {"해라체"},
    "시험체": {"시험체"},
    "명사형": {"명사형"},
}
_ANSWER_STYLES = {
    "합쇼체": {"합쇼체"},
    "하십시오체": {"합쇼체", "해라체"},
    "해요체": {"해요체"},
    "해체": {"해체"},
    "해라체": {"해라체"},
    "시험체": {"해라체"},
    "명사형": {"명사형", "해라체"},
}
_CASUAL_YES = {"응": {"해체"}, "어": {"해체"}, "아니": {"해체"}}
_POLITE_YES = re.compile("(?:예|네|아니요)(?=[,.]|$)")
_ANIO = re.compile(r"(?<![가-힣])아니오(?![가-힣])")


def mixed_styles(view: View) -> Iterator[Violation]:
    """A sentence is not in the declared style, or the answer does not fit the question's."""
    for template in view.templates.templates:
        style = template.card.style
        found: set[str] = set()
        for name in ("instruction", "input"):
            for text in view.skeletons(template, name):
                for sentence in sentences(text, unmarked=name == "instruction"):
                    styles = styles_of(sentence)
                    found |= styles
                    if not styles & (
                        _QUESTION_STYLES[style] | ({"명사형"} if name == "input" else set())
                    ):
                        yield Violation(
                            template.id,
                            f"{_quote(sentence)} is {_join_styles(styles)}, not {style}",
                        )
        ordered = any("십시오" in text for text in view.skeletons(template, "instruction"))
        if (found and not found & _QUESTION_STYLES[style]) or (
            style == "하십시오체" and not ordered
        ):
            yield Violation(template.id, f"none of its sentences is {style}")
        for text in view.skeletons(template, "output"):
            if what := _answer_fault(text, style):
                yield Violation(template.id, what)


def _answer_fault(text: str, style: str) -> str:
    if match := _ANIO.search(text):
        return f"{match.group()} should be 아니요"
    first = re.split(r"[,.\s]", text, maxsplit=1)[0]
    if first in _CASUAL_YES and style not in _CASUAL_YES[first]:
        return f"{first} does not answer in {style}"
    if style == "해체" and _POLITE_YES.match(text):
        return f"{first} does not answer in {style}"
    for sentence in sentences(text, unmarked=True):
        styles = styles_of(sentence)
        if not styles & (_ANSWER_STYLES[style] | {"명사형"}) and sentence not in ("아니요", "아니"):
            which = f"the answer {_quote(sentence)} is {_join_styles(styles)}"
            return f"{which}, which does not fit {style}"
    return ""


def sentences(text: str, *, unmarked: bool) -> list[str]:
    """Return the sentences of a skeleton, without quotations, parentheses and list items.

    Args:
        text: A skeleton.
        unmarked: Whether a single line without a final punctuation mark counts as a sentence.
    """
    lines = _ASIDE.sub("", _QUOTED.sub(FIELD, text)).split("\n")
    lines = [line for line in lines if len(lines) == 1 or not _ITEM.match(line)]
    found = []
    for line in lines:
        for match in _SENTENCE.finditer(_LABEL.sub("", line) if len(lines) > 1 else line):
            sentence = match.group().strip()
            if sentence.strip(f"{FIELD} ") and (
                sentence[-1] in ".?!…" or (unmarked and len(lines) == 1)
            ):
                found.append(sentence)
    return found


def styles_of(sentence: str) -> frozenset[str]:
    """Return the possible styles of a sentence by its ending; every style if it ends in a field."""
    ending = sentence.rstrip(" .?!…,")
    if ending.endswith(FIELD):
        return frozenset(_QUESTION_STYLES)
    for pattern, style, weak in _ENDINGS:
        if pattern.search(ending):
            return frozenset(["명사형", style] if weak and ending == sentence else [style])
    return frozenset(["명사형"])


def _quote(sentence: str) -> str:
    return f"‘{sentence.replace(FIELD, '…')}’"


def _join_styles(styles: frozenset[str]) -> str:
    return " or ".join(sorted(styles))
