"""Personal data in free text: found by form, masked so that the text still reads.

Petitions above all hold telephone numbers, addresses and account numbers of real people. What is found
by form alone: e-mail addresses, resident registration numbers, telephone numbers and account numbers.
Names and street addresses are not found: no form tells a person's name from a word. What stays as it
is: dates, prices, numbers of laws, cases and petitions, business registration numbers (123-45-67890),
book numbers, company hotlines (1588-1234), and what is starred out already, save resident registration
numbers, whose first half alone is a birthday.

In the sources that we have this finds 58 pieces, 42 of them in petitions. All were read: 57 are what
they are called (offices' telephones count), one is a registered letter's number, taken for an account.

Hangul may stand right before or behind a number (연락처는010-…으로), so a word border is none here, and
this kind of regular expression cannot look around. Hence the groups ``b`` and ``a``: what stands before
and after, kept as it is.

What is written at full width, with invisible characters inside or with middle dots for hyphens is
looked for in the form that a reader sees (``_seen``), and masked where it stands in the text.
"""

from __future__ import annotations

import functools
import re
import unicodedata

import polars as pl

from kit19.korean.invisible import INVISIBLE, WIDE_INVISIBLE, is_invisible

# What every rule needs: an @, or six digits with little between them.
_WORTH_A_LOOK = r"@|(?:[0-9][^0-9]{0,3}){6}"

_DOTS = "·•‧・･ㆍ∙"
# What no pattern sees through: the signs of _DOTS, invisible and full-width ones, other digits; and
# enough digits, or what may be an @, for it to matter.
_ODD = rf"[{_DOTS}\x{{2000}}-\x{{200A}}\x{{3000}}{INVISIBLE}！-～﹫]|[\p{{Nd}}&&[^0-9]]"
_DIGITS_OR_AT = r"(?s)(?:\p{Nd}.*?){6}|[@＠﹫]"

_DASH = r"[-‐‑–—−－]"
_JOINED = rf"(?:\s?{_DASH}\s?|\)\s?{_DASH}?\s?|[ \u00a0]{{1,2}})"
_NOT_WITHIN = r"(?P<b>^|[^0-9\-])"
# Numbers parted by dots or by nothing stand in versions, file names and web addresses, too.
_NOT_IN_A_NAME = r"(?P<b>^|[^0-9A-Za-z.\-=/_&?#]|[^0-9][.:])"
_END = r"(?P<a>$|[^0-9\-]|-(?:$|[^0-9]))"
_END_NO_SUM = r"(?P<a>$|[^0-9\-,.원만억천개명건]|[-,.](?:$|[^0-9]))"

