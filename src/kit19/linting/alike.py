"""Rule ``near_duplicate``: templates of a subset that ask in nearly the same words."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from kit19.linting.view import Fault, View, literals, question
from kit19.rendering import ParsedTemplate

MAX_ALIKE = 0.5
"""Share of three-character pieces that two templates may have in common. The most of ours is 0.38,
of two that list the same ten options; a template with one sentence changed is above 0.6."""


def near_duplicate(view: View) -> Iterator[Fault]:
    """Two templates share most of their wording, and neither is the other's twin."""
    for one, other in itertools.combinations(view.templates.templates, 2):
        if _are_twins(one, other):
            continue
        share = alike(one, other)
        if share > MAX_ALIKE:
            yield Fault(other.id, f"its words are {share:.0%} those of {one.id}")


def alike(one: ParsedTemplate, other: ParsedTemplate) -> float:
    """The Jaccard index of the three-character pieces of two templates' literals."""
    left, right = _pieces(one), _pieces(other)
    return len(left & right) / len(left | right) if left | right else 1.0


def _pieces(template: ParsedTemplate) -> set[str]:
    # A mark for each insertion, whatever it inserts, so that texts with few words still differ.
    text = "\ufffc".join("".join(filter(str.isalnum, text)) for text in literals(template))
    return {text[i : i + 3] for i in range(max(len(text) - 2, 1))}


def _are_twins(one: ParsedTemplate, other: ParsedTemplate) -> bool:
    """The same question under conditions that never hold together."""
    shared = one.card.when.keys() & other.card.when.keys()
    apart = any(not set(one.card.when[f]) & set(other.card.when[f]) for f in shared)
    return apart and question(one) == question(other)
