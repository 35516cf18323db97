"""Particles for whole columns: the fast twin of ``sound.py`` and ``particles.py``.

The last sound of nearly every text is settled inside the engine by its last character. The rest
(numbers, Latin, parentheses, lone jamo, decomposed text) goes, each distinct text once and whole,
to the reference: what stands far before a closing parenthesis may decide.
"""

from __future__ import annotations

import functools
import unicodedata

import polars as pl

from kit19.korean.finals import FIRST_SYLLABLE, LAST_SYLLABLE, Final, final_of_reading
from kit19.korean.hanja import hanja_finals
from kit19.korean.particles import Particle
from kit19.korean.signs import LOOK_THROUGH, SIGNS
from kit19.korean.sound import final_sound

_ASK = 255  # code of texts that only the reference can settle
# Jamo after a syllable or another jamo is laughter or tears: 좋아ㅋ, ㅠㅠ.
_JAMO_RUN = r"[가-힣ㄱ-ㅣ][ㄱ-ㅣ]\z"
# Frequent at the end of reviews, and never read in one way. Only for speed: the reference would
# say the same.
_NEVER_READ = "^♥♡★☆@=#"


def final_expr(word: pl.Expr) -> pl.Expr:
    """Find the last sound of each text, as ``sound.final_sound`` has it.

    Args:
        word: String expression, n texts.

    Returns:
        UInt8 expression, n codes of ``Final``; null texts give null.

    """
    spoken = word.str.strip_chars_end(LOOK_THROUGH)
    characters, codes = _by_last_character()
    by_last = spoken.str.tail(1).replace_strict(
        characters, codes, default=_ASK, return_dtype=pl.UInt8
    )
    undecidable = pl.lit(Final.UNDECIDABLE.value, pl.UInt8)
    quick = pl.when(~spoken.str.contains(_JAMO_RUN)).then(by_last).otherwise(undecidable)
    unsettled = pl.when(quick == _ASK).then(word)
    asked = unsettled.map_batches(_ask, pl.UInt8, is_elementwise=True)
    code = pl.when(quick != _ASK).then(quick).otherwise(asked)
    return pl.when(word.is_not_null()).then(code)


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
    """Give the form of the particle that each text takes, without the text; null for null."""
    forms = {final.value: particle.after(final) for final in Final}
    chosen = final_expr(word).replace_strict(forms, return_dtype=pl.String)
    if particle.after_ani == particle.after_vowel:
        return chosen
    is_ani = word.str.contains(_ANI).fill_null(value=False)
    return pl.when(~is_ani).then(chosen).otherwise(pl.lit(particle.after_ani))


def _or_decomposed(syllable: str) -> str:
    return f"(?:{syllable}|{unicodedata.normalize('NFD', syllable)})"


_ANI = f"(?:^|[ \\t\\n\\r\u00a0\u3000]){_or_decomposed('아')}{_or_decomposed('니')}\\z"


@functools.cache
def _by_last_character() -> tuple[pl.Series, pl.Series]:
    """Every character that settles the sound whatever stands before it, and its code."""
    syllables = map(chr, range(ord(FIRST_SYLLABLE), ord(LAST_SYLLABLE) + 1))
    finals = {syllable: final_of_reading(syllable) for syllable in syllables}
    finals |= hanja_finals() | SIGNS
    finals |= dict.fromkeys(_NEVER_READ, Final.UNDECIDABLE)
    finals[""] = Final.UNDECIDABLE  # nothing but marks
    codes = [final.value for final in finals.values()]
    return pl.Series(list(finals), dtype=pl.String), pl.Series(codes, dtype=pl.UInt8)


def _ask(texts: pl.Series) -> pl.Series:
    distinct = texts.drop_nulls().unique()
    codes = pl.Series([final_sound(text).value for text in distinct], dtype=pl.UInt8)
    return texts.replace_strict(distinct, codes, default=None, return_dtype=pl.UInt8)
