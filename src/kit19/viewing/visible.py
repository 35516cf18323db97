"""Untrusted text for pages: escaped, with characters that act instead of being shown made visible."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

from markupsafe import Markup, escape

from kit19.core.hidden_characters import HIDDEN
from kit19.viewing.data.searching import Span, find_all

_HIDDEN = re.compile(f"[{HIDDEN}]")
_LONG = 200_000
"""Most characters of one text that a page shows; the rest is counted."""
IN_LIST = 20_000
"""Most of each of the texts of a list."""
NAME = 300
"""Most of a name: an id, a label, a file."""


def visible(text: object, most: int = _LONG) -> Markup:
    """Escape a text for HTML. Hidden characters become marks with their code point and name.

    Args:
        text: Any value; None is shown as nothing.
        most: Most characters to show; the number of the others is stated.
    """
    return marked("" if text is None else str(text), [], most)


def marked(
    text: str, spans: Iterable[Span], most: int = _LONG, kind: str = "hit", title: str = ""
) -> Markup:
    """The same with parts of the text marked.

    Args:
        text: The text.
        spans: Begin and end of each part, in order, without overlaps.
        most: Most characters to show.
        kind: The class of the marks.
        title: What the marks mean.
    """
    parts: list[Markup] = []
    at = 0
    shown = text[:most]
    for begin, end in spans:
        if begin >= len(shown):
            break
        parts += [_plain(shown[at:begin]), _mark(shown[begin:end], kind, title)]
        at = end
    parts.append(_plain(shown[at:]))
    if len(text) > most:
        parts.append(Markup('<span class="more">… +{:,}</span>').format(len(text) - most))
    return Markup("").join(parts)


def segments(pieces: Sequence[tuple[str, str]], titles: Callable[[str], str]) -> Markup:
    """Texts one after the other, each with its kind: "" for plain text, else the class of a mark."""
    parts = [_mark(text, kind, titles(kind)) if kind else _plain(text) for text, kind in pieces]
    return Markup("").join(parts)


def excerpt(text: str, around: str = "", most: int = 160) -> tuple[str, bool, bool]:
    """A short part of a text, around what was searched for.

    Returns:
        The part, and whether text is left out before and after it.
    """
    line = " ".join(text[: 1 << 20].split())
    found = next((begin for begin, _ in find_all(line, around)), -1)
    begin = max(0, found - most // 3) if found > most * 2 // 3 else 0
    return line[begin : begin + most], begin > 0, len(line) > begin + most


def _mark(text: str, kind: str, title: str) -> Markup:
    return Markup('<mark class="{}" title="{}">{}</mark>').format(kind, title, _plain(text))


def _plain(text: str) -> Markup:
    return Markup(_HIDDEN.sub(_name, str(escape(text))))  # noqa: S704  escaped before


def _name(match: re.Match[str]) -> str:
    character = match.group()
    name = unicodedata.name(character, "control character").lower()
    return f'<span class="hidden" title="{name}">U+{ord(character):04X}</span>'
