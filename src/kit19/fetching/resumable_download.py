"""Downloads one address into one file: resumable, and bounded in size and time.

Bytes go to a ``.part`` file, with a note of the server's validator (ETag or Last-Modified). A later
attempt, in this run or another, requests the rest with a range request. The server answers it only if
the file is unchanged (If-Range); otherwise the download restarts. Nothing here trusts the bytes: the
caller checks size and digest before the file gets its name.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import urllib3

from kit19.fetching.connect import Connections, Http, TransferError, TryAgainError
from kit19.fetching.part import Part, copy_body
from kit19.fetching.response import (
    check_status,
    has_detectable_end,
    is_compressed,
    response_validator,
    total_size,
)

__all__ = ["Download", "ExpectedFile", "Http", "Transfer", "TransferError"]

_MIB = 1 << 20


@dataclass(frozen=True)
class ExpectedFile:
    """The known properties of a file before its download.

    Attributes:
        size: Its bytes, if known.
        is_checkable: Whether the caller can detect a truncated file by its size or digest.
    """

    size: int | None = None
    is_checkable: bool = False


@dataclass(frozen=True)
class Download:
    """A finished download.

    Attributes:
        sha256: The digest of all its bytes.
        in_one_response: Whether all of it came in one response of known length. Then another download
            would give the same bytes. Otherwise its pieces may be of different versions.
    """

    sha256: str
    in_one_response: bool


class Transfer:
    """Transfers over shared connections; safe to use from several threads.

    Args:
        http: Settings of HTTP transfers.
        stopped: Set by the caller to end every wait and every transfer.
    """

    def __init__(self, http: Http, stopped: threading.Event | None = None) -> None:
        self.http = http
        self._connections = Connections(http)
        self._stopped = stopped or threading.Event()
        self._down: set[str] = set()

    def download(
        self,
        url: str,
        path: Path,
        expected: ExpectedFile,
        on_bytes: Callable[[int, int | None], None],
    ) -> Download:
        """Download an address into a ``.part`` file, resuming an earlier attempt.

        Args:
            url: The address.
            path: The file to write; it may hold the bytes of an earlier attempt.
            expected: The known properties of the file.
            on_bytes: Called with the number of bytes so far, and the total if known.

        Raises:
            TransferError: All attempts failed, or a retry would be useless.
            OSError: The file cannot be written.
        """
        part, host = Part(path), urlsplit(url).netloc
        attempts, failures = 0, 0
        while True:
            attempts += 1
            before, _ = part.resume_point(url)
            try:
                download = self._attempt(url, part, expected, on_bytes)
                self._down.discard(host)
                return download
            except TryAgainError as error:
                after, _ = part.resume_point(url)
                # A bad connection that yields a large piece each time completes the file in the end.
                failures = 0 if after - before >= _MIB else failures + 1
                # If a host was unreachable for all attempts of one file, others need not wait as well.
                allowed = 1 if host in self._down else self.http.attempts
                if failures >= allowed or attempts >= self.http.max_attempts:
                    if error.unreached:
                        self._down.add(host)
                    count = f"{attempts} attempts" if attempts > 1 else "1 attempt"
                    raise TransferError(f"{error} ({count})") from None
                self._pause(error, failures)

    def _pause(self, error: TryAgainError, failures: int) -> None:
        wait = self.http.backoff * 2 ** max(0, failures - 1) if error.wait is None else error.wait
        if error.wait is not None and wait > self.http.max_wait:
            raise TransferError(f"{error} and requests a wait of {wait:,.0f} s")
        if self._stopped.wait(min(wait, self.http.max_wait)):
            raise TransferError("interrupted")

    def _attempt(
        self,
        url: str,
        part: Part,
        expected: ExpectedFile,
        on_bytes: Callable[[int, int | None], None],
    ) -> Download:
        have, validator = part.resume_point(url)
        if expected.size is not None and have > expected.size:
            part.drop()
            have = 0
        if have and have == expected.size:  # killed after the last byte, before the rename
            on_bytes(have, have)
            return Download(part.digest().hexdigest(), in_one_response=False)
        headers = {"Accept-Encoding": "identity", "User-Agent": "kit19"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": validator}
        with self._connections.request(url, headers) as response:
            check_status(response, part)
            start = have if response.status == 206 else 0
            total = total_size(response, have, validator, part)
            return self._receive(response, url, part, expected, (start, total), on_bytes)

    def _receive(
        self,
        response: urllib3.BaseHTTPResponse,
        url: str,
        part: Part,
        expected: ExpectedFile,
        span: tuple[int, int | None],
        on_bytes: Callable[[int, int | None], None],
    ) -> Download:
        start, total = span
        size = expected.size
        decode = is_compressed(response, size)
        if decode:
            total = None
        if total is not None and size is not None and total != size:
            raise TransferError(f"has {total:,} bytes, where the card says {size:,}")
        full_size = size if size is not None else total
        if full_size is None and not expected.is_checkable and not has_detectable_end(response):
            raise TransferError("does not say how long the file is, and neither does the card")
        limit = full_size if full_size is not None else self.http.max_bytes
        if limit > self.http.max_bytes and size is None:
            raise TransferError(f"has {limit:,} bytes: refused, since the card states no size")
        if not start:
            part.drop()
            part.note(url, "" if decode else response_validator(response))
        digest, place = part.digest(), start
        on_bytes(place, full_size)

        def report(count: int) -> None:
            nonlocal place
            place += count
            on_bytes(place, full_size)

        try:
            with part.path.open("ab") as file:
                pace = (self.http.min_rate, self.http.timeout)
                copy_body(response, file, digest, limit - start, report, decode=decode, pace=pace)
        except TransferError:
            if not self._stopped.is_set():
                part.drop()  # too many bytes: the earlier ones cannot be trusted either
            raise
        if full_size is not None and place < full_size:
            raise TryAgainError(f"the connection ended after {place:,} of {full_size:,} bytes")
        return Download(str(digest.hexdigest()), in_one_response=not start and total is not None)
