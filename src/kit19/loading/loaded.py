"""``kit19.load``: records, builds and users' files as polars, Arrow, pandas or ``datasets`` objects.

Loading has two steps: ``load`` finds and checks the files, a method of ``Loaded`` reads them. Each
method has one return type, which an ``as_=`` argument could not have.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from kit19.catalog import Catalog, CatalogLike, Source, Subset, load_catalog
from kit19.core.arguments import one_or_more, public
from kit19.core.errors import (
    Kit19Error,
    Problem,
    UnknownNameError,
    VerifyError,
    first_line,
    suggest_names,
)
from kit19.core.manifest import NAME as MANIFEST
from kit19.core.manifest import Manifest, read_manifest
from kit19.core.parquet import scan_parquet
from kit19.core.paths import path_exists
from kit19.fetching import Leniency, UpstreamFile, Use, select_files
from kit19.fetching.data_dir import resolve_data_dir
from kit19.fetching.snapshot import download_build
from kit19.loading.own_files import read_own_files
from kit19.reading import is_pattern, read_subset
from kit19.reading.derive import MANY

if TYPE_CHECKING:
    import datasets
    import pandas as pd
    import pyarrow as pa  # type: ignore[import-untyped]

_SPLITS = ("train", "validation")
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


@dataclass(frozen=True)
class Loaded:
    """One split of a subset or build, found and checked but not yet read; or a user's own rows.

    Rows of subsets and builds are not cached: each call of a method reads them again. A user's own rows
    are read at once, since only that shows which of them cannot be used.

    Attributes:
        name: The requested name.
        split: The requested split.
        kind: `records` (upstream rows with the card's field names), `build` (rendered rows), or `rows`
            (a user's own).
        revision: The commit of a build from the Hub; pass it to ``load`` to get the same rows again.
        manifest: The build's manifest; None for records and rows.
        malformed: Rows of a user's files that cannot be used: columns file, row (0-based number in the
            file), line (0 where the format has none), fault, why. None for records and builds.
        notes: What was read differently from the rest of a user's files.
    """

    name: str
    split: str
    kind: Literal["records", "build", "rows"]
    revision: str = ""
    manifest: Manifest | None = field(default=None, repr=False)
    malformed: pl.DataFrame | None = field(default=None, repr=False, compare=False)
    notes: list[str] = field(default_factory=list)
    _rows: pl.LazyFrame = field(default_factory=pl.LazyFrame, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the rows as a JSON-serializable dict."""
        return {
            "name": self.name,
            "split": self.split,
            "kind": self.kind,
            "revision": self.revision,
            "manifest": self.manifest.to_dict() if self.manifest else None,
            "malformed": None if self.malformed is None else self.malformed.to_dicts(),
            "notes": self.notes,
        }

    def polars(self) -> pl.LazyFrame:
        """Return the rows as a lazy frame; for a build, only the columns in use are read."""
        return self._rows

    def arrow(self) -> pa.Table:
        """Return the rows as a pyarrow table.

        Raises:
            Kit19Error: pyarrow is not installed, or a file cannot be read.
        """
        with _require_packages("pyarrow", "arrow()"):
            # The oldest layout: not every reader of Arrow supports string views yet.
            return self._collect().to_arrow(compat_level=pl.CompatLevel.oldest())

    def pandas(self) -> pd.DataFrame:
        """Return the rows as a pandas frame.

        Raises:
            Kit19Error: pandas or pyarrow is not installed, or a file cannot be read.
        """
        with _require_packages("pandas pyarrow", "pandas()"):
            return self._collect().to_pandas()

    def datasets(self) -> datasets.Dataset:
        """Return the rows as a ``datasets.Dataset``; categorical fields are class labels.

        Raises:
            Kit19Error: datasets is not installed, or a file cannot be read.
        """
        with _require_packages("datasets", "datasets()"):
            import datasets  # noqa: PLC0415  optional, and slow to import

            rows = self._collect()
            classes = {
                name: dtype.categories.to_list()
                for name, dtype in rows.schema.items()
                if isinstance(dtype, pl.Enum)
            }
            codes = rows.with_columns(pl.col(name).to_physical().cast(pl.Int64) for name in classes)
            table = codes.to_arrow(compat_level=pl.CompatLevel.oldest())
            features = datasets.Features.from_arrow_schema(table.schema)
            features |= {name: datasets.ClassLabel(names=names) for name, names in classes.items()}
            info = datasets.DatasetInfo(features=datasets.Features(features))
            return datasets.Dataset(table, info=info, split=datasets.Split(self.split))

    def _collect(self) -> pl.DataFrame:
        try:
            return self._rows.collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            first = first_line(error)
            fix = f"`kit19 verify` lists what is wrong with {self.name}"
            raise VerifyError(Problem(f"cannot be read: {first}", self.name, fix)) from None


@public
def load(
    name: str | Path | Collection[str | Path],
    split: str = "train",
    *,
    data_dir: str | Path | None = None,
    revision: str | None = None,
    partial: bool = False,
    unverified: bool = False,
    catalog: CatalogLike = None,
) -> Loaded:
    """Load records of a subset, a build, a published build, or rows of your own.

    Args:
        name: A subset (``nsmc``), the folder of a build, a build on the Hub (``owner/name``), or
            your own rows: a file, a folder of files, a pattern of names (``rows/*.jsonl``), or
            several of these. A subset takes precedence over a folder; ``./nsmc`` or a Path is always
            a folder.
        split: For a subset, any upstream split, including benchmark splits, which are not for
            training. For a build, ``train`` or ``validation``. Your own rows have no splits.
        data_dir: For a subset: the folder of upstream files, or ``sample`` for kit19's small sample;
            default: the folder of `kit19 fetch`.
        revision: For a build on the Hub: commit, tag or branch; default: the main branch.
        partial: For a subset: leave out missing and differing files.
        unverified: For a subset: use differing files.
        catalog: A folder of cards to add to kit19's own, or a loaded catalog (see ``load_catalog``).

    Returns:
        The split, ready to be read as polars, Arrow, pandas or ``datasets``. Records have the
        columns id, split, group, and the fields of the subset's card. Categorical fields are Enum
        (or lists of names, where several values are possible), all others String. Your own rows have
        id, instruction, input, output, task, subset, template, label and license, and messages if one
        of them is a conversation; those that cannot be used are in ``malformed``.

    Raises:
        UnknownNameError: There is no such subset, folder or split.
        FilesError: Files are missing, differ from their card, or cannot be downloaded from the Hub.
        VerifyError: A build does not match its manifest.
        ReadError: A file of yours cannot be read, or none of its rows can be used.
    """
    if not isinstance(name, str | Path):
        return _own_rows(one_or_more(name, "name"), split, revision=revision, data_dir=data_dir)
    path = Path(name)
    cards = load_catalog(catalog)
    if isinstance(name, str) and name in cards.owners:
        _reject_arguments(name, "a subset", revision=revision)
        folder = resolve_data_dir(data_dir)
        return _records(cards, name, split, folder, partial=partial, unverified=unverified)
    if (path / MANIFEST).is_file():
        _reject_arguments(name, "a folder", revision=revision, data_dir=data_dir)
        return _build(path, split)
    if path_exists(path) or is_pattern(path):
        return _own_rows([str(name)], split, revision=revision, data_dir=data_dir)
    if isinstance(name, str) and _HUB_NAME.fullmatch(name):
        _reject_arguments(name, "a build on the Hub", data_dir=data_dir)
        return _hub_build(name, split, revision)
    what = f"{str(name)!r} is neither a subset, nor a file or folder, nor of the form owner/name"
    raise UnknownNameError(Problem(what, fix=suggest_names(str(name), cards.owners)))


def _own_rows(paths: Sequence[str], split: str, **useless: object) -> Loaded:
    if not paths:
        raise UnknownNameError(Problem("names no file", "name", "give a subset, a build or files"))
    name = paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    _reject_arguments(name, "your own", **useless)
    if split != "train":
        raise UnknownNameError(Problem(f"your own rows have no split {split!r}", name))
    found = read_own_files([Path(path) for path in paths])
    rows = found.rows.lazy()
    return Loaded(name, split, "rows", malformed=found.malformed, notes=found.notes, _rows=rows)


def _reject_arguments(name: object, kind: str, **given: object) -> None:
    """Reject arguments that have no effect, rather than ignore them silently."""
    useless = [key for key, value in given.items() if value is not None]
    if useless:
        raise Kit19Error(Problem(f"{name} is {kind}: {useless[0]} has no meaning for it"))


def _records(
    catalog: Catalog, name: str, split: str, folder: Path, *, partial: bool, unverified: bool
) -> Loaded:
    source, card = catalog.subset(name)
    splits = source.splits_of(card)
    if split not in splits:
        raise UnknownNameError(
            Problem(f"{name} has no split {split!r}", fix=suggest_names(split, splits))
        )
    instead = 'load with partial=True, unverified=True, or data_dir="sample"'
    use = Use(name, source, card.tables, [split], instead=instead)
    (selected,) = select_files([use], folder, Leniency(partial, unverified))
    files = selected.require_some(folder)
    schema = _schema(source, card, files)

    def read() -> pl.DataFrame:
        frame = read_subset(name, source, card, files).frame
        return frame.select(_cast(column, dtype) for column, dtype in schema.items())

    return Loaded(name, split, "records", _rows=pl.defer(read, schema=schema))


def _schema(source: Source, card: Subset, files: list[UpstreamFile]) -> pl.Schema:
    """Return the columns of a subset's records, without reading its files."""
    tables = list(dict.fromkeys(found.table for found in files))
    fields = [name for table in tables for name in source.fields_of(card, table)]
    many, named = source.multi_valued_fields(card), source.categories_of(card)
    columns = ["id", "split", "group", *(["partner"] if card.pairs else [])]
    types: dict[str, Any] = dict.fromkeys([*columns, *fields], pl.String)
    for name, values in named.items():
        if name in types:
            types[name] = pl.List(pl.String) if name in many else pl.Enum(values)
    return pl.Schema(types)


def _cast(name: str, dtype: pl.DataType) -> pl.Expr:
    text = pl.col(name)
    return text.str.split(MANY) if isinstance(dtype, pl.List) else text.cast(dtype)


def _build(folder: Path, split: str) -> Loaded:
    manifest = read_manifest(folder)
    listed = {output.path: output.bytes for output in manifest.outputs}
    paths = [name for name in listed if name.startswith(f"data/{split}-")]
    _require_split(str(folder), split, manifest, paths)
    for name in paths:
        path = folder / name
        size = path.stat().st_size if path.is_file() else None
        if size != listed[name]:  # digests are left to `kit19 verify`: they would cost a full read
            what = "is missing" if size is None else "does not match its manifest"
            fix = f"`kit19 verify {folder}` lists everything that is wrong"
            raise VerifyError(Problem(what, str(path), fix))
    rows = scan_parquet([folder / name for name in paths])
    return Loaded(str(folder), split, "build", "", manifest, _rows=rows)


def _hub_build(name: str, split: str, revision: str | None) -> Loaded:
    if split not in _SPLITS:
        _require_split(name, split, None, [])
    snapshot = download_build(name, split, revision)
    _require_split(name, split, snapshot.manifest, snapshot.files)
    rows = scan_parquet(snapshot.files)
    return Loaded(name, split, "build", snapshot.commit, snapshot.manifest, _rows=rows)


def _require_split(name: str, split: str, manifest: Manifest | None, found: list[Any]) -> None:
    if found:
        return
    known: tuple[str, ...] = _SPLITS
    if manifest:
        there = [output.path for output in manifest.outputs]
        known = tuple(one for one in _SPLITS if any(p.startswith(f"data/{one}-") for p in there))
    raise UnknownNameError(
        Problem(f"{name} has no split {split!r}", fix=suggest_names(split, known))
    )


@contextmanager
def _require_packages(packages: str, method: str) -> Iterator[None]:
    try:
        yield
    except ImportError:
        what = f"{method} needs {' and '.join(packages.split())}"
        raise Kit19Error(Problem(what, fix=f"pip install {packages}")) from None
