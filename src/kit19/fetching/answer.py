"""What an answer says of itself: how long it is, which part of the file, of which version of it.

Nothing of it is believed beyond what makes a transfer quicker; the file is checked at the end.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import urllib3

from kit19.fetching.connect import TransferError, TryAgainError
from kit19.fetching.part import Part

_BUSY = (408, 425, 429, 500, 502, 503, 504)


def check_status(response: urllib3.BaseHTTPResponse, part: Part) -> None:
    """Go on only if the answer has the file, or a part of it, as its body.

    Raises:
        TryAgainError: The server is busy, or has no such range (then the part is dropped).
        TransferError: It refuses, or does not have the file.
    """
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


def total_of(
    response: urllib3.BaseHTTPResponse, have: int, validator: str, part: Part
) -> int | None:
    """Bytes of the whole file, as the answer states them; None if it does not.

    Raises:
        TryAgainError: It is not what goes on from the part, which is dropped.
    """
    if response.status != 206:
        length = response.headers.get("Content-Length", "")
        return int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
    span = re.fullmatch(
        r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)",
        response.headers.get("Content-Range", "").strip(),
    )
    now = validator_of(response)
    if not span or int(span[1]) != have:
        part.drop()
        raise TryAgainError("the server sent another range than was asked for", 0)
    if have and now and now != validator:
        # A server without If-Range goes on with the new file where the old one broke off.
        part.drop()
        raise TryAgainError("upstream changed between two tries", 0)
    return None if span[3] == "*" else int(span[3])


def validator_of(response: urllib3.BaseHTTPResponse) -> str:
    """What If-Range may name: a strong ETag, else Last-Modified."""
    etag = response.headers.get("ETag", "")
    # A weak one does not promise equal bytes (RFC 9110, 8.8.1).
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")


def says_its_end(response: urllib3.BaseHTTPResponse) -> bool:
    """Whether a body that is cut short shows (one that ends with the connection does not)."""
    chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
    return chunked or "Content-Length" in response.headers


def is_packed(response: urllib3.BaseHTTPResponse, size: int | None) -> bool:
    """Whether the body has to be unpacked, though it was asked for as it is.

    Raises:
        TransferError: It is packed in a way that is not undone here.
    """
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("", "identity") or response.headers.get("Content-Length") == str(size):
        return False  # the second: a label on an archive, whose bytes are the file itself
    if encoding not in ("gzip", "x-gzip") or response.status == 206:
        raise TransferError(f"is sent packed ({encoding[:20]}), which nobody asked for")
    return True
