"""Text of strangers, made safe to stand in a page or a drawing."""

from __future__ import annotations

import html
import re
from typing import Any

from kit19.core.json_text import to_json

# Controls (but tab and line feed), marks that turn direction, halves of pairs, and no-characters.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def printable(text: str) -> str:
    """Text without characters that XML, HTML or UTF-8 cannot hold, or that turn what is around them."""
    return _UNPRINTABLE.sub("\ufffd", text)


def plain(text: str) -> str:
    """Text as it may stand in HTML, also between quotes."""
    return html.escape(printable(text))


def json_in_script(document: Any) -> str:
    """A document as JSON that no text in it can lead out of its ``<script>``."""
    text = to_json(_printable(document), compact=True)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _printable(document: Any) -> Any:
    if isinstance(document, str):
        return printable(document)
    if isinstance(document, dict):
        return {printable(str(key)): _printable(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [_printable(value) for value in document]
    return document
