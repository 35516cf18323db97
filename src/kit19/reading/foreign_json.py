"""JSON documents of unknown structure, read row by row: a document is never held in memory.

Rows are the elements of an array, the elements of a list of objects inside an object
(``{"data": [...]}``), the objects inside an object (keyed records), or the rows of lists of equal
length (a frame written by column). The other values of the document become one last row if they hold
text, so that nothing goes unread.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from kit19.core.errors import Problem, ReadError
from kit19.reading.cells import DECODER, KEY, is_text_key
from kit19.reading.encoding import MARK
from kit19.reading.opening import LONGEST

_CHUNK = 1 << 20
_BLANKS = " \t\r\n"
_MIN_TEXT_LENGTH = 15  # characters; a shorter value next to the rows is a version or a name
_MAX_COLUMN_CELLS = 10_000_000  # of lists that are columns: only these are held in memory


def read_document(stream: IO[bytes], encoding: str, path: Path | str) -> Iterator[Any]:
    """Yield the rows of one JSON document. Undecodable bytes are marked in its strings.

    Raises:
        ReadError: The document is not complete, valid JSON, or holds a value that is too large.
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
            message = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
            where = f"{path}:{cursor.line_of(error)}"
            raise ReadError(Problem(f"is not valid JSON: {message}", where)) from None


_FIX = "write it as JSON lines, one object per row"


class _TooLargeError(Exception):
    """A value, or a list that is a column, does not fit in memory."""


class _Cursor:
    """A position in a text that is read on demand."""

    def __init__(self, reader: io.TextIOWrapper) -> None:
        self.reader = reader
        self.text, self.at, self.lines = "", 0, 1
        self.decoder = DECODER

    def fill(self) -> bool:
        """Drop the consumed text and read more. Returns whether there was more."""
        # Reads at least as much as is held, so that an element of many chunks is not parsed again
        # for each of them.
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
        """Return the next non-blank character; empty at the end."""
        while True:
            while self.at < len(self.text):
                if self.text[self.at] not in _BLANKS:
                    return self.text[self.at]
                self.at += 1
            if not self.fill():
                return ""

    def take(self, *expected: str) -> str:
        """Consume the next character, which must be one of ``expected``."""
        found = self.peek()
        if found not in expected:
            what = f"Expecting {' or '.join(map(repr, expected))}"
            raise json.JSONDecodeError(what, self.text, self.at)
        self.at += 1
        return found

    def value(self) -> Any:
        """Parse and return the next value."""
        self.peek()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                if not self._may_be_cut(error) or not self.fill():
                    raise
                continue
            # A number may continue in the next chunk: a prefix of 1.5e+7 is a number too.
            if end + 3 <= len(self.text) or not self.fill():
                self.at = end
                return value

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether an error comes from the end of the text read so far, not from invalid text."""
        return error.pos >= len(self.text) - 12 or error.msg.startswith("Unterminated")

    def line_of(self, error: Exception) -> int:
        """Return the line of an error in the file."""
        place = error.pos if isinstance(error, json.JSONDecodeError) else self.at
        return self.lines + self.text.count("\n", 0, place)

    def elements(self) -> Iterator[Any]:
        """Yield the elements of the array that begins here."""
        self.take("[")
        if self.peek() == "]":
            self.at += 1
            return
        while True:
            yield self.value()
            if self.take(",", "]") == "]":
                return


def _rows(cursor: _Cursor) -> Iterator[Any]:
    first = cursor.peek()
    if first == "[":
        yield from cursor.elements()
    elif first != "{":
        yield cursor.value()
    else:
        rest: dict[str, Any] = {}
        found = False
        for row in _member_rows(cursor, rest):
            found = True
            yield row
        yield from _remaining_rows(rest, found=found)


def _member_rows(cursor: _Cursor, rest: dict[str, Any]) -> Iterator[Any]:
    """Yield the rows of the object that begins here; all other members go into ``rest``."""
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
                if is_text_key(key, top_level=False):
                    rest[key] = None
            else:
                rest[key] = [] if value is None else [value, *_limited(elements)]
        else:
            value = cursor.value()
            if isinstance(value, dict) and _is_column(value):
                rest[key] = list(value.values())
            elif isinstance(value, dict) and (keyed or not rest):
                keyed = True
                yield {KEY: key, **value} if is_text_key(key, top_level=False) else value
            else:
                rest[key] = value
        if cursor.take(",", "}") == "}":
            return
    cursor.take("}")


def _limited(elements: Iterator[Any]) -> Iterator[Any]:
    for number, element in enumerate(elements):
        if number >= _MAX_COLUMN_CELLS:
            raise _TooLargeError(f"has a column of more than {_MAX_COLUMN_CELLS:,} cells")
        yield element


def _is_column(value: dict[str, Any]) -> bool:
    """Whether an object is a column of a frame: values keyed by row number."""
    return bool(value) and list(value) == [str(i) for i in range(len(value))]


def _remaining_rows(rest: dict[str, Any], *, found: bool) -> Iterator[Any]:
    columns = {name: value for name, value in rest.items() if isinstance(value, list)}
    lengths = {len(value) for value in columns.values()}
    if not found and len(lengths) == 1 and lengths != {0}:
        for row in zip(*columns.values(), strict=True):
            yield dict(zip(columns, row, strict=True))
        found = True
        rest = {name: value for name, value in rest.items() if name not in columns}
    if rest and (not found or _has_text(rest)):
        yield rest


def _has_text(value: Any) -> bool:
    if isinstance(value, dict):
        return any(is_text_key(key, top_level=False) for key in value) or any(
            map(_has_text, value.values())
        )
    if isinstance(value, list):
        return any(map(_has_text, value))
    return isinstance(value, str) and len(value) >= _MIN_TEXT_LENGTH
