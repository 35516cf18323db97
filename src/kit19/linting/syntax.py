"""Rules on a template's own text: leftovers of syntax, blanks, length."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kit19.linting.view import FIELD, View, Violation, literals
from kit19.rendering.templates import TEXTS

MAX_INSTRUCTION = 300
"""Maximum characters of an instruction, without fields. The longest in kit19 has 226: a list of six
kinds of utterance with explanations. Longer texts belong into the input."""

_LEFTOVER_PATTERNS = (
    re.compile(r"\{\s*[A-Za-z_][\w.]*\s*\}"),  # {field}, the braces doubled by mistake
    re.compile(r"\{[가-힣()]+/[가-힣()]+\}"),  # {은/는}, likewise
    re.compile(r"\{\{|\}\}|\{%|%\}"),  # Jinja's
    re.compile(r"%\(?[a-z]+\)?s|%[sd]\b|\$\{"),  # other template languages
    re.compile(r"\\[nt\"']"),  # an escape in unquoted YAML
    re.compile(r"<\|[^|]*\|>|</?(?:br|p|b|div|s)\s*/?>|&(?:nbsp|amp|lt|gt|quot);"),
    re.compile(r"\b(?:TODO|FIXME|XXX)\b"),
)
_BLANK = " \t\u00a0\u3000"
_BLANKS = re.compile(rf"[{_BLANK}]{{2,}}|[{_BLANK}]\n|\n[{_BLANK}]|\n{{3,}}")


def leftover_syntax(view: View) -> Iterator[Violation]:
    """A piece of a template language is left in the template's text or words."""
    words = view.templates.words
    for template in view.templates.templates:
        inserted = {(p.field, p.form) for p in template.insertions() if p.form}
        if (options := template.card.options) and options.form:
            inserted.add((options.by, options.form))
        words_used = [word for field, form in inserted for word in words[field][form].values()]
        for text in [*literals(template), *words_used]:
            if found := _leftover(text, view):
                yield Violation(template.id, f"{found!r} is left in its text")


def _leftover(text: str, view: View) -> str:
    for pattern in _LEFTOVER_PATTERNS:
        if match := pattern.search(text):
            return match.group()
    for field, forms in view.templates.words.items():
        for form in forms:
            if re.search(rf"\b{field}\.{form}\b", text):
                return f"{field}.{form}"
    return ""


def double_blank(view: View) -> Iterator[Violation]:
    """The template's text has two blanks in a row, or one at the end of a line or text."""
    for template in view.templates.templates:
        for name in TEXTS:
            for text in view.skeletons(template, name):
                # Blanks next to a field depend on the record: see ``renders.double_blank``.
                if match := _BLANKS.search(text):
                    yield Violation(
                        template.id, f"its {name} has two blanks in a row: {_excerpt(text, match)}"
                    )
                    break
                if text != text.strip():
                    yield Violation(template.id, f"its {name} begins or ends with a blank")
                    break


def _excerpt(text: str, match: re.Match[str]) -> str:
    start, end = max(match.start() - 8, 0), match.end() + 8
    return repr(text[start:end].replace(FIELD, "…"))


def over_long(view: View) -> Iterator[Violation]:
    """The instruction, without fields, is longer than ``MAX_INSTRUCTION``."""
    for template in view.templates.templates:
        own = sum(map(len, literals(template, "instruction")))
        if own > MAX_INSTRUCTION:
            yield Violation(template.id, f"its instruction has {own} characters without fields")
