"""A comparison as tables of texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from kit19.comparing.compared import (
    ComparedGroup,
    ComparedModel,
    ComparedTask,
    Leaderboard,
    Scale,
    Test,
)
from kit19.comparing.result import Comparison, Difference, PublishedScore, Score

ALPHA = 0.05

_METRICS = {
    "acc": "acc",
    "acc_norm": "acc_norm",
    "macro_f1": "macro F1",
    "f1": "F1",
    "exact_match": "exact match",
}
_TESTS: dict[Test, str] = {
    "mcnemar": "exact McNemar",
    "bootstrap": "paired bootstrap",
    "sign_flip": "exact, by flipping the signs of clusters",
    "t": "Student's t of the jackknife over clusters and runs",
}

MARKS = {
    "C": "the same answer every time",
    "N": "nearly the same answer every time",
    "B": "not above the baseline: the interval includes the score of one answer for every item",
    "X": "contaminated: items of the benchmark were in the training data",
    "I": "held in: the benchmark's train split was trained on",
    "*": "a difference after Holm's correction over all differences (p < 0.05)",
}
"""Marks after figures, and their meanings."""


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        title: The title.
        columns: The headings.
        rows: The cells of each row.
        notes: Lines below the table.
        names: The number of columns with names; the columns after them have figures.
        depths: For each row, the number of groups that contain its benchmark; empty if none does.
    """

    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str]
    names: int = 2
    depths: list[int] = field(default_factory=list)

    def folded(self) -> Table:
        """The table without the members of groups, and with a note on them."""
        hidden = sum(depth > 0 for depth in self.depths)
        if not hidden:
            return self
        rows = [row for row, depth in zip(self.rows, self.depths, strict=True) if not depth]
        note = f"{hidden} rows of members of groups are folded: --members shows them"
        return replace(self, rows=rows, depths=[], notes=[*self.notes, note])


def metric_label(name: str, scale: Scale = "share") -> str:
    """The name of a metric in tables."""
    plain, _, filtered = name.partition(",")
    label = _METRICS.get(plain, plain)
    more = [one for one in (filtered, "points" if scale == "points" else "") if one]
    return f"{label} ({', '.join(more)})" if more else label


def score_table(result: Comparison) -> Table:
    """Scores in percent with intervals and marks, in the layout of the paper's table."""
    rows, used, depths = [], set(), []
    for task, depth in result.benchmarks():
        for metric in task.metrics:
            found = [result.score(task.name, metric, model.name) for model in result.models]
            used |= {mark for cell in found if cell for mark in marks(cell)}
            baselines = [cell.baseline for cell in found if cell and cell.baseline is not None]
            baseline = f"{100 * max(baselines):.2f}" if baselines else "–"
            scale = task.scale(metric)
            figures = [_figure(cell, scale) if cell else "–" for cell in found]
            name = f"{_indented(task.title, depth)} ({_size(task)})"
            rows.append([name, metric_label(metric, scale), baseline, *figures])
            depths.append(depth)
    names = [_with_runs(model) for model in result.models]
    title = "Scores, percent, with 95% intervals"
    notes = [*_legend(used), *_variance_notes(result)]
    columns = ["benchmark", "metric", "one answer", *names]
    return Table(title, columns, rows, notes, depths=depths)


def _indented(title: str, depth: int) -> str:
    return "\u2003" * depth + title


def _size(task: ComparedTask | ComparedGroup) -> str:
    items = f"n={task.items:,}"
    if isinstance(task, ComparedGroup):
        return f"{items}, {task.tasks} tasks"
    return f"{items}, {task.clusters:,} clusters" if task.clusters else items


def _with_runs(model: ComparedModel) -> str:
    return f"{model.name} ({model.runs} runs)" if model.runs > 1 else model.name


def _variance_notes(result: Comparison) -> list[str]:
    """What the intervals of several runs and repeats include."""
    notes = []
    for model in result.models:
        cells = [cell for cell in result.cells if cell.model == model.name]
        parts = [cell.from_runs for cell in cells if cell.from_runs is not None]
        if model.runs > 1:
            most = f", at most {100 * max(parts):.0f}% of a variance" if parts else ""
            notes.append(f"{model.name}: intervals include items and {model.runs} runs{most}")
        repeats = max((cell.repeats for cell in cells), default=1)
        if repeats > 1:
            notes.append(f"{model.name}: scores are means of up to {repeats} answers to an item")
    return notes


