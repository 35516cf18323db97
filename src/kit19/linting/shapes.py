"""The shape of a template: how it opens, what answers it, and how its prompt is laid out.

It is computed from the parsed template, not declared, so it cannot be out of date. The page
``docs/templates.md`` shows the shapes of each subset; a test requires a minimum of different ones.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Literal as OneOf

from kit19.linting.view import FIELD, View
from kit19.rendering import ParsedTemplate
from kit19.rendering.options import MARKED
from kit19.rendering.parse import Insertion, Literal, OptionPart, Piece

Opener = OneOf[
    "다음 …", "text first", "role", "form", "note", "chat", "question", "request", "situation"
]
Answer = OneOf[
    "label",
    "yes/no",
    "word",
    "phrase",
    "sentence",
    "option",
    "mark",
    "text",
    "number",
    "fields",
    "list",
    "JSON",
    "table",
]
Choices = OneOf["none", "named", "numbered", "lettered", "bulleted"]
Layout = OneOf[
    "batch", "examples", "no field", "quoted", "in the instruction", "plain", "labeled", "marked"
]

_ROLE = re.compile(
    r"(당신은|너는|넌|네가|귀하는|여러분은|저는|나는|난|우리는) |"
    r"[^.?!\n]{1,40}(이|가) 되어|[^.?!\n]{1,40}(으로서|로서),? "
)
_END = re.compile(r"([.?!…]|\n)(?=[\s”’\"')]|$)|\n")
_ORDER = re.compile(
    r"(주세요|주십시오|줘|줘요|줄래|바랍니다|바라요|부탁\S*|시오|세요|십시오|라|자|것)$"
)
_BLANK = (":", "：", "→", "( )", "(  )", "(   )", "[ ]", "_")
"""Ends of a form whose last line is to be filled in."""
_YES_NO = re.compile(
    r"(예|네|넵|응|어|그래|맞아요?|맞다|맞습니다|아니요?|아니오|아뇨|[OX]|[Yy]es|[Nn]o)(?=[,.]|$)"
)
_OPENING_QUOTE = re.compile(r"[“‘「『《〈\"'<\[]$")
_LABEL = re.compile(r"(^|\n)[^\n:：?.]{1,25}[:：]\s?$|(^|\n)\[[^\n\]]{1,20}\]\n?$")
_MARK = re.compile(rf"(^|\n)(?:{MARKED.pattern}|[-•*▷■#>]) *$")


@dataclass(frozen=True)
class Shape:
    """What distinguishes templates apart from their words.

    Attributes:
        opener: How the instruction begins.
        answer: The form of the output.
        options: How the prompt gives the possible answers; those with a mark are shuffled.
        layout: Where the fields of the record are in the prompt.
        register: The style of the instruction.
    """

    opener: Opener
    answer: Answer
    options: Choices
    layout: Layout
    register: str

    def cells(self) -> tuple[str, ...]:
        """Return its five parts in order."""
        return astuple(self)


def shapes(view: View) -> dict[str, Shape]:
    """Return template id → shape, in the order of the file."""
    single = view.by_record()
    return {
        template.id: Shape(
            opener=_opener(template, single),
            answer=_answer(template, single),
            options=_options(template, single),
            layout=_layout(template),
            register=template.card.style,
        )
        for template in view.templates.templates
    }


def _opener(template: ParsedTemplate, view: View) -> Opener:
    text, given = (_first(template, view, name).strip() for name in ("instruction", "input"))
    if text.startswith("다음"):
        return "다음 …"
    if text.lstrip("“‘「『\"'[(").startswith(FIELD):
        return "text first"
    if _ROLE.match(text):
        return "role"
    if template.card.style == "명사형":
        return "form" if (given or text).endswith(_BLANK) else "note"
    return _kind_of_sentence(text, template.card.style)


def _kind_of_sentence(text: str, style: str) -> Opener:
    """What the first sentence of an instruction is."""
    if style == "해체" and not re.search(r"[.?!…\ufffc][”’\"')]?$|줘$", text):
        return "chat"  # typed in a hurry, without the last mark
    end = _END.search(text)
    if end is None:
        return "request"
    if end.group().startswith("?"):
        return "question"
    first, rest = text[: end.start()], text[end.end() :].strip("”’\"') \n")
    # The only sentence has to ask for something.
    return "request" if not rest.strip(FIELD) or _ORDER.search(first) else "situation"


def _answer(template: ParsedTemplate, view: View) -> Answer:
    shown = [text.strip() for text in view.skeletons(template.alone, "output")]
    if structure := _structure(template, shown[0]):
        return structure
    pieces = template.texts["output"]
    parts = [piece.part for piece in pieces if isinstance(piece, OptionPart)]
    if not parts:
        return _plain_answer(template, view, shown)
    if parts[0] != "mark":
        return "option"
    return "mark" if len(pieces) == 1 else "sentence"


def _structure(template: ParsedTemplate, shown: str) -> Answer | None:
    """The structure of an output, if it is more than a text."""
    escapes = {piece.escape for piece in template.alone.insertions("output")}
    if "json" in escapes or shown.startswith('{"'):
        return "JSON"
    if "cell" in escapes or "|---" in shown.replace(" ", ""):
        return "table"
    if template.card.batch:
        return "list"
    return "fields" if shown.count("\n") and shown.count(":") > 1 else None


def _plain_answer(template: ParsedTemplate, view: View, shown: Sequence[str]) -> Answer:
    inserted = list(template.insertions("output"))
    if any(view.is_free_text(piece) for piece in inserted):
        return "text"
    derived = view.derived()
    numbers = [name for name, function in derived.items() if function.trim_number]
    kinds: dict[Answer, bool] = {
        "sentence": any(text.endswith((".", "?", "!")) for text in shown),
        "number": any(piece.field in numbers for piece in inserted),
        "yes/no": all(map(_YES_NO.fullmatch, shown)),
        "word": all(text.strip(FIELD) == "" for text in shown),
        "phrase": any(" " in text for text in shown),
    }
    return next((kind for kind, holds in kinds.items() if holds), "label")


def _options(template: ParsedTemplate, view: View) -> Choices:
    if any(part.part == "list" for part in template.option_parts("instruction", "input")):
        mark = template.declared_options.marks.strip("().")
        if mark in ("①", "1"):
            return "numbered"
        return "lettered" if mark and mark != "-" else "bulleted"
    prompt = _first(template, view, "instruction") + _first(template, view, "input")
    named = [
        sum(_stem(word) in prompt for word in set(words.values()))
        for words in _words(template, view)
    ]
    return "named" if max(named, default=0) > 1 else "none"


def _words(template: ParsedTemplate, view: View) -> Iterator[dict[str, str]]:
    """The words of each form that the answer takes one from."""
    for piece in template.alone.insertions("output"):
        if piece.form:
            yield dict(view.templates.words[piece.field][piece.form])


def _stem(word: str) -> str:
    """A word without the ending that a question gives it in another form: 긍정적(인), 나쁘(게)."""
    return word[: max(2, len(word) - 1)] if " " not in word else word


def _layout(template: ParsedTemplate) -> Layout:
    if template.card.batch:
        return "batch"
    if template.card.shots:
        return "examples"
    given, rest = (_before_fields(template.texts[name]) for name in ("input", "instruction"))
    before = given or rest
    kinds: dict[Layout, bool] = {
        "no field": not before,
        "labeled": any(map(_LABEL.search, before)),
        "marked": any(map(_MARK.search, before)),
        "plain": bool(given),
        "quoted": any(map(_OPENING_QUOTE.search, before)),
    }
    return next((kind for kind, holds in kinds.items() if holds), "in the instruction")


def _before_fields(pieces: Sequence[Piece]) -> list[str]:
    """The template's own text before each field of a text."""
    before = [Literal(""), *pieces]
    return [
        left.text if isinstance(left, Literal) else ""
        for left, piece in itertools.pairwise(before)
        if isinstance(piece, Insertion) and not piece.form
    ]


def _first(template: ParsedTemplate, view: View, text: str) -> str:
    """A text rendered for the first combination of labels."""
    return next(iter(view.skeletons(template.alone, text)), "")
