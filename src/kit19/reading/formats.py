"""The format of a file: its content decides, and its name only where the content leaves a choice."""

from __future__ import annotations

from enum import Enum, auto
from typing import IO

from kit19.reading.encoding import detect_encoding
from kit19.reading.json_lines import holds_json_lines


class Format(Enum):
    """How the rows of a file are written."""

    PARQUET = auto()
    ARROW = auto()
    JSON_LINES = auto()
    JSON = auto()
    DELIMITED = auto()


def detect_format(stream: IO[bytes], suffix: str, where: str) -> tuple[Format, str]:
    """Detect the format and the encoding of a file, then rewind the stream.

    Args:
        stream: The bytes, decompressed.
        suffix: The suffix of the file's name, without that of a compression.
        where: The file, for messages.

    Returns:
        The format, and the encoding ("" for a binary format).

    Raises:
        ReadError: The file is neither text nor parquet nor Arrow.
    """
    mark = stream.read(6)
    stream.seek(0)
    if suffix == ".parquet" or mark.startswith(b"PAR1"):
        return Format.PARQUET, ""
    if suffix == ".arrow" or mark == b"ARROW1":
        return Format.ARROW, ""
    encoding = detect_encoding(stream, where)
    if holds_json_lines(stream, encoding, suffix):
        return Format.JSON_LINES, encoding
    if suffix in (".jsonl", ".ndjson", ".json"):
        return Format.JSON, encoding
    return Format.DELIMITED, encoding
