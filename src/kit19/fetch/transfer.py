"""Bringing one address into one file: resumed, bounded, never endless.

Bytes go to a ``.part`` file beside a note of the server's validator (ETag or Last-Modified). A later
try, in this run or another, asks for the rest by a range request that the server answers only if
the file is still the same one (If-Range); else it starts over. Nothing here trusts what arrived:
the caller checks size and digest before the file gets its name.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from kit19.fetch.origin import is_allowed

_CHUNK = 1 << 20
_REDIRECTS = (301, 302, 303, 307, 308)
_BUSY = (408, 425, 429, 500, 502, 503, 504)


class TransferError(Exception):
    """A transfer failed. ``final`` means that asking the same address again is of no use."""

    def __init__(self, why: str, *, final: bool) -> None:
        super().__init__(why)
        self.final = final


@dataclass(frozen=True)
class Http:
    """How the network is used.

    Attributes:
        timeout: Seconds to wait for a connection, and for the next bytes.
        attempts: Most tries of one address; those that brought new bytes count as well.
        backoff: Seconds before the second try; doubled each time.
        most_wait: Longest wait between tries, also where the server asks for a longer one.
        most_bytes: Refuse a larger file where the card states no size.
        per_host: Connections to one host at a time.
    """

    timeout: float = 30.0
    attempts: int = 8
    backoff: float = 0.5
    most_wait: float = 60.0
    most_bytes: int = 8 << 30
    per_host: int = 4


class Transfer:
    """Transfers over shared connections; safe to use from several threads."""

    def __init__(self, http: Http) -> None:
        self.http = http
        timeout = urllib3.Timeout(connect=http.timeout, read=http.timeout)
        options: dict[str, Any] = {
            "timeout": timeout,
            "retries": False,
            "maxsize": http.per_host,
            "block": True,
            "num_pools": 16,
        }
        proxies = getproxies()
        self._direct = urllib3.PoolManager(**options)
        self._proxied: dict[str, urllib3.PoolManager] = {
            scheme: urllib3.ProxyManager(proxies[scheme], **options)
            for scheme in ("http", "https")
            if scheme in proxies
        }

    def bring(self, url: str, part: Path, size: int | None, on_bytes: Callable[[int], None]) -> str:
        """Bring an address into ``part``, resuming what is there.

        Args:
            url: The address.
            part: The file to write; it may hold the beginning from an earlier try.
            size: Bytes expected, if known.
            on_bytes: Told of each piece's bytes, and of bytes that must come again as negative.

        Returns:
            sha256 of the whole file.

        Raises:
            TransferError: After all attempts, or at once where trying again is of no use.
            OSError: The file cannot be written.
        """
        wait = self.http.backoff
        for attempt in range(1, self.http.attempts + 1):
            try:
                return self._try(url, part, size, on_bytes)
            except _RetryError as again:
                if attempt == self.http.attempts:
                    raise TransferError(f"{again} ({attempt} tries)", final=True) from None
                time.sleep(min(again.wait if again.wait is not None else wait, self.http.most_wait))
                wait *= 2
        raise TransferError("no attempt was allowed", final=True)

    def _try(self, url: str, part: Path, size: int | None, on_bytes: Callable[[int], None]) -> str:
        note = _Note(part)
        have = note.resumable(url)
        headers = {"Accept-Encoding": "identity", "User-Agent": "kit19"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": note.validator}
        try:
            response = self._open(url, headers)
            try:
                return self._receive(response, url, part, note, have, size, on_bytes)
            finally:
                # A connection whose body was not read to its end cannot serve another request.
                response.close()
        except urllib3.exceptions.HTTPError as error:
            raise _RetryError(_plain(error)) from None

    def _open(self, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        """Ask, following redirects to allowed addresses only; credentials stay with their host."""
        first = urlsplit(url).netloc
        for _ in range(6):
            if not is_allowed(url):
                raise TransferError(f"refused: {_shown(url)} is not https", final=True)
            sent = {**headers, **_credentials(url)} if urlsplit(url).netloc == first else headers
            response = self._pool(url).request(
                "GET", url, headers=sent, preload_content=False, redirect=False
            )
            if response.status not in _REDIRECTS:
                return response
            target = response.headers.get("Location", "")
            response.close()
            url = urljoin(url, target)
        raise TransferError("redirected too often", final=True)

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        if proxy_bypass(parts.hostname or ""):
            return self._direct
        return self._proxied.get(parts.scheme) or self._direct

    def _receive(
        self,
        response: urllib3.BaseHTTPResponse,
        url: str,
        part: Path,
        note: _Note,
        have: int,
        size: int | None,
        on_bytes: Callable[[int], None],
    ) -> str:
        _check_status(response)
        encoded = response.headers.get("Content-Encoding", "identity") != "identity"
        if response.status == 206 and not _continues(response, have):
            note.forget()
            raise _RetryError("the server sent another range than was asked for")
        if response.status != 206 and have:
            on_bytes(-have)
            have = 0
        total = _total(response, have) if not encoded else None
        expected = size if size is not None else total
        if total is not None and size is not None and total != size:
            note.forget()
            what = f"has {total:,} bytes, where the card says {size:,}: upstream has changed"
            raise TransferError(what, final=True)
        limit = expected if expected is not None else self.http.most_bytes
        note.remember(url, response, resumable=not encoded)
        digest = _digest_of(part, have)
        with part.open("ab" if have else "wb") as file:
            done = _pump(response, file, digest, limit - have, on_bytes, decode=encoded)
        if expected is not None and have + done < expected:
            raise _RetryError(f"the connection ended after {have + done:,} of {expected:,} bytes")
        return str(digest.hexdigest())


class _RetryError(Exception):
    """Worth another try, after ``wait`` seconds if the server said so."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class _Note:
    """What a ``.part`` file came from, kept beside it so that another run can go on."""

    def __init__(self, part: Path) -> None:
        self._part, self._path = part, part.with_suffix(".note")
        self.validator = ""

    def resumable(self, url: str) -> int:
        """Bytes that are there and may be gone on from; 0 to start over."""
        try:
            kept = json.loads(self._path.read_text("utf-8"))
            if kept["url"] == url and kept["validator"]:
                self.validator = str(kept["validator"])
                return self._part.stat().st_size
        except (OSError, ValueError, KeyError, TypeError):
            # No note, or a damaged one: then nobody knows what the part is, and it starts over.
            return 0
        return 0

    def remember(self, url: str, response: urllib3.BaseHTTPResponse, *, resumable: bool) -> None:
        strong = response.headers.get("ETag", "")
        if strong.startswith("W/"):
            strong = ""  # a weak validator does not promise equal bytes (RFC 9110, 8.8.1)
        validator = (strong or response.headers.get("Last-Modified", "")) if resumable else ""
        self._path.write_text(json.dumps({"url": url, "validator": validator}), "utf-8")

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)


