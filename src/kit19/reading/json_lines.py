"""JSON lines of anybody, a value a line, in any encoding; also under the name of another format."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from pydantic_core import from_json

from kit19.reading.cells import DECODER
from kit19.reading.encoding import MARK, is_marked, mended
from kit19.reading.opening import LONGEST

_BOM = b"\xef\xbb\xbf"
_KEY_ENDS = re.compile(rb'"\s*:')
_FIRST_LINE = 1 << 24


@dataclass(frozen=True)
class NotJson:
    """A line that is no JSON.

    Attributes:
        why: What is wrong with it.
    """

    why: str


def json_lines(stream: IO[bytes], encoding: str) -> Iterator[tuple[int, Any]]:
    """Each line's number, from 1, and its value; blank lines are left out.

    A byte order mark may stand before any line: files are put one behind the other.

    Yields:
        :class:`NotJson` in place of the value of a line that is not valid.
    """
    lines = _bytes(stream) if encoding.startswith("utf-8") else _recoded(stream, encoding)
    for number, line in enumerate(lines, 1):
        if isinstance(line, NotJson):
            yield number, line
            continue
        text = line.removeprefix(_BOM).strip()
        if not text:
            continue
        try:
            yield number, parse(text)
        except ValueError as error:
            yield number, NotJson(f"is not valid JSON: {error}")


def _bytes(stream: IO[bytes]) -> Iterator[bytes | NotJson]:
    while line := stream.readline(LONGEST + 1):
        if len(line) > LONGEST:
            yield _too_long()
            return
        yield line


def _too_long() -> NotJson:
    return NotJson(f"is longer than {LONGEST >> 20} MiB")


def _recoded(stream: IO[bytes], encoding: str) -> Iterator[bytes | NotJson]:
    with io.TextIOWrapper(stream, encoding, errors=MARK, newline="\n") as text:
        while line := text.readline(LONGEST + 1):
            if len(line) > LONGEST:
                yield _too_long()
                return
            whole = mended(line, encoding) if is_marked(line) else line
            if whole is None:
                yield NotJson(f"is not valid JSON: has bytes that are not {encoding.upper()}")
            else:
                yield whole.encode()


def parse(line: bytes) -> Any:
    """The value of one line of UTF-8, or of CP949 among UTF-8.

    Values of a key that stands twice in an object become a ``Twice``.

    Raises:
        ValueError: It is not valid.
    """
    try:
        value = from_json(line)
    except ValueError as error:
        text = _decoded(line)
        try:
            # It takes half of a surrogate pair and any number of digits, and is slower.
            return DECODER.decode(text) if text is not None else from_json(line)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        except ValueError:
            said = str(error).replace(" at line 1 column", " at column")
            raise ValueError(said) from None
    if len(_KEY_ENDS.findall(line)) > _keys(value):
        return _with_twins(line, value)
    return value


def _decoded(line: bytes) -> str | None:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return mended(line.decode("utf-8", "surrogateescape"), "utf-8")


def _with_twins(line: bytes, value: Any) -> Any:
    """The value with both values of a key that stands twice, if there is one."""
    try:
        return DECODER.decode(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return value


def _keys(value: Any) -> int:
    """How many keys the objects of a value have. Fewer than in its text: one stands twice there."""
    count, stack = 0, [value]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            count += len(one)
            stack += one.values()
        elif isinstance(one, list):
            stack += one
    return count


def holds_json_lines(stream: IO[bytes], encoding: str, suffix: str) -> bool:
    """Whether a file holds a value a line rather than one document or plain text.

    Names do not tell: many ``.json`` files hold lines, and some ``.jsonl`` files an array.
    """
    if suffix in (".csv", ".tsv"):
        return False
    first, cut, more = _first_line(stream, encoding)
    if suffix in (".jsonl", ".ndjson"):
        return cut or not _begins_document(first, more)
    try:
        return isinstance(parse(first), dict) and (more or suffix != ".json")
    except ValueError:
        return False


def _begins_document(line: bytes, more: bool) -> bool:
    """Whether the first line of a file called JSON lines begins a document that goes on below it."""
    if not line.startswith((b"{", b"[")):
        return False
    try:
        value = parse(line)
    except ValueError:
        # A line that is broken is none: it has to be told with its place.
        return line in (b"[", b"{") or line.endswith((b"{", b"[", b","))
    # One line is a row of its own, unless it is all there is and holds rows.
    rows = isinstance(value, list) and value and all(isinstance(one, dict) for one in value)
    return bool(rows) and not more


def _first_line(stream: IO[bytes], encoding: str) -> tuple[bytes, bool, bool]:
    """The first line that is not blank, whether it was cut, and whether anything follows it."""
    if encoding in ("utf-16", "utf-32"):  # lines of these end in the middle of bytes
        text = stream.read(_FIRST_LINE).decode(encoding, "replace")
        stream.seek(0)
        head, _, rest = text.lstrip().partition("\n")
        return head.strip().encode(), False, bool(rest)
    first, line = b"", b"?"
    while not first and line:
        line = stream.readline(_FIRST_LINE)
        first = line.removeprefix(_BOM).strip()
    more = bool(stream.read(1))
    stream.seek(0)
    return first, len(line) == _FIRST_LINE, more
