"""The public API: every command has its function, and all functions share one vocabulary."""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import kit19
from kit19.cli import cli
from kit19.core.listing import Listing

# Command → the function that does what it does.
TWINS = {
    "sources": "sources",
    "fetch": "fetch",
    "show": "show",
    "lint": "lint",
    "build": "build",
    "verify": "verify",
    "explain": "explain",
    "audit": "audit",
    "diff": "diff",
    "stats": "stats",
    "compare": "compare",
    "train": "train",
    "chat": "chat",
    "serve": "serve",
    "view": "view",
    "export": "export",
    "merge": "merge",
    "push": "push",
    "eval": "evaluate",
    "judge": "judge",
}
# Commands without one: they show other commands, or run another program.
NO_TWIN = {"demo", "tasks", "lm-eval"}

# Function → the parameters that may be given by place.
BY_PLACE = {
    "audit": ["dataset", "against"],
    "audit_files": ["inputs", "out"],
    "build": ["recipe", "out"],
    "bundle_view": ["paths", "out"],
    "chat": ["model"],
    "compare": ["results"],
    "diff": ["left", "right"],
    "diff_audits": ["left", "right"],
    "evaluate": ["model", "out"],
    "explain": ["folder", "record"],
    "export": ["model", "to", "out"],
    "fetch": ["names"],
    "judge": ["result", "model"],
    "lint": ["subsets"],
    "load": ["name", "split"],
    "load_catalog": ["catalog"],
    "load_preset": ["name", "changes"],
    "merge": ["run", "out"],
    "merge_audit": ["out"],
    "plan_judging": ["result", "model"],
    "plan_training": ["data", "settings"],
    "push": ["folder", "repo_id"],
    "read_run": ["folder"],
    "serve": ["model"],
    "show": ["subset"],
    "sources": ["names"],
    "stats": ["folder"],
    "train": ["data", "out", "settings"],
    "verify": ["folder"],
    "view": ["paths"],
}
# What a name means, it means in every function; what it names may be left out in some (None).
VOCABULARY = {
    "data_dir": "str | Path | None",
    "catalog": "CatalogLike",
    "out": "str | Path",
    "folder": "str | Path",
    "changes": "Mapping[str, Any] | None",
    "on_progress": "OnProgress",
    "seed": "Seed",
    "trust_remote_code": "bool",
    "partial": "bool",
    "unverified": "bool",
}
FUNCTIONS = sorted(BY_PLACE)
PAGE = Path(__file__).parents[2] / "docs" / "python.md"


def result_types(name: str) -> list[Any]:
    """The classes that a function may return."""
    hint = typing.get_type_hints(getattr(kit19, name))["return"]
    return [one for one in typing.get_args(hint) or [hint] if one is not type(None)]


def test_every_command_has_its_function() -> None:
    assert set(TWINS) | NO_TWIN == set(cli.list_commands(None))  # type: ignore[arg-type]
    assert set(TWINS.values()) <= set(FUNCTIONS)


def test_the_page_lists_every_command_with_its_function_and_result() -> None:
    page = PAGE.read_text("utf-8")
    rows = re.findall(r"^\| `kit19 ([\w-]+)` \| `(\w+)\((.*)\)` \| `(\w+)` \|$", page, re.M)
    assert [(command, name) for command, name, _, _ in rows] == list(TWINS.items())
    for _, name, arguments, result in rows:
        assert arguments.split(", ") == BY_PLACE[name]
        assert [one.__name__ for one in result_types(name)] == [result]


def test_the_code_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, PAGE.name, "exec"), {})  # noqa: S102  our own page
    assert kit19.verify("out/sample").recipe["cap"] == 50


def test_every_public_function_is_in_the_table() -> None:
    public = {name for name in kit19.__all__ if inspect.isfunction(getattr(kit19, name))}
    assert public == set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_parameters_are_typed_and_options_are_keywords(name: str) -> None:
    parameters = inspect.signature(getattr(kit19, name)).parameters.values()
    by_place = [one.name for one in parameters if one.kind is not one.KEYWORD_ONLY]
    assert by_place == BY_PLACE[name]
    for one in parameters:
        assert one.annotation is not one.empty, one.name
        meaning = VOCABULARY.get(one.name, one.annotation)
        assert one.annotation.removesuffix(" | None") == meaning.removesuffix(" | None"), one.name
        if one.kind is one.KEYWORD_ONLY:
            assert one.default is not one.empty, one.name
        if "Path" in one.annotation:
            assert "str" in one.annotation, one.name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_is_described(name: str) -> None:
    function = getattr(kit19, name)
    described = inspect.getdoc(function) or ""
    parameters = list(inspect.signature(function).parameters)
    if len(parameters) > 2:
        assert [one for one in parameters if f"\n    {one}: " not in described] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_are_exported_frozen_and_told_as_json(name: str) -> None:
    for kind in result_types(name):
        assert getattr(kit19, kind.__name__) is kind
        if kind is kit19.Chat:  # a conversation goes on
            continue
        if issubclass(kind, BaseModel):
            assert kind.model_config.get("frozen")
        elif not issubclass(kind, Listing):
            assert dataclasses.is_dataclass(kind)
            assert vars(kind)["__dataclass_params__"].frozen
        if kind is not kit19.Catalog:
            assert callable(kind.to_dict)


def test_reports_write_themselves() -> None:
    for report in (kit19.Audit, kit19.Comparison):
        assert list(inspect.signature(report.write).parameters) == ["self", "folder"]


def test_one_text_is_one_name(tmp_path: Path) -> None:
    assert [one.card.id for one in kit19.sources("nsmc")] == ["nsmc"]
    assert list(kit19.lint("nsmc", data_dir="sample").subsets) == ["nsmc"]
    with pytest.raises(kit19.FilesError, match="klue"):
        kit19.audit(tmp_path, "klue_sts", data_dir=tmp_path)


def test_the_sample_has_one_name_everywhere(tmp_path: Path) -> None:
    by_name = kit19.build("sample", tmp_path / "one")
    by_word = kit19.build(
        "kit19", tmp_path / "other", data_dir="sample", changes={"subsets": ["nsmc"]}
    )
    assert by_name.sample
    assert by_word.sample
    assert kit19.show("nsmc", n=1, data_dir="sample")
    assert kit19.load("nsmc", data_dir="sample").polars().collect().height
    with pytest.raises(kit19.ArgumentError, match="need not be fetched"):
        kit19.fetch("nsmc", data_dir="sample")
