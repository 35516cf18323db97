"""Particles for columns: the fast counterpart of ``sound.py`` and ``particles.py``.

The last sound of nearly every text is settled inside the engine by its last character. The rest
(numbers, Latin, parentheses, lone jamo, decomposed text) goes to the reference, each distinct text
once and in full: text far before a closing parenthesis may decide.
"""

from __future__ import annotations

import functools
import itertools
import sys
import unicodedata

import numpy as np
import numpy.typing as npt
import polars as pl

from kit19.korean.finals import FIRST_SYLLABLE, LAST_SYLLABLE, Final, final_of_reading
from kit19.korean.hanja import hanja_finals
from kit19.korean.particles import Particle
from kit19.korean.signs import LOOK_THROUGH, SIGNS
from kit19.korean.sound import final_sound

_NOTHING = "\U0010ffff"  # used as the last character of a text that consists of marks only
_UNSETTLED = 255  # code of texts that need the reference
# Jamo after a syllable, another jamo or a mark is laughter or tears: 좋아ㅋ, ㅠㅠ, 최고!!ㅎ. Only
# marks after which the reference reads no letter by its name are listed.
_JAMO_RUN = r"[가-힣ㄱ-ㅣ0-9a-zA-Z~!?.;…^:-][ㄱ-ㅣ]\z"
# Frequent at the end of reviews, and never read in one way. Only for speed: the reference would
# say the same.
_NEVER_READ = "^★☆@=#"


def final_expr(word: pl.Expr) -> pl.Expr:
    """Find the last sound of each text, as ``sound.final_sound`` has it.

    Args:
        word: String expression, n texts.

    Returns:
        UInt8 expression, n codes of ``Final``; null texts give null.

    """
    return word.map_batches(_finals, pl.UInt8, is_elementwise=True)


def attach_expr(word: pl.Expr, particle: Particle) -> pl.Expr:
    """Write the form of the particle that each text takes behind it.

    Args:
        word: String expression, n texts.
        particle: A pair from ``parse_particle``.

    Returns:
        String expression, n texts; null texts give null.

    """
    return pl.concat_str(word, choose_expr(word, particle))


def choose_expr(word: pl.Expr, particle: Particle) -> pl.Expr:
    """Give the form that each text takes by all its readings, without the text; null for null."""
    forms = {final.value: particle.after(final) for final in Final}
    chosen = final_expr(word).replace_strict(forms, return_dtype=pl.String)
    if particle.after_ani == particle.after_vowel:
        return chosen
    is_ani = word.str.contains(_ANI).fill_null(value=False)
    return pl.when(~is_ani).then(chosen).otherwise(pl.lit(particle.after_ani))


def _or_decomposed(syllable: str) -> str:
    return f"(?:{syllable}|{unicodedata.normalize('NFD', syllable)})"


_ANI = f"(?:^|[ \\t\\n\\r\u00a0\u3000]){_or_decomposed('아')}{_or_decomposed('니')}\\z"


def _finals(words: pl.Series) -> pl.Series:
    spoken = words.str.strip_chars_end(LOOK_THROUGH)
    # One character each, so that the texts' last characters are an array of code points.
    last = "".join(spoken.str.tail(1).fill_null("").replace("", _NOTHING).to_list())
    codes = _codes()[np.frombuffer(last.encode("utf-32-le"), dtype="<u4")]
    codes[spoken.str.contains(_JAMO_RUN).fill_null(value=False).to_numpy()] = Final.UNDECIDABLE
    unsettled = np.flatnonzero(codes == _UNSETTLED)
    remaining = words.gather(unsettled)
    answers = {text: final_sound(text).value for text in remaining.unique()}
    codes[unsettled] = [answers[text] for text in remaining]
    found = pl.Series(words.name, codes)
    return found if not words.null_count() else found.scatter(words.is_null().arg_true(), None)


@functools.cache
def _codes() -> npt.NDArray[np.uint8]:
    """Return the code of every character that determines the sound by itself."""
    codes = np.full(sys.maxunicode + 1, _UNSETTLED, dtype=np.uint8)
    settled = _settled()
    codes[list(map(ord, settled))] = list(settled.values())
    return codes


def _settled() -> dict[str, Final]:
    # Syllables stand in the order of their final consonants, 28 to a row (Unicode, 3.12).
    row = [final_of_reading(chr(ord(FIRST_SYLLABLE) + place)) for place in range(28)]
    syllables = map(chr, range(ord(FIRST_SYLLABLE), ord(LAST_SYLLABLE) + 1))
    finals = dict(zip(syllables, itertools.cycle(row), strict=False))
    finals |= hanja_finals() | SIGNS
    finals |= dict.fromkeys(_NEVER_READ, Final.UNDECIDABLE)
    finals[_NOTHING] = Final.UNDECIDABLE
    return finals
