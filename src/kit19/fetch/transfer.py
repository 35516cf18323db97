"""Bringing one address into one file: resumed, bounded, never endless.

Bytes go to a ``.part`` file beside a note of the server's validator (ETag or Last-Modified). A later
try, in this run or another, asks for the rest by a range request that the server answers only if
the file is still the same one (If-Range); else it starts over. Nothing here trusts what arrived:
the caller checks size and digest before the file gets its name.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import urllib3

from kit19.fetch.connect import Connections, Http, TransferError, TryAgainError
from kit19.fetch.part import Part, take

__all__ = ["Arrived", "Expected", "Http", "Transfer", "TransferError"]

_BUSY = (408, 425, 429, 500, 502, 503, 504)
_MIB = 1 << 20


@dataclass(frozen=True)
class Expected:
    """What is known of a file before it comes.

    Attributes:
        size: Its bytes, if known.
        provable: Whether the caller can tell a whole file from a cut one by size or digest.
    """

    size: int | None = None
    provable: bool = False


@dataclass(frozen=True)
class Arrived:
    """A file that came.

    Attributes:
        sha256: Of all its bytes.
        at_once: Whether it came whole in one answer of known length: then bringing it again would
            bring the same. Otherwise its pieces may not belong together.
    """

    sha256: str
    at_once: bool


class Transfer:
    """Transfers over shared connections; safe to use from several threads.

    Args:
        http: How the network is used.
        stopped: Set from outside to end every wait and every transfer.
    """

    def __init__(self, http: Http, stopped: threading.Event | None = None) -> None:
        self.http = http
        self._connections = Connections(http)
        self._stopped = stopped or threading.Event()

    def bring(
        self, url: str, path: Path, expected: Expected, on_bytes: Callable[[int, int | None], None]
    ) -> Arrived:
        """Bring an address into a ``.part`` file, resuming what is there.

        Args:
            url: The address.
            path: The file to write; it may hold the beginning from an earlier try.
            expected: What is known of the file.
            on_bytes: Told how many bytes are there now, and in all if that is known.

        Raises:
            TransferError: After all attempts, or at once where trying again is of no use.
            OSError: The file cannot be written.
        """
        part = Part(path)
        tries, fruitless = 0, 0
        while True:
            tries += 1
            before, _ = part.begun(url)
            try:
                return self._try(url, part, expected, on_bytes)
            except TryAgainError as again:
                after, _ = part.begun(url)
                # A bad line that brings a good piece each time will bring the file in the end.
                fruitless = 0 if after - before >= _MIB else fruitless + 1
                if fruitless >= self.http.attempts or tries >= self.http.most_attempts:
                    raise TransferError(f"{again} ({tries} tries)") from None
                self._pause(again, fruitless)

    def _pause(self, again: TryAgainError, fruitless: int) -> None:
        wait = self.http.backoff * 2 ** max(0, fruitless - 1) if again.wait is None else again.wait
        if again.wait is not None and wait > self.http.most_wait:
            raise TransferError(f"{again} and asks to be left alone for {wait:,.0f} s")
        if self._stopped.wait(min(wait, self.http.most_wait)):
            raise TransferError("interrupted")

    def _try(
        self,
        url: str,
        part: Part,
        expected: Expected,
        on_bytes: Callable[[int, int | None], None],
    ) -> Arrived:
        have, validator = part.begun(url)
        if expected.size is not None and have > expected.size:
            part.drop()
            have = 0
        if have and have == expected.size:  # killed between the last byte and the name
            on_bytes(have, have)
            return Arrived(part.digest().hexdigest(), at_once=False)
        headers = {"Accept-Encoding": "identity", "User-Agent": "kit19"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": validator}
        with self._connections.ask(url, headers) as response:
            _check_status(response, part)
            start = have if response.status == 206 else 0
            total = _total(response, have, validator, part)
            return self._receive(response, url, part, expected, (start, total), on_bytes)

    def _receive(
        self,
        response: urllib3.BaseHTTPResponse,
        url: str,
        part: Part,
        expected: Expected,
        span: tuple[int, int | None],
        on_bytes: Callable[[int, int | None], None],
    ) -> Arrived:
        start, total = span
        size = expected.size
        decode = _is_packed(response, size)
        if decode:
            total = None
        if total is not None and size is not None and total != size:
            raise TransferError(f"has {total:,} bytes, where the card says {size:,}")
        whole = size if size is not None else total
        if whole is None and not expected.provable and not _says_its_end(response):
            raise TransferError("does not say how long the file is, and neither does the card")
        most = whole if whole is not None else self.http.most_bytes
        if most > self.http.most_bytes and size is None:
            raise TransferError(f"has {most:,} bytes: refused, since the card states no size")
        if not start:
            part.drop()
            part.note(url, "" if decode else _validator(response))
        digest, place = part.digest(), start
        on_bytes(place, whole)

        def told(count: int) -> None:
            nonlocal place
            place += count
            on_bytes(place, whole)

        try:
            with part.path.open("ab") as file:
                pace = (self.http.least_rate, self.http.timeout)
                take(response, file, digest, most - start, told, decode=decode, pace=pace)
        except TransferError:
            if not self._stopped.is_set():
                part.drop()  # it sent too much: then what came before is of no use either
            raise
        if whole is not None and place < whole:
            raise TryAgainError(f"the connection ended after {place:,} of {whole:,} bytes")
        return Arrived(str(digest.hexdigest()), at_once=not start and total is not None)


def _check_status(response: urllib3.BaseHTTPResponse, part: Part) -> None:
    status = response.status
    if status in (200, 206):
        return
    if status in _BUSY:
        raise TryAgainError(f"the server answers {status}", _retry_after(response))
    if status == 416:
        part.drop()  # upstream is shorter than what is here
        raise TryAgainError("the server has no such range", 0)
    if status in (401, 403):
        what = f"the server answers {status}: it needs a token (HF_TOKEN, GITHUB_TOKEN) or consent"
        raise TransferError(what)
    raise TransferError(f"the server answers {status}")


def _retry_after(response: urllib3.BaseHTTPResponse) -> float | None:
    """Seconds that the server asks to wait (it may also name a date); None for anything else."""
    text = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _total(response: urllib3.BaseHTTPResponse, have: int, validator: str, part: Part) -> int | None:
    """Bytes of the whole file, as the answer states them."""
    if response.status != 206:
        length = response.headers.get("Content-Length", "")
        return int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
    span = re.fullmatch(
        r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)",
        response.headers.get("Content-Range", "").strip(),
    )
    now = _validator(response)
    if not span or int(span[1]) != have:
        part.drop()
        raise TryAgainError("the server sent another range than was asked for", 0)
    if have and now and now != validator:
        # A server without If-Range goes on with the new file where the old one broke off.
        part.drop()
        raise TryAgainError("upstream changed between two tries", 0)
    return None if span[3] == "*" else int(span[3])


def _validator(response: urllib3.BaseHTTPResponse) -> str:
    """What If-Range may name: a strong ETag, else Last-Modified."""
    etag = response.headers.get("ETag", "")
    # A weak one does not promise equal bytes (RFC 9110, 8.8.1).
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")


def _says_its_end(response: urllib3.BaseHTTPResponse) -> bool:
    """Whether a body that is cut short shows (one that ends with the connection does not)."""
    chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
    return chunked or "Content-Length" in response.headers


def _is_packed(response: urllib3.BaseHTTPResponse, size: int | None) -> bool:
    """Whether the body has to be unpacked, though it was asked for as it is."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("", "identity") or response.headers.get("Content-Length") == str(size):
        return False  # the second: a label on an archive, whose bytes are the file itself
    if encoding not in ("gzip", "x-gzip") or response.status == 206:
        raise TransferError(f"is sent packed ({encoding[:20]}), which nobody asked for")
    return True
