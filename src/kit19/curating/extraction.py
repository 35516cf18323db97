"""Extract what texts are compared by, as a table: character trigrams, stems of words.

Three code points of 21 bits fit into 63 bits, so a trigram is its own exact key.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from kit19.curating.decoding import LITERAL, SPACED, decode
from kit19.curating.searching import pack_trigrams
from kit19.curating.word_stems import pairs_of_stems, stems_of_words


def extract_trigrams(texts: pl.Series) -> pl.DataFrame:
    """Extract the character trigrams of texts (none null), any character counting as a letter.

    Returns:
        Columns place (index of the text), at (position in it), gram, sorted in this order.
    """
    decoded = decode(texts, LITERAL)
    most = len(decoded.letters)
    place, at = np.empty(most, dtype=np.uint32), np.empty(most, dtype=np.uint32)
    grams = np.empty(most, dtype=np.uint64)
    found = pack_trigrams(decoded.letters, decoded.text_ends, place, at, grams)
    return _frame(place[:found], at[:found], grams[:found])


def extract_stems(texts: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Extract the stems of words, and the pairs of adjacent ones, of texts in the form of ``spaced``.

    Returns:
        Columns as in ``extract_trigrams``. ``at`` does not count blanks, as in the bare form. For the
        pairs, place and gram (a hash of both).
    """
    decoded = decode(texts, SPACED)
    stems = stems_of_words(decoded.letters, decoded.text_ends, decoded.words, decoded.word_ends)
    count = np.diff(decoded.word_ends, prepend=0)
    place = np.repeat(np.arange(len(count), dtype=np.uint32), count)
    where, pairs = pairs_of_stems(stems, decoded.word_ends)
    return _frame(place, decoded.words, stems), pl.DataFrame({"place": where, "gram": pairs})


def _frame(
    place: npt.NDArray[np.uint32], at: npt.NDArray[np.uint32], gram: npt.NDArray[np.uint64]
) -> pl.DataFrame:
    return pl.DataFrame({"place": place, "at": at, "gram": gram})
