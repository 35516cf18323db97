"""Tests that planted benchmark rows in the sample's training files are found, dropped and explained.

The planted rows are computed here from the files, by plain comparison.
"""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from kit19.catalog import load_catalog
from kit19.sample import SAMPLE
from tests.support.samples import dropped_of, rows_of, sample_of

KOBEST = SAMPLE / "kobest" / "v1.0"


def lines_of(path: Path) -> list[dict[str, str]]:
    head, *lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    names = head.split("\t")
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines]


def bare(text: str) -> str:
    return "".join(one for one in text if one.isalnum()).lower()


def leaked(task: str, *columns: str) -> dict[str, set[str]]:
    """Map keys of train rows with a text of dev or test rows to those rows, as split/key."""
    held: dict[str, set[str]] = {}
    for split in ("dev", "test"):
        for row in lines_of(KOBEST / task / f"{split}.tsv"):
            for column in columns:
                held.setdefault(bare(row[column]), set()).add(f"{split}/{row['ID']}")
    return {
        row["ID"]: set().union(*(held.get(bare(row[column]), set()) for column in columns))
        for row in lines_of(KOBEST / task / "train.tsv")
        if any(bare(row[column]) in held for column in columns)
    }


@pytest.mark.parametrize(
    ("task", "columns"),
    [("COPA", ["sentence"]), ("BoolQ", ["Text"]), ("WiC", ["SENTENCE1", "SENTENCE2"])],
)
def test_a_planted_benchmark_text_is_removed(
    task: str, columns: list[str], sample_build: Path
) -> None:
    subset = f"kobest_{task.lower()}"
    planted = leaked(task, *columns)
    assert planted
    shown = set(rows_of(sample_build).filter(subset=subset)["id"])
    dropped = {name: rest for name, *rest in dropped_of(sample_build).iter_rows()}
    for key in planted:
        name = f"{subset}/train/{key}"
        assert name not in shown
        reason, evidence = dropped[name]
        assert reason == "contaminated"
        assert evidence.startswith(f"equal {subset}/")
        assert "/".join(evidence.split("/")[1:]) in planted[key]
    # Whatever else was dropped as contaminated is held by a longer rule, not by equality.
    others = dropped_of(sample_build).filter(
        pl.col("id").str.starts_with(f"{subset}/") & (pl.col("reason") == "contaminated")
    )
    equal = others.filter(pl.col("evidence").str.starts_with("equal "))
    assert len(equal) == len(planted)


def test_every_pair_of_a_leaked_paraphrase_group_is_removed(sample_build: Path) -> None:
    document = SAMPLE / "klue/klue_benchmark/klue-sts-v1.1/klue-sts-v1.1_dev.json"
    items = json.loads(document.read_text(encoding="utf-8"))
    sentences = {bare(item[name]) for item in items for name in ("sentence1", "sentence2")}
    file = (SAMPLE / "parakqc/data/paraKQC_v1.txt").read_text(encoding="utf-8")
    utterances = [line.split("\t")[-1] for line in file.removesuffix("\n").split("\n")]
    leaked_groups = {n // 10 for n, text in enumerate(utterances) if bare(text) in sentences}
    assert leaked_groups
    assert len(leaked_groups) < len(utterances) // 20

    def touches(name: str) -> bool:
        return any(int(number) // 10 in leaked_groups for number in name.split("/")[2].split("-"))

    rows = rows_of(sample_build).filter(subset="parakqc")
    assert rows.height > 100
    assert [name for name in rows["id"] if touches(name)] == []
    dropped = dropped_of(sample_build).filter(pl.col("id").str.starts_with("parakqc/"))
    told = dropped.filter(reason="contaminated")
    assert told.height > 10
    assert [name for name in told["id"] if not touches(name)] == []
    assert all("klue_sts/dev/" in evidence for evidence in told["evidence"])


def test_without_decontamination_they_stay_and_the_build_says_so(tmp_path: Path) -> None:
    manifest = sample_of(tmp_path / "out", "kobest_copa", decontaminate=False, cap=None)
    rows = rows_of(tmp_path / "out")
    assert {f"kobest_copa/train/{key}" for key in leaked("COPA", "sentence")} <= set(rows["id"])
    assert manifest.decontaminated_against == []
    catalog = load_catalog()
    kept_out = catalog.kept_out(catalog.recipe("sample")).names
    assert manifest.not_decontaminated_against == sorted(kept_out)
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "**Not decontaminated against " in card


def test_a_leak_costs_a_row_only_where_records_are_scarce(tmp_path: Path) -> None:
    manifest = sample_of(tmp_path / "out", "kobest_copa", cap=20, validation=0)
    ledger = manifest.subsets["kobest_copa"].ledger
    assert ledger.train == 20
