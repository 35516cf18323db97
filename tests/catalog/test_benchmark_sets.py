"""Tests of sets of benchmarks, and of how recipes choose what to keep out."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit19.catalog import load_catalog
from kit19.catalog.benchmark_sets import choose_benchmarks, load_sets
from kit19.core.errors import CatalogError, UnknownNameError
from tests.support.exams import small_catalog

OURS = load_catalog()
SEVEN = [
    "klue_sts",
    "klue_ynat",
    "kobest_boolq",
    "kobest_copa",
    "kobest_hellaswag",
    "kobest_sentineg",
    "kobest_wic",
]


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmark_sets.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("recipe", ["kit19", "sample", "full", "commercial"])
def test_a_recipe_keeps_every_benchmark_out(recipe: str) -> None:
    kept = OURS.kept_out(OURS.recipe(recipe))
    assert sorted(kept.names) == sorted(OURS.benchmarks)
    assert kept == OURS.choose_benchmarks(["today"])
    # The complete files of sixteen are at hand; nobody here has seen those of the others.
    assert len(set(kept.names) - kept.if_present) == 16


def test_the_clean_twin_keeps_out_what_the_study_of_the_leak_measures() -> None:
    kept = OURS.kept_out(OURS.recipe("paper-clean"))
    assert (sorted(kept.names), kept.if_present) == (SEVEN, frozenset())


def test_a_recipe_may_name_benchmarks_and_sets() -> None:
    chosen = ["paper", "kobest_wic", "kobest_copa"]
    kept = OURS.kept_out(OURS.recipe("kit19", {"benchmarks": chosen}))
    assert sorted(kept.names) == SEVEN
    assert OURS.kept_out(OURS.recipe("kit19", {"benchmarks": []})).names == []


def test_a_name_that_is_neither_is_refused_with_its_place() -> None:
    with pytest.raises(
        UnknownNameError, match=r"--set benchmarks: .*'kobes'\n +did you mean kobest"
    ):
        OURS.recipe("kit19", {"benchmarks": ["klue", "kobes"]})


def test_the_benchmarks_of_a_user_s_catalog_are_kept_out_too(tmp_path: Path) -> None:
    own = small_catalog(tmp_path / "cards")
    cards = load_catalog(own)
    kept = cards.kept_out(cards.recipe("kit19"))
    assert sorted(kept.names) == sorted([*OURS.benchmarks, "exam_pairs", "exam_sides"])
    alone = load_catalog(own, only=True)
    (own / "recipes" / "mine.yaml").write_text("{id: mine, title: t, subsets: [a]}", "utf-8")
    assert sorted(alone.choose_benchmarks(["exam_sides"]).names) == ["exam_sides"]


def test_one_that_is_needed_anywhere_may_not_lack_files(tmp_path: Path) -> None:
    text = """
    loose: {about: l, benchmarks: [a], if_present: [b, c]}
    both: {about: b, benchmarks: [loose, b]}
    spare: {about: s, if_present: [loose]}
    """
    sets = load_sets([write(tmp_path, text)], ["a", "b", "c"])
    assert choose_benchmarks(["both"], sets, ["a", "b", "c"]).if_present == {"c"}
    assert choose_benchmarks(["spare"], sets, ["a", "b", "c"]).if_present == {"a", "b", "c"}
    assert choose_benchmarks(["spare", "c"], sets, ["a", "b", "c"]).if_present == {"a", "b"}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("one: {about: o, benchmarks: [tow]}", "there is no benchmark or set 'tow'"),
        (
            "one: {about: o, benchmarks: [two]}\ntwo: {about: t, benchmarks: [one]}",
            "contains itself",
        ),
        ("a: {about: o, benchmarks: [a]}", "a benchmark has this name"),
        ("one: {about: '', benchmarks: [a]}", "about"),
        ("one: [a]", "one"),
    ],
)
def test_a_mistake_in_a_set_is_an_error_of_the_catalog(
    tmp_path: Path, text: str, what: str
) -> None:
    with pytest.raises(CatalogError, match=what):
        load_sets([write(tmp_path, text)], ["a"])


def test_a_set_of_the_user_s_replaces_one_of_kit19_s(tmp_path: Path) -> None:
    own = write(small_catalog(tmp_path / "cards"), "default: {about: d, benchmarks: [klue_sts]}")
    cards = load_catalog(own)
    assert sorted(cards.kept_out(cards.recipe("kit19")).names) == [
        "exam_pairs",
        "exam_sides",
        "klue_sts",
    ]
    assert "benchmark_sets/default" in cards.layers.replaced_cards()