def difference_table(result: Comparison) -> Table:
    """Paired differences of every model to the base."""
    rows, used, depths = [], set(), []
    for task, depth in result.benchmarks():
        for metric in task.metrics:
            scale = task.scale(metric)
            for model in result.models[1:]:
                one = result.difference(task.name, metric, model.name)
                if one is None:
                    continue
                used |= {"*"} if one.p_holm < ALPHA else set()
                title = _indented(task.title, depth)
                label = metric_label(metric, scale)
                rows.append([title, label, model.name, *_difference(one, scale)])
                depths.append(depth)
    columns = ["benchmark", "metric", "model", "difference", "95%", "p", "p Holm", "won", "lost"]
    title = f"Differences to {result.models[0].name}, points, paired"
    base = result.models[0].name
    tuned = [one.name for one in result.models[1:] if one.trained_from == base]
    joined = (
        [f"trained from {base}, by the digest of its files: {', '.join(tuned)}"] if tuned else []
    )
    could = "detectable: the smallest difference that a test would detect in 80% of cases"
    notes = [*_legend(used), *joined, _tests_note(result), could]
    return Table(title, [*columns, "detectable"], rows, notes, names=3, depths=depths)


def _tests_note(result: Comparison) -> str:
    used = dict.fromkeys(one.test for one in result.differences)
    if set(used) <= {"mcnemar", "bootstrap"}:
        graded = any(not task.golds for task in result.tasks)
        other = "F1 and grades" if graded else "F1"
        right = "right or wrong answers" if graded else "accuracies"
        return f"p: exact McNemar for {right}, paired bootstrap for {other}"
    kinds = []
    for test in used:
        where = dict.fromkeys(
            f"{one.task} {metric_label(one.metric)}"
            for one in result.differences
            if one.test == test
        )
        kinds.append(f"{_TESTS[test]} ({_listed(list(where))})")
    return f"p: {'; '.join(kinds)}"


