"""Known outlines of JSON lines as a trie, in which a scan finds that of a line (``line_kernel``).

An outline (see ``outlines``) consists of literals, each with a value after it: a string or a number.
Outlines that begin with the same literals and kinds of values share the nodes of these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

Numbers = np.ndarray[Any, np.dtype[np.int32]]
Words = np.ndarray[tuple[int], np.dtype[np.uint64]]

BEGIN, STOP, KIND, CHILD, SIBLING, OUTLINE = range(6)
"""What a node is: where its literal begins and stops, the kind of the value after it, its first child,
the next child of its parent (-1 if there is none), and the number of the outline that ends here."""
END, STRING, INTEGER, FLOAT = range(4)
"""Kinds of values; END if there is none, since the line ends."""
UNKNOWN, BLANK = -1, -2
"""In place of the number of a line's outline."""
PADDING = 16
"""Bytes that arrays have after what they hold, since a scan reads and writes eight bytes at once."""

_TOKEN = re.compile(r'"[^"]+"(?=\s*:)|""|0\.5|0')
_KINDS = {'""': STRING, "0": INTEGER, "0.5": FLOAT}
_ROOT = [0, 0, END, -1, -1, -1]


@dataclass(frozen=True)
class Outline:
    """An outline of lines.

    Attributes:
        text: The outline.
        tree: The row, with the number of a value (0, 1 …) in place of each string and number.
        size: How many values it has.
    """

    text: str
    tree: dict[str, Any]
    size: int


@dataclass(frozen=True)
class Outlines:
    """Outlines that a scan finds.

    Attributes:
        outlines: The outlines, by number.
        nodes: The nodes of the trie, the root first.
        literals: The bytes of all literals.
        columns: The column of each node's value: keys joined by dots.
        in_list: Whether each node's value is an element of a list.
    """

    outlines: tuple[Outline, ...] = ()
    nodes: Numbers = field(default_factory=lambda: np.array([_ROOT], np.int32))
    literals: bytes = b""
    columns: tuple[str, ...] = ("",)
    in_list: tuple[bool, ...] = (False,)

    @cached_property
    def texts(self) -> frozenset[str]:
        """The outlines as texts."""
        return frozenset(one.text for one in self.outlines)

    def with_added(self, texts: Iterable[str]) -> Outlines:
        """Return these outlines and further ones.

        Args:
            texts: Outlines without numbers, of lines whose rows have a type.
        """
        adding = _Adding(self)
        for text in texts:
            adding.add(text)
        return adding.outlines()


class _Adding:
    """Outlines to which others are added."""

    def __init__(self, known: Outlines) -> None:
        self._outlines = list(known.outlines)
        self._nodes: list[list[int]] = known.nodes.tolist()
        self._literals = bytearray(known.literals)
        self._columns, self._in_list = list(known.columns), list(known.in_list)

    def outlines(self) -> Outlines:
        return Outlines(
            tuple(self._outlines),
            np.array(self._nodes, np.int32),
            bytes(self._literals),
            tuple(self._columns),
            tuple(self._in_list),
        )

    def add(self, text: str) -> None:
        row, literal, end = "", "", 0
        node = 0
        nodes: list[int] = []
        for token in _TOKEN.finditer(text):
            kind = _KINDS.get(token[0])
            if kind is None:  # a key
                continue
            before = text[end : token.start()]
            row += f"{before}{len(nodes)}"
            literal += before + '"' * (kind == STRING)
            node = self._child(node, literal.encode(), kind)
            nodes.append(node)
            literal, end = '"' * (kind == STRING), token.end()
        tree = json.loads(row + text[end:])
        last = self._child(node, f"{literal}{text[end:]}\n".encode(), END)
        self._nodes[last][OUTLINE] = len(self._outlines)
        self._outlines.append(Outline(text, tree, len(nodes)))
        for value, column, in_list in _values(tree, "", in_list=False):
            self._columns[nodes[value]] = column
            self._in_list[nodes[value]] = in_list

    def _child(self, parent: int, literal: bytes, kind: int) -> int:
        """Return the child with a literal and a kind, which is added if there is none."""
        child = self._nodes[parent][CHILD]
        while child >= 0:
            begin, stop, known, _, sibling, _ = self._nodes[child]
            if known == kind and self._literals[begin:stop] == literal:
                return child
            child = sibling
        begin = len(self._literals)
        self._literals += literal
        added = len(self._nodes)
        self._nodes.append([begin, len(self._literals), kind, -1, self._nodes[parent][CHILD], -1])
        self._nodes[parent][CHILD] = added
        self._columns.append("")
        self._in_list.append(False)
        return added


def _values(value: Any, column: str, *, in_list: bool) -> Iterator[tuple[int, str, bool]]:
    """Yield the number of each value of a tree, its column, and whether it is an element of a list."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _values(one, f"{column}.{key}" if column else key, in_list=False)
    elif isinstance(value, list):
        for one in value:
            yield from _values(one, column, in_list=True)
    elif type(value) is int:
        yield value, column, in_list
