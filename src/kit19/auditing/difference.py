"""The differences between two audits: which items are newly found, gone, or the same."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from kit19.auditing.result import Audit
from kit19.core.arguments import public
from kit19.core.errors import Problem, ReadError, first_line
from kit19.core.paths import read_small_file


class Change(BaseModel):
    """The items of one kind that two audits found.

    Attributes:
        new: Items that only the second found, as ``<split>/<id>``.
        gone: Items that only the first found.
        same: How many both found.
    """

    model_config = ConfigDict(frozen=True)

    new: list[str]
    gone: list[str]
    same: int


class BenchmarkDiff(BaseModel):
    """The differences between two audits for one benchmark.

    Attributes:
        compromised: Of the compromised items.
        touched: Of all items of which any text was found.
    """

    model_config = ConfigDict(frozen=True)

    compromised: Change
    touched: Change


class AuditDiff(BaseModel):
    """The differences between two audits.

    Attributes:
        datasets: The names of both datasets.
        rows: The rows with benchmark text in both.
        benchmarks: Differences by benchmark, for those that both searched for.
        only_in_one: Benchmarks that only one of them searched for.
    """

    model_config = ConfigDict(frozen=True)

    datasets: tuple[str, str]
    rows: tuple[int, int]
    benchmarks: dict[str, BenchmarkDiff]
    only_in_one: list[str]

    @property
    def is_same(self) -> bool:
        """Whether both found the same items of the same benchmarks."""
        changes = [
            one for diff in self.benchmarks.values() for one in (diff.compromised, diff.touched)
        ]
        return not self.only_in_one and not any(one.new or one.gone for one in changes)

    def to_dict(self) -> dict[str, Any]:
        """Convert the differences to JSON data."""
        return self.model_dump(mode="json")


@public
def diff_audits(left: str | Path | Audit, right: str | Path | Audit) -> AuditDiff:
    """Compare two audits.

    Args:
        left: An audit, its folder, or its ``audit.json``.
        right: Another.

    Raises:
        ReadError: One of them is not the result of an audit.
    """
    one, other = _read(left), _read(right)
    names = [name for name in one.benchmarks if name in other.benchmarks]
    touched = [
        {name: {hit.item for hit in audit.hits if hit.benchmark == name} for name in names}
        for audit in (one, other)
    ]
    return AuditDiff(
        datasets=(one.dataset, other.dataset),
        rows=(len(one.rows), len(other.rows)),
        benchmarks={
            name: BenchmarkDiff(
                compromised=_change(one.benchmarks[name].ids, other.benchmarks[name].ids),
                touched=_change(touched[0][name], touched[1][name]),
            )
            for name in names
        },
        only_in_one=sorted(set(one.benchmarks) ^ set(other.benchmarks)),
    )


def _change(before: Iterable[str], after: Iterable[str]) -> Change:
    old, new = set(before), set(after)
    return Change(new=sorted(new - old), gone=sorted(old - new), same=len(old & new))


def _read(audit: str | Path | Audit) -> Audit:
    if isinstance(audit, Audit):
        return audit
    path = Path(audit)
    file = path / "audit.json" if path.is_dir() else path
    fix = "give the folder of `kit19 audit … --out`, or the output of `--json`"
    try:
        return Audit.model_validate_json(read_small_file(file))
    except OSError as error:
        raise ReadError(Problem(f"cannot be read: {first_line(error)}", str(file), fix)) from None
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise ReadError(
            Problem(f"is not the result of an audit: {reason}", str(file), fix)
        ) from None