def _listed(names: list[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def leaderboard_tables(result: Comparison) -> Iterator[Table]:
    """The ranks over everything, and those on each benchmark that is in no group."""
    boards = {board.task: board for board in result.leaderboards}
    if "" in boards:
        yield _board_table(result, boards[""])
    if not boards:
        return
    rows, depths = [], []
    for task, depth in result.benchmarks():
        board = boards.get(task.name)
        if board is None:
            continue
        by = {one.model: one for one in board.models}
        figures = []
        for model in result.models:
            one = by.get(model.name)
            figures.append(f"{one.rank} [{one.best}–{one.worst}] {one.groups}" if one else "–")
        label = metric_label(board.metric, board.scale)
        rows.append([_indented(task.title, depth), label, *figures])
        depths.append(depth)
    columns = ["benchmark", "metric", *(model.name for model in result.models)]
    yield Table("Ranks by benchmark, with 95% intervals", columns, rows, _RANK_NOTES, depths=depths)


_RANK_NOTES = [
    "rank: one more than the number of models that are better for certain, so that models share it",
    "intervals of ranks hold together with 95% (Holm over all pairs of a row)",
    "models with a common letter cannot be distinguished",
]


def _board_table(result: Comparison, board: Leaderboard) -> Table:
    titles = {one.name: one.title for one, _ in result.benchmarks()}
    names = [titles.get(name, name) for name in board.weights]
    rows = [
        [
            str(one.rank),
            one.model,
            f"{100 * one.score:.2f}",
            _bounds(one.interval),
            f"{one.best}–{one.worst}",
            one.groups,
        ]
        for one in board.models
    ]
    mean = f"score: the mean of {len(names)} benchmarks, 1/{len(names)} each: {_listed(names, 12)}"
    columns = ["rank", "model", "score", "95%", "ranks, 95%", "group"]
    title = "Leaderboard, percent"
    return Table(title, columns, rows, [mean, *_RANK_NOTES])


def contamination_table(result: Comparison) -> Table | None:
    """Scores on compromised and clean items; None without an audit or compromised items."""
    if not result.compromises:
        return None
    rows = []
    for one in result.compromises:
        task = next(task for task in result.tasks if task.name == one.task)
        scale = task.scale(one.metric)
        gaps = [
            text
            for gap in (one.model_gap, one.base_gap)
            for text in (
                _number(gap.compromised, scale),
                _number(gap.clean, scale),
                f"{_number(gap.gap, scale, '+')} {_bounds(gap.interval, scale, signed=True)}",
            )
        ]
        beyond = (
            f"{_number(one.beyond_base, scale, '+')} {_bounds(one.interval, scale, signed=True)}"
        )
        title = task.title
        counts = f"{one.compromised:,} / {one.clean:,}"
        rows.append(
            [f"{title} ({one.model})", metric_label(one.metric, scale), counts, *gaps, beyond]
        )
    parts = ["found", "clean", "gap"]
    columns = ["items", *parts, *(f"base {part}" for part in parts), "gap beyond base"]
    title = "Items that were in the training data, and the others, percent"
    return Table(title, ["benchmark", "metric", *columns], rows, [])


def published_table(result: Comparison) -> Table | None:
    """Published scores; None if no benchmark of the comparison has any."""
    if not result.published:
        return None
    models = list(dict.fromkeys(cell.model for cell in result.published))
    titles = {task.name: task.title for task in result.tasks}
    keys = dict.fromkeys((cell.task, cell.metric) for cell in result.published)
    by = {(cell.task, cell.metric, cell.model): cell for cell in result.published}
    rows, used = [], set()
    for task, metric in keys:
        found = [by[task, metric, model] for model in models if (task, metric, model) in by]
        used |= {_ANSWER_MARKS[cell.answers] for cell in found}
        rows.append([titles.get(task, task), metric_label(metric), *map(_published, found)])
    title = (
        f"{', '.join(dict.fromkeys(c.table for c in result.published))}: {result.published_note}"
    )
    return Table(title, ["benchmark", "metric", *models], rows, _legend(used - {""}))


def tables(result: Comparison) -> list[Table]:
    """All tables, in reading order."""
    found = [score_table(result), difference_table(result), *leaderboard_tables(result)]
    return [*found, *(t for t in (contamination_table(result), published_table(result)) if t)]


def remarks(result: Comparison) -> list[str]:
    """Remarks for the reader, one per line."""
    lines = [f"unfair: {one}" for one in result.unfair]
    for note in result.notes:
        where = " · ".join(text for text in (note.model, note.task) if text)
        lines.append(f"{where}: {note.what}")
    sample = [model.name for model in result.models if model.sample]
    if sample:
        lines.append(f"{', '.join(sample)}: trained on kit19's sample, not on the datasets")
    lines.append("The pretraining data of these models is unknown.")
    return lines


_ANSWER_MARKS = {"": "", "constant": "C", "near_constant": "N"}
_EXPOSURE_MARKS = {"contaminated": "X", "held_in": "I", "held_out": "", "unknown": ""}


def marks(cell: Score) -> str:
    """The marks of a score, as one string."""
    below = "B" if cell.above_baseline is False and cell.answers != "constant" else ""
    return _ANSWER_MARKS[cell.answers] + below + _EXPOSURE_MARKS[cell.seen]


def _figure(cell: Score, scale: Scale) -> str:
    figure = f"{_number(cell.score, scale)} {_bounds(cell.interval, scale)}"
    return " ".join(part for part in (figure, marks(cell)) if part)


def _published(cell: PublishedScore) -> str:
    bounds = _bounds((cell.interval[0] / 100, cell.interval[1] / 100)) if cell.interval else ""
    parts = (f"{cell.percent:.2f}", bounds, _ANSWER_MARKS[cell.answers])
    return " ".join(part for part in parts if part)


def _difference(one: Difference, scale: Scale) -> list[str]:
    star = " *" if one.p_holm < ALPHA else ""
    return [
        f"{_number(one.difference, scale, '+')}{star}",
        _bounds(one.interval, scale, signed=True),
        p_text(one.p),
        p_text(one.p_holm),
        f"{one.won:,}",
        f"{one.lost:,}",
        "–" if one.detectable is None else _number(one.detectable, scale),
    ]


def p_text(p: float) -> str:
    """Format a p-value with three decimals, or as ``<0.001``."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _number(value: float, scale: Scale, sign: str = "") -> str:
    return f"{value * (100 if scale == 'share' else 1):{sign}.2f}"


def _bounds(interval: tuple[float, float], scale: Scale = "share", *, signed: bool = False) -> str:
    factor, digits = (100, 1) if scale == "share" else (1, 2)
    form = f"{'+' if signed else ''}.{digits}f"
    low, high = (f"{factor * bound:{form}}" for bound in interval)
    return f"[{low}, {high}]"


def _legend(used: set[str]) -> list[str]:
    return [f"{mark}: {meaning}" for mark, meaning in MARKS.items() if mark in used]
