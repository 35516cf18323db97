"""What lm-evaluation-harness writes (0.4: ``results_<time>.json``, ``samples_<task>_<time>.jsonl``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kit19.comparing.harness_schema import Document, Item, Stated, first_error, stated
from kit19.core.errors import Problem, ResultsError

_AGAIN = "run lm_eval again with --output_path and --log_samples"
_ID_FIELDS = ("guid", "id", "idx")
_PLAIN = "none"  # the filter that leaves answers as they came

Row = dict[str, Any]


class LeftOutError(Exception):
    """Why a task cannot be compared, though its results are sound."""


def harness_document(document: Row, file: Path) -> Document:
    """The parts of a results document that are read.

    Raises:
        ResultsError: One of them has another shape.
    """
    try:
        return Document.model_validate(document)
    except ValidationError as error:
        what = f"is no result of lm-evaluation-harness 0.4: {first_error(error)}"
        raise ResultsError(Problem(what, str(file), _AGAIN)) from None


def harness_tasks(
    file: Path, document: Document
) -> tuple[dict[str, tuple[list[Row], Stated]], dict[str, str]]:
    """The items of every task with choices, as rows like ``kit19.core.results.Sample``.

    Args:
        file: The results file; the samples lie beside it under the same time.
        document: Its content.

    Returns:
        Rows by task, with what is stated of it; and the tasks that are left out, each with why.

    Raises:
        ResultsError: Another version's layout, or samples that are missing or not whole.
    """
    tasks, skipped = {}, {}
    problems: list[Problem] = []
    groups = {name for name, members in document.group_subtasks.items() if members}
    for name in document.results:
        if name in groups:
            continue
        try:
            tasks[name] = _task(file, document, name)
        except LeftOutError as why:
            skipped[name] = str(why)
        except ResultsError as error:
            problems += error.problems
    if problems:
        raise ResultsError(problems)
    return tasks, skipped


def _task(file: Path, document: Document, name: str) -> tuple[list[Row], Stated]:
    """The items of one task.

    Raises:
        LeftOutError: It is of a kind that is not compared, or something in it has an odd shape.
        ResultsError: Its files are not those that the harness wrote.
    """
    try:
        told = stated(document, name)
    except ValidationError as error:
        raise LeftOutError(f"{file.name} is odd: {first_error(error)}") from None
    kind = told.config.output_type
    if kind != "multiple_choice":
        raise LeftOutError(f"it asks for {kind}, not for a choice")
    if told.config.predicts_only:
        raise LeftOutError("it holds predictions without scores (--predict_only)")
    filters = sorted({key.partition(",")[2] for key in told.scores} - {""})
    if not filters:
        what = f"{name}: its scores have no filter in their names (`acc,none`)"
        raise ResultsError(Problem(what, str(file), "evaluate with lm-evaluation-harness 0.4"))
    if _PLAIN not in filters:
        raise LeftOutError(f"its answers went through a filter ({', '.join(filters)})")
    samples = _samples(file, name)
    if not is_file(samples):
        what = f"{name}: its items are missing: there is no {samples.name}"
        raise ResultsError(Problem(what, str(file), _AGAIN))
    rows = _rows(samples, told, chat=bool(document.chat_template))
    expected = told.count.effective
    if expected is not None and len(rows) != expected:
        what = f"holds {len(rows):,} items; {file.name} says {expected:,}"
        raise ResultsError(Problem(what, str(samples), _AGAIN))
    return rows, told


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _samples(file: Path, task: str) -> Path:
    time = file.stem.removeprefix("results")
    return file.parent / f"samples_{task}{time}.jsonl"


def _rows(path: Path, told: Stated, *, chat: bool) -> list[Row]:
    delimiter = told.config.delimiter(chat=chat)
    split = told.config.test_split or told.config.validation_split or ""
    # For this metric every choice is asked a second time, after nothing.
    twice = any(key.startswith("acc_mutual_info,") for key in told.scores)
    measured = f"acc_norm,{_PLAIN}" in told.scores
    rows = []
    for number, line in _lines(path):
        where = f"{path.name}:{number}"
        try:
            item = Item.model_validate(line)
            "".join(one.arg_0 + one.arg_1 for one in item.arguments.values()).encode()
        except ValidationError as error:
            raise LeftOutError(f"{where} is odd: {first_error(error)}") from None
        except UnicodeEncodeError as error:  # a lone surrogate is no text
            what = f"is not a sample of a task with choices: {type(error).__name__}: {error}"
            raise ResultsError(Problem(what, f"{path}:{number}", _AGAIN)) from None
        if item.filter == _PLAIN:
            try:
                rows.append(_row(item, delimiter, split, twice=twice, measured=measured))
            except LeftOutError as why:
                raise LeftOutError(f"{where}: {why}") from None
    if not rows:
        raise ResultsError(Problem("holds no items", str(path), _AGAIN))
    return rows


def _lines(path: Path) -> list[tuple[int, Any]]:
    """Line numbers, from 1, and what stands there as JSON."""
    found = []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ResultsError(Problem(f"cannot be read: {error}", str(path), _AGAIN)) from None
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else [], 1):
        try:
            found.append((number, json.loads(line)))
        except (ValueError, RecursionError) as error:
            what = f"is not a sample of a task with choices: {type(error).__name__}: {error}"
            raise ResultsError(Problem(what, f"{path}:{number}", _AGAIN)) from None
    return found


def _row(item: Item, delimiter: str, split: str, *, twice: bool, measured: bool) -> Row:
    asked = list(item.arguments.values())
    if twice:
        asked = asked[: len(asked) // 2]
    answers = [value for value, _ in item.answers][: len(asked)]
    if len(answers) != len(asked):
        raise LeftOutError(f"it has {len(asked)} choices and {len(answers)} answers")
    if len({one.arg_0 for one in asked}) > 1 and (measured or len(asked) != 2):
        raise LeftOutError("its choices stand in the prompts, so what is right is not recorded")
    choices = [one.arg_1 for one in asked]
    texts = [text.removeprefix(delimiter) for text in choices]
    prediction = max(range(len(answers)), key=lambda place: (answers[place], -place))
    doc = item.doc if isinstance(item.doc, dict) else {}
    keys = (doc[field] for field in _ID_FIELDS if isinstance(doc.get(field), str))
    key = next((key for key in keys if key.isprintable()), "")
    return {
        "doc_id": item.doc_id,
        "item": f"{split}/{key}" if key else "",
        "prompt": asked[0].arg_0,
        "choices": choices,
        "loglikelihoods": answers,
        "prediction": prediction,
        "gold": _gold(item, texts, prediction),
    }


def _gold(item: Item, texts: list[str], prediction: int) -> int:
    """The right choice: ``target`` is its text or its number, as the task has it.

    Where a text reads like a number both may fit; whether the item was counted as right tells.
    """
    target = item.target.strip() if isinstance(item.target, str) else str(item.target)
    found = [place for place, text in enumerate(texts) if text.strip() == target]
    if target.isdecimal() and len(target) < 10 and int(target) < len(texts):
        found.append(int(target))
    right = item.acc
    fitting = [p for p in found if right is None or (p == prediction) == bool(right)]
    if fitting:
        return fitting[0]
    if target.startswith("["):
        raise LeftOutError(f"it has not one right answer but {target[:60]}")
    raise LeftOutError(f"target {target[:60]!r} is none of its choices")


def harness_name(document: Document) -> str:
    """What the model is called: the last part of its name or path."""
    return Path(document.model_name or "model").name or "model"


def harness_dtype(document: Document) -> str:
    """``float32`` …; empty where it is not recorded."""
    return str(document.config.get("model_dtype") or "")[:40].removeprefix("torch.")


def harness_asked(document: Document) -> str:
    """How questions were put."""
    return asked("chat" if document.chat_template else "raw", document.system_instruction)


def asked(how: str, system: str | None) -> str:
    """A format, with the system instruction before it."""
    return f"{how}, after {system!r}" if system else how
