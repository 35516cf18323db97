"""``kit19.load``: upstream records and built sets, in the shape that the caller works in.

What is loaded and the shape that it is wanted in are two choices, so there are two steps:
``load`` finds and checks, and the method of ``Loaded`` reads. Each method has one return type,
which an ``as_=`` argument could not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from kit19.catalog import Catalog, Source, Subset, load_catalog
from kit19.core.arguments import public
from kit19.core.errors import (
    FilesError,
    Kit19Error,
    Problem,
    UnknownNameError,
    VerifyError,
    suggest_names,
)
from kit19.core.manifest import Manifest, read_manifest
from kit19.core.parquet import scan_parquet
from kit19.fetching import UpstreamFile, find_files, select_usable
from kit19.fetching.data_dir import is_sample, resolve_data_dir
from kit19.fetching.snapshot import download_build
from kit19.reading import read_subset
from kit19.reading.derive import MANY

if TYPE_CHECKING:
    import datasets
    import pandas as pd
    import pyarrow as pa  # type: ignore[import-untyped]

_SPLITS = ("train", "validation")
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


@dataclass(frozen=True)
class Loaded:
    """One split of something, found and checked but not yet read.

    Nothing is kept: each call of a method reads again.

    Attributes:
        name: What was asked for.
        split: Which split of it.
        kind: `records` (upstream's rows under the card's names), or `build` (rendered rows).
        revision: The commit that a build from the Hub is at; pin it to get the same rows again.
        manifest: The build's manifest; None for records.
    """

    name: str
    split: str
    kind: Literal["records", "build"]
    revision: str = ""
    manifest: Manifest | None = field(default=None, repr=False)
    _rows: pl.LazyFrame = field(default_factory=pl.LazyFrame, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """What was loaded, without its rows, as JSON has it."""
        return {
            "name": self.name,
            "split": self.split,
            "kind": self.kind,
            "revision": self.revision,
            "manifest": self.manifest.to_dict() if self.manifest else None,
        }

    def polars(self) -> pl.LazyFrame:
        """The rows as a lazy frame; for a build, only the columns that are used are read."""
        return self._rows

    def arrow(self) -> pa.Table:
        """The rows as a pyarrow table.

        Raises:
            Kit19Error: pyarrow is not installed, or a file cannot be read.
        """
        with _needing("pyarrow", "arrow()"):
            # The oldest layout: string views are not yet understood by all that reads Arrow.
            return self._collect().to_arrow(compat_level=pl.CompatLevel.oldest())

    def pandas(self) -> pd.DataFrame:
        """The rows as a pandas frame.

        Raises:
            Kit19Error: pandas or pyarrow is not installed, or a file cannot be read.
        """
        with _needing("pandas pyarrow", "pandas()"):
            return self._collect().to_pandas()

    def datasets(self) -> datasets.Dataset:
        """The rows as a dataset of the library ``datasets``; categorical fields are class labels.

        Raises:
            Kit19Error: datasets is not installed, or a file cannot be read.
        """
        with _needing("datasets", "datasets()"):
            import datasets  # noqa: PLC0415  seconds to load, and an extra

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
            first = str(error).splitlines()[0]
            fix = f"`kit19 verify` says what is wrong with {self.name}"
            raise VerifyError(Problem(f"cannot be read: {first}", self.name, fix)) from None


@public
def load(
    name: str | Path,
    split: str = "train",
    *,
    data_dir: str | Path | None = None,
    revision: str | None = None,
    partial: bool = False,
    unverified: bool = False,
    catalog: str | Path | None = None,
) -> Loaded:
    """Load records of a subset, a build, or a published build.

    Args:
        name: A subset (``nsmc``), the folder of a build, or a build on the Hub (``owner/name``).
            A subset's name goes before a folder's; ``./nsmc`` or a Path is always a folder.
        split: Of a subset, any split that upstream has, benchmark splits included: do not train on
            those. Of a build, ``train`` or ``validation``.
        data_dir: Of a subset: where upstream files are; ``sample`` for the small sample that kit19
            carries; default: where `kit19 fetch` puts them.
        revision: Of a build on the Hub: commit, tag or branch; default: the main branch.
        partial: Of a subset: leave out missing and differing files.
        unverified: Of a subset: use differing files.
        catalog: A folder of cards; default: kit19's own.

    Returns:
        The split, ready to be read as polars, Arrow, pandas or ``datasets``. Records have the
        columns id, split, group, and the fields of the subset's card: those with named values as
        Enum (as lists of names, where several may hold at once), all others as String.

    Raises:
        UnknownNameError: There is no such subset, folder or split.
        FilesError: Files are missing, differ from their card, or cannot be had from the Hub.
        VerifyError: A folder is no build, or not what its manifest says.
    """
    path = Path(name)
    cards = load_catalog(catalog)
    if isinstance(name, str) and name in cards.owners:
        _refuse(name, "a subset", revision=revision)
        return _records(cards, name, split, resolve_data_dir(data_dir), (partial, unverified))
    if path.is_dir():
        _refuse(name, "a folder", revision=revision, data_dir=data_dir)
        return _build(path, split)
    if isinstance(name, str) and _HUB_NAME.fullmatch(name):
        _refuse(name, "a build on the Hub", data_dir=data_dir)
        return _published(name, split, revision)
    what = f"{str(name)!r} is no subset, no folder, and no name of the form owner/name"
    raise UnknownNameError(Problem(what, fix=suggest_names(str(name), cards.owners)))


def _refuse(name: object, kind: str, **given: object) -> None:
    """An argument that does nothing would leave the caller believing that it did."""
    useless = [key for key, value in given.items() if value is not None]
    if useless:
        raise Kit19Error(Problem(f"{name} is {kind}: {useless[0]} has no meaning for it"))


def _records(
    catalog: Catalog, name: str, split: str, folder: Path, mercy: tuple[bool, bool]
) -> Loaded:
    source, card = catalog.subset(name)
    splits = source.splits_of(card)
    if split not in splits:
        raise UnknownNameError(
            Problem(f"{name} has no split {split!r}", fix=suggest_names(split, splits))
        )
    files = _files(source, card, split, folder, mercy)
    schema = _schema(source, card, files)

    def read() -> pl.DataFrame:
        frame = read_subset(name, source, card, files).frame
        return frame.select(_typed(column, dtype) for column, dtype in schema.items())

    return Loaded(name, split, "records", _rows=pl.defer(read, schema=schema))


def _files(
    source: Source, card: Subset, split: str, folder: Path, mercy: tuple[bool, bool]
) -> list[UpstreamFile]:
    partial, unverified = mercy
    found = find_files(source, card.tables, [split], folder, check=not is_sample(folder))
    if is_sample(folder):  # it holds a few files of each source
        found = [one for one in found if one.status != "missing"]
    try:
        good, left = select_usable(found, partial=partial, unverified=unverified)
    except FilesError as error:
        fix = f"run `kit19 fetch {source.id}`; or load with partial=True, unverified=True"
        fix += ', or data_dir="sample"'
        raise FilesError([replace(problem, fix=fix) for problem in error.problems]) from None
    if not good:
        why = f"; first: {left[0].name}: {left[0].by or 'missing'}" if left else ""
        fix = f"run `kit19 fetch {source.id}`"
        raise FilesError(
            Problem(f"has no usable file of {source.id}, {split}{why}", str(folder), fix)
        )
    return good


def _schema(source: Source, card: Subset, files: list[UpstreamFile]) -> pl.Schema:
    """The columns of a subset's records, known before a byte is read."""
    tables = list(dict.fromkeys(found.table for found in files))
    fields = [name for table in tables for name in source.fields_of(card, table)]
    many, named = source.multi_valued_fields(card), source.categories_of(card)
    columns = ["id", "split", "group", *(["partner"] if card.pairs else [])]
    types: dict[str, Any] = dict.fromkeys([*columns, *fields], pl.String)
    for name, values in named.items():
        if name in types:
            types[name] = pl.List(pl.String) if name in many else pl.Enum(values)
    return pl.Schema(types)


