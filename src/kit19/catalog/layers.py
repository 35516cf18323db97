"""The folders that make up a catalog, and which file each card comes from. Nothing is parsed here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from kit19.catalog.yaml_file import read_yaml
from kit19.core.errors import CatalogError, Problem

if TYPE_CHECKING:
    from kit19.catalog.load import Catalog

BUILT_IN = Path(__file__).parent

Kind = Literal["sources", "templates", "benchmarks", "recipes", "formats", "published"]
"""The subfolders of a catalog: what a card is."""
KINDS: tuple[Kind, ...] = get_args(Kind)

TASKS = "tasks.yaml"
"""The file of the kinds of tasks: id → task."""
SETS = "benchmark_sets.yaml"
"""The file of the sets of benchmarks: name → set."""
_LISTS = {TASKS: "tasks", SETS: "benchmark_sets"}
"""Files with several cards each, and the kind of these cards."""

OURS = "kit19"
"""The name of kit19's own catalog, where a user's is named by its folder."""


@dataclass(frozen=True)
class CardOrigin:
    """Where a card comes from.

    Attributes:
        catalog: ``kit19``, or the user's folder.
        file: Its file; below ``kit19:`` for kit19's own.
        replaces: Whether it takes the place of a card of kit19's.
    """

    catalog: str
    file: str
    replaces: bool

    def __str__(self) -> str:
        return f"{self.file}, which replaces kit19's" if self.replaces else self.file


@dataclass(frozen=True)
class Layers:
    """The folders of a catalog. A card replaces the one of its kind and id in an earlier folder.

    Attributes:
        folders: kit19's own catalog, a user's, or both in this order.
    """

    folders: tuple[Path, ...] = (BUILT_IN,)

    @property
    def own(self) -> Path | None:
        """The user's folder, if there is one."""
        last = self.folders[-1]
        return None if last == BUILT_IN else last

    @property
    def only(self) -> bool:
        """Whether the user's folder takes the place of kit19's own."""
        return BUILT_IN not in self.folders

    def cards(self, kind: Kind) -> dict[str, Path]:
        """The file of each card of a kind, by id, in alphabetical order."""
        found: dict[str, Path] = {}
        for folder in self.folders:
            found |= _list_cards(folder, kind)
        return dict(sorted(found.items()))

    def find(self, kind: Kind, name: str) -> Path | None:
        """The file of a card, or None."""
        return self.cards(kind).get(name)

    def origin(self, kind: Kind, name: str) -> CardOrigin:
        """Where a card comes from."""
        card = f"{kind}/{name}"
        path = self.own_cards().get(card)
        if path is None:
            return CardOrigin(OURS, f"{OURS}:{card}.yaml", replaces=False)
        return CardOrigin(str(self.own), str(path), card in self.replaced_cards())

    def own_cards(self) -> dict[str, Path]:
        """The user's cards: ``<kind>/<id>`` → file."""
        return {} if self.own is None else _list_all(self.own)

    def replaced_cards(self) -> dict[str, Path]:
        """Those of the user's cards that take the place of one of kit19's."""
        ours = {} if self.only else _list_all(BUILT_IN)
        return {name: path for name, path in self.own_cards().items() if name in ours}


def layers_of(catalog: str | Path | Catalog | None, *, only: bool = False) -> Layers:
    """The layers of a catalog as users name it.

    Args:
        catalog: A folder of cards, or a loaded catalog; None for kit19's own alone.
        only: Use the folder instead of kit19's own, and not in addition to it.

    Raises:
        CatalogError: The folder does not exist, or has no cards.
        OSError: It cannot be read; the error names it.
    """
    if catalog is not None and not isinstance(catalog, str | Path):
        return catalog.layers
    if catalog is None or Path(catalog).absolute() == BUILT_IN:
        return Layers()
    folder = Path(catalog)
    problems = list(_folder_problems(folder))
    if problems:
        raise CatalogError(problems)
    return Layers((folder,) if only else (BUILT_IN, folder))


def _list_all(folder: Path) -> dict[str, Path]:
    found = {
        f"{kind}/{name}": path for kind in KINDS for name, path in _list_cards(folder, kind).items()
    }
    for file, kind in _LISTS.items():
        if (folder / file).exists():
            data, _ = read_yaml(folder / file)  # a mapping, or what loads the file will say so
            names = data if isinstance(data, dict) else ()
            found |= {f"{kind}/{name}": folder / file for name in names}
    return found


def _list_cards(folder: Path, kind: Kind) -> dict[str, Path]:
    return {path.stem: path for path in _list_files(folder / kind) if path.suffix == ".yaml"}


def _list_files(folder: Path) -> list[Path]:
    """The files of a folder without hidden ones, which editors and systems leave there."""
    # Path.glob would take a folder that may not be read for an empty one.
    try:
        paths = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [path for path in paths if not path.name.startswith(".")]


def _folder_problems(folder: Path) -> Iterator[Problem]:
    kinds = ", ".join(f"{kind}/" for kind in KINDS)
    if not folder.is_dir():
        yield Problem("there is no such folder of cards", str(folder))
        return
    files = [path for kind in KINDS for path in _list_files(folder / kind)]
    for path in files:
        if path.suffix == ".yml":
            yield Problem("is not read: the files of cards end in .yaml", str(path), "rename it")
    if not files and not any((folder / file).exists() for file in _LISTS):
        yield Problem("contains no card", str(folder), f"cards are YAML files in {kinds}")
