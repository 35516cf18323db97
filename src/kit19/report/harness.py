"""What lm-evaluation-harness writes (0.4: ``results_<time>.json``, ``samples_<task>_<time>.jsonl``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kit19.errors import Problem, ResultsError

_AGAIN = "run lm_eval again with --output_path and --log_samples"
_ID_FIELDS = ("guid", "id", "idx")


def harness_tasks(
    file: Path, document: dict[str, Any]
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """The items of every task with choices, as rows like ``kit19.results.Sample``.

    Args:
        file: The results file; the samples lie beside it under the same time.
        document: Its content.

    Returns:
        Rows by task; and the tasks that are left out, each with why.

    Raises:
        ResultsError: Another version's layout, or samples that are missing or not whole.
    """
    tasks, skipped, problems = {}, {}, []
    groups = {name for name, members in document.get("group_subtasks", {}).items() if members}
    for name, stated in document["results"].items():
        if name in groups:
            continue
        if isinstance(stated, dict) and not any("," in key for key in stated):
            what = f"{name}: its scores have no filter in their names (`acc,none`)"
            problems.append(Problem(what, str(file), "evaluate with lm-evaluation-harness 0.4"))
            continue
        config = document.get("configs", {}).get(name, {})
        if config.get("output_type", "multiple_choice") != "multiple_choice":
            skipped[name] = f"it asks for {config['output_type']}, not for a choice"
            continue
        samples = _samples(file, name)
        if not samples.is_file():
            what = f"{name}: its items are missing: there is no {samples.name}"
            problems.append(Problem(what, str(file), _AGAIN))
            continue
        try:
            delimiter = str(config.get("target_delimiter", " "))
            split = str(config.get("test_split") or config.get("validation_split") or "")
            tasks[name] = _rows(samples, delimiter, split)
        except ResultsError as error:
            problems += error.problems
            continue
        expected = document.get("n-samples", {}).get(name, {}).get("effective")
        if expected is not None and len(tasks[name]) != expected:
            what = f"holds {len(tasks[name]):,} items; {file.name} says {expected:,}"
            problems.append(Problem(what, str(samples), _AGAIN))
    if problems:
        raise ResultsError(problems)
    return tasks, skipped


def _samples(file: Path, task: str) -> Path:
    time = file.stem.removeprefix("results")
    return file.with_name(f"samples_{task}{time}.jsonl")


def _rows(path: Path, delimiter: str, split: str) -> list[dict[str, Any]]:
    rows = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                rows.append(_row(json.loads(line), delimiter, split))
            except (ValueError, KeyError, TypeError, IndexError) as error:
                what = f"is not a sample of a task with choices: {type(error).__name__}: {error}"
                raise ResultsError(Problem(what, f"{path}:{number}", _AGAIN)) from None
    if not rows:
        raise ResultsError(Problem("holds no items", str(path), _AGAIN))
    return rows


def _row(sample: dict[str, Any], delimiter: str, split: str) -> dict[str, Any]:
    asked = list(sample["arguments"].values())
    answers = [float(answer[0]) for answer in sample["filtered_resps"]]
    choices = [str(one["arg_1"]) for one in asked]
    "".join([str(asked[0]["arg_0"]), *choices]).encode()  # a lone surrogate is no text
    prediction = max(range(len(answers)), key=lambda place: (answers[place], -place))
    gold = _gold(sample, [text.removeprefix(delimiter) for text in choices], prediction)
    doc = sample["doc"]
    key = next((doc[field] for field in _ID_FIELDS if isinstance(doc.get(field), str)), "")
    return {
        "doc_id": int(sample["doc_id"]),
        "item": f"{split}/{key}" if key else "",
        "prompt": str(asked[0]["arg_0"]),
        "choices": choices,
        "loglikelihoods": answers,
        "prediction": prediction,
        "gold": gold,
    }


def _gold(sample: dict[str, Any], texts: list[str], prediction: int) -> int:
    """The right choice: ``target`` is its text or its number, as the task has it.

    Where a text reads like a number both may fit; whether the item was counted as right tells.
    """
    target = sample["target"]
    target = target.strip() if isinstance(target, str) else str(target)
    found = [place for place, text in enumerate(texts) if text.strip() == target]
    if target.isdecimal() and int(target) < len(texts):
        found.append(int(target))
    right = sample.get("acc")
    fitting = [p for p in found if right is None or (p == prediction) == bool(right)]
    if not fitting:
        raise ValueError(f"target {target!r} is none of its choices")
    return fitting[0]


def harness_name(document: dict[str, Any]) -> str:
    """What the model is called: the last part of its name or path."""
    return Path(str(document.get("model_name") or "model")).name


def harness_dtype(document: dict[str, Any]) -> str:
    """``float32`` …; empty where it is not recorded."""
    return str(document.get("config", {}).get("model_dtype") or "").removeprefix("torch.")


def harness_asked(document: dict[str, Any]) -> str:
    """How questions were put."""
    return "chat" if document.get("chat_template") else "raw"
