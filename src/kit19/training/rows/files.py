"""Read training rows, from a build or from users' files, in batches.

Users' files are read by the mechanism of ``reading.instructions``: any format and layout, decided for
each row; rows that cannot be used are counted and listed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import polars as pl

from kit19.core.errors import Problem, ReadError, TrainError, first_line
from kit19.core.manifest import NAME as MANIFEST
from kit19.core.manifest import Manifest
from kit19.core.notes import NoteKind
from kit19.core.order import hash_order
from kit19.core.parquet import UNREADABLE, scan_parquet
from kit19.core.paths import path_exists
from kit19.core.rows import MESSAGES, MESSAGES_TYPE
from kit19.core.runs import DataEntry, Label
from kit19.reading import InstructionFiles, InstructionRows, Remarks, find_instruction_files
from kit19.reading.layouts import LAYOUTS
from kit19.reading.rows import ROW
from kit19.training.rows.malformed import MalformedRows

COLUMNS = ("id", "task", "subset", "template", "instruction", "input", "output", "label")
"""All are String, "" where absent. In users' files, ``id`` is the row's own, or else its number in its
file, after the file's name if there are several files."""

_LABELS: dict[NoteKind, Label] = {
    "contaminated": "contaminated",
    "not_decontaminated": "unverified",
    "unverified": "unverified",
}
"""Kinds of notes on a build that decide the label of its rows; the first note decides."""

_KEYS = ("id", "task", "subset", "template", "label")
_AT_ONCE = 10_000  # rows of a batch: at 2 kB a row some 20 MB
_EXPECTED = f"give a build, or files whose rows have {LAYOUTS}"


class RowSource(Protocol):
    """The rows of one split, in order."""

    def batches(self) -> Iterator[pl.DataFrame]:
        """Yield data frames of ``COLUMNS`` and ``messages`` with at most 10,000 rows each.

        ``messages`` has the turns of a conversation, whose texts are ""; it is null for the other rows.

        Raises:
            TrainError: A file cannot be read.
        """
        ...


@dataclass(frozen=True)
class BuildRows:
    """Rows of a build.

    Attributes:
        paths: Its parquet files.
        below: Keep rows whose validation hash is below this; None keeps all.
        from_: Keep rows whose validation hash is at least this; None keeps all.
        seed: The seed of that hash.
    """

    paths: tuple[Path, ...]
    below: int | None = None
    from_: int | None = None
    seed: int = 0

    def batches(self) -> Iterator[pl.DataFrame]:
        """As ``RowSource.batches``."""
        for path in self.paths:
            with _translate_errors(str(path)):
                scanned = scan_parquet(path)
                rows = scanned.select(_columns(scanned.collect_schema().names()))
                for batch in rows.collect_batches(chunk_size=_AT_ONCE, maintain_order=True):
                    yield from _slices(_held(batch, self.below, self.from_, self.seed))

    def hashes(self) -> pl.Series:
        """The validation hash of each row."""
        parts = [pl.Series([], dtype=pl.UInt64)]
        for path in self.paths:
            with _translate_errors(str(path)):
                ids = scan_parquet(path).select("id").collect()
                parts.append(
                    ids.select(hash_order(pl.col("id"), "validation", self.seed)).to_series()
                )
        return pl.concat(parts)


@dataclass(frozen=True)
class FileRows:
    """Rows of users' files.

    Attributes:
        files: The files.
        from_: As for ``BuildRows``.
        seed: As for ``BuildRows``.
    """

    files: InstructionFiles
    from_: int | None = None
    seed: int = 0

    def batches(self) -> Iterator[pl.DataFrame]:
        """As ``RowSource.batches``."""
        for rows, _ in self.read():
            yield from _slices(_held(rows, None, self.from_, self.seed))

    def read(
        self, remarks: Remarks | None = None
    ) -> Iterator[tuple[pl.DataFrame, InstructionRows]]:
        """Yield all rows as ``batches`` does, with the result of the reader that they come from.

        Args:
            remarks: As for ``InstructionFiles.read``.
        """
        with _translate_errors(str(self.files.paths[0])):
            for part in self.files.read(_KEYS, remarks=remarks):
                yield self._as_columns(part), part

    def _as_columns(self, part: InstructionRows) -> pl.DataFrame:
        number = pl.concat_str(pl.lit(self.files.row_prefix(part.file)), pl.col(ROW))
        named = pl.col("id").str.strip_chars() != ""
        frame = part.frame.with_columns(id=pl.when(named).then("id").otherwise(number))
        return frame.select(_columns(frame.columns))


