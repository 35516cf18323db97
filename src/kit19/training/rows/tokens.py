"""Tokenize rows once, cache the result by content, and read it through the page cache.

A cache entry is a folder with three files: ``tokens.bin`` (all tokens of all rows, concatenated),
``rows.parquet`` (id, task and subset of each sequence, and where its answers begin and end) and
``stats.json`` (counts). Its name is a digest of the rows, the tokenizer, the format and the rules, so
two different inputs never share an entry. Rows pass through memory 1,000 at a time.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kit19.core.errors import Problem, TrainError, first_line
from kit19.core.parquet import read_parquet, scan_parquet
from kit19.training.model_errors import convert_model_errors
from kit19.training.rows.conversations import rows_of
from kit19.training.rows.examples import TokenRules, encode_rows
from kit19.training.rows.files import RowSource
from kit19.training.rows.prompts import Prompts
from kit19.training.rows.token_stats import TokenStats

_VERSION = 7  # of the cache layout and of the rules below; increase it when either changes
_AT_ONCE = 1_000  # rows: the texts of a conversation are as long as its turns, times their number
_COLUMNS: dict[str, pl.DataType] = {
    "id": pl.String(),
    "task": pl.String(),
    "subset": pl.String(),
    "tokens": pl.Int32(),
    "answers": pl.List(pl.Int32),
}


@dataclass(frozen=True)
class Tokens:
    """The tokens of n sequences, memory-mapped.

    A sequence is a row, or one answer of a conversation with the turns before it.

    Attributes:
        ids: All tokens, uint32.
        starts: Where each sequence begins in ``ids``; n + 1 values, int64.
        answers: Begin and end of every answer that has a loss, from the start of its sequence;
            m x 2, int32.
        answer_starts: Where the answers of each sequence begin in ``answers``; n + 1 values, int64.
        rows: ``id``, ``task``, ``subset`` of the row of each sequence.
        stats: What was counted.
        key: Digest of everything that the tokens depend on.
    """

    ids: NDArray[np.uint32]
    starts: NDArray[np.int64]
    answers: NDArray[np.int32]
    answer_starts: NDArray[np.int64]
    rows: pl.DataFrame
    stats: TokenStats
    key: str

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each sequence."""
        return np.diff(self.starts)

    @property
    def supervised(self) -> NDArray[np.int64]:
        """Tokens of each sequence that have a loss."""
        total = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.diff(self.answers)[:, 0])])
        return np.diff(total[self.answer_starts])

    def answers_of(self, number: int) -> NDArray[np.int32]:
        """Begin and end of each answer of a sequence that has a loss."""
        return self.answers[self.answer_starts[number] : self.answer_starts[number + 1]]

    def row(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Tokens and labels of a sequence; the label of a token without a loss is -100."""
        ids = self.ids[self.starts[number] : self.starts[number + 1]].astype(np.int64)
        labels = np.full(len(ids), -100, np.int64)
        for begin, end in self.answers_of(number):
            labels[begin:end] = ids[begin:end]
        return ids, labels


def tokenize(
    rows: RowSource, rows_key: str, prompts: Prompts, rules: TokenRules, cache: Path
) -> Tokens:
    """Tokenize all rows, or read their tokens from the cache.

    Args:
        rows: The rows.
        rows_key: Digest of the rows.
        prompts: The tokenizer and the format.
        rules: The settings that decide the tokens of a row.
        cache: The folder of cache entries.

    Raises:
        TrainError: A file cannot be read, or the cache cannot be written.
    """
    key = _cache_key(rows_key, prompts, rules)
    folder = cache / key
    if not _is_complete(folder):
        _build(rows, prompts, rules, folder)
    return _open(folder, key)


def _is_complete(folder: Path) -> bool:
    """Whether a cache entry has all its bytes: mapping a file that is too short kills the process."""
    if not (folder / "stats.json").is_file():
        return False
    tokens = scan_parquet(folder / "rows.parquet").select("tokens").collect()["tokens"].sum()
    return (folder / "tokens.bin").stat().st_size == 4 * tokens


def _cache_key(rows_key: str, prompts: Prompts, rules: TokenRules) -> str:
    # Hash the tokenizer's files, not its name: two models may share a name, and a name may change.
    with tempfile.TemporaryDirectory() as place:
        with convert_model_errors(
            str(prompts.tokenizer.name_or_path), "its tokenizer cannot be saved"
        ):
            prompts.tokenizer.save_pretrained(place)
        files = [path for path in sorted(Path(place).rglob("*")) if path.is_file()]
        digests = [hashlib.sha256(_content(path)).hexdigest() for path in files]
    format_ = [prompts.format.model_dump(), prompts.head, prompts.append_end, prompts.date]
    parts = [_VERSION, rows_key, digests, format_, prompts.end, sorted(prompts.ends), asdict(rules)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _content(path: Path) -> bytes:
    """A tokenizer file without what says how it was loaded: from where, and whether offline."""
    if path.name != "tokenizer_config.json":
        return path.read_bytes()
    config = json.loads(path.read_bytes())
    for name in ("name_or_path", "is_local", "local_files_only"):
        config.pop(name, None)
    return json.dumps(config, sort_keys=True).encode()


def _build(rows: RowSource, prompts: Prompts, rules: TokenRules, folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
        try:
            _write(rows, prompts, rules, place)
            place.chmod(0o755)
            if folder.exists():  # an incomplete entry, or another run was faster
                shutil.rmtree(folder)
            place.rename(folder)
        finally:
            shutil.rmtree(place, ignore_errors=True)
    except (OSError, pl.exceptions.PolarsError) as error:
        what = f"tokens cannot be cached: {first_line(error)}"
        fix = "free some space, or set KIT19_CACHE to another folder"
        raise TrainError(Problem(what, str(folder.parent), fix)) from None


def _write(rows: RowSource, prompts: Prompts, rules: TokenRules, place: Path) -> None:
    stats = TokenStats()
    tables = []
    with (place / "tokens.bin").open("wb") as stream:
        for batch in rows.batches():
            for part in batch.iter_slices(_AT_ONCE):
                tables.append(_write_part(part, prompts, rules, stats, stream))
    table = pl.concat(tables) if tables else pl.DataFrame(schema=_COLUMNS)
    table.write_parquet(place / "rows.parquet")
    # Written last: an entry without it is incomplete.
    (place / "stats.json").write_text(json.dumps(asdict(stats), ensure_ascii=False), "utf-8")


def _write_part(
    part: pl.DataFrame,
    prompts: Prompts,
    rules: TokenRules,
    stats: TokenStats,
    stream: BinaryIO,
) -> pl.DataFrame:
    """Write the tokens of some rows, and return the description of their sequences."""
    encoded = encode_rows(rows_of(part), prompts, rules, stats)
    kept = [(place, example) for place, examples in encoded for example in examples]
    stream.write(b"".join(np.array(one.ids, np.uint32).tobytes() for _, one in kept))
    chosen = part[[place for place, _ in kept]].select("id", "task", "subset")
    spans = [list(chain.from_iterable(one.answers)) for _, one in kept]
    return chosen.with_columns(
        tokens=pl.Series([len(one.ids) for _, one in kept], dtype=pl.Int32),
        answers=pl.Series(spans, dtype=pl.List(pl.Int32)),
    )


def _open(folder: Path, key: str) -> Tokens:
    table = read_parquet(folder / "rows.parquet")
    stats = TokenStats(**json.loads((folder / "stats.json").read_text("utf-8")))
    path = folder / "tokens.bin"
    empty = not len(table)  # an empty file cannot be mapped
    return Tokens(
        np.empty(0, np.uint32) if empty else np.memmap(path, np.uint32, "r"),
        _offsets(table["tokens"]),
        table["answers"].explode().to_numpy().astype(np.int32).reshape(-1, 2),
        _offsets(table["answers"].list.len() // 2),
        table.select("id", "task", "subset"),
        stats,
        key,
    )


def _offsets(counts: pl.Series) -> NDArray[np.int64]:
    """Where each of several parts begins, and where the last ends."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts.to_numpy().astype(np.int64))])
