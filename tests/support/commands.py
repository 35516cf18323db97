"""The command line, here or in a process of its own, and a small catalog to point it at."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from kit19.cli import main

GOOD = Path(__file__).parents[1] / "catalog" / "bad_cards" / "good"
CARD = "sources/cafe.yaml"


@dataclass(frozen=True)
class Done:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "kit19", *map(str, arguments)]


def kit19(*arguments: str | Path) -> Done:
    """Run one command in this process: all of it, from the arguments to the exit code.

    What `main` does not catch is not caught here either, and fails the test.
    """
    out, err = io.StringIO(), io.StringIO()
    with (
        patch("sys.argv", ["kit19", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code
    assert isinstance(code, int)
    return Done(code, out.getvalue(), err.getvalue())


def kit19_process(*arguments: str | Path, **environment: str) -> Done:
    """Run one command as users do; ``environment`` is added to that of the tests."""
    done = subprocess.run(
        command(*arguments), check=False, capture_output=True, env=os.environ | environment
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


@dataclass(frozen=True)
class Shop:
    """A catalog with one small source, its data, and a place to build into."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data" / "cafe"

    @property
    def train(self) -> Path:
        return self.data / "train.tsv"

    @property
    def test(self) -> Path:
        return self.data / "test.tsv"

    @property
    def out(self) -> Path:
        return self.root / "out"

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1
        path.write_text(text.replace(old, new), encoding="utf-8")

    def pin(self, *, digest: bool = True) -> None:
        """Let the card know its train file by bytes and digest, as real cards do, or by nothing."""
        data = self.train.read_bytes()
        known = f", bytes: {len(data)}, sha256: {hashlib.sha256(data).hexdigest()}"
        self.edit(CARD, "path: train.tsv, rows: 3", f"path: train.tsv{known if digest else ''}")

    def pack(self) -> Path:
        """Put the train file into an archive, as upstream might ship it."""
        archive = self.data / "cafe.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
            bundle.write(self.train, "cafe/train.tsv")
        self.train.unlink()
        packed = ", archive: {path: cafe.zip, member: cafe/train.tsv}}"
        self.edit(CARD, "path: train.tsv, rows: 3}", f"path: train.tsv{packed}")
        return archive

    def arguments(self, *more: str | Path) -> list[str | Path]:
        where: list[str | Path] = ["--catalog", self.root, "--data-dir", self.root / "data"]
        return ["build", "cafe", *where, "--out", self.out, *more]

    def build(self, *more: str | Path) -> Done:
        return kit19(*self.arguments(*more))


def open_shop(root: Path) -> Shop:
    shutil.copytree(GOOD, root)
    return Shop(root)


def said(done: Done) -> list[str]:
    """Lines of stderr that tell an error or what to do, progress left out."""
    return [line for line in done.err.splitlines() if not line.startswith("[")]
