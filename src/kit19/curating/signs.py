r"""What a bare text leaves out and a reader does not: numbers as they are written, signs, indentation.

``3 + 5는?`` and ``3 - 5는?`` are one text in bare form, and so are C, C++ and C#. Texts whose *signs*
differ do not say the same, however alike their letters are. Signs are, in their order:

- numbers with their decimals: 3.5 is not 35, and 1,000 is 1000;
- symbols (Unicode's S): + < = × €, emoji, stars, at whatever place;
- ``- * / % & # @ ^ | \`` where they stand beside a number or a Latin letter, ``!`` and ``~`` behind a
  number. Elsewhere they are punctuation, and decoration: 좋아요~ and 좋아요!! say what 좋아요 says;
- the blanks before lines, if there are any: code with other indentation is other code.
"""

from __future__ import annotations

import polars as pl

from kit19.curating.grams import composed
from kit19.korean import indentation

_DASHES = r"[‐‑‒–—―−]"
_SUPERSCRIPTS = r"([²³¹⁰⁴-⁹]+)"
_BESIDE = r"\-*/%&#@!\^~|\\"
_SIGNS = rf"\p{{S}}{_BESIDE}"
_REST = "_"  # stands for everything that is no sign
_STEPS = (
    (r"[`´¨¯]", " "),
    (r"!=", "≠"),
    (r":=", "≔"),
    (r"(^|[\s(&|=])!([A-Za-z(])", "$1¬$2"),
    # Twice: of two groups of thousands side by side the first pass joins one.
    *[(r"([0-9]),([0-9]{3})", "$1$2")] * 2,
    (r"[.,:]+([^0-9]|$)", f"{_REST}$1"),
    (r"(^|[^0-9])[.,:!~]+", f"$1{_REST}"),
    (rf"[^0-9.,:A-Za-z\s{_SIGNS}]+", _REST),
    # Blanks around signs say nothing, but 20 30 is not 2030.
    (rf"\s*([{_SIGNS}])\s*", "$1"),
    (r"\s+", _REST),
    # Words of Latin letters are compared as letters; here they are what a sign stands beside.
    (r"[A-Za-z]+", "a"),
    (rf"(?:^|_)(?:(?:a|[{_BESIDE}]+)(?:_+|$))+", _REST),
    (r"_+", _REST),
)


_MAY_HAVE = (
    r"[\p{N}\p{S}&&[^~\^`´¨¯]]|[A-Za-zＡ-Ｚａ-ｚ]\W*[\-‐-―*/%&#@\^|\\＊／％＆＃＠＾｜＼]"
    r"|[\-‐-―*/%&#@\^|\\!＊／％＆＃＠＾｜＼！]\W*[A-Za-zＡ-Ｚａ-ｚ]|\n[ \t]"
)


def signs_of(texts: pl.Series) -> pl.Series:
    """The signs of n texts as one string each; null where null."""
    # Most Korean sentences have none, and this is ten times faster than to look for them.
    places = texts.str.contains(_MAY_HAVE).fill_null(value=False).arg_true()
    some = texts.gather(places)
    lines = some.to_frame("text").select(indentation(pl.col("text"))).to_series()
    found = composed(some.str.replace_all(_SUPERSCRIPTS, "^$1")).str.replace_all(_DASHES, "-")
    for pattern, by in _STEPS:
        found = found.str.replace_all(pattern, by)
    none = pl.Series(texts.name, [""] * len(texts), dtype=pl.String)
    return none.scatter(places, found.str.strip_chars(_REST) + lines)
