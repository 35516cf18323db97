"""The audit: time and memory, next to a scan with a Python set of character 13-grams.

``python -m benchmarks.audit --data-dir ../shared/data`` prints tables and writes a results file.
``--quick`` takes small sizes and one round. With ``--before FOLDER``, the root of another checkout of
kit19 (``git worktree add FOLDER COMMIT``), its search is measured in the same rounds.
benchmarks/README.md describes what is measured.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.results import Recorder, add_arguments, at_least, at_most, results_folder
from benchmarks.worker import run

GRAM = 13
LONG = 10_000  # characters
Work = Callable[[], Any]


# --- Jobs, each in a process of its own --------------------------------------------------------------


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

    exams = find_benchmark_items(load_catalog(), ("default",), Path(data_dir)).benchmarks
    benchmarks = {name: (exam.card, exam.rows) for name, exam in exams.items()}
    exact = which == "exact"
    index = (
        build_index(benchmarks, coverage=1, stem_coverage=2) if exact else build_index(benchmarks)
    )
    texts = pl.Series(_read(rows))

    def work() -> int:
        batches = (texts[start : start + 20_000] for start in range(0, len(texts), 20_000))
        return sum(find_items(batch, index)["place"].n_unique() for batch in batches)

    return work


def search(data_dir: str, rows: str, threads: int) -> Work:
    """Search the texts with all rules, in memory, on so many threads; the result names every hit."""
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl

    from kit19.auditing.items import find_benchmark_items
    from kit19.catalog import load_catalog
    from kit19.curating import find_items
    from kit19.curating.contamination import build_index

    exams = find_benchmark_items(load_catalog(), ("default",), Path(data_dir)).benchmarks
    index = build_index({name: (exam.card, exam.rows) for name, exam in exams.items()})
    texts = pl.Series(_read(rows))
    find_items(texts[:10], index)  # compiles, or loads what is compiled

    def work() -> tuple[int, int, str]:
        batches = range(0, len(texts), 20_000)
        found = pl.concat(
            find_items(texts[start : start + 20_000], index).with_columns(pl.col("place") + start)
            for start in batches
        )
        size = int(texts.str.len_bytes().sum())
        return size, found.height, hashlib.sha256(found.write_csv().encode()).hexdigest()

    return work


def python_set(data_dir: str, rows: str) -> Work:
    """Search for any shared character 13-gram, with the same bare form and a Python set."""
    from kit19.auditing.items import find_benchmark_items
    from kit19.catalog import load_catalog

    exams = find_benchmark_items(load_catalog(), ("default",), Path(data_dir)).benchmarks.values()
    items = [text for exam in exams for field in exam.card.texts for text in exam.rows[field]]
    grams = {gram for text in items for gram in _grams(_bare(text or ""))}
    texts = _read(rows)

    def work() -> int:
        return sum(any(gram in grams for gram in _grams(_bare(text))) for text in texts)

    return work


_NO_LETTER_OR_DIGIT = re.compile(r"[\W_]+")


def _bare(text: str) -> str:
    return _NO_LETTER_OR_DIGIT.sub("", unicodedata.normalize("NFKC", text).lower())


def _grams(text: str) -> Iterator[str]:
    return (text[at : at + GRAM] for at in range(len(text) - GRAM + 1))


def _read(rows: str) -> list[str]:
    with Path(rows).open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def whole(data_dir: str, rows: str, cache: str) -> Work:
    """Run a complete audit of a file with ``kit19.audit``."""
    os.environ["KIT19_CACHE"] = cache
    from kit19 import audit

    def work() -> int:
        return len(audit(rows, against="default", data_dir=Path(data_dir)).rows)

    return work


def index(data_dir: str, cache: str) -> Work:
    """Build the index of the benchmarks' items, or load it from the cache."""
    os.environ["KIT19_CACHE"] = cache
    from kit19.auditing.items import find_benchmark_items
    from kit19.catalog import load_catalog
    from kit19.curating import load_index

    exams = find_benchmark_items(load_catalog(), ("default",), Path(data_dir)).benchmarks
    benchmarks = {name: (exam.card, exam.rows) for name, exam in exams.items()}
    return lambda: len(load_index(benchmarks).keys)


