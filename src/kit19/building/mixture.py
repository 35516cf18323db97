"""Select the records of all subsets, and apply the caps that depend on the sizes of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kit19.building.assembly import count_train_rows
from kit19.building.candidates import Candidates
from kit19.building.selection import PlannedSubset, Selection
from kit19.building.shares import cap_tasks, weigh
from kit19.catalog import Recipe
from kit19.core.arguments import OnProgress
from kit19.curating import Workers
from kit19.reading import Records


def select_records(
    subsets: Mapping[str, PlannedSubset],
    plan: Recipe,
    workers: Workers,
    read: Callable[[PlannedSubset], Records],
    on_progress: OnProgress,
) -> dict[str, Selection]:
    """Select the records of every subset, in order.

    Args:
        subsets: The subsets.
        plan: The resolved recipe.
        workers: What examines records, and searches for the benchmark items to keep out.
        read: Reads the records of a subset. It is called once for each.
        on_progress: Called with each subset, and while many of its records are examined.
    """
    is_mixed = bool(plan.weights or plan.per_task_cap)
    # A smaller cap of an earlier subset frees texts for the later ones, and without a cap, `fill` may
    # count more rows than records were taken. Then records are selected again. Otherwise the first
    # selection is truncated, so the other records need not stay in memory.
    is_again = is_mixed and (plan.dedup == "across" or (plan.fill and plan.cap is None))
    selections: dict[str, Selection] = {}
    candidates: dict[str, Candidates] = {}
    for done, (name, subset) in enumerate(subsets.items()):
        on_progress(name, done, len(subsets) + 1)

        def examined(count: int, total: int, name: str = name, done: int = done) -> None:
            on_progress(f"{name}: {count:,} of {total:,} examined", done, len(subsets) + 1)

        of_subset = Candidates(subset, read(subset), plan, workers, examined)
        selections[name] = of_subset.select(plan.cap, (one.texts for one in selections.values()))
        if is_again:
            candidates[name] = of_subset
    if not is_mixed:
        return selections
    caps = _share_caps(selections, plan)
    if not is_again:
        return {name: selections[name].truncate(cap) for name, cap in caps.items()}
    capped: dict[str, Selection] = {}
    for name, cap in caps.items():
        capped[name] = candidates[name].select(cap, (one.texts for one in capped.values()))
    return capped


def _share_caps(selections: Mapping[str, Selection], plan: Recipe) -> dict[str, int]:
    """Compute the cap of each subset, in order, by ``per_task_cap`` and ``weights``."""
    counts = {name: one.train.height for name, one in selections.items()}
    if plan.fill:  # count rows, not records
        counts = {name: count_train_rows(one, plan) for name, one in selections.items()}
    if plan.per_task_cap:
        tasks = {name: one.subset.card.task for name, one in selections.items()}
        counts = cap_tasks(counts, tasks, plan.per_task_cap)
    if plan.weights:
        counts = weigh(counts, plan.weights)
    return counts
