"""Reading the harness's tasks whose answers were graded one by one, such as generated ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kit19.comparing.harness_schema import SkippedTaskError, TaskStatement
from kit19.comparing.model_results import Values
from kit19.core.errors import Problem, ResultsError

Row = dict[str, Any]

_GENERATED = "generate_until"
GRADED_TYPES = (_GENERATED, "loglikelihood")
"""Types of tasks of the harness whose items have a grade each."""

_MEANS = ("exact_match", "acc", "acc_norm", "em")
"""Metrics that are means of items by their definition: another stated score is a contradiction."""
_TOLERANCE = 6e-5
_NO_FILTER = "none"
_RERUN = "run lm_eval again with --output_path and --log_samples"


@dataclass
class GradedRows:
    """Graded items: rows with the columns of ``GRADED_COLUMNS``, and grades by metric.

    Attributes:
        rows: One row per item.
        texts: The texts of each item.
        grades: Grades by metric.
        left_out: Reasons by metric that cannot be compared.
        docs: The fields of each item.
    """

    rows: list[Row] = field(default_factory=list)
    texts: list[list[str]] = field(default_factory=list)
    grades: dict[str, Values] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    docs: list[Mapping[str, Any]] = field(default_factory=list)


def graded_rows(
    lines: Sequence[tuple[int, Any]], statement: TaskStatement, path: Path
) -> GradedRows:
    """Convert the lines of a samples file.

    Args:
        lines: Line numbers and values; a line per item and filter.
        statement: What the results state about the task.
        path: The file, for errors.

    Raises:
        SkippedTaskError: The task cannot be compared.
        ResultsError: The items contradict the stated scores.
    """
    by_filter: dict[str, dict[int, list[Row]]] = {}
    for number, line in lines:
        where = f"{path.name}:{number}"
        if not isinstance(line, dict) or not _is_row(line.get("doc_id")):
            raise SkippedTaskError(f"{where} has no valid doc_id")
        items = by_filter.setdefault(str(line.get("filter", _NO_FILTER)), {})
        items.setdefault(line["doc_id"], []).append(line | {"_where": where})
    if not by_filter:
        raise ResultsError(Problem("has no items", str(path), _RERUN))
    expected = statement.count.effective
    found = GradedRows()
    first = next(iter(by_filter.values()))
    if expected is not None and len(first) != expected:
        what = f"has {len(first):,} items; its results state {expected:,}"
        raise ResultsError(Problem(what, str(path), _RERUN))
    order = sorted(first)
    split = statement.config.test_split or statement.config.validation_split or ""
    for doc_id in order:
        _add_item(found, first[doc_id], split, are_texts=statement.config.output_type == _GENERATED)
    for name, items in by_filter.items():
        if sorted(items) != order:
            raise SkippedTaskError(
                f"its filter {name} has other items than {next(iter(by_filter))}"
            )
        _add_grades(found, [items[doc_id] for doc_id in order], name, statement, path)
    _shorten_names(found)
    if not found.grades:
        reasons = "; ".join(f"{name} {why}" for name, why in found.left_out.items())
        raise SkippedTaskError(
            f"no metric has a grade for each item ({reasons or 'none is stated'})"
        )
    return found


def _is_row(doc_id: Any) -> bool:
    return isinstance(doc_id, int) and not isinstance(doc_id, bool) and 0 <= doc_id < 2**32


def _add_item(found: GradedRows, lines: Sequence[Row], split: str, *, are_texts: bool) -> None:
    line = lines[0]
    doc = line.get("doc") if isinstance(line.get("doc"), dict) else {}
    assert isinstance(doc, dict)  # noqa: S101  for mypy: a dictionary by the line above
    target = line.get("target")
    found.docs.append(doc)
    found.texts.append(text_fields(doc))
    found.rows.append(
        {
            "doc_id": line["doc_id"],
            "item": item_id(doc, split),
            "prompt": _prompt(line),
            "target": target if isinstance(target, str) else _as_text(target),
            "responses": [text for one in lines for text in _responses(one, are_texts=are_texts)],
            "choices": [],
        }
    )


def _prompt(line: Row) -> str:
    arguments = line.get("arguments")
    requests = list(arguments.values()) if isinstance(arguments, dict) else arguments
    if not isinstance(requests, list) or not requests:
        raise SkippedTaskError(f"{line['_where']} has no prompt")
    first = requests[0]
    prompt = first.get("arg_0") if isinstance(first, dict) else first[:1]
    prompt = prompt[0] if isinstance(prompt, list) and prompt else prompt
    if not _is_text(prompt):
        raise SkippedTaskError(f"{line['_where']} has no prompt")
    return str(prompt)


def _responses(line: Row, *, are_texts: bool) -> Iterator[str]:
    """The answers: a text, a list of texts, or a log-likelihood with whether it is the likeliest."""
    filtered = line.get("filtered_resps")
    for answer in filtered if isinstance(filtered, list) else []:
        for one in answer if isinstance(answer, list) else [answer]:
            if not _is_text(one) and (are_texts or not isinstance(one, int | float)):
                raise SkippedTaskError(f"{line['_where']} has an answer that is not a text")
            yield str(one)


def _add_grades(
    found: GradedRows,
    items: Sequence[Sequence[Row]],
    name: str,
    statement: TaskStatement,
    path: Path,
) -> None:
    stated = [key for key in statement.scores if key.endswith(f",{name}") and "_stderr," not in key]
    for key in stated:
        metric = key.removesuffix(f",{name}")
        try:
            grades = grades_of([[line.get(metric) for line in lines] for lines in items])
        except ValueError as why:
            found.left_out[key] = str(why)
            continue
        value = statement.scores[key]
        if not isinstance(value, int | float) or isinstance(value, bool):
            found.left_out[key] = "has no stated score"
        elif abs(value - grades.mean()) <= _TOLERANCE * max(1.0, abs(value)):
            found.grades[key] = grades
        elif metric in _MEANS:
            what = f"states {key} {value:.4f}; its items give {grades.mean():.4f}"
            raise ResultsError(Problem(what, str(path), _RERUN))
        else:
            why_not = f"is {value:.4f}, and not the mean of its items ({grades.mean():.4f})"
            found.left_out[key] = why_not


def grades_of(items: Sequence[Sequence[Any]]) -> Values:
    """Grades of items.

    Args:
        items: For each item, the grade of each repeated answer: a number, or a list of numbers for the
            parts of the item (the instructions of IFEval).

    Raises:
        ValueError: A grade is not a finite number, or numbers of repeats or parts differ.
    """
    repeats = len(items[0])
    if any(len(one) != repeats for one in items):
        raise ValueError("has more answers for some items than for others")
    values, weights = np.empty((len(items), repeats)), np.ones(len(items))
    for place, item in enumerate(items):
        parts = [one if isinstance(one, list) else [one] for one in item]
        if not all(_is_number(part) for one in parts for part in one):
            raise ValueError("has no number for each item")
        sizes = {len(one) for one in parts}
        if len(sizes) != 1 or not min(sizes):
            raise ValueError("has no number for each item")
        weights[place] = sizes.pop()
        values[place] = [sum(map(float, one)) / len(one) for one in parts]
    return Values(values, weights)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < 1e300 and math.isfinite(value)


def _is_text(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        return " / ".join(one for one in value if _is_text(one))
    return str(value) if isinstance(value, int | float) else ""


def _shorten_names(found: GradedRows) -> None:
    """Leave the filter out of a metric's name where it is no other's: ``exact_match``."""
    names = [key.partition(",")[0] for key in found.grades]
    found.grades = {
        key.partition(",")[0]
        if names.count(key.partition(",")[0]) == 1 or key.endswith(f",{_NO_FILTER}")
        else key: grades
        for key, grades in found.grades.items()
    }


_ID_FIELDS = ("guid", "id", "idx")


def item_id(doc: Mapping[str, Any], split: str) -> str:
    """An item's id as ``<split>/<id>``; empty if it has none."""
    own = doc.get("item")
    if _is_text(own) and "/" in str(own) and str(own).isprintable():
        return str(own)
    keys = (doc[field] for field in _ID_FIELDS if _is_text(doc.get(field)))
    key = next((key for key in keys if key.isprintable()), "")
    return f"{split}/{key}" if key else ""


def text_fields(doc: Mapping[str, Any]) -> list[str]:
    """The fields of an item that are texts and long enough to identify it."""
    return [value for value in doc.values() if _is_text(value) and len(value) >= _IDENTIFYING]


_IDENTIFYING = 8
