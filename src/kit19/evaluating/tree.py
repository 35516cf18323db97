"""From requests to rows: what one forward pass can answer at once.

A request asks for the log-likelihood of a continuation after a context. Requests with the same context
tokens become one row: the context once, then their continuations as a trie, each node a token that
sees the context and its own ancestors only. A continuation's last token is never fed: it is only
predicted. What all contexts of a task begin with is not even in the rows (``prefix``): its keys and
values are computed once.

``            ┌ 예   ``  positions after the fork are the same in every branch, so a node's position
``context ──┤      ``  is its depth, not its place in the row.
``            └ 아니 ─ 오``

Nothing here loads torch: rows and batches are plain numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Ids = list[int]
Ints = npt.NDArray[np.int64]

MIN_PREFIX = 8
"""A shorter common beginning is not worth a cache of its own."""


@dataclass(frozen=True)
class Request:
    """One continuation to score.

    Attributes:
        index: Its place among the requests.
        context: Token ids of the context, never empty.
        continuation: Token ids of the continuation, never empty.
    """

    index: int
    context: Ids
    continuation: Ids


@dataclass
class Row:
    """One context and the trie of its continuations.

    Attributes:
        context: Context tokens, those of the prefix left out; at least one.
        nodes: Tokens of the trie's nodes, parents before children.
        parents: For each node its parent among the nodes, -1 for the end of the context.
        edges: (node or -1, next token): each is one predicted token, in the order of first use.
        requests: (index of the request, its edges).
    """

    context: Ids
    nodes: Ids = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    edges: list[tuple[int, int]] = field(default_factory=list)
    requests: list[tuple[int, list[int]]] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Tokens fed to the model."""
        return len(self.context) + len(self.nodes)

    @property
    def scored(self) -> int:
        """Places at the row's end that predict something: the context's last token and every node."""
        return 1 + len(self.nodes)


@dataclass(frozen=True)
class Batch:
    """Rows that go through the model together, aligned at their ends.

    Attributes:
        tokens: (rows, width) token ids, 0 where a row is shorter.
        positions: (rows, width) place of each token in its own sequence, the prefix counted.
        visible: (rows, width, prefix + width) what each token may attend to.
        keep: Places at the end whose predictions are needed.
        edges: (3, edges): row, place among the kept ones, predicted token.
        requests: (requests,) index of each request, in the batch's order.
        uses: (uses,) edges of the requests, one request after the other.
        starts: (requests,) where in ``uses`` each request begins.
    """

    tokens: Ints
    positions: Ints
    visible: npt.NDArray[np.bool_]
    keep: int
    edges: Ints
    requests: Ints
    uses: Ints
    starts: Ints


def fit(context: Ids, continuation: Ids, window: int) -> Ids:
    """The context that is left where both do not fit: cut on the left, as the harness cuts it.

    Its input is the last ``window + 1`` tokens without the very last, which is only predicted.
    """
    over = len(context) + len(continuation) - (window + 1)
    return context[over:] if over > 0 else context


def common_prefix(contexts: Sequence[Ids]) -> Ids:
    """The longest beginning that all contexts share, one token of each left over."""
    if len(contexts) < 2:
        return []
    first, last = min(contexts), max(contexts)
    limit = min(map(len, contexts)) - 1
    length = 0
    while length < limit and first[length] == last[length]:
        length += 1
    return first[:length] if length >= MIN_PREFIX else []


def plant(
    requests: Sequence[Request], prefix: Ids, *, branch: bool = True, window: int | None = None
) -> list[Row]:
    """One row for each distinct context, in the order of first use.

    Args:
        requests: The requests; every context begins with the prefix and goes on.
        prefix: Tokens left out of the rows.
        branch: Share a context among its continuations; else every request has a row of its own.
        window: The most tokens in a row, prefix counted: a context whose branches do not all fit has
            several rows. Some models have tables by place, which end there, however the positions run.
    """
    rows: list[_Growing] = []
    latest: dict[tuple[int, ...], _Growing] = {}
    for request in requests:
        key = tuple(request.context)
        row = latest.get(key)
        if row is None or not branch or not row.has_room(request, len(prefix), window):
            row = latest[key] = _Growing(Row(request.context[len(prefix) :]))
            rows.append(row)
        row.add(request)
    return [growing.row for growing in rows]


