"""A build from parquet or nested JSON is the build from delimited text, row for row."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.support.shop import CARD, Shop, open_shop

DELIMITED = "read: {format: delimited, delimiter: tab, quoting: none}"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return open_shop(tmp_path / "shop")


def reviews(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return [{**row, "score": int(row["score"])} for row in rows]


def built_rows(shop: Shop) -> list[dict[str, Any]]:
    done = shop.build()
    assert done.code == 0, done.err
    return pl.read_parquet(shop.out / "data/train-*.parquet").sort("id").to_dicts()


def switch_to_json(shop: Shop, *more: dict[str, Any]) -> None:
    """Put the rows of both files deep into documents, under the café that they are about."""
    shop.edit(CARD, DELIMITED, 'read: {format: json, path: "cafes[].reviews[]"}')
    shop.edit(CARD, "cafe: cafe", "cafe: cafes[].name")
    for path in (shop.train, shop.test):
        rows = [*reviews(path), *(more if path == shop.train else ())]
        cafes = [{"name": row.pop("cafe"), "reviews": [row]} for row in rows]
        path.write_text(json.dumps({"cafes": cafes}), encoding="utf-8")


def test_parquet_gives_the_rows_of_the_text_file(shop: Shop, tmp_path: Path) -> None:
    expected = built_rows(open_shop(tmp_path / "as text"))
    shop.edit(CARD, DELIMITED, "read: {format: parquet}")
    for path in (shop.train, shop.test):
        pl.DataFrame(reviews(path)).write_parquet(path)
    assert built_rows(shop) == expected


def test_nested_json_gives_the_rows_of_the_text_file(shop: Shop, tmp_path: Path) -> None:
    expected = built_rows(open_shop(tmp_path / "as text"))
    switch_to_json(shop)
    assert built_rows(shop) == expected


def test_a_bad_row_of_nested_json_is_dropped_with_its_place(shop: Shop) -> None:
    shop.edit(CARD, "path: train.tsv, rows: 3", "path: train.tsv, rows: 4")
    switch_to_json(shop, {"cafe": "다락", "id": "4", "review": "좋아요.", "score": 5})
    assert len(built_rows(shop)) == 3
    [dropped] = pl.read_parquet(shop.out / "dropped.parquet").to_dicts()
    assert (dropped["id"], dropped["reason"]) == ("cafe_reviews/train/train:3", "malformed")
    assert dropped["evidence"] == ("cafe/train.tsv: cafes[3].reviews[0]: label: unknown value '5'")
