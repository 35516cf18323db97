"""Make untrusted text safe for HTML pages and SVG drawings."""

from __future__ import annotations

import html
import re
from functools import cache
from typing import Any

from kit19.core.hidden_characters import HIDDEN
from kit19.core.json_text import to_json


def printable(text: str) -> str:
    """Replace characters that are invalid in XML, HTML or UTF-8, or that change text direction."""
    return _unprintable().sub("\ufffd", text)


@cache  # compiled at the first use: many commands load this module, and few use it
def _unprintable() -> re.Pattern[str]:
    return re.compile(f"[{HIDDEN}]")


def plain(text: str) -> str:
    """Escape text for HTML, including attributes."""
    return html.escape(printable(text))


def json_in_script(document: Any) -> str:
    """Serialize a document as JSON that cannot end its ``<script>`` element."""
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
