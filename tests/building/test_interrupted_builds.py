"""Tests of killed and interrupted builds: the old build stays complete, and no files are left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from kit19 import OutputError, verify
from tests.support.invoking import Outcome, run_process
from tests.support.samples import files_of, sample_of

# A build that sends itself a signal at the n-th thing it does below its temporary folder (or prints
# how many there are, for n = 0). What polars writes is not seen here, but all around it is.
AT_THE_NTH = """
import os, sys
nth, number, *arguments = sys.argv[1:]
seen = 0
def watch(event, details):
    global seen
    touches = event.startswith(("open", "os.", "shutil.")) and ".kit19-new" in repr(details)
    # The swap of the two folders uses ctypes, so it happens where that is loaded.
    if touches or (event == "ctypes.dlsym" and "renameat2" in repr(details)):
        seen += 1
        if seen == int(nth):
            os.kill(os.getpid(), int(number))
sys.addaudithook(watch)
sys.argv = ["kit19", *arguments]
from kit19.cli import main
try:
    main()
finally:
    if nth == "0":
        print(seen, file=sys.stderr)
"""
# A build that sends itself Ctrl-C when it has announced its third step.
AT_THE_THIRD_STEP = """
import os, signal, sys
class Stderr:
    def write(self, text):
        written = sys.__stderr__.write(text)
        if text.startswith("[3/"):
            sys.__stderr__.flush()
            os.kill(os.getpid(), signal.SIGINT)
        return written
    def __getattr__(self, name):
        return getattr(sys.__stderr__, name)
sys.stderr = Stderr()
from kit19.cli import main
main()
"""
# Near duplicates take half the time, and nothing is written meanwhile.
BUILD = ["build", "sample", "--set", "subsets=[math]", "--set", "dedup=exact", "--format", "alpaca",
         "--quiet"]  # fmt: skip


def build_until(nth: int, number: int, out: Path) -> Outcome:
    return run_code(AT_THE_NTH, str(nth), str(int(number)), *BUILD, "--out", str(out))


def run_code(*words: str) -> Outcome:
    done = subprocess.run(
        [sys.executable, "-c", *words], check=False, capture_output=True, encoding="utf-8"
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder with an older build of other rows."""
    sample_of(tmp_path / "out", "petitions", cap=5)
    return tmp_path / "out"


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory) -> int:
    """The number of moments at which a build can be interrupted."""
    out = tmp_path_factory.mktemp("moments") / "out"
    sample_of(out, "petitions", cap=5)
    done = build_until(0, signal.SIGKILL, out)
    assert done.code == 0, done.err
    count = int(done.err)
    assert count > 15
    return count


def beside(folder: Path) -> set[str]:
    return {path.name for path in folder.parent.iterdir()} - {".out.kit19-lock"}


def test_killed_at_any_moment_the_folder_has_a_complete_build(old: Path, moments: int) -> None:
    before = files_of(old)
    for share in (0, 0.3, 0.6, 0.85, 1):
        nth = 1 + round(share * (moments - 1))
        done = build_until(nth, signal.SIGKILL, old)
        assert done.code == -signal.SIGKILL, nth
        manifest = verify(old)
        # Killed before the two folders are swapped it is the old one, behind that the new one.
        assert files_of(old) == before or set(manifest.subsets) == {"math"}, nth
    sample_of(old, "math")
    assert set(verify(old).subsets) == {"math"}
    assert beside(old) == {"out"}


def test_killed_while_the_first_build_is_written_there_is_none(
    tmp_path: Path, moments: int
) -> None:
    out = tmp_path / "out"
    done = build_until(moments // 2, signal.SIGKILL, out)
    assert done.code == -signal.SIGKILL
    assert not out.exists()
    assert beside(out) == {".out.kit19-new"}
    sample_of(out, "math")
    verify(out)
    assert beside(out) == {"out"}


def test_interrupted_while_writing_the_old_build_is_untouched(old: Path, moments: int) -> None:
    before = files_of(old)
    for nth in (1, moments // 2):
        done = build_until(nth, signal.SIGINT, old)
        assert done.err.strip() == "Interrupted; nothing was left half-written.", nth
        assert (done.code, done.out) == (130, ""), nth
        assert files_of(old) == before, nth
        assert beside(old) == {"out"}, nth


def test_interrupted_while_reading_the_old_build_is_untouched(old: Path) -> None:
    before = files_of(old)
    done = run_code(AT_THE_THIRD_STEP, "build", "sample", "--out", str(old))
    *_, third, last = filter(None, done.err.splitlines())
    assert third.startswith("[3/")
    assert last == "Interrupted; nothing was left half-written."
    assert (done.code, done.out) == (130, "")
    assert files_of(old) == before
    assert beside(old) == {"out"}


def test_a_swap_that_was_cut_in_two_is_mended(old: Path) -> None:
    # Where a system cannot swap two names at once, a kill may fall between two renames.
    before = files_of(old)
    old.rename(old.with_name(".out.kit19-old"))
    (old.parent / ".out.kit19-new").mkdir()
    (old.parent / ".out.kit19-new" / "NOTICE").write_text("half", encoding="utf-8")
    with pytest.raises(OutputError), locked(old):
        sample_of(old, "math")
    assert not old.exists()
    (old.parent / "file").write_text("", encoding="utf-8")
    done = run_process(*BUILD, "--out", old, "--set", "formats=[alpaca]")
    assert done.code == 0
    assert files_of(old) != before
    verify(old)
    assert beside(old) == {"out", "file"}


def locked(folder: Path) -> FileLock:
    return FileLock(folder.with_name(f".{folder.name}.kit19-lock"), timeout=0)


def test_while_one_build_writes_another_is_refused(old: Path) -> None:
    # A stopped process holds its lock for as long as we please.
    first = subprocess.Popen([sys.executable, "-c", AT_THE_NTH, "3", str(signal.SIGSTOP), *BUILD,
                              "--out", str(old)])  # fmt: skip
    try:
        # It stops, or ends without: either way the wait is over.
        os.waitid(os.P_PID, first.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        second = run_process(*BUILD, "--out", old)
    finally:
        first.send_signal(signal.SIGCONT)
        code = first.wait()
    assert (second.code, second.out) == (1, "")
    assert second.errors == [
        f"error: {old}: another kit19 is writing there",
        "    wait for it, or use another --out",
    ]
    assert code == 0
    assert set(verify(old).subsets) == {"math"}
    assert beside(old) == {"out"}
