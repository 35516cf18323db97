"""How many records of each subset make up a mixture: caps of tasks, and weights.

Both look at what every subset has, so they make the rows of one depend on the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from kit19.building.quota import quotas


def cap_tasks(available: Mapping[str, int], tasks: Mapping[str, str], cap: int) -> dict[str, int]:
    """Share a cap among the subsets of each task, as equally as they allow (see ``quotas``).

    Args:
        available: Usable records of each subset.
        tasks: The task of each.
        cap: Records wanted of each task at most.

    Returns:
        Records to take of each subset, in the order of ``available``.
    """
    shared: dict[str, int] = {}
    for task in dict.fromkeys(tasks.values()):
        shared |= quotas({name: n for name, n in available.items() if tasks[name] == task}, cap)
    return {name: shared[name] for name in available}


def weigh(available: Mapping[str, int], weights: Mapping[str, float]) -> dict[str, int]:
    """Take from each subset in proportion to its weight, as much as the scarcest allows.

    Args:
        available: Usable records of each subset; one without any counts for nothing.
        weights: Weights by subset, above 0; 1 where none is given.

    Returns:
        Records to take of each subset: proportional, rounded down, and all of the scarcest.
    """
    # Exact fractions: a float would round the scarcest down to one record less than it has.
    exact = {name: Fraction(str(weights.get(name, 1))) for name in available}
    sizes = [Fraction(n) / exact[name] for name, n in available.items() if n]
    if not sizes:
        return dict(available)
    return {name: min(n, int(exact[name] * min(sizes))) for name, n in available.items()}
