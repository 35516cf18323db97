"""Names and docstrings use the words of the field, not a dialect of their own (docs/glossary.md)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "kit19"

NAME_WORDS = {
    "told": "reported, messages, revealed",
    "tell": "report, write",
    "said": "texts, output",
    "says": "texts, describes",
    "say": "format, describe",
    "stand": "position",
    "stands": "position, contains",
    "brings": "adds, provides",
    "brought": "resolved, downloaded",
    "knows": "has",
    "want": "request",
    "wants": "requests",
    "asked": "requested, question",
    "mercy": "partial, unverified",
    "worlds": "label_combinations",
    "because": "reason",
    "whole": "complete",
    "made": "built, rendered",
}
"""Word in a name → better ones."""

DOCSTRING_WORDS = {
    "told": "reported, named",
    "stands": "is, is in, means",
    "brings": "adds, includes",
    "brought": "added, downloaded",
    "mercy": "partial, unverified",
    "gone on with": "resumed",
    "goes on with": "continues, resumes",
    "whole": "complete",
    "beside": "next to, compared with, in addition to",
    "looked for": "searched",
    "for nothing": "free",
    "of one's own": "its own",
}
"""Phrase in a docstring → better ones."""

NAMES_ALLOWED = {
    ("comparing/compared.py", "asked"),  # a key of compare.json
    ("reading/opening.py", "tell"),  # the method of file objects
    ("training/run/decisions.py", "unpacked_because"),  # a key of a run's decisions.json
}
"""(File, name) that keep a word of the list, and why."""


def modules() -> list[tuple[str, ast.Module]]:
    paths = sorted(SOURCE.rglob("*.py"))
    return [(str(p.relative_to(SOURCE)), ast.parse(p.read_text("utf-8"))) for p in paths]


def names_of(file: str, tree: ast.Module) -> Iterator[str]:
    """The module's name, and those of its functions, classes, arguments and variables."""
    yield Path(file).stem
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.arg():
                yield node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.id


def docstrings_of(tree: ast.Module) -> Iterator[str]:
    """All docstrings, and the strings after assignments that describe them."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield text


def words_of(name: str) -> set[str]:
    """``TokenStats`` and ``token_stats`` → token, stats."""
    return set(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_"))


def odd_names(file: str, tree: ast.Module) -> list[str]:
    return [
        f"{file}: {name}: not {word!r} but {NAME_WORDS[word]}"
        for name in dict.fromkeys(names_of(file, tree))
        for word in sorted(words_of(name) & NAME_WORDS.keys())
        if (file, name) not in NAMES_ALLOWED
    ]


def odd_docstrings(file: str, tree: ast.Module) -> list[str]:
    return [
        f"{file}: {' '.join(text.split())[:60]!r}: not {phrase!r} but {better}"
        for text in docstrings_of(tree)
        for phrase, better in DOCSTRING_WORDS.items()
        if re.search(rf"\b{phrase}\b", " ".join(text.split()))
    ]


def test_names_use_words_of_the_field() -> None:
    assert [line for file, tree in modules() for line in odd_names(file, tree)] == []


def test_docstrings_use_words_of_the_field() -> None:
    assert [line for file, tree in modules() for line in odd_docstrings(file, tree)] == []


def test_every_exception_is_still_there() -> None:
    present = {(file, name) for file, tree in modules() for name in names_of(file, tree)}
    assert present >= NAMES_ALLOWED


@pytest.mark.parametrize(
    "code",
    [
        "def told(): ...",
        "def f(mercy): ...",
        "class WhatIsSaid: ...",
        "made = 1",
        "for wants in x: ...",
    ],
)
def test_an_odd_name_is_found(code: str) -> None:
    assert odd_names("some.py", ast.parse(code))


@pytest.mark.parametrize(
    "code",
    ['"""Told of every byte."""', '"""Killed, and gone\non with."""', 'X = 1\n"""The whole."""'],
)
def test_an_odd_docstring_is_found(code: str) -> None:
    assert odd_docstrings("some.py", ast.parse(code.replace("Told", "told")))
