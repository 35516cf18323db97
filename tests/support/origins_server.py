"""Origins on this machine: what GitHub, Google and Amazon serve, and whatever can go wrong on the way.

Files stand under ``/<host>/<path>``, so that ``KIT19_MIRROR`` leads every origin here. Each answer
has the headers that its host gives. A script says for each address what goes wrong, request by
request; when it is used up, the server is honest.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import socket
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHANGED = datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)
ASSETS = "/objects.githubusercontent.com"


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request.

    Attributes:
        kind: A key of `KINDS`, which explains it.
        at: Where in the answer's body, from 0 to 1.
        say: What a header says, for the kinds that need it.
    """

    kind: str
    at: float = 0.5
    say: str = ""


@dataclass(frozen=True)
class Request:
    """One request that came."""

    path: str
    range: str
    token: str
    sent: int = 0


@dataclass(frozen=True)
class Reply:
    """An answer, before something is done to it."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Origins:
    """The server's memory: files, script, and the requests."""

    files: dict[str, bytes] = field(default_factory=dict)
    script: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    requests: list[Request] = field(default_factory=list)
    base: str = ""
    other: str = ""
    pace: float = 0.0
    busy: int = 0
    lock: threading.Condition = field(default_factory=threading.Condition)
    """Notified whenever an answer has ended."""

    def settled(self) -> list[Request]:
        """The requests, once nothing is being answered any more."""
        with self.lock:
            self.lock.wait_for(lambda: not self.busy)
            return list(self.requests)

    def next_fault(self, path: str) -> Fault | None:
        with self.lock:
            faults = self.script[path]
            return faults.popleft() if faults else None


def later(data: bytes) -> bytes:
    """What upstream has after a change: as long, with as many lines, and other bytes throughout."""
    return data.translate(
        bytes(b if b in b"\n\t,{}\"'" else (b ^ 1 if b > 64 else b) for b in range(256))
    )


def _honest(path: str, data: bytes, wanted: str, condition: str) -> Reply:
    digest = hashlib.sha256(data).hexdigest()
    headers = {"Accept-Ranges": "bytes", "ETag": f'"{digest[:40]}"'}
    if "googleapis" in path or "amazonaws" in path:
        headers["Last-Modified"] = format_datetime(CHANGED, usegmt=True)
    span = re.fullmatch(r"bytes=(\d+)-", wanted)
    if not span or (condition and condition != headers["ETag"]):
        return Reply(200, {**headers, "Content-Length": str(len(data))}, data)
    start = int(span[1])
    if start >= len(data):
        headers = {"Content-Range": f"bytes */{len(data)}", "Content-Length": "0"}
        return Reply(416, headers, b"")
    body = data[start:]
    headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
    return Reply(206, {**headers, "Content-Length": str(len(body))}, body)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # as servers do
    server: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's signature
        """Say nothing."""

    def do_GET(self) -> None:
        origins = self.server.origins
        path = self.path.split("?")[0]
        with origins.lock:
            origins.busy += 1
        fault = origins.next_fault(path)
        request = Request(
            path, self.headers.get("Range", ""), self.headers.get("Authorization", "")
        )
        self._sent = 0
        try:
            self._answer(path, fault, request)
        except OSError:
            self.close_connection = True  # the client went away, as it does when it has had enough
        finally:
            with origins.lock:
                origins.busy -= 1
                origins.requests.append(replace(request, sent=self._sent))
                origins.lock.notify_all()

    def _answer(self, path: str, fault: Fault | None, request: Request) -> None:
        origins = self.server.origins
        if path.startswith("/github.com/") and "/releases/download/" in path:
            # An asset is served by another host, under an address that is signed and short-lived.
            target = f"{origins.other}{ASSETS}{path}?signature=secret"
            if fault is None or not fault.kind.startswith("redirect"):
                if fault:
                    with origins.lock:
                        origins.script[ASSETS + path].append(fault)
                self._send(Reply(302, {"Location": target, "Content-Length": "0"}, b""))
                return
        data = origins.files.get(path.removeprefix(ASSETS))
        if data is None:
            self._send(Reply(404, {"Content-Length": "9"}, b"not found"))
            return
        if fault and fault.kind == "upstream changed":
            data = later(data)
        reply = _honest(path, data, request.range, self.headers.get("If-Range", ""))
        if fault:
            KINDS[fault.kind](self, reply, fault, data)
        else:
            self._send(reply)

    def _send(self, reply: Reply, keep: int | None = None) -> None:
        """Send an answer; its body up to ``keep`` bytes."""
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.send_bytes(reply.body if keep is None else reply.body[:keep])

    def send_bytes(self, body: bytes) -> None:
        pace = self.server.origins.pace
        for start in range(0, len(body), 1 << 16):
            piece = body[start : start + (1 << 16)]
            self.wfile.write(piece)
            self._sent += len(piece)
            if pace:
                time.sleep(pace)
        self.wfile.flush()

    def hang_up(self, *, reset: bool = False) -> None:
        self.close_connection = True
        if reset:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)


Act = Callable[[Handler, Reply, Fault, bytes], None]


