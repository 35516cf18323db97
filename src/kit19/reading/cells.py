"""Finds the texts in a value of any shape: strings, keys that are text, JSON in strings, bytes."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from kit19.reading.encoding import BOMS, looks_like_cp949

_MIN_TEXT_LENGTH = 15  # characters; shorter benchmark items count only when equal
MIN_MEAN_LENGTH = 10  # characters; the least mean length of the parts of a running text
_ESCAPE = re.compile(r"\\+u([0-9a-fA-F]{4})")
_CLOSING = {"{": "}", "[": "]", '"': '"'}
_SKIPPED = ("\ufeff", " ", "\t", "\r", "\n")

KEY = "#key"
"""The column name of a record's key, where the key is text."""


def texts_in(
    value: Any, on_bytes: Callable[[str], None], column: str = ""
) -> Iterator[tuple[str, str]]:
    """Yield every text of a value with the name of its column (keys joined by dots), in order.

    A string that holds JSON yields the texts inside it. A key yields its text if it can be text
    rather than a name. A list of sentences or lines yields each of them, then all of them joined.

    Args:
        value: A row, or the value of one of its columns, as read.
        on_bytes: Called with the column of bytes that cannot be decoded.
        column: The column of the value; "" for a row.
    """
    # A stack, not recursion: JSON can be nested deeper than Python's recursion limit.
    stack: list[tuple[str, Any]] = [(column, value)]
    while stack:
        name, value = stack.pop()
        if isinstance(value, str):
            inner = _parse_json(value)
            if inner is not None:
                stack.append((name, inner))
                continue
            yield name, value
            if "\\u" in value and (plain := unescaped(value)) != value:
                yield name, plain
        elif isinstance(value, dict):
            stack += reversed(_named_values(name, value))
        elif isinstance(value, list | tuple):
            stack += reversed([(name, one) for one in [*value, *_running_text(value)]])
        elif isinstance(value, _PlainText):
            yield name, value.text
        elif isinstance(value, bytes | bytearray | memoryview):
            decoded = _decode(bytes(value))
            if decoded is None:
                on_bytes(name)
            else:
                stack.append((name, decoded))


def _named_values(name: str, value: dict[str, Any]) -> list[tuple[str, Any]]:
    inside: list[tuple[str, Any]] = []
    for key, one in value.items():
        if is_text_key(key, top_level=not name):
            inside.append((name or KEY, _PlainText(key)))
        inside.append((f"{name}.{key}" if name else key, one))
    return inside


def _running_text(value: list[Any] | tuple[Any, ...]) -> list[_PlainText]:
    """Join a list of sentences or wrapped lines into one text; empty if the list is something else.

    Words, labels and the options of a question do not form one text.
    """
    # A RepeatedKey holds separate values of one key, hence separate texts.
    if (
        len(value) < 2
        or isinstance(value, RepeatedKey)
        or not all(isinstance(one, str) for one in value)
    ):
        return []
    if sum(map(len, value)) < MIN_MEAN_LENGTH * len(value):
        return []
    return [_PlainText(" ".join(value))]


class _PlainText:
    """A text that is searched without parsing it as JSON."""

    def __init__(self, text: str) -> None:
        self.text = text


def is_text_key(key: str, *, top_level: bool) -> bool:
    """Whether a key can be text rather than the name of a field.

    Args:
        key: The key.
        top_level: Whether it is a key of the row itself. Such a key is the name of a column, in any
            language, unless it is long or has blanks.
    """
    if (key.isascii() and key.isidentifier()) or not any(map(str.isalpha, key)):
        return False
    return not top_level or len(key) >= _MIN_TEXT_LENGTH or " " in key


def unescaped(text: str) -> str:
    r"""Replace each ``\uXXXX`` of a text by its character."""

    def character(match: re.Match[str]) -> str:
        return chr(int(match[1], 16))

    plain = _ESCAPE.sub(character, text)
    # Characters beyond U+FFFF are escaped as surrogate pairs.
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _parse_json(text: str) -> Any:
    """Parse a string that holds a JSON list, object or string; None for any other string."""
    first = text[:1]
    if first in _SKIPPED:
        text = text.strip().lstrip("\ufeff").lstrip()
        first = text[:1]
    if first not in _CLOSING or not text.rstrip().endswith(_CLOSING[first]) or len(text) < 2:
        return None
    try:
        found = DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return found


def _decode(data: bytes) -> str | None:
    for bom, name in BOMS:
        if data.startswith(bom):
            return data.decode(name, "replace")
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return codecs.decode(data, "cp949") if looks_like_cp949(data) else None


def keep_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a JSON object; the values of a repeated key become one ``RepeatedKey``."""
    found = dict(pairs)
    if len(found) < len(pairs):
        found = {}
        for key, value in pairs:
            if key not in found:
                found[key] = value
            elif isinstance(found[key], RepeatedKey):
                found[key].append(value)
            else:
                found[key] = RepeatedKey([found[key], value])
    return found


class RepeatedKey(list[Any]):
    """The values of a key that occurs more than once in an object."""


def _integer(digits: str) -> int | Decimal:
    # Python refuses to make an int of more than 4,300 digits.
    return int(digits) if len(digits) < 4_000 else Decimal(digits)


DECODER = json.JSONDecoder(object_pairs_hook=keep_repeated_keys, parse_int=_integer)
"""Accepts nearly valid JSON and keeps all of its values."""
