"""Share a cap among classes."""

from __future__ import annotations

from collections.abc import Mapping


def quotas(available: Mapping[str, int], cap: int | None) -> dict[str, int]:
    """Share a cap among classes as equally as they allow.

    A class smaller than its share gives all of its records, and the others share the rest. A
    remainder goes to the first classes in alphabetical order. Without a cap, every class gives as
    many records as the smallest one.

    Args:
        available: Number of usable records of each class.
        cap: Total number of records to take; None for no cap.

    Returns:
        Number of records to take of each class, at most as many as it has.
    """
    if cap is None:
        least = min(available.values(), default=0)
        return dict.fromkeys(available, least)
    taken = dict.fromkeys(available, 0)
    remaining = cap
    open_classes = [name for name in sorted(available) if available[name]]
    while remaining and open_classes:
        share = remaining // len(open_classes)
        if not share:
            open_classes, share = open_classes[:remaining], 1
        for name in open_classes:
            more = min(share, available[name] - taken[name])
            taken[name] += more
            remaining -= more
        open_classes = [name for name in open_classes if taken[name] < available[name]]
    return taken
