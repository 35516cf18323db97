"""The template language, translated for the baselines: to Jinja, and to ``str.format``.

The baselines read the template files without kit19's parser. Particles come from
``kit19.korean.attach``, with one call for each distinct word and pair.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment
from xxhash import xxh3_64_intdigest

from kit19.korean import attach

Row = dict[str, Any]
Words = Mapping[str, Mapping[str, Mapping[str, str]]]
Render = Callable[[Row], tuple[str, str, str]]
"""A record in; its instruction, input and output out."""

TEXTS = ("instruction", "input", "output")
SEED = 19
_PIECE = re.compile(
    r"\{\{|\}\}"
    r"|\{(?P<field>[a-z0-9_]+)(?:\.(?P<form>[a-z0-9_]+))?\}"
    r"(?:(?P<closing>[’”'\"」』》〉\]】]*)\{(?P<pair>[^{}]*/[^{}]*)\})?"
)
_BETWEEN = "\x1f"  # separates the three texts of a template; occurs in no record

attached = functools.cache(attach)


def stable_hash(text: str) -> int:
    """The hash of kit19's orders, from the ``xxhash`` library."""
    return xxh3_64_intdigest(text.encode())


def first_template(record_id: str, names: list[str]) -> str:
    """The template with the smallest hash for a record."""
    return min(names, key=lambda name: stable_hash(f"{SEED}:template:{record_id}|{name}"))


def by_jinja(texts: Mapping[str, str], words: Words, many: set[str]) -> Render:
    """A template compiled once: all three texts in one Jinja template, parted afterwards."""
    compiled = _environment().from_string(
        _BETWEEN.join(_jinja(texts[name], many) for name in TEXTS), globals={"words": words}
    )

    def render(row: Row) -> tuple[str, str, str]:
        instruction, given, output = compiled.render(row).split(_BETWEEN)
        return instruction, given, output

    return render


def by_format(texts: Mapping[str, str], words: Words) -> Render:
    """A template as three format strings. Fields with several values are not supported."""
    made = [_format(texts[name], words) for name in TEXTS]

    def render(row: Row) -> tuple[str, str, str]:
        instruction, given, output = (
            written.format(*[get(row) for get in getters]) for written, getters in made
        )
        return instruction, given, output

    return render


@functools.cache
def _environment() -> Environment:
    # Nothing here is HTML; escaping would change the text.
    environment = Environment(autoescape=False, keep_trailing_newline=True)  # noqa: S701
    environment.filters["particle"] = attached
    environment.filters["each"] = lambda value, called: ", ".join(
        called[one] for one in value.split(",")
    )
    return environment


def _jinja(text: str, many: set[str]) -> str:
    made, at = "", 0
    for match in _PIECE.finditer(text):
        made += _quoted(text[at : match.start()])
        at = match.end()
        field, form, pair = match["field"], match["form"], match["pair"]
        closing = match["closing"]
        if field is None:
            made += _quoted(match[0][0])
            continue
        value = field
        if form:
            called = f"words.{field}.{form}"
            value = f"{field} | each({called})" if field in many else f"{called}[{field}]"
        if closing:
            value = f"({value} ~ {closing!r})"
        made += "{{ " + value + (f" | particle({pair!r})" if pair else "") + " }}"
    return made + _quoted(text[at:])


def _quoted(text: str) -> str:
    return "{{ " + repr(text) + " }}" if "{" in text or "}" in text else text


def _format(text: str, words: Words) -> tuple[str, list[Callable[[Row], str]]]:
    made, at = "", 0
    getters: list[Callable[[Row], str]] = []
    for match in _PIECE.finditer(text):
        made += text[at : match.start()]
        at = match.end()
        if match["field"] is None:
            made += match[0]
            continue
        made += "{}"
        getters.append(_getter(match, words))
    return made + text[at:], getters


def _getter(match: re.Match[str], words: Words) -> Callable[[Row], str]:
    field, form, pair = match["field"], match["form"], match["pair"]
    closing = match["closing"] or ""
    if form:
        called = words[field][form]
        if pair:
            called = {name: attach(word + closing, pair) for name, word in called.items()}
        return lambda row: called[row[field]]
    if pair:
        return lambda row: attached(row[field] + closing, pair)
    return lambda row: str(row[field])
