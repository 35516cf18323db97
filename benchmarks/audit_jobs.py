"""The jobs of ``benchmarks.audit``, each for a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

GRAM = 13
LONG = 10_000  # characters
BATCH = 100_000  # texts searched at a time: some nine megabytes of reviews, as in audits of files
SEVEN = (
    *("klue_sts", "klue_ynat", "kobest_boolq", "kobest_copa"),
    *("kobest_hellaswag", "kobest_sentineg", "kobest_wic"),
)
"""The benchmarks that kit19 knew before it had native code."""
Work = Callable[[], Any]


def make_rows(data_dir: str, out: str, kind: str, count: int) -> Work:
    """Write JSON lines of ``count`` distinct texts: ``short`` (reviews), ``long`` (petitions, joined).

    If the texts run out, they are repeated with the number of the round appended.
    """

    def work() -> int:
        characters = 0
        with Path(out).open("w", encoding="utf-8") as stream:
            for text in islice(_texts(Path(data_dir), kind), count):
                characters += len(text)
                stream.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
        return characters

    return work


def _texts(data: Path, kind: str) -> Iterator[str]:
    if kind == "short":
        files = [data / "nsmc" / f"ratings_{split}.txt" for split in ("train", "test")]
        lines = [line for path in files for line in path.read_text("utf-8").split("\n")[1:]]
        texts = list(dict.fromkeys(line.split("\t")[1] for line in lines if line))
    else:
        texts = list(_joined_petitions(data))
    for lap in range(sys.maxsize):
        yield from (f"{text} {lap}" for text in texts) if lap else texts


def _joined_petitions(data: Path) -> Iterator[str]:
    held = ""
    for path in sorted((data / "petitions").glob("petitions_*")):
        for line in path.read_text("utf-8").splitlines():
            held += json.loads(line)["content"] + "\n"
            if len(held) >= LONG:
                yield held
                held = ""


def rules(data_dir: str, rows: str, which: str) -> Work:
    """Search the texts with kit19's rules: only the exact ones (equal, contained), or all."""
    import polars as pl

    from kit19.auditing.items import find_benchmark_items
    from kit19.catalog import load_catalog
    from kit19.curating import find_items
    from kit19.curating.contamination import build_index

    exams = find_benchmark_items(load_catalog(), SEVEN, Path(data_dir)).benchmarks
    benchmarks = {name: (exam.card, exam.rows) for name, exam in exams.items()}
    exact = which == "exact"
    index = (
        build_index(benchmarks, coverage=1, stem_coverage=2) if exact else build_index(benchmarks)
    )
    texts = pl.Series(read_texts(rows))

    def work() -> int:
        batches = (texts[start : start + 20_000] for start in range(0, len(texts), 20_000))
        return sum(find_items(batch, index)["place"].n_unique() for batch in batches)

    return work


def search(data_dir: str, rows: str, threads: int, against: Sequence[str] = SEVEN) -> Work:
    """Search the texts with all rules, in memory, on so many threads; the result names every hit."""
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl

    from kit19.auditing.items import find_benchmark_items
    from kit19.catalog import load_catalog
    from kit19.curating import find_items
    from kit19.curating.contamination import build_index

    exams = find_benchmark_items(load_catalog(), against, Path(data_dir)).benchmarks
    index = build_index({name: (exam.card, exam.rows) for name, exam in exams.items()})
    texts = pl.Series(read_texts(rows))
    find_items(texts[:10], index)  # compiles, or loads what is compiled

    def work() -> tuple[int, int, str]:
        batches = range(0, len(texts), BATCH)
        found = pl.concat(
            find_items(texts[start : start + BATCH], index).with_columns(pl.col("place") + start)
            for start in batches
        )
        size = int(texts.str.len_bytes().sum())
        return size, found.height, hashlib.sha256(found.write_csv().encode()).hexdigest()

    return work


