"""The documents show what the frozen results of the studies hold."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from studies.contamination.tables import tables
from studies.particle_judge.judge import KINDS, OTHER
from studies.today.__main__ import tables as tables_of_today

ROOT = Path(__file__).parents[2]
NAMES = {"kobest_copa": "COPA", "kobest_wic": "WiC", "klue_sts": "KLUE STS"}
STUDIES = {path.parent.name for path in (ROOT / "studies").glob("*/__init__.py")}


def results(study: str) -> Any:
    return json.loads((ROOT / "studies" / study / "results.json").read_text("utf-8"))


def document(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text("utf-8")


@pytest.mark.parametrize("study", sorted(STUDIES))
def test_a_study_has_frozen_results_and_starts_as_a_module(study: str) -> None:
    assert results(study)
    assert 'if __name__ == "__main__":' in (ROOT / "studies" / study / "__main__.py").read_text(
        "utf-8"
    )


def test_the_calibration_tables_are_those_of_its_results() -> None:
    found = results("contamination")
    shown = document("contamination")
    for table in tables(found):
        assert "\n".join(table) in shown.replace(" \n", "\n")
    said = f"{found['copies']:,} copies of {found['copied_texts']:,} texts"
    assert said in " ".join(shown.split())
    assert f"{found['texts']:,} distinct item texts" in " ".join(shown.split())


def test_the_tables_of_today_s_benchmarks_are_those_of_its_results() -> None:
    shown = document("contamination").replace(" \n", "\n")
    for table in tables_of_today(results("today")):
        assert "\n".join(table) in shown


def test_the_figures_of_the_judge_are_those_of_its_results() -> None:
    found = results("particle_judge")
    shown = document("korean")
    rows, words, texts = (found[part] for part in ("rows", "hard_words", "texts"))
    columns = ("places", "distinct", "same", "differs", "unread", "ours", "other")
    for name, counts in {**rows["subsets"], "**all**": {"records": "", **rows["all"]}}.items():
        cells = [f"{counts[column]:,}" for column in columns]
        records = f"{counts['records']:,}" if counts["records"] else ""
        assert f"| {name} | {records} | {' | '.join(cells)} |" in shown
    section = shown.split("**Hard words**")[1].split("\n| kind |")[0]
    numbers = set(re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?", section))
    counts = [*(words[key] for key in ("words", "undecidable", "choices", "readable", "same"))]
    counts += [*(texts[key] for key in ("lines", "places", "same", "planted", "noticed"))]
    assert {f"{count:,}" for count in counts} <= numbers
    assert f"{100 * texts['same'] / texts['places']:.2f}" in numbers
    assert f"{100 * texts['blanks_put_back'] / texts['blanks']:.1f}" in numbers
    kinds = {kind for part in (rows, words, texts) for one in part["disagreements"] for kind in one}
    assert OTHER not in kinds
    assert kinds == set(KINDS)
    assert f"kiwipiepy {found['versions']['kiwipiepy']}." in shown


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def points(share: float) -> str:
    return f"{100 * share:+.1f}" if share else "0"


def test_the_figures_of_the_leak_are_those_of_its_results() -> None:
    found = results("leak")
    shown = document("leak").replace(" (one answer)", "")
    for task, accuracy in found["accuracy"].items():
        cells = [percent(accuracy["base"])]
        for model in ("paper", "paper-clean"):
            seeds = [percent(share) for share in accuracy[model]]
            cells.append(", ".join(seeds) if len(set(seeds)) > 1 else seeds[0])
        assert f"| {NAMES[task]} | {' | '.join(cells)} |" in shown
    for task, one in found["effects"].items():
        counts = f"{one['compromised']:,} / {one['others']:,}"
        cells = [points(one[key]) for key in ("leaky_gap", "clean_gap", "effect")]
        for key in ("over_seeds", "over_items"):
            low, high = one[key]
            cells.append(f"{points(low)} to {points(high)}" if low or high else "0")
        assert f"| {NAMES[task]} | {counts} | {' | '.join(cells)} |" in shown
