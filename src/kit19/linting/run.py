"""A run of lint: which subsets, on which files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import polars as pl

from kit19.catalog import BUILT_IN, Catalog, TemplateFile, load_catalog
from kit19.catalog.yaml_file import load_model
from kit19.core.errors import CatalogError, FilesError, Kit19Error, Problem, convert_os_errors
from kit19.curating import find_empty
from kit19.fetching import UpstreamFile, find_files, usable
from kit19.linting.check import check
from kit19.linting.finding import Checked, Finding, Report
from kit19.linting.view import View
from kit19.reading import read_subset
from kit19.rendering import load_templates
from kit19.rendering.templates import check_templates
from kit19.sample import SAMPLE

OnProgress = Callable[[str, int, int], None]
"""Called as (subset, subsets done, subsets in all)."""


@convert_os_errors
def lint(
    subsets: Iterable[str] = (),
    data_dir: Path | None = None,
    *,
    partial: bool = False,
    catalog_dir: Path = BUILT_IN,
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> Report:
    """Check templates on every record.

    Of every split, benchmark splits too: templates are judged, and nothing becomes a training row.

    Args:
        subsets: Their names; default: all that have templates.
        data_dir: Upstream files; default: the sample that kit19 carries.
        partial: Leave out missing and differing files. Of a subset without any usable file only
            what needs no record is checked.
        catalog_dir: The folder of cards.
        on_progress: Told of progress.

    Raises:
        Kit19Error: An unknown name, cards that are wrong, or files that cannot be used.
    """
    catalog = load_catalog(catalog_dir)
    names = list(dict.fromkeys(subsets)) or list(catalog.owners)
    views = _views(catalog, names)
    files = _files(catalog, views, data_dir, partial=partial)
    report = Report()
    for done, (name, view) in enumerate(views.items()):
        on_progress(name, done, len(views))
        _add(report, view, *files[name])
    on_progress("done", len(views), len(views))
    return report


@convert_os_errors
def lint_file(path: Path, data_dir: Path | None = None, catalog_dir: Path = BUILT_IN) -> Report:
    """Check a templates file that somebody is writing, on what is there of its subset's files.

    Raises:
        Kit19Error: The file is wrong, or names a subset that is not there.
    """
    catalog = load_catalog(catalog_dir)
    file, lines = load_model(path, TemplateFile)
    source, card = catalog.subset(file.subset)
    view = View(check_templates(file, lines, str(path), source, card), source, card)
    files = _files(catalog, {file.subset: view}, data_dir, partial=True)
    report = Report()
    _add(report, view, *files[file.subset])
    return report


def _views(catalog: Catalog, names: list[str]) -> dict[str, View]:
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


def _files(
    catalog: Catalog, views: dict[str, View], data_dir: Path | None, *, partial: bool
) -> dict[str, tuple[list[UpstreamFile], list[UpstreamFile]]]:
    """For each subset the files that are used, and those left out."""
    folder = data_dir or SAMPLE
    if not folder.is_dir():
        raise FilesError(Problem("there is no such data folder", str(folder)))
    files: dict[str, tuple[list[UpstreamFile], list[UpstreamFile]]] = {}
    problems: list[Problem] = []
    for name in views:
        source, card = catalog.subset(name)
        splits = source.splits_of(card)
        found = find_files(source, card.tables, splits, folder, check=data_dir is not None)
        if data_dir is None:  # the sample holds a few files of each source
            found = [one for one in found if one.status != "missing"]
        try:
            files[name] = usable(found, partial=partial, unverified=False)
        except FilesError as error:
            problems += error.problems
    if problems:
        raise FilesError(list(dict.fromkeys(problems)))
    return files


def _add(report: Report, view: View, used: list[UpstreamFile], left: list[UpstreamFile]) -> None:
    name = view.templates.subset
    records = pl.DataFrame()
    if used:
        records = read_subset(name, view.source, view.card, used).frame
        empty = find_empty(records, view.card)
        records = records.join(empty, on="id", how="anti", maintain_order="left")
    found: list[Finding]
    found, renders = check(view, records)
    report.findings.extend(found)
    left_out = tuple(f"{one.name}: {one.by or 'it is not there'}" for one in left)
    report.subsets[name] = Checked(len(view.templates.templates), records.height, renders, left_out)
