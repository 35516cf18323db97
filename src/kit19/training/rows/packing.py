"""Pack rows into sequences: best fit, longest first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def pack(lengths: NDArray[np.int64], room: int) -> list[list[int]]:
    """Pack rows into sequences by best fit.

    Args:
        lengths: Tokens of each of n rows; none above ``room``.
        room: Tokens of a sequence.

    Returns:
        The row numbers of each sequence, longest row first. Every row is in exactly one sequence. Rows
        of equal length keep their order, so the same lengths give the same sequences.
    """
    order = np.argsort(-lengths, kind="stable")
    by_space: list[list[int]] = [[] for _ in range(room + 1)]
    # Bit s is set if a sequence with s tokens of space is open. The lowest set bit from `length` on
    # is the best fit, found in a word or two instead of by a walk over all sequences.
    spaces = 0
    sequences: list[list[int]] = []
    for row, length in zip(order.tolist(), lengths[order].tolist(), strict=True):
        fitting = spaces >> length
        if fitting:
            space = length + (fitting & -fitting).bit_length() - 1
            sequence = by_space[space].pop()
            if not by_space[space]:
                spaces ^= 1 << space
        else:
            space, sequence = room, len(sequences)
            sequences.append([])
        sequences[sequence].append(row)
        left = space - length
        if left:
            by_space[left].append(sequence)
            spaces |= 1 << left
    return sequences


def one_row_per_sequence(rows: int) -> list[list[int]]:
    """Each row as its own sequence."""
    return [[row] for row in range(rows)]


def filled(sequences: Sequence[Sequence[int]], lengths: NDArray[np.int64], room: int) -> float:
    """The share of all tokens that belong to rows and are not padding."""
    return float(lengths.sum() / (len(sequences) * room)) if sequences else 0.0
