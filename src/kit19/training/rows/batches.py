"""Rows as the batches that a model trains on.

A line is one row, or several that share it. In a shared line every row's positions begin at 0 and
there is no attention mask: transformers then parts the rows at the resets, for sdpa and eager by a
block-diagonal mask, for FlashAttention by lengths. Any 2-D mask, even of ones, would switch that off
and let rows see each other.
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
_UNSEEN = -100  # the label of a token without a loss, as torch's cross entropy has it


@dataclass(frozen=True)
class Collate:
    """Lines → a batch: ``input_ids``, ``labels`` and, if rows share a line, ``position_ids``.

    Each is B × L int64. Where each row has its own line, the model counts positions itself: some begin
    at another number than 0 (RoBERTa), and some take no positions at all (Mamba).

    Attributes:
        pad: Token that fills lines up; it is never seen by a row, and never has a loss.
    """

    pad: int

    def __call__(self, sequences: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """B dicts of ``input_ids``, ``labels`` and ``seq_lengths`` → the batch."""
        width = max(len(sequence["input_ids"]) for sequence in sequences)
        shared = any(len(sequence["seq_lengths"]) > 1 for sequence in sequences)
        ids = np.full((len(sequences), width), self.pad, np.int64)
        labels = np.full((len(sequences), width), _UNSEEN, np.int64)
        # Positions of the filling stay 0: each of its tokens is a row of its own, unseen.
        places = np.zeros((len(sequences), width), np.int64)
        for number, sequence in enumerate(sequences):
            size = len(sequence["input_ids"])
            ids[number, :size], labels[number, :size] = sequence["input_ids"], sequence["labels"]
            places[number, :size] = np.concatenate([np.arange(n) for n in sequence["seq_lengths"]])
        parts = {"input_ids": ids, "labels": labels}
        if shared:
            # Without them there is no mask to build, and the fast causal path is taken: filling behind
            # a row is out of its sight.
            parts["position_ids"] = places
        return {name: torch.from_numpy(part) for name, part in parts.items()}


def arrange_rows(tokens: Tokens, settings: Settings) -> Sequences:
    """The lines of a run: the numbers of the rows in each."""
    if settings.layout == "packed":
        return pack(tokens.lengths, settings.sequence_length)
    return one_row_per_sequence(len(tokens))


def read_sequence(tokens: Tokens, rows: Sequence[int]) -> dict[str, Any]:
    """One line as what ``Collate`` takes."""
    parts = [tokens.row(number) for number in rows]
    return {
        "input_ids": np.concatenate([ids for ids, _ in parts]),
        "labels": np.concatenate([labels for _, labels in parts]),
        "seq_lengths": [len(ids) for ids, _ in parts],
    }


def as_dataset(tokens: Tokens, sequences: Sequences) -> datasets.Dataset:
    """Lines as a dataset of the library that TRL wants; nothing is copied, lines are read when used."""

    def read(wanted: dict[str, list[int]]) -> dict[str, list[Any]]:
        found = [read_sequence(tokens, sequences[number]) for number in wanted["line"]]
        return {name: [one[name] for one in found] for name in found[0]}

    return datasets.Dataset.from_dict({"line": range(len(sequences))}).with_transform(read)


def row_of_each_token(
    tokens: Tokens, rows: Sequence[int], width: int
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """For each of a line's ``width`` tokens the row that it belongs to; -1 for the filling."""
    found = np.full(width, -1, np.int64)
    lengths = tokens.lengths[list(rows)]
    found[: lengths.sum()] = np.repeat(np.asarray(rows), lengths)
    return found
