"""Render an audit as one HTML page that loads nothing, uses no script, and prints well."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from kit19.auditing.result import RULES, Audit, Compromised, Hit, Remark, strongest

MOST_SHOWN = 100

# Whatever a text contains, the page runs no code and loads nothing.
_ALLOWED = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --bar: #c2410c; --soft: #8881; }
body { font: 15px/1.5 "kit19 Korean", system-ui, sans-serif; max-width: 75rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
h1, h2, p, td { overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem;
  border-bottom: 1px solid var(--line); }
th, td.whole { white-space: nowrap; } td.number, th.number { text-align: right; white-space: nowrap; }
td.name { min-width: 7rem; }
td.text { width: 33%; unicode-bidi: isolate; white-space: pre-wrap; word-break: keep-all; }
.bar { display: block; min-width: 8rem; height: .7rem; margin-top: .4rem; background: var(--soft);
  border: 1px solid var(--line); }
.bar i { display: block; height: 100%; background: var(--bar); print-color-adjust: exact;
  -webkit-print-color-adjust: exact; }
.note { opacity: .75; }
tr { break-inside: avoid; } thead { display: table-header-group; }
@media screen and (max-width: 45rem) {
  section thead { display: none; }
  section tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  section td, section td.text, section td.number { display: block; width: auto; border: 0;
    text-align: left; padding: .05rem 0; }
  section td[title]::before { content: attr(title) " "; opacity: .6; }
}
@media print { body { font-size: 10px; margin: 0; max-width: none; } h2 { break-after: avoid; }
  .wide { overflow: visible; } }
"""

_MEANING = """\
<p class="note">Texts are compared as letters and digits alone: spacing, punctuation, width and case
do not count. <b>equal</b>: a text equals an item's text. <b>contained</b>: a longer text contains all
of it. <b>near</b>: a text contains at least half of it close together, by the weight of its rarer
three-character sequences, or at least 70% of it by the weight of its words without their particles
and endings. Items of fewer than 15 letters and digits count only when equal. What compromises an item
is in the card of its benchmark: of a pair both sides, in any rows; of a question with options the
question and the right option, in one row.</p>"""

# Control characters are not allowed in HTML, and direction marks would reorder the text around them.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def audit_page(result: Audit, most: int = MOST_SHOWN, face: str = "") -> str:
    """Render an audit as a page.

    Args:
        result: The audit.
        most: Number of hits to show of each benchmark, the surest first. The page states how many more
            there are.
        face: A CSS rule with embedded Korean glyphs; without it, the reader's fonts are used.
    """
    several = any(hit.row != hit.file_row for hit in result.hits if hit.file)
    by_name: dict[str, list[Hit]] = {name: [] for name in result.benchmarks}
    for hit in result.hits:
        by_name[hit.benchmark].append(hit)
    found = len(result.rows)
    summary = f"{found:,} of {result.rows_read:,} rows contain benchmark text"
    if not found:
        summary = f"No benchmark text in {result.rows_read:,} rows"
    if result.not_searched:
        summary += ", but not all of the dataset was searched"
    allowed = _ALLOWED + ("; font-src data:" if face else "")
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{allowed}">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>Audit of {_escape(result.dataset)}</title>",
        f"<style>{face}{_STYLE}</style>\n</head>\n<body>",
        f"<h1>Audit of {_escape(result.dataset)}</h1>",
        f"<p><b>{summary}.</b></p>",
        *_list_remarks("Not searched", result.not_searched),
        *_summary_table(result.benchmarks),
        _MEANING,
        *(
            line
            for name, hits in by_name.items()
            if hits
            for line in _section(name, hits, most, several)
        ),
        *_list_common(result),
        *_list_allowed(result),
        *_list_remarks("Not searched for", result.not_searched_for),
        *_list_remarks("Notes", result.notes),
        "</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _summary_table(benchmarks: dict[str, Compromised]) -> Iterator[str]:
    yield '<div class="wide"><table>\n<thead><tr><th>benchmark</th>'
    for name in ("items", "compromised", *RULES, "touched"):
        yield f'<th class="number">{name}</th>'
    yield '<th class="number">share</th><th></th></tr></thead>\n<tbody>'
    for name, one in benchmarks.items():
        numbers = (one.items, one.compromised, *one.added_by_rule().values(), one.touched)
        yield f'<tr><td class="whole">{_escape(name)}</td>'
        yield "".join(f'<td class="number">{number:,}</td>' for number in numbers)
        yield f'<td class="number">{one.share:.2%}</td><td>{_bar(one.share)}</td></tr>'
    yield "</tbody>\n</table></div>"


