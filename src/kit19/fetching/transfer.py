"""Bringing one address into one file: resumed, bounded, never endless.

Bytes go to a ``.part`` file beside a note of the server's validator (ETag or Last-Modified). A later
try, in this run or another, asks for the rest by a range request that the server answers only if
the file is still the same one (If-Range); else it starts over. Nothing here trusts what arrived:
the caller checks size and digest before the file gets its name.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import urllib3

from kit19.fetching.answer import check_status, is_packed, says_its_end, total_of, validator_of
from kit19.fetching.connect import Connections, Http, TransferError, TryAgainError
from kit19.fetching.part import Part, take

__all__ = ["Arrived", "Expected", "Http", "Transfer", "TransferError"]

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
        self._down: set[str] = set()

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
        part, host = Part(path), urlsplit(url).netloc
        tries, fruitless = 0, 0
        while True:
            tries += 1
            before, _ = part.begun(url)
            try:
                arrived = self._try(url, part, expected, on_bytes)
                self._down.discard(host)
                return arrived
            except TryAgainError as again:
                after, _ = part.begun(url)
                # A bad line that brings a good piece each time will bring the file in the end.
                fruitless = 0 if after - before >= _MIB else fruitless + 1
                # Where nobody answered one file all its tries long, the others need not wait as well.
                enough = 1 if host in self._down else self.http.attempts
                if fruitless >= enough or tries >= self.http.most_attempts:
                    if again.unreached:
                        self._down.add(host)
                    told = f"{tries} tries" if tries > 1 else "1 try"
                    raise TransferError(f"{again} ({told})") from None
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
            check_status(response, part)
            start = have if response.status == 206 else 0
            total = total_of(response, have, validator, part)
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
        decode = is_packed(response, size)
        if decode:
            total = None
        if total is not None and size is not None and total != size:
            raise TransferError(f"has {total:,} bytes, where the card says {size:,}")
        whole = size if size is not None else total
        if whole is None and not expected.provable and not says_its_end(response):
            raise TransferError("does not say how long the file is, and neither does the card")
        most = whole if whole is not None else self.http.most_bytes
        if most > self.http.most_bytes and size is None:
            raise TransferError(f"has {most:,} bytes: refused, since the card states no size")
        if not start:
            part.drop()
            part.note(url, "" if decode else validator_of(response))
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
