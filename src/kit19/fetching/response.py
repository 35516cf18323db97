"""Reads the headers of a response: its length, its range, and the version of the file.

Headers only make a transfer faster. They are not trusted: the file is checked at the end.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import urllib3

from kit19.fetching.connect import TransferError, TryAgainError
from kit19.fetching.part import Part

_RETRYABLE = (408, 425, 429, 500, 502, 503, 504)


def check_status(response: urllib3.BaseHTTPResponse, part: Part) -> None:
    """Check that the body of a response is the file, or a range of it.

    Raises:
        TryAgainError: The server is busy, or does not have the range (then the part is dropped).
        TransferError: The server refuses, or does not have the file.
    """
    status = response.status
    if status in (200, 206):
        return
    if status in _RETRYABLE:
        raise TryAgainError(f"the server answers {status}", _retry_after(response))
    if status == 416:
        part.drop()  # the upstream file is shorter than the part
        raise TryAgainError("the server has no such range", 0)
    if status in (401, 403):
        what = f"the server answers {status}: it needs a token (HF_TOKEN, GITHUB_TOKEN) or consent"
        raise TransferError(what)
    raise TransferError(f"the server answers {status}")


def _retry_after(response: urllib3.BaseHTTPResponse) -> float | None:
    """Return the wait of a Retry-After header (seconds or a date) in seconds; None if invalid."""
    text = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def total_size(
    response: urllib3.BaseHTTPResponse, have: int, validator: str, part: Part
) -> int | None:
    """Return the size of the complete file as the response states it; None if it does not.

    Raises:
        TryAgainError: The response does not continue the part, which is dropped.
    """
    if response.status != 206:
        length = response.headers.get("Content-Length", "")
        return int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
    span = re.fullmatch(
        r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)",
        response.headers.get("Content-Range", "").strip(),
    )
    now = response_validator(response)
    if not span or int(span[1]) != have:
        part.drop()
        raise TryAgainError("the server sent another range than requested", 0)
    if have and now and now != validator:
        # A server without If-Range support continues with the new file where the old one ended.
        part.drop()
        raise TryAgainError("the upstream file changed between two attempts", 0)
    return None if span[3] == "*" else int(span[3])


def response_validator(response: urllib3.BaseHTTPResponse) -> str:
    """Return a validator for If-Range: a strong ETag, else Last-Modified."""
    etag = response.headers.get("ETag", "")
    # A weak one does not promise equal bytes (RFC 9110, 8.8.1).
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")


def has_detectable_end(response: urllib3.BaseHTTPResponse) -> bool:
    """Whether a truncated body can be detected (not if the end of the connection ends it)."""
    chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
    return chunked or "Content-Length" in response.headers


def is_compressed(response: urllib3.BaseHTTPResponse, size: int | None) -> bool:
    """Whether the body must be decompressed, though the request asked for identity encoding.

    Raises:
        TransferError: The encoding is not supported.
    """
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("", "identity") or response.headers.get("Content-Length") == str(size):
        return False  # a matching length means that the header describes an archive file
    if encoding not in ("gzip", "x-gzip") or response.status == 206:
        raise TransferError(f"is sent compressed ({encoding[:20]}), which was not requested")
    return True
