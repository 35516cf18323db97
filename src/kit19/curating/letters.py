"""The bare form of many texts, in native code."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from kit19.core.native import standalone
from kit19.core.text_series import text_series
from kit19.curating.decoding import decode
from kit19.curating.grams import bare, slices_by_length

_U8 = npt.NDArray[np.uint8]
_U32 = npt.NDArray[np.uint32]
_U64 = npt.NDArray[np.uint64]
_I64 = npt.NDArray[np.int64]
_BYTES = 8_000_000  # converted at a time
_INLINE = 12  # bytes of a text that its view holds


def letters_of(texts: pl.Series) -> pl.Series:
    """Convert texts (none null) to bare form, as ``bare`` does, only faster."""
    parts = [pl.Series(texts.name, [], dtype=pl.String)]
    for start, end in slices_by_length(texts, _BYTES):
        some = texts[start:end]
        decoded = decode(some)
        data = np.empty(4 * len(decoded.letters), dtype=np.uint8)
        views = np.empty(2 * len(some), dtype=np.uint64)
        used = _encode(decoded.letters, decoded.text_ends, data, views)
        found = text_series(views, data[:used].copy())
        if len(decoded.slow):
            found = found.scatter(decoded.slow, bare(some.gather(decoded.slow)))
        parts.append(found.alias(texts.name))
    return pl.concat(parts)


@standalone
def _encode(letters: _U32, ends: _I64, data: _U8, views: _U64) -> int:
    """Write texts in UTF-8, and their views (see ``core.text_series``). Returns the size."""
    used, start = 0, 0
    for text in range(len(ends)):
        first = used
        for at in range(start, ends[text]):
            code = letters[at]
            if code < 0x80:
                data[used] = code
                used += 1
                continue
            if code < 0x800:
                data[used] = 0xC0 | (code >> 6)
                used += 1
            else:
                if code < 0x1_0000:
                    data[used] = 0xE0 | (code >> 12)
                    used += 1
                else:
                    data[used] = 0xF0 | (code >> 18)
                    data[used + 1] = 0x80 | ((code >> 12) & 0x3F)
                    used += 2
                data[used] = 0x80 | ((code >> 6) & 0x3F)
                used += 1
            data[used] = 0x80 | (code & 0x3F)
            used += 1
        start = ends[text]
        size = used - first
        head, rest = np.uint64(0), np.uint64(0)
        for nth in range(min(size, _INLINE)):
            byte = np.uint64(data[first + nth])
            if nth < 4:
                head |= byte << np.uint64(8 * nth)
            else:
                rest |= byte << np.uint64(8 * nth - 32)
        views[2 * text] = np.uint64(size) | head << np.uint64(32)
        views[2 * text + 1] = rest if size <= _INLINE else np.uint64(first) << np.uint64(32)
    return used
