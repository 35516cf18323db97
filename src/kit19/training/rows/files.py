"""Read training rows, from a build or from a user's file, in batches.

A user's file (JSON lines or parquet) has one of these layouts: ``instruction, input, output`` (Alpaca),
``prompt, completion``, or ``messages`` or ``conversations`` with one question and one answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from kit19.core.errors import Problem, ReadError, TrainError
from kit19.core.manifest import NAME as MANIFEST
from kit19.core.manifest import Manifest
from kit19.core.notes import NoteKind
from kit19.core.order import hash_order
from kit19.core.parquet import UNREADABLE, any_time_zone, describe_error, scan_parquet
from kit19.core.paths import path_exists, resolve_composition
from kit19.core.runs import DataEntry, Label
from kit19.reading.layouts import CONTEXT, TURNS, LayoutError, texts_of
from kit19.reading.opening import require_plain_file
from kit19.reading.values import InvalidLine, is_valid_unicode, read_values

COLUMNS = ("id", "task", "subset", "template", "instruction", "input", "output", "label")
"""All are String. A user's file fills instruction, input and output; ``id`` is the row number."""

_LABELS: dict[NoteKind, Label] = {
    "contaminated": "contaminated",
    "not_decontaminated": "unverified",
    "unverified": "unverified",
}
"""Kinds of notes on a build that decide the label of its rows; the first note decides."""

_AT_ONCE = 10_000  # rows in memory at a time: at 2 kB a row some 20 MB
_QUESTION_KEYS = {"instruction", "prompt", *TURNS}  # every layout has one of these keys
_EXPECTED = "give a build, or JSON lines or parquet with instruction, input and output"
_LAYOUTS = "known layouts: instruction+input+output, prompt+completion, messages, conversations"


@dataclass(frozen=True)
class RowFiles:
    """The rows of one split, in order.

    Attributes:
        paths: Parquet files, or one file of JSON lines.
        below: Keep rows whose validation hash is below this; None keeps all.
        from_: Keep rows whose validation hash is at least this; None keeps all.
        seed: The seed of that hash.
    """

    paths: tuple[Path, ...]
    below: int | None = None
    from_: int | None = None
    seed: int = 0

    def batches(self) -> Iterator[pl.DataFrame]:
        """Yield data frames of ``COLUMNS`` with at most 10,000 rows each.

        Raises:
            TrainError: A file cannot be read, or has none of the layouts.
        """
        for path in self.paths:
            for batch in _read(path):
                rows = batch
                place = hash_order(pl.col("id"), "validation", self.seed)
                if self.below is not None:
                    rows = rows.filter(place < self.below)
                if self.from_ is not None:
                    rows = rows.filter(place >= self.from_)
                if rows.height:
                    yield rows


@dataclass(frozen=True)
class Data:
    """The rows of a run, and their origin.

    Attributes:
        name: The path, for messages.
        train: Rows to train on.
        validation: Held-out rows; None if there are none.
        entry: Their description for ``run.json``.
        key: A sha256 that changes with any row.
    """

    name: str
    train: RowFiles
    validation: RowFiles | None
    entry: DataEntry
    key: str


def load_build_rows(folder: Path, manifest: Manifest, hold_out: int, seed: int) -> Data:
    """The rows of a verified build, with its validation split or one that is held out by hash."""
    named = {output.path: output.sha256 for output in manifest.outputs}
    files = {
        split: tuple(folder / name for name in named if name.startswith(f"data/{split}-"))
        for split in ("train", "validation")
    }
    key = _digest(*[named[n] for n in named if n.startswith("data/")])
    train, validation = RowFiles(files["train"]), RowFiles(files["validation"])
    if not files["validation"]:
        return _hold_out(str(folder), train, _entry(folder, manifest), key, hold_out, seed)
    return Data(str(folder), train, validation, _entry(folder, manifest), key)


def load_file_rows(path: Path, hold_out: int, seed: int) -> Data:
    """The rows of a user's file. kit19 has not checked them, so their label is `unverified`.

    Raises:
        TrainError: There is no such file, or it has none of the layouts.
    """
    path = resolve_composition(path)
    try:
        if not path_exists(path) or path.is_dir():
            what = "there is no such file, and it is not a build folder (it has no manifest.json)"
            raise TrainError(Problem(what, str(path), "build one: `kit19 build … --out DIR`"))
        require_plain_file(path)
        with path.open("rb") as stream:
            key = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise TrainError(Problem(f"cannot be read: {error.strerror}", str(path))) from None
    except ReadError as error:
        raise TrainError(error.problems) from None
    why = "not a kit19 build: it was not searched for benchmark text"
    entry = DataEntry(label="unverified", why=why)
    return _hold_out(str(path), RowFiles((path,)), entry, key, hold_out, seed)


def is_build(path: Path) -> bool:
    """Whether the folder is a complete build."""
    return (path / MANIFEST).is_file()


