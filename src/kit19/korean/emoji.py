"""Emoji: pictures that nobody reads aloud, so that the word before them decides (감😀은).

The code points with Unicode's property ``Emoji`` (emoji-data.txt) and the blocks of pictographs
that new ones are added to. Left out is what says a letter, a number or a word (🅰, 🆗, 🔟, ㊗), and
what Korean reads without being an emoji (①, №, arrows and stars of text).
"""

from __future__ import annotations

_RANGES = (
    (0x1F1E6, 0x1F1FF),  # letters of flags, which come in pairs
    (0x1F300, 0x1F51E),  # pictographs, up to 🔟 and what is read
    (0x1F525, 0x1F64F),
    (0x1F680, 0x1F6FF),
    (0x1F7E0, 0x1F7EB),
    (0x1F7F0, 0x1F7F0),
    (0x1F90C, 0x1F9FF),
    (0x1FA70, 0x1FAFF),
    (0xE0020, 0xE007F),  # tags, in flags of regions
)
_SINGLE = (
    "⌚⌛⏩⏪⏫⏬⏰⏱⏳☀☁☂☃☄☎☑☔☕☘☝☠☢☣☮☯☹☺☻♀♂♟♠♣♦♨♻♾⚒⚓⚔⚕⚖⚗⚘⚙⚛⚠⚡⚪⚫⚰⚽⚾⛄⛅⛈"
    "⛏⛓⛔⛪⛰⛱⛲⛳⛴⛵⛷⛸⛹⛺⛽✂✅✈✉✊✋✌✍✏✒✓✔✝✡✨✳✴❄❇❌❎❓❔❕❗❥❦➰➿⬛⬜⭐⭕"
)

EMOJI = frozenset(_SINGLE) | {
    chr(code) for first, last in _RANGES for code in range(first, last + 1)
}
