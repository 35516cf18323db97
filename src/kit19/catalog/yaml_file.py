"""Reading our YAML: plain data only, with the line of every key, and errors that name it.

YAML is read as Core-schema data: ``true/false``, ``null``, integers and floats; everything else is
text. So ``no``, ``on`` and ``1:30`` stay what the linguist typed. Tags, anchors and aliases are
refused: cards need none, and aliases are how a small file becomes a huge one.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import yaml

from kit19.errors import CatalogError, Problem

if TYPE_CHECKING:
    from pydantic import BaseModel

Model = TypeVar("Model", bound="BaseModel")
Lines = dict[tuple[str | int, ...], int]

_MAX_BYTES = 2_000_000  # our largest card is a hundredth of this
_INT = re.compile(r"-?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?[0-9]+\.[0-9]+([eE][-+]?[0-9]+)?")
_MOST_NESTED = 50
_INDENT = re.compile(r"^ {50}", re.MULTILINE)
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
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except OSError as error:
        raise CatalogError(Problem(f"cannot be read: {error.strerror}", str(path))) from None
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise CatalogError(
            Problem("is not UTF-8", f"{path}:{line}", "save the file as UTF-8")
        ) from None
    if len(raw) > _MAX_BYTES:
        raise CatalogError(Problem(f"is larger than {_MAX_BYTES:,} bytes", str(path)))
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
        raise CatalogError(Problem(f"is not valid YAML: {error}", path)) from None
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
    nested = text.count("[") + text.count("{") + len(_INDENT.findall(text)) > _MOST_NESTED
    if not nested and not _REFERENCE_SIGNS.intersection(text):
        return
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MOST_NESTED:
            raise CatalogError(Problem(f"is nested more than {_MOST_NESTED} deep", path))
        line = event.start_mark.line + 1 if event.start_mark else 0
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
        return _scalar(node)
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


def _scalar(node: yaml.ScalarNode) -> Any:
    text = str(node.value)
    if node.style in ("'", '"', "|", ">"):
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


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
