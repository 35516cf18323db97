"""Lint: renders checked a second, next to Jinja, which renders the same templates and checks nothing.

``python -m benchmarks.lint --data-dir ../shared/data`` prints a table: medians of three runs, each in a
separate process. The times exclude reading the files and include compiling templates.

Both use the first records of each subset, because Jinja would need a quarter of an hour for all of
them. A separate row shows kit19 on every record.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.results import Recorder, add_arguments, results_folder
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
    from benchmarks.language import by_jinja
    from benchmarks.oracle import TEXTS
    from kit19.rendering.fit import eligible

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
    """Compare kit19's renders with Jinja's, text by text."""
    from benchmarks.language import by_jinja
    from benchmarks.oracle import TEXTS
    from kit19.rendering.fit import eligible
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
    """Prepare every subset with files, with its first records; without ``first``, all records."""
    from kit19.catalog import load_catalog
    from kit19.curating import find_empty
    from kit19.fetching import Leniency, select_files, subset_use
    from kit19.linting import View
    from kit19.reading import read_subset
    from kit19.rendering import load_templates

    catalog = load_catalog()
    prepared = []
    for name in catalog.owners:
        source, card = catalog.subset(name)
        use = subset_use(catalog, name, all_splits=True)
        files = select_files([use], Path(data_dir), Leniency(partial=True))[0].used
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
    parser = argparse.ArgumentParser(description="Renders checked a second, next to Jinja.")
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    add_arguments(parser)
    given = parser.parse_args()
    data_dir = given.data_dir.resolve()
    first, rounds = (400, 1) if given.quick else (FIRST, RUNS)
    recorder = Recorder("lint", ["polars", "jinja2"])
    compared = run("lint:same_renders", data_dir=data_dir, first=200)["result"]
    jinja = f"Jinja: rendered alone, first {first:,} records"
    jobs: dict[str, tuple[str, int | None]] = {
        f"kit19: rendered and checked, first {first:,} records": ("lint:kit19_way", first),
        jinja: ("lint:jinja_way", first),
    }
    if not given.quick:
        jobs["kit19: rendered and checked, every record"] = ("lint:kit19_way", None)
    runs = {
        name: [run(job, data_dir=data_dir, first=limit) for _ in range(rounds)]
        for name, (job, limit) in jobs.items()
    }
    renders = {name: done[0]["result"]["renders"] for name, done in runs.items()}
    same, by_jinja, *_ = renders.values()
    assert same == by_jinja, "both must render the same"
    assert not any(one["result"].get("findings") for done in runs.values() for one in done)
    rates = {
        name: renders[name] / statistics.median(one["seconds"] for one in done)
        for name, done in runs.items()
    }
    recorder.add(
        "Renders checked a second",
        ["way", "renders", "seconds", "renders a second", "× Jinja's", "peak MiB"],
        [
            [
                name,
                f"{renders[name]:,}",
                f"{statistics.median(one['seconds'] for one in done):.1f}",
                f"{rates[name]:,.0f}",
                f"{rates[name] / rates[jinja]:.1f}",
                f"{statistics.median(one['peak_mib'] for one in done):,.0f}",
            ]
            for name, done in runs.items()
        ],
        rounds=rounds,
        notes=[f"Equal texts: {compared:,} renders compared."],
    )
    recorder.write(results_folder(given))


if __name__ == "__main__":
    main()
