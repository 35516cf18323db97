"""Rows and batches: scoring all continuations of a context in one forward pass.

A request is a continuation to score after a context. Requests with the same context tokens become one
row: the context once, followed by their continuations as a trie. Each node is a token that attends to
the context and to its own ancestors only. The last token of a continuation is only predicted, never
fed. The common beginning of a task's contexts (``prefix``) is not part of the rows: its keys and values
are computed once.

``            ┌ 예   ``  positions after the fork are the same in every branch, so a node's position
``context ──┤      ``  is its depth, not its place in the row.
``            └ 아니 ─ 오``

This module does not load torch: rows and batches are numpy arrays and lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Ids = list[int]
Ints = npt.NDArray[np.int64]

MIN_PREFIX = 8
"""A shorter common beginning is not worth a cache."""


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
        context: Context tokens after the prefix; at least one.
        nodes: Tokens of the trie's nodes, parents before children.
        parents: For each node its parent among the nodes, -1 for the end of the context.
        edges: (node or -1, next token) of each predicted token, in order of first use.
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
    def predictions(self) -> int:
        """Tokens at the row's end with a needed prediction: the context's last one and every node."""
        return 1 + len(self.nodes)


@dataclass(frozen=True)
class Batch:
    """Rows that go through the model together, aligned at their ends.

    Attributes:
        tokens: (rows, width) token ids, 0 where a row is shorter.
        positions: (rows, width) position of each token in its own sequence, prefix included.
        visible: (rows, width, prefix + width) which tokens each token attends to.
        keep: How many places at the end need logits.
        edges: (3, edges) row, place among the kept ones, predicted token.
        requests: (requests,) index of each request, in the batch's order.
        uses: (uses,) edges of the requests, concatenated.
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


def truncate_context(context: Ids, continuation: Ids, window: int) -> Ids:
    """Truncate a context on the left, as the harness does, so that both fit into the window.

    The harness feeds the last ``window + 1`` tokens without the very last, which is only predicted.
    """
    over = len(context) + len(continuation) - (window + 1)
    return context[over:] if over > 0 else context


def common_prefix(contexts: Sequence[Ids]) -> Ids:
    """The longest common beginning that leaves at least one token of every context."""
    if len(contexts) < 2:
        return []
    first, last = min(contexts), max(contexts)
    limit = min(map(len, contexts)) - 1
    length = 0
    while length < limit and first[length] == last[length]:
        length += 1
    return first[:length] if length >= MIN_PREFIX else []


def build_rows(
    requests: Sequence[Request], prefix: Ids, *, branch: bool = True, window: int | None = None
) -> list[Row]:
    """Build one row for each distinct context, in order of first use.

    Args:
        requests: The requests. Every context begins with the prefix and is longer.
        prefix: Tokens left out of the rows.
        branch: Share a context among its continuations; otherwise every request gets a row.
        window: Most tokens in a row, prefix included. A context whose branches do not all fit gets
            several rows: some models have tables by place that end there, whatever the positions are.
    """
    rows: list[_RowBuilder] = []
    open_rows: dict[tuple[int, ...], _RowBuilder] = {}
    for request in requests:
        key = tuple(request.context)
        row = open_rows.get(key)
        if row is None or not branch or not row.has_room(request, len(prefix), window):
            row = open_rows[key] = _RowBuilder(Row(request.context[len(prefix) :]))
            rows.append(row)
        row.add(request)
    return [builder.row for builder in rows]


@dataclass
class _RowBuilder:
    """A row under construction, with its nodes and edges by (parent, token)."""

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


def make_batches(rows: Sequence[Row], tokens: int, predictions: int) -> list[list[Row]]:
    """Split rows into batches, longest first, so that memory runs out at the start if at all.

    Args:
        rows: The rows.
        tokens: Most tokens in a batch, padding included; a single row may have more.
        predictions: Most kept places in a batch, padding included; a single row may have more.
    """
    ordered = sorted(rows, key=lambda row: (-row.length, -row.predictions, row.context, row.nodes))
    batches: list[list[Row]] = []
    widest = 0
    for row in ordered:
        count = len(batches[-1]) + 1 if batches else 1
        full = count * batches[-1][0].length > tokens if batches else True
        if full or count * max(widest, row.predictions) > predictions:
            batches.append([])
            widest = 0
        batches[-1].append(row)
        widest = max(widest, row.predictions)
    return batches


def align(rows: Sequence[Row], prefix: int) -> Batch:
    """Align rows at their ends, and compute their positions and attention masks.

    Args:
        rows: The rows of one batch.
        prefix: Length of the prefix before every row.
    """
    width = max(row.length for row in rows)
    keep = max(row.predictions for row in rows)
    tokens = np.zeros((len(rows), width), dtype=np.int64)
    positions = np.zeros((len(rows), width), dtype=np.int64)
    visible = np.zeros((len(rows), width, prefix + width), dtype=np.bool_)
    # A token that attends to nothing becomes NaN and spoils its neighbors: padding attends to itself.
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
        _fill_branches(row, visible[place, fork:, prefix + fork :], positions[place, fork - 1 :])
    return Batch(tokens, positions, visible, keep, *_index_edges(rows, keep))


def _fill_branches(row: Row, visible: npt.NDArray[np.bool_], positions: Ints) -> None:
    """Fill in the mask among nodes, and their positions; ``positions`` begins at the fork."""
    for node, parent in enumerate(row.parents):
        if parent >= 0:
            visible[node] |= visible[parent]
        positions[1 + node] = positions[1 + parent] + 1


def _index_edges(rows: Sequence[Row], keep: int) -> tuple[Ints, Ints, Ints, Ints]:
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
