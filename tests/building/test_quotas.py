"""Tests of sharing a cap among classes."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from kit19.building.quota import quotas

classes = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 60), max_size=8)


@given(classes, st.integers(0, 300))
@example({"a": 1, "b": 100, "c": 100}, 100)
@example({}, 5)
def test_a_cap_is_reached_as_far_as_there_are_records(available: dict[str, int], cap: int) -> None:
    shared = quotas(available, cap)
    assert set(shared) == set(available)
    assert sum(shared.values()) == min(cap, sum(available.values()))
    assert all(0 <= shared[name] <= available[name] for name in available)


@given(classes, st.integers(0, 300))
def test_nobody_gets_less_while_another_gets_more(available: dict[str, int], cap: int) -> None:
    shared = quotas(available, cap)
    for name, count in shared.items():
        if count < available[name]:
            assert count >= max(shared.values()) - 1


@given(classes, st.integers(0, 300))
def test_what_is_left_over_goes_to_the_first_in_the_alphabet(
    available: dict[str, int], cap: int
) -> None:
    shared = quotas(available, cap)
    hungry = [name for name in sorted(available) if shared[name] < available[name]]
    counts = [shared[name] for name in hungry]
    assert counts == sorted(counts, reverse=True)


@given(classes, st.integers(0, 300))
def test_the_order_in_which_classes_are_met_decides_nothing(
    available: dict[str, int], cap: int
) -> None:
    backwards = dict(reversed(available.items()))
    assert quotas(available, cap) == quotas(backwards, cap)


@given(classes)
def test_without_a_cap_every_class_gives_as_many_as_the_smallest(
    available: dict[str, int],
) -> None:
    least = min(available.values(), default=0)
    assert quotas(available, None) == dict.fromkeys(available, least)
