"""The page of benchmark figures is what the results files hold, and they hold no host and no path."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.page import TITLES, make_page
from benchmarks.results import (
    RESULTS,
    Recorder,
    Results,
    Section,
    at_least,
    at_most,
    read_results,
    write_results,
)
from tests.support.golden import Golden

FILES = sorted(RESULTS.glob("*.json"))


def test_the_page_of_figures_is_fresh(golden: Golden) -> None:
    golden.check(RESULTS / "README.md", make_page(RESULTS))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_results_file_is_named_by_its_benchmark_and_date(path: Path) -> None:
    results = read_results(path)
    assert path.stem == f"{results.benchmark}-{results.date}"
    assert results.benchmark in TITLES
    assert set(results.machine) <= {"system", "cores", "memory_gib"}
    assert not re.search(r"(?<![\w.])/(?:home|root|tmp|work|Users)/", path.read_text("utf-8"))
    for section in results.sections:
        assert all(len(row) == len(section.columns) for row in section.rows), section.title


def run(date: str, **sections: str) -> Results:
    tables = [Section(title, 1, "busy", ["a"], [[cell]]) for title, cell in sections.items()]
    return Results("build", date, {"cores": 2}, {}, tables)


def test_the_page_shows_each_table_from_the_newest_file_that_holds_it(tmp_path: Path) -> None:
    write_results(run("2026-01-02", first="new"), tmp_path)
    write_results(run("2026-01-01", first="old", second="kept"), tmp_path)
    page = make_page(tmp_path)
    assert "| new |" in page
    assert "| kept |" in page
    assert "| old |" not in page
    assert "2026-01-02; **busy machine**; 1 round; 2 cores; versions not recorded." in page


def test_a_recorded_run_is_written_as_it_was_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = Recorder("lint", ["polars", "a-package-that-is-not-there"])
    targets = [at_least("speed", 1.9, 2), at_most("memory", 1000, 1024)]
    recorder.add("Title", ["way", "s"], [["kit19", "1"]], rounds=1, notes=["A."], targets=targets)
    recorder.write(tmp_path)
    printed = capsys.readouterr().out
    (path,) = tmp_path.glob("*.json")
    results = read_results(path)
    assert set(results.versions) == {"python", "kit19", "polars"}
    assert results.sections[0].state in {"quiet", "busy", "unknown"}
    assert [target.met for target in results.sections[0].targets] == [False, True]
    assert "- speed: 1.90 (target: ≥ 2; **missed**)" in printed
    assert "- memory: 1,000 (target: ≤ 1024; met)" in printed
    assert json.loads(path.read_text("utf-8"))["sections"][0]["rows"] == [["kit19", "1"]]
