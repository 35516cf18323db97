"""Which rows are packed into a sequence."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kit19.training.rows.packing import filled, one_row_per_sequence, pack


@given(st.lists(st.integers(1, 40), max_size=60))
def test_every_row_is_in_one_sequence_and_no_sequence_is_too_long(lengths: list[int]) -> None:
    found = pack(np.array(lengths, np.int64), 40)
    assert sorted(row for sequence in found for row in sequence) == list(range(len(lengths)))
    assert all(sum(lengths[row] for row in sequence) <= 40 for sequence in found)


def slow_best_fit(lengths: list[int], room: int) -> list[int]:
    """Space left in each sequence, by a walk over all sequences for each row."""
    spaces: list[int] = []
    for length in sorted(lengths, reverse=True):
        fitting = [number for number, space in enumerate(spaces) if space >= length]
        if fitting:
            spaces[min(fitting, key=lambda number: spaces[number])] -= length
        else:
            spaces.append(room - length)
    return sorted(spaces)


@given(st.lists(st.integers(1, 30), max_size=60))
def test_sequences_equal_those_of_a_slow_best_fit(lengths: list[int]) -> None:
    found = pack(np.array(lengths, np.int64), 30)
    left = sorted(30 - sum(lengths[row] for row in sequence) for sequence in found)
    assert left == slow_best_fit(lengths, 30)


def test_the_filled_share_counts_tokens() -> None:
    lengths = np.array([6, 4, 5])
    assert filled(pack(lengths, 10), lengths, 10) == 15 / 20
    assert filled(one_row_per_sequence(3), lengths, 10) == 15 / 30
    assert filled([], lengths[:0], 10) == 0
