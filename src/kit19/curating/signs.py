r"""Extract what bare form leaves out but a reader notices: decimals, symbols, indentation.

``3 + 5는?`` and ``3 - 5는?`` are equal in bare form, and so are C, C++ and C#. Texts with different
*signs* do not mean the same, however similar their letters are. Signs are, in the order of the text:

- numbers with their decimals: 3.5 is not 35, and 1,000 is 1000;
- symbols (Unicode's S) anywhere: + < = × €, emoji, stars;
- ``- * / % & # @ ^ | \`` next to a number or a Latin letter, and ``!`` and ``~`` after a number.
  Elsewhere they are punctuation or decoration: 좋아요~ and 좋아요!! mean the same as 좋아요;
- the indentation of lines, if there is any: code with another indentation is different code.
"""

from __future__ import annotations

import polars as pl

from kit19.curating.grams import composed
from kit19.korean import indentation

_DASHES = r"[‐‑‒–—―−]"
_SUPERSCRIPTS = r"([²³¹⁰⁴-⁹]+)"
_NEXT_TO_A_NUMBER = r"\-*/%&#@!\^~|\\"
_SIGNS = rf"\p{{S}}{_NEXT_TO_A_NUMBER}"
_REST = "_"  # replaces everything that is not a sign
_WORDS = r"[가-힣][가-힣\s]*[가-힣]"
_STEPS = (
    (r"[`´¨¯]", " "),
    (r"!=", "≠"),
    (r":=", "≔"),
    (r"(^|[\s(&|=])!([A-Za-z(])", "$1¬$2"),
    # Twice: of two adjacent groups of thousands, each pass joins one.
    *[(r"([0-9]),([0-9]{3})", "$1$2")] * 2,
    (r"[.,:]+([^0-9]|$)", f"{_REST}$1"),
    (r"(^|[^0-9])[.,:!~]+", f"${{1}}{_REST}"),
    (rf"[^0-9.,:A-Za-z\s{_SIGNS}]+", _REST),
    # Blanks around signs do not matter, but 20 30 is not 2030.
    (rf"\s*([{_SIGNS}])\s*", "$1"),
    (r"\s+", _REST),
    # Latin words are compared elsewhere; here they only mark what a sign is next to.
    (r"[A-Za-z]+", "a"),
    (rf"(?:^|_)(?:(?:a|[{_NEXT_TO_A_NUMBER}]+)(?:_+|$))+", _REST),
    (r"_+", _REST),
)


_MAY_HAVE = (
    r"[\p{N}\p{S}&&[^~\^`´¨¯]]|[A-Za-zＡ-Ｚａ-ｚ]\W*[\-‐-―*/%&#@\^|\\＊／％＆＃＠＾｜＼]"
    r"|[\-‐-―*/%&#@\^|\\!＊／％＆＃＠＾｜＼！]\W*[A-Za-zＡ-Ｚａ-ｚ]|\n[ \t]"
)


def extract_signs(texts: pl.Series) -> pl.Series:
    """Extract the signs of texts, as one string for each text; null stays null."""
    # Most Korean sentences have no signs. This check is ten times faster than the full search.
    places = texts.str.contains(_MAY_HAVE).fill_null(value=False).arg_true()
    none = pl.Series(texts.name, [""] * len(texts), dtype=pl.String)
    if places.is_empty():
        return none
    some = texts.gather(places)
    # The words between signs are most of a text, and every step would read them.
    return none.scatter(places, _signs_and_lines(some, some.str.replace_all(_WORDS, _REST)))


def _signs_and_lines(texts: pl.Series, shorter: pl.Series) -> pl.Series:
    plain = composed(shorter.str.replace_all(_SUPERSCRIPTS, "^$1"))
    both = pl.DataFrame({"text": texts, "plain": plain})
    return both.select(_signs(pl.col("plain")) + _LINES).to_series()


_LINES = indentation(pl.col("text"))


def _signs(plain: pl.Expr) -> pl.Expr:
    """Every step in one expression: for a few texts, the calls cost more than the search."""
    found = plain.str.replace_all(_DASHES, "-")
    for pattern, replacement in _STEPS:
        found = found.str.replace_all(pattern, replacement)
    return found.str.strip_chars(_REST)
