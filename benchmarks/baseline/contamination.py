"""Benchmark text, found with dicts and sets by kit19's rules."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from benchmarks.baseline.reading import read_table
from benchmarks.baseline.texts import GRAM, find_stems, split_words, to_trigrams
from kit19.catalog import Catalog

MIN_NEAR, COVERAGE, SCALE = 15, 0.5, 1000
STEM_COVERAGE, LEAST_STEMS, BY_KEYS = 0.7, 4, 0.3
MOST_PAIRS, COMMON_PAIR = 8, 10


class BenchmarkText:
    """Whether a text holds benchmark text: equal in bare form, or most of an item near together.

    The same rules as kit19's, prefix filtering included, on dicts and sets.
    """

    def __init__(self, cards: Catalog, data_dir: Path) -> None:
        known: dict[str, list[str]] = {}  # bare text → its words
        kept_out = cards.kept_out(cards.recipe("kit19")).names
        for card in (cards.benchmarks[one] for one in kept_out):
            source = cards.source(card.source)
            rows = list(read_table(source, source.tables[card.table], card.splits, data_dir))
            for name in card.texts:
                for row in rows:
                    words = split_words(row[name])
                    known.setdefault("".join(words), words)
        known.pop("", None)
        self.equal = set(known)
        long = [(text, words) for text, words in known.items() if len(text) >= MIN_NEAR]
        lengths = [len(text) for text, _ in long]
        self.trigrams = GramIndex([to_trigrams(text) for text, _ in long], lengths, COVERAGE, 1)
        stems = [[stem for _, stem in find_stems(words)] for _, words in long]
        self.stems = GramIndex([set(some) for some in stems], lengths, STEM_COVERAGE, LEAST_STEMS)
        pairs = [list(dict.fromkeys(pairwise(some))) for some in stems]
        in_items = Counter(pair for some in pairs for pair in some)
        rare = [[pair for pair in some if in_items[pair] <= COMMON_PAIR] for some in pairs]
        self.rarest = [set(sorted(some, key=in_items.__getitem__)[:MOST_PAIRS]) for some in rare]

    def __call__(self, text: str) -> bool:
        words = split_words(text)
        bare = "".join(words)
        if bare in self.equal:
            return True
        trigrams = ((at, bare[at : at + GRAM]) for at in range(len(bare) - GRAM + 1))
        if any(self.trigrams.found(trigrams)):
            return True
        stems = find_stems(words)
        there = set(pairwise(stem for _, stem in stems))
        return any(self._side_by_side(item, there) for item in self.stems.found(stems))

    def _side_by_side(self, item: int, there: set[tuple[str, str]]) -> bool:
        rarest = self.rarest[item]
        return len(rarest & there) >= max(1, math.ceil(len(rarest) / 4))


class GramIndex:
    """Items by their trigrams or stems."""

    def __init__(
        self, items: list[set[str]], lengths: list[int], coverage: float, least: int
    ) -> None:
        self.coverage, self.least = coverage, least
        in_items = Counter(gram for grams in items for gram in grams)
        # Length, total, gram → weight; nothing for an item of too few grams.
        self.items: list[tuple[int, int, dict[str, int]]] = []
        self.keys: dict[str, list[tuple[int, int]]] = defaultdict(list)  # gram → item, weight
        for grams, length in zip(items, lengths, strict=True):
            weights = {
                gram: max(1, round(SCALE * math.log((len(items) + 1) / (in_items[gram] + 1))))
                for gram in sorted(grams, key=lambda gram: (in_items[gram], gram))
                if len(grams) >= least
            }
            total, before = sum(weights.values()), 0
            for gram, weight in weights.items():
                if before < (1 - coverage + BY_KEYS) * total:
                    self.keys[gram].append((len(self.items), weight))
                before += weight
            self.items.append((length, total, weights))

    def found(self, grams: Iterable[tuple[int, str]]) -> Iterator[int]:
        """Return the numbers of the items of which enough grams are close together."""
        places: dict[str, list[int]] = defaultdict(list)
        for at, gram in grams:
            places[gram].append(at)
        held: dict[int, int] = defaultdict(int)
        for gram in places.keys() & self.keys.keys():
            for item, weight in self.keys[gram]:
                held[item] += weight
        return (
            item
            for item, weight in held.items()
            if weight >= (BY_KEYS - 1e-9) * self.items[item][1] and self._is_close(item, places)
        )

    def _is_close(self, item: int, places: dict[str, list[int]]) -> bool:
        length, total, weights = self.items[item]
        windows: dict[int, list[int]] = defaultdict(list)
        for gram in weights.keys() & places.keys():
            bins = {at // length for at in places[gram]}
            for window in bins | {place - 1 for place in bins if place}:
                windows[window].append(weights[gram])
        return any(
            len(some) >= self.least and sum(some) >= self.coverage * total
            for some in windows.values()
        )
