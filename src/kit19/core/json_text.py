"""Strict JSON: without NaN and Infinity, which browsers reject."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def to_json(document: Any, *, indent: int | None = None, compact: bool = False) -> str:
    """Serialize a document as JSON. Korean is not escaped; NaN and infinities become null.

    Raises:
        TypeError: A value is not a string, number, list or mapping.
    """
    separators = (",", ":") if compact else None
    finite = replace_non_finite(document)
    return json.dumps(
        finite, ensure_ascii=False, indent=indent, separators=separators, allow_nan=False
    )


def replace_non_finite(value: Any) -> Any:
    """Return the value with None in place of NaN and infinities."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: replace_non_finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [replace_non_finite(item) for item in value]
    return value
