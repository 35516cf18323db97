"""What ``kit19 audit`` prints of its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from kit19.cli.output import print_error, print_note, print_table, print_text
from kit19.core.errors import Problem

if TYPE_CHECKING:
    from kit19.auditing.clean import CleanFile
    from kit19.auditing.difference import AuditDiff
    from kit19.auditing.result import Audit, Hit, Remark

_SHOWN = 5
_REMARKS = 20


def print_audit(result: Audit, out: Path | None) -> None:
    """Print the summary and the surest hits; ``out`` is where the files are."""
    from kit19.auditing.result import strongest  # noqa: PLC0415

    rows = []
    for name, one in result.benchmarks.items():
        counts = one.added_by_rule().values()
        rows.append((name, one.items, one.compromised, f"{one.share:.1%}", *counts, one.touched))
    columns = (
        "benchmark",
        "items",
        "compromised",
        "share",
        "equal",
        "contained",
        "near",
        "touched",
    )
    print_table("", columns, rows, numbers=columns[1:])
    found = f"{len(result.rows):,} of {result.rows_read:,} rows contain benchmark text"
    if not result.rows:
        found = f"nothing found in {result.rows_read:,} rows"
    if result.not_searched:
        found += ", but not all of the dataset was searched"
    print_text(f"\n{found}")
    several = any(hit.row != hit.file_row for hit in result.hits if hit.file)
    for hit in strongest(result.hits)[:_SHOWN]:
        _print_hit(hit, several)
    left = len(result.hits) - _SHOWN
    if left > 0:
        print_text(f"\nand {left:,} more hits; --out DIR or --json lists them all")
    _print_common(result)
    _print_allowed(result)
    _print_remarks("not searched for", result.not_searched_for)
    _print_remarks("not searched", result.not_searched)
    _print_remarks("notes", result.notes)
    if out:
        print_text(f"\n{out / 'report.html'} shows them; hits.parquet and audit.json have all")


def _print_common(result: Audit) -> None:
    """Print the texts of items that the dataset repeats, the most frequent first."""
    if not result.common:
        return
    print_text(f"\ncommon text, not counted: {len(result.common):,} texts of items, such as")
    for one in sorted(result.common, key=lambda one: -one.rows)[:_SHOWN]:
        share = one.rows / result.rows_read
        what = f"{one.benchmark} {_one_line(one.item)}: {_one_line(one.item_text)}"
        print_text(f"  {one.rows:,} rows ({share:.1%})  {what}")


def _print_allowed(result: Audit) -> None:
    """Print the pairs of an allow-list that were found."""
    if not result.allowed:
        return
    print_text(f"\nallowed, not counted: {len(result.allowed):,} pairs of the allow-list")
    for one in result.allowed[:_SHOWN]:
        why = f" ({_one_line(one.why)})" if one.why else ""
        print_text(f"  {one.benchmark} {_one_line(one.item)}: {_one_line(one.text)}{why}")
    if len(result.allowed) > _SHOWN:
        print_text(f"  and {len(result.allowed) - _SHOWN:,} more; --json lists them all")


def _print_remarks(title: str, remarks: list[Remark]) -> None:
    if not remarks:
        return
    print_text(f"\n{title}:")
    for one in remarks[:_REMARKS]:
        print_text(f"  {_one_line(one.where)}: {one.what}")
    if len(remarks) > _REMARKS:
        print_text(f"  and {len(remarks) - _REMARKS:,} more; --json lists them all")


def _print_hit(hit: Hit, several: bool) -> None:
    how = {"equal": "equal to", "contained": "contains", "near": f"near, {hit.overlap:.0%}, to"}[
        hit.rule
    ]
    what = f"{how} {hit.benchmark} {_one_line(hit.item)} ({_one_line(hit.field)})"
    column = f", column {_one_line(hit.column)}" if hit.column else ""
    file = f" (row {hit.file_row} of {_one_line(hit.file)})" if several else ""
    print_text(f"\nrow {hit.row}{file}{column}: {what}")
    print_text(f"  here   {_one_line(hit.text)}")
    print_text(f"  there  {_one_line(hit.item_text)}")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def print_failures(problems: Sequence[Problem], what: str) -> None:
    """Print what is wrong with files, on stderr."""
    print_error(problems[:_REMARKS])
    more = len(problems) - _REMARKS
    if more > 0:
        print_note(f"and {more:,} more")
    print_note(f"{len(problems):,} file{'s' if len(problems) > 1 else ''} could not be {what}")


def print_undivided(files: Mapping[str, str]) -> None:
    """Say which large files several processes could not share, and why, on stderr."""
    listed = "; ".join(f"{name} {why}" for name, why in islice(files.items(), _REMARKS))
    more = f"; and {len(files) - _REMARKS:,} more" if len(files) > _REMARKS else ""
    print_note(
        f"not divided, but each read by one process from beginning to end: {listed}{more}. Smaller "
        "files, JSON lines or parquet are faster with several --jobs"
    )


def print_copies(cleaned: Sequence[CleanFile], folder: Path, mask: str | None) -> None:
    """Print how many rows the copies have."""
    copies = [one for one in cleaned if not one.problem]
    rows, found, written = (
        sum(getattr(one, name) for one in copies) for name in ("rows", "found", "written")
    )
    files = f"{len(copies):,} file{'s' if len(copies) != 1 else ''}"
    if mask:
        print_text(f"\n{folder}: {files}, {written:,} rows; {found:,} have something in {mask}")
    else:
        print_text(f"\n{folder}: {files}, {rows:,} rows - {found:,} removed = {written:,} rows")


def print_difference(diff: AuditDiff) -> None:
    """Print the differences between two audits."""
    rows = []
    for name, one in diff.benchmarks.items():
        for kind in ("compromised", "touched"):
            change = getattr(one, kind)
            rows.append((name, kind, change.same, len(change.gone), len(change.new)))
    columns = ("benchmark", "items", "same", "gone", "new")
    print_table("", columns, rows, numbers=columns[2:])
    before, after = diff.rows
    print_text(f"\n{before:,} rows contained benchmark text, now {after:,}")
    for name, one in diff.benchmarks.items():
        for label, items in (("new", one.touched.new), ("gone", one.touched.gone)):
            for item in items[:_SHOWN]:
                print_text(f"  {label}  {name} {_one_line(item)}")
            if len(items) > _SHOWN:
                print_text(f"  {label}  {name} and {len(items) - _SHOWN:,} more; --json lists them")
    if diff.only_in_one:
        print_text(f"only one of them searched for {', '.join(diff.only_in_one)}")
