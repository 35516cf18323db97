"""A comparison as one HTML page without external resources; it can be printed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kit19.comparing.charts import Chart
from kit19.comparing.items import MAX_ITEMS
from kit19.comparing.result import Comparison
from kit19.comparing.table import (
    ALPHA,
    MARKS,
    Table,
    contamination_table,
    difference_table,
    leaderboard_tables,
    published_table,
    remarks,
    score_table,
)
from kit19.drawing.glyphs import font_face
from kit19.drawing.safe_text import json_in_script, plain, printable

_HERE = Path(__file__).parent
_MARKED = re.compile(rf" ([{re.escape(''.join(MARKS))}]+)$")

_METHOD = """\
<p class="note">Right or wrong: Wilson's interval, exact McNemar test. F1 and grades: percentile
bootstrap over items, paired for differences. Clusters and several runs: jackknife over both with
Student's t; for single runs the exact test that flips the signs of clusters. p is Holm-corrected over
all differences in the table. <b>detectable</b>: the smallest difference that a test on these items
would detect in 80% of cases.</p>"""

_KINDS = {
    "": "all shown here",
    "won": "won",
    "lost": "lost",
    "right": "both right",
    "wrong": "both wrong",
    "same": "the same grade",
}


def comparison_page(result: Comparison, charts: Sequence[Chart], items: dict[str, Any]) -> str:
    """Build the page of a comparison.

    Args:
        result: The comparison.
        charts: Its charts.
        items: The result of ``changed_items``.
    """
    face = font_face(printable(json.dumps(items, ensure_ascii=False) + result.model_dump_json()))
    style = face + (_HERE / "page.css").read_text(encoding="utf-8")
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = (
        "default-src 'none'; style-src 'unsafe-inline'; font-src data:; "
        f"script-src 'sha256-{digest}'"
    )
    title = plain(" · ".join(model.name for model in result.models))
    general = {chart.name: chart for chart in charts if not chart.task}
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{allowed}">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>",
        f"<h1>{title}</h1>",
        *_summary(result),
        *_models(result),
        *_table(score_table(result)),
        *(_figure(chart) for chart in general.values() if chart.name == "scores"),
        *_table(difference_table(result)),
        _METHOD,
        *(_figure(chart) for chart in general.values() if chart.name == "slopes"),
        *(line for table in leaderboard_tables(result) for line in _table(table)),
        *(_figure(chart) for chart in general.values() if chart.name == "ranks"),
        *_optional_table(contamination_table(result)),
        *_by_task(result, charts),
        *_item_browser(result, items),
        *_optional_table(published_table(result)),
        *_list("note", result.caveats if result.published else []),
        f'<script type="application/json" id="items">{json_in_script(items)}</script>',
        f"<script>{script}</script>\n</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _summary(result: Comparison) -> Iterator[str]:
    """A sentence for each model, then the remarks."""
    base = plain(result.models[0].name)
    yield "<ul>"
    for model in result.models[1:]:
        ours = [one for one in result.differences if one.model == model.name]
        better = sum(one.p_holm < ALPHA and one.difference > 0 for one in ours)
        worse = sum(one.p_holm < ALPHA and one.difference < 0 for one in ours)
        rest = len(ours) - better - worse
        yield f"<li><b>{plain(model.name)}</b> against {base}, over {len(ours)} scores: "
        yield f"{better} better, {worse} worse, {rest} not distinguishable from noise.</li>"
    yield "</ul>"
    yield from _list("mind", remarks(result))


def _list(kind: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f'<ul class="{kind}">'
        yield from (f"<li>{plain(line)}</li>" for line in lines)
        yield "</ul>"


def _models(result: Comparison) -> Iterator[str]:
    columns = ["model", "scored by", "dtype", "asked", "trained from", "training data", "recipe"]
    rows = [
        [
            one.name,
            one.writer,
            one.dtype or "–",
            one.asked,
            one.trained_from or "–",
            one.data or "not recorded",
            one.recipe,
        ]
        for one in result.models
    ]
    yield from _table(Table("Models", columns, rows, [], names=len(columns)))


def _optional_table(table: Table | None) -> Iterator[str]:
    if table:
        yield from _table(table)


def _table(table: Table) -> Iterator[str]:
    yield f'<h2>{plain(table.title)}</h2>\n<div class="wide"><table>\n<thead><tr>'
    kinds = [
        "" if place < table.names else ' class="number"' for place in range(len(table.columns))
    ]
    for kind, text in zip(kinds, table.columns, strict=True):
        yield f"<th{kind}>{plain(text)}</th>"
    yield "</tr></thead>\n<tbody>"
    before = ""
    depths = table.depths or [0] * len(table.rows)
    below = [*depths[1:], 0]
    for row, depth, next_depth in zip(table.rows, depths, below, strict=True):
        again = ' class="again"' if row[0] == before else ""
        level = f' data-depth="{depth}"' if any(depths) else ""
        folds = " data-folds" if next_depth > depth else ""
        yield f"<tr{again}{level}{folds}>"
        before = row[0]
        for kind, text in zip(kinds, row, strict=True):
            yield f"<td{kind}>{_with_marks(text) if kind else plain(text)}</td>"
        yield "</tr>"
    yield "</tbody>\n</table></div>"
    yield from _list("note", table.notes)


def _with_marks(text: str) -> str:
    found = _MARKED.search(text)
    if not found:
        return plain(text)
    meanings = "; ".join(MARKS[mark] for mark in found[1])
    return (
        f'{plain(text[: found.start()])} <mark title="{plain(meanings)}">{plain(found[1])}</mark>'
    )


def _figure(chart: Chart) -> str:
    # The SVG is safe: its texts are outlines and escaped labels.
    return f"<figure>\n<figcaption>{plain(chart.title)}</figcaption>\n{chart.svg}\n</figure>"


def _by_task(result: Comparison, charts: Sequence[Chart]) -> Iterator[str]:
    if not any(task.golds for task in result.tasks):
        return
    yield "<h2>Benchmark by benchmark</h2>"
    yield '<p class="note">Left: how often each right class (rows) got each answer (columns); '
    yield "right: accuracy on the quarters of items with the shortest to the longest prompts.</p>"
    for task in result.tasks:
        if not task.golds:
            continue
        yield '<section class="pair">'
        yield from (_figure(chart) for chart in charts if chart.task == task.name)
        yield "</section>"


def _item_browser(result: Comparison, items: dict[str, Any]) -> Iterator[str]:
    yield "<h2>Items won and lost</h2>"
    left = {task: count for task, count in items["left"].items() if count}
    counts = f"{MAX_ITEMS} won and {MAX_ITEMS} lost items"
    shown = f"The first {counts} of each model and benchmark are shown"
    more = ", ".join(f"{count:,} of {plain(task)}" for task, count in left.items())
    yield f'<p class="note">{shown}{f"; {more} are not" if more else ""}. A ✓ marks the right '
    yield "choice, a color the chosen one; figures are log-likelihoods. Generated answers are next to "
    yield "each other, below the right one.</p>"
    yield "<noscript><p>Browsing items needs JavaScript.</p></noscript>"
    yield '<div class="filters">'
    yield from _select("task", {"": "all", **{one.name: one.title for one in result.tasks}})
    names = {str(place): one.name for place, one in enumerate(result.models) if place}
    yield from _select("model", names)
    yield from _select("kind", _KINDS)
    yield '<label>text <input id="words" type="search"></label></div>'
    yield '<p id="count" class="note"></p><div id="list"></div>'
    yield '<button id="more" type="button" hidden>more</button>'


def _select(name: str, values: dict[str, str]) -> Iterator[str]:
    yield f'<label>{name} <select id="{name}">'
    for value, text in values.items():
        yield f'<option value="{plain(value)}">{plain(text)}</option>'
    yield "</select></label>"
