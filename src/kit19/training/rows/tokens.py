"""Tokenize rows once, cache the result by content, and read it through the page cache.

A cache entry is a folder with three files: ``tokens.bin`` (all tokens of all rows, concatenated),
``rows.parquet`` (id, task and subset of each row, and where its answer begins) and ``stats.json``
(counts). Its name is a digest of the rows, the tokenizer, the format and the length limit, so two
different inputs never share an entry. Rows pass through memory 10,000 at a time.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kit19.core.errors import Problem, TrainError, first_line
from kit19.core.parquet import read_parquet, scan_parquet
from kit19.training.model_errors import convert_model_errors
from kit19.training.rows.files import RowSource
from kit19.training.rows.prompts import Ids, Prompts, common_prefix_length

_VERSION = 5  # of the cache layout and of the rules below; increase it when either changes
_SCHEMA = pl.Schema(
    {
        "id": pl.String,
        "task": pl.String,
        "subset": pl.String,
        "tokens": pl.Int32,
        "prompt_tokens": pl.Int32,
    }
)


@dataclass
class TokenStats:
    """Counts from tokenizing. For each fault, the first row is kept as an example.

    Attributes:
        read: Rows read.
        too_long: Rows longer than the limit.
        answers_lost: Rows among these that keep no token of their answer.
        dropped: Rows dropped because of their length.
        tokens: Tokens of the rows that are kept.
        supervised: Tokens among these with a loss.
        unknown: Tokens that are the tokenizer's unknown token.
        no_answer: Rows with an empty answer.
        no_end: Rows whose answer has no end token.
        not_prefix: Rows whose prompt is tokenized differently alone and before its answer.
        other_head: Rows before whose answer the chat template writes something else than in other rows.
        left_out: Rows of whose text the chat template omits a part.
        control: Rows with text that looks like a control token; it is encoded as text.
        longest: Tokens of the longest row.
        first: The first row of each fault, by the fault's name: its id, and text that shows the fault.
    """

    read: int = 0
    too_long: int = 0
    answers_lost: int = 0
    dropped: int = 0
    tokens: int = 0
    supervised: int = 0
    unknown: int = 0
    no_answer: int = 0
    no_end: int = 0
    not_prefix: int = 0
    other_head: int = 0
    left_out: int = 0
    control: int = 0
    longest: int = 0
    first: dict[str, tuple[str, str]] = field(default_factory=dict)

    def note(self, fault: str, row: str, shown: str) -> None:
        """Count a fault, and keep the first row that has it."""
        setattr(self, fault, getattr(self, fault) + 1)
        self.first.setdefault(fault, (row, shown))


@dataclass(frozen=True)
class Tokens:
    """The tokens of n rows, memory-mapped.

    Attributes:
        ids: All tokens, uint32.
        starts: Where each row begins in ``ids``; n + 1 values, int64.
        prompt_lengths: Tokens of each row's prompt, which have no loss; int32.
        rows: ``id``, ``task``, ``subset`` of each row.
        found: What was counted.
        key: Digest of everything that the tokens depend on.
    """

    ids: NDArray[np.uint32]
    starts: NDArray[np.int64]
    prompt_lengths: NDArray[np.int32]
    rows: pl.DataFrame
    stats: TokenStats
    key: str

    def __len__(self) -> int:
        return len(self.prompt_lengths)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row."""
        return np.diff(self.starts)

    def row(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Tokens and labels of a row; the label of a token without a loss is -100."""
        ids = self.ids[self.starts[number] : self.starts[number + 1]].astype(np.int64)
        labels = ids.copy()
        labels[: self.prompt_lengths[number]] = -100
        return ids, labels


def tokenize(
    rows: RowSource, rows_key: str, prompts: Prompts, limit: tuple[int, bool], cache: Path
) -> Tokens:
    """Tokenize all rows, or read their tokens from the cache.

    Args:
        rows: The rows.
        rows_key: Digest of the rows.
        prompts: The tokenizer and the format.
        limit: The most tokens of a row, and whether longer rows are truncated (else dropped).
        cache: The folder of cache entries.

    Raises:
        TrainError: A file cannot be read, or the cache cannot be written.
    """
    key = _cache_key(rows_key, prompts, limit)
    folder = cache / key
    if not _is_complete(folder):
        _build(rows, prompts, limit, folder)
    return _open(folder, key)


def _is_complete(folder: Path) -> bool:
    """Whether a cache entry has all its bytes: mapping a file that is too short kills the process."""
    if not (folder / "stats.json").is_file():
        return False
    tokens = scan_parquet(folder / "rows.parquet").select("tokens").collect()["tokens"].sum()
    return (folder / "tokens.bin").stat().st_size == 4 * tokens


def _cache_key(rows_key: str, prompts: Prompts, limit: tuple[int, bool]) -> str:
    # Hash the tokenizer's files, not its name: two models may share a name, and a name may change.
    with tempfile.TemporaryDirectory() as place:
        with convert_model_errors(
            str(prompts.tokenizer.name_or_path), "its tokenizer cannot be saved"
        ):
            prompts.tokenizer.save_pretrained(place)
        files = [path for path in sorted(Path(place).rglob("*")) if path.is_file()]
        digests = [hashlib.sha256(_without_paths(path)).hexdigest() for path in files]
    format_ = [prompts.format.model_dump(), prompts.head, prompts.append_end]
    parts = [_VERSION, rows_key, digests, format_, prompts.end, sorted(prompts.ends), limit]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _without_paths(path: Path) -> bytes:
    """A tokenizer file without the path of the folder that it was loaded from."""
    if path.name != "tokenizer_config.json":
        return path.read_bytes()
    config = json.loads(path.read_bytes())
    config.pop("name_or_path", None)
    return json.dumps(config, sort_keys=True).encode()


def _build(rows: RowSource, prompts: Prompts, limit: tuple[int, bool], folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
        try:
            _write(rows, prompts, limit, place)
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


def _write(rows: RowSource, prompts: Prompts, limit: tuple[int, bool], place: Path) -> None:
    stats = TokenStats()
    tables = []
    with (place / "tokens.bin").open("wb") as stream:
        for batch in rows.batches():
            kept = list(_encode_batch(batch, prompts, limit, stats))
            stream.write(b"".join(np.array(ids, np.uint32).tobytes() for _, ids, _ in kept))
            chosen = batch[[index for index, _, _ in kept]].select("id", "task", "subset")
            tables.append(
                chosen.with_columns(
                    tokens=pl.Series([len(ids) for _, ids, _ in kept], dtype=pl.Int32),
                    prompt_tokens=pl.Series([count for _, _, count in kept], dtype=pl.Int32),
                )
            )
    table = pl.concat(tables) if tables else pl.DataFrame(schema=_SCHEMA)
    table.write_parquet(place / "rows.parquet")
    # Written last: an entry without it is incomplete.
    (place / "stats.json").write_text(json.dumps(asdict(stats), ensure_ascii=False), "utf-8")


def _encode_batch(
    batch: pl.DataFrame, prompts: Prompts, limit: tuple[int, bool], stats: TokenStats
) -> Iterator[tuple[int, Ids, int]]:
    """For each row that is kept: its index in the batch, its tokens, and the length of its prompt."""
    max_tokens, truncate = limit
    prompt_texts, texts = prompts.texts(batch)
    prompt_ids, all_ids = prompts.encode(prompt_texts), prompts.encode(texts)
    unknown = _unknown_id(prompts.tokenizer)
    names, fields = batch["id"].to_list(), batch.select("instruction", "input", "output").rows()
    for index, (alone, complete) in enumerate(zip(prompt_ids, all_ids, strict=True)):
        stats.read += 1
        name, prompt, text, count = names[index], prompt_texts[index], texts[index], len(alone)
        _check_texts(prompts, name, fields[index], (prompt, text), stats)
        if (not prompts.head or text.startswith(prompt)) and complete[:count] != alone:
            stats.note("not_prefix", name, _describe_boundary(prompts.tokenizer, alone, complete))
        ids = prompts.with_end_token(complete, count)
        if ids is None:
            stats.note("no_end", name, prompts.unmark(text[len(prompt) :]))
            ids = complete
        if unknown is not None and (times := ids.count(unknown)):
            stats.unknown += times
            stats.first.setdefault("unknown", (name, prompts.unmark(text)))
        stats.longest = max(stats.longest, len(ids))
        if len(ids) > max_tokens:
            stats.note("too_long", name, f"{len(ids)} tokens, {count} of them the prompt")
            stats.answers_lost += count >= max_tokens
            if not truncate or count >= max_tokens:
                stats.dropped += 1
                continue
            ids = ids[:max_tokens]
        stats.tokens += len(ids)
        stats.supervised += len(ids) - count
        yield index, ids, count


def _check_texts(
    prompts: Prompts,
    row: str,
    data: tuple[str, str, str],
    texts: tuple[str, str],
    stats: TokenStats,
) -> None:
    """Count the faults that show in a row's fields, its prompt, and its prompt with the answer."""
    prompt, text = texts
    if not data[2].strip():
        stats.note("no_answer", row, prompts.unmark(prompt))
    if prompts.omits_data(text, data):
        stats.note("left_out", row, prompts.unmark(text))
    if control := prompts.controls.first_marked(text):
        stats.note("control", row, control)
    if prompts.head and not text.startswith(prompt):
        same = next((n for n, (a, b) in enumerate(zip(prompt, text, strict=False)) if a != b), 0)
        stats.note("other_head", row, prompts.unmark(text[same:]))


def _unknown_id(tokenizer: Any) -> int | None:
    unknown = tokenizer.unk_token_id
    # Byte-level tokenizers know every byte, yet some call their end token the unknown token.
    return None if unknown is None or unknown == tokenizer.eos_token_id else int(unknown)


def _describe_boundary(tokenizer: Any, alone: Ids, complete: Ids) -> str:
    """How the end of a prompt is tokenized alone, and before its answer."""
    same = common_prefix_length(alone, complete)
    last, before = (tokenizer.decode(ids[same : same + 3]) for ids in (alone, complete))
    return f"alone it ends in {last!r}, before its answer in {before!r}"


def _open(folder: Path, key: str) -> Tokens:
    table = read_parquet(folder / "rows.parquet")
    stats = TokenStats(**json.loads((folder / "stats.json").read_text("utf-8")))
    lengths = table["tokens"].to_numpy().astype(np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    path = folder / "tokens.bin"
    empty = not len(table)  # an empty file cannot be mapped
    ids = np.empty(0, np.uint32) if empty else np.memmap(path, np.uint32, "r")
    prompt_lengths = table["prompt_tokens"].to_numpy().astype(np.int32)
    return Tokens(ids, starts, prompt_lengths, table.select("id", "task", "subset"), stats, key)
