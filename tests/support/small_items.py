"""Small cards and frames for tests of curation."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from kit19.catalog import Benchmark, Subset
from kit19.curating import ItemSearch
from kit19.curating.contamination import build_index
from kit19.curating.evidence import search_with
from kit19.curating.grams import spaced


def subset(**values: object) -> Subset:
    plain = {
        "task": "sentiment_analysis",
        "tables": ["t"],
        "splits": ["train"],
        "require": ["text"],
        "identity": ["text"],
        "exposed": ["text"],
    }
    return Subset.model_validate(plain | values)


def items(*texts: str) -> ItemSearch:
    """Index the texts as a benchmark (see ``benchmark``)."""
    exam = benchmark(*texts)
    return search_with(build_index(exam), exam)


def benchmark(*texts: str, name: str = "exam") -> dict[str, tuple[Benchmark, pl.DataFrame]]:
    """Create a benchmark whose items are these texts, numbered from 0, in the split ``test``."""
    card = Benchmark.model_validate(
        {
            "id": name,
            "title": name,
            "source": "s",
            "table": "t",
            "splits": ["test"],
            "scored": "test",
            "items": max(1, len(texts)),
            "texts": ["text"],
            "label": "label",
            "metrics": ["acc"],
        }
    )
    numbers = list(range(len(texts)))
    rows = {
        "split": ["test"] * len(texts),
        "#id": [str(number) for number in numbers],
        "#row": numbers,
        "text": texts,
    }
    schema = {"split": pl.String, "#id": pl.String, "#row": pl.UInt32, "text": pl.String}
    return {name: (card, pl.DataFrame(rows, schema=schema))}


def records(texts: Sequence[str | None]) -> pl.DataFrame:
    ids = [f"s/train/{n}" for n in range(len(texts))]
    return pl.DataFrame({"id": ids, "text": texts}, schema={"id": pl.String, "text": pl.String})


def find_leaks(some: pl.DataFrame, fields: list[str], known: ItemSearch) -> pl.DataFrame:
    """Find records that contain benchmark text in one of the fields: columns id, evidence."""
    words = [spaced(some[name].fill_null("")) for name in fields]
    return known.find_contaminated(some.with_columns(words), fields)
