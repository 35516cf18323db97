"""Object stores on this machine: moto's S3 server, behind a wire that breaks when a test wants it to,
and a server of Google's storage."""

from __future__ import annotations

import logging
import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.network import unused_port


class Wire(socketserver.ThreadingTCPServer):
    """Forwards connections, and cuts the next ones after so many bytes of answer.

    Attributes:
        cuts: Bytes of answer after which a connection is cut; one entry is used up by each cut.
        every: If set, bytes of answer after which every connection is cut.
        cut: The cuts that happened.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, target: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.target = target
        self.cuts: list[int] = []
        self.every: int | None = None
        self.cut: list[int] = []
        self.lock = threading.Lock()

    def passes(self, sent: int, data: bytes) -> bytes:
        """What goes through of an answer of which ``sent`` bytes went through already."""
        with self.lock:
            limit = self.cuts[0] if self.cuts else self.every
            if limit is None or sent + len(data) <= limit:
                return data
            self.cut.append(limit)
            del self.cuts[:1]
            return data[: limit - sent]


class _Connection(socketserver.BaseRequestHandler):
    server: Wire

    def handle(self) -> None:
        with socket.create_connection(self.server.target) as server:
            sent = 0
            while True:
                for ready in select.select([self.request, server], [], [])[0]:
                    data = ready.recv(1 << 16)
                    if not data:
                        return
                    if ready is self.request:
                        sent = 0
                        server.sendall(data)
                        continue
                    passed = self.server.passes(sent, data)
                    self.request.sendall(passed)
                    if len(passed) < len(data):
                        return
                    sent += len(data)


@contextmanager
def bucket_server() -> Iterator[tuple[Wire, Any]]:
    """The wire to an S3 server with the bucket ``corpus``, and a client of the server itself."""
    from moto.server import ThreadedMotoServer
    from s3fs import S3FileSystem

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    wire = Wire((host, port))
    threading.Thread(target=wire.serve_forever, args=(0.02,), daemon=True).start()
    try:
        direct = S3FileSystem(
            key="k", secret="s", endpoint_url=f"http://{host}:{port}", skip_instance_cache=True
        )
        direct.mkdir("corpus")
        yield wire, direct
    finally:
        wire.shutdown()
        wire.server_close()
        server.stop()


@contextmanager
def google_server() -> Iterator[tuple[str, Any]]:
    """The address of a server of Google's storage with the bucket ``corpus``, and a client of it."""
    from gcp_storage_emulator.server import create_server
    from gcsfs import GCSFileSystem

    port = unused_port()
    with create_server("127.0.0.1", port, in_memory=True):
        address = f"http://127.0.0.1:{port}"
        direct = GCSFileSystem(
            token="anon", project="p", endpoint_url=address, skip_instance_cache=True
        )
        direct.mkdir("corpus")
        yield address, direct
