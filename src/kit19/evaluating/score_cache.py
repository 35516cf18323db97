"""A cache of scores and answers, keyed by content: a batch, the model and the hardware.

The unit is the batch, not the request: the score of a request may differ in the sixth decimal from
batch to batch, and an evaluation that resumes after an interruption must end in the same bytes as one
without.
"""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from kit19.evaluating.greedy import Answer
from kit19.evaluating.tree import Batch, Ids

Scores = list[tuple[float, bool]]


class ScoreCache:
    """A database of scored batches. SQLite keeps it consistent when a process is killed.

    Args:
        folder: The folder of the database; created if it does not exist.
        scorer: Everything that affects a score besides the tokens: model digest, dtype, device.
    """

    def __init__(self, folder: Path, scorer: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._scorer = json.dumps(scorer, sort_keys=True).encode()
        self._database = sqlite3.connect(folder / "scores.sqlite", isolation_level=None, timeout=60)
        # Writes of a killed process are safe with the system; only a power cut may lose batches.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = OFF")
        for table in ("scores", "answers"):
            self._database.execute(
                f"CREATE TABLE IF NOT EXISTS {table} (batch BLOB PRIMARY KEY, value TEXT)"
            )

    def get(self, batch: Batch, prefix: Ids) -> Scores | None:
        """The scores of a batch, in the order of its requests; None if they are not cached."""
        row = self._database.execute(
            "SELECT value FROM scores WHERE batch = ?", (self._key(batch, prefix),)
        ).fetchone()
        scores = [] if row is None else [(value, greedy) for value, greedy in json.loads(row[0])]
        return scores if scores and _are_finite(scores) else None

    def put(self, batch: Batch, prefix: Ids, scores: Scores) -> None:
        """Store the scores of a batch, unless one is not finite."""
        if not _are_finite(scores):
            return
        self._database.execute(
            "INSERT OR REPLACE INTO scores VALUES (?, ?)",
            (self._key(batch, prefix), json.dumps(scores)),
        )

    def get_answers(self, batch: Mapping[str, Any]) -> list[Answer] | None:
        """The answers of a batch of generation, in its order; None if they are not cached.

        Args:
            batch: Everything that affects the answers besides the model, as JSON types.
        """
        row = self._database.execute(
            "SELECT value FROM answers WHERE batch = ?", (self._key_of_generation(batch),)
        ).fetchone()
        return None if row is None else [Answer(*answer) for answer in json.loads(row[0])]

    def put_answers(self, batch: Mapping[str, Any], answers: Sequence[Answer]) -> None:
        """Store the answers of a batch of generation."""
        self._database.execute(
            "INSERT OR REPLACE INTO answers VALUES (?, ?)",
            (self._key_of_generation(batch), json.dumps([astuple(one) for one in answers])),
        )

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _key_of_generation(self, batch: Mapping[str, Any]) -> bytes:
        return hashlib.sha256(self._scorer + json.dumps(batch, sort_keys=True).encode()).digest()

    def _key(self, batch: Batch, prefix: Ids) -> bytes:
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
