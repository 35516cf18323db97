"""Files of the tree that hold what kit19 gives: tests compare them, and ``make renew`` writes them.

A test that takes the fixture ``golden`` is marked ``golden``. ``make renew`` runs these tests with
``KIT19_RENEW`` set, so it writes exactly what they compare.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

FIX = "if this is wanted: make renew"
_NUMBER = re.compile(r"\d[\d,.]*")
_PADDED_NUMBER = re.compile(rf"( *){_NUMBER.pattern}")


@dataclass(frozen=True)
class Golden:
    """Compares files with what they should hold; or writes them, if ``renewing``."""

    renewing: bool

    def check(self, path: Path, now: str, hint: str = "") -> None:
        """Require a file to hold a text."""
        written = path.read_text("utf-8") if path.exists() else ""
        if self.renewing and written != now:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(now, "utf-8", newline="\n")
            return
        assert written == now, f"{path.name}: {hint}{FIX}"

    def check_names(self, folder: Path, kept: Collection[str]) -> None:
        """Require a folder to hold the files of these names and no others."""
        if self.renewing:
            for path in folder.iterdir():
                if path.name not in kept:
                    path.unlink()
        assert sorted(path.name for path in folder.iterdir()) == sorted(kept), FIX

    def check_shown(self, paths: Collection[Path], shown: str, real: str) -> None:
        """Require an output that documents show to consist of lines of the real one."""
        if self.renewing and missing_lines(shown, real):
            for path in paths:
                text = path.read_text("utf-8")
                path.write_text(text.replace(shown, renewed(shown, real)), "utf-8", newline="\n")
            return
        assert shown
        assert not missing_lines(shown, real), FIX


def missing_lines(shown: str, real: str) -> list[str]:
    """Lines of a shown output that the real one lacks; ``…`` stands for anything left out."""
    lines = [" ".join(line.split()) for line in real.splitlines()]
    return [line for line in shown.splitlines() if not any(map(_pattern(line).search, lines))]


def renewed(shown: str, real: str) -> str:
    """A shown output with its missing lines replaced by the nearest real ones.

    A real line is shortened where the shown one was. Raises an error if it is not the same line with
    other numbers: what to show then, and what to leave out, is for a person to decide.
    """
    lines = [" ".join(line.split()) for line in real.splitlines()]
    missing = missing_lines(shown, real)
    return "".join(
        (_renewed(line, lines) if line in missing else line) + "\n" for line in shown.splitlines()
    )


def _renewed(line: str, real: list[str]) -> str:
    pattern = _pattern(line, numbers=r"(?<![\d,.])(\d[\d,.]*)")
    found = [match for one in real if (match := pattern.search(one))]
    assert found, f"no output is like {line!r}: write by hand what the document shows now"
    nearest = max(found, key=lambda match: SequenceMatcher(None, line, match[0]).ratio())
    values = iter(nearest.groups())

    def replace(match: re.Match[str]) -> str:
        value = next(values)
        in_column = len(match[1]) > 1  # of a table, where numbers end at the same place
        return " " + value.rjust(len(match[0]) - 1) if in_column else match[1] + value

    return _PADDED_NUMBER.sub(replace, line)


def _pattern(line: str, numbers: str = "") -> re.Pattern[str]:
    """A pattern for a line, ``…`` for anything; with ``numbers``, for the same line with others."""
    parts = []
    for part in line.split("…"):
        text = " ".join(part.split())
        if numbers:
            pieces = map(re.escape, _NUMBER.split(text))
            parts.append(numbers.join(pieces))
        else:
            parts.append(re.escape(text))
    return re.compile(".*".join(parts))
