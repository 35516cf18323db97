"""The file of verdicts: every prompt, reply and verdict, one JSON line each.

Lines are appended when they are complete, so that an interrupted run loses only the calls in flight.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from kit19.core.errors import Problem, ResultsError, first_line
from kit19.core.json_text import to_json
from kit19.writing.place import write_errors

NAME = "verdicts.jsonl"

Kind = Literal["score", "pair"]
Status = Literal["ok", "unparsable", "refused"]


class Verdict(BaseModel):
    """One answer of a judge, or its refusal.

    Attributes:
        key: Digest of everything that the call depends on: endpoint, model, messages, settings, number
            of the repetition. A call with the same key is not made again.
        kind: ``score`` of one answer, or the better of a ``pair``.
        task: The task.
        item: ``<split>/<id>``.
        turn: 0-based turn.
        order: For a pair, whose answer is shown first: ``own`` or ``other``. Empty for a score.
        repeat: 0-based number of the repetition.
        judge: The model that judges.
        base_url: The address of its API.
        messages: The prompt.
        settings: The other fields of the request.
        status: ``ok``; ``unparsable`` if the reply names no or several verdicts, or is cut off;
            ``refused`` if the server refuses the prompt.
        reply: The text of the reply, or the reason of the refusal.
        score: Of a ``score`` that is ``ok``.
        choice: Of a ``pair`` that is ``ok``: ``A``, ``B`` or ``C`` for a tie.
        served_model: What the server calls the model that replied.
        finish_reason: Why the reply ended, such as ``stop`` or ``length``.
        usage: Tokens, as the server counts them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    kind: Kind
    task: str
    item: str
    turn: int
    order: Literal["", "own", "other"] = ""
    repeat: int
    judge: str
    base_url: str
    messages: list[dict[str, str]]
    settings: dict[str, object]
    status: Status
    reply: str
    score: float | None = None
    choice: Literal["A", "B", "C"] | None = None
    served_model: str = ""
    finish_reason: str = ""
    usage: dict[str, int] = {}


def read_verdicts(path: Path) -> Iterator[Verdict]:
    """Yield the verdicts of a file.

    A last line without a line break, which a killed run left, is no verdict.

    Raises:
        ResultsError: A line is not a verdict; the error names file and line.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise ResultsError(Problem(what, str(path))) from None
    for number, line in enumerate(raw.split(b"\n")[:-1], 1):
        try:
            yield Verdict.model_validate_json(line)
        except ValidationError as error:
            what = f"is not a verdict: {first_line(error)}"
            fix = "remove the line, and its call is made again"
            raise ResultsError(Problem(what, f"{path}:{number}", fix)) from None


class VerdictFile:
    """A file that verdicts are appended to. Its caller holds the folder's lock.

    Args:
        path: The file; created if it is missing.

    Raises:
        OutputError: It cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = path.open("ab+")
            self._remove_torn_line()

    def _remove_torn_line(self) -> None:
        self._stream.seek(0)
        complete = self._stream.read().rfind(b"\n") + 1
        self._stream.truncate(complete)

    def append(self, verdict: Verdict) -> None:
        """Append one verdict, flushed to the disk: it may have cost money.

        Raises:
            OutputError: It cannot be written.
        """
        line = (to_json(verdict.model_dump(mode="json", exclude_none=True)) + "\n").encode()
        with write_errors(self._path):
            self._stream.write(line)
            self._stream.flush()
            os.fsync(self._stream.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._stream.close()
