"""The charts of a comparison, as SVG: scores, slopes, confusions, scores by prompt length."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kit19.comparing.compared import ComparedTask, Leaderboard
from kit19.comparing.result import Comparison
from kit19.comparing.table import ALPHA, metric_label
from kit19.drawing.glyphs import FAMILY, font_path, missing_layer, outlined
from kit19.drawing.safe_text import printable

# Okabe and Ito's colors, which color-blind people can distinguish; the base is gray.
_COLORS = ["#5f6368", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#000000"]
_WIDTH = 620
_NOT_IN_FILES = re.compile(r"[^\w.-]")


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes:
        name: The name of its file.
        title: The title above it.
        task: The task; empty for a chart of all tasks.
        svg: The SVG, with texts as outlines.
    """

    name: str
    title: str
    task: str
    svg: str


def draw_charts(result: Comparison) -> Iterator[Chart]:
    """Draw all charts.

    Raises:
        OutputError: ``kit19[report]`` is not installed.
    """
    yield Chart("scores", "Scores with 95% intervals", "", _svg(_scores(result)))
    if result.differences:
        title = f"From {result.models[0].name} to each other model"
        yield Chart("slopes", title, "", _svg(_slopes(result)))
    for board in result.leaderboards:
        if not board.task:
            yield Chart("ranks", "Ranks over all benchmarks", "", _svg(_ranks(result, board)))
    for place, task in enumerate(result.tasks):
        if not task.golds:
            continue
        name = _file_name(task.name, place)
        title = f"{task.title}: answers by class"
        yield Chart(f"confusion_{name}", title, task.name, _svg(_confusion(result, task)))
        title = f"{task.title}: accuracy by prompt length"
        yield Chart(f"length_{name}", title, task.name, _svg(_lengths(result, task)))


def _file_name(task: str, place: int) -> str:
    """A task's name as part of a file name; a foreign task may be named ``../x``."""
    safe = _NOT_IN_FILES.sub("_", task)[:60]
    return task if safe == task else f"{safe}-{place}"


def to_png(svg: str) -> bytes:
    """Render an SVG as PNG, with two pixels per unit."""
    return bytes(_engine()[1].svg_to_png(svg, scale=2))


@functools.cache
def _engine() -> tuple[Any, Any]:
    try:
        import altair  # noqa: PLC0415  slow to load
        import vl_convert  # noqa: PLC0415
    except ImportError:
        raise missing_layer() from None
    # Otherwise Korean text would have the width of boxes.
    vl_convert.register_font_directory(str(font_path().parent))
    return altair, vl_convert


def _svg(chart: Any) -> str:
    plain = {"labelFontWeight": "normal", "titleFontWeight": "normal"}
    styled = (
        chart.configure(font=FAMILY, background="white")
        .configure_axis(**plain, labelLimit=260, gridColor="#e8e8e8", labelFontSize=11)
        .configure_header(**plain, labelFontSize=12, labelLimit=220)
        .configure_legend(**plain, orient="top", labelLimit=240, columns=3, labelFontSize=11)
        .configure_view(stroke=None)
    )
    return outlined(_engine()[1].vegalite_to_svg(styled.to_dict()))


def _names(result: Comparison) -> list[str]:
    return [printable(model.name) for model in result.models]


def _scale(alt: Any, names: list[str]) -> Any:
    colors = [_COLORS[place % len(_COLORS)] for place in range(len(names))]
    return alt.Scale(domain=names, range=colors)


def _color(alt: Any, names: list[str]) -> Any:
    return alt.Color("model:N", sort=names, scale=_scale(alt, names), title=None)


def _scores(result: Comparison) -> Any:
    alt, names = _engine()[0], _names(result)
    values = [
        {
            "row": printable(f"{task.title} · {metric_label(metric)}"),
            "model": printable(model.name),
            "score": 100 * cell.score,
            "low": 100 * cell.interval[0],
            "high": 100 * cell.interval[1],
            "baseline": None if cell.baseline is None else 100 * cell.baseline,
        }
        for task, depth in result.benchmarks()
        if not depth
        for metric in task.metrics
        if task.scale(metric) == "share"
        for model in result.models
        if (cell := result.score(task.name, metric, model.name))
    ]
    rows = list(dict.fromkeys(value["row"] for value in values))
    base = alt.Chart(alt.Data(values=values)).encode(
        y=alt.Y("row:N", sort=rows, title=None),
    )
    models = base.encode(yOffset=alt.YOffset("model:N", sort=names), color=_color(alt, names))
    x = alt.X("score:Q", title="percent (gray line: one answer for every item)")
    reach = models.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", scale=alt.Scale(domain=[0, 100])), x2="high:Q"
    )
    points = models.mark_point(filled=True, size=42, opacity=1).encode(x=x)
    height = len(rows) * (10 * len(names) + 10)
    size = height / len(rows) * 0.8
    ticks = base.mark_tick(color="#9aa0a6", thickness=1.5, size=size).encode(x="baseline:Q")
    return alt.layer(ticks, reach, points).properties(width=_WIDTH, height=height)


