"""``kit19 lint``: check templates on every record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit19.cli.options import catalog_option, json_option, quiet_option
from kit19.cli.output import print_json, print_table, print_text, progress

if TYPE_CHECKING:
    from kit19.catalog import CatalogLike
    from kit19.linting import Finding, LintReport

or_sample_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Upstream files, as <source>/<path>. Default: kit19's own sample.",
)
FINDINGS = 3
"""The exit code if there are findings."""


@click.command(
    epilog="""\b
Examples:
  kit19 lint                                all templates, on the sample
  kit19 lint nsmc kobest_copa               two subsets
  kit19 lint --data-dir data --partial      on the real files that are present

\b
For templates that you are writing: kit19 show --from-file my.yaml
Exit code 3 if there are findings.
"""
)
@click.argument("subsets", nargs=-1, metavar="[SUBSET]...")
@or_sample_option
@click.option("--partial", is_flag=True, help="Leave out missing and differing files; listed.")
@catalog_option
@json_option
@quiet_option
def lint(
    subsets: tuple[str, ...],
    data_dir: Path | None,
    partial: bool,
    catalog: CatalogLike,
    as_json: bool,
    quiet: bool,
) -> None:
    """Render every template of SUBSET (default: all) on every record, and check the results.

    The checks are about the templates' text and how it joins with the fields, not about the fields.
    """
    from kit19.linting import lint as run  # noqa: PLC0415  polars loads only when it works

    with progress(quiet=quiet or as_json) as on_progress:
        report = run(
            subsets,
            data_dir=data_dir or "sample",
            partial=partial,
            catalog=catalog,
            on_progress=on_progress,
        )
    if as_json:
        print_json(report.to_dict())
    else:
        print_findings(report.findings)
        _print_subsets(report)
    if report.findings:
        raise click.exceptions.Exit(FINDINGS)


def print_findings(findings: list[Finding]) -> None:
    """Print findings with their counts and examples."""
    for finding in findings:
        print_text(f"{finding.subset}.{finding.template}: {finding.rule}: {finding.what}")
        if finding.of:
            print_text(f"    in {finding.count:,} of {finding.of:,} renders")
        for shown in finding.examples:
            print_text(f"    {shown.id}: {shown.text}")
        print_text()


def _print_subsets(report: LintReport) -> None:
    rows = [
        (
            name,
            one.templates,
            one.records,
            one.renders,
            sum(finding.subset == name for finding in report.findings),
        )
        for name, one in report.subsets.items()
    ]
    columns = ("subset", "templates", "records", "renders", "findings")
    print_table("", columns, rows, numbers=columns[1:])
    count = len(report.findings)
    print_text(
        f"\n{report.renders:,} renders checked: {f'{count:,} findings' if count else 'clean'}"
    )
    for name, one in report.subsets.items():
        if one.left_out:
            more = f" and {len(one.left_out) - 1} more" if len(one.left_out) > 1 else ""
            only = "" if one.records else ", so only checks without records ran"
            print_text(f"  ! {name}: {one.left_out[0]}{more}{only}")
