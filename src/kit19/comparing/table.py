"""A comparison as tables: for a terminal, as Markdown, as LaTeX (booktabs)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kit19.comparing.result import Comparison, Difference, PublishedScore, Score

ALPHA = 0.05

METRICS = {"acc": "acc", "acc_norm": "acc_norm", "macro_f1": "macro F1", "f1": "F1"}

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
    """

    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str]
    names: int = 2


def score_table(result: Comparison) -> Table:
    """Scores in percent with intervals and marks, in the layout of the paper's table."""
    rows, used = [], set()
    for task in result.tasks:
        for metric in task.metrics:
            found = [result.score(task.name, metric, model.name) for model in result.models]
            used |= {mark for cell in found if cell for mark in marks(cell)}
            baseline = max((cell.baseline for cell in found if cell), default=0.0)
            figures = [_figure(cell) if cell else "–" for cell in found]
            first = [f"{task.title} (n={task.items:,})", METRICS[metric]]
            rows.append([*first, f"{100 * baseline:.2f}", *figures])
    names = [model.name for model in result.models]
    title = "Scores, percent, with 95% intervals"
    return Table(title, ["benchmark", "metric", "one answer", *names], rows, _legend(used))


def difference_table(result: Comparison) -> Table:
    """Paired differences of every model to the base."""
    rows, used = [], set()
    for task in result.tasks:
        for metric in task.metrics:
            for model in result.models[1:]:
                one = result.difference(task.name, metric, model.name)
                if one is None:
                    continue
                used |= {"*"} if one.p_holm < ALPHA else set()
                rows.append([f"{task.title}", METRICS[metric], model.name, *_difference(one)])
    columns = ["benchmark", "metric", "model", "difference", "95%", "p", "p Holm", "won", "lost"]
    title = f"Differences to {result.models[0].name}, points, paired"
    base = result.models[0].name
    tuned = [one.name for one in result.models[1:] if one.trained_from == base]
    joined = (
        [f"trained from {base}, by the digest of its files: {', '.join(tuned)}"] if tuned else []
    )
    tests = "p: exact McNemar for accuracies, paired bootstrap for F1"
    could = "detectable: the smallest difference that a test would detect in 80% of cases"
    return Table(
        title, [*columns, "detectable"], rows, [*_legend(used), *joined, tests, could], names=3
    )


def contamination_table(result: Comparison) -> Table | None:
    """Scores on compromised and clean items; None without an audit or compromised items."""
    if not result.compromises:
        return None
    rows = []
    for one in result.compromises:
        gaps = [
            text
            for gap in (one.model_gap, one.base_gap)
            for text in (
                f"{100 * gap.compromised:.2f}",
                f"{100 * gap.clean:.2f}",
                f"{100 * gap.gap:+.2f} {_bounds(gap.interval, signed=True)}",
            )
        ]
        beyond = f"{100 * one.beyond_base:+.2f} {_bounds(one.interval, signed=True)}"
        title = next(task.title for task in result.tasks if task.name == one.task)
        counts = f"{one.compromised:,} / {one.clean:,}"
        rows.append([f"{title} ({one.model})", METRICS[one.metric], counts, *gaps, beyond])
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
        rows.append([titles.get(task, task), METRICS[metric], *map(_published, found)])
    title = (
        f"{', '.join(dict.fromkeys(c.table for c in result.published))}: {result.published_note}"
    )
    return Table(title, ["benchmark", "metric", *models], rows, _legend(used - {""}))


def tables(result: Comparison) -> list[Table]:
    """All tables, in reading order."""
    found = [score_table(result), difference_table(result)]
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
    below = "" if cell.above_baseline or cell.answers == "constant" else "B"
    return _ANSWER_MARKS[cell.answers] + below + _EXPOSURE_MARKS[cell.seen]


def _figure(cell: Score) -> str:
    figure = f"{100 * cell.score:.2f} {_bounds(cell.interval)}"
    return " ".join(part for part in (figure, marks(cell)) if part)


