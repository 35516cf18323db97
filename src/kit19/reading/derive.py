"""Named functions that derive a field from others. A card chooses them by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from kit19.catalog.tables import Derived, Pick, Threshold

MANY = ","
"""The separator of several canonical values in one field; no canonical value contains it."""

# A Korean sentence ends in 다, 요, 까 … and a full stop, question or exclamation mark, possibly with a
# closing quote between. A full stop alone is not enough: dates are written 1920. 3. 5.
_FIRST_SENTENCE = r"(?s)^(.*?[다요까죠음함임됨][’”'\")\]]?[.?!])(?:\s|$)"


def pick(spec: Pick) -> pl.Expr:
    """The text of the field that a categorical field names; null if it names none."""
    choice = pl.lit(None, dtype=pl.String)
    for value, field in spec.among.items():
        choice = pl.when(pl.col(spec.by) == value).then(pl.col(field)).otherwise(choice)
    return choice


def threshold(spec: Threshold) -> pl.Expr:
    """``reached`` where the number is at least ``at``, else ``below``; null if not a number."""
    number = pl.col(spec.of).cast(pl.Float64, strict=False)
    reached = pl.when(number >= spec.at).then(pl.lit(spec.reached)).otherwise(pl.lit(spec.below))
    return pl.when(number.is_finite()).then(reached)


def flags(fields: list[str]) -> pl.Expr:
    """The names of the fields that are 1, joined; null if there are none."""
    names = [pl.when(pl.col(field) == "1").then(pl.lit(field)) for field in fields]
    joined = pl.concat_str(names, separator=MANY, ignore_nulls=True)
    return pl.when(joined != "").then(joined)


def strip_brackets(field: str) -> pl.Expr:
    """The text without square brackets, which mark a word in it."""
    return pl.col(field).str.replace_all(r"[\[\]]", "")


def trim_number(field: str) -> pl.Expr:
    """A number with at most two decimals and without trailing zeros.

    3.800 → 3.8, 5.000 → 5, 4.57142857142857 → 4.57; null if not a number.
    """
    number = pl.col(field).cast(pl.Float64, strict=False)
    written = number.round(2).cast(pl.String)
    return pl.when(number.is_finite()).then(written.str.strip_suffix(".0").str.replace("^-0$", "0"))


def first_sentence(field: str) -> pl.Expr:
    """The first sentence; the complete text if it has no end of a sentence."""
    text = pl.col(field)
    return text.str.extract(_FIRST_SENTENCE, 1).fill_null(text)


def rest_sentences(field: str) -> pl.Expr:
    """The text after the first sentence, stripped; empty if there is none."""
    return pl.col(field).str.strip_prefix(first_sentence(field)).str.strip_chars()


FUNCTIONS: Mapping[str, Callable[..., pl.Expr]] = {
    "pick": pick,
    "threshold": threshold,
    "flags": flags,
    "strip_brackets": strip_brackets,
    "trim_number": trim_number,
    "first_sentence": first_sentence,
    "rest_sentences": rest_sentences,
}


def derive(spec: Derived) -> pl.Expr:
    """Return the expression of a derived field (String)."""
    return FUNCTIONS[spec.function](getattr(spec, spec.function))
