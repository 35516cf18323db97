"""Scores that were computed before, by content: a batch's own bytes and what scored it are its name.

The unit is the batch, not the request: the same request in another batch may differ in the sixth
decimal, and a run that was killed and started again must end in the same bytes as one that was not.
"""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit19.evaluating.tree import Batch, Ids

Scores = list[tuple[float, bool]]


class Memory:
    """A file of scored batches. SQLite keeps it whole when a process is killed.

    Args:
        folder: Where the file lies, or is made.
        scorer: All that decides a score besides the tokens: the model's digest, dtype, device.
    """

    def __init__(self, folder: Path, scorer: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._scorer = json.dumps(scorer, sort_keys=True).encode()
        self._base = sqlite3.connect(folder / "scores.sqlite", isolation_level=None, timeout=60)
        # What a killed process wrote is safe with the system; only a power cut may lose batches.
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = OFF")
        self._base.execute("CREATE TABLE IF NOT EXISTS scores (batch BLOB PRIMARY KEY, value TEXT)")

    def recall(self, batch: Batch, prefix: Ids) -> Scores | None:
        """The scores of a batch, in the order of its requests; None if it was never scored."""
        row = self._base.execute(
            "SELECT value FROM scores WHERE batch = ?", (self._name(batch, prefix),)
        ).fetchone()
        scores = [] if row is None else [(value, greedy) for value, greedy in json.loads(row[0])]
        return scores if scores and _are_finite(scores) else None

    def keep(self, batch: Batch, prefix: Ids, scores: Scores) -> None:
        """Write down the scores of a batch, unless they are no numbers."""
        if not _are_finite(scores):
            return
        self._base.execute(
            "INSERT OR REPLACE INTO scores VALUES (?, ?)",
            (self._name(batch, prefix), json.dumps(scores)),
        )

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()

    def _name(self, batch: Batch, prefix: Ids) -> bytes:
        digest = hashlib.sha256(self._scorer)
        digest.update(json.dumps(prefix).encode())
        parts = (
            batch.tokens,
            batch.positions,
            batch.visible,
            batch.edges,
            batch.uses,
            batch.starts,
        )
        for part in parts:
            digest.update(str(part.shape).encode())
            digest.update(part.tobytes())
        return digest.digest()


def _are_finite(scores: Scores) -> bool:
    return all(math.isfinite(value) for value, _ in scores)
