"""Rows as tokens: made once, kept by content, read through the page cache.

A cached set is a folder: ``tokens.bin`` (all tokens of all rows, one after the other), ``rows.parquet``
(what each row is and where its answer begins), ``found.json`` (what was counted on the way). Its
name is a digest of the rows, the tokenizer, the format and the length, so that nothing else can
ever be taken for it. Rows pass through memory 10,000 at a time.
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

from kit19.core.errors import Problem, TrainError
from kit19.core.parquet import read_parquet, scan_parquet
from kit19.training.model_errors import convert_model_errors
from kit19.training.rows.files import RowFiles
from kit19.training.rows.prompts import Ids, Prompts

_VERSION = 3  # of the layout and of the rules below: a new one leaves old folders alone
_SCHEMA = pl.Schema(
    {
        "id": pl.String,
        "task": pl.String,
        "subset": pl.String,
        "tokens": pl.Int32,
        "asked": pl.Int32,
    }
)


@dataclass
class TokenStats:
    """What was counted while rows became tokens. Of each fault, the first row is kept to be shown.

    Attributes:
        read: Rows read.
        too_long: Rows longer than the limit.
        answers_lost: Of these, rows without a single token of their answer left.
        dropped: Rows left out for their length.
        tokens: Tokens of the rows that stayed.
        supervised: Of these, tokens with a loss.
        unknown: Of all tokens, those that stand for "unknown".
        no_answer: Rows with an empty answer.
        no_end: Rows whose answer holds no end token.
        not_prefix: Rows whose prompt is cut into other tokens alone than before its answer.
        other_head: Rows before whose answer the chat template writes something else than before others.
        left_out: Rows of whose text the chat template leaves something out.
        control: Rows with text that looks like a control token; it is read as text.
        first: Of each fault by name: the row's id, and a line that shows it.
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
        """Count a fault; keep the first row that has it."""
        setattr(self, fault, getattr(self, fault) + 1)
        self.first.setdefault(fault, (row, shown))


@dataclass(frozen=True)
class Tokens:
    """Rows as tokens, mapped from disk.

    Attributes:
        ids: All tokens, uint32.
        starts: Where each of n rows begins in ``ids``; n + 1 of them, int64.
        asked: Tokens of each row's prompt, which have no loss, int32.
        rows: ``id``, ``task``, ``subset`` of each row.
        found: What was counted.
        key: Digest of all that made them.
    """

    ids: NDArray[np.uint32]
    starts: NDArray[np.int64]
    asked: NDArray[np.int32]
    rows: pl.DataFrame
    found: TokenStats
    key: str

    def __len__(self) -> int:
        return len(self.asked)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row."""
        return np.diff(self.starts)

    def row(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """A row's tokens and labels; the label of a token without a loss is -100."""
        ids = self.ids[self.starts[number] : self.starts[number + 1]].astype(np.int64)
        labels = ids.copy()
        labels[: self.asked[number]] = -100
        return ids, labels


def tokenize(
    rows: RowFiles, rows_key: str, prompts: Prompts, limit: tuple[int, bool], cache: Path
) -> Tokens:
    """Tokens of all rows, from the cache if they were made before.

    Args:
        rows: The rows.
        rows_key: Digest of the rows.
        prompts: The tokenizer and the format.
        limit: Tokens of a row at most, and whether longer rows are cut (else left out).
        cache: Where sets of tokens are kept.

    Raises:
        TrainError: A file cannot be read, or the cache cannot be written.
    """
    key = _key(rows_key, prompts, limit)
    folder = cache / key
    if not _is_whole(folder):
        _make(rows, prompts, limit, folder)
    return _open(folder, key)


def _is_whole(folder: Path) -> bool:
    """Whether a set is there with every byte: a mapped file that is too short kills the process."""
    if not (folder / "found.json").is_file():
        return False
    tokens = scan_parquet(folder / "rows.parquet").select("tokens").collect()["tokens"].sum()
    return (folder / "tokens.bin").stat().st_size == 4 * tokens


def _key(rows_key: str, prompts: Prompts, limit: tuple[int, bool]) -> str:
    # The tokenizer's own bytes: two models may share a name, and one name may change.
    with tempfile.TemporaryDirectory() as place:
        with convert_model_errors(
            str(prompts.tokenizer.name_or_path), "its tokenizer cannot be saved"
        ):
            prompts.tokenizer.save_pretrained(place)
        files = [path for path in sorted(Path(place).rglob("*")) if path.is_file()]
        made = [hashlib.sha256(_lasting(path)).hexdigest() for path in files]
    format_ = [prompts.format.model_dump(), prompts.head, prompts.append_end]
    said = [_VERSION, rows_key, made, format_, prompts.end, sorted(prompts.ends), limit]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]


def _lasting(path: Path) -> bytes:
    """A tokenizer's file without what names the folder that it was loaded from."""
    if path.name != "tokenizer_config.json":
        return path.read_bytes()
    config = json.loads(path.read_bytes())
    config.pop("name_or_path", None)
    return json.dumps(config, sort_keys=True).encode()


