"""Ranks of models with intervals, and groups of models that cannot be distinguished."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Relation = NDArray[np.bool_]


def rank_intervals(better: Relation) -> list[tuple[int, int]]:
    """Simultaneous intervals of ranks, from tests of all pairs.

    A model's rank is at least one more than the number of models that are better than it for certain,
    and at most the number of models that it is not better than for certain (itself included). If the
    tests of all pairs together err with probability 5% at most (Holm's correction), all intervals
    together include the true ranks with probability 95% at least: Mogstad, Romano, Shaikh and Wilhelm
    (2024), Inference for ranks with applications to mobility across neighbourhoods and academic
    achievement across countries, Review of Economic Studies 91(1), section 3; Al Mohamad, Goeman and
    van Zwet (2022), Simultaneous confidence intervals for ranks with application to ranking
    institutions, Biometrics 78(1).

    Args:
        better: (models, models), True where the model of the row is better than that of the column for
            certain.

    Returns:
        (best rank, worst rank) of each model, from 1.
    """
    models = len(better)
    return [
        (1 + int(better[:, place].sum()), models - int(better[place].sum()))
        for place in range(models)
    ]


def indistinguishable(better: Relation, order: Sequence[int]) -> list[list[int]]:
    """The largest groups of models of which no two are distinguished.

    This is the compact letter display: models with a common group are not distinguished. By insertion
    and absorption (Piepho 2004, Journal of Computational and Graphical Statistics 13(2)).

    Args:
        better: See ``rank_intervals``.
        order: The models, the best first.

    Returns:
        Groups of models, that of the best model first; each in the given order.
    """
    groups = [frozenset(order)]
    for place, one in enumerate(order):
        for other in order[place + 1 :]:
            if not (better[one, other] or better[other, one]):
                continue
            split = []
            for group in groups:
                both = one in group and other in group
                split += [group - {one}, group - {other}] if both else [group]
            distinct = list(dict.fromkeys(split))
            groups = [group for group in distinct if not any(group < wider for wider in distinct)]
    placed = [[one for one in order if one in group] for group in groups]
    rank = {one: place for place, one in enumerate(order)}
    return sorted(placed, key=lambda group: [rank[one] for one in group])
