"""An incomplete download and its origin, kept on disk so that a later run can resume it."""

from __future__ import annotations

import hashlib
import json
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import urllib3

from kit19.core.paths import read_json
from kit19.fetching.connect import TransferError, TryAgainError

_PIECE_BYTES = 1 << 18  # as much as a socket returns at once; larger pieces only delay hashing
_CHUNK = 1 << 20


class Part:
    """A ``.part`` file and its ``.note``, which holds the address and the server's validator.

    A part without a note has an unknown origin, so its download restarts. The note is written after an
    old part is removed and before new bytes are written, so a process that is killed at any moment
    never leaves a part with the note of other bytes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._note = path.with_suffix(".note")

    def resume_point(self, url: str) -> tuple[int, str]:
        """Return the number of bytes to resume from for this address, and their validator."""
        try:
            kept = read_json(self._note)
            if kept["url"] == url and kept["validator"]:
                return self.path.stat().st_size, str(kept["validator"])
        except (OSError, ValueError, KeyError, TypeError):
            # No note, or a damaged one: the origin of the part is unknown.
            pass
        return 0, ""

    def drop(self) -> None:
        """Delete the part and its note."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def note(self, url: str, validator: str) -> None:
        """Record the origin of the next bytes; an empty ``validator`` means not resumable."""
        self._note.write_text(json.dumps({"url": url, "validator": validator}), "utf-8")

    def digest(self) -> Any:
        """Return the sha256 object of the bytes so far, to be updated further."""
        digest = hashlib.sha256()
        if self.path.exists():
            with self.path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        return digest


def copy_body(
    response: urllib3.BaseHTTPResponse,
    file: IO[bytes],
    digest: Any,
    limit: int,
    on_bytes: Callable[[int], None],
    *,
    decode: bool,
    pace: tuple[int, float],
) -> int:
    """Copy a body to a file while another thread hashes it; both release the GIL.

    Args:
        response: The response, with its body unread.
        file: The file to write.
        digest: The hash object, updated with every byte that is written.
        limit: The maximum number of bytes.
        on_bytes: Called with the size of each piece.
        decode: Undo the Content-Encoding.
        pace: The minimum number of bytes per second, and the seconds over which it is measured.

    Returns:
        The number of bytes received.

    Raises:
        TransferError: The body is longer than ``limit``; none of its bytes can be trusted.
        TryAgainError: The body is too slow.
        OSError: The file cannot be written.
    """
    pieces: queue.Queue[bytes | None] = queue.Queue(maxsize=16)

    def hash_pieces() -> None:
        while (piece := pieces.get()) is not None:
            digest.update(piece)

    hasher = threading.Thread(target=hash_pieces, daemon=True)
    hasher.start()
    done, measured, since = 0, 0, time.monotonic()
    try:
        while piece := response.read1(_PIECE_BYTES, decode_content=decode):
            done += len(piece)
            if done > limit:
                raise TransferError("sends more bytes than allowed")
            file.write(piece)
            pieces.put(piece)
            on_bytes(len(piece))
            if (passed := time.monotonic() - since) > pace[1]:
                if done - measured < pace[0] * passed:
                    raise TryAgainError("the transfer is too slow")
                measured, since = done, time.monotonic()
    finally:
        pieces.put(None)
        hasher.join()
    return done
