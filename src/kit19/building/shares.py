"""Compute how many records each subset gives to a mixture: caps of tasks, and weights.

Both depend on the sizes of all subsets, so they make the rows of one subset depend on the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from kit19.building.quota import quotas


def cap_tasks(available: Mapping[str, int], tasks: Mapping[str, str], cap: int) -> dict[str, int]:
    """Share a cap among the subsets of each task, as equally as they allow (see ``quotas``).

    Args:
        available: Number of usable records of each subset.
        tasks: The task of each subset.
        cap: Maximum number of records of each task.

    Returns:
        Number of records to take of each subset, in the order of ``available``.
    """
    shared: dict[str, int] = {}
    for task in dict.fromkeys(tasks.values()):
        shared |= quotas({name: n for name, n in available.items() if tasks[name] == task}, cap)
    return {name: shared[name] for name in available}


def weigh(available: Mapping[str, int], weights: Mapping[str, float]) -> dict[str, int]:
    """Take from each subset in proportion to its weight, as many as the scarcest subset allows.

    Args:
        available: Number of usable records of each subset. Subsets without records are ignored.
        weights: Weights by subset, above 0; the default is 1.

    Returns:
        Number of records to take of each subset: proportional, rounded down, and all of the
        scarcest subset.
    """
    # Exact fractions: floats could round the scarcest subset down by one record.
    exact = {name: Fraction(str(weights.get(name, 1))) for name in available}
    sizes = [Fraction(n) / exact[name] for name, n in available.items() if n]
    if not sizes:
        return dict(available)
    return {name: min(n, int(exact[name] * min(sizes))) for name, n in available.items()}
