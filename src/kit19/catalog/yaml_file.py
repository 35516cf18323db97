"""Reading our YAML: plain data only, with the line of every key, and errors that name it.

YAML is read as Core-schema data: ``true/false``, ``null``, integers and floats; everything else is
text. So ``no``, ``on`` and ``1:30`` stay what the linguist typed. Tags, anchors and aliases are
refused: cards need none, and aliases are how a small file becomes a huge one.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import yaml

from kit19.core.errors import CatalogError, Problem
from kit19.core.paths import read_small_file

if TYPE_CHECKING:
    from pydantic import BaseModel

Model = TypeVar("Model", bound="BaseModel")
Lines = dict[tuple[str | int, ...], int]

_MAX_BYTES = 2_000_000  # our largest card is a hundredth of this
_INT = re.compile(r"-?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?[0-9]+\.[0-9]+([eE][-+]?[0-9]+)?")
_MOST_NESTED = 50
# All that text can nest by: brackets, deep indentation, and several `-` or `?` on one line.
_NESTS = re.compile(r"[\[{]|^ {50}|(?<=[-?:])[ \t]+[-?](?=\s)", re.MULTILINE)
_LARGEST = 2**63 - 1  # what columns hold
_REFERENCE_SIGNS = frozenset("&*!")  # without one of them no anchor, alias or tag can be
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


def read_yaml(path: Path) -> tuple[Any, Lines]:
    """Read one YAML file as plain data.

    Args:
        path: The file, UTF-8.

    Returns:
        The data, and for each key path the 1-based line where it stands.

    Raises:
        CatalogError: It cannot be read, is no YAML, or uses a tag, anchor, alias or doubled key.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise CatalogError(Problem(f"is larger than {_MAX_BYTES:,} bytes", str(path)))
        raw = read_small_file(path)
        text = raw.decode("utf-8")
    except OSError as error:
        raise CatalogError(Problem(f"cannot be read: {error.strerror}", str(path))) from None
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise CatalogError(
            Problem("is not UTF-8", f"{path}:{line}", "save the file as UTF-8")
        ) from None
    except ValueError as error:  # a name that no file can have
        raise CatalogError(Problem(f"cannot be read: {error}", repr(str(path)))) from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, path: str) -> tuple[Any, Lines]:
    """Parse YAML text as plain data; ``path`` names it in messages. As :func:`read_yaml`."""
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
    except UnicodeEncodeError:  # a command line that is not UTF-8
        raise CatalogError(Problem("is not UTF-8", path)) from None
    lines: Lines = {}
    if root is None:
        raise CatalogError(Problem("is empty", path))
    return _plain(root, (), lines, path), lines


def load_model(path: Path, model: type[Model]) -> tuple[Model, Lines]:
    """Read a YAML file into a pydantic model; every mistake is reported with file, line and key.

    Raises:
        CatalogError: As :func:`read_yaml`, or the data does not fit the model.
    """
    data, lines = read_yaml(path)
    return fit_model(data, lines, str(path), model), lines


def fit_model(
    data: Any, lines: Lines, name: str, model: type[Model], changed: Collection[str] = ()
) -> Model:
    """Validate plain data, turning pydantic's errors into ours.

    Args:
        data: Plain data.
        lines: Where each key stands.
        name: The file's name.
        model: What it must fit.
        changed: Top-level keys whose value came from ``--set``, which is then named instead.
    """
    from pydantic import ValidationError  # noqa: PLC0415  reading YAML alone needs no pydantic

    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = [_problem(item, lines, name, changed) for item in error.errors()]
        raise CatalogError(problems) from None


def _refuse_references(text: str, path: str) -> None:
    deep = sum(1 for _ in itertools.islice(_NESTS.finditer(text), _MOST_NESTED + 1))
    if deep <= _MOST_NESTED and not _REFERENCE_SIGNS.intersection(text):
        return
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        line = event.start_mark.line + 1 if event.start_mark else 0
        if depth > _MOST_NESTED:
            _fail(f"is nested more than {_MOST_NESTED} deep", path, line)
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
    if "\0" in text:  # no file name, and no text of a language, has it
        _fail("the character U+0000 is not allowed", path, node.start_mark.line + 1)
    if node.style in ("'", '"', "|", ">"):
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        # The length first: Python refuses to read thousands of digits.
        if len(text) > 20 or not -_LARGEST <= int(text) <= _LARGEST:
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
    # pydantic adds names of union members and the like to the path: walk back to a key we know.
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
        fix = f"it reads {shown}" if len(shown) < 80 and kind != "value_error" else ""
    line = lines.get(known)
    if at and at[0] in changed:
        return Problem(what, f"--set {at[0]}", fix)
    return Problem(what, f"{name}:{line}" if line else name, fix)