# 010 has four digits in the middle, the older 011 and 016 to 019 three or four. Then Seoul, the areas,
# internet telephones, and personal numbers.
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
# A first group of four digits that is no year.
_FOUR = r"(?:[03-9][0-9]|1[0-8]|2[1-9])[0-9]{2}"
_ACCOUNTS = (
    # 3-2-5 is a business registration number, and 3-3-4 no bank's.
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

# Kind → patterns, in the order in which they are looked for: what is masked is not seen again.
PATTERNS: dict[str, list[str]] = {
    "이메일": [rf"(?P<b>){_LOCAL} ?@ ?{_DOMAIN}(?P<a>)"],
    "주민등록번호": [
        rf"{_NOT_WITHIN}{_BIRTH}\s?{_DASH}\s?{_HIDDEN}{_END}",
        rf"{_NOT_IN_A_NAME}{_BIRTH} ?{_HIDDEN}{_END}",
    ],
    "전화번호": _phones(),
    "계좌번호": [
        *[rf"{_NOT_WITHIN}{shape}{_END}" for shape in _ACCOUNTS],
        # No ] on the way: [계좌번호], our own mask, must not speak for the number after it.
        *[rf"(?P<b>{_BANK}[^0-9\n\]]{{0,15}}){shape}{_END_NO_SUM}" for shape in _BY_A_BANK],
        *[rf"{_NOT_IN_A_NAME}{shape}(?P<a> ?[(]?{_BANK})" for shape in _BY_A_BANK],
    ],
}
KINDS = tuple(PATTERNS)


def mask(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Replace each piece of personal data by its kind, in brackets: ``[전화번호]``.

    Args:
        texts: n texts.

    Returns:
        The n texts, null where null, and how many pieces each held (UInt32; 0 for null).
    """
    places = texts.str.contains(_WORTH_A_LOOK).fill_null(value=False).arg_true()
    done = texts.clone().scatter(places, _masked(texts.gather(places)))
    is_odd = done.str.contains(_ODD) & done.str.contains(_DIGITS_OR_AT)
    odd = is_odd.fill_null(value=False).arg_true()
    done = done.scatter(odd, _masked_as_seen(done.gather(odd)))
    changed = pl.concat([places, odd]).unique().sort()
    before, after = texts.gather(changed), done.gather(changed)
    found = sum((_count(after, kind) - _count(before, kind) for kind in KINDS), start=0)
    counts = pl.zeros(len(texts), dtype=pl.UInt32, eager=True)
    return done, counts.scatter(changed, found)


def _masked(texts: pl.Series) -> pl.Series:
    for kind, patterns in PATTERNS.items():
        for pattern in patterns:
            # Twice: two numbers with one sign between them share a border.
            for _ in range(2):
                texts = texts.str.replace_all(pattern, f"${{b}}[{kind}]${{a}}")
    return texts


def _masked_as_seen(texts: pl.Series) -> pl.Series:
    """Mask what is personal data in the form that a reader sees; few texts have any."""
    seen = pl.Series([one.translate(_PLAIN) for one in texts], dtype=pl.String)
    worth = seen.str.contains(_WORTH_A_LOOK).arg_true()
    some = seen.gather(worth)
    places = worth.filter(_masked(some) != some)
    return texts.scatter(
        places, pl.Series(list(map(_mask_one, texts.gather(places))), dtype=pl.String)
    )


def _mask_one(text: str) -> str:
    """Mask one text in the form that a reader sees, everything else as it stands."""
    seen, stands_for = _seen(text)
    for kind, pattern in _compiled():
        for _ in range(2):
            for found in reversed(list(pattern.finditer("".join(seen)))):
                start, end = found.end("b"), found.start("a")
                seen[start:end] = stands_for[start:end] = f"[{kind}]"
    return "".join(stands_for)


@functools.cache
def _compiled() -> list[tuple[str, re.Pattern[str]]]:
    return [(kind, re.compile(one)) for kind, patterns in PATTERNS.items() for one in patterns]


def _seen(text: str) -> tuple[list[str], list[str]]:
    """The characters that a reader sees, and what stands for each in the text."""
    seen: list[str] = []
    stands_for: list[str] = []
    for character in text:
        if plain := character.translate(_PLAIN):
            seen.append(plain)
            stands_for.append(character)
        elif stands_for:
            stands_for[-1] += character
        else:  # before everything else
            seen.append(" ")
            stands_for.append(character)
    return seen, stands_for


class _Plain(dict[int, str]):
    """The ASCII character that each code point looks like; itself if there is none."""

    def __missing__(self, code: int) -> str:
        self[code] = found = _plain(chr(code))
        return found


def _plain(character: str) -> str:
    if character in _DOTS:
        return "-"
    if character in WIDE_INVISIBLE or (character.isspace() and character != "\n"):
        return " "
    if is_invisible(character):
        return ""
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    plain = unicodedata.normalize("NFKC", character)
    # Not ① nor ²: they number what follows.
    is_like = len(plain) == 1 and plain.isascii() and not character.isnumeric()
    return plain if is_like else character


_PLAIN = _Plain()


def mask_records(records: pl.DataFrame, fields: list[str]) -> tuple[pl.DataFrame, pl.Series]:
    """Mask the personal data in some fields of records, and count the pieces of each record."""
    counts = pl.zeros(records.height, dtype=pl.UInt32, eager=True)
    masked = []
    for name in fields:
        texts, found = mask(records[name])
        masked.append(texts)
        counts += found
    return records.with_columns(masked), counts


def find_personal(records: pl.DataFrame, fields: list[str]) -> pl.DataFrame:
    """Records that hold personal data in one of the fields: columns id, evidence (how many pieces)."""
    _, counts = mask_records(records, fields)
    evidence = pl.concat_str(pl.lit("pieces: "), counts)
    return records.select("id", evidence=evidence).filter(counts > 0)


def _count(texts: pl.Series, kind: str) -> pl.Series:
    return texts.str.count_matches(f"[{kind}]", literal=True)