def _make(rows: RowFiles, prompts: Prompts, limit: tuple[int, bool], folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
        try:
            _write(rows, prompts, limit, place)
            place.chmod(0o755)
            if folder.exists():  # left half-written by another version, or another run was faster
                shutil.rmtree(folder)
            place.rename(folder)
        finally:
            shutil.rmtree(place, ignore_errors=True)
    except (OSError, pl.exceptions.PolarsError) as error:
        what = f"tokens cannot be kept: {str(error).splitlines()[0]}"
        fix = "free some space, or set KIT19_CACHE to another folder"
        raise TrainError(Problem(what, str(folder.parent), fix)) from None


def _write(rows: RowFiles, prompts: Prompts, limit: tuple[int, bool], place: Path) -> None:
    found = TokenStats()
    parts = []
    with (place / "tokens.bin").open("wb") as stream:
        for batch in rows.batches():
            kept, lines = [], []
            for line, ids, asked in _examples(batch, prompts, limit, found):
                kept.append((line, len(ids), asked))
                lines.append(np.array(ids, np.uint32))
            stream.write(b"".join(line.tobytes() for line in lines))
            chosen = batch[[line for line, _, _ in kept]].select("id", "task", "subset")
            parts.append(
                chosen.with_columns(
                    tokens=pl.Series([n for _, n, _ in kept], dtype=pl.Int32),
                    asked=pl.Series([n for _, _, n in kept], dtype=pl.Int32),
                )
            )
    table = pl.concat(parts) if parts else pl.DataFrame(schema=_SCHEMA)
    table.write_parquet(place / "rows.parquet")
    # Written last: a folder without it is not whole.
    (place / "found.json").write_text(json.dumps(asdict(found), ensure_ascii=False), "utf-8")


def _examples(
    batch: pl.DataFrame, prompts: Prompts, limit: tuple[int, bool], found: TokenStats
) -> Iterator[tuple[int, Ids, int]]:
    """Of each row that stays: its place in the batch, its tokens, and how many are the prompt's."""
    most, cut = limit
    asked_texts, whole_texts = prompts.texts(batch)
    asked_ids, whole_ids = prompts.encode(asked_texts), prompts.encode(whole_texts)
    unknown = _unknown_id(prompts.tokenizer)
    names, fields = batch["id"].to_list(), batch.select("instruction", "input", "output").rows()
    for line, (asked, whole) in enumerate(zip(asked_ids, whole_ids, strict=True)):
        found.read += 1
        prompt, text, count = asked_texts[line], whole_texts[line], len(asked)
        _look(prompts, names[line], fields[line], (prompt, text), found)
        if (not prompts.head or text.startswith(prompt)) and whole[:count] != asked:
            found.note("not_prefix", names[line], _where_cut(prompts.tokenizer, asked, whole))
        ids = prompts.ended(whole, count)
        if ids is None:
            found.note("no_end", names[line], prompts.plain(text[len(prompt) :]))
            ids = whole
        if unknown is not None and (times := ids.count(unknown)):
            found.unknown += times
            found.first.setdefault("unknown", (names[line], prompts.plain(text)))
        found.longest = max(found.longest, len(ids))
        if len(ids) > most:
            found.note("too_long", names[line], f"{len(ids)} tokens, {count} of them the prompt")
            found.answers_lost += count >= most
            if not cut or count >= most:
                found.dropped += 1
                continue
            ids = ids[:most]
        found.tokens += len(ids)
        found.supervised += len(ids) - count
        yield line, ids, count


def _look(
    prompts: Prompts, row: str, data: tuple[str, str, str], made: tuple[str, str], found: TokenStats
) -> None:
    """Note what a row's texts tell: its data, and the prompt alone and with its answer."""
    prompt, text = made
    if not data[2].strip():
        found.note("no_answer", row, prompts.plain(prompt))
    if prompts.omits_data(text, data):
        found.note("left_out", row, prompts.plain(text))
    if control := prompts.controls.first(text):
        found.note("control", row, control)
    if prompts.head and not text.startswith(prompt):
        same = next((n for n, (a, b) in enumerate(zip(prompt, text, strict=False)) if a != b), 0)
        found.note("other_head", row, prompts.plain(text[same:]))


def _unknown_id(tokenizer: Any) -> int | None:
    unknown = tokenizer.unk_token_id
    # Byte-level tokenizers know every byte; some name their end token as "unknown" all the same.
    return None if unknown is None or unknown == tokenizer.eos_token_id else int(unknown)


def _where_cut(tokenizer: Any, asked: Ids, whole: Ids) -> str:
    differ = [place for place, (a, b) in enumerate(zip(asked, whole, strict=False)) if a != b]
    same = differ[0] if differ else min(len(asked), len(whole))
    alone, before = (tokenizer.decode(ids[same : same + 3]) for ids in (asked, whole))
    return f"alone it ends in {alone!r}, before its answer in {before!r}"


def _open(folder: Path, key: str) -> Tokens:
    table = read_parquet(folder / "rows.parquet")
    found = TokenStats(**json.loads((folder / "found.json").read_text("utf-8")))
    lengths = table["tokens"].to_numpy().astype(np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    path = folder / "tokens.bin"
    empty = not len(table)  # an empty file cannot be mapped
    ids = np.empty(0, np.uint32) if empty else np.memmap(path, np.uint32, "r")
    asked = table["asked"].to_numpy().astype(np.int32)
    return Tokens(ids, starts, asked, table.select("id", "task", "subset"), found, key)