def _slopes(result: Comparison) -> Any:
    alt, names = _engine()[0], _names(result)
    values, titles = [], []
    for task, depth in result.benchmarks():
        metric = next(iter(task.metrics), "")
        if depth or not metric or task.scale(metric) != "share":
            continue
        title = printable(f"{task.title} · {metric_label(metric)}")
        before = result.score(task.name, metric, result.models[0].name)
        for model in result.models[1:]:
            after = result.score(task.name, metric, model.name)
            test = result.difference(task.name, metric, model.name)
            if before is None or after is None or test is None:
                continue
            titles.append(title)
            sure = "yes" if test.p_holm < ALPHA else "no"
            facet = {"task": title, "to": printable(model.name), "sure": sure}
            values += [{**facet, "side": "base", "score": 100 * before.score}]
            values += [{**facet, "side": "model", "score": 100 * after.score}]
    legend = alt.Legend(columns=2, symbolType="stroke")
    lines = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X("side:N", sort=["base", "model"], title=None, axis=alt.Axis(labelAngle=0)),
        y=alt.Y(
            "score:Q",
            title="percent (dashed: not distinguishable from noise)",
            scale=alt.Scale(zero=False, nice=True),
        ),
        color=alt.Color(
            "task:N",
            title=None,
            sort=list(dict.fromkeys(titles)),
            scale=alt.Scale(range=_COLORS[1:]),
            legend=legend,
        ),
        strokeDash=alt.StrokeDash(
            "sure:N", scale=alt.Scale(domain=["yes", "no"], range=[[1, 0], [4, 3]]), legend=None
        ),
        detail="task:N",
    )
    one = alt.layer(lines.mark_line(strokeWidth=2.2), lines.mark_point(filled=True, opacity=1))
    width = max(110, min(260, _WIDTH // max(1, len(names) - 1)))
    return one.properties(width=width, height=280).facet(
        facet=alt.Facet("to:N", sort=names, title=None), columns=3
    )


def _ranks(result: Comparison, board: Leaderboard) -> Any:
    alt, names = _engine()[0], [printable(one.model) for one in board.models]
    values = [
        {"model": printable(one.model), "rank": one.rank, "best": one.best, "worst": one.worst}
        for one in board.models
    ]
    base = alt.Chart(alt.Data(values=values)).encode(
        y=alt.Y("model:N", sort=names, title=None),
        color=alt.Color(
            "model:N", scale=_scale(alt, _names(result)), sort=_names(result), legend=None
        ),
    )
    scale = alt.Scale(domain=[0.5, len(names) + 0.5], nice=False)
    axis = alt.Axis(values=list(range(1, len(names) + 1)), format="d")
    title = "rank, with its simultaneous 95% interval"
    reach = base.mark_rule(strokeWidth=4).encode(
        x=alt.X("best:Q", scale=scale, axis=axis, title=title), x2="worst:Q"
    )
    points = base.mark_point(filled=True, size=70, opacity=1).encode(x="rank:Q")
    return alt.layer(reach, points).properties(width=_WIDTH, height=26 * len(names))


def _confusion(result: Comparison, task: ComparedTask) -> Any:
    alt = _engine()[0]
    labels = [printable(label) for label in task.labels]
    values = []
    for confusion in result.confusions:
        if confusion.task != task.name:
            continue
        for gold, row in enumerate(confusion.counts):
            for answer, count in enumerate(row):
                values.append(
                    {
                        "model": printable(confusion.model),
                        "gold": labels[gold],
                        "answer": labels[answer],
                        "count": count,
                        "share": count / max(1, sum(row)),
                    }
                )
    cells = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X("answer:N", sort=labels, title="answer", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("gold:N", sort=labels, title="right"),
    )
    scale = alt.Scale(domain=[0, 1], scheme="blues")
    squares = cells.mark_rect().encode(color=alt.Color("share:Q", scale=scale, legend=None))
    ink = alt.condition("datum.share > 0.55", alt.value("white"), alt.value("#202124"))
    counts = cells.mark_text(fontSize=11).encode(text="count:Q", color=ink)
    return _in_facets(alt, squares, counts, len(labels), _names(result))


def _in_facets(alt: Any, squares: Any, counts: Any, classes: int, names: list[str]) -> Any:
    side = max(110, 44 * classes)
    layered = alt.layer(squares, counts).properties(width=side, height=max(64, 30 * classes))
    columns = max(1, 700 // (side + 60))
    return layered.facet(facet=alt.Facet("model:N", sort=names, title=None), columns=columns)


def _lengths(result: Comparison, task: ComparedTask) -> Any:
    alt, names = _engine()[0], _names(result)
    values = [
        {
            "model": printable(one.model),
            "length": f"{one.shortest:,}–{one.longest:,}",
            "score": 100 * one.score,
            "low": 100 * one.interval[0],
            "high": 100 * one.interval[1],
        }
        for one in result.lengths
        if one.task == task.name
    ]
    order = list(dict.fromkeys(value["length"] for value in values))
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X(
            "length:N", sort=order, title="characters of the prompt", axis=alt.Axis(labelAngle=0)
        ),
        xOffset=alt.XOffset("model:N", sort=names),
        color=_color(alt, names),
    )
    reach = base.mark_rule(strokeWidth=2).encode(
        y=alt.Y("low:Q", title="accuracy, percent", scale=alt.Scale(domain=[0, 100])), y2="high:Q"
    )
    points = base.mark_point(filled=True, size=42, opacity=1).encode(y="score:Q")
    return alt.layer(reach, points).properties(width=440, height=200)
