"""Find personal data in free text by its form, and mask it so that the text still reads well.

Petitions above all contain telephone numbers, addresses and account numbers of real people. Four kinds
are found by their form: e-mail addresses, resident registration numbers, telephone numbers and account
numbers. Names and street addresses are not found: their form does not distinguish them from other
words. These stay unmasked: dates, prices, numbers of laws, cases and petitions, business registration
numbers (123-45-67890), book numbers, company hotlines (1588-1234), and numbers that are already starred
out. Starred-out resident registration numbers are masked, because their first half is a birthday.

In the sources that we have, this finds 58 pieces, 42 of them in petitions. We read all of them: 57 are
classified correctly (offices' telephones count), and one is the number of a registered letter that
looks like an account.

Hangul may come directly before or after a number (연락처는010-…으로), so word boundaries do not help,
and this regular expression engine has no lookaround. Hence the groups ``b`` and ``a``: they match the
text before and after, which is kept.

Personal data may be written at full width, with invisible characters inside, or with middle dots for
hyphens. Then it is searched for in the form that a reader sees (``_visible_form``), and masked in the
original text.
"""

from __future__ import annotations

import functools
import re
import unicodedata

import polars as pl

from kit19.korean.invisible import INVISIBLE, WIDE_INVISIBLE, is_invisible

# Every pattern needs an @, or six digits with little between them.
_MAY_MATCH = r"@|(?:[0-9][^0-9]{0,3}){6}"

_DOTS = "·•‧・･ㆍ∙"
# Characters that no pattern matches: those of _DOTS, invisible and full-width ones, other digits. A
# text with any of them is worth normalizing if it has enough digits, or what may be an @.
_ODD = rf"[{_DOTS}\x{{2000}}-\x{{200A}}\x{{3000}}{INVISIBLE}！-～﹫]|[\p{{Nd}}&&[^0-9]]"
_DIGITS_OR_AT = r"(?s)(?:\p{Nd}.*?){6}|[@＠﹫]"

_DASH = r"[-‐‑–—−－]"
_JOINED = rf"(?:\s?{_DASH}\s?|\)\s?{_DASH}?\s?|[ \u00a0]{{1,2}})"
_NOT_WITHIN = r"(?P<b>^|[^0-9\-])"
# Numbers separated by dots or by nothing also occur in versions, file names and URLs.
_NOT_IN_A_NAME = r"(?P<b>^|[^0-9A-Za-z.\-=/_&?#]|[^0-9][.:])"
_END = r"(?P<a>$|[^0-9\-]|-(?:$|[^0-9]))"
_END_NO_SUM = r"(?P<a>$|[^0-9\-,.원만억천개명건]|[-,.](?:$|[^0-9]))"

# 010 has four digits in the middle, the older 011 and 016 to 019 have three or four. The last entry
# covers Seoul, the other areas, internet telephones, and personal numbers.
_PHONES = (
    ("010", "[0-9]{4}"),
    ("01[16-9]", "[0-9]{3,4}"),
    ("0(?:2|3[1-3]|4[1-4]|5[1-5]|6[1-4]|70|50[2-8]?)", "[0-9]{3,4}"),
)
_ABROAD = rf"(?:(?:\+\s?|00)82{_JOINED}?|82{_JOINED})\(?0?\)?"
_CALL = r"(?:전화(?:번호)?|연락처|휴대폰|핸드폰|팩스|☎|(?i:tel|fax|h\.?p))[^0-9가-힣]{0,4}"

_BIRTH = r"[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_HIDDEN = r"[1-8*][0-9*xX●○]{6}"

