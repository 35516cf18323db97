"""An OpenAI-compatible server on this machine, whose replies and faults a test decides."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Reply = Callable[[dict[str, Any]], "str | Cut | Fault"]


class Cut(str):
    """A reply that ends at the limit of tokens."""

    __slots__ = ()


@dataclass(frozen=True)
class Fault:
    """What the server does instead of replying.

    Attributes:
        status: The HTTP status; 0 breaks the connection.
        message: The message of the error.
        headers: More headers.
    """

    status: int
    message: str = "fault"
    headers: dict[str, str] = field(default_factory=dict)


class OpenAIServer:
    """Answers ``/v1/chat/completions`` with what ``reply`` makes of a request.

    Attributes:
        requests: The bodies of all requests.
        headers: Their headers.
    """

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                server.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers["Content-Length"]))
        body = json.loads(raw)
        with self._lock:
            self.requests.append(body)
            self.headers.append(dict(handler.headers))
            said = self.reply(body) if handler.path == "/v1/chat/completions" else Fault(404)
        if isinstance(said, Fault) and not said.status:
            handler.close_connection = True
            return
        if isinstance(said, Fault):
            status = said.status
            document: dict[str, Any] = {"error": {"message": said.message}}
        else:
            message = {"role": "assistant", "content": said}
            reason = "length" if isinstance(said, Cut) else "stop"
            choice = {"index": 0, "message": message, "finish_reason": reason}
            usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
            status = 200
            document = {"model": "served", "choices": [choice], "usage": usage}
        data = json.dumps(document).encode()
        handler.send_response(status)
        for name, value in said.headers.items() if isinstance(said, Fault) else ():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
