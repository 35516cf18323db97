"""Characters that show nothing: text may be full of them, and still nobody sees a difference.

Unicode's property ``Default_Ignorable_Code_Point`` (DerivedCoreProperties.txt, stable from version to
version but for code points that are not assigned yet), and what shows nothing without having it:
control characters that are no white space, the braille pattern without a dot, annotation marks. The
Hangul fillers (U+115F, U+1160, U+3164, U+FFA0) are letters by category, so "letters and digits only"
does not remove them.
"""

from __future__ import annotations

_RANGES = (
    # Default_Ignorable_Code_Point
    (0x00AD, 0x00AD),  # soft hyphen
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x061C, 0x061C),  # Arabic letter mark
    (0x115F, 0x1160),  # Hangul choseong and jungseong fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian variation selectors, vowel separator
    (0x200B, 0x200F),  # zero-width space, joiners, direction marks
    (0x202A, 0x202E),  # direction embeddings and overrides
    (0x2060, 0x206F),  # word joiner, invisible operators, isolates
    (0x3164, 0x3164),  # Hangul filler
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFEFF, 0xFEFF),  # zero-width no-break space, byte order mark
    (0xFFA0, 0xFFA0),  # half-width Hangul filler
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),  # shorthand format controls
    (0x1D173, 0x1D17A),  # musical format controls
    (0xE0000, 0xE0FFF),  # tags, variation selectors supplement
    # others that show nothing
    (0x0000, 0x0008), (0x000E, 0x001F), (0x007F, 0x0084), (0x0086, 0x009F),  # controls
    (0x2800, 0x2800),  # braille pattern blank
    (0xFFF9, 0xFFFB),  # interlinear annotation
)  # fmt: skip

INVISIBLE = "".join(rf"\x{{{first:X}}}-\x{{{last:X}}}" for first, last in _RANGES)
"""All of them, as the inside of a character class of polars' regular expressions."""

VISIBLE = rf"[^\s{INVISIBLE}]"
"""A character that shows, as a regular expression of polars: a text without one is empty."""

WIDE_INVISIBLE = "\u3164\uffa0\u2800"
"""Those of them that take up room as a blank does: between two words they part them."""


def is_invisible(character: str) -> bool:
    """Whether a character shows nothing. White space is no such character."""
    code = ord(character)
    return any(first <= code <= last for first, last in _RANGES)


def shows_something(text: str) -> bool:
    """Whether a text holds anything but white space and invisible characters."""
    return any(not character.isspace() and not is_invisible(character) for character in text)