def build(data_dir: str, cache: str, out: str, decontaminate: bool) -> Work:
    """Build the default recipe, with or without decontamination."""
    os.environ["KIT19_CACHE"] = cache
    from kit19.building.pipeline import build as run_build

    changes = {"decontaminate": decontaminate}

    def work() -> int:
        made = run_build("kit19", out, data_dir=data_dir, partial=True, changes=changes)
        return sum(one.ledger.examples for one in made.subsets.values())

    return work


# --- Tables ----------------------------------------------------------------------------------------

Runs = list[dict[str, Any]]


def measure(ways: dict[str, tuple[str, dict[str, Any]]], rounds: int) -> dict[str, Runs]:
    """Run every way once a round."""
    runs: dict[str, Runs] = {name: [] for name in ways}
    for number in range(rounds):
        for name, (job, given) in ways.items():
            print(f"round {number + 1} of {rounds}: {name}", file=sys.stderr)
            runs[name].append(run(f"audit:{job}", **given))
    return runs


def seconds(runs: Runs, what: str = "seconds") -> float:
    return float(statistics.median(one[what] for one in runs))


def time_cells(runs: Runs) -> list[str]:
    every = [one["seconds"] for one in runs]
    cpu = seconds(runs, "cpu_seconds")
    return [f"{seconds(runs):.2f} ({min(every):.2f}–{max(every):.2f})", f"{cpu:.2f}"]


TIMES = ("seconds (fastest–slowest)", "CPU s")
SET = f"Python set of character {GRAM}-grams"
EXACT = "kit19, equal and contained"


def peak(runs: Runs) -> float:
    return float(max(one["peak_mib"] for one in runs))


def report_rules(recorder: Recorder, data: str, rows: dict[str, Path], rounds: int) -> None:
    """The rules alone, in memory, short texts and long ones."""
    for kind, path in rows.items():
        given = {"data_dir": data, "rows": path}
        ways = {
            EXACT: ("rules", {**given, "which": "exact"}),
            "kit19, all rules": ("rules", {**given, "which": "all"}),
            SET: ("python_set", given),
        }
        runs = measure(ways, rounds)
        cells = [
            [
                name,
                *time_cells(done),
                f"{seconds(runs[SET]) / seconds(done):.2f}",
                f"{done[0]['result']:,}",
                f"{peak(done):,.0f}",
            ]
            for name, done in runs.items()
        ]
        exact = seconds(runs[SET]) / seconds(runs[EXACT])
        recorder.add(
            f"The rules alone: {kind}",
            ["way", *TIMES, "× the set", "texts found", "peak MiB"],
            cells,
            rounds=rounds,
            targets=[at_least("exact rules, × the set's speed", exact, 2)],
        )


def report_core(
    recorder: Recorder, data: str, rows: dict[str, Path], rounds: int, before: Path | None
) -> None:
    """All rules on one thread and on two, and those of another checkout on one."""
    for kind, path in rows.items():
        runs: dict[str, Runs] = defaultdict(list)
        ways: dict[str, tuple[Path | None, int]] = {
            "one thread": (None, 1),
            "two threads": (None, 2),
        }
        if before:
            ways = {"before, one thread": (before, 1), **ways}
        for number in range(rounds):
            for name, (checkout, threads) in ways.items():
                print(f"round {number + 1} of {rounds}: {name}", file=sys.stderr)
                given = {"data_dir": data, "rows": path, "threads": threads}
                runs[name].append(run("audit:search", checkout, **given))
        results = {tuple(one["result"]) for done in runs.values() for one in done}
        ((size, hits, _),) = results  # every run found the same
        cells = [
            [name, *time_cells(done), f"{size / seconds(done, 'cpu_seconds') / 1e6:.1f}"]
            for name, done in runs.items()
        ]
        one, two = runs["one thread"], runs["two threads"]
        targets = [at_least("two threads, × the speed of one", seconds(one) / seconds(two), 1.7)]
        if before:
            cpu = seconds(runs["before, one thread"], "cpu_seconds") / seconds(one, "cpu_seconds")
            targets.append(at_least("CPU time before / now, one thread", cpu, 12))
        recorder.add(
            f"The search in native code: {kind}",
            ["way", *TIMES, "MB of UTF-8 a CPU s"],
            cells,
            rounds=rounds,
            notes=[f"Each run found the same {hits:,} hits."],
            targets=targets,
        )


