"""Rule ``mixed_styles``: how sentences end, against the style that a template declares."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kit19.linting.view import FIELD, Fault, View

_QUOTED = re.compile('“[^”]*”|‘[^’]*’|「[^」]*」|『[^』]*』|〈[^〉]*〉|<[^>]*>|"[^"]*"')
_ASIDE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_ITEM = re.compile(r"\s*(?:[-*•■○×①-⑳ⓐ-ⓩ㉠-㉿]|\d+[.)점번]|\([가-힣ㄱ-ㅎ\d]\)|[A-Za-z][:.)])")
_SENTENCE = re.compile(r"[^.?!…\n]+(?:[.?!…]+|$)", re.MULTILINE)
_LABEL = re.compile(r"^[^:.?!]{1,20}:\s*")


def _with_final(first: str) -> str:
    """All syllables with the final of the one given, a vowel ㅏ after ㄱ."""
    return "".join(map(chr, range(ord(first), ord("힣") + 1, 28)))


# How a sentence ends → its style. The first that fits decides. A weak ending counts only before a mark:
# without one it is more likely a noun's (유지, 조사, 답지, 단가).
_ENDINGS: tuple[tuple[re.Pattern[str], str, bool], ...] = tuple(
    (re.compile(f"(?:{pattern})$"), style, weak)
    for pattern, style, weak in (
        (r"십시오", "합쇼체", False),
        (r"시오", "시험체", False),
        (r"니다|(?<!으)니까", "합쇼체", False),
        (r"(?:필|수|개|주|소|중)요", "명사형", False),
        (r"요|죠", "해요체", False),
        # 달라, 몰라, 골라: verbs in 르, not the order of -라.
        (rf"더라|[{_with_final('갈')}]라|잖아|거든", "해체", False),
        (r"나라", "명사형", False),
        (r"라|느냐", "해라체", False),
        (rf"[{_with_final('간')}]가", "해라체", True),
        (r"다", "해라체", False),
        (r"[기음함됨임]", "명사형", False),
        (r"줘|돼|해|봐|써|와|래|어|아|야|지|까|니|네|데|걸|냐|게|자", "해체", True),
    )
)

# Style → the styles that its sentences may be in, and those of its answer. A noun fits anywhere.
_ASKS = {
    "합쇼체": {"합쇼체"},
    "하십시오체": {"합쇼체"},
    "해요체": {"해요체"},
    "해체": {"해체"},
    "해라체": {"해라체"},
    "시험체": {"시험체"},
    "명사형": {"명사형"},
}
_ANSWERS = {
    "합쇼체": {"합쇼체"},
    "하십시오체": {"합쇼체", "해라체"},
    "해요체": {"해요체"},
    "해체": {"해체"},
    "해라체": {"해라체"},
    "시험체": {"해라체"},
    "명사형": {"명사형"},
}
_YES = {"응": {"해체"}, "어": {"해체"}, "아니": {"해체"}}
_POLITE_YES = re.compile("(?:예|네|아니요)(?=[,.]|$)")
_ANIO = re.compile(r"(?<![가-힣])아니오(?![가-힣])")


def mixed_styles(view: View) -> Iterator[Fault]:
    """A sentence is not in the declared style, or the answer does not fit the question's."""
    for template in view.templates.templates:
        style = template.card.style
        found: set[str] = set()
        for name in ("instruction", "input"):
            for text in view.skeletons(template, name):
                for sentence in sentences(text, whole=name == "instruction"):
                    styles = styles_of(sentence)
                    found |= styles
                    if not styles & (_ASKS[style] | ({"명사형"} if name == "input" else set())):
                        yield Fault(
                            template.id, f"{_shown(sentence)} is {_named(styles)}, not {style}"
                        )
        ordered = any("십시오" in text for text in view.skeletons(template, "instruction"))
        if (found and not found & _ASKS[style]) or (style == "하십시오체" and not ordered):
            yield Fault(template.id, f"no sentence of it is {style}")
        for text in view.skeletons(template, "output"):
            if what := _answer_fault(text, style):
                yield Fault(template.id, what)


def _answer_fault(text: str, style: str) -> str:
    if match := _ANIO.search(text):
        return f"{match.group()} should be 아니요"
    first = re.split(r"[,.\s]", text, maxsplit=1)[0]
    if first in _YES and style not in _YES[first]:
        return f"{first} does not answer in {style}"
    if style == "해체" and _POLITE_YES.match(text):
        return f"{first} does not answer in {style}"
    for sentence in sentences(text, whole=True):
        styles = styles_of(sentence)
        if not styles & (_ANSWERS[style] | {"명사형"}) and sentence not in ("아니요", "아니"):
            return f"the answer {_shown(sentence)} is {_named(styles)}, which does not fit {style}"
    return ""


def sentences(text: str, *, whole: bool) -> list[str]:
    """The sentences of a skeleton, without quotations, asides and the items of lists.

    Args:
        text: A skeleton.
        whole: Whether a text of one line counts as a sentence without a mark at its end.
    """
    lines = _ASIDE.sub("", _QUOTED.sub(FIELD, text)).split("\n")
    lines = [line for line in lines if len(lines) == 1 or not _ITEM.match(line)]
    found = []
    for line in lines:
        for match in _SENTENCE.finditer(_LABEL.sub("", line) if len(lines) > 1 else line):
            sentence = match.group().strip()
            if sentence.strip(f"{FIELD} ") and (
                sentence[-1] in ".?!…" or (whole and len(lines) == 1)
            ):
                found.append(sentence)
    return found


def styles_of(sentence: str) -> frozenset[str]:
    """The styles that a sentence may be in, by its ending; every style if a field ends it."""
    said = sentence.rstrip(" .?!…,")
    if said.endswith(FIELD):
        return frozenset(_ASKS)
    for pattern, style, weak in _ENDINGS:
        if pattern.search(said):
            return frozenset(["명사형" if weak and said == sentence else style])
    return frozenset(["명사형"])


def _shown(sentence: str) -> str:
    return f"‘{sentence.replace(FIELD, '…')}’"


def _named(styles: frozenset[str]) -> str:
    return " or ".join(sorted(styles))
