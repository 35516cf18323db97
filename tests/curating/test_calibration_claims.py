"""Tests the figures of docs/contamination.md about the real files, where counting is quick."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import polars as pl
import pytest

from kit19.auditing import audit
from kit19.catalog import load_catalog
from kit19.curating import bare
from kit19.curating.contamination import COVERAGE, MIN_NEAR, STEM_COVERAGE
from studies.contamination.labeled_set import load_items, load_labeled_set
from studies.contamination.rules import RULES, SHIPPED
from studies.contamination.scoring import figures, score_rule
from tests.support.upstream import lines, unquoted

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "contamination.md").read_text("utf-8")
GROUP = 10


def table(*head: str) -> list[list[str]]:
    """Return the rows of the document's table whose header begins with these cells."""
    every = DOCUMENT.split("\n")
    start = next(n for n, line in enumerate(every) if line.startswith("| " + " | ".join(head)))
    rows = []
    for line in every[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip(" `*") for cell in line.strip("|").split("|")])
    return rows


def number(cell: str) -> int:
    return int(cell.replace(",", ""))


def plain(text: str) -> str:
    """Convert to bare form with the standard library."""
    composed = unicodedata.normalize("NFKC", text).lower()
    return "".join(one for one in composed if unicodedata.category(one)[0] in "LN")


class Leak:
    """KLUE STS dev, and the places of its sentences in ParaKQC."""

    def __init__(self, data: Path) -> None:
        (dev,) = (data / "klue").rglob("klue-sts-v1.1_dev.json")
        self.items = json.loads(dev.read_text("utf-8"))
        path = data / "parakqc" / "data" / "paraKQC_v1.txt"
        self.utterances = [line.split("\t")[2] for line in lines(path)]
        self.rows: dict[str, list[int]] = {}
        for row, text in enumerate(self.utterances):
            self.rows.setdefault(plain(text), []).append(row)

    def pairs(self, item: dict[str, str]) -> list[tuple[int, int]]:
        """Return the rows of the two sentences; none if one of them is missing."""
        first, second = (self.rows.get(plain(item[f"sentence{n}"]), []) for n in (1, 2))
        return [(one, two) for one in first for two in second]

    def leaked(self) -> list[list[tuple[int, int]]]:
        return [pairs for item in self.items if (pairs := self.pairs(item))]


@pytest.fixture(scope="module")
def leak(real_data: Path) -> Leak:
    return Leak(real_data)


def derived(one: int, two: int) -> bool:
    """Whether the pair rule of ParaKQC's authors pairs these two rows."""
    one, two = sorted((one, two))
    i, j = one // GROUP, two // GROUP
    return i == j or (one % GROUP, two % GROUP) == (j % GROUP, i % GROUP)


