"""A file on its way: what has come of it, and from where, kept so that another run can go on."""

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

_PIECE = 1 << 18  # what a socket gives at once; larger pieces only wait longer to be hashed
_WHOLE = 1 << 20


class Part:
    """A ``.part`` file and beside it a ``.note``: the address and the server's validator.

    A part without a note is of no known origin and starts over. The note is written after an old
    part is gone and before new bytes come, so that a process killed at any moment leaves no part
    beside the note of other bytes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._note = path.with_suffix(".note")

    def begun(self, url: str) -> tuple[int, str]:
        """How many bytes of this address are there to go on from, and their validator."""
        try:
            kept = read_json(self._note)
            if kept["url"] == url and kept["validator"]:
                return self.path.stat().st_size, str(kept["validator"])
        except (OSError, ValueError, KeyError, TypeError):
            # No note, or a damaged one: then nobody knows what the part is.
            pass
        return 0, ""

    def drop(self) -> None:
        """Throw away what has come."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def note(self, url: str, validator: str) -> None:
        """Say what the bytes to come are (``validator`` empty: not to be gone on from)."""
        self._note.write_text(json.dumps({"url": url, "validator": validator}), "utf-8")

    def digest(self) -> Any:
        """sha256 of what has come, to be gone on with."""
        digest = hashlib.sha256()
        if self.path.exists():
            with self.path.open("rb") as file:
                while chunk := file.read(_WHOLE):
                    digest.update(chunk)
        return digest


def take(
    response: urllib3.BaseHTTPResponse,
    file: IO[bytes],
    digest: Any,
    room: int,
    told: Callable[[int], None],
    *,
    decode: bool,
    pace: tuple[int, float],
) -> int:
    """Copy a body to a file while another thread hashes it; both release the interpreter.

    Args:
        response: The answer, its body unread.
        file: Where bytes go.
        digest: Told of every byte that the file was told of.
        room: Most bytes to take.
        told: Told of each piece's bytes.
        decode: Undo the answer's Content-Encoding.
        pace: Least bytes a second, and the seconds over which that is measured.

    Returns:
        How many bytes came.

    Raises:
        TransferError: More bytes came than there is room for; none of them can be trusted.
        TryAgainError: They come too slowly.
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
        while piece := response.read1(_PIECE, decode_content=decode):
            done += len(piece)
            if done > room:
                raise TransferError("sends more bytes than it may")
            file.write(piece)
            pieces.put(piece)
            told(len(piece))
            if (passed := time.monotonic() - since) > pace[1]:
                if done - measured < pace[0] * passed:
                    raise TryAgainError("bytes come too slowly")
                measured, since = done, time.monotonic()
    finally:
        pieces.put(None)
        hasher.join()
    return done
