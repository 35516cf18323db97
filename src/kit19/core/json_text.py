"""JSON that every reader takes: without NaN and Infinity, which browsers refuse."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def to_json(document: Any, *, indent: int | None = None, compact: bool = False) -> str:
    """Write a document as JSON, Korean as Korean; numbers that JSON does not have become null.

    Raises:
        TypeError: Something in it is neither text, number, list nor mapping.
    """
    between = (",", ":") if compact else None
    finite = replace_non_finite(document)
    return json.dumps(
        finite, ensure_ascii=False, indent=indent, separators=between, allow_nan=False
    )


def replace_non_finite(value: Any) -> Any:
    """The same value with null in place of NaN and infinities."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: replace_non_finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [replace_non_finite(one) for one in value]
    return value
