"""Add a pair to an allow-list, or take it out, and leave the rest of the file as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from kit19.auditing.allowed import KEY, allow_list, entry_of, parse_allowed
from kit19.auditing.result import AllowedPair
from kit19.core.errors import CatalogError


def edit_allow_list(text: str, pair: AllowedPair, *, is_allowed: bool) -> str:
    """The text of an allow-list with a pair added, or without it.

    Comments, order and spacing of the other entries stay, unless entries share a line, as in JSON:
    then the file is written anew.

    Args:
        text: The text of a list; empty for a new one.
        pair: The pair. An entry of the same pair is replaced.
        is_allowed: Whether the list has the pair afterwards.

    Raises:
        CatalogError: The text is no allow-list.
    """
    pairs = parse_allowed(text) if text else []
    kept = [one for one in pairs if not _is_same(one, pair)]
    wanted = [*kept, pair] if is_allowed else kept
    if not kept:
        return _head(text) + allow_list(wanted)
    edited = _edited(text, [_is_same(one, pair) for one in pairs], pair if is_allowed else None)
    try:
        is_right = parse_allowed(edited) == parse_allowed(allow_list(wanted))
    except CatalogError:
        is_right = False
    return edited if is_right else allow_list(wanted)


def _is_same(one: AllowedPair, other: AllowedPair) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in KEY)


def _head(text: str) -> str:
    """The comments above the list, but for the line that every list begins with."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(f"{line}\n")
    return "".join(line for line in lines if line not in allow_list([]))


def _edited(text: str, is_removed: Sequence[bool], new: AllowedPair | None) -> str:
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    root: Any = yaml.compose(text, Loader=yaml.CSafeLoader)
    entries = next(value for key, value in root.value if key.value == "allow")
    starts = [entry.start_mark.line for entry in entries.value]
    stops = [*starts[1:], entries.end_mark.line]
    spans = [_own_lines(lines, *span) for span in zip(starts, stops, strict=True)]
    if new is not None:
        indent = " " * entries.start_mark.column
        written = yaml.safe_dump(
            [entry_of(new)], allow_unicode=True, sort_keys=False, width=100_000
        )
        added = [indent + line for line in written.splitlines(keepends=True)]
        end = spans[-1][1]
        lines[end:end] = added
    for (start, stop), gone in reversed(list(zip(spans, is_removed, strict=True))):
        if gone:
            del lines[start:stop]
    return "".join(lines)


def _own_lines(lines: Sequence[str], start: int, stop: int) -> tuple[int, int]:
    """The lines of an entry: comments and empty lines after it belong to the next."""
    while stop > start + 1 and (not lines[stop - 1].strip() or lines[stop - 1].lstrip()[0] == "#"):
        stop -= 1
    return start, stop
