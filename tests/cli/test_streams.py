"""Standard output that is full, closed, no longer read, or in a limited encoding."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from kit19 import build
from tests.support.invoking import invoke, run_main

FULL = Path("/dev/full")

needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("streams")
    build("sample", root / "out", changes={"subsets": ["nsmc", "math"], "cap": 20})
    texts = "".join(
        json.dumps({"text": f"🙂 겨울 방학 동안 옥상에 온실을 지었다 {n}"}) + "\n" for n in range(3)
    )
    (root / "emoji.jsonl").write_text(texts, encoding="utf-8")
    return {"out": root / "out", "emoji": root / "emoji.jsonl"}


# Every command that prints a result without a model; {out} is a build, {emoji} a file of rows.
PRINTS = [
    "sources",
    "sources --json",
    "sources nsmc",
    "tasks",
    "tasks --path",
    "show nsmc",
    "show nsmc --json",
    "lint nsmc",
    "lint nsmc --json",
    "fetch --list",
    "fetch --list --json",
    "stats {out}",
    "stats {out} --json",
    "verify {out}",
    "explain {out} nsmc/train/1",
    "diff {out} {out}",
    "audit {emoji} --against {emoji}",
    "audit {emoji} --against {emoji} --json --fail-on-hit",
]


def arguments(line: str, world: dict[str, Path]) -> list[str]:
    return [word.format(**world) for word in line.split()]


def into(stream: IO[str] | None, *line: str) -> tuple[int, str]:
    """Exit code and stderr of a command whose standard output is this stream."""
    err = io.StringIO()
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(err):
        return run_main(*line), err.getvalue()


@needs_full
@pytest.mark.parametrize("line", PRINTS)
def test_a_result_that_a_full_disk_swallows_is_a_failure(line: str, world: dict[str, Path]) -> None:
    with FULL.open("w", encoding="utf-8") as stream:
        code, err = into(stream, *arguments(line, world))
    assert code == 1
    assert "error: standard output: cannot be written: No space left on device" in err


@pytest.mark.parametrize("line", PRINTS)
def test_a_closed_pipe_prints_no_message(line: str, world: dict[str, Path]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        code, err = into(stream, *arguments(line, world))
    assert code == 141
    assert "error" not in err


@pytest.mark.parametrize("line", PRINTS[:2])
def test_a_closed_standard_output_is_a_failure(line: str, world: dict[str, Path]) -> None:
    code, err = into(None, *arguments(line, world))
    assert code == 1
    assert err == "error: standard output: cannot be written: it is closed\n"


def full() -> IO[bytes]:
    return FULL.open("wb")


def unread() -> IO[bytes]:
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "wb")


@needs_full
@pytest.mark.parametrize("line", [["sources"], ["show", "nsmc", "--json"], ["--help"]])
@pytest.mark.parametrize(("place", "right"), [(full, 1), (unread, 141)])
def test_the_end_of_a_process_adds_nothing(
    line: list[str], place: Callable[[], IO[bytes]], right: int
) -> None:
    # Python flushes once more at its end: exit code 120 and "Exception ignored" were the result.
    with place() as out:
        command = [sys.executable, "-m", "kit19", *line]
        done = subprocess.run(command, check=False, stdout=out, stderr=subprocess.PIPE)
    assert done.returncode == right
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@needs_full
def test_errors_and_progress_that_cannot_be_written_change_no_exit_code(tmp_path: Path) -> None:
    line = ["build", "sample", "--set", "subsets=[math]", "--out", str(tmp_path / "out")]
    with (
        FULL.open("w", encoding="utf-8", buffering=1) as stream,
        contextlib.redirect_stderr(stream),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        assert run_main(*line) == 0
        assert run_main("show", "nothing") == 1
    with contextlib.redirect_stderr(None), contextlib.redirect_stdout(io.StringIO()) as out:
        assert run_main(*line, "--json") == 0
    assert json.loads(out.getvalue())["kit19_version"]


@pytest.mark.parametrize("encoding", ["cp949", "ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("line", [line for line in PRINTS if line != "tasks --path"])
def test_what_an_encoding_does_not_have_is_escaped(
    line: str, encoding: str, world: dict[str, Path]
) -> None:
    words = arguments(line, world)
    right = invoke(*words)
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding=encoding, newline="\n") as stream:
        code, _ = into(stream, *words)
        result = raw.getvalue().decode(encoding)
    assert code == right.code
    if "--json" in words:
        assert json.loads(result) == right.document
    elif encoding == "utf-8":
        assert result == right.out
    else:
        assert result == right.out.encode(encoding, "backslashreplace").decode(encoding)


def test_a_process_prints_an_emoji_to_a_korean_windows_console(world: dict[str, Path]) -> None:
    line = [sys.executable, "-m", "kit19", *arguments(PRINTS[-2], world)]
    environment = os.environ | {"PYTHONIOENCODING": "cp949"}
    done = subprocess.run(line, check=False, capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "\\U0001f642 겨울 방학" in done.stdout.decode("cp949")


# Ctrl-C while a module is being imported: at that very moment, without waiting for it.
INTERRUPTED = """
import os, runpy, signal, sys

at = sys.argv.pop(1)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == at:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
runpy.run_module("kit19", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(
    "module",
    [
        "kit19.cli",
        "click",
        "kit19.core.errors",
        "kit19.cli.look",
        "kit19.linting.examples",
        "polars",
        "pydantic",
    ],
)
def test_ctrl_c_during_the_start_is_exit_code_130(module: str) -> None:
    line = [sys.executable, "-c", INTERRUPTED, module, "show", "nsmc"]
    done = subprocess.run(line, check=False, capture_output=True)
    assert (done.returncode, done.stdout) == (130, b"")
    assert done.stderr in (b"", b"\nInterrupted; nothing was left half-written.\n")
