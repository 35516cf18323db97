"""No test reaches for the network; some reach for servers on this machine."""

from __future__ import annotations

import itertools
import os
import socket
from contextlib import suppress
from typing import Any

THIS_MACHINE = ("127.0.0.1", "::1", "localhost")
_numbers = itertools.count()
_CONNECT = socket.socket.connect


def refuse(self: socket.socket, address: Any) -> None:
    """``socket.socket.connect`` for tests: only to other processes of this machine, by a file."""
    if self.family != socket.AF_UNIX:
        raise AssertionError("a test reached for the network")
    _CONNECT(self, address)


def only_this_machine(self: socket.socket, address: Any) -> None:
    """``socket.socket.connect`` for tests with a server of their own."""
    by_address = isinstance(address, tuple) and address[0] in THIS_MACHINE
    if not (by_address or self.family == socket.AF_UNIX):
        raise AssertionError(f"a test reached for the network: {address}")
    _CONNECT(self, address)


def unused_port() -> int:
    """A port for a process that listens later.

    Systems give ports above 32,768 to connections, so one of those may be taken by then.
    """
    while True:
        port = 20_000 + (16 * os.getpid() + next(_numbers)) % 10_000
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
