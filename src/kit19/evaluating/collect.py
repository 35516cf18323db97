"""What the harness returns, as the files of a results folder."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kit19.core.json_text import to_json
from kit19.core.results import NAME, SECTION, EvalRecord, Sample, sample_line, samples_path
from kit19.evaluating.task_files import scored_split

_KEPT = (
    "results",
    "groups",
    "group_subtasks",
    "versions",
    "n-shot",
    "higher_is_better",
    "n-samples",
)
# What tells of this machine, or is program text.
_MACHINE = ("data_dir", "data_files", "config_source", "sample", "custom_dataset")
_DIGITS = 6
PLAIN_FILTER = "none"
"""The harness's name for answers as they came from the model."""


def to_samples(task: Any, logged: Sequence[Mapping[str, Any]]) -> list[Sample]:
    """Scored items of a multiple-choice task with one right answer each, in file order.

    Args:
        task: The harness's task.
        logged: Its logged samples.

    Returns:
        Nothing where the task is of another kind, or an item has not exactly one right answer.
    """
    if task.OUTPUT_TYPE != "multiple_choice" or task.multiple_input or task.multiple_target:
        return []
    samples = []
    plain = [one for one in logged if one.get("filter", PLAIN_FILTER) == PLAIN_FILTER]
    for one in sorted(plain, key=lambda sample: int(sample["doc_id"])):
        choices = [str(choice) for choice in task.doc_to_choice(one["doc"])]
        values = [float(value) for value, *_ in one["filtered_resps"]][: len(choices)]
        gold = _gold(one["target"], choices)
        if gold is None:
            return []
        samples.append(
            Sample(
                doc_id=int(one["doc_id"]),
                item=str(one["doc"].get("item") or f"{scored_split(task)}/{one['doc_id']}"),
                prompt=str(one["arguments"][0][0]),
                choices=choices,
                loglikelihoods=[round(value, _DIGITS) for value in values],
                prediction=max(range(len(choices)), key=lambda place: values[place]),
                gold=gold,
            )
        )
    return samples


def _gold(target: Any, choices: Sequence[str]) -> int | None:
    """The right choice, by its place or its text; None where it is none of them."""
    if isinstance(target, str):
        return choices.index(target) if target in choices else None
    if isinstance(target, (int, np.integer)) and 0 <= target < len(choices):
        return int(target)
    return None


def not_finite(results: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(task or group, metric) of every figure that is NaN or infinite."""
    for name, stated in results["results"].items():
        for key, value in stated.items():
            if isinstance(value, float) and not math.isfinite(value):
                yield name, key


def document(results: Mapping[str, Any], record: EvalRecord) -> dict[str, Any]:
    """``results.json``: the harness's layout without clocks and paths, and kit19's section."""
    kept = {key: _plain(results[key], ()) for key in _KEPT if key in results}
    configs = {task: _plain(config) for task, config in results["configs"].items()}
    model = {"model": SECTION, "model_args": record.model.name, "limit": record.limit}
    more = {"batch_size": record.batch_size} if record.batch_size else {}
    asked = {"system_instruction": record.system} if record.system else {}
    return {
        **kept,
        "configs": configs,
        "config": model | more | {"fewshot_seed": record.seed},
        **asked,
        "lm_eval_version": record.versions["lm_eval"],
        "transformers_version": record.versions["transformers"],
        SECTION: record.model_dump(mode="json"),
    }


def write_results(
    folder: Path,
    results: Mapping[str, Any],
    samples: Mapping[str, Sequence[Sample]],
    record: EvalRecord,
) -> None:
    """Write the files of a results folder; ``results.json`` last."""
    for task, logged in results["samples"].items():
        path = samples_path(folder, task)
        with path.open("w", encoding="utf-8", newline="\n") as out:
            if samples[task]:
                out.writelines(map(sample_line, samples[task]))
            else:
                out.writelines(to_json(_plain(one)) + "\n" for one in logged)
    text = to_json(document(results, record), indent=1) + "\n"
    (folder / NAME).write_text(text, encoding="utf-8", newline="\n")


def _plain(value: Any, left_out: Sequence[str] = _MACHINE) -> Any:
    """A value of the harness's as JSON has it; functions by their names."""
    if isinstance(value, Mapping):
        kept = {str(key): one for key, one in value.items() if key not in left_out}
        return {key: _plain(one, left_out) for key, one in kept.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one, left_out) for one in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return _plain(value.tolist(), left_out)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return str(value)
