"""The pages of an audit: what is touched and compromised, and every hit next to its item."""

from __future__ import annotations

from typing import Any

import polars as pl
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from kit19.auditing.allowed import KEY, allow_list
from kit19.auditing.result import AllowedPair
from kit19.viewing import links
from kit19.viewing.data.audit import FACETS, ORDERS, AuditFolder
from kit19.viewing.data.shared import shared_spans
from kit19.viewing.exports import send
from kit19.viewing.forms import read_form
from kit19.viewing.opening import Opened
from kit19.viewing.query import Pager, Query, number
from kit19.viewing.site import Site
from kit19.viewing.visible import IN_LIST, marked


def routes(site: Site) -> list[Route]:
    """The routes of audits."""

    def open_(request: Request) -> tuple[Opened, AuditFolder]:
        opened = site.find(request.path_params["key"], "audit")
        return opened, audit_of(site, opened)

    def hits(request: Request) -> Response:
        opened, audit = open_(request)
        return _hits(site, request, opened, audit)

    async def mark(request: Request) -> Response:
        opened, audit = await run_in_threadpool(open_, request)
        form = await read_form(request)
        place = number(form.get("hit", ""))
        is_false = form.get("mark") == "yes"
        await run_in_threadpool(
            audit.mark, place, is_false=is_false, why=form.get("why", "").strip()
        )
        pairs = Query.parse(form.get("back", ""))
        return RedirectResponse(
            links.with_query(links.to(opened.key, "hits"), pairs) + f"#hit-{place}", 303
        )

    def allow(request: Request) -> Response:
        opened, audit = open_(request)
        name = f"{opened.key}.allow.yaml"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return PlainTextResponse(allow_list(audit.pairs), media_type="text/yaml", headers=headers)

    def export(request: Request) -> Response:
        opened, audit = open_(request)
        found = _find(audit, Query.of(request))[0].drop("#place").lazy()
        return send(found, request.path_params["kind"], f"{opened.key}-hits")

    def allow_filtered(request: Request) -> Response:
        """An allow-list of all hits that are filtered."""
        _, audit = open_(request)
        found = _find(audit, Query.of(request))[0].select(KEY).unique(maintain_order=True)
        pairs = [AllowedPair(**row) for row in found.iter_rows(named=True)]
        return PlainTextResponse(allow_list(pairs), media_type="text/yaml")

    return [
        Route("/o/{key}/hits", hits),
        Route("/o/{key}/hits.yaml", allow_filtered),
        Route("/o/{key}/hits.{kind}", export),
        Route("/o/{key}/mark", mark, methods=["POST"]),
        Route("/o/{key}/allow.yaml", allow),
    ]


def audit_of(site: Site, opened: Opened) -> AuditFolder:
    """The audit of a folder."""
    return site.once(opened.key, lambda: AuditFolder(opened.path))


def overview(site: Site, request: Request, opened: Opened) -> Response:
    """Which benchmarks an audit found, and where."""
    audit = audit_of(site, opened)
    return site.page(
        request,
        "audit",
        opened,
        audit=audit,
        result=audit.result,
        total=audit.hits.height,
        marked_count=audit.hits.filter(marked="yes").height,
        files=audit.by_file,
    )


def _hits(site: Site, request: Request, opened: Opened, audit: AuditFolder) -> Response:
    query = Query.of(request)
    order = query.among("sort", ORDERS)
    found, counts = _find(audit, query)
    pager = Pager(query, found.height)
    return site.page(
        request,
        "hits",
        opened,
        hits=[_beside(hit) for hit in found[pager.span].to_dicts()],
        pager=pager,
        counts=counts,
        chosen=_choices(query),
        order=order,
        orders=ORDERS,
        audit=audit,
    )


def _choices(query: Query) -> dict[str, list[str]]:
    chosen = {name: ["" if v == "–" else v for v in query.every(name)] for name in FACETS}
    return {name: values for name, values in chosen.items() if values}


def _find(audit: AuditFolder, query: Query) -> tuple[pl.DataFrame, dict[str, dict[str, int]]]:
    return audit.find(_choices(query), query.words, query.among("sort", ORDERS))


def _beside(hit: dict[str, Any]) -> dict[str, Any]:
    """A hit with what its text and the item's share marked."""
    ours, theirs = shared_spans(hit["text"][:IN_LIST], hit["item_text"][:IN_LIST])
    return {
        **hit,
        "place": hit["#place"],
        "here": marked(hit["text"], ours, IN_LIST, "shared"),
        "there": marked(hit["item_text"], theirs, IN_LIST, "shared"),
    }
