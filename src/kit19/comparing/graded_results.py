"""Results of tasks whose answers were graded, and the clusters of their items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from kit19.catalog import Benchmark
from kit19.comparing.harness_graded import GradedRows
from kit19.comparing.model_results import GRADED_COLUMNS, GradedResults


def graded_results(
    found: GradedRows, clusters: Sequence[str | None], settings: dict[str, Any]
) -> GradedResults:
    """Results of graded items.

    Args:
        found: The items.
        clusters: The key of each item's cluster.
        settings: Other attributes of the results.
    """
    rows = [row | {"cluster": key} for row, key in zip(found.rows, clusters, strict=True)]
    return GradedResults(
        pl.DataFrame(
            {name: [row[name] for row in rows] for name in GRADED_COLUMNS}, schema=GRADED_COLUMNS
        ),
        **settings,
        texts=found.texts,
        grades=found.grades,
        left_out=found.left_out,
    )


def cluster_keys(
    card: Benchmark | None, items: Sequence[tuple[str, Mapping[str, Any]]]
) -> list[str | None]:
    """The key of each item's cluster (``Cluster.of``), from its id and its fields."""
    if card is None or card.cluster is None:
        return [None] * len(items)
    return [card.cluster.of(item, fields) for item, fields in items]
