"""What servers on this machine share: a socket that listens, and the names of its host."""

from __future__ import annotations

import socket

from kit19.core.errors import OutputError, Problem

LOCAL_NAMES = ("127.0.0.1", "localhost", "::1")
"""The names of this machine that no other machine has."""


def listen(host: str, port: int) -> socket.socket:
    """Open a socket that listens.

    Args:
        host: The address.
        port: The port; 0 for any free one.

    Raises:
        OutputError: The address or the port cannot be used.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        fix = "use another --port; 0 takes any free one" if host_name(host) in LOCAL_NAMES else ""
        raise OutputError(
            Problem(f"cannot be listened on: {reason}", f"{host}:{port}", fix)
        ) from None


def base_url(host: str, listening: socket.socket) -> str:
    """The address of a server: ``http://127.0.0.1:8000``."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}"


def host_name(host: str) -> str:
    """A host name or address without its port and brackets, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return (host.partition(":")[0] if host.count(":") == 1 else host).lower()