def _list_common(result: Audit) -> Iterator[str]:
    if not result.common:
        return
    yield "<h2>Common text</h2>\n<p>More than 0.1% of the rows contain these texts of items. They are"
    yield "the dataset's own boilerplate and no evidence of a leak, so they are not counted.</p>"
    yield '<table>\n<thead><tr><th class="number">rows</th><th>item</th><th>text</th></tr></thead>'
    yield "<tbody>"
    for one in sorted(result.common, key=lambda one: -one.rows):
        yield f'<tr><td class="number" title="rows">{one.rows:,}</td>'
        field = f'<span class="note">{_escape(one.field)}</span>'
        yield f'<td class="name">{_escape(f"{one.benchmark} {one.item}")}<br>{field}</td>'
        yield f'<td class="text" lang="ko" title="text:">{_escape(one.item_text)}</td></tr>'
    yield "</tbody>\n</table>"


def _list_allowed(result: Audit) -> Iterator[str]:
    if not result.allowed:
        return
    yield "<h2>Allowed</h2>\n<p>Somebody found these pairs to be no leaks (--allow). They are not"
    yield "counted.</p>"
    yield '<table>\n<thead><tr><th class="number">rows</th><th>item</th><th>text</th><th>why</th>'
    yield "</tr></thead>\n<tbody>"
    for one in result.allowed:
        yield f'<tr><td class="number" title="rows">{one.rows:,}</td>'
        field = f'<span class="note">{_escape(one.field)}</span>'
        yield f'<td class="name">{_escape(f"{one.benchmark} {one.item}")}<br>{field}</td>'
        yield f'<td class="text" lang="ko" title="text:">{_escape(one.text)}</td>'
        yield f"<td>{_escape(one.why)}</td></tr>"
    yield "</tbody>\n</table>"


def _list_remarks(title: str, remarks: list[Remark]) -> Iterator[str]:
    if remarks:
        yield f"<h2>{title}</h2>\n<ul>"
        yield from (f"<li>{_escape(one.where)}: {_escape(one.what)}</li>" for one in remarks)
        yield "</ul>"


def _bar(share: float) -> str:
    return f'<span class="bar"><i style="width:{100 * share:.2f}%"></i></span>'


def _section(name: str, hits: list[Hit], most: int, several: bool) -> Iterator[str]:
    shown = strongest(hits)[:most]
    left = len(hits) - len(shown)
    yield f"<section>\n<h2>{_escape(name)}: {len(hits):,} hit{'s' if len(hits) > 1 else ''}</h2>"
    if left:
        first = f"The surest {len(shown):,} are shown; {left:,} more are not shown here."
        yield f'<p class="note">{first} hits.parquet has all of them.</p>'
    yield '<table>\n<thead><tr><th class="number">row</th><th>column</th><th>item</th><th>rule</th>'
    yield "<th>in the dataset</th><th>in the benchmark</th></tr></thead>\n<tbody>"
    for hit in shown:
        rule = hit.rule + (f" {hit.overlap:.0%}" if hit.rule == "near" else "")
        yield f'<tr><td class="number" title="row">{hit.row:,}</td>'
        place = f"{_escape(hit.file)}, row {hit.file_row}"
        place = f'<br><span class="note">{place}</span>' if several else ""
        yield f'<td class="name" title="column">{_escape(hit.column)}{place}</td>'
        field = f'<span class="note">{_escape(hit.field)}</span>'
        yield f'<td class="name">{_escape(hit.item)}<br>{field}</td>'
        yield f'<td class="whole">{rule}</td>'
        yield f'<td class="text" lang="ko" title="here:">{_escape(hit.text)}</td>'
        yield f'<td class="text" lang="ko" title="there:">{_escape(hit.item_text)}</td></tr>'
    yield "</tbody>\n</table>\n</section>"


def _escape(text: str) -> str:
    return html.escape(_UNPRINTABLE.sub("\ufffd", text))
