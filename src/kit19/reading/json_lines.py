"""JSON lines of any origin and encoding, also in files named like another format."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from pydantic_core import from_json

from kit19.reading.cells import DECODER
from kit19.reading.encoding import MARK, decode_mixed, has_undecodable_bytes
from kit19.reading.opening import LONGEST

BOM = b"\xef\xbb\xbf"
BLANKS = b" \t\r\n\x0b\x0c"
"""What ``bytes.strip`` removes."""
_KEY_ENDS = re.compile(rb'"\s*:')
_FIRST_LINE = 1 << 24
_PART = 1 << 16


@dataclass(frozen=True)
class InvalidLine:
    """A line that is not valid JSON.

    Attributes:
        why: The reason.
    """

    why: str


def json_lines(stream: IO[bytes], encoding: str) -> Iterator[tuple[int, Any]]:
    """Yield the 1-based number and the value of each line; blank lines are skipped.

    Any line may begin with a byte order mark, as in concatenated files.

    Yields:
        Number and value; the value of an invalid line is an :class:`InvalidLine`.
    """
    lines = (
        _byte_lines(stream) if encoding.startswith("utf-8") else _recoded_lines(stream, encoding)
    )
    for number, line in enumerate(lines, 1):
        if isinstance(line, InvalidLine):
            yield number, line
        elif line.removeprefix(BOM).strip():
            yield number, read_line(line)


def read_line(line: bytes) -> Any:
    """Return the value of one line as it is in a file; an ``InvalidLine`` if it is not valid."""
    try:
        return parse_line(line.removeprefix(BOM).strip())
    except ValueError as error:
        return InvalidLine(f"is not valid JSON: {error}")


def _byte_lines(stream: IO[bytes]) -> Iterator[bytes | InvalidLine]:
    while line := stream.readline(LONGEST + 1):
        if len(line) > LONGEST:
            yield too_long_line()
            return
        yield line


def too_long_line() -> InvalidLine:
    """The value of a line that is too long, and of all after it."""
    return InvalidLine(f"is longer than {LONGEST >> 20} MiB")


def _recoded_lines(stream: IO[bytes], encoding: str) -> Iterator[bytes | InvalidLine]:
    with io.TextIOWrapper(stream, encoding, errors=MARK, newline="\n") as text:
        while line := text.readline(LONGEST + 1):
            if len(line) > LONGEST:
                yield too_long_line()
                return
            decoded = decode_mixed(line, encoding) if has_undecodable_bytes(line) else line
            if decoded is None:
                yield InvalidLine(f"is not valid JSON: has bytes that are not {encoding.upper()}")
            else:
                yield decoded.encode()


def parse_line(line: bytes) -> Any:
    """Parse one line of UTF-8, or of CP949 within a UTF-8 file.

    The values of a repeated key of an object become a ``RepeatedKey``.

    Raises:
        ValueError: The line is not valid JSON.
    """
    try:
        value = from_json(line)
    except ValueError as error:
        text = _decode(line)
        try:
            # This slower decoder accepts half of a surrogate pair and any number of digits.
            return DECODER.decode(text) if text is not None else from_json(line)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        except ValueError:
            message = str(error).replace(" at line 1 column", " at column")
            raise ValueError(message) from None
    if len(_KEY_ENDS.findall(line)) > _count_keys(value):
        return _with_repeated_keys(line, value)
    return value


def _decode(line: bytes) -> str | None:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return decode_mixed(line.decode("utf-8", "surrogateescape"), "utf-8")


def _with_repeated_keys(line: bytes, value: Any) -> Any:
    """Parse a line again, keeping all values of repeated keys."""
    try:
        return DECODER.decode(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return value


def _count_keys(value: Any) -> int:
    """Count the keys of all objects in a value. Fewer than in its text means that one is repeated."""
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
    """Whether a file has one value per line, rather than one document or plain text.

    The name does not decide: many ``.json`` files hold lines, and some ``.jsonl`` files an array.
    """
    if suffix in (".csv", ".tsv"):
        return False
    first, cut, more = _first_line(stream, encoding)
    if suffix in (".jsonl", ".ndjson"):
        return cut or not _begins_document(first, more)
    try:
        return isinstance(parse_line(first), dict) and (more or suffix != ".json")
    except ValueError:
        return False


def _begins_document(line: bytes, more: bool) -> bool:
    """Whether the first line of a ``.jsonl`` file begins a document of several lines."""
    if not line.startswith((b"{", b"[")):
        return False
    try:
        value = parse_line(line)
    except ValueError:
        # Any other invalid line is reported with its place.
        return line in (b"[", b"{") or line.endswith((b"{", b"[", b","))
    # A valid first line is a row, unless it is the only line and holds rows.
    rows = isinstance(value, list) and value and all(isinstance(one, dict) for one in value)
    return bool(rows) and not more


def _first_line(stream: IO[bytes], encoding: str) -> tuple[bytes, bool, bool]:
    """Return the first non-blank line, whether it was cut, and whether another follows it."""
    if encoding in ("utf-16", "utf-32"):  # here a line feed byte need not end a line
        text = stream.read(_FIRST_LINE).decode(encoding, "replace")
        stream.seek(0)
        head, _, rest = text.lstrip().partition("\n")
        return head.strip().encode(), False, bool(rest.strip())
    first, line = b"", b"?"
    while not first and line:
        line = stream.readline(_FIRST_LINE)
        first = line.removeprefix(BOM).strip()
    more = any(part.strip() for part in iter(lambda: stream.read(_PART), b""))
    stream.seek(0)
    return first, len(line) == _FIRST_LINE, more
