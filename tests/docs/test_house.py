"""The repository's own files: valid where the tools that read them would refuse them."""

from __future__ import annotations

import runpy
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def steps(workflow: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return [(job, step) for job in load(workflow)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_ask_for_no_more_than_they_need(workflow: Path) -> None:
    assert load(workflow)["permissions"] == {"contents": "read"}
    for job, step in steps(workflow):
        assert job["timeout-minutes"] <= 90
        assert ("uses" in step) != ("run" in step)
        # What comes from an event (a branch's name) may hold shell code: it goes through env only.
        assert "${{" not in step.get("run", "")
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_every_supported_python_is_tested() -> None:
    jobs = load(ROOT / ".github/workflows/ci.yml")["jobs"]
    named = "Programming Language :: Python :: 3."
    supported = [one.rpartition(" ")[2] for one in PROJECT["classifiers"] if named in one]
    assert {"3.11", *supported} <= set(jobs["ranges"]["strategy"]["matrix"]["python"])
    assert [step["run"] for step in jobs["locked"]["steps"] if "run" in step] == [".ci/run"]


def test_the_citation_names_this_version() -> None:
    citation = load(ROOT / "CITATION.cff")
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]


def requirements() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    found = [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]
    return [Requirement(text) for text in found]


def pins() -> dict[str, str]:
    lines = [path.read_text("utf-8").splitlines() for path in (ROOT / "locks").glob("*.txt")]
    return dict(line.split("==") for lock in lines for line in lock if not line.startswith("#"))


def test_pins_are_in_the_ranges_of_the_project() -> None:
    locked = pins()
    named = {one.name.lower().replace("_", "-"): one for one in requirements()}
    both = locked.keys() & named.keys()
    assert {"click", "torch", "mypy", "mkdocs-material"} <= both
    assert {name: locked[name] for name in both if locked[name] not in named[name].specifier} == {}


def test_exact_versions_are_only_in_the_locks() -> None:
    # An inference engine pins its own torch: with an exact version here, the two could not be
    # installed together.
    assert [str(one) for one in requirements() if "==" in str(one.specifier)] == []


@pytest.mark.parametrize("pin", ["torch==2.14.0", "transformers==5.20.2", "numba==0.65.0"])
def test_the_ranges_allow_the_pins_of_vllm(pin: str) -> None:
    """What vLLM 0.33.0 and ``kit19[eval,train]`` resolve to together."""
    name, _, version = pin.partition("==")
    assert all(version in one.specifier for one in requirements() if one.name == name)


@pytest.mark.parametrize("form", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=str)
def test_issue_forms_have_what_github_requires(form: Path) -> None:
    document = load(form)
    if form.name == "config.yml":
        assert document == {"blank_issues_enabled": True}
        return
    assert {"name", "description", "body"} <= set(document)
    ids = [field["id"] for field in document["body"]]
    assert len(ids) == len(set(ids))
    assert all(field["attributes"]["label"] for field in document["body"])


def test_a_wheel_without_a_data_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    check = runpy.run_path(str(ROOT / ".github/check_package.py"))
    monkeypatch.setitem(
        check["main"].__globals__, "tracked", lambda _: {"src/kit19/a.yaml", "src/kit19/b.py"}
    )
    with zipfile.ZipFile(tmp_path / "kit19-1.whl", "w") as wheel:
        wheel.writestr("kit19/b.py", "")
        wheel.writestr("kit19/stray.py", "")
    with tarfile.open(tmp_path / "kit19-1.tar.gz", "w:gz") as sdist:
        for name in ("a.yaml", "b.py"):
            path = tmp_path / name
            path.write_text("")
            sdist.add(path, f"kit19-1/src/kit19/{name}")
    assert check["main"](tmp_path) == 1
    assert capsys.readouterr().out.splitlines() == [
        "kit19-1.whl: lacks src/kit19/a.yaml",
        "kit19-1.whl: has src/kit19/stray.py, which is not tracked",
    ]
    (tmp_path / "kit19-1.whl").unlink()
    assert check["main"](tmp_path) == 2
