"""The pages of templates: their shapes, one on any record, and an editor that writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kit19.core.errors import Problem, UnknownNameError
from kit19.linting import lint
from kit19.linting.view import View
from kit19.rendering import ParsedTemplate
from kit19.rendering.fit import eligible
from kit19.rendering.templates import TEXTS
from kit19.viewing import links
from kit19.viewing.data.build import Build
from kit19.viewing.data.filled import filled_parts, source_parts
from kit19.viewing.data.templates import Draft, draft, render_alone
from kit19.viewing.data.upstream import try_upstream
from kit19.viewing.forms import read_form
from kit19.viewing.opening import Opened
from kit19.viewing.query import Query
from kit19.viewing.site import Site

SHAPE = ("style", "opener", "answer", "options", "layout")


def routes(site: Site) -> list[Route]:
    """The routes of templates."""
    pages = _TemplatePages(site)
    return [
        Route("/o/{key}/templates", pages.matrix),
        Route("/o/{key}/template", pages.one),
        Route("/o/{key}/draft", pages.draft, methods=["POST"]),
    ]


@dataclass(frozen=True)
class _Tried:
    """Texts that somebody has sent without scripts, and what they give."""

    draft: Draft
    texts: Mapping[str, str]


class _TemplatePages:
    def __init__(self, site: Site) -> None:
        self._site = site

    def _open(self, request: Request) -> tuple[Opened, Build]:
        opened = self._site.find(request.path_params["key"], "build")
        return opened, self._site.build(opened)

    def matrix(self, request: Request) -> Response:
        """All templates of a subset, or of all, by their shapes."""
        opened, build = self._open(request)
        subset = Query.of(request).one("subset")
        names = [subset] if subset in build.views else list(build.views)
        used = {name: entry.templates for name, entry in build.manifest.subsets.items()}
        return self._site.page(
            request,
            "templates",
            opened,
            views={name: build.views[name] for name in names},
            subsets=list(build.views),
            shapes=build.shapes,
            shape=SHAPE,
            used=used,
            subset=subset,
        )

    def one(self, request: Request) -> Response:
        """One template, on a record."""
        return self._one(request, Query.of(request), None)

    def _one(self, request: Request, query: Query, tried: _Tried | None) -> Response:
        opened, build = self._open(request)
        view, template = _find(build, query.one("subset"), query.one("id"))
        name = view.templates.subset
        return self._site.page(
            request,
            "template",
            opened,
            template=template,
            subset=name,
            source=source_parts(template),
            words=view.templates.words,
            shape=build.shapes[name, template.id],
            rows=build.manifest.subsets[name].templates.get(template.id, 0),
            texts=TEXTS,
            written=tried.texts if tried else {n: getattr(template.card, n) for n in TEXTS},
            draft=tried.draft if tried else None,
            findings=_lint(build, name, template.id) if query.one("lint") else None,
            query=query,
            **self._on_record(build, view, template, query.one("record")),
        )

    async def draft(self, request: Request) -> Response:
        """What other texts of a template give on a record; nothing is written.

        A script gets JSON; without scripts it is the page again.
        """
        form = await read_form(request)
        found = await run_in_threadpool(self._draft, request, form)
        if "application/json" not in request.headers.get("accept", ""):
            path = links.to(request.path_params["key"], "template")
            pairs = [(name, form.get(name, "")) for name in ("subset", "id", "record")]
            tried = _Tried(found, {name: form.get(name, "") for name in TEXTS})
            return await run_in_threadpool(self._one, request, Query(path, pairs), tried)
        return JSONResponse(
            {
                "texts": found.texts,
                "problems": found.problems,
                "findings": found.described_findings,
                "yaml": found.yaml,
            }
        )

    def _draft(self, request: Request, form: Mapping[str, str]) -> Draft:
        _, build = self._open(request)
        view, template = _find(build, form.get("subset", ""), form.get("id", ""))
        texts = {name: form.get(name, "").replace("\r\n", "\n") for name in TEXTS}
        record, why = try_upstream(lambda: build.upstream.record(form.get("record", "")))
        records, _ = try_upstream(lambda: build.upstream.records(view.templates.subset))
        if record is None or records is None:
            return Draft(problems=[why])
        return draft(view, template.card, texts, record.frame, records)

    def _on_record(
        self, build: Build, view: View, template: ParsedTemplate, wanted: str
    ) -> dict[str, Any]:
        """The template on the wanted record, or the first that it fits, and the next."""
        name = view.templates.subset
        records, why_not = try_upstream(lambda: build.upstream.records(name))
        if records is None:
            return {"record": "", "fields": {}, "rendered": None, "why_not": why_not, "next": ""}
        places = records.with_row_index("#at")
        at = places.filter(pl.col("id") == wanted)["#at"]
        start = int(at[0]) if len(at) else 0
        shown = records[start]
        fits = _first_fit(view, template, records, start + 1)
        if not len(at):
            first = _first_fit(view, template, records, 0)
            shown = shown if first is None else records[first]
            fits = None if first is None else _first_fit(view, template, records, first + 1)
        record = build.upstream.record(shown["id"][0]) if shown.height else None
        found = render_alone(view, shown, [template.id])
        rendered = found[0] if found else None
        filled = filled_parts(template, view.templates, rendered, shown) if rendered else None
        return {
            "record": record.id if record else "",
            "fields": record.fields if record else {},
            "rendered": filled,
            "why_not": "",
            "next": "" if fits is None else records["id"][fits],
        }


def _lint(build: Build, subset: str, template: str) -> dict[str, Any]:
    """What lint finds in a template on every record, or why it cannot be run."""
    folder = build.upstream.data_dir
    report, why = try_upstream(
        lambda: lint([subset], data_dir=folder, partial=True, catalog=build.catalog)
    )
    found = report.findings if report else []
    return {"why_not": why, "found": [one for one in found if one.template == template]}


def _first_fit(
    view: View, template: ParsedTemplate, records: pl.DataFrame, start: int
) -> int | None:
    """The place of the first record from ``start`` on, of the next 2,000, that the template fits."""
    part = records[start : start + 2_000]
    found = part.select(eligible(template, view.templates.many).arg_true().alias("at"))["at"]
    return start + int(found[0]) if len(found) else None


def _find(build: Build, subset: str, name: str) -> tuple[View, ParsedTemplate]:
    view = build.views.get(subset)
    for template in view.templates.templates if view else []:
        if view and template.id == name:
            return view, template
    raise UnknownNameError(Problem(f"there is no template {name!r} of {subset!r}"))
