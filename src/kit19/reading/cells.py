"""The texts in a value of any shape: strings, keys that are text, JSON inside strings, bytes."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from kit19.reading.encoding import BOMS, looks_like_cp949

_LONG = 15  # characters; benchmark items that are shorter count only when equal
_LINE = 10  # characters that the parts of a running text have on average, at least
_ESCAPE = re.compile(r"\\+u([0-9a-fA-F]{4})")
_ENDS = {"{": "}", "[": "]", '"': '"'}
_MARKS = ("\ufeff", " ", "\t", "\r", "\n")

KEY = "#key"
"""The column of a record's key where that is text."""


def texts_in(value: Any, on_bytes: Callable[[str], None]) -> Iterator[tuple[str, str]]:
    """Every text of a value with the name of its column (keys joined by dots), in order.

    A string that holds JSON gives the texts in that. A key gives its text too if it can be text
    rather than a name. A list of sentences or of lines gives each of them, then all as one text.

    Args:
        value: What a reader gave for a row.
        on_bytes: Called with the column of bytes that are no text.
    """
    # A stack and not recursion: JSON can be nested deeper than Python can call itself.
    stack: list[tuple[str, Any]] = [("", value)]
    while stack:
        name, value = stack.pop()
        if isinstance(value, str):
            inner = _json_inside(value)
            if inner is not None:
                stack.append((name, inner))
                continue
            yield name, value
            if "\\u" in value and (plain := unescaped(value)) != value:
                yield name, plain
        elif isinstance(value, dict):
            stack += reversed(_members(name, value))
        elif isinstance(value, list | tuple):
            stack += reversed([(name, one) for one in [*value, *_running_text(value)]])
        elif isinstance(value, _Text):
            yield name, value.text
        elif isinstance(value, bytes | bytearray | memoryview):
            decoded = _text_of(bytes(value))
            if decoded is None:
                on_bytes(name)
            else:
                stack.append((name, decoded))


def _members(name: str, value: dict[str, Any]) -> list[tuple[str, Any]]:
    inside: list[tuple[str, Any]] = []
    for key, one in value.items():
        if is_text(key, top=not name):
            inside.append((name or KEY, _Text(key)))
        inside.append((f"{name}.{key}" if name else key, one))
    return inside


def _running_text(value: list[Any] | tuple[Any, ...]) -> list[_Text]:
    """The sentences or wrapped lines of a list as the one text that they are; else nothing.

    Words, labels and the options of a question are no text together.
    """
    # Twice holds two values of one key: two texts.
    if len(value) < 2 or isinstance(value, Twice) or not all(isinstance(one, str) for one in value):
        return []
    return [_Text(" ".join(value))] if sum(map(len, value)) >= _LINE * len(value) else []


class _Text:
    """A text that is searched as it is."""

    def __init__(self, text: str) -> None:
        self.text = text


def is_text(key: str, *, top: bool) -> bool:
    """Whether a key can be text rather than the name of a field.

    Args:
        key: The key.
        top: Whether it is a key of the row itself. Those are names of columns, in any language, unless
            they are long or have blanks.
    """
    if (key.isascii() and key.isidentifier()) or not any(map(str.isalpha, key)):
        return False
    return not top or len(key) >= _LONG or " " in key


def unescaped(text: str) -> str:
    r"""A text with ``\uXXXX`` replaced by what that stands for."""

    def character(match: re.Match[str]) -> str:
        return chr(int(match[1], 16))

    plain = _ESCAPE.sub(character, text)
    # Characters beyond U+FFFF are escaped as two halves.
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _json_inside(text: str) -> Any:
    """What the JSON in a string says, if it is a list, an object, or a string; else None."""
    first = text[:1]
    if first in _MARKS:
        text = text.strip().lstrip("\ufeff").lstrip()
        first = text[:1]
    if first not in _ENDS or not text.rstrip().endswith(_ENDS[first]) or len(text) < 2:
        return None
    try:
        found = DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return found


def _text_of(data: bytes) -> str | None:
    for bom, name in BOMS:
        if data.startswith(bom):
            return data.decode(name, "replace")
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return codecs.decode(data, "cp949") if looks_like_cp949(data) else None


def keep_all(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; the values of a key that stands in it twice become one list."""
    found = dict(pairs)
    if len(found) < len(pairs):
        found = {}
        for key, value in pairs:
            if key not in found:
                found[key] = value
            elif isinstance(found[key], Twice):
                found[key].append(value)
            else:
                found[key] = Twice([found[key], value])
    return found


class Twice(list[Any]):
    """The values of a key that stands more than once in an object."""


def _integer(digits: str) -> int | Decimal:
    # Python refuses to make an int of more than 4,300 digits.
    return int(digits) if len(digits) < 4_000 else Decimal(digits)


DECODER = json.JSONDecoder(object_pairs_hook=keep_all, parse_int=_integer)
"""Takes what is nearly JSON, and loses nothing of it."""
