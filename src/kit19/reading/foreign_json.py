"""JSON documents that nobody described, row by row: the document is never held whole.

An array's elements are rows, and so are those of a list of objects inside an object
(``{"data": [...]}``), the objects that an object holds (keyed records), and the lines across lists of
equal length (a frame written by column). What else stands beside them counts as one last row if it
holds text of any length, so that nothing goes unread.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from kit19.core.errors import Problem, ReadError
from kit19.reading.cells import DECODER, KEY, is_text
from kit19.reading.encoding import MARK
from kit19.reading.opening import LONGEST

_CHUNK = 1 << 20
_BLANKS = " \t\r\n"
_LONG = 15  # characters; what is shorter beside the rows is a version or a name
_MOST_COLUMN_CELLS = 10_000_000  # of lists that are columns: these alone are held whole


def read_document(stream: IO[bytes], encoding: str, path: Path | str) -> Iterator[Any]:
    """The rows of one JSON document. Bytes that are no text are marked in its strings.

    Raises:
        ReadError: It is not whole JSON, or too large for the way it is written.
    """
    name = "utf-8-sig" if encoding == "utf-8" else encoding
    with io.TextIOWrapper(stream, name, errors=MARK, newline="") as text:
        cursor = _Cursor(text)
        try:
            yield from _rows(cursor)
            if cursor.peek():
                raise json.JSONDecodeError("Extra data", cursor.text, cursor.at)
        except _TooLargeError as error:
            raise ReadError(Problem(str(error), f"{path}:{cursor.lines}", _FIX)) from None
        except (json.JSONDecodeError, RecursionError) as error:
            said = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
            where = f"{path}:{cursor.line_of(error)}"
            raise ReadError(Problem(f"is not valid JSON: {said}", where)) from None


_FIX = "write it as JSON lines, an object a row"


class _TooLargeError(Exception):
    """A value, or lists that are columns, that would not fit the memory."""


class _Cursor:
    """A place in a text that is read as it is needed."""

    def __init__(self, reader: io.TextIOWrapper) -> None:
        self.reader = reader
        self.text, self.at, self.lines = "", 0, 1
        self.decoder = DECODER

    def fill(self) -> bool:
        """Forget what lies behind and read on, at least as much as is held; whether there was more."""
        # As much as is held, so that an element of many chunks is not tried once for each of them.
        held = len(self.text) - self.at
        if held > LONGEST:
            raise _TooLargeError(f"has a value of more than {LONGEST >> 20} million characters")
        more = self.reader.read(max(_CHUNK, held))
        if not more:
            return False
        self.lines += self.text.count("\n", 0, self.at)
        self.text, self.at = self.text[self.at :] + more, 0
        return True

    def peek(self) -> str:
        """The next character that is no blank; empty at the end."""
        while True:
            while self.at < len(self.text):
                if self.text[self.at] not in _BLANKS:
                    return self.text[self.at]
                self.at += 1
            if not self.fill():
                return ""

    def take(self, *expected: str) -> str:
        """Step over the next character, which must be one of these."""
        found = self.peek()
        if found not in expected:
            what = f"Expecting {' or '.join(map(repr, expected))}"
            raise json.JSONDecodeError(what, self.text, self.at)
        self.at += 1
        return found

    def value(self) -> Any:
        """The next value, whole."""
        self.peek()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                if not self._may_be_cut(error) or not self.fill():
                    raise
                continue
            # A number may go on: of 1.5e+7 cut before its 5 or 7 a part is a number too.
            if end + 3 <= len(self.text) or not self.fill():
                self.at = end
                return value

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether an error is because the text held ends here, and not wrong text in its middle."""
        return error.pos >= len(self.text) - 12 or error.msg.startswith("Unterminated")

    def line_of(self, error: Exception) -> int:
        """The line of an error in the file."""
        place = error.pos if isinstance(error, json.JSONDecodeError) else self.at
        return self.lines + self.text.count("\n", 0, place)

    def elements(self) -> Iterator[Any]:
        """The elements of the array that begins here."""
        self.take("[")
        if self.peek() == "]":
            self.at += 1
            return
        while True:
            yield self.value()
            if self.take(",", "]") == "]":
                return


def _rows(cursor: _Cursor) -> Iterator[Any]:
    begins = cursor.peek()
    if begins == "[":
        yield from cursor.elements()
    elif begins != "{":
        yield cursor.value()
    else:
        rest: dict[str, Any] = {}
        found = False
        for row in _members(cursor, rest):
            found = True
            yield row
        yield from _remaining(rest, found=found)


def _members(cursor: _Cursor, rest: dict[str, Any]) -> Iterator[Any]:
    """Rows among the members of the object that begins here; all others go into ``rest``."""
    cursor.take("{")
    keyed = False
    while cursor.peek() == '"':
        key = cursor.value()
        cursor.take(":")
        value: Any = None
        if cursor.peek() == "[":
            elements = cursor.elements()
            value = next(elements, None)
            if isinstance(value, dict):
                yield value
                yield from elements
                if is_text(key, top=False):
                    rest[key] = None
            else:
                rest[key] = [] if value is None else [value, *_few(elements)]
        else:
            value = cursor.value()
            if isinstance(value, dict) and _is_column(value):
                rest[key] = list(value.values())
            elif isinstance(value, dict) and (keyed or not rest):
                keyed = True
                yield {KEY: key, **value} if is_text(key, top=False) else value
            else:
                rest[key] = value
        if cursor.take(",", "}") == "}":
            return
    cursor.take("}")


def _few(elements: Iterator[Any]) -> Iterator[Any]:
    for number, element in enumerate(elements):
        if number >= _MOST_COLUMN_CELLS:
            raise _TooLargeError(f"has a column of more than {_MOST_COLUMN_CELLS:,} cells")
        yield element


def _is_column(value: dict[str, Any]) -> bool:
    """Whether an object is a column of a frame: its rows under their numbers."""
    return bool(value) and list(value) == [str(i) for i in range(len(value))]


def _remaining(rest: dict[str, Any], *, found: bool) -> Iterator[Any]:
    columns = {name: value for name, value in rest.items() if isinstance(value, list)}
    lengths = {len(value) for value in columns.values()}
    if not found and len(lengths) == 1 and lengths != {0}:
        for row in zip(*columns.values(), strict=True):
            yield dict(zip(columns, row, strict=True))
        found = True
        rest = {name: value for name, value in rest.items() if name not in columns}
    if rest and (not found or _holds_text(rest)):
        yield rest


def _holds_text(value: Any) -> bool:
    if isinstance(value, dict):
        return any(is_text(key, top=False) for key in value) or any(
            map(_holds_text, value.values())
        )
    if isinstance(value, list):
        return any(map(_holds_text, value))
    return isinstance(value, str) and len(value) >= _LONG
