"""The opened folders, and how their pages are drawn."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import jinja2
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from kit19.catalog import Catalog
from kit19.core.errors import Kit19Error, Problem, UnknownNameError
from kit19.drawing.safe_text import printable
from kit19.sample import SAMPLE
from kit19.viewing import links
from kit19.viewing.data.build import Build
from kit19.viewing.data.searching import find_all
from kit19.viewing.data.tokens import Tokenizer
from kit19.viewing.opening import Kind, Opened
from kit19.viewing.query import Query
from kit19.viewing.visible import IN_LIST, NAME, excerpt, marked, segments, visible
from kit19.viewing.wording import LANGUAGES, Words, preferred

THEMES = ("auto", "light", "dark")
_PAGES: dict[Kind, tuple[str, ...]] = {
    "build": ("", "rows", "dropped", "templates"),
    "audit": ("", "hits"),
    "results": ("", "items"),
}
Data = TypeVar("Data")


@dataclass
class Site:
    """The opened folders.

    Attributes:
        opened: The folders.
        catalog: The cards with which they are explained.
        data_dir: The folder of upstream files.
        has_font: Whether there is a Korean font to serve.
        tokenizer: What counts tokens, if anything.
    """

    opened: Sequence[Opened]
    catalog: Catalog
    data_dir: Path
    has_font: bool = False
    tokenizer: Tokenizer | None = None
    _data: dict[str, Any] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self._environment = _environment()

    def find(self, key: str, *kinds: Kind) -> Opened:
        """An opened folder by its key.

        Raises:
            UnknownNameError: There is none, or it is of another kind.
        """
        for one in self.opened:
            if one.key == key and (not kinds or one.kind in kinds):
                return one
        raise UnknownNameError(Problem(f"there is no {' or '.join(kinds) or 'page'} {key!r}"))

    def build(self, opened: Opened) -> Build:
        """The build of a folder."""

        def read() -> Build:
            build = Build(opened.path, self.catalog, self.data_dir)
            if build.manifest.sample:
                return Build(opened.path, self.catalog, SAMPLE)
            return build

        return self.once(opened.key, read)

    def once(self, key: str, read: Callable[[], Data]) -> Data:
        """What was read under a key, read at its first use."""
        with self._lock:
            if key not in self._data:
                self._data[key] = read()
            found: Data = self._data[key]
            return found

    def page(
        self,
        request: Request,
        template: str,
        opened: Opened | None = None,
        /,
        status: int = 200,
        **values: Any,
    ) -> Response:
        """Draw a page.

        Args:
            request: The request.
            template: The template, without its suffix.
            opened: The folder that it is about.
            status: The HTTP status.
            values: What the template shows; ``query`` if the page is not that of the request's address.
        """
        query = values.pop("query", None) or Query.of(request)
        words = Words(language_of(request))
        theme = request.cookies.get("theme", THEMES[0])
        text = self._environment.get_template(f"{template}.html").render(
            t=words,
            lang=words.language,
            languages=LANGUAGES,
            theme=theme if theme in THEMES else THEMES[0],
            themes=THEMES,
            query=query,
            here=links.with_query(query.path, query.pairs),
            site=self,
            opened=opened,
            pages=_PAGES.get(opened.kind, ("",)) if opened else (),
            current=template,
            row_link=lambda key, facet: lambda value: links.to(key, "rows", **{facet: value}),
            opened_subsets=lambda one: self.build(one).manifest.subsets,
            **values,
        )
        return HTMLResponse(text, status)

    def error(self, request: Request, error: Exception, status: int) -> Response:
        """Draw the page of an error."""
        problems = error.problems if isinstance(error, Kit19Error) else (Problem(str(error)),)
        return self.page(request, "error", status=status, problems=problems, status_code=status)


def language_of(request: Request) -> str:
    """The language of a request: chosen by the reader, else that of the browser."""
    chosen = request.cookies.get("language", "")
    return chosen if chosen in LANGUAGES else preferred(request.headers.get("accept-language", ""))


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "html"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"to": links.to}
    environment.filters |= {
        "visible": visible,
        "listed": lambda text: visible(text, IN_LIST),
        "name": lambda text: visible(text, NAME),
        "label": lambda text: printable(str(text)[:NAME]),
        "number": lambda value: f"{value:,}",
        "percent": _percent,
        "short": _short,
        "found": lambda name, words: marked(name[:NAME], find_all(name[:NAME], words)),
        "parts": lambda pieces, t: segments(pieces, lambda kind: t(f"part.{kind}")),
    }
    return environment


def _printable(value: Any) -> Any:
    """Texts that no filter has made visible, such as those of attributes and titles."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _percent(part: float, total: float) -> str:
    share = 100 * part / total if total else 0.0
    return "<0.1%" if 0 < share < 0.05 else f"{share:.1f}%"


def _short(text: str | None, words: str = "", most: int = 160) -> Markup:
    """A line of a text, around the words that were searched for."""
    part, before, after = excerpt(text or "", words, most)
    dots = Markup('<span class="more">…</span>')
    shown = marked(part, find_all(part, words))
    return Markup("").join([dots if before else "", shown, dots if after else ""])
