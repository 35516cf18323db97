"""``kit19 compare``: what the tuning was worth, and whether to believe it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit19.cli.options import SEED, catalog_option, json_option, quiet_option
from kit19.cli.output import print_json, print_table, print_text, progress

if TYPE_CHECKING:
    from kit19.comparing.result import Comparison

UNFAIR = 3
"""The exit code of --check, when something makes the comparison unfair."""


@click.command(
    epilog="""\b
Examples:
  kit19 compare out/base out/tuned                        tables, here
  kit19 compare out/base out/tuned --out report           and a page, charts, Markdown, LaTeX, JSON
  kit19 compare base=out/a "tuned, seed 1=out/b" --json   names of your own
  kit19 compare out/base out/tuned --audit audit.json     items found in the training data, apart
  kit19 compare out/base out/tuned --check                exit code 3 if it would be unfair

\b
RESULT is a folder of `kit19 eval`, or of lm-evaluation-harness (`lm_eval --output_path DIR
--log_samples`): DIR, the model's folder in it, or its results_….json. The first is the base.
"""
)
@click.argument("results", nargs=-1, required=True, metavar="BASE TUNED [MORE]...")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write report.html, compare.json, compare.md, compare.tex and charts/ into this folder.",
)
@click.option(
    "--audit",
    "audits",
    multiple=True,
    metavar="[NAME=]PATH",
    help="What `kit19 audit` found in the training data: of every model but the base, or of the one "
    "with this NAME. May be repeated.",
)
@click.option(
    "--check",
    "only_check",
    is_flag=True,
    help="Only say what makes the comparison unfair; exit with 3 if anything does.",
)
@click.option("--seed", type=SEED, default=0, help="Of the bootstrap. Default: 0.")
@click.option(
    "--replicates",
    type=click.IntRange(100, 1_000_000),
    default=10_000,
    help="Of the bootstrap. Default: 10000.",
)
@catalog_option
@json_option
@quiet_option
def compare(  # noqa: PLR0913  one parameter an option
    results: tuple[str, ...],
    out: Path | None,
    audits: tuple[str, ...],
    only_check: bool,
    seed: int,
    replicates: int,
    catalog_dir: Path,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compare models with the first: intervals, paired tests, and what to mind."""
    if only_check:
        _check(results, catalog_dir, as_json=as_json)
        return
    from kit19.comparing import compare as run  # noqa: PLC0415  polars loads only when it works

    with progress(quiet=quiet or as_json) as on_progress:
        found = run(
            results,
            out,
            audits,
            seed=seed,
            draws=replicates,
            on_progress=on_progress,
            catalog_dir=catalog_dir,
        )
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        print_comparison(found, out)


def _check(results: tuple[str, ...], catalog_dir: Path, *, as_json: bool) -> None:
    from kit19.comparing import check  # noqa: PLC0415

    found = check(results, catalog_dir)
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
    elif not found:
        print_text("fair: nothing that is recorded differs but the models")
    for one in [] if as_json else found:
        print_text(str(one))
    if found:
        raise click.exceptions.Exit(UNFAIR)


def print_comparison(found: Comparison, out: Path | None, *, brief: bool = False) -> None:
    """The tables and what to mind; briefly, the scores alone."""
    from kit19.comparing.table import remarks, tables  # noqa: PLC0415

    for table in tables(found)[: 1 if brief else None]:
        print_table(table.title, table.columns, table.rows, numbers=table.columns[table.names :])
        for note in table.notes:
            print_text(f"  {note}")
        print_text()
    told = [] if brief else [*remarks(found), *(found.caveats if found.published else [])]
    for line in told:
        print_text(f"  ! {' '.join(line.split())}")
    if out:
        print_text(f"\n{out / 'report.html'} shows it all; charts, tables and JSON lie beside it")
