"""``kit19 audit``: find benchmark items in any dataset."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit19.cli.options import catalog_option, data_dir_option, json_option, quiet_option
from kit19.cli.output import print_json, print_table, print_text, progress
from kit19.cli.streams import is_terminal

if TYPE_CHECKING:
    from kit19.auditing.result import Audit, Hit, Remark
    from kit19.catalog import CatalogLike
    from kit19.core.arguments import OnProgress

FOUND = 3
"""The exit code of --fail-on-hit if something was found or not everything was searched."""
_SHOWN = 5
_REMARKS = 20
_EVERY = 1_000_000  # rows between two lines of progress where there is no terminal


@click.command(
    epilog="""\b
Examples:
  kit19 audit my.jsonl                              against every benchmark
  kit19 audit data.csv --column question --against kobest_boolq
  kit19 audit owner/name --out audit                a dataset on the Hub, with an HTML report
  kit19 audit owner/name@refs/convert/parquet       a branch, tag or commit of it
  kit19 audit my.jsonl --against kobest             against a set of them
  kit19 audit train.parquet --against my_exam.jsonl
  kit19 audit my.jsonl --fail-on-hit --json         for CI: exit code 3 if anything is found

\b
The benchmarks' own files must be present: `kit19 fetch klue kobest` downloads them. Benchmarks that you
did not name yourself may lack files, and are listed; sets: default, kobest, klue, paper, today.
"""
)
@click.argument("dataset", metavar="PATH|HUB_ID")
@click.option(
    "--against",
    multiple=True,
    metavar="NAME|FILE",
    help="A benchmark or a set of them, or a file with one item per row. May be repeated. Default: "
    "every benchmark whose files are there.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    help="Search only this column (a.b for nested fields). May be repeated. Default: all text.",
)
@click.option(
    "--header/--no-header",
    default=None,
    help="Whether CSV, TSV or text files have a header line. Default: detected.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write hits.parquet, audit.json and report.html into this folder.",
)
@click.option(
    "--fail-on-hit", is_flag=True, help="Exit with 3 if anything is found or was not searched."
)
@data_dir_option
@catalog_option
@json_option
@quiet_option
def audit(  # noqa: PLR0913, PLR0917  one parameter an option
    dataset: str,
    against: tuple[str, ...],
    columns: tuple[str, ...],
    header: bool | None,
    out: Path | None,
    fail_on_hit: bool,
    data_dir: Path | None,
    catalog: CatalogLike,
    as_json: bool,
    quiet: bool,
) -> None:
    """Find benchmark items in the dataset PATH|HUB_ID.

    The dataset is JSON lines, JSON, CSV, TSV, plain lines, parquet or Arrow, also compressed or in a
    zip archive; a folder of such files; or a dataset on the Hub (owner/name). All columns are searched,
    also inside lists and objects. Parts that cannot be searched are listed.
    """
    if quiet or as_json:
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # read when huggingface_hub is loaded
    from kit19.auditing.run import audit as run  # noqa: PLC0415  polars loads only when it works

    with progress(quiet=quiet or as_json) as on_progress:
        result = run(
            dataset,
            against,
            data_dir=data_dir,
            columns=columns,
            header=header,
            catalog=catalog,
            on_progress=_in_two_steps(on_progress),
        )
        on_progress(f"{result.rows_read:,} rows", 2, 2)
    if out:
        result.write(out)
    if as_json:
        print_json(result.to_dict())
    else:
        _print(result, out)
    if fail_on_hit and (result.hits or result.not_searched):
        raise click.exceptions.Exit(FOUND)


def _in_two_steps(on_progress: OnProgress) -> OnProgress:
    """Report the benchmarks, then the rows so far (each million of them without a terminal)."""
    from kit19.auditing.run import READING_ROWS  # noqa: PLC0415

    printed = -1

    def report(what: str, rows: int, _total: int) -> None:
        nonlocal printed
        if what != READING_ROWS:
            on_progress(what, 0, 2)
        elif is_terminal(sys.stderr) or rows // _EVERY > printed:
            printed = rows // _EVERY
            on_progress(f"looking into the dataset: {rows:,} rows", 1, 2)

    return report


def _print(result: Audit, out: Path | None) -> None:
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
    for hit in strongest(result.hits)[:_SHOWN]:
        _print_hit(hit)
    left = len(result.hits) - _SHOWN
    if left > 0:
        print_text(f"\nand {left:,} more hits; --out DIR or --json lists them all")
    _print_remarks("not searched for", result.not_searched_for)
    _print_remarks("not searched", result.not_searched)
    _print_remarks("notes", result.notes)
    if out:
        print_text(f"\n{out / 'report.html'} shows them; hits.parquet and audit.json have all")


def _print_remarks(title: str, remarks: list[Remark]) -> None:
    if not remarks:
        return
    print_text(f"\n{title}:")
    for one in remarks[:_REMARKS]:
        print_text(f"  {_one_line(one.where)}: {one.what}")
    if len(remarks) > _REMARKS:
        print_text(f"  and {len(remarks) - _REMARKS:,} more; --json lists them all")


def _print_hit(hit: Hit) -> None:
    how = {"equal": "equal to", "contained": "contains", "near": f"near, {hit.overlap:.0%}, to"}[
        hit.rule
    ]
    what = f"{how} {hit.benchmark} {_one_line(hit.item)} ({_one_line(hit.field)})"
    column = f", column {_one_line(hit.column)}" if hit.column else ""
    print_text(f"\nrow {hit.row}{column}: {what}")
    print_text(f"  here   {_one_line(hit.text)}")
    print_text(f"  there  {_one_line(hit.item_text)}")


def _one_line(text: str) -> str:
    return " ".join(text.split())
