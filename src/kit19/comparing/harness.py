"""Reading results of lm-evaluation-harness 0.4.

They are ``results_<time>.json`` and ``samples_<task>_<time>.jsonl``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kit19.comparing.harness_graded import (
    GRADED_TYPES,
    GradedRows,
    graded_rows,
    item_id,
)
from kit19.comparing.harness_schema import (
    Document,
    Item,
    SkippedTaskError,
    TaskStatement,
    first_error,
    task_statement,
)
from kit19.core.errors import Problem, ResultsError

_RERUN = "run lm_eval again with --output_path and --log_samples"
_NO_FILTER = "none"  # the name of the filter that changes nothing

Row = dict[str, Any]


def harness_document(document: Row, file: Path) -> Document:
    """Parse the supported parts of a results document.

    Raises:
        ResultsError: A part has an unexpected type.
    """
    try:
        return Document.model_validate(document)
    except ValidationError as error:
        what = f"is not a result of lm-evaluation-harness 0.4: {first_error(error)}"
        raise ResultsError(Problem(what, str(file), _RERUN)) from None


Items = list[Row] | GradedRows
"""Items of a multiple-choice task, as rows like ``kit19.core.results.Sample`` with their ``doc``; or
graded items."""


def harness_tasks(
    file: Path, document: Document
) -> tuple[dict[str, tuple[Items, TaskStatement]], dict[str, str]]:
    """Read the items of every task.

    Args:
        file: The results file; the samples are next to it, with the same time in their names.
        document: The content of the file.

    Returns:
        Items and statement by task, and the reasons of skipped tasks.

    Raises:
        ResultsError: The layout is of another version, or samples are missing or incomplete.
    """
    tasks, skipped = {}, {}
    problems: list[Problem] = []
    groups = {name for name, members in document.group_subtasks.items() if members}
    for name in document.results:
        if name in groups:
            continue
        try:
            tasks[name] = _task(file, document, name)
        except SkippedTaskError as why:
            skipped[name] = str(why)
        except ResultsError as error:
            problems += error.problems
    if problems:
        raise ResultsError(problems)
    return tasks, skipped


def _task(file: Path, document: Document, name: str) -> tuple[Items, TaskStatement]:
    """The items of one task.

    Raises:
        SkippedTaskError: It is of a kind that is not compared, or something in it has an odd shape.
        ResultsError: Its files are not those that the harness wrote.
    """
    try:
        statement = task_statement(document, name)
    except ValidationError as error:
        raise SkippedTaskError(
            f"{file.name} has an unexpected value: {first_error(error)}"
        ) from None
    kind = statement.config.output_type
    if kind not in ("multiple_choice", *GRADED_TYPES):
        raise SkippedTaskError(f"it is of type {kind}, whose items have no grades")
    if statement.config.predicts_only:
        raise SkippedTaskError("it has predictions without scores (--predict_only)")
    filters = sorted({key.partition(",")[2] for key in statement.scores} - {""})
    if not filters:
        what = f"{name}: its scores have no filter in their names (`acc,none`)"
        raise ResultsError(Problem(what, str(file), "evaluate with lm-evaluation-harness 0.4"))
    if kind != "multiple_choice":
        return graded_items(_samples_path(file, name), name, statement), statement
    if _NO_FILTER not in filters:
        raise SkippedTaskError(f"its answers are filtered ({', '.join(filters)})")
    samples = _samples_path(file, name)
    if not is_file(samples):
        what = f"{name}: its items are missing: {samples.name} does not exist"
        raise ResultsError(Problem(what, str(file), _RERUN))
    rows = _read_rows(samples, statement, chat=bool(document.chat_template))
    expected = statement.count.effective
    if expected is not None and len(rows) != expected:
        what = f"has {len(rows):,} items; {file.name} states {expected:,}"
        raise ResultsError(Problem(what, str(samples), _RERUN))
    return rows, statement


def graded_items(samples: Path, name: str, statement: TaskStatement) -> GradedRows:
    """The items of a task whose answers were graded.

    Raises:
        SkippedTaskError: They cannot be compared.
        ResultsError: They are missing, or contradict the stated scores.
    """
    if not is_file(samples):
        what = f"{name}: its items are missing: {samples.name} does not exist"
        raise ResultsError(Problem(what, str(samples.parent), _RERUN))
    return graded_rows(_read_lines(samples), statement, samples)


def is_file(path: Path) -> bool:
    """Whether the file exists; False for invalid file names."""
    try:
        return path.is_file()
    except OSError:
        return False


def _samples_path(file: Path, task: str) -> Path:
    time = file.stem.removeprefix("results")
    return file.parent / f"samples_{task}{time}.jsonl"


def _read_rows(path: Path, statement: TaskStatement, *, chat: bool) -> list[Row]:
    delimiter = statement.config.delimiter(chat=chat)
    split = statement.config.test_split or statement.config.validation_split or ""
    # For this metric every choice is scored a second time, without a prompt.
    unconditional = any(key.startswith("acc_mutual_info,") for key in statement.scores)
    has_acc_norm = f"acc_norm,{_NO_FILTER}" in statement.scores
    rows = []
    for number, line in _read_lines(path):
        where = f"{path.name}:{number}"
        try:
            item = Item.model_validate(line)
            "".join(one.arg_0 + one.arg_1 for one in item.arguments.values()).encode()
        except ValidationError as error:
            raise SkippedTaskError(
                f"{where} has an unexpected value: {first_error(error)}"
            ) from None
        except UnicodeEncodeError as error:  # a lone surrogate is not valid text
            what = f"is not a sample of a multiple-choice task: {type(error).__name__}: {error}"
            raise ResultsError(Problem(what, f"{path}:{number}", _RERUN)) from None
        if item.filter == _NO_FILTER:
            try:
                rows.append(
                    _to_row(
                        item,
                        delimiter,
                        split,
                        unconditional=unconditional,
                        has_acc_norm=has_acc_norm,
                    )
                )
            except SkippedTaskError as why:
                raise SkippedTaskError(f"{where}: {why}") from None
    if not rows:
        raise ResultsError(Problem("has no items", str(path), _RERUN))
    return rows


def _read_lines(path: Path) -> list[tuple[int, Any]]:
    """Line numbers from 1, with the JSON value of each line."""
    found = []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ResultsError(Problem(f"cannot be read: {error}", str(path), _RERUN)) from None
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else [], 1):
        try:
            found.append((number, json.loads(line)))
        except (ValueError, RecursionError) as error:
            what = f"is not a sample of a multiple-choice task: {type(error).__name__}: {error}"
            raise ResultsError(Problem(what, f"{path}:{number}", _RERUN)) from None
    return found


def _to_row(
    item: Item, delimiter: str, split: str, *, unconditional: bool, has_acc_norm: bool
) -> Row:
    requests = list(item.arguments.values())
    if unconditional:
        requests = requests[: len(requests) // 2]
    answers = [value for value, _ in item.answers][: len(requests)]
    if len(answers) != len(requests):
        raise SkippedTaskError(f"it has {len(requests)} choices and {len(answers)} answers")
    if len({request.arg_0 for request in requests}) > 1 and (has_acc_norm or len(requests) != 2):
        raise SkippedTaskError("its choices are in the prompts, so the right one is not recorded")
    choices = [request.arg_1 for request in requests]
    texts = [text.removeprefix(delimiter) for text in choices]
    prediction = max(range(len(answers)), key=lambda place: (answers[place], -place))
    doc = item.doc if isinstance(item.doc, dict) else {}
    return {
        "doc": doc,
        "doc_id": item.doc_id,
        "item": item_id(doc, split),
        "prompt": requests[0].arg_0,
        "choices": choices,
        "loglikelihoods": answers,
        "prediction": prediction,
        "gold": _gold(item, texts, prediction),
    }


def _gold(item: Item, texts: list[str], prediction: int) -> int:
    """The index of the right choice: ``target`` is its text or its index, depending on the task.

    If a text looks like a number, both may fit; the item's ``acc`` decides between them.
    """
    target = item.target.strip() if isinstance(item.target, str) else str(item.target)
    found = [place for place, text in enumerate(texts) if text.strip() == target]
    if target.isdecimal() and len(target) < 10 and int(target) < len(texts):
        found.append(int(target))
    acc = item.acc
    fitting = [p for p in found if acc is None or (p == prediction) == bool(acc)]
    if fitting:
        return fitting[0]
    if target.startswith("["):
        raise SkippedTaskError(f"it does not have one right answer: {target[:60]}")
    raise SkippedTaskError(f"target {target[:60]!r} is not one of its choices")


def harness_name(document: Document) -> str:
    """The model's name: the last part of its name or path."""
    return Path(document.model_name or "model").name or "model"


def harness_dtype(document: Document) -> str:
    """The dtype, as ``float32``; empty if not recorded."""
    return str(document.config.get("model_dtype") or "")[:40].removeprefix("torch.")


def harness_prompting(document: Document) -> str:
    """The prompt format and system instruction."""
    return describe_prompting(
        "chat" if document.chat_template else "raw", document.system_instruction
    )


def describe_prompting(prompt_format: str, system: str | None) -> str:
    """A prompt format, with its system instruction if there is one."""
    return f"{prompt_format}, after {system!r}" if system else prompt_format
