"""Lint: renders checked a second, beside Jinja rendering the same templates and checking nothing.

``python -m benchmarks.lint --data-dir ../shared/data`` prints a Markdown table: medians of three runs,
each in a process of its own. Reading the files is timed on neither side, compiling templates on both.

The comparison gives both the first records of each subset, since Jinja would take a quarter of an hour
over all of them; kit19 over everything that is there stands in a row of its own.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.worker import run

RUNS = 3
FIRST = 4_000

Work = Callable[[], Any]


def kit19_way(data_dir: str, first: int | None) -> Work:
    from kit19.linting import check

    prepared = _prepared(data_dir, first)

    def work() -> dict[str, int]:
        told = [check(view, records) for view, records in prepared]
        found = sum(len(findings) for findings, _ in told)
        return {"renders": sum(renders for _, renders in told), "findings": found}

    return work


def jinja_way(data_dir: str, first: int | None) -> Work:
    from benchmarks.language import TEXTS, by_jinja
    from kit19.rendering.choose import eligible

    jobs = []
    for view, records in _prepared(data_dir, first):
        for template in view.templates.templates:
            texts = {name: getattr(template.card, name) for name in TEXTS}
            fitting = records.filter(eligible(template, view.templates.many))
            jobs.append((texts, view.templates, fitting.to_dicts()))

    def work() -> dict[str, int]:
        renders = 0
        for texts, templates, rows in jobs:
            render = by_jinja(texts, templates.words, set(templates.many))
            renders += sum(1 for row in rows if render(row)[0])
        return {"renders": renders}

    return work


def same_renders(data_dir: str, first: int) -> Work:
    """Hold kit19's renders against Jinja's, text by text."""
    from benchmarks.language import TEXTS, by_jinja
    from kit19.rendering.choose import eligible
    from kit19.rendering.render import compile_template

    prepared = _prepared(data_dir, first)

    def work() -> int:
        compared = 0
        for view, records in prepared:
            for template in view.templates.templates:
                texts = {name: getattr(template.card, name) for name in TEXTS}
                render = by_jinja(texts, view.templates.words, set(view.templates.many))
                fitting = records.filter(eligible(template, view.templates.many))
                ours = fitting.select(compile_template(template, view.templates)).rows()
                assert ours == [render(row) for row in fitting.to_dicts()], template.id
                compared += len(ours)
        return compared

    return work


def _prepared(data_dir: str, first: int | None) -> list[tuple[Any, pl.DataFrame]]:
    """Every subset that has files, with the first of its records; all templates without ``first``."""
    from kit19.catalog import load_catalog
    from kit19.curating import find_empty
    from kit19.fetching import find_files, usable
    from kit19.linting import View
    from kit19.reading import read_subset
    from kit19.rendering import load_templates

    catalog = load_catalog()
    prepared = []
    for name in catalog.owners:
        source, card = catalog.subset(name)
        found = find_files(source, card.tables, source.splits_of(card), Path(data_dir))
        files, _ = usable(found, partial=True, unverified=False)
        if not files:
            continue
        records = read_subset(name, source, card, files).frame
        records = records.join(find_empty(records, card), on="id", how="anti")
        templates = load_templates(catalog, name)
        if first is not None:
            records = records.head(first)
        prepared.append((View(templates, source, card), records))
    return prepared


def main() -> None:
    parser = argparse.ArgumentParser(description="Renders checked a second, beside Jinja.")
    parser.add_argument("--data-dir", required=True, type=Path)
    data_dir = parser.parse_args().data_dir.resolve()
    compared = run("lint:same_renders", data_dir=data_dir, first=200)["result"]
    jobs = {
        f"kit19: rendered and checked, first {FIRST:,} records": ("lint:kit19_way", FIRST),
        f"Jinja: rendered alone, first {FIRST:,} records": ("lint:jinja_way", FIRST),
        "kit19: rendered and checked, every record": ("lint:kit19_way", None),
    }
    told = {
        name: [run(job, data_dir=data_dir, first=first) for _ in range(RUNS)]
        for name, (job, first) in jobs.items()
    }
    renders = {name: runs[0]["result"]["renders"] for name, runs in told.items()}
    same, jinja, _ = renders.values()
    assert same == jinja, "both must render the same"
    assert not any(one["result"].get("findings") for runs in told.values() for one in runs)
    print(f"Equal texts: {compared:,} renders compared. Medians of {RUNS} runs.\n")
    print("| way | renders | seconds | renders a second | beside Jinja | peak MiB |")
    print("|---|--:|--:|--:|--:|--:|")
    rates = {
        name: renders[name] / statistics.median(one["seconds"] for one in runs)
        for name, runs in told.items()
    }
    floor = list(rates.values())[1]
    for name, runs in told.items():
        seconds = statistics.median(one["seconds"] for one in runs)
        peak = statistics.median(one["peak_mib"] for one in runs)
        print(
            f"| {name} | {renders[name]:,} | {seconds:.1f} | {rates[name]:,.0f} "
            f"| {rates[name] / floor:.1f}× | {peak:,.0f} |"
        )


if __name__ == "__main__":
    main()
