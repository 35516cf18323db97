"""What is counted while rows become tokens."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class TokenStats:
    """Counts from tokenizing. For each fault, the first row is kept as an example.

    Attributes:
        read: Rows read.
        too_long: Rows longer than the limit.
        answers_lost: Rows among these whose prompt leaves no room for the last answer, shortened
            ones aside.
        dropped: Rows dropped because of their length.
        shortened: Rows whose oldest turns were left out because of their length.
        turns_left_out: Questions left out of these rows, each with its answer.
        conversations: Rows with several questions.
        split: Rows among these with one sequence for each answer, because the chat template writes
            earlier turns differently from the last.
        answers: Answers that have a loss, in the rows read.
        tokens: Tokens of the rows that are kept.
        supervised: Tokens among these with a loss.
        unknown: Tokens that are the tokenizer's unknown token.
        no_answer: Rows with an empty answer.
        no_end: Rows with an answer that has no end token.
        not_prefix: Rows with a prompt that is tokenized differently alone and before its answer.
        other_head: Rows before whose answers the chat template writes something else than in other
            rows.
        other_head_answers: These answers.
        left_out: Rows of whose text the chat template omits a part.
        control: Rows with text that looks like a control token; it is encoded as text.
        longest: Tokens of the longest row.
        first: The first row of each fault, by the fault's name: its id, and text that shows the fault.
    """

    read: int = 0
    too_long: int = 0
    answers_lost: int = 0
    dropped: int = 0
    shortened: int = 0
    turns_left_out: int = 0
    conversations: int = 0
    split: int = 0
    answers: int = 0
    tokens: int = 0
    supervised: int = 0
    unknown: int = 0
    no_answer: int = 0
    no_end: int = 0
    not_prefix: int = 0
    other_head: int = 0
    other_head_answers: int = 0
    left_out: int = 0
    control: int = 0
    longest: int = 0
    first: dict[str, tuple[str, str]] = field(default_factory=dict)

    def note(self, fault: str, row: str, shown: str) -> None:
        """Count a fault, and keep the first row that has it."""
        setattr(self, fault, getattr(self, fault) + 1)
        self.first.setdefault(fault, (row, shown))
