"""A table from code points to what is left of them in the form that ``spaced`` gives.

It is made by the very functions that it replaces, one character at a time. A text with a character
whose result depends on its neighbors takes the slow path: those functions.

The table is cached in a file ``characters/<key>`` (see ``kit19.core.cached``). The key is a digest of
everything that it is made by.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from kit19.core.cached import DIGEST, digest_code, read_cached, write_cached
from kit19.core.paths import cache_dir
from kit19.curating import grams
from kit19.curating.grams import composed, words_of
from kit19.korean import invisible, jamo

_KEPT = 4  # files, of half a megabyte
DROP, BLANK, SLOW = 0, ord(" "), 0xFFFF_FFFF
CONSONANT, VOWEL = 1 << 30, 1 << 29
"""Marks of separate Hangul letters: a vowel after a consonant makes a syllable, on the slow path."""
SEVERAL = 1 << 28
"""Marks a code point of which several characters are left; the rest is a place in ``several``."""
CODE = (1 << 21) - 1
PRIVATE = 0xF_0000
"""From here on, all code points are for private use: neither letters nor digits."""
# The first plane without Hangul syllables, and the emoji. Other characters are rare: slow path.
_SYLLABLES = range(ord("가"), ord("힣") + 1)
_SURROGATES = range(0xD800, 0xE000)
_EMOJI = range(0x1F000, 0x1FB00)
_CODES = (
    range(_SYLLABLES.start),
    range(_SYLLABLES.stop, _SURROGATES.start),
    range(_SURROGATES.stop, 0x1_0000),
    _EMOJI,
)
# Characters that join the one before: marks, and the last letters of a syllable. The lower case of a
# capital sigma depends on the letters around it.
_DEPENDS = r"^\p{M}|[\x{11A8}-\x{11C2}]|Σ"
_CONSONANT = r"[\x{1100}-\x{1112}]"
_VOWEL = r"[\x{1161}-\x{1175}]"


@dataclass(frozen=True)
class Characters:
    """What is left of code points.

    Attributes:
        table: For each code point below 0x1FB00 DROP, BLANK, SLOW or the letter that is left, perhaps
            marked.
        several: What is left of those marked SEVERAL, each with a 0 behind it.
    """

    table: npt.NDArray[np.uint32]
    several: npt.NDArray[np.uint32]


@lru_cache(1)
def load_characters() -> Characters:
    """Load the table from the cache, or create it."""
    sources = (
        Path(str(one)) for one in (__file__, grams.__file__, invisible.__file__, jamo.__file__)
    )
    parts = [pl.__version__, unicodedata.unidata_version, digest_code(sources)]
    key = hashlib.sha256(" ".join(parts).encode()).hexdigest()
    path = cache_dir() / "characters" / key
    if content := read_cached(path):
        both = np.frombuffer(content, dtype="<u4", offset=DIGEST)
        return Characters(both[: _EMOJI.stop], both[_EMOJI.stop :])
    created = _create_characters()
    both = np.concatenate([created.table, created.several])
    write_cached(path, both.astype("<u4").tobytes(), _KEPT)
    return created


def _create_characters() -> Characters:
    codes = np.concatenate([np.arange(one.start, one.stop, dtype=np.uint32) for one in _CODES])
    characters = pl.Series([chr(one) for one in codes.tolist()])
    normal = composed(characters)
    left = words_of(normal)
    length = left.str.len_chars().to_numpy()
    found = np.full(len(codes), DROP, dtype=np.uint32)
    found[length == 1] = _code_points(left.filter(length == 1))
    several = _code_points(left.filter(length > 1) + "\0")
    found[length > 1] = np.flatnonzero(np.append(0, several[:-1]) == 0)
    found[length > 1] |= np.uint32(SEVERAL)
    for pattern, mark in ((_CONSONANT, CONSONANT), (_VOWEL, VOWEL)):
        has_mark = normal.str.contains(pattern).to_numpy()
        found[has_mark & (length == 1)] |= np.uint32(mark)
        found[has_mark & (length > 1)] = SLOW
    found[normal.str.contains(_DEPENDS).to_numpy()] = SLOW
    # So a text has no more letters than bytes of UTF-8. (U+FDFA has 3 bytes, and gives 18 characters.)
    found[length > np.where(codes < 0x800, 2, 3)] = SLOW
    # Emoji are symbols; what is none may be composed with its neighbors.
    found[(codes > 0xFFFF) & (found != DROP)] = SLOW
    table = np.full(_EMOJI.stop, SLOW, dtype=np.uint32)
    table[codes] = found
    table[_SYLLABLES.start : _SYLLABLES.stop] = _SYLLABLES
    table.flags.writeable = several.flags.writeable = False
    return Characters(table, several)


def _code_points(texts: pl.Series) -> npt.NDArray[np.uint32]:
    return np.frombuffer("".join(texts).encode("utf-32-le"), dtype="<u4")