def _check_status(response: urllib3.BaseHTTPResponse) -> None:
    status = response.status
    if status in (200, 206):
        return
    if status in _BUSY:
        raise _RetryError(f"the server answered {status}", _retry_after(response))
    if status == 416:
        raise _RetryError("the server has no such range", 0)
    if status in (401, 403):
        what = f"the server answered {status}: it needs a token (HF_TOKEN, GITHUB_TOKEN) or consent"
        raise TransferError(what, final=True)
    raise TransferError(f"the server answered {status}", final=True)


def _retry_after(response: urllib3.BaseHTTPResponse) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if re.fullmatch(r"\d{1,6}", text) else None


def _continues(response: urllib3.BaseHTTPResponse, have: int) -> bool:
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return bool(match) and int(match[1]) == have  # type: ignore[index]


def _total(response: urllib3.BaseHTTPResponse, have: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return have + int(length) if length.isdigit() else None


def _digest_of(part: Path, have: int) -> Any:
    digest = hashlib.sha256()
    if have:
        with part.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest


def _pump(
    response: urllib3.BaseHTTPResponse,
    file: Any,
    digest: Any,
    room: int,
    on_bytes: Callable[[int], None],
    *,
    decode: bool,
) -> int:
    """Copy the body to the file while another thread hashes it; both release the interpreter."""
    chunks: queue.Queue[bytes | None] = queue.Queue(maxsize=8)

    def hash_chunks() -> None:
        while (chunk := chunks.get()) is not None:
            digest.update(chunk)

    hasher = threading.Thread(target=hash_chunks, daemon=True)
    hasher.start()
    done = 0
    try:
        while chunk := response.read(_CHUNK, decode_content=decode):
            done += len(chunk)
            if done > room:
                raise TransferError("sends more bytes than it may", final=True)
            file.write(chunk)
            chunks.put(chunk)
            on_bytes(len(chunk))
    finally:
        chunks.put(None)
        hasher.join()
    return done


def _credentials(url: str) -> dict[str, str]:
    """The token for a host, sent to that host alone."""
    host = urlsplit(url).hostname or ""
    hub = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co").hostname
    name = "HF_TOKEN" if host == hub else "GITHUB_TOKEN" if host.endswith("github.com") else ""
    if host == "raw.githubusercontent.com":
        name = "GITHUB_TOKEN"
    token = os.environ.get(name, "") if name else ""
    return {"Authorization": f"Bearer {token}"} if token else {}


def _plain(error: Exception) -> str:
    text = str(error)
    return re.sub(r"\s*\(Caused by.*|<[^>]*>:?\s*", "", text) or type(error).__name__


def _shown(url: str) -> str:
    """An address without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"
