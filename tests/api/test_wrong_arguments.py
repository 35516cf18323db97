"""Whatever a public function is called with, it raises a Kit19Error, and writes nothing."""

from __future__ import annotations

import contextlib
import inspect
import math
from pathlib import Path
from typing import Any

import pytest

import kit19

WRONG: list[Any] = [
    None,
    True,
    1,
    -1,
    2**70,
    1.5,
    math.nan,
    math.inf,
    b"x",
    bytearray(b"x"),
    [],
    [1],
    [None],
    ["\0"],
    {},
    {"\0": 1},
    {1: 2},
    {"a"},
    (),
    object(),
    "",
    "\0",
    "\ud800",
    "a" * 5000,
    Path("a" * 5000),
    Path("\0"),
]
# Calls that fail by themselves, so that no argument makes them do anything.
CALLS: dict[str, dict[str, Any]] = {
    "audit": {"dataset": "no.jsonl", "against": "no.txt", "data_dir": "no"},
    "audit_files": {"inputs": "no.jsonl", "out": "out", "against": "no.txt", "data_dir": "no"},
    "build": {"recipe": "no.yaml", "out": "out"},
    "chat": {"model": "./no", "format": "no"},
    "compare": {"results": ["no", "no2"]},
    "diff": {"left": "no", "right": "no"},
    "diff_audits": {"left": "no", "right": "no"},
    "evaluate": {"model": "./no", "out": "out", "tasks": "klue_sts", "data_dir": "no"},
    "explain": {"folder": "no", "record": "no"},
    "export": {"model": "./no", "to": "vllm", "out": "out"},
    "fetch": {"names": "no", "recipe": "no", "data_dir": "data"},
    "lint": {"subsets": "no", "data_dir": "no"},
    "load": {"name": "no", "data_dir": "no"},
    "load_catalog": {"catalog": "no"},
    "load_preset": {"name": "no"},
    "merge": {"run": "no", "out": "out"},
    "merge_audit": {"out": "no"},
    "plan_training": {"data": "no.jsonl", "preset": "tiny"},
    "push": {"folder": "no", "repo_id": "no/no", "dry_run": True},
    "read_run": {"folder": "no"},
    "show": {"subset": "no", "data_dir": "no"},
    "sources": {"names": "no"},
    "stats": {"folder": "no"},
    "train": {"data": "no.jsonl", "out": "out", "preset": "tiny"},
    "verify": {"folder": "no"},
}
# Where nothing is no mistake: it stands for everything, or for the default.
SILENT = {"load_catalog", "load_preset", "read_run", "sources"}


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, without data, cache or network."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setenv("KIT19_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KIT19_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("KIT19_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return place


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_call_with_a_wrong_value_raises_an_error_of_kit19(name: str, nowhere: Path) -> None:
    function = getattr(kit19, name)
    for parameter in inspect.signature(function).parameters:
        slow = (name, parameter) == ("evaluate", "tasks")  # the harness looks for each name long
        for value in [one for one in WRONG if not (slow and isinstance(one, str | Path | set))]:
            refused = True
            with contextlib.suppress(kit19.Kit19Error):
                function(**{**CALLS[name], parameter: value})
                refused = False
            assert refused or name in SILENT, (parameter, value)
    assert list(nowhere.rglob("*")) == []


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_wrong_keyword_and_a_missing_argument_are_type_errors(name: str) -> None:
    function = getattr(kit19, name)
    with pytest.raises(TypeError, match="nonsense"):
        function(**CALLS[name], nonsense=1)
    required = [
        one.name
        for one in inspect.signature(function).parameters.values()
        if one.default is one.empty
    ]
    for missing in required:
        with pytest.raises(TypeError, match=missing):
            function(**{key: value for key, value in CALLS[name].items() if key != missing})


def test_the_error_names_the_parameter_and_the_value() -> None:
    with pytest.raises(kit19.ArgumentError) as caught:
        kit19.show("nsmc", data_dir=1.5, n="three")  # type: ignore[arg-type]
    told = {problem.where: problem.what for problem in caught.value.problems}
    assert set(told) == {"data_dir", "n"}
    assert told["n"] == "must be a valid integer, not 'three' (str)"
