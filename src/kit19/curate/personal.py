"""Personal data in free text: found by form, masked so that the text still reads.

Petitions above all hold telephone numbers, addresses and account numbers of real people. What is found
by form alone: e-mail addresses, resident registration numbers, telephone numbers and account numbers.
Names and street addresses are not found: no form tells a person's name from a word. What stays as it
is: dates, prices, numbers of laws, cases and petitions, business registration numbers (123-45-67890),
book numbers, company hotlines (1588-1234), and numbers that are starred out already, save resident
registration numbers, whose first half alone is a birthday.

Hangul may follow or precede a number at once (연락처는010-…으로), so that ``\\b`` is no border here.
"""

from __future__ import annotations

import polars as pl

# What every rule needs: an @, or six digits with little between them.
_WORTH_A_LOOK = r"@|(?:[0-9][^0-9]{0,3}){6}"

_DASH = r"[-‐‑–—−－]"
_NO_DIGIT = r"(?P<b>^|[^0-9\-])"
# Numbers parted by dots or by nothing also stand in versions, file names and web addresses.
_NO_NAME = r"(?P<b>^|[^0-9A-Za-z.\-=/_&?]|[^0-9][.])"
_END = r"(?P<a>$|[^0-9\-]|-(?:$|[^0-9]))"

# 010 has four digits in the middle; the older 011 and 016 to 019 had three or four.
_MOBILE = ("010", "4"), ("01[16-9]", "3,4")
# Seoul; the areas; internet telephones; personal numbers with three or four digits.
_AREA = r"0(?:2|3[1-3]|4[1-4]|5[1-5]|6[1-4]|70|50[2-8]?)"
_MARKED = rf"(?:\s?{_DASH}\s?|\)\s?{_DASH}?\s?|\s)"
_BANK = (
    r"(?:계좌|입금|송금|이체|예금주|통장|은행|뱅크|농협|수협|신협|우체국|새마을금고|국민|신한|하나|토스)"
)
_CALL = (
    r"(?:전화|연락처|휴대폰|핸드폰|팩스|☎|(?i:\btel|\bfax|\bh\.?\s?p\b))[^0-9가-힣]{0,4}"
    r"(?:번호)?[^0-9가-힣]{0,4}"
)


def _phones() -> list[str]:
    found = []
    for head, middle in _MOBILE:
        rest = rf"[0-9]{{{middle}}}{{sep}}[0-9]{{{{4}}}}".replace("{{4}}", "{4}")
        loose = rest.replace("{sep}", rf"(?:{_MARKED})?")
        found += [
            rf"{_NO_DIGIT}\(?{head}(?:{_MARKED}){loose}{_END}",
            rf"{_NO_NAME}{head}\.\s?{rest.replace('{sep}', '[.]')}{_END}",
            rf"{_NO_NAME}{head}{rest.replace('{sep}', '')}{_END}",
        ]
    return found


# Kind → patterns, in the order in which they are looked for. ``b`` and ``a`` stay as they are.
_MASKS: dict[str, list[str]] = {
    "이메일": [
        r"(?P<b>)[A-Za-z0-9][A-Za-z0-9._%+-]*\s?@\s?[A-Za-z0-9][A-Za-z0-9-]*"
        r"(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}(?P<a>)"
    ],
}
