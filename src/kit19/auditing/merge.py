"""Merge the results of all parts into one audit: what one search of everything would give."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import polars as pl

from kit19.auditing.allowed import note_unused, without_allowed
from kit19.auditing.plan import Part, Plan
from kit19.auditing.result import (
    COMMON_ROWS,
    COMMON_SHARE,
    AllowedPair,
    Audit,
    CommonText,
    Hit,
    Remark,
)
from kit19.auditing.search import HITS, Found
from kit19.auditing.shards import Failure, Result
from kit19.auditing.summary import Sought, summarize
from kit19.core.errors import Problem, ReadError
from kit19.reading import Remarks
from kit19.reading.texts import ColumnFilter

_SCHEMA: dict[str, type[pl.DataType]] = {
    "row": pl.UInt64,
    "file": pl.String,
    "file_row": pl.UInt64,
    **HITS,
}
_OWNER = ["row", "benchmark", "item", "field", "column"]
_MOST_FAILURES = 10  # listed where no file could be read


@dataclass(frozen=True)
class Merged:
    """The results of all parts.

    Attributes:
        audit: The audit.
        rows: The number of rows of each file that was searched, by its name.
        failures: What is wrong with each other file, by its name.
    """

    audit: Audit
    rows: dict[str, int]
    failures: dict[str, Problem]


def merge(
    plan: Plan,
    results: Iterable[tuple[Part, Result]],
    sought: Sought,
    columns: Collection[str] = (),
    allow: Collection[AllowedPair] = (),
) -> Merged:
    """Merge the results of all parts of a plan.

    Args:
        plan: The plan.
        results: Each of its parts with its result, in its order.
        sought: What was searched for.
        columns: The columns that were requested.
        allow: Pairs that are no findings.

    Raises:
        ReadError: Nothing was searched: no file could be read, or none has text.
        UnknownNameError: No row has one of the requested columns.
    """
    totals = _Totals(plan.base, ColumnFilter(columns))
    totals.remarks.add(plan.remarks.dump())
    for file, parts in itertools.groupby(results, key=lambda pair: pair[0].file):
        totals.add(file, [result for _, result in parts])
    totals.require_texts(plan.dataset)
    every = pl.concat([pl.DataFrame(schema=_SCHEMA), *totals.hits])
    common = _common_texts(every, totals.rows)
    rest = every.join(common, on=["benchmark", "item", "field"], how="anti", maintain_order="left")
    left, allowed = without_allowed(rest, allow)
    hits = left.unique(_OWNER, keep="first", maintain_order=True)  # of each the best one
    audit = Audit(
        dataset=plan.dataset,
        rows_read=totals.rows,
        rows=hits["row"].unique().sort().to_list(),
        hits=[Hit(**hit) for hit in hits.drop("is_weak").iter_rows(named=True)],
        benchmarks={
            name: summarize(one, hits.filter(pl.col("benchmark") == name))
            for name, one in sought.benchmarks.items()
        },
        not_searched=[
            Remark(where=one.where, what=one.what) for one in totals.remarks.not_searched
        ],
        notes=[
            *(Remark(where=one.where, what=one.what) for one in totals.remarks.notes),
            *note_unused(every, allow, sought.benchmarks),
        ],
        not_searched_for=sought.missing,
        common=[CommonText(**one) for one in common.iter_rows(named=True)],
        allowed=allowed,
    )
    return Merged(audit, totals.rows_of, totals.failures)


def _common_texts(hits: pl.DataFrame, rows: int) -> pl.DataFrame:
    """Find texts of items that the dataset repeats: a corpus's own boilerplate is no evidence."""
    counted = hits.group_by("benchmark", "item", "field").agg(
        rows=pl.col("row").n_unique(), item_text=pl.col("item_text").first()
    )
    least = max(COMMON_ROWS, COMMON_SHARE * rows)
    return counted.filter(pl.col("rows") > least).sort("benchmark", "item", "field")


@dataclass
class _Totals:
    """What the files so far add up to."""

    base: str
    is_selected: ColumnFilter
    rows: int = 0
    texts: int = 0
    remarks: Remarks = field(default_factory=Remarks)
    hits: list[pl.DataFrame] = field(default_factory=list)
    rows_of: dict[str, int] = field(default_factory=dict)
    failures: dict[str, Problem] = field(default_factory=dict)

    def add(self, file: str, results: list[Result]) -> None:
        """Add the results of the parts of a file: all of them, or none if one failed."""
        for result in results:
            if isinstance(result, Failure):
                self.failures[file] = result.problem
                where = result.problem.where.removeprefix(self.base) or file
                self.remarks.add([["skipped", where, result.problem.what, 0, 1]])
                return
        rows = lines = 0
        for found in results:
            assert isinstance(found, Found)  # noqa: S101  all others were failures
            if found.hits.height:
                self.hits.append(self._numbered(found.hits, file, rows))
            self.remarks.add(found.remarks, self.rows + rows, lines)
            self.is_selected.matched.update(found.matched)
            self.is_selected.decisions.update(dict.fromkeys(found.names, False))
            rows, lines = rows + found.rows, lines + found.lines
            self.texts += found.texts
        self.rows += rows
        self.rows_of[file] = rows

    def _numbered(self, hits: pl.DataFrame, file: str, before: int) -> pl.DataFrame:
        name = file.encode("utf-8", "replace").decode()
        return hits.with_columns(
            row=pl.col("row") + (self.rows + before),
            file=pl.lit(name),
            file_row=pl.col("row") + before,
        ).select(pl.col(name).cast(dtype) for name, dtype in _SCHEMA.items())

    def require_texts(self, dataset: str) -> None:
        """Check that something was searched, in every requested column."""
        if not self.texts and self.failures:
            problems = list(self.failures.values())
            more = len(problems) - _MOST_FAILURES
            rest = [Problem(f"and {more:,} more files cannot be read")] if more > 0 else []
            raise ReadError([*problems[:_MOST_FAILURES], *rest])
        self.is_selected.require_matched(dataset)
        if not self.texts:
            nothing = Problem("has no text" if self.rows else "has no rows", dataset)
            skipped = [
                Problem(f"not searched: {one.what}", one.where) for one in self.remarks.not_searched
            ]
            raise ReadError([nothing, *skipped])