def test_a_quarter_of_klue_sts_is_in_parakqc_and_two_thirds_of_it_as_pairs(leak: Leak) -> None:
    leaked = leak.leaked()
    assert (len(leak.items), len(leaked)) == (519, 132)
    assert sum(any(derived(*pair) for pair in pairs) for pairs in leaked) == 88
    rows = {row for pairs in leaked for pair in pairs for row in pair}
    assert len({plain(leak.utterances[row]) for row in rows}) == 264
    assert len({row // GROUP for row in rows}) == 164
    assert "only 88 can be derived" in DOCUMENT
    assert "in 164 of the 1,000 groups" in DOCUMENT


def test_the_30_pairs_of_one_group_that_klue_calls_different_are_listed(leak: Leak) -> None:
    expected = []
    for item in leak.items:
        alike = [(a, b) for a, b in leak.pairs(item) if a // GROUP == b // GROUP]
        if alike and item["labels"]["binary-label"] == 0:
            guid = item["guid"].removeprefix("klue-sts-v1_dev_")
            expected.append([guid, *map(str, alike[0]), str(item["labels"]["label"])])
    assert len(expected) == 30
    assert table("guid") == expected


def test_thirteen_words_find_a_sentence_of_two_and_both_of_none(leak: Leak) -> None:
    def grams(text: str) -> set[tuple[str, ...]]:
        words = "".join(c for c in text.lower() if c.isalnum() or c.isspace()).split()
        return {tuple(words[at : at + 13]) for at in range(len(words) - 12)}

    there = set[tuple[str, ...]]().union(*map(grams, leak.utterances))
    found = [
        [bool(grams(item[f"sentence{n}"]) & there) for n in (1, 2)]
        for item in leak.items
        if leak.pairs(item)
    ]
    assert (sum(map(any, found)), sum(map(all, found))) == (2, 0)


def test_a_short_item_equals_42_reviews_and_is_in_584(real_data: Path) -> None:
    reviews = [plain(row["document"]) for row in unquoted(real_data / "nsmc" / "ratings_train.txt")]
    assert sum(one == "좋아요" for one in reviews) == 42
    assert sum("좋아요" in one for one in reviews) == 584
    assert "42 reviews equal it" in DOCUMENT
    assert "584 contain it" in DOCUMENT


def test_the_number_of_short_items_is_as_documented(real_data: Path) -> None:
    items = load_items(load_catalog(), real_data)
    short = items.filter(pl.col("length") < MIN_NEAR)
    said = f"{short.height:,} of the {items.height:,} distinct item texts are that short"
    assert said in DOCUMENT
    names = {"COPA": "kobest_copa", "WiC": "kobest_wic", "SentiNeg": "kobest_sentineg",
             "YNAT": "klue_ynat", "KLUE STS": "klue_sts"}  # fmt: skip
    flat = " ".join(DOCUMENT.split())
    for name, key in names.items():
        mine = short.filter(pl.col("benchmark") == key).height
        every = items.filter(pl.col("benchmark") == key).height
        assert f"{name} {mine:,} of {every:,}" in flat


@pytest.mark.parametrize("name", ["COPA", "WiC", "BoolQ", "HellaSwag", "SentiNeg"])
def test_the_benchmarks_own_overlap_is_what_the_audit_finds(real_data: Path, name: str) -> None:
    benchmark = f"kobest_{name.lower()}"
    path = real_data / "kobest" / "v1.0" / name / "train.tsv"
    told = audit(path, [benchmark], data_dir=real_data)
    by_rule = told.benchmarks[benchmark].by_rule
    said = {row[0]: row[2:] for row in table("benchmark", "items")}
    for split in ("dev", "test"):
        expected = [str(by_rule[split][rule]) for rule in ("equal", "contained", "near")]
        assert said[f"{name} {split}"][:3] == expected
    assert said[f"{name} test"][3] == f"{len(told.rows)} with dev"


def test_the_rules_use_what_the_calibration_chose() -> None:
    setting = r"^\| \*\*(kit19, near from \d+, stems [\d.]+)\*\* \| \*\*([\d.]+)\*\*"
    chosen = (f"kit19, near from {MIN_NEAR}, stems {STEM_COVERAGE:g}", f"{COVERAGE:g}")
    assert re.findall(setting, DOCUMENT, re.M) == [chosen]


def test_a_tenth_of_the_calibration_reaches_the_documented_recall(real_data: Path) -> None:
    labeled = load_labeled_set(real_data, quick=True)
    (rule,) = (one for one in RULES if one.name == SHIPPED)
    told = figures(score_rule(rule, labeled), COVERAGE, "report")
    assert told["recall"]["light"] >= 0.98
    assert told["recall"]["medium"] >= 0.90
    assert told["by_kind"]["every particle and ending"] >= 0.98
    assert told["false_per_100k"] <= 100
    assert told["klue_sts_in_parakqc"] == 132
    # Perturbations must change the text, or the recall is that of unchanged copies.
    changed = labeled.copies.join(labeled.items.select("item", original="bare"), on="item")
    same = changed.select("kind", same=bare(changed["text"]) == changed["original"])
    kept = dict(same.group_by("kind").agg(pl.col("same").mean()).iter_rows())
    rewritten = {"spaces removed", "spaces moved", "decomposed (NFD)", "full width", "zero width",
                 "punctuation"}  # fmt: skip
    # A sign such as ℃ is a letter in bare form, and is removed with the punctuation.
    assert {kind for kind, share in kept.items() if share > 0.98} == rewritten
    assert max(share for kind, share in kept.items() if kind not in rewritten) < 0.05


def test_what_a_build_removes_is_counted_by_benchmark_and_rule(
    real_build: Callable[[str], Path],
) -> None:
    dropped = pl.read_parquet(real_build("kit19") / "dropped.parquet")
    counted: dict[tuple[str, str], Counter[str]] = {}
    for row in dropped.filter(pl.col("reason") == "contaminated").iter_rows(named=True):
        rule, _, item = row["evidence"].partition(" ")
        benchmark, split, _ = item.split("/", 2)
        key = (row["id"].partition("/")[0], f"{benchmark}/{split}")
        counted.setdefault(key, Counter())[rule] += 1
    names = {"COPA": "kobest_copa", "BoolQ": "kobest_boolq", "WiC": "kobest_wic",
             "HellaSwag": "kobest_hellaswag", "SentiNeg": "kobest_sentineg",
             "KLUE STS": "klue_sts", "YNAT": "klue_ynat", "KLUE NLI": "klue_nli",
             "KLUE NER": "klue_ner", "KLUE DP": "klue_dp", "KorQuAD": "korquad", "CLIcK": "click",
             "KoBBQ": "kobbq", "KoMT-Bench": "komt_bench",
             "KoCommonGEN": "kocommongen_v2"}  # fmt: skip
    said = {}
    for subset, benchmark, *counts in table("subset", "benchmark"):
        name, _, split = benchmark.rpartition(" ")
        given = zip(("equal", "contained", "near"), map(number, counts), strict=True)
        said[subset, f"{names[name]}/{split}"] = Counter({r: n for r, n in given if n})
    assert said == counted


def test_the_picture_is_one_and_shows_every_rule() -> None:
    root = ET.parse(ROOT / "docs" / "images" / "contamination.svg").getroot()  # noqa: S314  ours
    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    ours = f"kit19, near from {MIN_NEAR}, stems {STEM_COVERAGE:g}"
    shown = (ours, "character 13-grams", "word 13-grams", "MinHash")
    assert all(name in texts for name in shown)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}polyline"))) == len(shown)
