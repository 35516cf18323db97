"""How many records of each class make up a cap."""

from __future__ import annotations

from collections.abc import Mapping


def quotas(available: Mapping[str, int], cap: int | None) -> dict[str, int]:
    """Share a cap among classes as equally as they allow.

    A class smaller than its share gives all it has, and the others share what it leaves. What
    cannot be shared evenly goes to the first classes in alphabetical order. Without a cap every
    class gives as many as the smallest one.

    Args:
        available: Usable records of each class.
        cap: Records wanted in all, or None.

    Returns:
        Records to take of each class; never more than it has.
    """
    if cap is None:
        least = min(available.values(), default=0)
        return dict.fromkeys(available, least)
    taken = dict.fromkeys(available, 0)
    left = cap
    open_classes = [name for name in sorted(available) if available[name]]
    while left and open_classes:
        share = left // len(open_classes)
        if not share:
            open_classes, share = open_classes[:left], 1
        for name in open_classes:
            more = min(share, available[name] - taken[name])
            taken[name] += more
            left -= more
        open_classes = [name for name in open_classes if taken[name] < available[name]]
    return taken