_BANK = (
    "(?:계좌|입금|송금|이체|예금주|통장|은행|뱅크|농협|수협|신협|우체국|새마을금고|"
    "국민|신한|하나|토스)"
)
# A first group of four digits that is not a year.
_FOUR = r"(?:[03-9][0-9]|1[0-8]|2[1-9])[0-9]{2}"
_ACCOUNTS = (
    # 3-2-5 is a business registration number, and no bank uses 3-3-4.
    r"[0-9]{3}-[0-9]{2}-[0-9]{6,8}",
    r"[0-9]{3}-[0-9]{3}-[0-9]{5,8}",
    r"[0-9]{3}-[0-9]{4,6}-[0-9]{4,8}",
    rf"{_FOUR}-[0-9]{{2,4}}-[0-9]{{4,8}}",
    r"[0-9]{5,6}-[0-9]{2,6}-[0-9]{3,8}",
    rf"(?:[0-9]{{3}}|{_FOUR}|[0-9]{{5,6}})-[0-9]{{2,6}}-[0-9]{{4,6}}-[0-9]{{1,6}}",
    rf"(?:[0-9]{{3}}|{_FOUR}|[0-9]{{5,6}})-[0-9]{{4,6}}-[0-9]{{2,6}}-[0-9]{{1,6}}",
)
_BY_A_BANK = (  # ten digits and more, with hyphens or without, or in groups
    rf"[0-9](?:{_DASH}?[0-9]){{9,15}}",
    rf"(?:[0-9]{{3}}|{_FOUR}|[0-9]{{5,6}}) [0-9]{{2,6}} [0-9]{{3,8}}(?: [0-9]{{1,6}})?",
)


def _phones() -> list[str]:
    found = []
    for head, middle in _PHONES:
        rest = rf"{middle}(?:{_JOINED}|[.])?[0-9]{{4}}{_END}"
        area = rf"(?:\({head}\)\s?{_DASH}?\s?|{head}{_JOINED})"
        abroad = rf"{_ABROAD}{head[1:]}(?:{_JOINED}|[.])?"
        found += [
            rf"{_NOT_WITHIN}{area}{rest}",
            rf"{_NOT_IN_A_NAME}{head}\. ?{middle}\. ?[0-9]{{4}}{_END}",
            rf"{_NOT_IN_A_NAME}{head}{middle}(?:{_DASH}|[. ])?[0-9]{{4}}{_END}",
            rf"{_NOT_WITHIN}{abroad}{rest}",
        ]
    return [*found, rf"(?P<b>{_CALL})[0-9]{{3,4}}\s?{_DASH}\s?[0-9]{{4}}{_END}"]


_LOCAL = r"[A-Za-z0-9][A-Za-z0-9._%+-]*"
_DOMAIN = r"[A-Za-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"

# Kind → patterns, in the order of search: text that is masked does not match again.
PATTERNS: dict[str, list[str]] = {
    "이메일": [rf"(?P<b>){_LOCAL} ?@ ?{_DOMAIN}(?P<a>)"],
    "주민등록번호": [
        rf"{_NOT_WITHIN}{_BIRTH}\s?{_DASH}\s?{_HIDDEN}{_END}",
        rf"{_NOT_IN_A_NAME}{_BIRTH} ?{_HIDDEN}{_END}",
    ],
    "전화번호": _phones(),
    "계좌번호": [
        *[rf"{_NOT_WITHIN}{shape}{_END}" for shape in _ACCOUNTS],
        # [^\]]: the word in our own mask, [계좌번호], must not make an account of the number after it.
        *[rf"(?P<b>{_BANK}[^0-9\n\]]{{0,15}}){shape}{_END_NO_SUM}" for shape in _BY_A_BANK],
        *[rf"{_NOT_IN_A_NAME}{shape}(?P<a> ?[(]?{_BANK})" for shape in _BY_A_BANK],
    ],
}
KINDS = tuple(PATTERNS)


