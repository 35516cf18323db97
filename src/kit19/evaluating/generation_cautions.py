"""Cautions about generated answers, from the samples as the harness logs them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from kit19.core.results import Caution

FINISH = "finish_reason"
"""The key of a sample that says why each of its answers ended: ``stop`` or ``length``."""
_SAME_ANSWER_SHARE = 0.9
_FEW = 10
_INVALID = "[invalid]"
"""The harness's regex filter gives it if nothing matches."""

Samples = Sequence[Mapping[str, Any]]


def generation_cautions(task: str, samples: Samples) -> list[Caution]:
    """Answers that were cut, empty, not extracted, or nearly all the same.

    Args:
        task: The task.
        samples: Its logged samples: one for every item and filter.
    """
    filters = dict.fromkeys(sample["filter"] for sample in samples)
    parts = [[one for one in samples if one["filter"] == name] for name in filters]
    found = [*_answers(task, parts[0])]
    for name, part in zip(filters, parts, strict=True):
        missing = sum(_is_missing(sample) for sample in part)
        if missing:
            what = f"the filter {name!r} finds no answer in {missing:,} of {len(part):,} texts"
            found.append(Caution(code="not_extracted", task=task, what=what))
    return found


def _answers(task: str, samples: Samples) -> list[Caution]:
    total = len(samples)
    counts = {
        "cut": sum("length" in sample.get(FINISH, ()) for sample in samples),
        "empty": sum(not _text(sample).strip() for sample in samples),
    }
    texts = {
        "cut": "answers were cut at the task's limit of tokens",
        "empty": "answers are empty",
    }
    found = [
        Caution(code=code, task=task, what=f"{count:,} of {total:,} {texts[code]}")
        for code, count in counts.items()
        if count
    ]
    (text, times), *_ = Counter(
        str(sample["filtered_resps"][0]).strip() for sample in samples
    ).most_common(1)
    if total >= _FEW and times >= _SAME_ANSWER_SHARE * total:
        what = f"{times:,} of {total:,} answers are the same: {text[:40]!r}"
        found.append(Caution(code="one_answer", task=task, what=what))
    return found


def _text(sample: Mapping[str, Any]) -> str:
    return str(sample["resps"][0][0])


def _is_missing(sample: Mapping[str, Any]) -> bool:
    """Whether a filter finds nothing in an answer that is not empty."""
    kept = str(sample["filtered_resps"][0]).strip()
    return kept == _INVALID or (not kept and bool(_text(sample).strip()))
