"""A small proxy that forwards plain requests on this machine and refuses tunnels."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Proxy(ThreadingHTTPServer):
    """Remembers the first line and the headers of every request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lines: list[str] = []
        self.headers: list[dict[str, str]] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's signature
        """Say nothing."""

    def _note(self) -> None:
        self.server.lines.append(self.requestline)
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})

    def do_CONNECT(self) -> None:
        self._note()
        self.send_error(502, "no tunnels here")

    def do_GET(self) -> None:
        self._note()
        parts = urlsplit(self.path)
        passed = {name: value for name, value in self.headers.items() if "roxy" not in name}
        connection = http.client.HTTPConnection(parts.netloc, timeout=60)
        connection.request("GET", parts.path, headers=passed)
        answer = connection.getresponse()
        body = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        connection.close()


@contextmanager
def proxying() -> Iterator[Proxy]:
    """The proxy, running."""
    proxy = Proxy()
    thread = threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
