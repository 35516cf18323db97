"""Which rows share a line: best fit, longest first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def pack(lengths: NDArray[np.int64], room: int) -> list[list[int]]:
    """Put rows into as few lines as best fit finds.

    Args:
        lengths: Tokens of each of n rows; none above ``room``.
        room: Tokens of a line.

    Returns:
        Lines, each the numbers of its rows, longest first. Every row is in exactly one. Rows of equal
        length stay in their order, so the same lengths give the same lines.
    """
    order = np.argsort(-lengths, kind="stable")
    by_space: list[list[int]] = [[] for _ in range(room + 1)]
    # Bit s is set where a line with s tokens of space is open: the lowest bit from `length` on is the
    # best fit, found in a word or two instead of by walking the lines.
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
    """Each row in a line of its own."""
    return [[row] for row in range(rows)]


def filled(sequences: Sequence[Sequence[int]], lengths: NDArray[np.int64], room: int) -> float:
    """Share of the lines' tokens that are rows' rather than filling."""
    return float(lengths.sum() / (len(sequences) * room)) if sequences else 0.0
