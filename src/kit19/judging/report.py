"""The files of a judgment: a results folder that ``kit19 compare`` reads, next to the verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kit19.core.json_text import to_json
from kit19.core.results import NAME, SECTION, samples_path
from kit19.judging.answers import Answers
from kit19.judging.scores import ItemScore, TaskScores, summarize
from kit19.judging.verdicts import Verdict
from kit19.writing.place import placing

METRIC = "score"
_DIGITS = 6


def count_status(planned: int, verdicts: Sequence[Verdict]) -> dict[str, int]:
    """Planned calls by what became of them; they add up."""
    counts = Counter(verdict.status for verdict in verdicts)
    return {
        "planned": planned,
        "ok": counts["ok"],
        "unparsable": counts["unparsable"],
        "refused": counts["refused"],
        "missing": planned - len(verdicts),
    }


def write_scores(
    folder: Path,
    answers: Answers,
    items: Mapping[str, Sequence[ItemScore]],
    judgment: Mapping[str, Any],
) -> None:
    """Write ``samples_<task>.jsonl`` with a score in each line, and ``results.json`` last.

    Args:
        folder: The folder of the judgment.
        answers: The answers, with the results document that they are from.
        items: Scores by task.
        judgment: The section ``judge`` of ``results.json``.
    """
    for task, scored in items.items():
        with placing(samples_path(folder, task)) as path:
            lines = [_line(item) for item in scored if item.score is not None]
            path.write_text("".join(lines), encoding="utf-8", newline="\n")
    tasks = {task: summarize(scored) for task, scored in items.items()}
    with placing(folder / NAME) as path:
        text = to_json(_document(answers, tasks, judgment), indent=1) + "\n"
        path.write_text(text, encoding="utf-8", newline="\n")


def _line(item: ItemScore) -> str:
    line = item.conversation.line
    earlier = line.get("metrics", [])  # those of the evaluation, such as `answered`
    kept = {key: value for key, value in line.items() if key not in earlier}
    turns = [round(value, _DIGITS) for value in item.turns if value is not None]
    score = round(item.score or 0.0, _DIGITS)
    return to_json({**kept, "metrics": [METRIC], METRIC: score, "turn_scores": turns}) + "\n"


def _document(
    answers: Answers, tasks: Mapping[str, TaskScores], judgment: Mapping[str, Any]
) -> dict[str, Any]:
    given = answers.document
    document: dict[str, Any] = {
        "results": {task: _figures(task, found) for task, found in tasks.items()},
        **{key: _of_tasks(given.get(key), tasks) for key in ("versions", "n-shot", "configs")},
        "higher_is_better": {task: {METRIC: True} for task in tasks},
        "n-samples": {
            task: {"original": found.items, "effective": found.scored}
            for task, found in tasks.items()
        },
    }
    section = given.get(SECTION)
    if isinstance(section, dict):
        entries = _of_tasks(section.get("tasks"), tasks).items()
        cautions = [one for one in section.get("cautions", []) if one.get("task") in {"", *tasks}]
        document[SECTION] = {
            **section,
            "tasks": {task: {**entry, "scored": tasks[task].scored} for task, entry in entries},
            "cautions": [*cautions, *_cautions(tasks, judgment)],
        }
    left_out = {"groups", "group_subtasks"}
    document |= {key: given[key] for key in given if key not in document.keys() | left_out}
    return {**document, "judge": dict(judgment)}


def _figures(task: str, found: TaskScores) -> dict[str, Any]:
    stderr = "N/A" if found.stderr is None else found.stderr  # as the harness writes it
    return {"alias": task, f"{METRIC},none": found.mean, f"{METRIC}_stderr,none": stderr}


def _of_tasks(part: Any, tasks: Mapping[str, TaskScores]) -> dict[str, Any]:
    return {name: part[name] for name in tasks if name in part} if isinstance(part, dict) else {}


def _cautions(tasks: Mapping[str, TaskScores], judgment: Mapping[str, Any]) -> list[dict[str, str]]:
    found = [
        {"code": "judged", "task": task, "what": f"scored by {judgment['judge']}"} for task in tasks
    ]
    for task, scores in tasks.items():
        if scores.scored < scores.items:
            what = f"{scores.items - scores.scored:,} of {scores.items:,} items have no verdict"
            found.append({"code": "without_verdict", "task": task, "what": what})
    return found
