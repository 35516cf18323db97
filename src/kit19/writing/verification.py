"""Verify a build against its manifest. A single changed byte, row or count is detected."""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl

from kit19.core.arguments import public
from kit19.core.errors import Problem, VerifyError, first_line
from kit19.core.ledger import REASONS
from kit19.core.manifest import NAME, Manifest, read_manifest
from kit19.core.parquet import UNREADABLE, read_parquet, scan_parquet
from kit19.core.paths import require_regular_file
from kit19.core.rows import CONVERSATION_SCHEMA, ROW_SCHEMA, with_one_schema
from kit19.writing.parquet import content_digest

_FIX = "the folder was changed after it was built: build it again"


@public
def verify(folder: str | Path) -> Manifest:
    """Check every file, digest, row and count of a build.

    Returns:
        The manifest.

    Raises:
        VerifyError: Lists everything that differs from the manifest.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    problems = _check_files(folder, manifest)
    if not problems:
        problems = _check_rows(folder, manifest)
    if problems:
        raise VerifyError(problems)
    return manifest


def read_rows(folder: Path, split: str, where: pl.Expr | None = None) -> pl.DataFrame:
    """Read rows of one split, in order. A split that does not exist gives an empty frame.

    Args:
        folder: The build.
        split: ``train`` or ``validation``.
        where: Which rows; only these are kept in memory. None for all.

    Raises:
        VerifyError: A file cannot be read as rows.
    """
    paths = sorted((folder / "data").glob(f"{split}-*.parquet"))
    if not paths:
        return pl.DataFrame(schema=ROW_SCHEMA)
    try:
        for path in paths:
            require_regular_file(path)
        rows = pl.concat([_read_some(path, where) for path in paths])
    except UNREADABLE as error:
        first = first_line(error)
        raise VerifyError(Problem(f"cannot be read: {first}", str(folder / "data"), _FIX)) from None
    if rows.schema not in (ROW_SCHEMA, CONVERSATION_SCHEMA):
        what = f"has columns {', '.join(rows.columns)}, not {', '.join(ROW_SCHEMA)}"
        raise VerifyError(Problem(what, str(folder / "data"), _FIX))
    return rows


def _read_some(path: Path, where: pl.Expr | None) -> pl.DataFrame:
    if where is None:
        return read_parquet(path)
    return scan_parquet(path).filter(where).collect(engine="streaming")


def read_splits(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read all rows of a build: those of training and of validation, with the same columns.

    Raises:
        VerifyError: As ``read_rows``.
    """
    train, validation = with_one_schema([read_rows(folder, one) for one in ("train", "validation")])
    return train, validation


def _check_files(folder: Path, manifest: Manifest) -> list[Problem]:
    problems = []
    listed = {output.path for output in manifest.outputs}
    for output in manifest.outputs:
        path = folder / output.path
        try:
            require_regular_file(path)
            data = path.read_bytes()
        except OSError as error:
            is_missing = isinstance(error, FileNotFoundError)
            what = "is missing" if is_missing else f"cannot be read: {error.strerror}"
            problems.append(Problem(what, str(path), _FIX))
            continue
        if len(data) != output.bytes:
            what = f"has {len(data):,} bytes, not {output.bytes:,}"
            problems.append(Problem(what, str(path), _FIX))
        elif hashlib.sha256(data).hexdigest() != output.sha256:
            problems.append(Problem("has other bytes than were written", str(path), _FIX))
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in listed and name != NAME and not _is_tool_file(name):
            problems.append(Problem("is not part of the build", str(path), "remove it"))
    return problems


def _is_tool_file(name: str) -> bool:
    """Whether the Hub's client, git or a desktop adds this file to a dataset's folder.

    No such file is allowed in ``data`` and ``exports``, because loaders read every file there.
    """
    first, *rest = name.split("/")
    if not rest:
        return name in {".gitattributes", ".gitignore", ".DS_Store", ".git"}
    return first == ".git" or name.startswith(".cache/huggingface/")


def _count_rows(path: Path) -> int:
    if path.suffix == ".parquet":
        return int(scan_parquet(path).select(pl.len()).collect().item())
    with path.open("rb") as lines:
        return sum(1 for _ in lines)


def _check_rows(folder: Path, manifest: Manifest) -> list[Problem]:
    """Check the manifest's counts: digests of files do not detect an edited manifest."""
    where = str(folder / NAME)
    train, validation = read_splits(folder)
    dropped = read_parquet(folder / "dropped.parquet")
    problems = []

    def expect(what: str, stated: object, found: object) -> None:
        if stated != found:
            problems.append(
                Problem(f"states {stated} {what}, but the files contain {found}", where, _FIX)
            )

    for output in manifest.outputs:
        if output.rows is not None:
            expect(f"rows in {output.path}", output.rows, _count_rows(folder / output.path))
    expect("content digest", manifest.content_digest, content_digest(train, validation))
    rows = pl.concat([train, validation])
    expect("subsets", sorted(manifest.subsets), sorted(rows["subset"].unique()))
    for name, entry in manifest.subsets.items():
        own = rows.filter(pl.col("subset") == name)
        lost = dropped.filter(pl.col("id").str.starts_with(f"{name}/"))
        by_reason = dict(lost.group_by("reason").len().iter_rows())
        expect(f"examples of {name}", entry.ledger.examples, own.height)
        trained_on, held_out = (_records_in(part, name) for part in (train, validation))
        expect(f"training records of {name}", entry.ledger.train, len(trained_on))
        # Solved examples of validation rows are training records.
        held_out -= trained_on
        expect(f"validation records of {name}", entry.ledger.validation, len(held_out))
        for reason in REASONS:
            stated = entry.ledger.dropped.get(reason, 0)
            expect(f"{reason} records of {name}", stated, by_reason.get(reason, 0))
        trained = train.filter(pl.col("subset") == name).drop_nulls("label")
        labels = dict(trained.group_by("label").len().sort("label").iter_rows())
        expect(f"labels of {name}", entry.labels, labels)
        counted = dict(own.group_by("template").len().sort("template").iter_rows())
        expect(f"examples by template of {name}", entry.templates, counted)
    return problems


def _records_in(rows: pl.DataFrame, subset: str) -> set[str]:
    """The ids of all records that the rows of a subset are made of."""
    own = rows.filter(pl.col("subset") == subset)
    further = own.filter(pl.col("further_records") != "")
    return {*own["id"], *further["further_records"].str.split("\n").explode()}
