"""The pages of a build: overview, rows, records and what was dropped."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kit19.core.errors import Kit19Error, UnknownNameError
from kit19.core.rows import MESSAGES
from kit19.rendering.templates import ParsedConversation, ParsedTemplate
from kit19.viewing.data.build import FACETS, Build
from kit19.viewing.data.filled import filled_parts, filled_turns, source_parts
from kit19.viewing.data.row_table import ORDERS, TEXTS
from kit19.viewing.data.shared import shared_spans
from kit19.viewing.data.templates import render_alone
from kit19.viewing.data.upstream import Record, try_upstream
from kit19.viewing.exports import send
from kit19.viewing.opening import Opened
from kit19.viewing.query import Pager, Query
from kit19.viewing.site import Site
from kit19.viewing.visible import marked

_ITEM = re.compile(
    r"(?P<rule>equal|contained|near) (?P<benchmark>[^\s/]+)/(?P<item>.+?)(?:, turn \d+)?"
)
_ON_RECORD = 12
"""Most other templates that are shown on a record."""
_OF_RECORD = 50
"""Most rows of a record that are listed."""


def routes(site: Site) -> list[Route]:
    """The routes of builds."""
    pages = _BuildPages(site)
    return [
        Route("/o/{key}/rows", pages.rows),
        Route("/o/{key}/rows.{kind}", pages.export_rows),
        Route("/o/{key}/dropped.{kind}", pages.export_dropped),
        Route("/o/{key}/record", pages.record),
        Route("/o/{key}/dropped", pages.dropped),
    ]


def overview(site: Site, request: Request, opened: Opened) -> Response:
    """What a build is, what became of its records, and what its rows are like."""
    build = site.build(opened)
    facets = build.table.facets
    charts = {name: facets[name].counts(None) for name in FACETS if name in facets}
    return site.page(
        request,
        "build",
        opened,
        build=build,
        manifest=build.manifest,
        notes=build.manifest.notes(),
        flow=build.flow(Query.of(request).one("subset")),
        charts=charts,
        lengths=build.lengths(),
        tokenizer=site.tokenizer,
        tokens=build.token_lengths(site.tokenizer) if site.tokenizer else ([], 0),
    )


class _BuildPages:
    def __init__(self, site: Site) -> None:
        self._site = site

    def _open(self, request: Request) -> tuple[Opened, Build, Query]:
        opened = self._site.find(request.path_params["key"], "build")
        return opened, self._site.build(opened), Query.of(request)

    def rows(self, request: Request) -> Response:
        """Rows by facets and words."""
        opened, build, query = self._open(request)
        chosen = choices(build, query)
        order = query.among("sort", ORDERS)
        selection = build.table.select(chosen, query.words, order)
        pager = Pager(query, len(selection.places))
        rows = build.table.rows(selection.places[pager.span]).to_dicts()
        return self._site.page(
            request,
            "rows",
            opened,
            rows=rows,
            pager=pager,
            counts={name: selection.counts[name] for name in FACETS if name in selection.counts},
            chosen=chosen,
            order=order,
            orders=ORDERS,
        )

    def export_rows(self, request: Request) -> Response:
        """All rows by facets and words, as a file, in the order of the page."""
        opened, build, query = self._open(request)
        order = query.among("sort", ORDERS)
        places = build.table.select(choices(build, query), query.words, order).places
        rows = build.table.scan_some(places)
        return send(rows, request.path_params["kind"], f"{opened.key}-rows")

    def export_dropped(self, request: Request) -> Response:
        """All dropped records by reason and subset, as a file."""
        opened, build, query = self._open(request)
        found, _, _ = build.find_dropped(query.every("reason"), query.every("subset"), query.words)
        return send(found.lazy(), request.path_params["kind"], f"{opened.key}-dropped")

    def dropped(self, request: Request) -> Response:
        """Dropped records by reason and subset."""
        opened, build, query = self._open(request)
        chosen = {name: query.every(name) for name in ("reason", "subset")}
        found, reasons, subsets = build.find_dropped(
            chosen["reason"], chosen["subset"], query.words
        )
        pager = Pager(query, found.height)
        rows = found[pager.span].to_dicts()
        return self._site.page(
            request,
            "dropped",
            opened,
            rows=rows,
            pager=pager,
            counts={"reason": reasons, "subset": subsets},
            chosen={name: values for name, values in chosen.items() if values},
            is_record=_is_record,
            total=build.dropped.height,
        )

    def record(self, request: Request) -> Response:
        """A record: its rows, where it comes from, and why it is in the build or is not."""
        opened, build, query = self._open(request)
        name = query.one("id").strip()
        places = build.rows.find(name) if name else np.array([], dtype=np.uint32)
        rows = build.rows.rows(places[:_OF_RECORD]).to_dicts()
        if query.one("template"):
            rows.sort(key=lambda row: row["template"] != query.one("template"))
        if not rows:
            return self._absent(request, opened, build, name)
        row = rows[0]
        upstream, why_not = try_upstream(lambda: build.upstream.record(row["id"]))
        shown = {
            "record": upstream,
            "why_not": why_not,
            "others": self._others(build, upstream, row),
            "total": len(places),
            "most": _ON_RECORD,
            **_filled(build, row, upstream),
        }
        return self._site.page(
            request, "record", opened, row=row, rows=rows, name=name, texts=TEXTS, **shown
        )

    def _others(
        self, build: Build, record: Record | None, row: dict[str, Any]
    ) -> list[dict[str, str]]:
        """The record rendered by other templates of its subset."""
        view = build.views.get(row["subset"])
        if record is None or view is None:
            return []
        names = [
            one.id for one in view.templates.of_one_record.templates if one.id != row["template"]
        ]
        return render_alone(view, record.frame, names)

    def _absent(self, request: Request, opened: Opened, build: Build, name: str) -> Response:
        try:
            found = build.explain(name)
        except UnknownNameError as error:
            return self._site.page(
                request, "absent", opened, 404, name=name, explained=None, error=error,
                record=None, why_not="", item=None, beside=[],
            )  # fmt: skip
        record, why_not = try_upstream(lambda: build.upstream.record(name))
        evidence = _ITEM.fullmatch(found.evidence)
        return self._site.page(
            request,
            "absent",
            opened,
            name=name,
            explained=found,
            error=None,
            record=record,
            why_not=why_not,
            item=evidence,
            beside=_beside(build, record, evidence, found.evidence),
            is_record=_is_record,
        )


def choices(build: Build, query: Query) -> dict[str, list[str]]:
    """The facet values that are requested; "–" means none."""
    facets = build.table.facets
    found = {}
    for name in FACETS:
        values = ["" if value == "–" else value for value in query.every(name)]
        if values and name in facets:
            found[name] = values
    return found


def _is_record(build_subsets: Any, text: str) -> bool:
    """Whether a text is the id of a record of one of the subsets."""
    return text.count("/") >= 2 and text.partition("/")[0] in build_subsets and ": " not in text


def _filled(build: Build, row: dict[str, Any], record: Record | None) -> dict[str, Any]:
    """The row's texts with what the template has filled in, and the template's source."""
    view = build.views.get(row["subset"])
    if view is None:
        return {"template": None, "sources": [], "filled": None}
    every: list[ParsedTemplate | ParsedConversation] = [
        *view.templates.templates,
        *view.templates.conversations,
    ]
    template = next((one for one in every if one.id == row["template"]), None)
    if template is None:
        return {"template": None, "sources": [], "filled": None}
    frame = record.frame if record else None
    if isinstance(template, ParsedConversation):
        sources = [source_parts(turn) for turn in template.turns]
        turns = filled_turns(template, view.templates, row.get(MESSAGES) or [], frame)
        return {"template": template, "sources": sources, "filled": turns}
    filled = filled_parts(template, view.templates, row, frame)
    return {"template": template, "sources": [source_parts(template)], "filled": filled}


def _beside(
    build: Build, record: Record | None, evidence: re.Match[str] | None, text: str
) -> list[dict[str, Any]]:
    """A dropped record next to what it resembles: texts, with what they share marked."""
    if record is None:
        return []
    if evidence is not None:
        benchmark, item = evidence["benchmark"], evidence["item"]
        other, why_not = try_upstream(lambda: build.upstream.item(benchmark, item))
        names = build.upstream.item_texts(benchmark)
        ours = {
            name: value for name, value in record.fields.items() if name in _exposed(build, record)
        }
        theirs = {name: value for name, value in (other or {}).items() if name in names}
    elif _is_record(build.manifest.subsets, text):
        found, why_not = try_upstream(lambda: build.upstream.record(text))
        ours, theirs = record.fields, found.fields if found else {}
    else:
        return []
    if why_not:
        return [{"why_not": why_not}]
    return [_pair(ours, theirs)]


def _exposed(build: Build, record: Record) -> list[str]:
    try:
        return build.catalog.subset(record.id.partition("/")[0])[1].exposed
    except Kit19Error:
        return list(record.fields)


def _pair(ours: dict[str, str], theirs: dict[str, str]) -> dict[str, Any]:
    left, right = "\n".join(ours.values()), "\n".join(theirs.values())
    ours_spans, theirs_spans = shared_spans(left, right)
    return {
        "left": _split_marked(ours, ours_spans),
        "right": _split_marked(theirs, theirs_spans),
        "why_not": "",
    }


def _split_marked(fields: dict[str, str], spans: list[tuple[int, int]]) -> list[tuple[str, Any]]:
    """Each field with its own part of the marks of all fields joined by line feeds."""
    found, at = [], 0
    for name, text in fields.items():
        end = at + len(text)
        inside = [(max(a, at) - at, min(b, end) - at) for a, b in spans if a < end and b > at]
        found.append((name, marked(text, inside, kind="shared")))
        at = end + 1
    return found
