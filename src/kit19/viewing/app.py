"""The web application: its routes, and what it answers to errors."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from kit19.core.errors import Kit19Error, OutputError, UnknownNameError
from kit19.drawing.glyphs import font_path
from kit19.viewing.guard import Guard
from kit19.viewing.opening import Kind
from kit19.viewing.pages import audit, build, scores, templates
from kit19.viewing.site import THEMES, Site
from kit19.viewing.wording import LANGUAGES

ASSETS = Path(__file__).parent / "assets"
_HERE = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")  # a browser skips tabs and line feeds
_YEAR = 365 * 24 * 3600
_KEEP = {"cache-control": "private, max-age=3600"}
_OVERVIEWS: dict[Kind, Any] = {
    "build": build.overview,
    "audit": audit.overview,
    "results": scores.results,
    "comparison": scores.comparison,
    "run": scores.run,
}


def make_site_app(site: Site) -> Starlette:
    """The application of opened folders, for whoever may call it."""

    def home(request: Request) -> Response:
        if len(site.opened) == 1:
            return RedirectResponse(f"/o/{site.opened[0].key}/", 303)
        return site.page(request, "home")

    def overview(request: Request) -> Response:
        opened = site.find(request.path_params["key"])
        return _OVERVIEWS[opened.kind](site, request, opened)  # type: ignore[no-any-return]

    def asset(request: Request) -> Response:
        name = request.path_params["name"]
        known = {path.name: path for path in ASSETS.iterdir()}
        if name == "korean.font" and site.has_font:
            return FileResponse(font_path(), media_type="font/otf", headers=_KEEP)
        if name not in known:
            raise HTTPException(404, f"there is no {name}")
        return FileResponse(known[name], headers=_KEEP)

    def refuse(request: Request, error: Exception) -> Response:
        return site.error(request, error, 404 if isinstance(error, UnknownNameError) else 500)

    def wrong(request: Request, error: HTTPException) -> Response:
        what = f"{request.url.path}: {error.detail}"
        return site.error(request, UnknownNameError(what), error.status_code)

    def broken(request: Request, error: Exception) -> Response:
        """The terminal shows where; the page shows what, instead of nothing."""
        return site.error(request, Kit19Error(f"{type(error).__name__}: {error}"), 500)

    routes = [
        Route("/", home),
        Route("/set", _set),
        Route("/assets/{name}", asset),
        Route("/o/{key}/", overview),
        *build.routes(site),
        *templates.routes(site),
        *audit.routes(site),
        *scores.routes(site),
    ]
    handlers: Any = {Kit19Error: refuse, HTTPException: wrong, Exception: broken}
    return Starlette(routes=routes, exception_handlers=handlers)


def make_app(
    site: Site, hosts: Collection[str], token: str, port: int, once: str | None = None
) -> Guard:
    """The application of opened folders, for those who know its token.

    Args:
        site: The folders.
        hosts: The names under which it may be called.
        token: What a request must know.
        port: The port of the server.
        once: A token that works in one address, and only once.
    """
    return Guard(make_site_app(site), hosts, token, port, once)


def has_font() -> bool:
    """Whether the Korean font of ``kit19[report]`` is installed."""
    try:
        return font_path().is_file()
    except OutputError:
        return False


def _set(request: Request) -> Response:
    """Remember a language or a theme, and go back."""
    back = request.query_params.get("back", "/")
    response = RedirectResponse(back if _HERE.fullmatch(back) else "/", 303)
    for name, allowed in (("language", LANGUAGES), ("theme", THEMES)):
        value = request.query_params.get(name, "")
        if value in allowed:
            response.set_cookie(name, value, max_age=_YEAR, httponly=True, samesite="strict")
    return response