@dataclass
class _Growing:
    """A row to which requests are added, its nodes and edges by what leads to them."""

    row: Row
    nodes: dict[tuple[int, int], int] = field(default_factory=dict)
    edges: dict[tuple[int, int], int] = field(default_factory=dict)

    def has_room(self, request: Request, prefix: int, window: int | None) -> bool:
        if window is None:
            return True
        at, new = -1, len(request.continuation) - 1
        for token in request.continuation[:-1]:
            if (at, token) not in self.nodes:
                break
            at, new = self.nodes[at, token], new - 1
        return prefix + self.row.length + new <= window

    def add(self, request: Request) -> None:
        at, used = -1, []
        for place, token in enumerate(request.continuation):
            edge = (at, token)
            if edge not in self.edges:
                self.edges[edge] = len(self.row.edges)
                self.row.edges.append(edge)
            used.append(self.edges[edge])
            if place + 1 == len(request.continuation):
                break
            if edge not in self.nodes:
                self.nodes[edge] = len(self.row.nodes)
                self.row.nodes.append(token)
                self.row.parents.append(at)
            at = self.nodes[edge]
        self.row.requests.append((request.index, used))


def share(rows: Sequence[Row], tokens: int, predictions: int) -> list[list[Row]]:
    """Part rows into batches, longest first, so that running out of memory shows at once.

    Args:
        rows: The rows.
        tokens: At most so many tokens in a batch, padding counted; one row may have more.
        predictions: At most so many kept places in a batch, padding counted; likewise.
    """
    ordered = sorted(rows, key=lambda row: (-row.length, -row.scored, row.context, row.nodes))
    batches: list[list[Row]] = []
    widest = 0
    for row in ordered:
        count = len(batches[-1]) + 1 if batches else 1
        full = count * batches[-1][0].length > tokens if batches else True
        if full or count * max(widest, row.scored) > predictions:
            batches.append([])
            widest = 0
        batches[-1].append(row)
        widest = max(widest, row.scored)
    return batches


def pack(rows: Sequence[Row], prefix: int) -> Batch:
    """Align rows at their ends, with what each token may see.

    Args:
        rows: The rows of one batch.
        prefix: Length of what stands before every row.
    """
    width = max(row.length for row in rows)
    keep = max(row.scored for row in rows)
    tokens = np.zeros((len(rows), width), dtype=np.int64)
    positions = np.zeros((len(rows), width), dtype=np.int64)
    visible = np.zeros((len(rows), width, prefix + width), dtype=np.bool_)
    # A token that may see nothing would become NaN and spoil its neighbors: padding sees itself.
    diagonal = np.arange(width)
    visible[:, diagonal, prefix + diagonal] = True
    for place, row in enumerate(rows):
        start, fork = width - row.length, width - len(row.nodes)
        tokens[place, start:] = row.context + row.nodes
        positions[place, start:fork] = prefix + np.arange(fork - start)
        visible[place, start:, :prefix] = True
        causal = np.tri(fork - start, dtype=np.bool_)
        visible[place, start:fork, prefix + start : prefix + fork] = causal
        visible[place, fork:, prefix + start : prefix + fork] = True
        _branches(row, visible[place, fork:, prefix + fork :], positions[place, fork - 1 :])
    return Batch(tokens, positions, visible, keep, *_uses(rows, keep))


def _branches(row: Row, seen: npt.NDArray[np.bool_], positions: Ints) -> None:
    """Fill in what nodes see of each other, and their depths; ``positions`` begins at the fork."""
    for node, parent in enumerate(row.parents):
        if parent >= 0:
            seen[node] |= seen[parent]
        positions[1 + node] = positions[1 + parent] + 1


def _uses(rows: Sequence[Row], keep: int) -> tuple[Ints, Ints, Ints, Ints]:
    edges: list[tuple[int, int, int]] = []
    requests: Ids = []
    uses: Ids = []
    starts: Ids = []
    for place, row in enumerate(rows):
        first = len(edges)
        # The kept places of a row are its last ones: the fork, then the nodes.
        fork = keep - len(row.nodes) - 1
        edges += [(place, fork + 1 + node, token) for node, token in row.edges]
        for index, used in row.requests:
            requests.append(index)
            starts.append(len(uses))
            uses += [first + edge for edge in used]
    as_ints = [np.array(values, dtype=np.int64) for values in (edges, requests, uses, starts)]
    return as_ints[0].T, as_ints[1], as_ints[2], as_ints[3]
