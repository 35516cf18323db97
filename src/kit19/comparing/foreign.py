"""Graded items of other programs (Inspect, lighteval, HRET) as the results of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit19.catalog import Benchmark, benchmark_of_task
from kit19.comparing.graded_results import cluster_keys, graded_results
from kit19.comparing.harness_graded import GradedRows, grades_of, text_fields
from kit19.comparing.harness_schema import SkippedTaskError
from kit19.comparing.model_results import TaskResults

_TOLERANCE = 6e-4  # some round to three places
ACCURACY = "acc"
CORRECT = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
"""Inspect's grades: correct, partially correct, incorrect, no answer."""


@dataclass
class ForeignItem:
    """An item with its graded answers, one for each repeat.

    Attributes:
        key: Its id; empty if it has none.
        prompt: The question as it was asked.
        target: The right answer; the text of the choice, if there are choices.
        choices: The choices.
        fields: Its other fields.
        responses: The answers.
        grades: The grades by metric, one for each answer.
    """

    key: str
    prompt: str
    target: str = ""
    choices: list[str] = field(default_factory=list)
    fields: Mapping[str, Any] = field(default_factory=dict)
    responses: list[str] = field(default_factory=list)
    grades: dict[str, list[Any]] = field(default_factory=dict)


def foreign_results(
    name: str,
    items: Sequence[ForeignItem],
    stated: Mapping[str, float],
    benchmarks: Mapping[str, Benchmark],
    **settings: Any,
) -> TaskResults:
    """The results of a task.

    Args:
        name: The task.
        items: Its items.
        stated: The stated score of each metric; a metric without one is compared all the same.
        benchmarks: Cards, for clusters.
        settings: Other attributes of ``TaskResults``.

    Raises:
        SkippedTaskError: No metric has a number for each item.
    """
    found = GradedRows()
    for place, item in enumerate(items):
        found.rows.append(
            {
                "doc_id": place,
                "item": item.key,
                "prompt": item.prompt,
                "target": item.target,
                "responses": item.responses,
                "choices": item.choices,
            }
        )
        found.docs.append(item.fields)
        found.texts.append([item.prompt, *text_fields(item.fields)])
    for metric in dict.fromkeys(metric for item in items for metric in item.grades):
        try:
            grades = grades_of([item.grades.get(metric, []) for item in items])
        except ValueError as why:
            found.left_out[metric] = str(why)
            continue
        score = stated.get(metric)
        if score is None or abs(score - grades.mean()) <= _TOLERANCE * max(1.0, abs(score)):
            found.grades[metric] = grades
        else:
            why_not = f"is {score:.4f}, and not the mean of its items ({grades.mean():.4f})"
            found.left_out[metric] = why_not
    if not found.grades:
        reasons = "; ".join(f"{metric} {why}" for metric, why in found.left_out.items())
        raise SkippedTaskError(
            f"no metric has a number for each item ({reasons or 'none is stated'})"
        )
    card = benchmark_of_task(benchmarks, name)
    keys = cluster_keys(card, [(item.key, item.fields) for item in items])
    return graded_results(
        found, keys, {"reported": dict(stated), "version": "", "shots": None, **settings}
    )


def task_name(text: str) -> str:
    """A task's name as the harness writes it: ``KMMLU:Criminal-Law`` → ``kmmlu_criminal_law``."""
    return "".join(c if c.isalnum() else "_" for c in text.lower()).strip("_")


def choice_text(choices: Sequence[str], target: str) -> str:
    """The text of a choice that is named by a letter; other targets as they are."""
    place = ord(target) - ord("A") if len(target) == 1 else -1
    return choices[place] if 0 <= place < len(choices) else target


def file_stem(path: Path) -> str:
    """The name of a file without its suffix, for a model that has no name."""
    return path.name.partition(".")[0]