def _hold_out(
    name: str, rows: RowFiles, entry: DataEntry, key: str, hold_out: int, seed: int
) -> Data:
    """Hold out the rows that come first in hash order. All views of a record stay together."""
    if not hold_out:
        return Data(name, rows, None, entry, key)
    place = hash_order(pl.col("id"), "validation", seed)
    found = [batch.select(place.alias("h")) for batch in rows.batches()]
    hashes = pl.concat(found)["h"] if found else pl.Series([], dtype=pl.UInt64)
    count = min(hold_out, hashes.len() // 5)
    if not count:
        return Data(name, rows, None, entry, key)
    limit = hashes.sort()[count]
    train = RowFiles(rows.paths, from_=limit, seed=seed)
    validation = RowFiles(rows.paths, below=limit, seed=seed)
    return Data(name, train, validation, entry, _digest(key, str(limit), str(seed)))


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


def _read(path: Path) -> Iterator[pl.DataFrame]:
    try:
        yield from _parquet(path) if path.suffix == ".parquet" else _values(path)
    except UNREADABLE as error:
        raise TrainError(
            Problem(f"cannot be read: {describe_error(error)}", str(path), _EXPECTED)
        ) from None
    except ReadError as error:
        raise TrainError(
            [replace(one, fix=one.fix or _EXPECTED) for one in error.problems]
        ) from None


def _parquet(path: Path) -> Iterator[pl.DataFrame]:
    with any_time_zone():
        # Python cannot represent times in unknown time zones, and no text column holds times.
        rows = scan_parquet(path).select(pl.selectors.all() - pl.selectors.temporal())
        yield from _of_table(rows, path)


def _of_table(rows: pl.LazyFrame, path: Path) -> Iterator[pl.DataFrame]:
    height = rows.select(pl.len()).collect().item()
    for start in range(0, height, _AT_ONCE):
        frame = rows.slice(start, _AT_ONCE).collect()
        if _is_plain(frame.schema):
            yield _as_columns(frame, start)
        else:
            yield _from_objects(frame.iter_rows(named=True), path, start)


def _values(path: Path) -> Iterator[pl.DataFrame]:
    """Read row by row: columns inferred over all rows would turn mixed values into text."""
    done = 0
    values = read_values(path)
    while some := list(islice(values, _AT_ONCE)):
        yield _from_objects([_valid(value, path, line) for line, value in some], path, done)
        done += len(some)


def _valid(value: Any, path: Path, line: int) -> Any:
    if isinstance(value, InvalidLine):
        what = f"cannot be read: {value.why}"
        raise TrainError(Problem(what, f"{path}, line {line}", _EXPECTED))
    return value


def _is_plain(schema: pl.Schema) -> bool:
    """Whether a table has instruction and output as text, and no column that needs a check per row."""
    texts = [schema[name] for name in ("instruction", "input", "output") if name in schema]
    others = {"prompt", "completion", *TURNS, *CONTEXT}
    return (
        schema.keys() >= {"instruction", "output"}
        and all(kind == pl.String for kind in texts)
        and not schema.keys() & others
    )


def _as_columns(frame: pl.DataFrame, done: int) -> pl.DataFrame:
    row = pl.int_range(done, done + frame.height, dtype=pl.Int64).cast(pl.String)
    named = frame.with_columns(
        id=pl.col("id").cast(pl.String) if "id" in frame.columns else row,
    )
    missing = [pl.lit("").alias(name) for name in COLUMNS if name not in named.columns]
    return named.with_columns(missing).select(
        pl.col(name).cast(pl.String).fill_null("") for name in COLUMNS
    )


def _from_objects(rows: Iterable[Any], path: Path, done: int) -> pl.DataFrame:
    """Convert rows of any layout to ``COLUMNS``.

    Raises:
        TrainError: Names the first row that cannot be used completely.
    """
    found = []
    for number, row in enumerate(rows, done):
        try:
            found.append(_from_object(row, number))
        except LayoutError as error:
            raise TrainError(
                Problem(str(error), f"{path}, row {number}", _layout_fix(error))
            ) from None
    return pl.DataFrame(found, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")


def _from_object(row: Any, number: int) -> list[str]:
    if not isinstance(row, dict):
        raise LayoutError("is not an object")
    if not row.keys() & _QUESTION_KEYS:
        raise LayoutError(f"has the columns {', '.join(row)}: not a known layout")
    names = ("instruction", "input", "output")
    texts = dict(zip(names, texts_of(row), strict=True))
    named = {"id": number, **{key: row[key] for key in row.keys() & set(COLUMNS)}, **texts}
    if named["id"] is None:
        named["id"] = number
    return [_text(name, named.get(name)) for name in COLUMNS]


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        if is_valid_unicode(text := str(value)):
            return text
        raise LayoutError(f"{name}: has characters that are not text")
    raise LayoutError(f"{name}: is not text")


def _layout_fix(error: LayoutError) -> str:
    if "would be lost" in str(error):
        return "move it into the text of the question, or remove the key"
    if "not one question" in str(error):
        return "kit19 trains on single turns only; remove the others"
    return _LAYOUTS


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
