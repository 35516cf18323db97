"""Extract what texts are compared by, as a table: character trigrams, stems of words.

Three code points of 21 bits fit into 63 bits, so a trigram is its own exact key.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from kit19.curating.decoding import LITERAL, SPACED, decode
from kit19.curating.searching import pack_trigrams
from kit19.curating.word_stems import pairs_of_stems, stems_of_words


@dataclass(frozen=True)
class Grams:
    """The grams of some texts.

    Attributes:
        place: For each gram the index of its text, in ascending order.
        grams: The grams.
    """

    place: npt.NDArray[np.uint32]
    grams: npt.NDArray[np.uint64]


def trigrams_of(texts: pl.Series) -> Grams:
    """Extract the character trigrams of texts (none null), any character counting as a letter."""
    return _trigrams(texts)[0]


def extract_trigrams(texts: pl.Series) -> pl.DataFrame:
    """As ``trigrams_of``: columns place, at (position in the text), gram, sorted in this order."""
    found, at = _trigrams(texts)
    return pl.DataFrame({"place": found.place, "at": at, "gram": found.grams})


def _trigrams(texts: pl.Series) -> tuple[Grams, npt.NDArray[np.uint32]]:
    decoded = decode(texts, LITERAL)
    most = len(decoded.letters)
    place, at = np.empty(most, dtype=np.uint32), np.empty(most, dtype=np.uint32)
    grams = np.empty(most, dtype=np.uint64)
    found = pack_trigrams(decoded.letters, decoded.text_ends, place, at, grams)
    return Grams(place[:found], grams[:found]), at[:found]


def stems_of(texts: pl.Series) -> tuple[Grams, Grams]:
    """Extract the stems of words, and the pairs of adjacent ones, of texts in the form of ``spaced``.

    Returns:
        Stems, then pairs: hashes of both stems.
    """
    decoded = decode(texts, SPACED)
    stems = stems_of_words(decoded.letters, decoded.text_ends, decoded.words, decoded.word_ends)
    place = np.repeat(np.arange(len(texts), dtype=np.uint32), np.diff(decoded.word_ends, prepend=0))
    where, pairs = pairs_of_stems(stems, decoded.word_ends)
    return Grams(place, stems), Grams(where, pairs)
