"""Pairing the items of results that different programs wrote: by id, or by their texts."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import polars as pl

from kit19.comparing.model import Model
from kit19.comparing.model_results import TaskResults
from kit19.comparing.result import Note
from kit19.core.errors import Problem, ResultsError

_MAX_SEARCHED = 4_000_000
"""The largest product of numbers of items up to which texts are searched inside prompts."""
_FEWEST_LETTERS = 12
"""Shorter texts are not searched inside prompts."""


def match_items(models: Sequence[Model]) -> tuple[list[Model], list[Note]]:
    """Give all models the same items, where results of several programs are compared.

    kit19 and the harness number items alike, so their results are left as they are (other items are an
    error later). Results of other programs are matched with those of the first model that has the task;
    items that some model lacks, or that several items could be, are left out, with a note.

    Raises:
        ResultsError: No item of a task could be matched.
    """
    notes: list[Note] = []
    matched = list(models)
    for task in sorted({task for model in models for task in model.tasks}):
        having = [place for place, model in enumerate(models) if task in model.tasks]
        runs = [run for place in having for run in models[place].runs]
        if len(runs) < 2 or not any(run.is_foreign for run in runs):
            continue
        reference = runs[0].tasks[task]
        rows = {}
        for place in having:
            for number, run in enumerate(models[place].runs):
                pairs = _match(reference, run.tasks[task])
                rows[place, number] = pairs
        kept = sorted(set.intersection(*(set(pairs) for pairs in rows.values())))
        if not kept:
            names = ", ".join(models[place].name for place in having)
            what = f"{task}: no item of {names} is the same by its id or its texts"
            raise ResultsError(Problem(what, fix="compare results on the same benchmark"))
        for place in having:
            model = models[place]
            results = [
                _numbered(run.tasks[task].at([rows[place, number][row] for row in kept]), kept)
                for number, run in enumerate(model.runs)
            ]
            matched[place] = matched[place].with_results(task, results)
            notes += _notes(model, task, len(kept))
    return matched, notes


def _numbered(results: TaskResults, rows: Sequence[int]) -> TaskResults:
    """The results with the row numbers of the reference."""
    numbers = pl.Series("doc_id", list(rows), dtype=pl.UInt32)
    return replace(results, items=results.items.with_columns(numbers))


def _notes(model: Model, task: str, kept: int) -> Iterator[Note]:
    for number, run in enumerate(model.runs, 1):
        items = run.tasks[task].items.height
        if items > kept:
            which = f"run {number}: " if len(model.runs) > 1 else ""
            what = (
                f"{which}{items - kept:,} of its {items:,} items are left out: by id and text they "
                "have no counterpart in all results, or several"
            )
            yield Note(model=model.name, task=task, what=what)


def _match(reference: TaskResults, other: TaskResults) -> dict[int, int]:
    """Row of the reference → row of the other results."""
    if reference is other:
        return {row: row for row in range(other.items.height)}
    by_id = _match_ids(reference, other)
    smaller = min(reference.items.height, other.items.height)
    by_text = {} if len(by_id) == smaller else _match_texts(reference, other)
    return by_id if len(by_id) >= len(by_text) else by_text


def _match_ids(reference: TaskResults, other: TaskResults) -> dict[int, int]:
    """Items with equal ids. Ids that are numbers count only with a text in common.

    Programs number items from 0 or from 1, so that equal numbers may be of neighbors.
    """
    ours, theirs = (
        _unique(one.partition("/")[2] or one for one in results.items["item"])
        for results in (reference, other)
    )
    pairs = {key: (row, theirs[key]) for key, row in ours.items() if key and key in theirs}
    if not any(key.isdecimal() for key in pairs):
        return dict(pairs.values())
    texts = _texts(reference), _texts(other)
    return {
        row: place
        for key, (row, place) in pairs.items()
        if not key.isdecimal() or _have_common_text(texts[0][row], texts[1][place])
    }


def _have_common_text(ours: Sequence[str], theirs: Sequence[str]) -> bool:
    return bool(set(ours) & set(theirs)) or _is_inside(ours, theirs)


def _match_texts(reference: TaskResults, other: TaskResults) -> dict[int, int]:
    """Items with an equal text, or one whose text is inside the prompt of the other."""
    ours, theirs = _texts(reference), _texts(other)
    known = _unique_texts(ours)
    found: dict[int, int] = {}
    for row, texts in enumerate(theirs):
        places = {known[text] for text in texts if text in known}
        if len(places) == 1:
            found.setdefault(places.pop(), row)
    left = [row for row in range(len(theirs)) if row not in set(found.values())]
    if left and len(left) * len(ours) <= _MAX_SEARCHED:
        free = [row for row in range(len(ours)) if row not in found]
        for row in left:
            places = {place for place in free if _is_inside(ours[place], theirs[row])}
            if len(places) == 1:
                place = places.pop()
                if place in found:  # two of theirs in one of ours
                    found.pop(place)
                    free.remove(place)
                else:
                    found[place] = row
    return found


def _is_inside(ours: Sequence[str], theirs: Sequence[str]) -> bool:
    longest = max(theirs, key=len, default="")
    shortest = max(ours[:-1], key=len, default="")  # the last is the prompt
    prompt = ours[-1] if ours else ""
    return (len(longest) >= _FEWEST_LETTERS and longest in prompt) or (
        len(shortest) >= _FEWEST_LETTERS and shortest in longest
    )


def _texts(results: TaskResults) -> list[list[str]]:
    """The normalized texts of each item, its prompt last."""
    prompts = results.items["prompt"].to_list()
    texts = results.texts or [()] * len(prompts)
    return [
        [_normalized(text) for text in (*fields, prompt)]
        for fields, prompt in zip(texts, prompts, strict=True)
    ]


def _normalized(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _unique(keys: Iterator[str]) -> dict[str, int]:
    """The row of each key that only one row has."""
    listed = list(keys)
    counts = Counter(listed)
    return {key: row for row, key in enumerate(listed) if counts[key] == 1}


def _unique_texts(items: Sequence[Sequence[str]]) -> Mapping[str, int]:
    """The row of each text that only one item has."""
    rows: dict[str, set[int]] = {}
    for row, texts in enumerate(items):
        for text in texts:
            rows.setdefault(text, set()).add(row)
    return {text: min(places) for text, places in rows.items() if len(places) == 1 and text}
