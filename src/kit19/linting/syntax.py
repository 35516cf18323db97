"""Rules on a template's own text: leftovers of syntax, blanks, length."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kit19.linting.view import FIELD, Fault, View, literals
from kit19.rendering.templates import TEXTS

MAX_INSTRUCTION = 300
"""Characters of a template's own that an instruction may have. The longest of ours has 226: a list
of six kinds of utterance with an explanation each. Whoever needs more should write an input."""

_LEFTOVERS = (
    re.compile(r"\{\s*[A-Za-z_][\w.]*\s*\}"),  # {field}, the braces doubled by mistake
    re.compile(r"\{[가-힣()]+/[가-힣()]+\}"),  # {은/는}, likewise
    re.compile(r"\{\{|\}\}|\{%|%\}"),  # Jinja's
    re.compile(r"%\(?[a-z]+\)?s|%[sd]\b|\$\{"),  # those of other languages
    re.compile(r"\\[nt\"']"),  # an escape that YAML was not asked to read
    re.compile(r"<\|[^|]*\|>|</?(?:br|p|b|div|s)\s*/?>|&(?:nbsp|amp|lt|gt|quot);"),
    re.compile(r"\b(?:TODO|FIXME|XXX)\b"),
)
_BLANK = " \t\u00a0\u3000"
_BLANKS = re.compile(rf"[{_BLANK}]{{2,}}|[{_BLANK}]\n|\n[{_BLANK}]|\n{{3,}}")


def leftover_syntax(view: View) -> Iterator[Fault]:
    """A piece of a template language is left in the template's text or words."""
    words = view.templates.words
    for template in view.templates.templates:
        inserted = {(p.field, p.form) for p in template.insertions() if p.form}
        told = [word for field, form in inserted for word in words[field][form].values()]
        for text in [*literals(template), *told]:
            if found := _leftover(text, view):
                yield Fault(template.id, f"{found!r} is left in its text")


def _leftover(text: str, view: View) -> str:
    for pattern in _LEFTOVERS:
        if match := pattern.search(text):
            return match.group()
    for field, forms in view.templates.words.items():
        for form in forms:
            if re.search(rf"\b{field}\.{form}\b", text):
                return f"{field}.{form}"
    return ""


def double_blank(view: View) -> Iterator[Fault]:
    """Two blanks meet in the template's text, or one stands at the end of a line or text."""
    for template in view.templates.templates:
        for name in TEXTS:
            for text in view.skeletons(template, name):
                # Next to a field the record decides: ``renders.double_blank``.
                if match := _BLANKS.search(text):
                    yield Fault(template.id, f"blanks meet in its {name}: {_around(text, match)}")
                    break
                if text != text.strip():
                    yield Fault(template.id, f"a blank stands at an end of its {name}")
                    break


def _around(text: str, match: re.Match[str]) -> str:
    start, end = max(match.start() - 8, 0), match.end() + 8
    return repr(text[start:end].replace(FIELD, "…"))


def over_long(view: View) -> Iterator[Fault]:
    """The instruction's own words are longer than ``MAX_INSTRUCTION``."""
    for template in view.templates.templates:
        own = sum(map(len, literals(template, "instruction")))
        if own > MAX_INSTRUCTION:
            yield Fault(template.id, f"its instruction has {own} characters of its own")
