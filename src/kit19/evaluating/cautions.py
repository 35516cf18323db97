"""What a reviewer would say of a score before believing it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from kit19.core.results import Caution, Sample, TaskEntry
from kit19.core.runs import RunRecord

NEAR_CONSTANT = 0.95
"""From this share of answers in one class on, a predictor is called nearly constant."""
_IN_BYTES = 0.2
_ONE_FORM = 0.9
_PROBED = 200
_HANGUL = re.compile(r"[가-힣]")


def cautions_of_answers(task: str, samples: Sequence[Sample]) -> list[Caution]:
    """A predictor that always says the same, and one that is no better than doing so."""
    if not samples or len({len(sample.choices) for sample in samples}) != 1:
        return []
    total = len(samples)
    (most, times), *_ = Counter(sample.prediction for sample in samples).most_common(1)
    golds = Counter(sample.gold for sample in samples)
    majority = max(golds.values())
    right = sum(sample.prediction == sample.gold for sample in samples)
    found = []
    if times == total:
        what = f"a constant predictor: choice {most} for all {total:,} items"
        found.append(Caution(code="constant", task=task, what=what))
    elif times >= NEAR_CONSTANT * total:
        what = f"nearly a constant predictor: choice {most} for {times:,} of {total:,} items"
        found.append(Caution(code="near_constant", task=task, what=what))
    if right <= majority:
        what = (
            f"{right:,} of {total:,} right, no more than always answering the commonest class "
            f"({majority:,})"
        )
        found.append(Caution(code="below_majority", task=task, what=what))
    return found


def cautions_of_task(task: str, entry: TaskEntry) -> list[Caution]:
    """Prompts that were cut, and examples from the scored split."""
    found = []
    if entry.truncated:
        what = (
            f"{entry.truncated:,} of {entry.scored:,} prompts are longer than the window; "
            f"{entry.tokens_cut:,} tokens were cut from their beginnings"
        )
        found.append(Caution(code="truncated", task=task, what=what))
    if entry.shots and entry.shots_from == entry.split:
        what = f"the {entry.shots} examples come from the scored split ({entry.split}) itself"
        found.append(Caution(code="shots_from_scored_split", task=task, what=what))
    return found


def cautions_of_fallbacks(fallbacks: Mapping[str, str]) -> list[Caution]:
    """Tasks that HFLM scored because kit19's own scorer could not, by name, with the reason."""
    return [
        Caution(code="scored_by_hflm", task=task, what=f"scored by HFLM: {reason}")
        for task, reason in sorted(fallbacks.items())
    ]


def cautions_of_tokenizer(tokenizer: Any, texts: Sequence[str]) -> list[Caution]:
    """Hangul in pieces of bytes, and text that the tokenizer has no token for.

    Args:
        tokenizer: Of transformers.
        texts: Prompts; the first few are looked at.
    """
    looked_at = [text for text in texts if _HANGUL.search(text)][:_PROBED]
    ids = [one for text in looked_at for one in tokenizer(text)["input_ids"]]
    if not ids:
        return []
    found = []
    broken = sum("\ufffd" in tokenizer.decode([one]) for one in ids)
    if broken > _IN_BYTES * len(ids):
        what = f"{broken / len(ids):.0%} of its tokens for Korean are pieces of characters (bytes)"
        found.append(Caution(code="byte_tokens", task="", what=what))
    unknown = tokenizer.unk_token_id
    # Byte-level tokenizers name their end token as the unknown one, and never need it.
    missing = ids.count(unknown) if unknown not in (None, tokenizer.eos_token_id) else 0
    if missing:
        what = f"{missing:,} of {len(ids):,} tokens of its prompts are unknown to it"
        found.append(Caution(code="unknown_tokens", task="", what=what))
    return found


def cautions_of_model(
    run: RunRecord | None, *, has_chat_template: bool, raw: bool, fallback: str
) -> list[Caution]:
    """How the model was asked, beside how it was trained, and on what."""
    found = []
    if raw and run is not None:
        what = f"trained with the prompt format {run.format.get('id', '?')!r}, asked without it"
        found.append(Caution(code="format_differs", task="", what=what))
    elif raw and has_chat_template:
        what = "a chat model asked without its chat template (--format chat)"
        found.append(Caution(code="chat_without_template", task="", what=what))
    if run is not None and run.data.label != "clean":
        what = f"its training data is {run.data.label}: {run.data.why}"
        found.append(Caution(code=f"{run.data.label}_training", task="", what=what))
    if fallback:
        found.append(Caution(code="scored_by_hflm", task="", what=f"scored by HFLM: {fallback}"))
    return found


def caution_of_system(prompts: int) -> Caution:
    """Descriptions of tasks that the chat template has no place for."""
    what = (
        f"the chat template takes no system turn: {prompts:,} prompts lack the task's description"
    )
    return Caution(code="system_left_out", task="", what=what)


def caution_of_figure(task: str, metric: str) -> Caution:
    """A figure that the harness summed up to NaN or infinity; results state it as null."""
    what = f"{metric} is no finite number, and is written as null"
    return Caution(code="not_finite", task=task, what=what)


def cautions_of_outputs(task: str, samples: Sequence[Mapping[str, Any]]) -> list[Caution]:
    """Generated answers that are all the same text."""
    texts = [str(sample["filtered_resps"][0]).strip() for sample in samples]
    if len(texts) < 10:
        return []
    (text, times), *_ = Counter(texts).most_common(1)
    if times < _ONE_FORM * len(texts):
        return []
    what = f"{times:,} of {len(texts):,} answers are the same: {text[:40]!r}"
    return [Caution(code="one_answer", task=task, what=what)]
