"""Rule ``near_duplicate``: templates of a subset with nearly the same wording."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from kit19.linting.view import View, Violation, literals, question
from kit19.rendering import ParsedTemplate

MAX_ALIKE = 0.5
"""Maximum share of common character trigrams. In kit19's own templates it is at most 0.38, for two that
list the same ten options; a template with one sentence changed has more than 0.6."""


def near_duplicate(view: View) -> Iterator[Violation]:
    """Two templates share most of their wording and can apply to the same record."""
    for one, other in itertools.combinations(view.templates.templates, 2):
        if _are_twins(one, other):
            continue
        share = alike(one, other)
        if share > MAX_ALIKE:
            yield Violation(other.id, f"{share:.0%} of its wording equals that of {one.id}")


def alike(one: ParsedTemplate, other: ParsedTemplate) -> float:
    """Return the Jaccard index of the character trigrams of two templates' literals."""
    left, right = _pieces(one), _pieces(other)
    return len(left & right) / len(left | right) if left | right else 1.0


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
