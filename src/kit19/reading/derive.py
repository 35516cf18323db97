"""Named functions that derive a field from others. A card chooses them by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from kit19.catalog.tables import (
    AtMost,
    Bands,
    Derived,
    Matching,
    Opening,
    Pick,
    Replacement,
    Threshold,
)

MANY = ","
"""The separator of several canonical values in one field; no canonical value contains it."""

# A Korean sentence ends in 다, 요, 까 … and a full stop, question or exclamation mark, possibly with a
# closing quote between. A full stop alone is not enough: dates are written 1920. 3. 5.
_FIRST_SENTENCE = r"(?s)^(.*?[다요까죠음함임됨][’”'\")\]]?[.?!])(?:\s|$)"

# All but letters and digits of any script. Blanks and punctuation do not make a text new.
_NO_WORD = r"[^\p{L}\p{N}]+"
_AROUND_END = " \t\n.!”’\"')]"
# Endings that only ask (표준국어대사전). 지요 and 요 are left out: they also state.
_ASKS = "(?:[가-힣](?:니까|나요|가요|까요?|는가|은가|던가|인가|느냐|으냐|는지|은지|인지|을지))\\z"

# The topic that a definition is about, without what stands in parentheses: 다리(橋)는 → 다리는.
_PARENTHESES = r"\([^()]*\)"
_TOPIC = "^(?:은|는|이란|란)"


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


def bands(spec: Bands) -> pl.Expr:
    """The name of the band that a number is in; null if not a number."""
    number = pl.col(spec.of).cast(pl.Float64, strict=False)
    band = pl.lit(spec.names[0])
    for start, name in zip(spec.at, spec.names[1:], strict=True):
        band = pl.when(number >= start).then(pl.lit(name)).otherwise(band)
    return pl.when(number.is_finite()).then(band)


def sentence_form(field: str) -> pl.Expr:
    """``question`` if a text ends in a question mark or an ending that asks, else ``statement``."""
    text = pl.col(field).str.strip_chars_end(_AROUND_END)
    asks = text.str.ends_with("?") | text.str.contains(_ASKS)
    return _either(pl.when(pl.col(field) != "").then(asks), "question", "statement")


def letters_of(field: str) -> pl.Expr:
    """The letters and digits of a text, in lower case: what is left when two texts are compared."""
    return _letters(pl.col(field))


def _letters(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(_NO_WORD, "").str.to_lowercase()


def alike(fields: list[str]) -> pl.Expr:
    """``alike`` if two texts have the same letters and digits in order, else ``differs``."""
    one, other = (letters_of(field) for field in fields)
    return _either(one == other, "alike", "differs")


def opens_with(spec: Opening) -> pl.Expr:
    """``opens`` if a text begins with another, by letters and digits, else ``differs``."""
    text, head = letters_of(spec.text), letters_of(spec.head)
    opens = text.str.starts_with(head) & (head != "")
    return _either(opens, "opens", "differs")


def defines(spec: Opening) -> pl.Expr:
    """``defines`` if a text opens with a headword as its topic (다리는, 다리란), else ``differs``.

    Parentheses are passed over, and only letters and digits count: what follows the headword's
    letters begins with the particle. 다리의 역사는 does not define 다리.
    """
    text = pl.col(spec.text)
    for _ in range(2):  # parentheses in parentheses
        text = text.str.replace_all(_PARENTHESES, "")
    head = letters_of(spec.head)
    bare = _letters(text)
    about = bare.str.starts_with(head) & bare.str.strip_prefix(head).str.contains(_TOPIC)
    return _either(about & (head != ""), "defines", "differs")


def matches(spec: Matching) -> pl.Expr:
    """``matches`` if a text has a match of the pattern, else ``lacks``; null for no text."""
    return _either(pl.col(spec.of).str.contains(spec.pattern), "matches", "lacks")


def at_most(spec: AtMost) -> pl.Expr:
    """``short`` if a text has at most that many lines and characters, else ``long``."""
    text = pl.col(spec.of)
    fits = text.is_not_null()
    if spec.lines is not None:
        fits &= text.str.count_matches("\n", literal=True) < spec.lines
    if spec.characters is not None:
        fits &= text.str.len_chars() <= spec.characters
    return _either(pl.when(text.is_not_null()).then(fits), "short", "long")


def replace(spec: Replacement) -> pl.Expr:
    """The text with every match of the pattern replaced."""
    return pl.col(spec.of).str.replace_all(spec.pattern, spec.by)


def _either(condition: pl.Expr, holds: str, fails: str) -> pl.Expr:
    """One of two values; null where the condition is."""
    value = pl.when(condition).then(pl.lit(holds)).otherwise(pl.lit(fails))
    return pl.when(condition.is_not_null()).then(value)


def strip_parentheses(field: str) -> pl.Expr:
    """The text without parentheses at its end, unless nothing would be left."""
    bare = pl.col(field).str.replace(r"(?s)(.)\s*\([^()]*\)\s*\z", "${1}")
    return bare.str.strip_chars()


def strip_final_stop(field: str) -> pl.Expr:
    """The text without the full stop at its end; an ellipsis stays."""
    text = pl.col(field).str.strip_chars_end()
    return text.str.replace(r"([^.])\.\z", "${1}")


def squeeze_breaks(field: str) -> pl.Expr:
    """The text with one line break where there are several."""
    return pl.col(field).str.replace_all(r"[ \t]*\n\s*\n[ \t]*", "\n")


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
    "bands": bands,
    "sentence_form": sentence_form,
    "alike": alike,
    "opens_with": opens_with,
    "defines": defines,
    "matches": matches,
    "at_most": at_most,
    "replace": replace,
    "strip_parentheses": strip_parentheses,
    "squeeze_breaks": squeeze_breaks,
    "strip_final_stop": strip_final_stop,
    "flags": flags,
    "strip_brackets": strip_brackets,
    "trim_number": trim_number,
    "first_sentence": first_sentence,
    "rest_sentences": rest_sentences,
}


def derive(spec: Derived) -> pl.Expr:
    """Return the expression of a derived field (String)."""
    return FUNCTIONS[spec.function](getattr(spec, spec.function))
