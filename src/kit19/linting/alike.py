"""Rule ``near_duplicate``: templates of a subset with nearly the same wording.

The same measure compares the templates of different subsets (``nearest_across``).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kit19.linting.view import View, Violation, literals, question
from kit19.rendering import ParsedTemplate, TemplateSet

MAX_ALIKE = 0.5
"""Maximum share of common character trigrams. In kit19's own templates it is at most 0.38, for two that
list the same ten options; a template with one sentence changed has more than 0.6. It is the maximum
for templates of different subsets, too."""


@dataclass(frozen=True, order=True)
class AlikePair:
    """Two templates as ``subset/id``, and the share of trigrams that they have in common."""

    share: float
    one: str
    other: str


def near_duplicate(view: View) -> Iterator[Violation]:
    """Two templates share most of their wording and can apply to the same record."""
    for one, other in itertools.combinations(view.templates.templates, 2):
        if _are_twins(one, other):
            continue
        share = alike(one, other)
        if share > MAX_ALIKE:
            yield Violation(other.id, f"{share:.0%} of its wording equals that of {one.id}")


def nearest_across(sets: Iterable[TemplateSet]) -> list[AlikePair]:
    """Return for every two subsets the two templates that are most alike, the nearest first."""
    pieces = [
        (found.subset, [(template.id, _pieces(template)) for template in found.templates])
        for found in sets
    ]
    return sorted(
        (
            max(
                AlikePair(_share(left, right), f"{subset}/{one}", f"{second}/{other}")
                for one, left in own
                for other, right in others
            )
            for (subset, own), (second, others) in itertools.combinations(pieces, 2)
        ),
        reverse=True,
    )


def alike(one: ParsedTemplate, other: ParsedTemplate) -> float:
    """Return the Jaccard index of the character trigrams of two templates' literals."""
    return _share(_pieces(one), _pieces(other))


def _share(left: set[str], right: set[str]) -> float:
    return len(left & right) / len(left | right)


def _pieces(template: ParsedTemplate) -> set[str]:
    # Each insertion becomes the same character, so that texts with few words still differ.
    text = "\ufffc".join("".join(filter(str.isalnum, text)) for text in literals(template))
    return {text[i : i + 3] for i in range(max(len(text) - 2, 1))}


def _are_twins(one: ParsedTemplate, other: ParsedTemplate) -> bool:
    """Whether two templates ask the same question under mutually exclusive conditions.

    A template and its own solved example share their question, too.
    """
    if one.id.partition(".")[0] == other.id.partition(".")[0]:
        return True
    shared = one.card.when.keys() & other.card.when.keys()
    apart = any(not set(one.card.when[f]) & set(other.card.when[f]) for f in shared)
    return apart and question(one) == question(other)
