"""``kit19 build`` and ``kit19 verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kit19.cli.options import (
    COUNT,
    SEED,
    catalog_option,
    cluster_options,
    data_dir_option,
    folder_argument,
    json_option,
    quiet_option,
    set_option,
)
from kit19.cli.output import print_json, print_table, print_text, progress

if TYPE_CHECKING:
    from kit19.catalog import CatalogLike
    from kit19.core.manifest import Manifest


@click.command(
    epilog="""\b
Examples:
  kit19 build sample --out out/sample                      offline, from kit19's own sample
  kit19 build --data-dir data --out out/kit19              KIT-19, rebuilt
  kit19 build kit19 --data-dir data --partial --out out/kit19
  kit19 build kit19 --set cap=1000 --set validation=50 --format alpaca --format messages --out out/small
  kit19 build my.yaml --exclude unsmile --out out/mine
  kit19 build my.yaml --jobs 8 --out out/mine              large files of your own, in 8 processes
  kit19 build my.yaml --engine ray --out out/mine          on a Ray cluster

\b
Recipes: kit19 (default), full (no caps), commercial (licenses that allow it), paper (contaminated,
to measure leakage), paper-clean (as many rows without the leak), sample.
An earlier build in --out is replaced once the new one is complete.
"""
)
@click.argument("recipe", default="kit19")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder to write.")
@data_dir_option
@click.option(
    "--partial",
    is_flag=True,
    help="Leave out missing and differing files (of benchmarks: missing ones); recorded.",
)
@click.option("--unverified", is_flag=True, help="Use differing files; recorded.")
@click.option(
    "--without-benchmark",
    "without",
    multiple=True,
    metavar="NAME",
    help="Do not decontaminate against this benchmark; recorded. May be repeated.",
)
@click.option("--exclude", multiple=True, metavar="SUBSET", help="Leave a subset out.")
@click.option(
    "--license",
    "license_policy",
    type=click.Choice(["any", "research", "commercial", "redistributable"]),
    help="Leave out subsets whose license does not clearly allow this use.",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(["jsonl", "alpaca", "messages", "sharegpt", "prompt-completion"]),
    help="Also write this layout as JSON lines under exports/.",
)
@click.option("--seed", type=SEED, help="Decides which rows are chosen.")
@set_option
@click.option(
    "-j",
    "--jobs",
    type=COUNT,
    default=1,
    help="Examine the records of large subsets in this many processes.",
)
@cluster_options(
    "Examine records and search for near duplicates on this machine, or on a Ray cluster.",
    "part of the records",
)
@catalog_option
@json_option
@quiet_option
def build(  # noqa: PLR0913, PLR0917  one parameter an option
    recipe: str,
    out: Path,
    data_dir: Path | None,
    partial: bool,
    unverified: bool,
    without: tuple[str, ...],
    exclude: tuple[str, ...],
    license_policy: str | None,
    formats: tuple[str, ...],
    seed: int | None,
    settings: dict[str, Any],
    jobs: int,
    engine: str,
    ray_address: str | None,
    cpus: float,
    catalog: CatalogLike,
    as_json: bool,
    quiet: bool,
) -> None:
    """Build instruction rows from verified upstream files, by RECIPE (a name, or a YAML file)."""
    from kit19.building.pipeline import build as run  # noqa: PLC0415  polars loads only when it works
    from kit19.core.cluster import Cluster  # noqa: PLC0415

    changes = dict(settings)
    options = {
        "exclude": list(exclude),
        "formats": list(formats),
        "seed": seed,
        "license": license_policy,
    }
    changes |= {key: value for key, value in options.items() if value not in (None, [])}
    with progress(quiet=quiet or as_json) as on_progress:
        manifest = run(
            recipe,
            out,
            data_dir=data_dir,
            partial=partial,
            unverified=unverified,
            without_benchmarks=without,
            changes=changes,
            catalog=catalog,
            jobs=jobs,
            cluster=Cluster(ray_address, cpus) if engine == "ray" else None,
            on_progress=on_progress,
        )
    if as_json:
        print_json(manifest.to_dict())
    else:
        print_summary(manifest, out)


@click.command(
    epilog="""\b
Examples:
  kit19 verify out/kit19
  kit19 verify out/kit19 --json
"""
)
@folder_argument
@json_option
def verify(folder: Path, as_json: bool) -> None:
    """Check every digest, count and row of the build in FOLDER."""
    from kit19.writing import verify as run  # noqa: PLC0415

    manifest = run(folder)
    if as_json:
        print_json({"ok": True, "rows": manifest.rows, "content_digest": manifest.content_digest})
    else:
        print_text(
            f"{folder}: intact. {len(manifest.outputs)} files, {manifest.rows:,} rows, "
            f"content digest {manifest.content_digest[:16]}…"
        )


def print_summary(manifest: Manifest, out: Path) -> None:
    """Print the ledger of a build as a table, then its warnings."""
    from kit19.core.ledger import REASONS  # noqa: PLC0415

    used = [r for r in REASONS if any(r in e.ledger.dropped for e in manifest.subsets.values())]
    columns = ["subset", "read", "train", "validation", "surplus", *used, "license"]
    rows = []
    for name, entry in manifest.subsets.items():
        ledger = entry.ledger
        drops = [ledger.dropped.get(reason, 0) for reason in used]
        counts = [ledger.read, ledger.train, ledger.validation, ledger.surplus, *drops]
        rows.append([name, *counts, entry.license])
    print_table("", columns, rows, numbers=columns[1:-1])
    print_text(f"\n{manifest.rows:,} rows, {_many(len(manifest.subsets), 'subset')}, in {out}")
    for note in manifest.notes():
        print_text(f"  ! {note.headline}")
    print_text(f"  content digest {manifest.content_digest}")


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