def python_set(data_dir: str, rows: str) -> Work:
    """Search for any shared character 13-gram, with the same bare form and a Python set."""
    from kit19.auditing.items import find_benchmark_items
    from kit19.catalog import load_catalog

    exams = find_benchmark_items(load_catalog(), SEVEN, Path(data_dir)).benchmarks.values()
    items = [text for exam in exams for field in exam.card.texts for text in exam.rows[field]]
    grams = {gram for text in items for gram in _grams(_bare(text or ""))}
    texts = read_texts(rows)

    def work() -> int:
        return sum(any(gram in grams for gram in _grams(_bare(text))) for text in texts)

    return work


_NO_LETTER_OR_DIGIT = re.compile(r"[\W_]+")


def _bare(text: str) -> str:
    return _NO_LETTER_OR_DIGIT.sub("", unicodedata.normalize("NFKC", text).lower())


def _grams(text: str) -> Iterator[str]:
    return (text[at : at + GRAM] for at in range(len(text) - GRAM + 1))


def read_texts(rows: str) -> list[str]:
    with Path(rows).open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def whole(data_dir: str, rows: str, cache: str, threads: int = 0) -> Work:
    """Run a complete audit of a file with ``kit19.audit``, its start included."""
    os.environ["KIT19_CACHE"] = cache
    if threads:
        os.environ["POLARS_MAX_THREADS"] = str(threads)

    def work() -> int:
        from kit19 import audit

        return len(audit(rows, against=SEVEN, data_dir=Path(data_dir)).rows)

    return work


def characters(rows: str) -> Work:
    """Let polars read a file and count the characters of its texts."""

    def work() -> int:
        import polars as pl

        scan = pl.scan_parquet if rows.endswith(".parquet") else pl.scan_ndjson
        return int(scan(rows).select(pl.col("text").str.len_chars().sum()).collect().item())

    return work


def make_parquet(rows: str, out: str) -> Work:
    """Write the rows of JSON lines as parquet."""
    import polars as pl

    return lambda: pl.read_ndjson(rows).write_parquet(out)


def index(data_dir: str, cache: str, against: Sequence[str]) -> Work:
    """Build the index of the benchmarks' items, or load it from the cache."""
    os.environ["KIT19_CACHE"] = cache
    import polars as pl

    from kit19.auditing.items import find_benchmark_items
    from kit19.catalog import load_catalog
    from kit19.curating import find_items, load_index
    from kit19.curating.contamination import build_index
    from tests.support.small_items import benchmark

    find_items(pl.Series(["하나"]), build_index(benchmark("하나")))  # compiles, or loads it
    exams = find_benchmark_items(load_catalog(), against, Path(data_dir)).benchmarks
    benchmarks = {name: (exam.card, exam.rows) for name, exam in exams.items()}

    def work() -> float:
        load_index(benchmarks)
        (path,) = (Path(cache) / "index").iterdir()
        return path.stat().st_size / (1 << 20)

    return work


def items_for_decon(data_dir: str, out: str) -> Work:
    """Write the texts of the items in the layout of decon's references."""
    from kit19.auditing.items import find_benchmark_items
    from kit19.catalog import load_catalog

    exams = find_benchmark_items(load_catalog(), SEVEN, Path(data_dir)).benchmarks

    def work() -> int:
        texts = dict.fromkeys(
            (name, text)
            for name, exam in exams.items()
            for field in exam.card.texts
            for text in exam.rows[field]
            if text
        )
        with Path(out).open("w", encoding="utf-8") as stream:
            for number, (name, text) in enumerate(texts):
                item = {"eval_key": name, "eval_instance_index": number, "split": "test"}
                item |= {"question": text, "doc_id": number, "fingerprint": str(number)}
                stream.write(json.dumps(item, ensure_ascii=False) + "\n")
        return len(texts)

    return work


def build(data_dir: str, cache: str, out: str, decontaminate: bool) -> Work:
    """Build the default recipe, with or without decontamination."""
    os.environ["KIT19_CACHE"] = cache
    from kit19.building.pipeline import build as run_build

    changes = {"decontaminate": decontaminate}

    def work() -> int:
        made = run_build("kit19", out, data_dir=data_dir, partial=True, changes=changes)
        return sum(one.ledger.examples for one in made.subsets.values())

    return work
