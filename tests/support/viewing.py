"""A server of kit19 view in a thread of the tests, and a client that knows its token."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import uvicorn

from kit19.catalog import CatalogLike, load_catalog
from kit19.core.local_server import listen
from kit19.fetching.data_dir import resolve_data_dir
from kit19.viewing.app import has_font, make_app
from kit19.viewing.opening import open_paths
from kit19.viewing.site import Site

TOKEN = "t0ken-of-the-tests"  # noqa: S105
ONCE = "t0ken-for-one-use"


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def html(self) -> str:
        return self.body.decode("utf-8")

    @property
    def text(self) -> str:
        """What a reader reads, without the tags."""
        words = re.sub(r"(?s)<script.*?</script>|<[^>]*>", "\x00", self.html)
        return re.sub(r"[\s\x00]+", " ", unescape(words))

    @property
    def links(self) -> list[str]:
        return [unescape(one) for one in re.findall(r'<a [^>]*href="([^"]*)"', self.html)]

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Client:
    """Asks one server.

    Attributes:
        port: Its port.
        site: What it shows.
        cookie: The cookie that it wants.
    """

    port: int
    site: Site = field(repr=False)
    language: str = "en"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def entry(self) -> str:
        return f"{self.url}/?token={TOKEN}"

    def raw(
        self, path: str, headers: Mapping[str, str], method: str = "GET", body: bytes = b""
    ) -> Answer:
        """Ask with exactly these headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        connection.putrequest(method, path, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        response = connection.getresponse()
        answer = Answer(response.status, dict(response.getheaders()), response.read())
        connection.close()
        return answer

    def get(self, path: str, **query: Any) -> Answer:
        """Ask for a page as the user's browser does."""
        return self.raw(_address(path, query), self._headers())

    def post(self, path: str, accept: str = "text/html", /, **values: Any) -> Answer:
        """Send a form of a page."""
        headers = {
            **self._headers(),
            "Accept": accept,
            "Origin": self.url,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return self.raw(path, headers, "POST", urlencode(values, doseq=True).encode())

    def _headers(self) -> dict[str, str]:
        cookie = f"kit19_view_{self.port}={TOKEN}; language={self.language}"
        return {"Cookie": cookie}


def _address(path: str, query: Mapping[str, Any]) -> str:
    return f"{path}?{urlencode(query, doseq=True)}" if query else path


@contextmanager
def viewing(
    *paths: Path, data_dir: str | Path | None = "sample", catalog: CatalogLike = None
) -> Iterator[Client]:
    """A client of a server that shows these folders, while the context lasts."""
    folder = resolve_data_dir(data_dir)
    site = Site(open_paths(paths), load_catalog(catalog), folder, has_font())
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        app = make_app(site, ["127.0.0.1", "localhost"], TOKEN, port, ONCE)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        yield Client(port, site)
        server.should_exit = True
        thread.join()
