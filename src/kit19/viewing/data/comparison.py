"""A comparison as its page shows it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kit19.comparing.result import Comparison
from kit19.core.errors import Problem, VerifyError
from kit19.core.paths import read_json


def read_comparison(folder: Path) -> Comparison:
    """Read a comparison.

    Raises:
        VerifyError: ``compare.json`` cannot be read.
    """
    path = folder / "compare.json"
    try:
        return Comparison.model_validate(read_json(path))
    except (OSError, ValueError) as error:
        first = str(error).partition("\n")[0]
        raise VerifyError(
            Problem(f"cannot be read: {first}", str(path), "run kit19 compare again")
        ) from None


def charts_of(folder: Path) -> Mapping[str, Path]:
    """The charts of a comparison by their names, without links that lead out of its folder."""
    charts = (folder / "charts").resolve()
    return {
        path.name: path
        for path in sorted(charts.glob("*.svg"))
        if path.is_file() and path.resolve().is_relative_to(folder.resolve())
    }
