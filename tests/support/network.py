"""No test reaches for the network; some reach for servers on this machine."""

from __future__ import annotations

import socket
from typing import Any, NoReturn

THIS_MACHINE = ("127.0.0.1", "::1", "localhost")
_CONNECT = socket.socket.connect


def refuse(*_: Any, **__: Any) -> NoReturn:
    raise AssertionError("a test reached for the network")


def only_this_machine(self: socket.socket, address: Any) -> None:
    """``socket.socket.connect`` for tests with a server of their own."""
    if not (isinstance(address, tuple) and address[0] in THIS_MACHINE):
        raise AssertionError(f"a test reached for the network: {address}")
    _CONNECT(self, address)
