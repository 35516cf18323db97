"""Cautions about scores: the objections that a reviewer would raise."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from kit19.catalog import load_catalog
from kit19.core.results import Caution, Sample, TaskEntry
from kit19.core.runs import RunRecord

NEAR_CONSTANT = 0.95
"""A predictor with at least this share of answers in one class is nearly constant."""
_MAX_BYTE_SHARE = 0.2
_MAX_TEXTS = 200
_HANGUL = re.compile(r"[가-힣]")


def answer_cautions(task: str, samples: Sequence[Sample]) -> list[Caution]:
    """Predictors that are constant, nearly constant, or no better than the majority class."""
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
            f"{right:,} of {total:,} right, no more than always answering the majority class "
            f"({majority:,})"
        )
        found.append(Caution(code="below_majority", task=task, what=what))
    return found


def task_cautions(task: str, entry: TaskEntry) -> list[Caution]:
    """Truncated prompts, and examples from the scored split."""
    found = []
    if entry.truncated:
        what = (
            f"{entry.truncated:,} of {entry.scored:,} prompts are longer than the window; "
            f"{entry.tokens_cut:,} tokens were cut at their beginnings"
        )
        found.append(Caution(code="truncated", task=task, what=what))
    if entry.shots and entry.shots_from == entry.split:
        what = f"the {entry.shots} examples come from the scored split ({entry.split})"
        found.append(Caution(code="shots_from_scored_split", task=task, what=what))
    return found


def fallback_cautions(fallbacks: Mapping[str, str]) -> list[Caution]:
    """Tasks that HFLM scored because the fast path could not, with the reason."""
    return [
        Caution(code="scored_by_hflm", task=task, what=f"scored by HFLM: {reason}")
        for task, reason in sorted(fallbacks.items())
    ]


def tokenizer_cautions(tokenizer: Any, texts: Sequence[str]) -> list[Caution]:
    """Hangul encoded as bytes, and text without a token.

    Args:
        tokenizer: A transformers tokenizer.
        texts: Prompts; the first few are checked.
    """
    probes = [text for text in texts if _HANGUL.search(text)][:_MAX_TEXTS]
    ids = [one for text in probes for one in tokenizer(text)["input_ids"]]
    if not ids:
        return []
    found = []
    broken = sum("\ufffd" in tokenizer.decode([one]) for one in ids)
    if broken > _MAX_BYTE_SHARE * len(ids):
        share = f"{broken / len(ids):.0%}"
        what = f"{share} of the tokenizer's tokens for Korean are parts of characters (bytes)"
        found.append(Caution(code="byte_tokens", task="", what=what))
    unknown = tokenizer.unk_token_id
    # Byte-level tokenizers name their end token as the unknown token, and never use it.
    missing = ids.count(unknown) if unknown not in (None, tokenizer.eos_token_id) else 0
    if missing:
        what = f"{missing:,} of {len(ids):,} tokens of the prompts are unknown to the tokenizer"
        found.append(Caution(code="unknown_tokens", task="", what=what))
    return found


def model_cautions(
    run: RunRecord | None, *, has_chat_template: bool, raw: bool, fallback: str
) -> list[Caution]:
    """Prompts that differ from training, and training data that is not clean."""
    found = []
    if raw and run is not None:
        what = f"trained with the prompt format {run.format.get('id', '?')!r}, evaluated without it"
        found.append(Caution(code="format_differs", task="", what=what))
    elif raw and has_chat_template:
        what = "a chat model evaluated without its chat template (--format chat)"
        found.append(Caution(code="chat_without_template", task="", what=what))
    if run is not None and run.data.caution:
        code = f"{run.data.label}_training"
        found.append(Caution(code=code, task="", what=run.data.caution))
    if fallback:
        found.append(Caution(code="scored_by_hflm", task="", what=f"scored by HFLM: {fallback}"))
    return found


def hidden_options_cautions(
    tasks: Mapping[str, Any], logged: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[Caution]:
    """Items with an option that the prompt does not show, by the column that the card names.

    Args:
        tasks: The harness's tasks by name.
        logged: Its logged samples by task.
    """
    found = []
    for name, entries in logged.items():
        card = load_catalog().benchmark_of_task(name)
        column = card.harness.options if card and card.harness else ""
        docs = {int(entry["doc_id"]): entry["doc"] for entry in entries}
        hidden = right = 0
        for doc in docs.values() if column else ():
            # A mark in place of each option: its text may be in the question as well.
            marks = {f"⟦{place}⟧": option for place, option in enumerate(doc[column])}
            answer = next((mark for mark, option in marks.items() if option == doc["answer"]), "")
            prompt = str(tasks[name].doc_to_text({**doc, column: list(marks), "answer": answer}))
            hidden += any(mark not in prompt for mark in marks)
            right += answer not in prompt
        if hidden:
            what = (
                f"the prompt of {hidden:,} of {len(docs):,} items does not show all options; of "
                f"{right:,} it does not show the right one"
            )
            found.append(Caution(code="options_not_shown", task=name, what=what))
    return found


def system_turn_caution(prompts: int) -> Caution:
    """Task descriptions that the chat template drops."""
    what = f"the chat template has no system turn: {prompts:,} prompts lack the task's description"
    return Caution(code="system_left_out", task="", what=what)


def non_finite_caution(task: str, metric: str) -> Caution:
    """A figure that is NaN or infinite; results state it as null."""
    what = f"{metric} is not a finite number, so it is written as null"
    return Caution(code="not_finite", task=task, what=what)
