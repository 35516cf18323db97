"""Rows with branches, without a model: each token attends to what it would attend to alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kit19.evaluating.tree import (
    Request,
    Row,
    align,
    build_rows,
    common_prefix,
    make_batches,
    truncate_context,
)

ids = st.integers(0, 3)  # few tokens, so that beginnings are often shared
texts = st.lists(ids, min_size=1, max_size=7)
some_pairs = st.lists(st.tuples(texts, texts), min_size=1, max_size=12)


def _requests(pairs: list[tuple[list[int], list[int]]], prefix: list[int]) -> list[Request]:
    return [Request(i, prefix + context, rest) for i, (context, rest) in enumerate(pairs)]


def _histories(rows: list[Row], prefix: list[int]) -> dict[int, list[tuple[list[int], int]]]:
    """For each request, the tokens visible before each predicted token, and the token."""
    batch = align(rows, len(prefix))
    width = batch.tokens.shape[1]
    found: dict[int, list[tuple[list[int], int]]] = {}
    ends = [*batch.starts[1:].tolist(), len(batch.uses)]
    for index, start, end in zip(batch.requests.tolist(), batch.starts, ends, strict=True):
        found[index] = []
        for row, kept, token in batch.edges[:, batch.uses[start:end]].T.tolist():
            place = width - batch.keep + kept
            seen = np.flatnonzero(batch.visible[row, place])
            own = [int(at) - len(prefix) for at in seen if at >= len(prefix)]
            assert [int(at) for at in seen if at < len(prefix)] == list(range(len(prefix)))
            positions = batch.positions[row, own]
            assert sorted(positions.tolist()) == list(range(len(prefix), len(prefix) + len(own)))
            ordered = [
                int(batch.tokens[row, at]) for _, at in sorted(zip(positions, own, strict=True))
            ]
            found[index].append((prefix + ordered, token))
    return found


@given(
    some_pairs,
    st.lists(ids, max_size=4),
    st.booleans(),
    st.sampled_from([None, 17, 18, 20, 24]),
)
def test_every_predicted_token_sees_its_own_history_and_nothing_else(
    pairs: list[tuple[list[int], list[int]]], prefix: list[int], branch: bool, window: int | None
) -> None:
    requests = _requests(pairs, prefix)
    rows = build_rows(requests, prefix, branch=branch, window=window)
    assert all(len(prefix) + row.length <= (window or 10**9) for row in rows)
    found: dict[int, list[tuple[list[int], int]]] = {}
    for batch in make_batches(rows, tokens=20, predictions=12):
        found |= _histories(batch, prefix)
    for request in requests:
        whole = request.context + request.continuation
        start = len(request.context)
        expected = [(whole[:at], whole[at]) for at in range(start, len(whole))]
        assert found[request.index] == expected


@given(some_pairs)
def test_a_context_shared_by_requests_is_fed_once(pairs: list[tuple[list[int], list[int]]]) -> None:
    rows = build_rows(_requests(pairs, []), [])
    assert len(rows) == len({tuple(context) for context, _ in pairs})
    fed = sum(row.length for row in rows)
    assert fed <= sum(len(context) + len(rest) - 1 for context, rest in pairs)


@given(some_pairs, st.integers(1, 40), st.integers(1, 20))
def test_batches_hold_every_row_once_and_keep_to_their_budget(
    pairs: list[tuple[list[int], list[int]]], tokens: int, predictions: int
) -> None:
    rows = build_rows(_requests(pairs, []), [])
    batches = make_batches(rows, tokens, predictions)
    assert sorted(id(row) for batch in batches for row in batch) == sorted(map(id, rows))
    for batch in batches:
        width = max(row.length for row in batch)
        kept = max(row.predictions for row in batch)
        assert len(batch) == 1 or (
            len(batch) * width <= tokens and len(batch) * kept <= predictions
        )


@given(some_pairs)
def test_batches_do_not_depend_on_the_order_of_requests(
    pairs: list[tuple[list[int], list[int]]],
) -> None:
    forward = make_batches(build_rows(_requests(pairs, []), []), 30, 30)
    backward = make_batches(build_rows(list(reversed(_requests(pairs, []))), []), 30, 30)
    assert [[row.context for row in b] for b in forward] == [
        [r.context for r in b] for b in backward
    ]


@given(texts, texts, st.integers(2, 12))
def test_a_context_is_truncated_as_in_the_harness(
    context: list[int], rest: list[int], window: int
) -> None:
    rest = rest[:window]
    harness = (context + rest)[-(window + 1) :][:-1]
    assert truncate_context(context, rest, window) + rest[:-1] == harness


@given(st.lists(st.lists(ids, min_size=1, max_size=30), min_size=2, max_size=6))
def test_a_common_prefix_leaves_a_token_of_every_context(contexts: list[list[int]]) -> None:
    shared = list(range(100, 112))
    prefix = common_prefix([shared + context for context in contexts])
    assert all((shared + context)[: len(prefix)] == prefix for context in contexts)
    assert len(shared) <= len(prefix) < min(len(shared + context) for context in contexts)


def test_a_short_common_beginning_is_not_worth_a_prefix() -> None:
    assert common_prefix([[1, 2, 3, 4], [1, 2, 3, 5]]) == []
    assert common_prefix([[1] * 20]) == []
