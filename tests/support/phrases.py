"""The composed part of the sample: reviews and benchmark items, from the phrases of ``phrases.yaml``.

A review of a film has reasons (an aspect with a word of praise or blame), a verdict, or both. An item
of SentiNeg is a review of a product and its negation. All choices are made by a hash of a counter, so
the same phrases give the same files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml

from kit19.sample import SAMPLE

FIRST_REVIEW = 20_000_001
"""The id of the first composed review; NSMC's own ids are lower."""
FIRST_ITEM = 65
"""The id of the first composed item of SentiNeg; those before it are written by hand."""
REVIEWS = 800
_NSMC = SAMPLE / "nsmc" / "ratings_train.txt"
_SENTINEG = SAMPLE / "kobest" / "v1.0" / "SentiNeg"
_ADD_SSANG_SIOT = 20  # the distance from a syllable without a final to the same one with ㅆ
_Option = TypeVar("_Option")


@dataclass(frozen=True)
class Item:
    """An item of SentiNeg.

    Attributes:
        phrases: The two phrases of the original.
        negated: The two phrases of its negation.
        tail: The punctuation after both.
        label: 1 if the original is positive; the negation has the other label.
        category: What negates: 1 a negation (안, 못, 않다), 2 another word, 3 both.
    """

    phrases: tuple[str, str]
    negated: tuple[str, str]
    tail: str
    label: int
    category: int

    @property
    def texts(self) -> tuple[str, str]:
        """The original and its negation."""
        return " ".join(self.phrases) + self.tail, " ".join(self.negated) + self.tail


@cache
def _phrases() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))
    return read


class _Choices:
    """Choices by hash: the n-th of a name is the same on every machine."""

    def __init__(self, name: str) -> None:
        self._name, self._count = name, 0

    def below(self, most: int) -> int:
        self._count += 1
        digest = hashlib.sha256(f"{self._name} {self._count}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % most

    def one(self, options: Sequence[_Option]) -> _Option:
        return options[self.below(len(options))]


def _forms(word: str) -> tuple[str, str, str]:
    """A word before a verdict, before another reason, and before 않다."""
    words = _phrases()["words"]
    before_verdict, before_reason, before_negation = (words["praise"] | words["blame"])[word]
    return before_verdict, before_reason, before_negation


def _predicate(choices: _Choices, aspect: str, label: int) -> tuple[str, str]:
    """What is good or bad about an aspect, before a verdict and before another reason.

    Of three, one is the negation of an opposite word.
    """
    praise, blame = _phrases()["films"]["aspects"][aspect]
    if choices.below(3):
        before_verdict, before_reason, _ = _forms(choices.one(praise if label else blame))
        return before_verdict, before_reason
    stem = _forms(choices.one(blame if label else praise))[2]
    return f"{stem} 않아서", f"{stem} 않고"


def _past(before_verdict: str) -> str:
    """The stem of the past: 선명해서 → 선명했, 않아서 → 않았."""
    stem = before_verdict.removesuffix("서")
    return stem[:-1] + chr(ord(stem[-1]) + _ADD_SSANG_SIOT)


def _review(choices: _Choices, label: int) -> str:
    films = _phrases()["films"]
    aspects = list(films["aspects"])
    first = choices.one(aspects)
    last = choices.one([one for one in aspects if one != first])
    before = f"{first} {_predicate(choices, first, label)[1]}"
    reason = f"{last} {_predicate(choices, last, label)[0]}"
    alone = _past(reason) + choices.one(films["endings"])
    feeling = "praise" if label else "blame"
    verdict = choices.one(films["verdicts"][feeling])
    texts = [
        f"{reason} {verdict}",
        f"{before} {reason} {verdict}",
        f"{before} {alone}",
        f"{alone}. {verdict}",
        alone,
        verdict,
    ]
    text = choices.one(texts)
    opening = "" if choices.below(3) else f"{choices.one(films['openings'])} "
    return f"{opening}{text}{choices.one(films['tails'])}"


def reviews() -> list[str]:
    """Lines of ``ratings_train.txt``: as many of each label, no text twice."""
    choices, labels = _Choices("film"), dict[str, int]()
    while len(labels) < REVIEWS:
        label = len(labels) % 2
        labels.setdefault(_review(choices, label), label)
    lines = enumerate(labels.items(), FIRST_REVIEW)
    return [f"{number}\t{text}\t{label}" for number, (text, label) in lines]


def items() -> list[Item]:
    """Items of SentiNeg: every aspect with each of its pairs of words, turned round in two ways."""
    return list(_items())


def _items() -> Iterator[Item]:
    choices = _Choices("product")
    products = _phrases()["products"]
    for kind, aspects in products["aspects"].items():
        for aspect, pairs in aspects.items():
            for pair in pairs:
                verdicts = [choices.one(products["verdicts"][kind]) for _ in range(2)]
                tails = [choices.one(products["tails"]) for _ in range(2)]
                yield _by_opposite(aspect, pair, verdicts[0], tails[0])
                yield _by_negation(aspect, pair, verdicts[1], tails[1])


def _by_opposite(aspect: str, pair: Sequence[str], verdict: Sequence[Any], tail: str) -> Item:
    """Blame, turned round by the word of praise."""
    praise, blame = (f"{aspect} {_forms(word)[0]}" for word in pair)
    good, bad, category = verdict
    return Item((blame, bad), (praise, good), tail, 0, 2 if category == 2 else 3)


def _by_negation(aspect: str, pair: Sequence[str], verdict: Sequence[Any], tail: str) -> Item:
    """Praise, turned round by 않다."""
    so, _, stem = _forms(pair[0])
    good, bad, category = verdict
    phrases, negated = (f"{aspect} {so}", good), (f"{aspect} {stem} 않아서", bad)
    return Item(phrases, negated, tail, 1, 1 if category == 1 else 3)


def composed_files() -> dict[Path, str]:
    """The files of the sample with composed rows, as they should be: the hand-written ones first."""
    train, test = [], []
    for number, item in enumerate(items(), FIRST_ITEM):
        text, negated = item.texts
        train.append(f"{number}\t{text}\t{item.label}")
        labels = f"{item.label}\t{text}\t{1 - item.label}\t{negated}"
        test.append(f"{number}\t{labels}\t{item.category}")
    return {
        _NSMC: _with_rows(_NSMC, reviews(), lambda number: number < FIRST_REVIEW),
        _SENTINEG / "train.tsv": _with_rows(_SENTINEG / "train.tsv", train, _is_by_hand),
        _SENTINEG / "test.tsv": _with_rows(_SENTINEG / "test.tsv", test, _is_by_hand),
    }


def _is_by_hand(number: int) -> bool:
    return number < FIRST_ITEM


def _with_rows(path: Path, rows: list[str], is_by_hand: Callable[[int], bool]) -> str:
    text = path.read_bytes().decode()
    line_end = "\r\n" if "\r\n" in text else "\n"
    head, *lines = text.removesuffix(line_end).split(line_end)
    by_hand = [line for line in lines if is_by_hand(int(line.split("\t")[0]))]
    last = line_end if text.endswith(line_end) else ""
    return line_end.join([head, *by_hand, *rows]) + last
