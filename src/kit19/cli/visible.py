"""Escapes control characters, so that untrusted text cannot act on a terminal.

Data, file names, cards and answers of models may contain escape sequences, which move the cursor,
change colors or fill the clipboard, and directional marks, which display text in another order than
it is stored. All output of kit19 passes through here.
"""

from __future__ import annotations

import re

from kit19.core.hidden_characters import HIDDEN

_HIDDEN = re.compile(f"[{HIDDEN}]")
_HIDDEN_OR_BREAK = re.compile(f"[{HIDDEN}\t\n]")


def visible(text: str) -> str:
    r"""Escape control characters (``\x1b``, ``<U+202E>``) except tab and line feed."""
    return _HIDDEN.sub(_escape, text)


def visible_line(text: str) -> str:
    """Like :func:`visible`, for text that must stay on one line: escapes tab and line feed too."""
    return _HIDDEN_OR_BREAK.sub(_escape, text)


def visible_json(text: str) -> str:
    r"""Escape control characters in JSON as ``\uXXXX``, which parses to the same string."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if 0xD800 <= code <= 0xDFFF else f"<U+{code:04X}>"
