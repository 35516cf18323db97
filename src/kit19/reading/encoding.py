"""Detects the encoding of a text file, and handles bytes that are invalid in it."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import IO

from kit19.core.errors import Problem, ReadError
from kit19.reading.remarks import Remarks

_CHUNK = 1 << 20
_MAX_BROKEN_SHARE = 0.01  # of a file's bytes; a crawl with characters cut in two is still text
_HANGUL = re.compile("[가-힣]")
_UNDECODABLE = re.compile("[\udc80-\udcff]")
_ISO_2022_KR = b"\x1b$)C"  # announces Hangul in otherwise ASCII bytes; used by old mail

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _replace_bytes(error: UnicodeError) -> tuple[str, int]:
    """Replace each undecodable byte by a lone surrogate, which no text has."""
    assert isinstance(error, UnicodeDecodeError)  # noqa: S101  it is only used for decoding
    data = error.object[error.start : error.end]
    return "".join(chr(0xDC80 | byte) for byte in data), error.end


MARK = "kit19-mark"
"""The name of an error handler like ``surrogateescape``, for every encoding and every byte."""
codecs.register_error(MARK, _replace_bytes)


def detect_encoding(stream: IO[bytes], path: Path | str) -> str:
    """Detect the encoding of a file, then rewind the stream.

    Korean Excel still writes CP949. Read as UTF-8, such a file would have no text, and an audit of it
    would report nothing. ASCII is valid in both encodings, so the first other bytes decide.

    Raises:
        ReadError: The file is not text.
    """
    sample = stream.read(_CHUNK)
    for bom, name in BOMS:
        if sample.startswith(bom):
            stream.seek(0)
            return name
    if _ISO_2022_KR in sample:
        stream.seek(0)
        return "iso2022_kr"
    is_complete = len(sample) < _CHUNK
    has_nul = b"\0" in sample
    while sample.isascii() and not is_complete:
        sample = stream.read(_CHUNK)
        is_complete = len(sample) < _CHUNK
    if not is_complete:  # a chunk may end in the first byte of its only character
        more = stream.read(_CHUNK)
        sample, is_complete = sample + more, len(more) < _CHUNK
    stream.seek(0)
    if not has_nul:
        for name in ("utf-8", "cp949"):
            decoder = codecs.getincrementaldecoder(name)()
            try:
                decoder.decode(sample, final=is_complete)
            except UnicodeDecodeError:
                continue
            return name
        broken = sample.decode("utf-8", "replace").count("\ufffd")
        if broken <= _MAX_BROKEN_SHARE * len(sample):
            return "utf-8"
    fix = "kit19 reads text in UTF-8, UTF-16 or CP949, and parquet"
    raise ReadError(Problem("is not text", str(path), fix))


def has_undecodable_bytes(text: str) -> bool:
    """Whether a text decoded with :data:`MARK` had bytes that are invalid in its encoding."""
    return not text.isascii() and _UNDECODABLE.search(text) is not None


def looks_like_cp949(data: bytes) -> bool:
    """Whether bytes that are not UTF-8 are text in CP949.

    Much of UTF-8 with a missing byte can also be decoded as CP949, to a different text. But such bytes
    contain complete Hangul syllables in UTF-8, which CP949 does not contain by chance.
    """
    if _HANGUL.search(data.decode("utf-8", "ignore")):
        return False
    try:
        return _HANGUL.search(data.decode("cp949")) is not None
    except UnicodeDecodeError:
        return False


def decode_mixed(line: str, encoding: str) -> str | None:
    """Decode a line of a file in mixed encodings: UTF-8 within CP949, or CP949 within UTF-8.

    Args:
        line: A line with marked bytes.
        encoding: The encoding of the file.

    Returns:
        The line; None if it is in neither encoding.
    """
    if encoding not in ("utf-8", "utf-8-sig", "cp949"):
        return None
    data = line.encode("cp949" if encoding == "cp949" else "utf-8", "surrogateescape")
    try:
        if encoding == "cp949":
            return data.decode("utf-8")
        return data.decode("cp949") if looks_like_cp949(data) else None
    except UnicodeDecodeError:
        return None


def decode_line(line: str, encoding: str, where: str, number: int, remarks: Remarks) -> str:
    """Return a line as text. Undecodable bytes become U+FFFD and are recorded in ``remarks``."""
    if not has_undecodable_bytes(line):
        return line
    found = decode_mixed(line, encoding)
    if found is None:
        remarks.skip_line(where, "has bytes that are not text", number)
        return _UNDECODABLE.sub("\ufffd", line)
    return found
