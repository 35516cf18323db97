"""The answers to judge: the samples of two-turn tasks in a results folder of ``kit19 eval``."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from kit19.core.errors import Problem, ResultsError, first_line
from kit19.core.paths import read_json
from kit19.core.results import NAME, samples_path

_EVALUATE = "evaluate with `kit19 eval --tasks logickor,komt_bench --format chat`"


class _Line(BaseModel):
    """The used part of a line of ``samples_<task>.jsonl``."""

    doc_id: int
    doc: dict[str, Any]
    filtered_resps: list[str]


@dataclass(frozen=True)
class Turn:
    """One question of a conversation.

    Attributes:
        question: The question.
        answer: The model's answer.
        reference: The answer that the benchmark gives; empty without one.
    """

    question: str
    answer: str
    reference: str


@dataclass(frozen=True)
class Conversation:
    """One item of a task, with the model's answers.

    Attributes:
        task: The task.
        doc_id: 0-based row of the benchmark.
        item: ``<split>/<id>``.
        category: What kind of question it is; empty if the benchmark has no categories.
        turns: The questions in order.
        line: The line of the samples.
    """

    task: str
    doc_id: int
    item: str
    category: str
    turns: tuple[Turn, ...]
    line: dict[str, Any]


@dataclass(frozen=True)
class Answers:
    """A model's answers to conversations.

    Attributes:
        folder: The results folder.
        document: ``results.json``.
        tasks: Conversations by task.
    """

    folder: Path
    document: dict[str, Any]
    tasks: dict[str, list[Conversation]]

    @property
    def model(self) -> str:
        """The model's name."""
        section = self.document.get("kit19")
        model = section.get("model", {}) if isinstance(section, dict) else {}
        return str(model.get("adapter") or model.get("name") or self.folder.name)


def read_answers(folder: Path, tasks: Collection[str] = ()) -> Answers:
    """Read the answers of a model.

    Args:
        folder: A results folder of ``kit19 eval``.
        tasks: Names of tasks. Default: every conversation in the folder.

    Raises:
        ResultsError: There are no such results, or no conversations in them.
    """
    path = folder / NAME
    try:
        document = read_json(path)
    except (OSError, ValueError) as error:
        what = f"cannot be read: {first_line(error)}"
        raise ResultsError(Problem(what, str(path), _EVALUATE)) from None
    configs = document.get("configs") if isinstance(document, dict) else None
    if not isinstance(configs, dict):
        what = "is not a results file of `kit19 eval`"
        raise ResultsError(Problem(what, str(path), _EVALUATE))
    turns = {name: found for name, config in configs.items() if (found := _turn_fields(config))}
    if missing := sorted(set(tasks) - set(turns)):
        what = f"has no answers to judge of {', '.join(missing)}"
        known = f"it has {', '.join(turns)}" if turns else _EVALUATE
        raise ResultsError(Problem(what, str(folder), known))
    if not turns:
        raise ResultsError(Problem("has no answers to judge", str(folder), _EVALUATE))
    chosen = {name: fields for name, fields in turns.items() if not tasks or name in tasks}
    return Answers(
        folder,
        document,
        {name: _read_task(folder, name, *fields) for name, fields in chosen.items()},
    )


def _turn_fields(config: Any) -> tuple[list[str], list[str]] | None:
    """The fields of a task's questions and of their references; None for other tasks."""
    metadata = config.get("metadata") if isinstance(config, dict) else None
    if not isinstance(metadata, dict):
        return None
    questions, references = metadata.get("turns"), metadata.get("references", [])
    if not isinstance(questions, list) or not questions or not isinstance(references, list):
        return None
    return [str(name) for name in questions], [str(name) for name in references]


def _read_task(
    folder: Path, task: str, questions: list[str], references: list[str]
) -> list[Conversation]:
    path = samples_path(folder, task)
    found: list[Conversation] = []
    try:
        with path.open(encoding="utf-8") as lines:
            for number, text in enumerate(lines, 1):
                where = f"{path}:{number}"
                found.append(_conversation(task, text, where, questions, references))
    except (OSError, UnicodeDecodeError) as error:
        raise ResultsError(Problem(f"cannot be read: {error}", str(path), _EVALUATE)) from None
    if not found:
        raise ResultsError(Problem("has no items", str(path), _EVALUATE))
    return found


def _conversation(
    task: str, text: str, where: str, questions: list[str], references: list[str]
) -> Conversation:
    try:
        raw = json.loads(text)
        line = _Line.model_validate(raw)
        texts = [str(line.doc[name]) for name in questions]
        if len(line.filtered_resps) != len(texts):
            raise ValueError(f"{len(texts)} questions and {len(line.filtered_resps)} answers")
    except (ValueError, KeyError, RecursionError, ValidationError) as error:
        what = f"is not a sample of a conversation: {first_line(error)}"
        raise ResultsError(Problem(what, where, _EVALUATE)) from None
    given = [str(line.doc.get(name) or "") for name in references]
    given += [""] * (len(texts) - len(given))
    return Conversation(
        task,
        line.doc_id,
        str(line.doc.get("item") or line.doc_id),
        str(line.doc.get("category") or ""),
        tuple(map(Turn, texts, line.filtered_resps, given)),
        raw,
    )
