"""Read YAML as plain data, with the line number of every key for error messages.

YAML is read with the Core schema: ``true/false``, ``null``, integers and floats; everything else is
text, so ``no``, ``on`` and ``1:30`` stay text. Tags, anchors and aliases are refused: cards do not
need them, and aliases can expand a small file into a huge one.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import yaml

from kit19.core.errors import CatalogError, Problem
from kit19.core.paths import read_small_file

if TYPE_CHECKING:
    from pydantic import BaseModel

Model = TypeVar("Model", bound="BaseModel")
Lines = dict[tuple[str | int, ...], int]

MAX_BYTES = 2_000_000  # kit19's largest card has a hundredth of this
_INT = re.compile(r"-?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?[0-9]+\.[0-9]+([eE][-+]?[0-9]+)?")
_MAX_DEPTH = 50
# Every way to nest: brackets, deep indentation, and several `-` or `?` on one line.
_NESTS = re.compile(r"[\[{]|^ {50}|(?<=[-?:])[ \t]+[-?](?=\s)", re.MULTILINE)
_MAX_INT = 2**63 - 1  # the range of an Int64 column
_REFERENCE_SIGNS = frozenset("&*!")  # every anchor, alias or tag needs one of them
_CONSTANTS = {"true": True, "false": False, "null": None, "~": None, "": None}


def read_yaml(path: Path, most: int = MAX_BYTES) -> tuple[Any, Lines]:
    """Read one YAML file as plain data.

    Args:
        path: The file, UTF-8.
        most: The most bytes that it may have.

    Returns:
        The data, and the 1-based line of each key path.

    Raises:
        CatalogError: It cannot be read, is not YAML, or uses a tag, anchor, alias or duplicate key.
    """
    try:
        if path.stat().st_size > most:
            raise CatalogError(Problem(f"is larger than {most:,} bytes", str(path)))
        raw = read_small_file(path)
        text = raw.decode("utf-8")
    except OSError as error:
        raise CatalogError(Problem(f"cannot be read: {error.strerror}", str(path))) from None
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise CatalogError(
            Problem("is not UTF-8", f"{path}:{line}", "save the file as UTF-8")
        ) from None
    except ValueError as error:  # an impossible file name
        raise CatalogError(Problem(f"cannot be read: {error}", repr(str(path)))) from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, path: str) -> tuple[Any, Lines]:
    """Parse YAML text as plain data, like :func:`read_yaml`; messages name ``path``."""
    try:
        _refuse_references(text, path)
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else path
        raise CatalogError(Problem(f"is not valid YAML: {error.problem}", where)) from None
    except yaml.YAMLError as error:
        first = str(error).partition("\n")[0]
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        raise CatalogError(Problem(f"is not valid YAML: {first}", f"{path}:{line}")) from None
    except UnicodeEncodeError:  # the command line is not UTF-8
        raise CatalogError(Problem("is not UTF-8", path)) from None
    lines: Lines = {}
    if root is None:
        raise CatalogError(Problem("is empty", path))
    return _plain(root, (), lines, path), lines


def load_model(
    path: Path,
    model: type[Model],
    context: Mapping[str, Any] | None = None,
    most: int = MAX_BYTES,
) -> tuple[Model, Lines]:
    """Read a YAML file into a pydantic model.

    Args:
        path: The file.
        model: The model to validate against.
        context: What the model's validators need of the catalog.
        most: The most bytes that the file may have.

    Raises:
        CatalogError: As :func:`read_yaml`, or the data does not match the model. Every mistake is
            reported with file, line and key.
    """
    data, lines = read_yaml(path, most)
    return fit_model(data, lines, str(path), model, context=context), lines


def fit_model(
    data: Any,
    lines: Lines,
    name: str,
    model: type[Model],
    changed: Collection[str] = (),
    context: Mapping[str, Any] | None = None,
) -> Model:
    """Validate plain data and convert pydantic's errors to :class:`CatalogError`.

    Args:
        data: Plain data.
        lines: The line of each key path.
        name: The file's name.
        model: The model to validate against.
        changed: Top-level keys whose value came from ``--set``; messages then name that.
        context: What the model's validators need of the catalog.
    """
    from pydantic import ValidationError  # noqa: PLC0415  reading YAML alone needs no pydantic

    try:
        return model.model_validate(data, context=context)
    except ValidationError as error:
        problems = [_problem(item, lines, name, changed) for item in error.errors()]
        raise CatalogError(problems) from None


def _refuse_references(text: str, path: str) -> None:
    deep = sum(1 for _ in itertools.islice(_NESTS.finditer(text), _MAX_DEPTH + 1))
    if deep <= _MAX_DEPTH and not _REFERENCE_SIGNS.intersection(text):
        return
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        line = event.start_mark.line + 1 if event.start_mark else 0
        if depth > _MAX_DEPTH:
            _fail(f"is nested more than {_MAX_DEPTH} deep", path, line)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise CatalogError(
                Problem("anchors and aliases are not allowed", f"{path}:{line}", "write it out")
            )
        if tag := getattr(event, "tag", None):
            raise CatalogError(
                Problem(f"the tag {tag!r} is not allowed", f"{path}:{line}", "remove it")
            )


def _plain(node: yaml.Node, at: tuple[str | int, ...], lines: Lines, path: str) -> Any:
    lines[at] = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, path)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, (*at, i), lines, path) for i, child in enumerate(node.value)]
    assert isinstance(node, yaml.MappingNode)  # noqa: S101  YAML has three kinds of node
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            _fail("a key must be text", path, line)
        key = str(key_node.value)
        if key in result:
            _fail(f"the key {key!r} is given twice", path, line)
        result[key] = _plain(value_node, (*at, key), lines, path)
        lines[(*at, key)] = line
    return result


def _scalar(node: yaml.ScalarNode, path: str) -> Any:
    text = str(node.value)
    if "\0" in text:  # never part of a file name or of natural text
        _fail("the character U+0000 is not allowed", path, node.start_mark.line + 1)
    if node.style in ("'", '"', "|", ">"):
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.fullmatch(text):
        # Check the length first: Python refuses to parse thousands of digits.
        if len(text) > 20 or not -_MAX_INT <= int(text) <= _MAX_INT:
            _too_large(text, node, path)
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if not math.isfinite(number):
            _too_large(text, node, path)
        return number
    return text


def _too_large(text: str, node: yaml.Node, path: str) -> NoReturn:
    shown = text if len(text) <= 30 else f"{text[:20]}… of {len(text):,} digits"
    _fail(f"the number {shown} is too large", path, node.start_mark.line + 1)


def _fail(what: str, path: str, line: int) -> NoReturn:
    raise CatalogError(Problem(what, f"{path}:{line}"))


def _problem(item: Any, lines: Lines, name: str, changed: Collection[str]) -> Problem:
    at = tuple(item["loc"])
    # pydantic adds names of union members and the like to the path: go back to a key of the file.
    known = at
    while known and known not in lines:
        known = known[:-1]
    key = ".".join(str(part) for part in at) or "(top level)"
    kind, text = item["type"], item["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        what, fix = f"unknown key {key!r}", "check the spelling, or remove it"
    elif kind == "missing":
        what, fix = f"the key {key!r} is missing", "add it"
    else:
        shown = repr(item.get("input"))
        what = f"{key}: {text[0].lower() + text[1:]}"
        fix = f"the value is {shown}" if len(shown) < 80 and kind != "value_error" else ""
        fix = item.get("ctx", {}).get("fix", fix)
    line = lines.get(known)
    if at and at[0] in changed:
        return Problem(what, f"--set {at[0]}", fix)
    return Problem(what, f"{name}:{line}" if line else name, fix)