@dataclass(frozen=True)
class HeldOutRows:
    """Few rows, in memory.

    Attributes:
        frame: The rows, as ``RowSource.batches`` yields them.
    """

    frame: pl.DataFrame

    def batches(self) -> Iterator[pl.DataFrame]:
        """As ``RowSource.batches``."""
        yield from _slices(self.frame)


@dataclass(frozen=True)
class Data:
    """The rows of a run, and their origin.

    Attributes:
        name: The path, for messages.
        train: Rows to train on.
        validation: Held-out rows; None if there are none.
        entry: Their description for ``run.json``.
        key: A sha256 that changes with any row.
        malformed: Rows that cannot be used.
        notes: What was read differently from the rest of a file.
    """

    name: str
    train: RowSource
    validation: RowSource | None
    entry: DataEntry
    key: str
    malformed: MalformedRows = field(default_factory=MalformedRows)
    notes: tuple[str, ...] = ()


_SCHEMA = pl.Schema({**dict.fromkeys(COLUMNS, pl.String()), MESSAGES: MESSAGES_TYPE})


def _columns(names: Sequence[str]) -> list[pl.Expr]:
    nothing = pl.lit(None, dtype=MESSAGES_TYPE).alias(MESSAGES)
    return [pl.col(COLUMNS).fill_null(""), pl.col(MESSAGES) if MESSAGES in names else nothing]


def load_build_rows(folder: Path, manifest: Manifest, hold_out: int, seed: int) -> Data:
    """The rows of a verified build, with its validation split or one that is held out by hash."""
    named = {output.path: output.sha256 for output in manifest.outputs}
    files = {
        split: tuple(folder / name for name in named if name.startswith(f"data/{split}-"))
        for split in ("train", "validation")
    }
    key = _digest(*[named[n] for n in named if n.startswith("data/")])
    name, entry = str(folder), _entry(folder, manifest)
    train, validation = BuildRows(files["train"], seed=seed), BuildRows(files["validation"])
    if files["validation"]:
        return Data(name, train, validation, entry, key)
    hashes = train.hashes() if hold_out else pl.Series([], dtype=pl.UInt64)
    limit = _limit(hashes.bottom_k(hold_out + 1), hashes.len(), hold_out)
    if limit is None:
        return Data(name, train, None, entry, key)
    validation = replace(train, below=limit)
    key = _digest(key, str(limit), str(seed))
    return Data(name, replace(train, from_=limit), validation, entry, key)


def load_file_rows(paths: Path | Sequence[Path], hold_out: int, seed: int) -> Data:
    """The rows of users' files. kit19 has not checked them, so their label is `unverified`.

    Args:
        paths: A file, a folder of files, a pattern of names, or several of these.
        hold_out: How many rows to hold out for validation, by hash.
        seed: The seed of that hash.

    Raises:
        TrainError: There is no such file, a file cannot be read, or none of the rows can be used.
    """
    given = [paths] if isinstance(paths, Path) else list(paths)
    name = str(given[0]) if len(given) == 1 else f"{given[0]} and {len(given) - 1} more"
    files, key = _find(given)
    rows = FileRows(files, seed=seed)
    malformed, remarks = MalformedRows(), Remarks()
    count, lowest = 0, pl.DataFrame(schema=_SCHEMA).with_columns(_hash(seed))
    for batch, part in rows.read(remarks):
        malformed.add(part.malformed, files.name_of(part.file))
        count += batch.height
        if hold_out and batch.height:
            lowest = _lowest(lowest, batch.with_columns(_hash(seed)), hold_out + 1)
    if malformed.first and not count:
        what = f"none of its {malformed.total:,} rows can be used; the first: {malformed.first.why}"
        raise TrainError(Problem(what, malformed.first.place, _EXPECTED))
    notes = tuple(f"{one.where}: {one.what}" for one in remarks.notes)
    why = "not a kit19 build: it was not searched for benchmark text"
    entry = DataEntry(label="unverified", why=why, malformed=dict(malformed.counts))
    limit = _limit(lowest[_HASH].bottom_k(hold_out + 1), count, hold_out)
    if limit is None:
        return Data(name, rows, None, entry, key, malformed, notes)
    held_out = HeldOutRows(lowest.filter(pl.col(_HASH) < limit).drop(_HASH))
    key = _digest(key, str(limit), str(seed))
    return Data(name, replace(rows, from_=limit), held_out, entry, key, malformed, notes)


