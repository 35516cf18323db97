"""A run of lint: which subsets, on which files."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import polars as pl

from kit19.catalog import Catalog, CatalogLike, TemplateFile, load_catalog
from kit19.catalog.yaml_file import load_model
from kit19.core.arguments import OnProgress, one_or_more, public, silent
from kit19.core.errors import CatalogError, Kit19Error, Problem
from kit19.curating import find_empty
from kit19.fetching import Leniency, SelectedFiles, select_files, subset_use
from kit19.fetching.data_dir import resolve_data_dir
from kit19.linting.check import check
from kit19.linting.finding import Checked, Finding, LintReport
from kit19.linting.view import View
from kit19.reading import read_subset
from kit19.rendering import load_templates
from kit19.rendering.load import check_templates


@public
def lint(
    subsets: str | Collection[str] = (),
    *,
    data_dir: str | Path | None = None,
    partial: bool = False,
    catalog: CatalogLike = None,
    on_progress: OnProgress = silent,
) -> LintReport:
    """Check templates on every record.

    Of every split, benchmark splits too: templates are judged, and nothing becomes a training row.

    Args:
        subsets: Their names; default: all that have templates.
        data_dir: The folder of upstream files; ``"sample"`` for the small sample that kit19 carries;
            default: where ``kit19 fetch`` puts them.
        partial: Leave out missing and differing files. Of a subset without any usable file only
            what needs no record is checked.
        catalog: A folder of cards to add to kit19's own, or a loaded catalog (see ``load_catalog``).
        on_progress: Called with the subset, subsets done, and subsets in all.

    Raises:
        Kit19Error: An unknown name, cards that are wrong, or files that cannot be used.
    """
    cards = load_catalog(catalog)
    names = list(dict.fromkeys(one_or_more(subsets, "subsets"))) or list(cards.owners)
    views = _load_views(cards, names)
    files = _select_files(cards, views, resolve_data_dir(data_dir), partial=partial)
    report = LintReport()
    for done, (name, view) in enumerate(views.items()):
        on_progress(name, done, len(views))
        _lint_subset(report, view, files[name])
    on_progress("done", len(views), len(views))
    return report


@public
def lint_file(
    path: str | Path,
    *,
    data_dir: str | Path | None = None,
    catalog: CatalogLike = None,
) -> LintReport:
    """Check a templates file that somebody is writing, on what is there of its subset's files.

    Raises:
        Kit19Error: The file is wrong, or names a subset that is not there.
    """
    cards = load_catalog(catalog)
    file, lines = load_model(Path(path), TemplateFile)
    source, card = cards.subset(file.subset)
    view = View(check_templates(file, lines, str(path), source, card), source, card)
    files = _select_files(cards, {file.subset: view}, resolve_data_dir(data_dir), partial=True)
    report = LintReport()
    _lint_subset(report, view, files[file.subset])
    return report


def _load_views(catalog: Catalog, names: list[str]) -> dict[str, View]:
    """What rules look at, for each subset; the mistakes of all files are reported at once."""
    views: dict[str, View] = {}
    problems: list[Problem] = []
    for name in names:
        source, card = catalog.subset(name)
        try:
            views[name] = View(load_templates(catalog, name), source, card)
        except Kit19Error as error:
            problems += error.problems
    if problems:
        raise CatalogError(problems)
    return views


def _select_files(
    catalog: Catalog, views: Collection[str], folder: Path, *, partial: bool
) -> dict[str, SelectedFiles]:
    """Find the files of each subset, of every split."""
    uses = [
        replace(subset_use(catalog, name, all_splits=True), instead="leave it out with --partial")
        for name in views
    ]
    return dict(zip(views, select_files(uses, folder, Leniency(partial=partial)), strict=True))


def _lint_subset(report: LintReport, view: View, files: SelectedFiles) -> None:
    name = view.templates.subset
    records = pl.DataFrame()
    if files.used:
        records = read_subset(name, view.source, view.card, files.used).frame
        empty = find_empty(records, view.card)
        records = records.join(empty, on="id", how="anti", maintain_order="left")
    found: list[Finding]
    found, renders = check(view, records)
    report.findings.extend(found)
    left_out = tuple(f"{one.name}: {one.why}" for one in files.skipped)
    report.subsets[name] = Checked(len(view.templates.templates), records.height, renders, left_out)