def _part_of(reply: Reply, fault: Fault) -> int:
    return int(len(reply.body) * fault.at)


def _cut(handler: Handler, reply: Reply, fault: Fault, _data: bytes) -> None:
    handler._send(reply, _part_of(reply, fault))
    handler.hang_up()


def _reset(handler: Handler, reply: Reply, fault: Fault, _data: bytes) -> None:
    handler._send(reply, _part_of(reply, fault))
    handler.hang_up(reset=True)


def _silent(handler: Handler, _reply: Reply, _fault: Fault, _data: bytes) -> None:
    handler.hang_up()


def _stall(handler: Handler, reply: Reply, fault: Fault, _data: bytes) -> None:
    handler._send(reply, _part_of(reply, fault))
    handler.connection.recv(1)  # nothing comes until the client goes away
    handler.hang_up()


def _trickle(handler: Handler, reply: Reply, fault: Fault, _data: bytes) -> None:
    handler._send(reply, _part_of(reply, fault))
    rest = reply.body[_part_of(reply, fault) :]
    for index in range(len(rest)):  # until the client goes away
        handler.send_bytes(rest[index : index + 1])
        time.sleep(0.05)
    handler.hang_up()


def _status(status: int) -> Act:
    def act(handler: Handler, _reply: Reply, fault: Fault, _data: bytes) -> None:
        headers = {"Retry-After": fault.say} if fault.say else {}
        body = b"<html>come back later</html>"
        handler._send(Reply(status, {**headers, "Content-Length": str(len(body))}, body))

    return act


def _length(handler: Handler, reply: Reply, fault: Fault, _data: bytes) -> None:
    length = int(len(reply.body) * (fault.at + 0.45))  # from 0.45 to 1.45 of what is right
    handler._send(replace(reply, headers={**reply.headers, "Content-Length": str(length)}))
    handler.hang_up()


def _flip(handler: Handler, reply: Reply, fault: Fault, _data: bytes) -> None:
    place = min(_part_of(reply, fault), len(reply.body) - 1)
    body = bytearray(reply.body)
    body[place] ^= 4
    handler._send(replace(reply, body=bytes(body)))


def _other_range(handler: Handler, _reply: Reply, fault: Fault, data: bytes) -> None:
    start = 1 + int(len(data) * fault.at * 0.9)
    span = f"bytes {start}-{len(data) - 1}/{len(data)}"
    body = data[start:]
    headers = {"Content-Range": span, "Content-Length": str(len(body)), "ETag": '"other"'}
    handler._send(Reply(206, headers, body))


def _wrong_span(handler: Handler, reply: Reply, fault: Fault, _data: bytes) -> None:
    content_range = fault.say or "bytes 7-9/10"
    handler._send(
        replace(reply, status=206, headers={**reply.headers, "Content-Range": content_range})
    )


def _short_span(handler: Handler, reply: Reply, fault: Fault, data: bytes) -> None:
    """A part of the requested range, correctly labeled, as from a server that splits large files."""
    start = len(data) - len(reply.body)
    body = reply.body[: max(1, _part_of(reply, fault))]
    span = f"bytes {start}-{start + len(body) - 1}/{len(data)}"
    headers = {**reply.headers, "Content-Range": span, "Content-Length": str(len(body))}
    handler._send(Reply(206, headers, body))


def _no_range(handler: Handler, reply: Reply, _fault: Fault, data: bytes) -> None:
    handler._send(Reply(200, {**reply.headers, "Content-Length": str(len(data))}, data))


def _unsatisfiable(handler: Handler, _reply: Reply, _fault: Fault, data: bytes) -> None:
    headers = {"Content-Range": f"bytes */{len(data) // 2}", "Content-Length": "0"}
    handler._send(Reply(416, headers, b""))


def _redirect(handler: Handler, _reply: Reply, fault: Fault, _data: bytes) -> None:
    headers = {"Content-Length": "0"}
    if fault.say:
        headers["Location"] = fault.say
    handler._send(Reply(302, headers, b""))


def _loop(handler: Handler, _reply: Reply, _fault: Fault, _data: bytes) -> None:
    with handler.server.origins.lock:
        again = handler.server.origins.script[handler.path.split("?")[0]]
        if not any(fault.kind == "redirect loop" for fault in again):
            again.extendleft([Fault("redirect loop")] * 5)
    handler._send(Reply(302, {"Location": handler.path, "Content-Length": "0"}, b""))


def _as_is(handler: Handler, reply: Reply, _fault: Fault, _data: bytes) -> None:
    handler._send(reply)


def _condition_ignored(handler: Handler, _reply: Reply, _fault: Fault, data: bytes) -> None:
    """Upstream has changed, and the server goes on with the new file where the old one broke off."""
    span = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    handler._send(_honest(handler.path, later(data), span[0] if span else "", ""))


def _gzip(handler: Handler, _reply: Reply, _fault: Fault, data: bytes) -> None:
    body = gzip.compress(data, 1)
    headers = {"Content-Encoding": "gzip", "Content-Length": str(len(body)), "ETag": 'W/"gz"'}
    handler._send(Reply(200, headers, body))


