"""HTTP requests over shared connections, with safe redirects and a token only for its own host.

Error messages are composed here, since those of the HTTP library may contain a signed address or a
header with a token.
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
_MAX_REDIRECTS = 5
_NO_CONNECTION = "no connection"
# Errors of the HTTP library: the message, and whether the host is unreachable. The first match counts.
_REASONS: dict[type[Exception], tuple[str, bool]] = {
    broken.ProxyError: ("the proxy cannot connect", True),
    broken.NameResolutionError: ("the host is unknown", True),
    broken.NewConnectionError: (_NO_CONNECTION, True),
    broken.ConnectTimeoutError: ("the connection timed out", True),
    broken.ReadTimeoutError: ("reading timed out", False),
    broken.IncompleteRead: ("the connection ended early", False),
    broken.DecodeError: ("the body cannot be decompressed", False),
}
_GITHUB_HOSTS = ("github.com", "api.github.com", "raw.githubusercontent.com")


class TransferError(Exception):
    """An address cannot provide the file, and retrying now is useless."""


class TryAgainError(Exception):
    """A failure that is worth a retry.

    Args:
        why: The reason.
        wait: Seconds to wait, if the server stated them.
        unreached: Whether there was no connection at all.
    """

    def __init__(self, why: str, wait: float | None = None, *, unreached: bool = False) -> None:
        super().__init__(why)
        self.wait, self.unreached = wait, unreached


@dataclass(frozen=True)
class Http:
    """Settings of HTTP transfers.

    Attributes:
        timeout: Seconds to wait for a connection, and for the next bytes.
        attempts: The maximum number of consecutive attempts that yield less than 1 MiB each.
        max_attempts: The maximum number of attempts for one address.
        backoff: Seconds before the second attempt; doubled each time.
        max_wait: The maximum number of seconds between attempts. If a server requests a longer wait,
            the transfer fails.
        max_bytes: The maximum size of a file whose card states no size.
        min_rate: Bytes per second. A body that is slower than this over ``timeout`` seconds counts
            as stalled.
        per_host: The maximum number of connections to one host.
    """

    timeout: float = 30.0
    attempts: int = 7
    max_attempts: int = 100
    backoff: float = 0.5
    max_wait: float = 60.0
    max_bytes: int = 8 << 30
    min_rate: int = 100
    per_host: int = 4


class Connections:
    """A pool of connections that several threads share.

    Raises:
        OutputError: A proxy setting is invalid.
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
    def request(self, url: str, headers: Mapping[str, str]) -> Iterator[urllib3.BaseHTTPResponse]:
        """Request an address. The body is left unread.

        Raises:
            TryAgainError: There is no connection, or it broke, also inside the ``with``.
            TransferError: The address is not allowed, or its redirects fail.
        """
        response: urllib3.BaseHTTPResponse | None = None
        try:
            response = self._follow(url, headers)
            yield response
        except broken.HTTPError as error:
            raise _translate_error(error) from None
        finally:
            if response is not None:
                _release(response)

    def _follow(self, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        """Send the request, following redirects to allowed addresses only."""
        first = _server(url)
        for _ in range(_MAX_REDIRECTS + 1):
            # A token goes to the original host only, not to the target of a redirect.
            sent = {**headers, **credentials(url)} if _server(url) == first else headers
            response = self._pool(url).request(
                "GET", url, headers=sent, preload_content=False, redirect=False
            )
            if response.status not in _REDIRECTS:
                return response
            target = response.headers.get("Location", "")
            _release(response)
            if not target:
                raise TransferError("redirects without saying where to")
            url = _join_url(url, target)
        raise TransferError("redirects too often")

    def _pool(self, url: str) -> urllib3.PoolManager:
        if not is_allowed(url):
            raise TransferError(f"leads to {redact_url(url)}: refused, only https is followed")
        parts = urlsplit(url)
        if proxy_bypass(parts.netloc):
            return self._direct
        return self._proxied.get(parts.scheme) or self._direct


def credentials(url: str) -> dict[str, str]:
    """Return the header with the token for a host; empty for a host without one.

    Raises:
        TransferError: The token has characters that must not be in a header.
    """
    host = urlsplit(url).hostname or ""
    name = ""
    if host in _GITHUB_HOSTS:
        name = "GITHUB_TOKEN"
    elif _server(url) == _server(os.environ.get("HF_ENDPOINT") or HUB):
        name = "HF_TOKEN"
    token = os.environ.get(name, "").strip() if name else ""
    if not token:
        return {}
    if not re.fullmatch(r"[!-~]+", token):
        raise TransferError(f"{name} has characters that no token has")
    return {"Authorization": f"Bearer {token}"}


def redact_url(url: str) -> str:
    """Return an address without its parts that may be secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an invalid address"
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"[:200]


def _release(response: urllib3.BaseHTTPResponse) -> None:
    # A connection whose body was not read completely cannot be reused, so it is closed. (After a
    # complete read, it has returned to the pool and stays open.) It must also be released: the pool
    # counts it, and would block forever once `per_host` connections are missing.
    response.close()
    response.release_conn()


def _server(url: str) -> tuple[str, str]:
    """Return the scheme, and host with port."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc.lower()


def _join_url(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError:
        raise TransferError("redirects to an invalid address") from None


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


def _translate_error(error: broken.HTTPError) -> Exception:
    """Convert an error of the HTTP library into one without secrets in its message."""
    if isinstance(error, broken.LocationValueError):
        return TransferError("the address is invalid")
    if isinstance(error, broken.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return TransferError("its certificate is not trusted")
    cause: BaseException | None = error
    while cause is not None:
        for kind, (text, unreached) in _REASONS.items():
            if isinstance(cause, kind):
                why = getattr(cause.__cause__, "strerror", None) if text == _NO_CONNECTION else None
                return TryAgainError(f"{text} ({why})" if why else text, unreached=unreached)
        inner = cause.args[-1] if cause.args and isinstance(cause.args[-1], Exception) else None
        cause = inner or cause.__cause__
    return TryAgainError("the connection broke")
