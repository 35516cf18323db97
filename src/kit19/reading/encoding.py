"""The encoding of a text that nobody described, and bytes that it does not have."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import IO

from kit19.core.errors import Problem, ReadError
from kit19.reading.remarks import Remarks

_CHUNK = 1 << 20
_BROKEN = 0.01  # of a file's bytes; what a crawl cut in two is still text
_HANGUL = re.compile("[가-힣]")
_MARKED = re.compile("[\udc80-\udcff]")
_ISO_2022_KR = b"\x1b$)C"  # announces Hangul in bytes that are ASCII otherwise; old mail has it

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _mark(error: UnicodeError) -> tuple[str, int]:
    """Put a lone surrogate, which no text has, for each byte that cannot be decoded."""
    assert isinstance(error, UnicodeDecodeError)  # noqa: S101  nothing is encoded with it
    data = error.object[error.start : error.end]
    return "".join(chr(0xDC80 | byte) for byte in data), error.end


MARK = "kit19-mark"
"""Like ``surrogateescape``, but for every encoding and every byte."""
codecs.register_error(MARK, _mark)


def encoding_of(stream: IO[bytes], path: Path | str) -> str:
    """The encoding of a file; the stream is at its beginning again afterwards.

    Excel in Korean still writes CP949, and read as UTF-8 that would be a dataset without any text:
    an audit of it would find nothing and say so. ASCII is both, so it is decided where ASCII ends.

    Raises:
        ReadError: The file is no text.
    """
    sample = stream.read(_CHUNK)
    for bom, name in BOMS:
        if sample.startswith(bom):
            stream.seek(0)
            return name
    if _ISO_2022_KR in sample:
        stream.seek(0)
        return "iso2022_kr"
    whole = len(sample) < _CHUNK
    has_nul = b"\0" in sample
    while sample.isascii() and not whole:
        sample = stream.read(_CHUNK)
        whole = len(sample) < _CHUNK
    if not whole:  # a chunk may end in the first byte of its only character
        more = stream.read(_CHUNK)
        sample, whole = sample + more, len(more) < _CHUNK
    stream.seek(0)
    if not has_nul:
        for name in ("utf-8", "cp949"):
            decoder = codecs.getincrementaldecoder(name)()
            try:
                decoder.decode(sample, final=whole)
            except UnicodeDecodeError:
                continue
            return name
        broken = sample.decode("utf-8", "replace").count("\ufffd")
        if broken <= _BROKEN * len(sample):
            return "utf-8"
    fix = "kit19 reads text in UTF-8, UTF-16 or CP949, and parquet"
    raise ReadError(Problem("is no text", str(path), fix))


def is_marked(text: str) -> bool:
    """Whether a text decoded with :data:`MARK` has bytes that were none of its encoding."""
    return not text.isascii() and _MARKED.search(text) is not None


def looks_like_cp949(data: bytes) -> bool:
    """Whether bytes that are not UTF-8 are text in CP949.

    Of UTF-8 with a byte missing much can be decoded as CP949 too, and is other text then; but that
    has whole Hangul in UTF-8, which CP949 does not have by chance.
    """
    if _HANGUL.search(data.decode("utf-8", "ignore")):
        return False
    try:
        return _HANGUL.search(data.decode("cp949")) is not None
    except UnicodeDecodeError:
        return False


def mended(line: str, encoding: str) -> str | None:
    """A line that has marked bytes, decoded as what it is: UTF-8 in CP949 or CP949 in UTF-8.

    Returns:
        None if it is neither.
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


def whole_line(line: str, encoding: str, where: str, number: int, remarks: Remarks) -> str:
    """A line as text; bytes that are none become U+FFFD and are remarked."""
    if not is_marked(line):
        return line
    found = mended(line, encoding)
    if found is None:
        remarks.skip_line(where, "has bytes that are no text", number)
        return _MARKED.sub("\ufffd", line)
    return found