def _published(cell: PublishedScore) -> str:
    bounds = _bounds((cell.interval[0] / 100, cell.interval[1] / 100)) if cell.interval else ""
    parts = (f"{cell.percent:.2f}", bounds, _ANSWER_MARKS[cell.answers])
    return " ".join(part for part in parts if part)


def _difference(one: Difference) -> list[str]:
    star = " *" if one.p_holm < ALPHA else ""
    return [
        f"{100 * one.difference:+.2f}{star}",
        _bounds(one.interval, signed=True),
        p_text(one.p),
        p_text(one.p_holm),
        f"{one.won:,}",
        f"{one.lost:,}",
        "–" if one.detectable is None else f"{100 * one.detectable:.2f}",
    ]


def p_text(p: float) -> str:
    """Format a p-value with three decimals, or as ``<0.001``."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _bounds(interval: tuple[float, float], *, signed: bool = False) -> str:
    low, high = (100 * bound for bound in interval)
    return f"[{low:+.1f}, {high:+.1f}]" if signed else f"[{low:.1f}, {high:.1f}]"


def _legend(used: set[str]) -> list[str]:
    return [f"{mark}: {meaning}" for mark, meaning in MARKS.items() if mark in used]


def markdown(result: Comparison) -> str:
    """All tables as one Markdown document."""
    lines = [f"# {' · '.join(_md(model.name) for model in result.models)}", ""]
    for table in tables(result):
        lines += [f"## {_md(table.title)}", ""]
        lines.append("| " + " | ".join(map(_md, table.columns)) + " |")
        lines.append("|" + "---|" * table.names + "---:|" * (len(table.columns) - table.names))
        lines += ["| " + " | ".join(map(_md, row)) + " |" for row in table.rows]
        lines += ["", *(f"- {_md(note)}" for note in table.notes)]
        lines += [""] if table.notes else []
    lines += [
        "## Remarks",
        "",
        *(f"- {_md(line)}" for line in [*remarks(result), *_caveats(result)]),
    ]
    return "\n".join(lines) + "\n"


def _caveats(result: Comparison) -> list[str]:
    return result.caveats if result.published else []


_MD_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")


def _md(text: str) -> str:
    # An interval's brackets need no escape: without parentheses they are not a link.
    safe = _MD_SPECIAL.sub(r"\\\1", " ".join(text.split()))
    return safe.replace("\\[", "[").replace("\\]", "]") if "(" not in text else safe


def latex(result: Comparison) -> str:
    """All tables in LaTeX; needs booktabs, and kotex or similar for Korean names."""
    parts = ["% needs \\usepackage{booktabs}\n"]
    for table in tables(result):
        parts += list(_latex_table(table, _tex))
    return "\n".join(parts)


def _latex_table(table: Table, tex: Callable[[str], str]) -> Iterator[str]:
    yield "\\begin{table}\n\\centering\\small"
    yield f"\\caption{{{tex(table.title)}}}"
    kinds = "l" * table.names + "r" * (len(table.columns) - table.names)
    yield f"\\begin{{tabular}}{{{kinds}}}\n\\toprule"
    yield _latex_row(table.columns, tex) + "\n\\midrule"
    before = ""
    for row in table.rows:
        # A benchmark's name is shown once, with its first metric.
        shown = ["" if row[0] == before else row[0], *row[1:]]
        before = row[0]
        yield _latex_row(shown, tex)
    yield "\\bottomrule\n\\end{tabular}"
    yield from (f"\\par {tex(note)}" for note in table.notes)
    yield "\\end{table}\n"


def _latex_row(cells: Sequence[str], tex: Callable[[str], str]) -> str:
    return " & ".join(map(tex, cells)) + r" \\"


_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "–": "--",
    # LaTeX reads a bracket after a line break as an option.
    "[": "{[}",
    "]": "{]}",
}


def _tex(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in " ".join(text.split()))
