"""A small catalog with one source and its data, to build from and to break."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tests.support.invoking import Outcome, invoke

GOOD = Path(__file__).parents[1] / "catalog" / "bad_cards" / "good"
CARD = "sources/cafe.yaml"


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
        where: list[str | Path] = ["--catalog-only", self.root, "--data-dir", self.root / "data"]
        return ["build", "cafe", *where, "--out", self.out, *more]

    def build(self, *more: str | Path) -> Outcome:
        return invoke(*self.arguments(*more))


def open_shop(root: Path) -> Shop:
    shutil.copytree(GOOD, root)
    return Shop(root)
