"""Control characters as readable escapes, so that other people's text cannot act on a terminal.

Data, file names, cards and answers of models may hold escape sequences, which move the cursor,
change colors or fill the clipboard, and marks of writing direction, which show text in another order
than it is stored. Whatever kit19 prints goes through here.
"""

from __future__ import annotations

import re

# All of Cc but tab and line feed, the marks of direction (Bidi_Control and the deprecated ones beside
# them), line and paragraph separator, interlinear annotation, and halves of surrogate pairs, which no
# encoding can express. Joiners stay: emoji and several scripts are written with them.
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufff9-\ufffb\ud800-\udfff"
_DIRECTIONS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"
_HIDDEN = re.compile(f"[{_CONTROLS}{_DIRECTIONS}]")
_HIDDEN_OR_BREAK = re.compile(f"[{_CONTROLS}{_DIRECTIONS}\t\n]")


def visible(text: str) -> str:
    r"""Text with control characters escaped (``\x1b``, ``<U+202E>``); tab and line feed stay."""
    return _HIDDEN.sub(_escape, text)


def visible_line(text: str) -> str:
    """As :func:`visible`, for what must stay one line: tab and line feed are escaped too."""
    return _HIDDEN_OR_BREAK.sub(_escape, text)


def visible_json(text: str) -> str:
    r"""Indented JSON with control characters as ``\uXXXX``, which stands for the same string."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if 0xD800 <= code <= 0xDFFF else f"<U+{code:04X}>"