def _typed(name: str, dtype: pl.DataType) -> pl.Expr:
    text = pl.col(name)
    return text.str.split(MANY) if isinstance(dtype, pl.List) else text.cast(dtype)


def _build(folder: Path, split: str) -> Loaded:
    manifest = read_manifest(folder)
    listed = {output.path: output.bytes for output in manifest.outputs}
    paths = [name for name in listed if name.startswith(f"data/{split}-")]
    _refuse_split(str(folder), split, manifest, paths)
    for name in paths:
        path = folder / name
        size = path.stat().st_size if path.is_file() else None
        if size != listed[name]:  # digests are left to `kit19 verify`: they would cost a full read
            what = "is missing" if size is None else "is not what its manifest says"
            fix = f"`kit19 verify {folder}` says all that is wrong"
            raise VerifyError(Problem(what, str(path), fix))
    rows = scan_parquet([folder / name for name in paths])
    return Loaded(str(folder), split, "build", "", manifest, rows)


def _published(name: str, split: str, revision: str | None) -> Loaded:
    if split not in _SPLITS:
        _refuse_split(name, split, None, [])
    brought = download_build(name, split, revision)
    _refuse_split(name, split, brought.manifest, brought.files)
    rows = scan_parquet(brought.files)
    return Loaded(name, split, "build", brought.commit, brought.manifest, rows)


def _refuse_split(name: str, split: str, manifest: Manifest | None, found: list[Any]) -> None:
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
def _needing(packages: str, method: str) -> Iterator[None]:
    try:
        yield
    except ImportError:
        what = f"{method} needs {' and '.join(packages.split())}"
        raise Kit19Error(Problem(what, fix=f"pip install {packages}")) from None
