"""A recipe of many rows of one's own: some with benchmark text, personal data, near duplicates."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from kit19.catalog import load_catalog
from kit19.reading import read_table
from kit19.sample import SAMPLE
from tests.support.reading import present_files

_WORDS = [
    "어제는",
    "날씨가",
    "맑아서",
    "공원에",
    "갔다",
    "좋았다",
    "친구와",
    "3.5점",
    "C++",
    "밥을",
]


def write_recipe(folder: Path, count: int, **values: Any) -> Path:
    """Write so many rows (JSON lines), and a recipe of them. The same rows each time.

    Args:
        folder: Where to write.
        count: How many rows.
        values: Of the recipe.
    """
    chance = random.Random(19)
    items = _items()
    rows: list[dict[str, str]] = []
    for number in range(count):
        text = " ".join(chance.choices(_WORDS, k=9))
        if rows and number % 7 == 0:
            text = chance.choice(rows)["instruction"].replace("갔다", "갔었다")
        elif number % 11 == 0:
            text = f"{text} {chance.choice(items)}"
        elif number % 13 == 0:
            text = f"{text} 제 번호는 010-1234-5678입니다"
        rows.append({"instruction": text, "output": chance.choice(["좋다", "싫다"])})
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "mine.jsonl").write_text(lines, encoding="utf-8")
    recipe = {
        "id": "mine",
        "title": "Mine",
        "data": "sample",
        "cap": None,
        "benchmarks": ["kobest_copa"],
        "extra": [{"name": "mine", "path": "mine.jsonl", "license": "CC0-1.0"}],
        **values,
    }
    path = folder / "mine.yaml"
    path.write_text(json.dumps(recipe, ensure_ascii=False), encoding="utf-8")
    return path


def _items() -> list[str]:
    catalog = load_catalog()
    card = catalog.benchmarks["kobest_copa"]
    source = catalog.source(card.source)
    rows = read_table(source, card.table, present_files(source, [card.table], card.splits, SAMPLE))
    return [text for text in rows["premise"] if len(text) > 14]
