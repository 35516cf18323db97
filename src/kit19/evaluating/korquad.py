"""Exact match and F1 of KorQuAD 1.0, as its official script ``evaluate-v1.0.py`` defines them.

The script (LG CNS, on the project page of KorQuAD 1.0) follows SQuAD 1.1 with two changes: more marks
become blanks before anything is compared, and F1 counts characters instead of words, since a Korean
word carries its particle.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Mapping, Sequence

_BLANKS = str.maketrans(dict.fromkeys("'\"《》<>〈〉()‘’", " "))
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize_answer(text: str) -> str:
    """Normalize an answer: quotation marks and brackets become blanks, ASCII punctuation goes.

    Letters become lowercase, and runs of blanks one blank.
    """
    return " ".join(text.translate(_BLANKS).lower().translate(_NO_PUNCTUATION).split())


def exact_match(prediction: str, answer: str) -> float:
    """1 if both are equal after normalization, otherwise 0."""
    return float(normalize_answer(prediction) == normalize_answer(answer))


def character_f1(prediction: str, answer: str) -> float:
    """Harmonic mean of precision and recall over characters without blanks; 0 if none is shared."""
    found, wanted = (
        Counter(normalize_answer(text).replace(" ", "")) for text in (prediction, answer)
    )
    shared = (found & wanted).total()
    if not shared:
        return 0.0
    precision, recall = shared / found.total(), shared / wanted.total()
    return 2 * precision * recall / (precision + recall)


def score_answer(doc: Mapping[str, str], results: Sequence[str]) -> dict[str, float]:
    """The metrics of one item; called by the harness.

    Every question of the dev file has one answer, so there is no best of several.
    """
    prediction, answer = results[0], doc["answer"]
    return {
        "exact_match": exact_match(prediction, answer),
        "f1": character_f1(prediction, answer),
    }
