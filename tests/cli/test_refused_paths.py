"""Paths that the system refuses, or that would be read for ever: an error of kit19 that names them."""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import kit19
from kit19 import Kit19Error
from kit19.fetching.sources import list_files
from kit19.linting import lint_file
from tests.support.invoking import invoke

_CAPABILITIES = 0x20080522  # the version of the structures below; see capget(2)
_OVERRIDE, _SEARCH = 1 << 1, 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable"))


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Who runs the tests may read only what its mode allows, even if that is root."""
    if os.geteuid() != 0:
        yield
        return
    if sys.platform != "linux":
        pytest.skip("root reads everything here")
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = _Header(_CAPABILITIES, 0), (_Sets * 2)()
    assert libc.capget(ctypes.byref(header), sets) == 0
    before = sets[0].effective
    sets[0].effective = before & ~(_OVERRIDE | _SEARCH)
    assert libc.capset(ctypes.byref(header), sets) == 0
    yield
    sets[0].effective = before
    assert libc.capset(ctypes.byref(header), sets) == 0


# A public function, and how it is given a path. Nothing here needs a model.
TAKES: dict[str, Callable[[Path], Any]] = {
    "show a file": lambda path: kit19.show(from_file=path),
    "show from data": lambda path: kit19.show("nsmc", data_dir=path),
    "lint a file": lint_file,
    "lint data": lambda path: kit19.lint(["math"], data_dir=path),
    "explain": lambda path: kit19.explain(path, "nsmc/train/1"),
    "stats": kit19.stats,
    "verify": kit19.verify,
    "diff": lambda path: kit19.diff(path, path),
    "audit": lambda path: kit19.audit(path, [str(path)]),
    "compare": lambda path: kit19.compare([path, path]),
    "build a recipe": lambda path: kit19.build(str(path), path.parent / "new"),
    "build from data": lambda path: kit19.build("kit19", path.parent / "new", data_dir=path),
    "load": kit19.load,
    "load_catalog": kit19.load_catalog,
    "load_preset": lambda path: kit19.load_preset(str(path)),
    "push": lambda path: kit19.push(path, "me/mine"),
    "list_files": lambda path: list_files(["nsmc"], data_dir=path / "x", catalog=path),
    "a recipe of a build": lambda path: kit19.load_catalog().recipe(str(path)),
    "a prompt format": lambda path: kit19.load_catalog().prompt_format(str(path)),
}


def long(root: Path) -> Path:
    return root / f"{'가' * 100}.yaml"  # 300 bytes and 5


def longer(root: Path) -> Path:
    return root / ("a/" * 3000) / "b.yaml"


def pipe(root: Path) -> Path:
    os.mkfifo(root / "pipe.yaml")
    return root / "pipe.yaml"


def of_pipes(root: Path) -> Path:
    folder = root / "pipes.yaml"
    folder.mkdir()
    for name in ("manifest.json", "results.json", "run.json"):
        os.mkfifo(folder / name)
    return folder


def loop(root: Path) -> Path:
    (root / "loop.yaml").symlink_to("loop.yaml")
    return root / "loop.yaml"


def below_a_file(root: Path) -> Path:
    (root / "file").write_text("{}")
    return root / "file" / "below.yaml"


def impossible(root: Path) -> Path:
    return root / "nul\0.yaml"


def device(_root: Path) -> Path:
    return Path("/dev/zero")


PLACES = [long, longer, pipe, of_pipes, loop, below_a_file, impossible, device]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("take", TAKES)
def test_a_path_that_cannot_be_used_is_an_error_of_kit19(
    take: str, place: Callable[[Path], Path], tmp_path: Path
) -> None:
    with pytest.raises(Kit19Error) as raised:
        TAKES[take](place(tmp_path))
    assert raised.value.problems


def unreadable(root: Path) -> list[Path]:
    """A file, and a folder like a build, without read permission."""
    file, folder, build = root / "file.yaml", root / "folder.yaml", root / "build.yaml"
    file.write_text("id: mine\n")
    folder.mkdir()
    build.mkdir()
    for name in ("manifest.json", "results.json", "run.json"):
        (folder / name).write_text("{}")
        (build / name).write_text("{}")
        (build / name).chmod(0)
    file.chmod(0)
    folder.chmod(0)
    return [file, folder, build]


@pytest.mark.parametrize("number", range(3), ids=["file", "folder", "files in a folder"])
@pytest.mark.parametrize("take", TAKES)
def test_a_path_that_may_not_be_read_is_an_error_of_kit19(
    take: str, number: int, tmp_path: Path, ordinary_user: None
) -> None:
    path = unreadable(tmp_path)[number]
    try:
        with pytest.raises(Kit19Error) as raised:
            TAKES[take](path)
    finally:
        path.chmod(0o700)
    assert str(raised.value)


def test_permission_is_named_with_the_file_and_the_reason(
    tmp_path: Path, ordinary_user: None
) -> None:
    file, folder, build = unreadable(tmp_path)
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"instruction": "몇 시인가요?", "output": "세 시입니다."}) + "\n")
    rows.chmod(0)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    lines: list[tuple[list[str | Path], Path]] = [
        (["show", "--from-file", file], file),
        (["build", file, "--out", tmp_path / "out"], file),
        (["build", "sample", "--out", closed / "out"], closed / "out"),
        (["verify", folder], folder),
        (["stats", build], build),
        (["explain", folder, "nsmc/train/1"], folder),
        (["audit", rows, "--against", rows], rows),
        (["compare", folder, build], folder),
        (["compare", build, build], build),
        (["fetch", "nsmc", "--list", "--data-dir", folder], folder),
        (["push", folder, "me/mine", "--dry-run"], folder),
        (["sources", "--catalog", folder / "x"], folder),
    ]
    try:
        for line, named in lines:
            result = invoke(*line)
            assert result.code == 1, (line, result)
            assert str(named) in result.err, (line, result)
            assert "Traceback" not in result.err
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize("command", ["train", "eval", "chat", "merge"])
def test_commands_with_models_name_what_may_not_be_read(
    command: str, tmp_path: Path, ordinary_user: None
) -> None:
    pytest.importorskip("lm_eval", reason="the layers train and eval are not installed")
    _, folder, build = unreadable(tmp_path)
    rows = tmp_path / "rows.jsonl"
    rows.write_text("{}\n")
    rows.chmod(0)
    new = tmp_path / "new"
    lines: dict[str, list[list[str | Path]]] = {
        "train": [
            ["train", "--data", rows, "--model", "tiny", "--out", new],
            ["train", "--data", folder, "--model", "tiny", "--out", new],
            ["train", "--data", build, "--model", "tiny", "--out", new],
        ],
        "eval": [["eval", one, "--out", new, "--sample"] for one in (folder, build)],
        "chat": [["chat", folder, "--prompt", "안녕"], ["chat", build, "--prompt", "안녕"]],
        "merge": [["merge", folder, "--out", new], ["merge", build, "--out", new]],
    }
    try:
        for line in lines[command]:
            result = invoke(*line)
            assert result.code == 1, (line, result)
            assert str(line[2 if command == "train" else 1]) in result.err, (line, result)
    finally:
        folder.chmod(0o700)
