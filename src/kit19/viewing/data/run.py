"""A training run as its page shows it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit19.core.errors import Problem, VerifyError
from kit19.core.paths import read_json
from kit19.core.runs import RunRecord, read_run

_CURVES = "curves.json"
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes:
        record: Its record.
        curves: Steps and values of each curve: ``loss``, ``eval_loss``, ``eval_<task>_loss``,
            ``learning_rate`` …; empty if the run has none.
    """

    record: RunRecord
    curves: Mapping[str, Points]

    def charts(self) -> dict[str, dict[str, Points]]:
        """The curves by the chart that shows them."""
        tasks = {
            name.removeprefix("eval_").removesuffix("_loss"): points
            for name, points in self.curves.items()
            if name.startswith("eval_") and name.endswith("_loss") and name != "eval_loss"
        }
        losses = {name: self.curves[name] for name in ("loss", "eval_loss") if name in self.curves}
        rest = {
            name: {name: points}
            for name, points in self.curves.items()
            if name not in losses and not (name.startswith("eval_") and name.endswith("_loss"))
        }
        return {k: v for k, v in {"losses": losses, "tasks": tasks, **rest}.items() if v}


def read_run_folder(folder: Path) -> Run:
    """Read a run.

    Raises:
        VerifyError: ``run.json`` or ``curves.json`` cannot be read.
    """
    record = read_run(folder)
    if record is None:
        raise VerifyError(Problem("has no run.json", str(folder), "it is no finished run"))
    path = folder / _CURVES
    if not path.is_file():
        return Run(record, {})
    try:
        curves = {name: _points(values) for name, values in read_json(path).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        what = f"is no list of curves: {error}"
        raise VerifyError(Problem(what, str(path), "kit19 train writes it")) from None
    return Run(record, curves)


def _points(values: Any) -> list[tuple[float, float]]:
    points = [(float(step), float(value)) for step, value in values if value is not None]
    return [point for point in points if all(map(math.isfinite, point))]
