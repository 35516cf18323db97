"""The same pages as a static site: files that any web server, or none, can show.

Pages are made before, and need no program in the browser: the database that could search parquet
there (DuckDB-WASM) is 35 MB and more to load, a page is 15 kB. So the site has what links lead to: the
overviews, lists by one filter, and single records, up to a number of pages. Search, forms and filters
in combination need the server.
"""

from __future__ import annotations

import asyncio
import hashlib
import html
import json
import re
import shutil
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from starlette.types import ASGIApp

from kit19.core.arguments import OnProgress, silent
from kit19.drawing.glyphs import font_path
from kit19.viewing.app import ASSETS, make_site_app
from kit19.viewing.data.comparison import charts_of
from kit19.viewing.guard import POLICY
from kit19.viewing.server import Bundled
from kit19.viewing.site import Site
from kit19.writing.place import replacing

MARK = "kit19-view.json"
"""The file by which a bundle is known."""
MOST_PAGES = 5_000
MAKING = "pages"
_LINK = re.compile(r'\b(href|src|action)="(/[^"]*)"')
_LEFT_OUT = re.compile(r"^/(set|$)|/(mark|draft)$|\.(jsonl|csv|parquet|yaml)$")
_LISTS = re.compile(r"/(rows|dropped|hits|items)$")
_NO_FILTERS = {"page", "against"}
_FILTERS = {"subset", "split", "task", "label", "reason", "benchmark", "rule", "file", "outcome"}
_NEVER = {"sort", "size", "q", "lint"}
_SINGLE = re.compile(r"/(record|template)$")


def write_bundle(
    site: Site,
    folder: Path,
    *,
    language: str = "en",
    most: int = MOST_PAGES,
    on_progress: OnProgress = silent,
) -> Bundled:
    """Write the pages of opened folders as a static site, completely or not at all.

    Args:
        site: The folders.
        folder: Where; an earlier bundle there is replaced.
        language: ``en`` or ``ko``.
        most: Most pages: lists first, then single records.
        on_progress: Called with ``MAKING``, how many pages are made, and how many there are so far.

    Raises:
        OutputError: The folder has other files, or cannot be written.
    """
    # Whoever reads the pages need not learn where the folders are on this machine.
    opened = [replace(one, shown=one.title) for one in site.opened]
    app = make_site_app(replace(site, opened=opened))
    with replacing(folder, _is_bundle) as place:
        names = asyncio.run(_crawl(app, place, language, most, on_progress))
        absent: set[str] = set()
        files = set(names.values())  # a folder alone has its overview under two addresses
        for name in files:
            path = place / name
            path.write_text(_rewritten(path.read_text("utf-8"), names, absent), encoding="utf-8")
        _copy_assets(place / "assets", site)
        described = {"pages": len(files), "left_out": len(absent), "language": language}
        (place / MARK).write_text(json.dumps(described) + "\n", encoding="utf-8")
    return Bundled(str(folder), len(files), len(absent))


async def _crawl(
    app: ASGIApp, place: Path, language: str, most: int, on_progress: OnProgress
) -> dict[str, str]:
    """Write every page as it is served; returns the file of each address."""
    names: dict[str, str] = {"/": "index.html"}
    lists, singles = deque(["/"]), deque[str]()
    saved: dict[str, str] = {}
    seen = {"/"}
    while (lists or singles) and len(saved) < most:
        address = (lists or singles).popleft()
        text, target = await _ask(app, address, language)
        if target:  # one folder alone: its overview is the first page
            text, _ = await _ask(app, target, language)
            saved[target] = names["/"]
            seen.add(target)
        if text is None:
            continue
        saved[address] = names.get(address) or _file_name(address)
        (place / saved[address]).write_text(text, encoding="utf-8")
        for link in _links(text):
            if link not in seen and _is_included(link):
                seen.add(link)
                (singles if _SINGLE.search(urlsplit(link).path) else lists).append(link)
        on_progress(MAKING, len(saved), min(most, len(seen)))
    return saved


async def _ask(app: ASGIApp, address: str, language: str) -> tuple[str | None, str]:
    """The text of a page, and the address that it leads to instead; None for no page."""
    parts = urlsplit(address)
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(parts.path),
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [(b"host", b"bundle"), (b"cookie", f"language={language}".encode())],
        "server": ("bundle", 80),
        "client": ("bundle", 0),
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    headers = dict(sent[0]["headers"])
    if sent[0]["status"] == 303:
        return None, headers[b"location"].decode("latin-1")
    if not headers.get(b"content-type", b"").startswith(b"text/html"):
        return None, ""
    return b"".join(one.get("body", b"") for one in sent[1:]).decode("utf-8"), ""


def _links(text: str) -> Iterator[str]:
    for kind, value in _LINK.findall(text):
        if kind == "href":
            yield html.unescape(value).partition("#")[0]


def _is_included(link: str) -> bool:
    parts = urlsplit(link)
    if _LEFT_OUT.search(parts.path) or not parts.path.startswith("/o/"):
        return False
    query = [name for name, _ in parse_qsl(parts.query)]
    if _NEVER & set(query):
        return False
    if parts.path.endswith("/template"):
        return "record" not in query  # every template on every record would be the square of both
    filters = [name for name in query if name not in _NO_FILTERS]
    if parts.path.endswith("/items"):
        filters = [name for name in filters if name != "task"]
    return not _LISTS.search(parts.path) or (len(filters) < 2 and set(filters) <= _FILTERS)


def _file_name(address: str) -> str:
    words = re.sub(r"[^A-Za-z0-9가-힣]+", "-", unquote(address)).strip("-")[:60].lower()
    return f"{words}-{hashlib.sha256(address.encode()).hexdigest()[:10]}.html"


def _rewritten(text: str, names: dict[str, str], absent: set[str]) -> str:
    """A page whose links are relative; those that lead nowhere lose their address."""

    def replace(match: re.Match[str]) -> str:
        kind, address = match[1], html.unescape(match[2])
        path, _, fragment = address.partition("#")
        if path.startswith("/assets/") or "/charts/" in path:
            return f'{kind}="{path[1:]}"'
        if "/template?" in path:
            path = re.sub(r"&record=[^&]*", "", path)
        if path in names:
            return f'{kind}="{names[path]}{"#" + html.escape(fragment) if fragment else ""}"'
        if kind == "href" and _is_included(path):
            absent.add(path)
        return "data-absent"

    policy = f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">'
    marked = text.replace("<html ", "<html data-bundle ", 1)
    return _LINK.sub(replace, marked).replace("<head>", f"<head>\n{policy}", 1)


def _policy() -> str:
    """The policy of the server, without what only a header may say."""
    return "; ".join(part for part in POLICY.split("; ") if not part.startswith("frame-ancestors"))


def _copy_assets(folder: Path, site: Site) -> None:
    shutil.copytree(ASSETS, folder)
    if site.has_font:
        shutil.copyfile(font_path(), folder / "korean.font")
    for one in site.opened:
        charts = charts_of(one.path) if one.kind == "comparison" else {}
        target = folder.parent / "o" / one.key / "charts"
        for name, path in charts.items():
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / name)


def _is_bundle(folder: Path) -> bool:
    return (folder / MARK).is_file() or not any(folder.iterdir())
