"""Tests that a kill at any moment loses nothing but the file at hand, and leaves nothing half-written.

Most kills are simulated: at a chosen operation on the disk the process is "dead", so that neither that
operation nor any later one, such as tidying up, has an effect. A few are real.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit19.auditing import merge_audit
from kit19.core.errors import OutputError
from kit19.reading.spans import SPAN
from tests.support.corpora import TEXTS, merged_bytes, search, write_corpus
from tests.support.effort import tries
from tests.support.invoking import run_main

KILLS = tries(20, 60)
FILES = 4


class Dead(BaseException):
    """The process was killed."""


class Disk:
    """Counts operations on the disk, and kills the process at one of them."""

    def __init__(self, patch: pytest.MonkeyPatch, last: int, half: bool = False) -> None:
        self.count, self.last, self.half = 0, last, half
        for owner, name in ((os, "fsync"), (os, "replace"), (os, "unlink"), (os, "link")):
            patch.setattr(owner, name, self._counted(getattr(owner, name)))
        patch.setattr(pl.DataFrame, "write_parquet", self._counted(pl.DataFrame.write_parquet))

    def _counted(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            if self.count == self.last and self.half and operation.__name__ == "write_parquet":
                operation(*args, **kwargs)
                Path(args[1]).write_bytes(Path(args[1]).read_bytes()[:100])
            if self.count >= self.last:
                raise Dead
            return operation(*args, **kwargs)

        return counted


pytestmark = pytest.mark.usefixtures("pages")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus") / "data"
    return write_corpus(folder, {f"{n}.jsonl": TEXTS[n:] for n in range(FILES)})


@dataclass(frozen=True)
class Whole:
    """A run that nothing interrupts: its merged bytes, its files, and its operations on the disk."""

    merged: dict[str, bytes]
    names: set[str]
    operations: int


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, corpus: Path, exam: Path) -> Whole:
    out = tmp_path_factory.mktemp("whole") / "out"
    search(corpus, exam, out.with_name("first"))  # the index is stored now
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch, last=10_000)
        search(corpus, exam, out)
    return Whole(merged_bytes(out), names(out), disk.count)


def names(out: Path) -> set[str]:
    return {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_killed_run_is_taken_up_where_it_was(
    seed: int, tmp_path: Path, corpus: Path, exam: Path, whole: Whole
) -> None:
    chance = random.Random(seed)
    out = tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch:
        Disk(patch, chance.randint(1, whole.operations), half=chance.random() < 0.5)
        with pytest.raises(Dead):
            search(corpus, exam, out)
    if chance.random() < 0.5:  # a second kill, unless what is left takes fewer operations
        with pytest.MonkeyPatch.context() as patch, suppress(Dead):
            Disk(patch, chance.randint(1, whole.operations))
            search(corpus, exam, out)
    done = list((out / "shards").glob("*.parquet"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kit19.writing.place._is_running", lambda _process: False)
        result = search(corpus, exam, out)
    assert result.reused == len(done)
    assert merged_bytes(out) == whole.merged
    assert names(out) == whole.names
    assert search(corpus, exam, out).reused == FILES


@pytest.mark.parametrize("seed", range(tries(8, 60)))
def test_killed_shares_in_any_order_are_taken_up_and_merged(
    seed: int, tmp_path: Path, corpus: Path, exam: Path, whole: Whole
) -> None:
    chance = random.Random(seed)
    out, span = tmp_path / "out", chance.choice([SPAN, 300])
    count = chance.randint(1, 5)
    shares = [(number, count) for number in range(1, count + 1)] * 2
    chance.shuffle(shares)
    for share in shares:
        with pytest.MonkeyPatch.context() as patch, suppress(Dead):
            Disk(patch, chance.randint(1, 25), half=chance.random() < 0.5)
            search(corpus, exam, out, shard=share, span=span)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kit19.writing.place._is_running", lambda _process: False)
        for share in sorted(shares, key=lambda _share: chance.random()):
            search(corpus, exam, out, shard=share, span=span)
        with pytest.MonkeyPatch.context() as kill, suppress(Dead):
            Disk(kill, chance.randint(1, 8))
            merge_audit(out)
        merge_audit(out)
    assert merged_bytes(out) == whole.merged
    assert not [name for name in names(out) if name.endswith(".new")]


@pytest.mark.parametrize("at", ["write_parquet", "fsync", "replace"])
def test_a_full_disk_stops_the_run_and_is_no_fault_of_a_file(
    at: str, tmp_path: Path, corpus: Path, exam: Path, whole: Whole
) -> None:
    left = 4

    def full(operation: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left <= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return operation(*args, **kwargs)

        return counted

    with pytest.MonkeyPatch.context() as patch:
        owner = pl.DataFrame if at == "write_parquet" else os
        patch.setattr(owner, at, full(getattr(owner, at)))
        with pytest.raises(OutputError, match="the disk is full"):
            search(corpus, exam, tmp_path / "out")
    assert not [name for name in names(tmp_path / "out") if name.endswith(".new")]
    assert search(corpus, exam, tmp_path / "out").reused > 0
    assert merged_bytes(tmp_path / "out") == whole.merged


def test_an_audit_stays_while_the_next_one_is_written(
    tmp_path: Path, corpus: Path, exam: Path, whole: Whole
) -> None:
    search(corpus, exam, tmp_path / "out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kit19.auditing.folder.audit_page", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            search(corpus, exam, tmp_path / "out")
    assert merged_bytes(tmp_path / "out") == whole.merged


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_ends_with_130_and_leaves_whole_results(
    jobs: int,
    tmp_path: Path,
    corpus: Path,
    exam: Path,
    whole: Whole,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"

    def interrupt(_self: object, what: str, _done: int, _total: int) -> None:
        if what == "files read":
            raise KeyboardInterrupt

    monkeypatch.setattr("kit19.cli.audit._Steps.report", interrupt)
    arguments = ["audit", str(corpus), "--against", str(exam), "--out", str(out)]
    assert run_main(*arguments, "--jobs", str(jobs)) == 130
    assert "nothing was left half-written" in capsys.readouterr().err
    assert multiprocessing.active_children() == []
    done = names(out) - {"shards/audit-plan.json"}
    assert done
    assert all(name.endswith(".parquet") for name in done)
    assert search(corpus, exam, out).reused == len(done)
    assert merged_bytes(out) == whole.merged


def test_a_killed_process_is_replaced(
    tmp_path: Path, corpus: Path, exam: Path, whole: Whole
) -> None:
    killed: list[int] = []

    def kill(what: str, _done: int, _total: int) -> None:
        if what == "rows read" and not killed:
            victim = multiprocessing.active_children()[0].pid
            assert victim
            killed.append(victim)
            os.kill(victim, signal.SIGKILL)

    result = search(corpus, exam, tmp_path / "out", jobs=2, on_progress=kill)
    assert killed
    assert result.failures == {}
    assert merged_bytes(tmp_path / "out") == whole.merged


_DRIVER = """
import os, signal, sys
from pathlib import Path
from kit19.auditing.files import audit_files

def die(what, done, total):
    if what == "files read":
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    audit_files(sys.argv[1], sys.argv[3], against=[sys.argv[2]], jobs=2, on_progress=die)
"""


def test_a_killed_driver_leaves_no_process_and_no_lock(
    tmp_path: Path, corpus: Path, exam: Path, whole: Whole
) -> None:
    out, script = tmp_path / "out", tmp_path / "driver.py"
    script.write_text(_DRIVER)
    arguments: list[str | Path] = [sys.executable, script, corpus, exam, out]
    # The output ends when the last process that holds it ends: the workers too.
    done = subprocess.run(arguments, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert list((out / "shards").glob("*.parquet"))
    result = search(corpus, exam, out)
    assert result.reused > 0
    assert merged_bytes(out) == whole.merged
    assert not [name for name in names(out) if name.endswith(".new")]
