"""Asking an address: over shared connections, redirected where that is safe, tokens kept apart.

What an error says is put together here from what kit19 knows: a message of the HTTP library may hold
an address with a signature in it, or a header with a token.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3 import exceptions as broken

from kit19.core.errors import OutputError, Problem
from kit19.fetching.origin import HUB, is_allowed

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_NOBODY = "no connection"
# What a failure is told as, and whether it means that nobody is there; the first kind that fits.
_REASONS: dict[type[Exception], tuple[str, bool]] = {
    broken.ProxyError: ("the proxy does not give a connection", True),
    broken.NameResolutionError: ("the host is not known", True),
    broken.NewConnectionError: (_NOBODY, True),
    broken.ConnectTimeoutError: ("no connection in time", True),
    broken.ReadTimeoutError: ("no bytes came in time", False),
    broken.IncompleteRead: ("the connection ended early", False),
    broken.DecodeError: ("the body is packed wrongly", False),
}
_GITHUB_HOSTS = ("github.com", "api.github.com", "raw.githubusercontent.com")


class TransferError(Exception):
    """An address cannot give the file, and asking it again now is of no use."""


class TryAgainError(Exception):
    """Worth another try, after ``wait`` seconds if the server said so.

    ``unreached`` means that there was not even a connection.
    """

    def __init__(self, why: str, wait: float | None = None, *, unreached: bool = False) -> None:
        super().__init__(why)
        self.wait, self.unreached = wait, unreached


@dataclass(frozen=True)
class Http:
    """How the network is used.

    Attributes:
        timeout: Seconds to wait for a connection, and for the next bytes.
        attempts: Most tries of one address in a row that bring less than 1 MiB each.
        most_attempts: Most tries of one address in all.
        backoff: Seconds before the second try; doubled each time.
        most_wait: Longest wait between tries. A server that asks for a longer one is not asked
            again in this run.
        most_bytes: Refuse a larger file where the card states no size.
        least_rate: Bytes a second; a body that comes more slowly than this over ``timeout`` seconds
            counts as stalled.
        per_host: Connections to one host at a time.
    """

    timeout: float = 30.0
    attempts: int = 7
    most_attempts: int = 100
    backoff: float = 0.5
    most_wait: float = 60.0
    most_bytes: int = 8 << 30
    least_rate: int = 100
    per_host: int = 4


class Connections:
    """Connections that several threads share.

    Raises:
        OutputError: A proxy setting that cannot be used.
    """

    def __init__(self, http: Http) -> None:
        options: dict[str, Any] = {
            "timeout": urllib3.Timeout(connect=http.timeout, read=http.timeout),
            "retries": False,
            "maxsize": http.per_host,
            "block": True,
            "num_pools": 16,
        }
        proxies = getproxies()
        self._direct = urllib3.PoolManager(**options)
        self._proxied: dict[str, urllib3.PoolManager] = {}
        for scheme in ("http", "https"):
            if address := proxies.get(scheme) or proxies.get("all"):
                self._proxied[scheme] = _proxy(scheme, address, options)

    @contextmanager
    def ask(self, url: str, headers: Mapping[str, str]) -> Iterator[urllib3.BaseHTTPResponse]:
        """Ask for an address; the body is not read yet.

        Raises:
            TryAgainError: The connection could not be made, or broke, also inside the ``with``.
            TransferError: The address may not be asked, or leads nowhere.
        """
        response: urllib3.BaseHTTPResponse | None = None
        try:
            response = self._follow(url, headers)
            yield response
        except broken.HTTPError as error:
            raise _plain(error) from None
        finally:
            if response is not None:
                _let_go(response)

    def _follow(self, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        """Ask, following redirects to allowed addresses only."""
        first = _place(url)
        for _ in range(_MOST_REDIRECTS + 1):
            # A token goes to the host that was meant, not to one that a redirect names.
            sent = {**headers, **credentials(url)} if _place(url) == first else headers
            response = self._pool(url).request(
                "GET", url, headers=sent, preload_content=False, redirect=False
            )
            if response.status not in _REDIRECTS:
                return response
            target = response.headers.get("Location", "")
            _let_go(response)
            if not target:
                raise TransferError("redirects without saying where to")
            url = _joined(url, target)
        raise TransferError("redirects too often")

    def _pool(self, url: str) -> urllib3.PoolManager:
        if not is_allowed(url):
            raise TransferError(f"leads to {shown(url)}: refused, only https is followed")
        parts = urlsplit(url)
        if proxy_bypass(parts.netloc):
            return self._direct
        return self._proxied.get(parts.scheme) or self._direct


def credentials(url: str) -> dict[str, str]:
    """The header with the token for a host; empty for any other host.

    Raises:
        TransferError: The token holds what no token holds; a header must not be built from it.
    """
    host = urlsplit(url).hostname or ""
    name = ""
    if host in _GITHUB_HOSTS:
        name = "GITHUB_TOKEN"
    elif _place(url) == _place(os.environ.get("HF_ENDPOINT") or HUB):
        name = "HF_TOKEN"
    token = os.environ.get(name, "").strip() if name else ""
    if not token:
        return {}
    if not re.fullmatch(r"[!-~]+", token):
        raise TransferError(f"{name} holds characters that no token has")
    return {"Authorization": f"Bearer {token}"}


def shown(url: str) -> str:
    """An address without what may be secret in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that is none"
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"[:200]


def _let_go(response: urllib3.BaseHTTPResponse) -> None:
    # A connection whose body was not read to its end cannot serve another request, so it is closed
    # (one that was read to its end has gone back by itself and stays open). It must also be given
    # back: the pool counts it, and would wait for it for ever once `per_host` of them are missing.
    response.close()
    response.release_conn()


def _place(url: str) -> tuple[str, str]:
    """Scheme, host and port."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc.lower()


def _joined(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError:
        raise TransferError("redirects to an address that is none") from None


def _proxy(scheme: str, address: str, options: dict[str, Any]) -> urllib3.PoolManager:
    where = f"{scheme}_proxy"
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        user = (
            f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
        )
        headers = urllib3.make_headers(proxy_basic_auth=user) if user else None
        plain = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        return urllib3.ProxyManager(plain, proxy_headers=headers, **options)
    except (ValueError, broken.HTTPError):
        what = "is not the address of an HTTP proxy"
        raise OutputError(Problem(what, where, "write http://host:port, or unset it")) from None


def _plain(error: broken.HTTPError) -> Exception:
    """What a broken transfer comes to, in words that hold nothing secret."""
    if isinstance(error, broken.LocationValueError):
        return TransferError("the address is none")
    if isinstance(error, broken.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return TransferError("its certificate is not trusted")
    cause: BaseException | None = error
    while cause is not None:
        for kind, (told, unreached) in _REASONS.items():
            if isinstance(cause, kind):
                why = getattr(cause.__cause__, "strerror", None) if told == _NOBODY else None
                return TryAgainError(f"{told} ({why})" if why else told, unreached=unreached)
        inner = cause.args[-1] if cause.args and isinstance(cause.args[-1], Exception) else None
        cause = inner or cause.__cause__
    return TryAgainError("the connection broke")
