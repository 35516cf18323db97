"""``kit19 show``, ``explain``, ``diff`` and ``stats``, which change nothing."""

from __future__ import annotations

from dataclasses import astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit19.catalog.layers import OURS
from kit19.cli.lint import or_sample_option, print_findings
from kit19.cli.options import COUNT, SEED, catalog_option, folder_argument, json_option
from kit19.cli.output import print_example, print_json, print_table, print_text

if TYPE_CHECKING:
    from kit19.catalog import CatalogLike


@click.command(
    epilog="""\b
Examples:
  kit19 show nsmc                                  from the sample
  kit19 show kobest_copa -n 5 --data-dir data      from the real files
  kit19 show nsmc --template text_first
  kit19 show nsmc --style 해체
  kit19 show kobest_boolq --template questions_on_a_text    a conversation

\b
For templates that you are writing: --from-file my.yaml -n 1 shows each of them, and lint's findings.
"""
)
@click.argument("subset", required=False)
@click.option("-n", "count", default=3, show_default=True, type=COUNT)
@click.option("--template", help="Only this template or conversation.")
@click.option("--style", help="Only templates of this style, e.g. 해요체.")
@click.option(
    "--from-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Templates that you are writing: -n examples of each, then lint's findings.",
)
@click.option(
    "--seed", default=19, show_default=True, type=SEED, help="Decides which records are shown."
)
@or_sample_option
@catalog_option
@json_option
def show(  # noqa: PLR0913  one parameter an option
    subset: str | None,
    count: int,
    template: str | None,
    style: str | None,
    from_file: Path | None,
    seed: int,
    data_dir: Path | None,
    catalog: CatalogLike,
    as_json: bool,
) -> None:
    """Show rendered examples of SUBSET; without --data-dir, from the sample."""
    from kit19.linting.examples import show as run  # noqa: PLC0415

    if not subset and not from_file:
        raise click.UsageError("Name a SUBSET, or give --from-file.")
    place: Path | str = data_dir or "sample"
    examples = run(
        subset,
        n=count,
        template=template,
        style=style,
        from_file=from_file,
        seed=seed,
        data_dir=place,
        catalog=catalog,
    )
    report = None
    if from_file:
        from kit19.linting import lint_file  # noqa: PLC0415

        report = lint_file(from_file, data_dir=place, catalog=catalog)
    if as_json:
        rows = examples.to_dict()
        found = report.to_dict()["findings"] if report else []
        print_json({"examples": rows, "findings": found} if report else rows)
        return
    for index, example in enumerate(examples, 1):
        print_example(index, example)
    if any(one.card.catalog != OURS or one.templates.catalog != OURS for one in examples[:1]):
        print_text(f"card: {examples[0].card}\ntemplates: {examples[0].templates}")
    if report:
        print_findings(report.findings)
        outcome = f"{len(report.findings):,} findings" if report.findings else "clean"
        print_text(f"{from_file}: {report.renders:,} renders checked: {outcome}")


@click.command(
    epilog="""\b
Examples:
  kit19 explain out/kit19 nsmc/train/9976970
  kit19 explain out/kit19 kobest_copa/test/17
"""
)
@folder_argument
@click.argument("record")
@catalog_option
@json_option
def explain(folder: Path, record: str, catalog: CatalogLike, as_json: bool) -> None:
    """Explain why RECORD (<subset>/<upstream split>/<key>) is in the build in FOLDER, or is not."""
    from kit19.building.explanation import explain as run  # noqa: PLC0415

    found = run(folder, record, catalog=catalog)
    if as_json:
        print_json(found.to_dict())
        return
    print_text(f"{found.id}: {found.status}\n  {found.why}")
    if found.evidence:
        print_text(f"  evidence: {found.evidence}")
    for row in found.rows:
        if row["id"] != found.id:
            print_text(f"  in the row of {row['id']}")
        print_text(f"  template: {row['template']}")
        for name in ("instruction", "input", "output"):
            if row[name]:
                print_text(f"  {name}: {row[name]}")
        for turn in row.get("messages") or []:
            print_text(f"  {turn['role']}: {turn['content']}")


@click.command(
    epilog="""\b
Examples:
  kit19 diff out/monday out/tuesday
  kit19 diff out/a out/b --json
"""
)
@click.argument("left", type=click.Path(path_type=Path))
@click.argument("right", type=click.Path(path_type=Path))
@json_option
def diff(left: Path, right: Path, as_json: bool) -> None:
    """List the differences between the builds in LEFT and RIGHT, and their possible causes."""
    from kit19.building.differences import diff as run  # noqa: PLC0415

    found = run(left, right)
    if as_json:
        print_json(found.to_dict())
        return
    print_text("The same rows." if found.same_rows else "The rows differ.")
    if found.causes:
        rows = [(name, _short(a), _short(b)) for name, (a, b) in found.causes.items()]
        print_table("Possible causes", ("what", "left", "right"), rows)
    if found.subsets:
        counts = ("only_left", "only_right", "retold", "same")
        table = [(name, *(getattr(d, c) for c in counts)) for name, d in found.subsets.items()]
        columns = ("subset", "only left", "only right", "changed", "same")
        print_table("Records", columns, table, numbers=columns[1:])


@click.command(
    epilog="""\b
Examples:
  kit19 stats out/kit19
  kit19 stats out/kit19 --json
"""
)
@folder_argument
@json_option
def stats(folder: Path, as_json: bool) -> None:
    """Count rows, records, templates, labels and lengths (in characters) of the build in FOLDER."""
    from kit19.building.figures import SubsetStats  # noqa: PLC0415
    from kit19.building.figures import stats as run  # noqa: PLC0415

    found = run(folder)
    if as_json:
        print_json(found.to_dict())
        return
    columns = [one.name.replace("_", " ") for one in fields(SubsetStats)]
    print_table("", columns, [astuple(one) for one in found], numbers=columns[3:])


def _short(value: object) -> str:
    text = "–" if value is None else str(value)
    return text if len(text) <= 40 else text[:37] + "…"
