"""The same files give the same rows to a build, training, loading and the audit."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import kit19
from kit19 import Audit, audit
from kit19.catalog.extra import Extra
from kit19.cli.build import print_summary
from kit19.core.errors import Kit19Error
from kit19.core.rows import all_messages
from kit19.fetching import UpstreamFile
from kit19.reading import find_instruction_files, read_own_rows, read_texts
from kit19.training.rows.files import load_file_rows
from tests.building.test_own_rows import a_benchmark_sentence
from tests.support.effort import tries
from tests.support.mixed_rows import FAULTS, MixedRow, mixed_rows, write_mixed
from tests.support.samples import dropped_of, rows_of

Rows = list[dict[str, Any]]
Case = tuple[dict[str, Any], tuple[str, str, str] | str]
"""A row, and its texts or its fault."""

text = st.text(st.sampled_from("가나다라 ab,\"'\\{[1"), min_size=1, max_size=8).filter(str.strip)


def alpaca(q: str, i: str, a: str) -> Case:
    return {"instruction": q, "input": i, "output": a}, (q, i, a)


def completion(q: str, i: str, a: str) -> Case:
    return {"prompt": q, "completion": a}, (q, "", a)


def question(q: str, i: str, a: str) -> Case:
    return {"question": q, "answer": a, "id": i}, (q, "", a)


def messages(q: str, i: str, a: str) -> Case:
    turns = [{"role": "user", "content": q}, {"role": "assistant", "content": a}]
    return {"messages": turns}, (q, "", a)


def sharegpt(q: str, i: str, a: str) -> Case:
    turns = [{"from": "human", "value": q}, {"from": "gpt", "value": a}]
    return {"conversations": turns}, (q, "", a)


def several(q: str, i: str, a: str) -> Case:
    row, _ = messages(q, i, a)
    return {"messages": [{"role": "user", "content": i}, *row["messages"]]}, "two in a row"


def unanswered(q: str, i: str, a: str) -> Case:
    row, _ = messages(q, i, " \u200b")
    return row, "empty turn"


def plain(q: str, i: str, a: str) -> Case:
    return {"text": q}, "plain text"


def context(q: str, i: str, a: str) -> Case:
    return {"instruction": q, "output": a, "context": i}, "would be lost"


def unknown(q: str, i: str, a: str) -> Case:
    return {"body": q}, "no layout"


FLAT = [alpaca, completion, question, plain, context]  # CSV has no absent keys
NESTED = [*FLAT, unknown, messages, sharegpt, several, unanswered]


def cases(layouts: Sequence[Callable[[str, str, str], Case]]) -> st.SearchStrategy[list[Case]]:
    one = st.tuples(st.sampled_from(layouts), text, text, text)
    rows = st.lists(one.map(lambda parts: parts[0](*parts[1:])), min_size=1, max_size=6)
    # Many times the same rows reach over the borders of batches.
    return st.tuples(rows, st.sampled_from([1, 1, 3, 401])).map(lambda pair: pair[0] * pair[1])


def json_lines(rows: Rows) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def delimited(rows: Rows, dialect: str) -> bytes:
    names = sorted({"id", *(key for row in rows for key in row)})
    out = io.StringIO()
    if dialect == "excel":
        writer = csv.DictWriter(out, names, restval="")
        writer.writeheader()
        writer.writerows(rows)
    else:
        lines = [names, *([str(row.get(name, "")) for name in names] for row in rows)]
        out.write("".join("\t".join(line) + "\n" for line in lines))
    return out.getvalue().encode()


def table(rows: Rows, write: str, **options: Any) -> bytes:
    out = io.BytesIO()
    frame = pl.DataFrame(rows, infer_schema_length=None)
    getattr(frame, write)(out, **options)
    return out.getvalue()


def dictionaries(rows: Rows) -> bytes:
    """Parquet with large strings, and with categories where a column is text."""
    frame = pl.DataFrame(rows, infer_schema_length=None)
    out = io.BytesIO()
    frame.with_columns(pl.col(pl.String).cast(pl.Categorical)).write_parquet(out, row_group_size=7)
    return out.getvalue()


FORMATS: dict[str, Callable[[Rows], bytes]] = {
    "a.jsonl": json_lines,
    "a.json": lambda rows: json.dumps(rows, ensure_ascii=False, indent=1).encode(),
    "array.jsonl": lambda rows: json.dumps(rows, ensure_ascii=False, indent=1).encode(),
    "data.json": lambda rows: json.dumps({"data": rows}, ensure_ascii=False).encode(),
    "a.csv": lambda rows: delimited(rows, "excel"),
    "a.tsv": lambda rows: delimited(rows, "tab"),
    "a.parquet": lambda rows: table(rows, "write_parquet", row_group_size=5),
    "categories.parquet": dictionaries,
    "a.arrow": lambda rows: table(rows, "write_ipc"),
    "stream.arrow": lambda rows: table(rows, "write_ipc_stream"),
}
COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: pa.Codec("zstd").compress(data, asbytes=True),
}
FILES = [(name, "") for name in FORMATS] + [
    (name, suffix) for name in ("a.jsonl", "a.json", "a.csv", "a.tsv") for suffix in COMPRESSED
]
FILES = list(dict.fromkeys(FILES))


def as_extra(path: Path) -> kit19.Kit19Error | tuple[list[Any], Counter[str]]:
    extra = Extra.model_validate({"name": "mine", "path": str(path), "license": "MIT"})
    source = extra.source()
    found = UpstreamFile("mine", "rows", "extra", source.tables["rows"].files["extra"][0], path)
    try:
        records = read_own_rows("mine", source, [found])
    except Kit19Error as error:
        return error
    assert records.upstream_rows == records.read
    return records.frame.select("instruction", "input", "output").rows(), Counter(
        one.kind for one in records.bad
    )


def as_trained(path: Path) -> kit19.Kit19Error | tuple[list[Any], Counter[str]]:
    try:
        data = load_file_rows(path, 0, 0)
    except Kit19Error as error:
        return error
    rows = pl.concat(data.train.batches()).select("instruction", "input", "output").rows()
    return rows, data.malformed.counts


def as_loaded(path: Path) -> kit19.Kit19Error | tuple[list[Any], Counter[str]]:
    try:
        loaded = kit19.load(path)
    except Kit19Error as error:
        return error
    assert loaded.malformed is not None
    rows = loaded.polars().select("instruction", "input", "output").collect().rows()
    return rows, Counter(loaded.malformed["fault"])


def as_audited(path: Path) -> tuple[int, set[str]]:
    batches = list(read_texts(path))
    return batches[-1][0], {one.strip() for _, batch in batches for one in batch["text"]}


def turns_by_key(rows: pl.DataFrame) -> dict[str, Any]:
    return dict(rows.select("id", all_messages(rows.columns)).iter_rows())


@pytest.mark.parametrize(("name", "suffix"), FILES)
def test_every_reader_gives_the_same_rows(
    name: str, suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("rows")
    delimited_ = name.endswith((".csv", ".tsv"))

    # Every example is a build, a run's rows, a load and an audit. Compressed, the rows are the same.
    @settings(max_examples=tries(5 if suffix else 12, 100))
    @given(found=cases(FLAT if delimited_ else NESTED))
    def check(found: list[Case]) -> None:
        path = place / f"{name}{suffix}"
        path.write_bytes(COMPRESSED[suffix](FORMATS[name]([row for row, _ in found])))
        used = [tuple(map(str.strip, texts)) for _, texts in found if not isinstance(texts, str)]
        faults = Counter(fault for _, fault in found if isinstance(fault, str))
        readers = (as_trained(path), as_loaded(path), as_extra(path))
        if not used:
            assert all(isinstance(result, Kit19Error) for result in readers)
            return
        trained, loaded, extra = readers
        assert trained == (used, faults)
        assert loaded == (used, faults)
        assert extra == (used, Counter({"malformed": faults.total()} if faults else {}))
        assert len(used) + faults.total() == len(found)
        count, texts = as_audited(path)
        assert count == len(found)
        # A text that is JSON is searched by its parts. Refused turns are searched too.
        turns = [turn["content"].strip() for row, _ in found for turn in row.get("messages", [])]
        given = {*turns, *(one for row in used for one in row)}
        assert {one for one in given if not one.startswith(("{", "[", '"'))} <= {*texts, ""}

    check()


@dataclass(frozen=True)
class Mixed:
    """A file of 10,000 rows, and what a build and an audit made of it."""

    rows: list[MixedRow]
    path: Path
    build: Path
    audit: Audit
    leak: str

    def leaks(self, number: int) -> bool:
        """Whether a row has the text of a benchmark."""
        return any(self.leak in text for text in self.rows[number].texts)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Mixed:
    place = tmp_path_factory.mktemp("mixed")
    leak = a_benchmark_sentence()
    rows = mixed_rows(10_000, leak)
    path = write_mixed(place / "rows.jsonl", rows)
    own = {"name": "mine", "path": path.name, "license": "MIT"}
    recipe = {"id": "mixed", "title": "M", "data": "sample", "cap": None, "extra": [own],
              "dedup": "none"}  # fmt: skip
    (place / "mixed.yaml").write_text(yaml.safe_dump(recipe), "utf-8")
    kit19.build(str(place / "mixed.yaml"), place / "out")
    audited = audit(path, "kobest_copa", data_dir="sample")
    return Mixed(rows, path, place / "out", audited, leak)


def test_the_mixed_file_gives_the_same_rows_to_all(mixed: Mixed) -> None:
    turns = {str(number): row.turns for number, row in enumerate(mixed.rows) if not row.fault}
    faults = [(number, row.fault) for number, row in enumerate(mixed.rows) if row.fault]
    assert {fault for _, fault in faults} == FAULTS
    assert len(turns) + len(faults) == 10_000
    data = load_file_rows(mixed.path, 0, 19)
    trained = pl.concat(data.train.batches())
    assert turns_by_key(trained) == turns
    assert data.malformed.counts == Counter(fault for _, fault in faults)
    loaded = kit19.load(mixed.path)
    assert turns_by_key(loaded.polars().collect()) == turns
    assert loaded.malformed is not None
    assert loaded.malformed.select("row", "fault").rows() == faults
    leaked = {key for key in turns if mixed.leaks(int(key))}
    built = rows_of(mixed.build).with_columns(pl.col("id").str.strip_prefix("mine/extra/"))
    assert turns_by_key(built) == {key: turns[key] for key in turns if key not in leaked}


def test_the_mixed_file_is_quarantined_by_the_same_reasons(
    mixed: Mixed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_file_rows(mixed.path, 0, 19).malformed.write(tmp_path)
    lines = (tmp_path / "quarantined.jsonl").read_text("utf-8").splitlines()
    listed = [json.loads(line) for line in lines]
    ledger = kit19.verify(mixed.build).subsets["mine"].ledger
    assert ledger.malformed_by == Counter(one["fault"] for one in listed)
    assert ledger.read == 10_000 == ledger.train + sum(ledger.dropped.values())
    dropped = dropped_of(mixed.build).filter(reason="malformed")
    assert set(dropped.select("id", "evidence").rows()) == {
        (f"mine/extra/rows:{one['row']}", f"mine/rows.jsonl:{one['line']}: {one['why']}")
        for one in listed
    }
    print_summary(kit19.verify(mixed.build), mixed.build)
    assert f"  ! mine lacks {len(listed)} malformed rows: " in capsys.readouterr().out


def test_the_audit_looks_at_every_turn_of_the_mixed_file(mixed: Mixed) -> None:
    assert mixed.audit.rows_read == 10_000
    seen: dict[int, set[str]] = {}
    for _, batch in read_texts(mixed.path):
        for row, text in batch.select("row", "text").iter_rows():
            seen.setdefault(row, set()).add(text)
    for number, row in enumerate(mixed.rows):
        assert set(row.texts) <= seen.get(number, set())
    found = {number for number in range(10_000) if mixed.leaks(number)}
    assert set(mixed.audit.rows) == found
    dropped = dropped_of(mixed.build).filter(reason="contaminated")["id"]
    used = {number for number in found if not mixed.rows[number].fault}
    assert {int(one.removeprefix("mine/extra/")) for one in dropped} == used
    assert 0 < len(used) < len(found)


def test_shards_are_read_in_order_with_stable_keys(tmp_path: Path) -> None:
    parts = {"b.jsonl": "나", "a.jsonl": "가", "c.csv": "다"}
    for name, word in parts.items():
        rows = [{"instruction": f"{word}{number}", "output": "답"} for number in range(2)]
        write = json_lines if name.endswith("l") else lambda rows: delimited(rows, "excel")
        (tmp_path / name).write_bytes(write(rows))
    expected = ["가0", "가1", "나0", "나1", "다0", "다1"]
    keys = ["a.jsonl:0", "a.jsonl:1", "b.jsonl:0", "b.jsonl:1", "c.csv:0", "c.csv:1"]
    for given_ in ([tmp_path], [tmp_path / "*"], [tmp_path / name for name in sorted(parts)]):
        trained = pl.concat(load_file_rows(given_, 0, 0).train.batches())
        assert trained.select("id", "instruction").rows() == list(zip(keys, expected, strict=True))
        loaded = kit19.load(given_).polars().collect()
        assert (
            loaded.select("id", "instruction").rows() == trained.select("id", "instruction").rows()
        )
    (tmp_path / "b.jsonl").unlink()
    assert kit19.load(tmp_path).polars().collect()["id"].to_list() == [*keys[:2], *keys[4:]]


def test_files_of_several_splits_or_of_unknown_kinds_are_not_read_together(tmp_path: Path) -> None:
    row = json_lines([{"instruction": "가", "output": "나"}])
    for name in ("train-0.jsonl", "train-1.jsonl", "test-0.jsonl"):
        (tmp_path / name).write_bytes(row)
    with pytest.raises(Kit19Error, match="holds files of several splits: test, train"):
        find_instruction_files(tmp_path)
    assert len(find_instruction_files(tmp_path / "train*").paths) == 2
    (tmp_path / "test-0.jsonl").rename(tmp_path / "notes.docx")
    with pytest.raises(Kit19Error, match=r"kit19 does not read \.docx"):
        find_instruction_files(tmp_path)
    with pytest.raises(Kit19Error, match="is given more than once"):
        find_instruction_files([tmp_path / "train-0.jsonl", tmp_path / "train*"])


def test_bytes_and_quotes_that_are_wrong_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    good = "".join(f"물음 {number},답\n" for number in range(60)).encode()
    path.write_bytes(b"instruction,output\n" + good + b"\xff\xfe,b\n" + b'"a"b,c\n')
    data = load_file_rows(path, 0, 0)
    assert data.malformed.counts == {"unreadable": 1}
    assert "a.csv, row 60: has bytes that are not text" in data.malformed.summary()
    assert any("has misplaced quotes" in note for note in data.notes)
    assert any("has misplaced quotes" in note for note in kit19.load(path).notes)


def test_a_row_with_more_cells_than_names_is_malformed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("instruction,output\n가,나\n가,나,다\n", "utf-8")
    data = load_file_rows(path, 0, 0)
    assert data.malformed.counts == {"unreadable": 1}
    assert "a.csv, row 1: has more cells than the header has names" in data.malformed.summary()
