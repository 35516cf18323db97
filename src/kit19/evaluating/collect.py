"""The harness's results as the files of a results folder."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kit19.catalog import load_catalog
from kit19.core.json_text import to_json
from kit19.core.results import NAME, SECTION, EvalRecord, Sample, sample_line, samples_path
from kit19.evaluating.splits import scored_split

_KEPT_KEYS = (
    "results",
    "groups",
    "group_subtasks",
    "versions",
    "n-shot",
    "higher_is_better",
    "n-samples",
)
# Keys with local paths or program text.
_LOCAL_KEYS = ("data_dir", "data_files", "config_source", "sample", "custom_dataset")
_DIGITS = 6
NO_FILTER = "none"
"""The harness's name for unfiltered answers."""


def to_samples(task: Any, logged: Sequence[Mapping[str, Any]]) -> list[Sample]:
    """Scored items of a multiple-choice task with one right answer each, in file order.

    Args:
        task: The harness's task.
        logged: Its logged samples.

    Returns:
        An empty list for other kinds of tasks, or if an item does not have exactly one right answer.
    """
    if task.OUTPUT_TYPE != "multiple_choice" or task.multiple_input or task.multiple_target:
        return []
    samples = []
    card = load_catalog().benchmark_of_task(str(task.config.task))
    cluster = card.cluster if card else None
    unfiltered = [entry for entry in logged if entry.get("filter", NO_FILTER) == NO_FILTER]
    for entry in sorted(unfiltered, key=lambda sample: int(sample["doc_id"])):
        choices = [str(choice) for choice in task.doc_to_choice(entry["doc"])]
        values = [float(value) for value, *_ in entry["filtered_resps"]][: len(choices)]
        gold = _gold(entry["target"], choices)
        if gold is None:
            return []
        item = str(entry["doc"].get("item") or f"{scored_split(task)}/{entry['doc_id']}")
        samples.append(
            Sample(
                doc_id=int(entry["doc_id"]),
                item=item,
                prompt=str(entry["arguments"][0][0]),
                choices=choices,
                loglikelihoods=[round(value, _DIGITS) for value in values],
                prediction=max(range(len(choices)), key=lambda place: values[place]),
                gold=gold,
                cluster=cluster.of(item, entry["doc"]) if cluster else None,
            )
        )
    return samples


def _gold(target: Any, choices: Sequence[str]) -> int | None:
    """The index of the right choice, given as index or text; None if it is not a choice."""
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


def results_document(results: Mapping[str, Any], record: EvalRecord) -> dict[str, Any]:
    """Build ``results.json``: the harness's layout without times and paths, plus kit19's section."""
    kept = {key: _to_json_types(results[key], ()) for key in _KEPT_KEYS if key in results}
    configs = {task: _to_json_types(config) for task, config in results["configs"].items()}
    model = {"model": SECTION, "model_args": record.model.name, "limit": record.limit}
    more = {"batch_size": record.batch_size} if record.batch_size else {}
    system = {"system_instruction": record.system} if record.system else {}
    return {
        **kept,
        "configs": configs,
        "config": model | more | {"fewshot_seed": record.seed},
        **system,
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
                out.writelines(to_json(_to_json_types(entry)) + "\n" for entry in logged)
    text = to_json(results_document(results, record), indent=1) + "\n"
    (folder / NAME).write_text(text, encoding="utf-8", newline="\n")


def _to_json_types(value: Any, excluded: Sequence[str] = _LOCAL_KEYS) -> Any:
    """Convert a value of the harness to JSON types; functions become their names."""
    if isinstance(value, Mapping):
        kept = {str(key): inner for key, inner in value.items() if key not in excluded}
        return {key: _to_json_types(inner, excluded) for key, inner in kept.items()}
    if isinstance(value, (list, tuple)):
        return [_to_json_types(inner, excluded) for inner in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return _to_json_types(value.tolist(), excluded)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return str(value)
