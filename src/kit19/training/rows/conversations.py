"""The answers of rows that are trained on, each with the turns before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from kit19.core.rows import MESSAGES
from kit19.training.rows.chat_template import Turns
from kit19.training.settings import LossOn


@dataclass(frozen=True)
class Row:
    """A row as turns.

    Attributes:
        name: Its id.
        turns: All turns; the last is an answer.
        pair: Instruction and input of a single question, which prompt formats without turns
            write apart; None for a conversation.
    """

    name: str
    turns: Turns
    pair: tuple[str, str] | None = None

    @property
    def questions(self) -> int:
        """The number of questions."""
        return sum(turn["role"] == "user" for turn in self.turns)

    def answers(self, loss_on: LossOn) -> list[int]:
        """The places of the turns that have a loss."""
        if loss_on == "last":
            return [len(self.turns) - 1]
        return [n for n, turn in enumerate(self.turns) if turn["role"] == "assistant"]

    def without_oldest(self, pairs: int) -> Row:
        """The conversation without its oldest questions and their answers; a system turn stays.

        Args:
            pairs: How many pairs to remove.
        """
        first = 1 if self.turns[0]["role"] == "system" else 0
        return Row(self.name, [*self.turns[:first], *self.turns[first + 2 * pairs :]])

    def texts(self, answer: int) -> Iterator[str]:
        """The texts that a prompt and its answer must contain; earlier answers may be rewritten.

        Args:
            answer: The place of the answer.
        """
        if self.pair is not None:
            yield from (*self.pair, self.turns[-1]["content"])
            return
        yield from (t["content"] for t in self.turns[:answer] if t["role"] != "assistant")
        yield self.turns[answer]["content"]


@dataclass(frozen=True)
class AnswerText:
    """An answer that has a loss, as text.

    Attributes:
        row: Its row.
        place: The place of its turn.
        prompt: The prompt of this answer.
        text: The prompt with the answer.
    """

    row: Row
    place: int
    prompt: str
    text: str

    @property
    def content(self) -> str:
        """The answer alone."""
        return self.row.turns[self.place]["content"]

    @property
    def turn(self) -> str:
        """The beginning of a message about it; empty for a single question."""
        return f"turn {self.place + 1}: " if len(self.row.turns) > 2 else ""


def user_turn(instruction: str, text: str) -> dict[str, str]:
    """A question with its input as one turn."""
    return {"role": "user", "content": f"{instruction}\n\n{text}" if text else instruction}


def rows_of(batch: pl.DataFrame) -> list[Row]:
    """The rows of a data frame of ``COLUMNS`` as turns."""
    found = []
    columns = ["id", "instruction", "input", "output"]
    messages: Sequence[Turns | None] = (
        batch[MESSAGES].to_list() if MESSAGES in batch.columns else [None] * batch.height
    )
    pairs = batch.select(columns).iter_rows()
    for (name, instruction, text, output), turns in zip(pairs, messages, strict=True):
        if turns is None:
            both = [user_turn(instruction, text), {"role": "assistant", "content": output}]
            found.append(Row(name, both, (instruction, text)))
        else:
            found.append(Row(name, turns))
    return found


def all_texts(batch: pl.DataFrame) -> Iterable[str]:
    """Every text of the rows of a data frame."""
    for row in rows_of(batch):
        yield from (turn["content"] for turn in row.turns)
