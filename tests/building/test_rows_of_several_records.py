"""Builds with batches: every record is in a row, and whatever reads a build knows all of them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from kit19 import build, explain, stats, verify
from tests.support.samples import rows_of


def further(rows: pl.DataFrame) -> set[str]:
    """The records of rows after the first of each."""
    return set("\n".join(rows["further_records"]).split("\n")) - {""}


@pytest.fixture(scope="module")
def batched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("batched") / "out"
    build(
        "sample",
        out,
        changes={"several_records": True, "subsets": ["nsmc", "apeach", "kobest_wic"]},
    )
    return out


def test_every_kept_record_is_in_a_row_of_its_own_part(batched: Path) -> None:
    manifest = verify(batched)
    train, validation = (rows_of(batched, part) for part in ("train", "validation"))
    for name, entry in manifest.subsets.items():
        asked = train.filter(subset=name)
        ids = {*asked["id"], *further(asked)}
        assert len(ids) == entry.ledger.train
    # Solved examples of validation rows are training records, never other validation records.
    held = set(validation["id"])
    shots = further(validation)
    assert not shots & set(train["id"]) & held
    assert manifest.subsets["nsmc"].ledger.examples < manifest.subsets["nsmc"].ledger.kept


def test_a_record_inside_a_batch_is_explained(batched: Path) -> None:
    rows = rows_of(batched, "train")
    batch = rows.filter(template="three_at_a_time").row(0, named=True)
    assert batch["label"] is None
    for record in (batch["id"], *batch["further_records"].split("\n")):
        found = explain(batched, record)
        assert found.status == "train"
        shown = [(row["id"], row["template"]) for row in found.rows]
        assert (batch["id"], "three_at_a_time") in shown


def test_statistics_count_records_and_rows(batched: Path) -> None:
    manifest = verify(batched)
    for one in stats(batched):
        ledger = manifest.subsets[one.subset].ledger
        assert (one.rows, one.records) == (ledger.examples, ledger.kept)


def test_without_the_recipe_value_every_row_asks_about_one_record(tmp_path: Path) -> None:
    build("sample", tmp_path / "out", changes={"subsets": ["nsmc"]})
    rows = rows_of(tmp_path / "out", "train")
    assert rows["id"].is_unique().all()
    assert not rows.filter(pl.col("further_records") != "").height