def is_build(path: Path) -> bool:
    """Whether the folder is a complete build."""
    return (path / MANIFEST).is_file()


_HASH = "#hash"


def _hash(seed: int) -> pl.Expr:
    return hash_order(pl.col("id"), "validation", seed).alias(_HASH)


def _lowest(found: pl.DataFrame, batch: pl.DataFrame, count: int) -> pl.DataFrame:
    """The rows with the lowest hashes of those found and of a batch, in their order."""
    limit = pl.concat([found[_HASH], batch[_HASH]]).bottom_k(count).max()
    entering = batch.filter(pl.col(_HASH) <= limit)
    # Copied through Python, since a column of few texts keeps the memory of all texts of its batch.
    copied = pl.DataFrame(entering.rows(), schema=entering.schema, orient="row")
    return pl.concat([found.filter(pl.col(_HASH) <= limit), copied])


def _limit(lowest: pl.Series, rows: int, hold_out: int) -> int | None:
    """The hash below which rows are held out, all views of a record together; None for no rows.

    Args:
        lowest: The lowest hashes, at least one more than ``hold_out`` if there are as many rows.
        rows: The number of rows.
        hold_out: The most rows to hold out; at most a fifth of all are.
    """
    count = min(hold_out, rows // 5)
    return int(lowest.sort()[count]) if count else None


def _held(rows: pl.DataFrame, below: int | None, from_: int | None, seed: int) -> pl.DataFrame:
    place = hash_order(pl.col("id"), "validation", seed)
    if below is not None:
        rows = rows.filter(place < below)
    if from_ is not None:
        rows = rows.filter(place >= from_)
    return rows


def _slices(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    return (part for part in rows.iter_slices(_AT_ONCE) if part.height)


def _find(given: Sequence[Path]) -> tuple[InstructionFiles, str]:
    """Find the files, and a digest of their bytes and names."""
    try:
        with _translate_errors(str(given[0])):
            files = find_instruction_files(given)
    except TrainError:
        if len(given) == 1 and not path_exists(given[0]):
            what = "there is no such file, and it is not a build folder (it has no manifest.json)"
            fix = "build one: `kit19 build … --out DIR`"
            raise TrainError(Problem(what, str(given[0]), fix)) from None
        raise
    digests = []
    for path in files.paths:
        with _translate_errors(str(path)), path.open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    if len(digests) == 1:
        return files, digests[0]
    names = [files.names.get(path, path.name) for path in files.paths]
    return files, _digest(*names, *digests)


def _entry(folder: Path, manifest: Manifest) -> DataEntry:
    notes = [note for note in manifest.notes() if note.kind in _LABELS]
    return DataEntry.model_validate(
        {
            "recipe": manifest.recipe["id"],
            "manifest_sha256": hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest(),
            "content_digest": manifest.content_digest,
            "subsets": {name: one.ledger.train for name, one in manifest.subsets.items()},
            "splits": {name: one.splits for name, one in manifest.subsets.items()},
            "licenses": sorted({one.license for one in manifest.subsets.values()}),
            "decontaminated_against": manifest.decontaminated_against,
            "not_decontaminated_against": manifest.not_decontaminated_against,
            "sample": manifest.sample,
            "label": _LABELS[notes[0].kind] if notes else "clean",
            "why": "; ".join(note.what for note in notes),
        }
    )


@contextmanager
def _translate_errors(where: str) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        raise TrainError(
            Problem(f"cannot be read: {first_line(error)}", where, _EXPECTED)
        ) from None
    except ReadError as error:
        raise TrainError(
            [replace(one, fix=one.fix or _EXPECTED) for one in error.problems]
        ) from None


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
