"""Batches that a model trains on.

A sequence is one row, or several packed rows. In a packed sequence the positions of every row begin at
0, and there is no attention mask. transformers then separates the rows where positions restart: for
sdpa and eager by a block-diagonal mask, for FlashAttention by lengths. Any 2-D mask, even of ones,
would turn that off, and rows would see each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import datasets
import numpy as np
import torch

from kit19.training.rows.packing import one_row_per_sequence, pack
from kit19.training.rows.tokens import Tokens
from kit19.training.settings import Settings

Sequences = list[list[int]]
_IGNORED = -100  # the label of a token without a loss, as torch's cross entropy has it


@dataclass(frozen=True)
class Collate:
    """Sequences → a batch: ``input_ids``, ``labels`` and, if rows are packed, ``position_ids``.

    Each is B × L int64. Where no rows are packed, the model counts positions itself: some models
    begin at another number than 0 (RoBERTa), and some take no positions (Mamba).

    Attributes:
        pad: The padding token. No row sees it, and it never has a loss.
    """

    pad: int

    def __call__(self, sequences: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """B dicts of ``input_ids``, ``labels`` and ``seq_lengths`` → the batch."""
        width = max(len(sequence["input_ids"]) for sequence in sequences)
        packed = any(len(sequence["seq_lengths"]) > 1 for sequence in sequences)
        ids = np.full((len(sequences), width), self.pad, np.int64)
        labels = np.full((len(sequences), width), _IGNORED, np.int64)
        # Positions of padding stay 0: each padding token counts as a row of its own.
        places = np.zeros((len(sequences), width), np.int64)
        for number, sequence in enumerate(sequences):
            size = len(sequence["input_ids"])
            ids[number, :size], labels[number, :size] = sequence["input_ids"], sequence["labels"]
            places[number, :size] = np.concatenate([np.arange(n) for n in sequence["seq_lengths"]])
        parts = {"input_ids": ids, "labels": labels}
        if packed:
            # Without positions there is no mask to build, and transformers takes the fast causal path:
            # a row does not see the padding after it.
            parts["position_ids"] = places
        return {name: torch.from_numpy(part) for name, part in parts.items()}


def arrange_rows(tokens: Tokens, settings: Settings) -> Sequences:
    """The sequences of a run: the row numbers of each."""
    if settings.layout == "packed":
        return pack(tokens.lengths, settings.sequence_length)
    return one_row_per_sequence(len(tokens))


def read_sequence(tokens: Tokens, rows: Sequence[int]) -> dict[str, Any]:
    """One sequence as the input of ``Collate``."""
    parts = [tokens.row(number) for number in rows]
    return {
        "input_ids": np.concatenate([ids for ids, _ in parts]),
        "labels": np.concatenate([labels for _, labels in parts]),
        "seq_lengths": [len(ids) for ids, _ in parts],
    }


def as_dataset(tokens: Tokens, sequences: Sequences) -> datasets.Dataset:
    """Sequences as the ``datasets.Dataset`` that TRL expects. Each is read when it is used."""

    def read(batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        found = [read_sequence(tokens, sequences[number]) for number in batch["sequence"]]
        return {name: [one[name] for one in found] for name in found[0]}

    return datasets.Dataset.from_dict({"sequence": range(len(sequences))}).with_transform(read)


def row_of_each_token(
    tokens: Tokens, rows: Sequence[int], width: int
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """For each of a sequence's ``width`` tokens, the row that it belongs to; -1 for padding."""
    found = np.full(width, -1, np.int64)
    lengths = tokens.lengths[list(rows)]
    found[: lengths.sum()] = np.repeat(np.asarray(rows), lengths)
    return found