def _cut_gzip(handler: Handler, _reply: Reply, fault: Fault, data: bytes) -> None:
    body = gzip.compress(data, 1)
    headers = {"Content-Encoding": "gzip", "Connection": "close"}
    handler._send(Reply(200, headers, body[: int(len(body) * fault.at)]))
    handler.hang_up()


def _brotli(handler: Handler, reply: Reply, _fault: Fault, _data: bytes) -> None:
    handler._send(replace(reply, headers={**reply.headers, "Content-Encoding": "br"}))


def _endless(handler: Handler, reply: Reply, _fault: Fault, data: bytes) -> None:
    headers = {"Connection": "close", "ETag": reply.headers.get("ETag", "")}
    handler._send(Reply(200, headers, data))
    while True:  # until the client goes away
        handler.send_bytes(b"and so on\n" * 1000)


def _weak(handler: Handler, reply: Reply, fault: Fault, data: bytes) -> None:
    kept = {k: v for k, v in reply.headers.items() if k != "Last-Modified"}
    headers = {**kept, "ETag": f"W/{reply.headers.get('ETag', '')}"}
    _cut(handler, replace(reply, headers=headers), fault, data)


def _bare(handler: Handler, reply: Reply, fault: Fault, data: bytes) -> None:
    kept = {k: v for k, v in reply.headers.items() if k not in ("ETag", "Last-Modified")}
    _cut(handler, replace(reply, headers=kept), fault, data)


def _no_length(handler: Handler, reply: Reply, fault: Fault, _data: bytes) -> None:
    headers = {k: v for k, v in reply.headers.items() if k != "Content-Length"}
    headers["Connection"] = "close"
    handler._send(replace(reply, headers=headers), _part_of(reply, fault))
    handler.hang_up()


def _chunks(handler: Handler, reply: Reply, fault: Fault, _data: bytes) -> None:
    headers = {k: v for k, v in reply.headers.items() if k != "Content-Length"}
    headers["Transfer-Encoding"] = "chunked"
    handler._send(replace(reply, headers=headers), 0)
    body = reply.body[: _part_of(reply, fault)]
    for start in range(0, len(body), 5000):
        piece = body[start : start + 5000]
        handler.send_bytes(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    if fault.at == 1:
        handler.send_bytes(b"0\r\n\r\n")
    else:
        handler.hang_up()


def _garbage(handler: Handler, _reply: Reply, _fault: Fault, _data: bytes) -> None:
    handler.send_bytes(b"\x00\xffthis is not HTTP\r\n\r\n")
    handler.hang_up()


KINDS: dict[str, Act] = {
    "cut": _cut,
    "connection reset": _reset,
    "no answer": _silent,
    "stall": _stall,
    "trickle": _trickle,
    "429": _status(429),
    "500": _status(500),
    "503": _status(503),
    "wrong length": _length,
    "wrong byte": _flip,
    "another range": _other_range,
    "wrong Content-Range": _wrong_span,
    "shorter range": _short_span,
    "range ignored": _no_range,
    "416": _unsatisfiable,
    "redirect loop": _loop,
    "redirect to http": _redirect,
    "redirect to nowhere": _redirect,
    "upstream changed": _as_is,
    "changed, If-Range ignored": _condition_ignored,
    "gzip": _gzip,
    "gzip, cut": _cut_gzip,
    "unknown encoding": _brotli,
    "endless body": _endless,
    "weak ETag, cut": _weak,
    "no validator, cut": _bare,
    "no length, cut": _no_length,
    "chunks, cut": _chunks,
    "not HTTP": _garbage,
}
"""Every kind of fault, and what the server does for it."""

SAYINGS: dict[str, tuple[str, ...]] = {
    "429": ("", "0", "1", "soon", "86400", "-5"),
    "503": ("", "0", "1", "\u00e9", "99999999999999999999"),
    "redirect to http": ("http://example.org/file", "http://127.0.0.1@example.org/file"),
    "redirect to nowhere": ("", "http://[", "https:///x", "http://127.0.0.1:notaport/"),
    "wrong Content-Range": ("bytes 7-9/10", "bytes */*", "lines 1-2/3", "bytes 0-0/1"),
}
"""What headers say in the kinds that need it; a date for Retry-After is made when it is asked."""


def soon(seconds: float) -> str:
    """A date for Retry-After."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


class Server(ThreadingHTTPServer):
    """A server on a free port of this machine."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, origins: Origins) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.origins = origins

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no error of the server's."""


@contextmanager
def serving(origins: Origins | None = None) -> Iterator[Origins]:
    """Two servers that share a memory: the hosts, and the host that release assets come from."""
    origins = origins or Origins()
    front, back = Server(origins), Server(origins)
    origins.base, origins.other = front.base, back.base
    threads = [
        threading.Thread(target=one.serve_forever, args=(0.02,), daemon=True)
        for one in (front, back)
    ]
    for thread in threads:
        thread.start()
    try:
        yield origins
    finally:
        for one, thread in zip((front, back), threads, strict=True):
            one.shutdown()
            one.server_close()
            thread.join()
