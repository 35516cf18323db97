"""Native (하나, 둘) and Sino-Korean (일, 이) numerals in a text.

A short numeral is often another word (이, 일, 한, 세), also joined with a counter (구분, 사회, 이번).
So short ones count only before a counter, as an 어절 of their own (두 명, 삼 년), or joined with a long
counter.
"""

from __future__ import annotations

import re
from typing import Literal

from kit19.evaluating.instruction_rules.word_lists import any_of, word_lists

System = Literal["native", "sino", "digits"]

_LISTS = word_lists("numerals")
_LONG = any_of(_LISTS["long_counters"])
_COUNTER = any_of(_LISTS["long_counters"] + _LISTS["short_counters"])
_TENS, _UNITS = any_of(_LISTS["native_tens"]), any_of(_LISTS["native_units"])
_ALONE = any_of(_LISTS["native_alone"])
_END = r"(?:이|가|은|는|을|를|의|에|도|만|과|와|로|째|이고|이다|입니다|이에요|예요)?(?![가-힣])"
# What may follow a counter after a blank, so that 일 시작 is not 일 시.
_AFTER = rf"(?=[^가-힣]|$|{any_of(_LISTS['after_counters'])})"
_NATIVE = re.compile(
    rf"(?<![가-힣])(?:(?:{_TENS}\s?{_UNITS}|{_ALONE}){_END}"
    rf"|{_TENS}\s?{_UNITS}\s?{_COUNTER}|(?:{_TENS}|{_ALONE})\s?{_COUNTER}"
    rf"|[한두세네석서넉너](?:\s{_COUNTER}{_AFTER}|{_LONG})|[두세네](?:명|개|번|살|시|권|장|잔|병))"
)
_TENS_OF_SINO = r"[일이삼사오육륙칠팔구]?[십백천][일이삼사오육륙칠팔구십백천만억]*"
_SINO = re.compile(
    rf"(?<![가-힣])(?:{_TENS_OF_SINO}\s?{_COUNTER}|(?=\S?[백천]?\S?십){_TENS_OF_SINO}{_END}"
    rf"|[일삼사오육칠팔구](?:\s(?!해){_COUNTER}{_AFTER}|{_LONG})|만\s(?:원|명|개)"
    rf"|이\s{any_of(_LISTS['counters_after_two'])}(?![가-힣]{{2}}))"
)


def systems(text: str) -> set[System]:
    """The systems of numerals that a text uses."""
    found: set[System] = set()
    if _NATIVE.search(text):
        found.add("native")
    if _SINO.search(text):
        found.add("sino")
    if re.search(r"\d", text):
        found.add("digits")
    return found
