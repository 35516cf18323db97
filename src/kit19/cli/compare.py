"""``kit19 compare``: differences between models, with intervals and tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit19.cli.options import SEED, catalog_option, json_option, quiet_option
from kit19.cli.output import print_json, print_table, print_text, progress

if TYPE_CHECKING:
    from kit19.catalog import CatalogLike
    from kit19.comparing.result import Comparison
    from kit19.core.arguments import OnProgress

UNFAIR = 3
"""The exit code of --check if something makes the comparison unfair."""


@click.command(
    epilog="""\b
Examples:
  kit19 compare out/base out/tuned                        tables in the terminal
  kit19 compare out/base out/tuned --out report           also HTML, charts, Markdown, LaTeX, JSON
  kit19 compare base=out/a "tuned, seed 1=out/b" --json   with your own names
  kit19 compare base=out/a tuned=out/s1,out/s2,out/s3     several seeds of one model
  kit19 compare out/a out/b out/c out/d                   three models or more: also a leaderboard
  kit19 compare out/base logs/2026-11-30_click.eval       with a log of Inspect
  kit19 compare out/base out/tuned --audit audit.json     without items found in the training data
  kit19 compare out/base out/tuned --check                exit code 3 if it would be unfair

\b
RESULT is a folder of `kit19 eval`, or of lm-evaluation-harness (`lm_eval --output_path DIR
--log_samples`): DIR, the model's folder in it, or its results_….json. It may also be a log of
Inspect (.eval, .json), an output folder of lighteval, or a JSON file of HRET. The first is the
base. NAME=RESULT,RESULT are several runs (training seeds, samples) of one model.
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
    help="The result of `kit19 audit` on the training data, for every model but the base, or for the "
    "model NAME. May be repeated.",
)
@click.option(
    "--check",
    "only_check",
    is_flag=True,
    help="Only list what makes the comparison unfair; exit with 3 if there is anything.",
)
@click.option(
    "--members",
    is_flag=True,
    help="Show the members of groups, such as the subjects of KMMLU, in the terminal.",
)
@click.option("--seed", type=SEED, default=0, help="Seed of the bootstrap. Default: 0.")
@click.option(
    "--replicates",
    type=click.IntRange(100, 1_000_000),
    default=10_000,
    help="Replicates of the bootstrap. Default: 10000.",
)
@catalog_option
@json_option
@quiet_option
def compare(  # noqa: PLR0913, PLR0917  one parameter an option
    results: tuple[str, ...],
    out: Path | None,
    audits: tuple[str, ...],
    only_check: bool,
    members: bool,
    seed: int,
    replicates: int,
    catalog: CatalogLike,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compare models with the first one: intervals, paired tests, and warnings."""
    if only_check:
        _check(results, catalog, as_json=as_json)
        return
    from kit19.comparing import compare as run  # noqa: PLC0415  polars loads only when it works

    with progress(quiet=quiet or as_json) as on_progress:
        found = run(
            results,
            audits=audits,
            seed=seed,
            replicates=replicates,
            catalog=catalog,
            on_progress=_before_drawing(on_progress),
        )
        steps = len(found.tasks) + 1
        if out:
            on_progress("drawing", steps - 1, steps)
            found.write(out)
        on_progress("done", steps, steps)
    if as_json:
        print_json(found.to_dict())
    else:
        print_comparison(found, out, members=members)


def _before_drawing(on_progress: OnProgress) -> OnProgress:
    """The steps of the comparison, where drawing is one more."""

    def report(what: str, done: int, total: int) -> None:
        if done < total:
            on_progress(what, done, total + 1)

    return report


def _check(results: tuple[str, ...], catalog: CatalogLike, *, as_json: bool) -> None:
    from kit19.comparing import check  # noqa: PLC0415

    found = check(results, catalog=catalog)
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
    elif not found:
        print_text("fair: only the models differ in what is recorded")
    for one in [] if as_json else found:
        print_text(str(one))
    if found:
        raise click.exceptions.Exit(UNFAIR)


def print_comparison(
    found: Comparison, out: Path | None, *, brief: bool = False, members: bool = True
) -> None:
    """Print the tables and warnings; with ``brief``, only the scores."""
    from kit19.comparing.table import remarks, tables  # noqa: PLC0415

    shown = [one if members else one.folded() for one in tables(found)]
    for table in shown[: 1 if brief else None]:
        print_table(table.title, table.columns, table.rows, numbers=table.columns[table.names :])
        for note in table.notes:
            print_text(f"  {note}")
        print_text()
    warnings = [] if brief else [*remarks(found), *(found.caveats if found.published else [])]
    for line in warnings:
        print_text(f"  ! {' '.join(line.split())}")
    if out:
        print_text(
            f"\n{out / 'report.html'} has the full report; charts, tables and JSON are next to it"
        )
