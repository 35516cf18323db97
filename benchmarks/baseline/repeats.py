"""Near duplicates of the records already kept."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

from benchmarks.baseline.contamination import MIN_NEAR
from benchmarks.baseline.signs import find_signs
from benchmarks.baseline.texts import bare, letters_and_digits, to_trigrams
from benchmarks.language import Row

SIMILAR, TOGETHER = 0.8, 0.75


class NearDuplicates:
    """Near duplicates of what was kept: prefix filtering over sets, rarest trigrams first.

    Near records also agree in the signs of all fields, and in their answers.
    """

    def __init__(self, fields: list[str], answers: list[str], first: list[Row]) -> None:
        self.fields, self.answers = fields, answers
        # Any fixed order of grams finds the same pairs; a good one keeps the lists short.
        self.rarity = Counter(
            gram for row in first for gram in to_grams("\x1f".join(self.bare(row)))
        )
        self.kept: list[tuple[int, list[str], Row]] = []
        self.by_gram: dict[str, list[int]] = defaultdict(list)

    def bare(self, row: Row) -> list[str]:
        # A text without any letter or digit is near to its equals only.
        return [bare(row[name]) or row[name] or "" for name in self.fields]

    def agree(self, one: Row, other: Row) -> bool:
        names = dict.fromkeys([*self.fields, *self.answers])
        return all(find_signs(one[n] or "") == find_signs(other[n] or "") for n in names) and all(
            letters_and_digits(one[n]) == letters_and_digits(other[n]) for n in self.answers
        )

    def seen(self, row: Row) -> bool:
        """Whether a kept record is a near duplicate. If none is, the record is kept."""
        texts = self.bare(row)
        grams = to_grams("\x1f".join(texts))
        rarest = sorted(grams, key=lambda gram: (self.rarity[gram], gram))
        prefix = rarest[: len(grams) - math.ceil(TOGETHER * len(grams)) + 1]
        candidates = {place for gram in prefix for place in self.by_gram[gram]}
        for place in candidates:
            size, others, kept = self.kept[place]
            alike = min(size, len(grams)) >= TOGETHER * max(size, len(grams))
            if alike and all(map(is_similar, texts, others)) and self.agree(row, kept):
                return True
        for gram in prefix:
            self.by_gram[gram].append(len(self.kept))
        self.kept.append((len(grams), texts, row))
        return False


def to_grams(text: str) -> set[str]:
    """Trigrams; a text too short for one is found by itself."""
    return to_trigrams(text) or {text}


def is_similar(one: str, other: str) -> bool:
    if one == other:
        return True
    if min(len(one), len(other)) < MIN_NEAR:
        return False
    mine, theirs = to_trigrams(one), to_trigrams(other)
    return len(mine & theirs) >= SIMILAR * len(mine | theirs)
