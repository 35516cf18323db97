"""Files that are nearly right: whatever is wrong with them, nothing but a Kit19Error comes of it."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit19.auditing import audit
from kit19.catalog.extra import Extra
from kit19.core.errors import Kit19Error
from kit19.fetching import Use, select_files
from kit19.reading import read_own_rows
from kit19.training.rows.files import load_file_rows
from tests.support.effort import tries

EACH = tries(20, 200)
ROWS: list[dict[str, Any]] = [
    {"id": "a", "instruction": "가나다를 거꾸로", "input": "", "output": "다나가", "label": "예"},
    {"id": "b", "instruction": "하늘의 색은 무엇입니까", "input": "맑은 날", "output": "파랑 😀"},
    {"messages": [{"role": "user", "content": "안녕?"}, {"role": "assistant", "content": "네"}]},
    {"prompt": "하나 더하기 하나는?", "completion": "둘", "n": 3, "score": 0.5, "ok": True},
    {"conversations": [{"from": "human", "value": "몇 시?"}, {"from": "gpt", "value": "세 시"}]},
]
ODD: list[Any] = [
    None, True, 0, -1.5, 10**30, "", " ", "\u0000", "\ud83d", "\u202e", [], {}, [[]], {"": {}},
    "x" * 5000, ["a", 1], {"a": {"b": ["c"]}}, "[1, {\"a\": \"\\ud55c\"}]", "\\ud83d\\ude00",
]  # fmt: skip
PIECES = [
    b"[" * 190, b'{"a":' * 1500, b"9" * 4301, b"1e999", b"NaN", b"\xff\xfe", b"\xef\xbb\xbf", b"\0",
    b'"\\ud83d"', b"\r", b"\n", b",", b"}", b'"', b"\\u", b"PAR1", b"\x1f\x8b\x08", b"\xb0\xa1",
]  # fmt: skip


def changed_bytes(data: bytes, chance: random.Random) -> bytes:
    """The bytes with some flipped, cut out, doubled, moved, or with something strange between them."""
    found = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 8])):
        if not found:
            break
        at = chance.randrange(len(found))
        end = min(len(found), at + chance.choice([1, 2, 16, 200]))
        match chance.randrange(6):
            case 0:
                found[at] ^= 1 << chance.randrange(8)
            case 1:
                del found[at:end]
            case 2:
                found[at:at] = chance.choice(PIECES)
            case 3:
                del found[at:]
            case 4:
                found[at:at] = found[at:end]
            case 5:
                found[at:end] = chance.randbytes(end - at)
    return bytes(found)


def changed_value(value: Any, chance: random.Random) -> Any:
    """The value with something in it replaced by something odd."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        key = chance.choice(list(value))
        return {**value, key: changed_value(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.85:
        at = chance.randrange(len(value))
        return [*value[:at], changed_value(value[at], chance), *value[at + 1 :]]
    return chance.choice(ODD)


def json_lines(chance: random.Random) -> bytes:
    rows = [changed_value(row, chance) if chance.random() < 0.3 else row for row in ROWS]
    lines = "\n".join(json.dumps(row, ensure_ascii=chance.random() < 0.5) for row in rows)
    data = lines.encode(chance.choice(["utf-8", "utf-8", "cp949", "utf-16"]), "replace")
    return changed_bytes(data, chance) if chance.random() < 0.7 else data


def json_document(chance: random.Random) -> bytes:
    rows = [changed_value(row, chance) if chance.random() < 0.3 else row for row in ROWS]
    whole: Any = {"data": rows} if chance.random() < 0.3 else rows
    text = json.dumps(whole, ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, 1]))
    return changed_bytes(text.encode("utf-8", "replace"), chance)


def parquet(chance: random.Random) -> bytes:
    cells = [row["instruction"] for row in ROWS[:2]] * 3
    columns: dict[str, Any] = {
        "instruction": cells,
        "output": chance.choice([cells, [1] * 6, [b"\xff"] * 6, [["a"]] * 6, [None] * 6]),
        "messages": [ROWS[2]["messages"] if chance.random() < 0.5 else None for _ in range(6)],
    }
    kept = chance.sample(list(columns), chance.randint(1, 3))
    stream = io.BytesIO()
    compression: Any = chance.choice(["zstd", "snappy", "gzip", "uncompressed"])
    frame = pl.DataFrame({name: columns[name] for name in kept})
    frame.write_parquet(stream, compression=compression)
    data = stream.getvalue()
    return changed_bytes(data, chance) if chance.random() < 0.7 else data


def arrow(chance: random.Random) -> bytes:
    stream = io.BytesIO()
    pl.DataFrame({"instruction": ["가나다"] * 4, "output": ["나"] * 4}).write_ipc_stream(stream)
    data = stream.getvalue()
    return changed_bytes(data, chance) if chance.random() < 0.9 else data


def table(chance: random.Random) -> bytes:
    lines = "id,text\n" + "".join(f'{n},"{row}"\n' for n, row in enumerate(ROWS))
    return changed_bytes(lines.encode(chance.choice(["utf-8", "cp949"]), "replace"), chance)


KINDS: dict[str, Callable[[random.Random], bytes]] = {
    "a.jsonl": json_lines,
    "a.json": json_document,
    "a.parquet": parquet,
    "a.arrow": arrow,
    "a.csv": table,
    "a.txt": table,
}


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exam") / "exam.jsonl"
    path.write_text('{"text": "하늘의 색은 무엇입니까"}\n', "utf-8")
    return path


def tried(function: Callable[[], object]) -> bool:
    """Whether it went well; anything but a Kit19Error leaves."""
    found: Kit19Error | None = None
    try:
        function()
    except Kit19Error as error:
        found = error
    assert found is None or all(one.what for one in found.problems)
    return found is None


def read_as_own(path: Path) -> object:
    extra = Extra.model_validate({"name": "mine", "path": str(path), "license": "MIT"})
    source = extra.source()
    use = Use("mine", source, list(source.tables), ["extra"], own_files={path.name: path})
    (selected,) = select_files([use], path.parent)
    return read_own_rows("mine", source, selected.used)


@pytest.mark.parametrize("name", KINDS)
def test_nothing_but_our_own_errors_comes_of_a_damaged_file(
    name: str, tmp_path: Path, exam: Path
) -> None:
    outcomes = []
    path = tmp_path / name
    for seed in range(EACH):
        path.write_bytes(KINDS[name](random.Random(f"{name}:{seed}")))
        readers: list[Callable[[], object]] = [
            lambda: audit(path, [str(exam)]),
            lambda: audit(exam, [str(path)]),
            lambda: list(load_file_rows(path, 2, 0).train.batches()),
            lambda: read_as_own(path),
        ]
        for reader in readers:
            try:
                outcomes.append(tried(reader))
            except BaseException as error:
                error.add_note(f"{name}, seed {seed}")
                raise
    # The mutations are neither harmless nor hopeless.
    assert any(outcomes)
    assert not all(outcomes)