def report_sizes(
    recorder: Recorder, data: str, rows: dict[int, Path], cache: Path, rounds: int
) -> None:
    """A complete audit of a file, reading included; the largest file once."""
    ways = {
        f"{count:,}": ("whole", {"data_dir": data, "rows": path, "cache": cache})
        for count, path in rows.items()
    }
    small, large = list(ways.items())[:-1], list(ways.items())[-1:]
    runs = measure(dict(small), rounds) | measure(dict(large), 1)
    cells = [
        [
            f"{count:,}",
            *time_cells(done),
            f"{1e6 * seconds(done) / count:.1f}",
            f"{peak(done):,.0f}",
        ]
        for count, done in zip(rows, runs.values(), strict=True)
    ]
    recorder.add(
        "The complete audit of a file",
        ["rows", *TIMES, "µs a row", "peak MiB"],
        cells,
        rounds=rounds,
        notes=["The largest file was measured once."],
        targets=[at_most("peak MiB, any size", max(map(peak, runs.values())), 1536)],
    )


def report_index(recorder: Recorder, data: str, scratch: Path, rounds: int) -> None:
    """The index, created and read from the cache."""
    runs: dict[str, Runs] = {"created": [], "read from the cache": []}
    for _ in range(rounds):
        cache = scratch / "index"
        shutil.rmtree(cache, ignore_errors=True)
        for done in runs.values():  # the first run creates it, the second one reads it
            done.append(run("audit:index", data_dir=data, cache=cache))
    recorder.add(
        "The index of the benchmarks' items",
        ["index", *TIMES],
        [[name, *time_cells(done)] for name, done in runs.items()],
        rounds=rounds,
    )


def report_build(recorder: Recorder, data: str, cache: Path, scratch: Path, rounds: int) -> None:
    """What decontamination adds to the default build."""
    given = {"data_dir": data, "cache": cache, "out": scratch / "out"}
    ways = {
        "without decontamination": ("build", {**given, "decontaminate": False}),
        "with decontamination": ("build", {**given, "decontaminate": True}),
    }
    runs = measure(ways, rounds)
    without, with_ = runs.values()
    added = seconds(with_) / seconds(without) - 1
    cpu = seconds(with_, "cpu_seconds") / seconds(without, "cpu_seconds") - 1
    recorder.add(
        "The default build",
        ["build", *TIMES],
        [[name, *time_cells(done)] for name, done in runs.items()],
        rounds=rounds,
        notes=[f"Share of the build's CPU time that it adds: {cpu:.2f}."],
        targets=[at_most("share of the build's time that it adds", added, 0.5)],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", nargs="*", default=["rules", "core", "sizes", "index", "build"])
    parser.add_argument("--before", type=Path, help="another checkout of kit19, for core")
    add_arguments(parser)
    given = parser.parse_args()
    data = str(given.data_dir.resolve())
    sizes = (10_000, 20_000) if given.quick else (100_000, 1_000_000, 3_000_000)
    long, rounds = (50, 1) if given.quick else (500, 3)
    recorder = Recorder("audit", ["polars"])
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        rows = {count: scratch / f"{count}.jsonl" for count in sizes}
        for count, path in rows.items():
            run("audit:make_rows", data_dir=data, out=path, kind="short", count=count)
        petitions = scratch / "long.jsonl"
        made = run("audit:make_rows", data_dir=data, out=petitions, kind="long", count=long)
        name = f"{long:,} texts of some {made['result'] / long:,.0f} characters"
        kinds = {f"{sizes[1]:,} reviews": rows[sizes[1]], name: petitions}
        if "rules" in given.only:
            report_rules(recorder, data, kinds, rounds)
        if "core" in given.only:
            report_core(recorder, data, kinds, rounds, given.before)
        if "sizes" in given.only:
            report_sizes(recorder, data, rows, scratch / "cache", rounds)
        if "index" in given.only:
            report_index(recorder, data, scratch, rounds)
        if "build" in given.only:
            report_build(recorder, data, scratch / "cache", scratch, rounds)
    recorder.write(results_folder(given))


if __name__ == "__main__":
    main()
