"""Published figures, with what they give away by themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kit19.catalog import Catalog
from kit19.comparing.result import PublishedCell
from kit19.statistics import explain_published, wilson


def published_cells(catalog: Catalog, tasks: Sequence[str]) -> list[PublishedCell]:
    """Published scores of these tasks; all of them, if no task is given."""
    cells = []
    for table in catalog.published():
        for task, one in table.benchmarks.items():
            if tasks and task not in tasks:
                continue
            golds = np.array(one.golds, dtype=np.int64)
            for place, model in enumerate(table.models):
                scores = {str(name): figures[place] for name, figures in one.scores.items()}
                told = explain_published(scores, golds, table.digits)
                for name, percent in scores.items():
                    cells.append(
                        PublishedCell(
                            table=table.title,
                            task=task,
                            metric=name,
                            model=model,
                            percent=percent,
                            interval=_interval(name, percent, int(golds.sum())),
                            answers=told.kind if told else "",
                            share=told.share if told else None,
                        )
                    )
    return cells


def _interval(metric: str, percent: float, items: int) -> tuple[float, float] | None:
    """Wilson's, in percent; an F1 alone does not give one away."""
    if metric not in ("acc", "acc_norm"):
        return None
    low, high = wilson(round(percent * items / 100), items)
    return 100 * low, 100 * high
