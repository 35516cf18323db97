"""The pages of results, comparisons and runs."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from kit19.comparing.model_results import ChoiceResults
from kit19.comparing.table import MARKS, marks, remarks, tables
from kit19.core.errors import Problem, UnknownNameError
from kit19.viewing.data.comparison import charts_of, read_comparison
from kit19.viewing.data.results import FACETS, Items, Results
from kit19.viewing.data.run import read_run_folder
from kit19.viewing.exports import send
from kit19.viewing.opening import Opened
from kit19.viewing.pages.audit import audit_of
from kit19.viewing.plots import plot
from kit19.viewing.query import Pager, Query
from kit19.viewing.site import Site


def routes(site: Site) -> list[Route]:
    """The routes of results and comparisons."""

    def items(request: Request) -> Response:
        opened = site.find(request.path_params["key"], "results")
        return _items(site, request, opened)

    def chart(request: Request) -> Response:
        opened = site.find(request.path_params["key"], "comparison")
        name = request.path_params["name"]
        known = charts_of(opened.path)
        if name not in known:
            raise UnknownNameError(Problem(f"there is no chart {name!r}"))
        policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
        headers = {"content-security-policy": policy}
        return FileResponse(known[name], media_type="image/svg+xml", headers=headers)

    def export(request: Request) -> Response:
        opened = site.find(request.path_params["key"], "results")
        requested = _Requested(site, request, opened)
        rows = requested.items.table(requested.places).lazy()
        return send(rows, request.path_params["kind"], f"{opened.key}-{requested.task}")

    return [
        Route("/o/{key}/items", items),
        Route("/o/{key}/items.{kind}", export),
        Route("/o/{key}/charts/{name}", chart),
    ]


def results_of(site: Site, opened: Opened) -> Results:
    """The results of a folder."""
    return site.once(opened.key, lambda: Results(opened.path, site.catalog))


def results(site: Site, request: Request, opened: Opened) -> Response:
    """The scores of a model with intervals, next to those of the other opened results."""
    others = [one for one in site.opened if one.kind == "results" and one.key != opened.key]
    shown = [opened, *others]
    scores = {one.key: results_of(site, one).scores for one in shown}
    cells = {
        (score.task, score.metric): {
            key: found for key, all_ in scores.items() for found in all_
            if (found.task, found.metric) == (score.task, score.metric)
        }
        for score in scores[opened.key]
    }  # fmt: skip
    found = results_of(site, opened)
    return site.page(
        request,
        "results",
        opened,
        found=found.results,
        cells=cells,
        shown=shown,
        titles={name: card.title for name in found.model.tasks if (card := found.card(name))},
        marks=marks,
        meanings=MARKS,
    )


class _Requested:
    """The items that a request asks for.

    Attributes:
        found: The results.
        task: The task.
        audits: The open audits that searched for its benchmark, with the benchmark's name.
        others: The other results that are open.
        against: Those that the model is compared with, if any.
        items: All items of the task.
        chosen: The values of facets that are requested.
        places: The places of the items.
        counts: For each facet the items with each value.
    """

    def __init__(self, site: Site, request: Request, opened: Opened) -> None:
        query = Query.of(request)
        self.found = found = results_of(site, opened)
        self.task = query.one("task") or found.model.tasks[0]
        self.audits = _audits_of(site, found, self.task)
        self.others = [
            one for one in site.opened if one.kind == "results" and one.key != opened.key
        ]
        self.against = next((one for one in self.others if one.key == query.one("against")), None)
        other = results_of(site, self.against) if self.against else None
        self.items = Items(found, self.task, other, _audited(site, found, self.task, self.audits))
        chosen = {name: values for name in FACETS if (values := query.every(name))}
        self.chosen = {
            name: ["" if v == "–" else v for v in values] for name, values in chosen.items()
        }
        self.places, self.counts = self.items.find(self.chosen, query.words)


def _items(site: Site, request: Request, opened: Opened) -> Response:
    requested = _Requested(site, request, opened)
    pager = Pager(Query.of(request), len(requested.places))
    items, against = requested.items, requested.against
    return site.page(
        request,
        "items",
        opened,
        items=[_item(items, place) for place in requested.places[pager.span].tolist()],
        pager=pager,
        counts=requested.counts,
        chosen=requested.chosen,
        task=requested.task,
        tasks=requested.found.model.tasks,
        others=requested.others,
        against=against,
        names=[opened.title, *([against.title] if against else [])],
        metric=items.metric,
        is_choice=isinstance(items.sides[0], ChoiceResults),
        audits=[(one.key, name) for one, name in requested.audits],
    )


def _audits_of(site: Site, found: Results, task: str) -> list[tuple[Opened, str]]:
    """The open audits that searched for the benchmark of a task, and the benchmark's name."""
    card = found.card(task)
    audits = [one for one in site.opened if one.kind == "audit"]
    return [
        (one, card.id)
        for one in audits
        if card and card.id in audit_of(site, one).result.benchmarks
    ]


def _item(items: Items, place: int) -> dict[str, Any]:
    """An item with what each model answered."""
    row = items.frame.row(place, named=True)
    sides = [side.items.row(place, named=True) for side in items.sides]
    first = sides[0]
    answers = []
    for side, value in zip(sides, (row["value"], row["other_value"]), strict=False):
        answers.append(
            {
                "value": value,
                "prediction": side.get("prediction"),
                "loglikelihoods": side.get("loglikelihoods") or [],
                "responses": side.get("responses") or [],
            }
        )
    return {
        **row,
        "choices": first["choices"] or [],
        "gold": first.get("gold"),
        "target": first.get("target", ""),
        "answers": answers,
    }


def _audited(
    site: Site, found: Results, task: str, audits: list[tuple[Opened, str]]
) -> dict[str, set[str]]:
    """What the opened audits say of the items of a task."""
    sets: dict[str, set[str]] = {}
    for opened, name in audits:
        audit = audit_of(site, opened)
        counted = audit.hits.filter(benchmark=name, marked="no")
        compromised = audit.still_compromised(name, found.card(task))
        sets.setdefault("compromised", set()).update(compromised)
        sets.setdefault("touched", set()).update(counted["item"])
    return sets


def comparison(site: Site, request: Request, opened: Opened) -> Response:
    """The tables, warnings and charts of a comparison."""
    found = site.once(opened.key, lambda: read_comparison(opened.path))
    return site.page(
        request,
        "comparison",
        opened,
        found=found,
        tables=tables(found),
        remarks=remarks(found),
        charts=charts_of(opened.path),
    )


def run(site: Site, request: Request, opened: Opened) -> Response:
    """The curves, settings and data of a run."""
    found = site.once(opened.key, lambda: read_run_folder(opened.path))
    return site.page(
        request,
        "run",
        opened,
        record=found.record,
        plots={name: plot(curves) for name, curves in found.charts().items()},
        builds=[one for one in site.opened if one.kind == "build"],
        build_of=lambda one: (
            site.build(one).manifest.content_digest == found.record.data.content_digest
        ),
    )