def mask(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Replace each piece of personal data by its kind, in brackets: ``[전화번호]``.

    Returns:
        The masked texts (null stays null), and the number of pieces in each (UInt32; 0 for null).
    """
    counts = pl.zeros(len(texts), dtype=pl.UInt32, eager=True)
    places = texts.str.contains(_MAY_MATCH).fill_null(value=False).arg_true()
    done = texts.clone()
    if len(places):
        done = done.scatter(places, _mask_patterns(texts.gather(places)))
    is_odd = done.str.contains(_ODD) & done.str.contains(_DIGITS_OR_AT)
    odd = is_odd.fill_null(value=False).arg_true()
    if len(odd):
        done = done.scatter(odd, _mask_visible_form(done.gather(odd)))
    changed = pl.concat([places, odd]).unique().sort()
    if changed.is_empty():
        return done, counts
    before, after = texts.gather(changed), done.gather(changed)
    found = sum((_count_masks(after, kind) - _count_masks(before, kind) for kind in KINDS), start=0)
    return done, counts.scatter(changed, found)


def _mask_patterns(texts: pl.Series) -> pl.Series:
    if texts.is_empty():
        return texts
    return texts.to_frame("text").select(_every_pattern()).to_series()


@functools.cache
def _every_pattern() -> pl.Expr:
    """Every pattern in one expression: for a few texts, the calls cost more than the search."""
    text = pl.col("text")
    for kind, patterns in PATTERNS.items():
        for pattern in patterns:
            # Twice: two numbers with one character between them share it as ``a`` and ``b``.
            for _ in range(2):
                text = text.str.replace_all(pattern, f"${{b}}[{kind}]${{a}}")
    return text


def _mask_visible_form(texts: pl.Series) -> pl.Series:
    """Mask personal data that is found only in the form that a reader sees; few texts have any."""
    seen = pl.Series([one.translate(_PLAIN) for one in texts], dtype=pl.String)
    matching = seen.str.contains(_MAY_MATCH).arg_true()
    some = seen.gather(matching)
    places = matching.filter(_mask_patterns(some) != some)
    return texts.scatter(
        places, pl.Series(list(map(_mask_text, texts.gather(places))), dtype=pl.String)
    )


def _mask_text(text: str) -> str:
    """Mask personal data as a reader sees it; the rest of the text stays unchanged."""
    seen, originals = _visible_form(text)
    for kind, pattern in _compiled_patterns():
        for _ in range(2):
            for found in reversed(list(pattern.finditer("".join(seen)))):
                start, end = found.end("b"), found.start("a")
                seen[start:end] = originals[start:end] = f"[{kind}]"
    return "".join(originals)


@functools.cache
def _compiled_patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(kind, re.compile(one)) for kind, patterns in PATTERNS.items() for one in patterns]


def _visible_form(text: str) -> tuple[list[str], list[str]]:
    """Return the characters that a reader sees, and the original characters of each."""
    seen: list[str] = []
    originals: list[str] = []
    for character in text:
        if plain := character.translate(_PLAIN):
            seen.append(plain)
            originals.append(character)
        elif originals:
            originals[-1] += character
        else:  # invisible characters at the start of the text
            seen.append(" ")
            originals.append(character)
    return seen, originals


class _LookAlikes(dict[int, str]):
    """Maps each code point to the ASCII character that it looks like, or to itself."""

    def __missing__(self, code: int) -> str:
        self[code] = found = _look_alike(chr(code))
        return found


def _look_alike(character: str) -> str:
    if character in _DOTS:
        return "-"
    if character in WIDE_INVISIBLE or (character.isspace() and character != "\n"):
        return " "
    if is_invisible(character):
        return ""
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    plain = unicodedata.normalize("NFKC", character)
    # Not ① or ²: they number what follows.
    has_ascii_form = len(plain) == 1 and plain.isascii() and not character.isnumeric()
    return plain if has_ascii_form else character


_PLAIN = _LookAlikes()


def mask_records(records: pl.DataFrame, fields: list[str]) -> tuple[pl.DataFrame, pl.Series]:
    """Mask personal data in the given fields, and count the pieces in each record."""
    counts = pl.zeros(records.height, dtype=pl.UInt32, eager=True)
    masked = []
    for name in fields:
        texts, found = mask(records[name])
        masked.append(texts)
        counts += found
    return records.with_columns(masked), counts


def find_personal(records: pl.DataFrame, fields: list[str]) -> pl.DataFrame:
    """Find records with personal data in one of the fields: columns id, evidence (number of pieces)."""
    _, counts = mask_records(records, fields)
    evidence = pl.concat_str(pl.lit("pieces: "), counts)
    return records.select("id", evidence=evidence).filter(counts > 0)


def _count_masks(texts: pl.Series, kind: str) -> pl.Series:
    return texts.str.count_matches(f"[{kind}]", literal=True)
