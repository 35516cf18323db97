"""What is trained on: the rows of a build, or of a file of the user's, a piece at a time.

Layouts of a user's file (JSON lines or parquet): ``instruction, input, output`` (Alpaca), ``prompt,
completion``, ``messages`` and ``conversations`` with one question and one answer.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl

from kit19.errors import Problem, TrainError
from kit19.manifest import NAME as MANIFEST
from kit19.manifest import Manifest
from kit19.order import hash_order
from kit19.runs import DataEntry

COLUMNS = ("id", "task", "subset", "template", "instruction", "input", "output", "label")
"""All String. Of a user's file only instruction, input and output may hold text; ``id`` is the row."""

_AT_ONCE = 10_000  # rows in memory at a time: at 2 kB a row some 20 MB
_ALPACA = ("instruction", "output")
_TURNS = {"messages": ("role", "content", "user", "assistant")}
_TURNS["conversations"] = ("from", "value", "human", "gpt")


@dataclass(frozen=True)
class RowFiles:
    """Rows of one split, in order.

    Attributes:
        paths: Parquet files or one file of JSON lines.
        below: Keep rows whose validation hash is below this; None for no such limit.
        from_: Keep rows whose validation hash is at least this.
        seed: Of that hash.
    """

    paths: tuple[Path, ...]
    below: int | None = None
    from_: int | None = None
    seed: int = 0

    def batches(self) -> Iterator[pl.DataFrame]:
        """Frames of ``COLUMNS``, at most 10,000 rows each.

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
    """All rows of a run, and where they are from.

    Attributes:
        name: For messages.
        train: Rows to train on.
        validation: Rows to measure on; None if none are held out.
        entry: What the run says of them.
        key: sha256 that changes with any row.
    """

    name: str
    train: RowFiles
    validation: RowFiles | None
    entry: DataEntry
    key: str


def of_build(folder: Path, manifest: Manifest, hold_out: int, seed: int) -> Data:
    """The rows of a build that was verified; its own validation split, or one held out by hash."""
    named = {output.path: output.sha256 for output in manifest.outputs}
    files = {
        split: tuple(folder / name for name in named if name.startswith(f"data/{split}-"))
        for split in ("train", "validation")
    }
    key = _digest(*[named[n] for n in named if n.startswith("data/")])
    train, validation = RowFiles(files["train"]), RowFiles(files["validation"])
    if not files["validation"]:
        return _held_out(str(folder), train, _entry(folder, manifest), key, hold_out, seed)
    return Data(str(folder), train, validation, _entry(folder, manifest), key)


def of_file(path: Path, hold_out: int, seed: int) -> Data:
    """The rows of a user's file: nobody knows what is in them, so they are `unverified`.

    Raises:
        TrainError: There is no such file, or it has none of the layouts.
    """
    if not path.is_file():
        what = "there is no such file, and it is no folder of a build (it has no manifest.json)"
        raise TrainError(Problem(what, str(path), "build one: `kit19 build … --out DIR`"))
    with path.open("rb") as stream:
        key = hashlib.file_digest(stream, "sha256").hexdigest()
    why = "not a build of kit19's: nobody looked for benchmark text in it"
    entry = DataEntry(label="unverified", why=why)
    return _held_out(str(path), RowFiles((path,)), entry, key, hold_out, seed)


def is_build(path: Path) -> bool:
    """Whether the folder is a whole build."""
    return (path / MANIFEST).is_file()


def _held_out(
    name: str, rows: RowFiles, entry: DataEntry, key: str, hold_out: int, seed: int
) -> Data:
    """Hold out the rows that come first in hash order; all views of one record go together."""
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
    unverified = sorted(name for name, one in manifest.subsets.items() if one.unverified)
    skipped = manifest.not_decontaminated_against
    label, why = "clean", ""
    if manifest.contaminated:
        label, why = "contaminated", "benchmark splits were let in on purpose"
    elif unverified:
        label, why = "unverified", f"files that differ were used: {', '.join(unverified)}"
    elif skipped or not manifest.decontaminated_against:
        names = ", ".join(skipped) or "any benchmark"
        label, why = "unverified", f"not decontaminated against {names}"
    return DataEntry.model_validate(
        {
            "recipe": manifest.recipe["id"],
            "manifest_sha256": hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest(),
            "content_digest": manifest.content_digest,
            "subsets": {name: one.ledger.train for name, one in manifest.subsets.items()},
            "splits": {name: one.splits for name, one in manifest.subsets.items()},
            "licenses": sorted({one.license for one in manifest.subsets.values()}),
            "decontaminated_against": manifest.decontaminated_against,
            "not_decontaminated_against": skipped,
            "sample": manifest.sample,
            "label": label,
            "why": why,
        }
    )


def _read(path: Path) -> Iterator[pl.DataFrame]:
    try:
        done = 0
        for frame in _parquet(path) if path.suffix == ".parquet" else _json_lines(path):
            yield _plain(frame, path, done)
            done += frame.height
    except (OSError, pl.exceptions.PolarsError) as error:
        first = str(error).splitlines()[0]
        fix = "give a build, or JSON lines or parquet with instruction, input and output"
        raise TrainError(Problem(f"cannot be read: {first}", str(path), fix)) from None


def _parquet(path: Path) -> Iterator[pl.DataFrame]:
    rows = pl.scan_parquet(path)
    height = rows.select(pl.len()).collect().item()
    for start in range(0, height, _AT_ONCE):
        yield rows.slice(start, _AT_ONCE).collect()


def _json_lines(path: Path) -> Iterator[pl.DataFrame]:
    with path.open("rb") as stream:
        while lines := list(islice(stream, _AT_ONCE)):
            yield pl.read_ndjson(io.BytesIO(b"".join(lines)), infer_schema_length=None)


def _plain(frame: pl.DataFrame, path: Path, done: int) -> pl.DataFrame:
    """Any layout as ``COLUMNS``."""
    there = set(frame.columns)
    if there.issuperset(_ALPACA):
        texts = frame
    elif there >= {"prompt", "completion"}:
        texts = frame.rename({"prompt": "instruction", "completion": "output"})
    elif turns := there & set(_TURNS):
        texts = _one_turn(frame, turns.pop(), path, done)
    else:
        what = f"has the columns {', '.join(frame.columns)}: no layout that is known"
        fix = "known: instruction+input+output, prompt+completion, messages, conversations"
        raise TrainError(Problem(what, str(path), fix))
    row = pl.int_range(done, done + frame.height, dtype=pl.Int64).cast(pl.String)
    texts = texts.with_columns(id=pl.col("id").cast(pl.String) if "id" in there else row)
    missing = [pl.lit("").alias(name) for name in COLUMNS if name not in texts.columns]
    return texts.with_columns(missing).select(
        pl.col(name).cast(pl.String).fill_null("") for name in COLUMNS
    )


def _one_turn(frame: pl.DataFrame, column: str, path: Path, done: int) -> pl.DataFrame:
    role, text, asks, answers = _TURNS[column]
    names = frame[column].list.eval(pl.element().struct.field(role)).list.join(",")
    wrong = (names != f"{asks},{answers}").fill_null(value=True).arg_true()
    if wrong.len():
        what = f"its {column} are not one question and one answer: {names[wrong[0]]}"
        fix = "only single turns are trained on; leave the others out"
        raise TrainError(Problem(what, f"{path}, row {done + wrong[0]}", fix))
    turn = pl.col(column).list
    return frame.with_columns(
        instruction=turn.get(0).struct.field(text), output=turn.get(1).struct.field(text)
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
