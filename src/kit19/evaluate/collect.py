"""What the harness returns, as the files of a results folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kit19.results import NAME, SECTION, EvalRecord, Sample, samples_path, to_line

_KEPT = (
    "results",
    "groups",
    "group_subtasks",
    "versions",
    "n-shot",
    "higher_is_better",
    "n-samples",
)
_MACHINE = ("data_dir", "sample", "custom_dataset")  # tells of this machine, or is program text
_DIGITS = 6


def to_samples(task: Any, logged: Sequence[Mapping[str, Any]]) -> list[Sample]:
    """Scored items of a multiple-choice task with one right answer each, in file order.

    Args:
        task: The harness's task.
        logged: Its logged samples.

    Returns:
        Nothing where the task is of another kind.
    """
    if task.OUTPUT_TYPE != "multiple_choice" or task.multiple_input or task.multiple_target:
        return []
    samples = []
    for one in sorted(logged, key=lambda sample: int(sample["doc_id"])):
        choices = [str(choice) for choice in task.doc_to_choice(one["doc"])]
        values = [round(float(value), _DIGITS) for value, *_ in one["filtered_resps"]][
            : len(choices)
        ]
        gold = one["target"] if isinstance(one["target"], int) else choices.index(one["target"])
        samples.append(
            Sample(
                doc_id=int(one["doc_id"]),
                item=str(one["doc"].get("item") or f"{task.config.test_split}/{one['doc_id']}"),
                prompt=str(one["arguments"][0][0]),
                choices=choices,
                loglikelihoods=values,
                prediction=max(range(len(choices)), key=lambda place: values[place]),
                gold=gold,
            )
        )
    return samples


def document(results: Mapping[str, Any], record: EvalRecord) -> dict[str, Any]:
    """``results.json``: the harness's layout without clocks and paths, and kit19's section."""
    kept = {key: results[key] for key in _KEPT if key in results}
    configs = {task: _plain(config) for task, config in results["configs"].items()}
    model = {"model": SECTION, "model_args": record.model.name, "limit": record.limit}
    seeds = {"fewshot_seed": record.seed}
    return {
        **kept,
        "configs": configs,
        "config": model | seeds,
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
                out.writelines(map(to_line, samples[task]))
            else:
                out.writelines(json.dumps(_plain(one), ensure_ascii=False) + "\n" for one in logged)
    text = json.dumps(document(results, record), ensure_ascii=False, indent=1) + "\n"
    (folder / NAME).write_text(text, encoding="utf-8", newline="\n")


def _plain(value: Any) -> Any:
    """A value of the harness's as JSON has it; functions by their names."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items() if key not in _MACHINE}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return str(value)
