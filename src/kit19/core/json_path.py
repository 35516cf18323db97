"""Paths into nested data: keys with dots between them, ``[0]`` for an element, ``[]`` for each one.

``data[].paragraphs[].qas[]`` leads to every question of a file in SQuAD's layout, ``answers[0].text``
from a question to the text of its first answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

EACH: Final = None
"""The step ``[]``: every element of a list."""
KEY = "#key"
"""The key that an object of a keyed document has in it."""

_MAX_KEYS = 12  # in a message

Step = str | int | None
Path = tuple[Step, ...]

_STEP = re.compile(r"(?:^|(?<=.)\.)(?P<key>[^.\[\]]+)|\[(?P<index>[0-9]{0,9})\]")


def parse_path(text: str) -> Path:
    """Parse a path.

    Raises:
        ValueError: It is not one.
    """
    steps: list[Step] = []
    at = 0
    while at < len(text) and (match := _STEP.match(text, at)):
        index = match["index"]
        steps.append(match["key"] or (EACH if index == "" else int(index)))
        at = match.end()
    if at < len(text):
        raise ValueError(
            f"{text!r} is not a path: put dots between keys, [0] for the first element of a list, "
            "[] for each"
        )
    return tuple(steps)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a value is, seen from an element of a path.

    Attributes:
        level: The place in ``Element.values`` of the value to start from.
        steps: The path from there.
    """

    level: int
    steps: Path

    @property
    def is_list(self) -> bool:
        """Whether it leads to several values."""
        return EACH in self.steps


def locate(text: str, path: Path) -> Address:
    """Parse the path of a value that belongs to the elements of another path.

    It starts from the element; or from one of the elements around it, if it begins with the path of
    that one; or from the document, if it begins with ``$.``. For the elements of
    ``data[].paragraphs[]``, ``context`` is their own, ``data[].title`` that of the article around.

    Raises:
        ValueError: It is not a path.
    """
    steps = parse_path(text.removeprefix("$."))
    ends = [number + 1 for number, step in enumerate(path) if step is EACH]
    for level in range(len(ends), 0, -1):
        if steps[: ends[level - 1]] == path[: ends[level - 1]]:
            return Address(level, steps[ends[level - 1] :])
    return Address(0 if text.startswith("$.") else len(ends), steps)


class Element(NamedTuple):
    """What a path leads to.

    Attributes:
        values: The document and, for each ``[]`` of the path, its element: the last is the result.
        place: Where it is: ``data[3].paragraphs[0].qas[7]``.
        why: Why the path leads no further than ``place``, and the keys that are there; empty if it
            leads to its end.
    """

    values: tuple[Any, ...]
    place: str
    why: str = ""


def walk(document: Any, path: Path, *, keyed: bool = False) -> Iterator[Element]:
    """Yield every element that a path leads to, in order, and every place where it leads no further.

    Args:
        document: Plain data.
        path: Keys and ``[]``.
        keyed: The last ``[]`` goes through an object instead of a list. The result, if it is an
            object, has its key as ``#key``.
    """
    yield from _walk(Element((document,), ""), document, path, keyed)


def _walk(at: Element, value: Any, path: Path, keyed: bool) -> Iterator[Element]:
    place = at.place
    for number, step in enumerate(path):
        if step is EACH:
            rest = path[number + 1 :]
            through_object = keyed and not rest
            if not isinstance(value, dict if through_object else list):
                what = "an object" if through_object else "an array"
                yield Element(at.values, place, f"is not {what} of objects{_keys(value)}")
                return
            for name, one in _members(value, place):
                yield from _walk(Element((*at.values, one), name), one, rest, keyed)
            return
        if not isinstance(value, dict):
            yield Element(at.values, place, "is not an object")
            return
        if step not in value:
            yield Element(at.values, place, f"has no key {step!r}{_keys(value)}")
            return
        value, place = value[step], f"{place}.{step}".removeprefix(".")
    yield Element(at.values, place)


def _keys(value: Any) -> str:
    if not isinstance(value, dict) or not value:
        return ""
    more = ", …" if len(value) > _MAX_KEYS else ""
    return f"; it has {', '.join(map(repr, list(value)[:_MAX_KEYS]))}{more}"


def _members(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Yield the elements of a list, or the members of an object with their keys, and their places."""
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield f"{place}[{index}]", one
    else:
        for key, one in value.items():
            named = {KEY: key, **one} if isinstance(one, dict) else one
            yield f"{place}.{key}".removeprefix("."), named
