"""The audit: time and memory, next to a scan with a Python set of character 13-grams.

``python -m benchmarks.audit --data-dir ../shared/data`` prints tables and writes a results file.
``--quick`` takes small sizes and one round. With ``--before FOLDER``, the root of another checkout of
kit19 (``git worktree add FOLDER COMMIT``), its search and its audits are measured in the same rounds.
``--decon PYTHON`` names a Python that has decon (PyPI ``decontaminate``, for 3.12 and later), if the
one that runs this has not. benchmarks/README.md describes what is measured.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.audit_jobs import GRAM, SEVEN, read_texts
from benchmarks.results import Recorder, add_arguments, at_least, at_most, results_folder
from benchmarks.worker import run

TODAY = ("today",)

Runs = list[dict[str, Any]]


def measure(ways: dict[str, tuple[str, dict[str, Any]]], rounds: int) -> dict[str, Runs]:
    """Run every way once a round."""
    runs: dict[str, Runs] = {name: [] for name in ways}
    for number in range(rounds):
        for name, (job, given) in ways.items():
            print(f"round {number + 1} of {rounds}: {name}", file=sys.stderr)
            runs[name].append(run(f"audit_jobs:{job}", **given))
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
                runs[name].append(run("audit_jobs:search", checkout, **given))
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


def report_whole(
    recorder: Recorder,
    data: str,
    files: dict[str, Path],
    cache: Path,
    rounds: int,
    before: Path | None,
) -> None:
    """Complete audits of files, start included, beside polars reading the file, and before."""
    for kind, path in files.items():
        runs: dict[str, Runs] = defaultdict(list)
        given = {"data_dir": data, "rows": path, "cache": cache}
        for checkout in {None, before}:  # compiles, and stores the index
            run("audit_jobs:whole", checkout, **given)
        ways: dict[str, tuple[str, Path | None, dict[str, Any]]] = {
            "kit19.audit": ("whole", None, given),
            "polars, counting characters": ("characters", None, {"rows": path}),
        }
        if before:
            ways = {"kit19.audit, before": ("whole", before, given), **ways}
        for number in range(rounds):
            for name, (job, checkout, arguments) in ways.items():
                print(f"round {number + 1} of {rounds}: {name}", file=sys.stderr)
                runs[name].append(run(f"audit_jobs:{job}", checkout, **arguments))
        cells = [[name, *time_cells(done), f"{peak(done):,.0f}"] for name, done in runs.items()]
        mine = seconds(runs["kit19.audit"], "cpu_seconds")
        polars = seconds(runs["polars, counting characters"], "cpu_seconds")
        targets = [at_most("CPU time / that of polars", mine / polars, 4)]
        if before:
            old = seconds(runs["kit19.audit, before"], "cpu_seconds")
            targets.append(at_least("CPU time before / now", old / mine, 8))
        if "long" in kind:
            size = json.loads(path.with_suffix(".size").read_text())
            rate = size / mine / 1e6
            targets.append(at_least("MB of UTF-8 text a CPU second", rate, 40))
        recorder.add(
            f"The complete audit, start included: {kind}",
            ["way", *TIMES, "peak MiB"],
            cells,
            rounds=rounds,
            targets=targets,
        )


def report_index(
    recorder: Recorder, data: str, scratch: Path, rows: dict[str, Path], rounds: int
) -> None:
    """The index of seven benchmarks and of all that are present: created, read, and searched with."""
    cells, targets = [], []
    for name, against in (("seven benchmarks", SEVEN), ("all benchmarks", TODAY)):
        runs: dict[str, Runs] = {"created": [], "read from the cache": []}
        for _ in range(rounds):
            cache = scratch / "index"
            shutil.rmtree(cache, ignore_errors=True)
            for done in runs.values():  # the first run creates it, the second one reads it
                done.append(run("audit_jobs:index", data_dir=data, cache=cache, against=against))
        size = runs["created"][0]["result"]
        cells += [
            [f"{name}, {how}", *time_cells(done), f"{size:.1f}", f"{peak(done):,.0f}"]
            for how, done in runs.items()
        ]
        if against == TODAY:
            created, read = runs.values()
            targets += [
                at_most("seconds to create that of all", seconds(created), 5),
                at_most("peak MiB of a process with that of all", peak(read), 400),
            ]
    for kind, path in rows.items():
        both: dict[Sequence[str], Runs] = {SEVEN: [], TODAY: []}
        for _ in range(rounds):
            for names, done in both.items():
                given: dict[str, Any] = {"rows": path, "threads": 1, "against": names}
                done.append(run("audit_jobs:search", data_dir=data, **given))
        seven, today = (seconds(done, "cpu_seconds") for done in both.values())
        targets.append(at_least(f"speed with all / with seven, {kind}", seven / today, 2 / 3))
    recorder.add(
        "The index of the benchmarks' items",
        ["index", *TIMES, "MiB on disk", "peak MiB"],
        cells,
        rounds=rounds,
        targets=targets,
    )


_DECON = """
import sys, time, decon
rows, items, out = sys.argv[1:]
config = decon.Config(
    training_dir=rows, evals_dir=items, report_output_dir=out, content_key="text", worker_threads=1
)
start, cpu = time.perf_counter(), time.process_time()
decon.detect(config)
print("\\n", time.perf_counter() - start, time.process_time() - cpu)
"""


def _has_decon(python: str) -> bool:
    code = "import importlib.util as u, sys; sys.exit(u.find_spec('decon') is None)"
    return subprocess.run([python, "-c", code], check=False).returncode == 0


def _run_decon(python: str, rows: Path, items: Path, out: Path) -> dict[str, float]:
    command = [python, "-c", _DECON, *map(str, (rows, items, out))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    elapsed, cpu = map(float, done.stdout.split()[-2:])
    return {"seconds": elapsed, "cpu_seconds": cpu}


def report_decon(
    recorder: Recorder, data: str, rows: dict[str, Path], scratch: Path, rounds: int, python: str
) -> None:
    """One thread of kit19 beside one of decon, on the same files and the same items."""
    if not _has_decon(python):
        print("decon: SKIPPED: `decontaminate` is not installed (see --decon)", file=sys.stderr)
        recorder.add("Beside decon", ["skipped: `decontaminate` is not installed"], [], rounds=0)
        return
    items, empty = scratch / "decon-items", scratch / "decon-empty"
    items.mkdir()
    empty.mkdir()
    (empty / "a.jsonl").write_text('{"text": "하나"}\n', encoding="utf-8")
    run("audit_jobs:items_for_decon", data_dir=data, out=items / "items.jsonl")
    cache = scratch / "decon-cache"
    index: dict[str, Runs] = {"kit19": [], "decon": []}
    for number in range(rounds):
        shutil.rmtree(cache, ignore_errors=True)
        index["kit19"].append(run("audit_jobs:index", data_dir=data, cache=cache, against=SEVEN))
        index["decon"].append(_run_decon(python, empty, items, scratch / f"decon-index-{number}"))
    cells = [[f"{name}, its index", *time_cells(done)] for name, done in index.items()]
    ours, theirs = (seconds(done, "cpu_seconds") for done in index.values())
    targets = [at_most("CPU time of the index / that of decon's", ours / theirs, 1 / 3)]
    for kind, path in rows.items():
        (folder := scratch / f"decon-{path.stem}").mkdir()
        shutil.copy(path, folder)
        runs: dict[str, Runs] = {"kit19": [], "decon": []}
        for number in range(rounds):
            given: dict[str, Any] = {"rows": path, "cache": cache, "threads": 1}
            runs["kit19"].append(run("audit_jobs:whole", data_dir=data, **given))
            done = _run_decon(python, folder, items, scratch / f"decon-{path.stem}-{number}")
            done["cpu_seconds"] -= theirs
            done["seconds"] -= seconds(index["decon"])
            runs["decon"].append(done)
        cells += [[f"{name}, {kind}", *time_cells(done)] for name, done in runs.items()]
        mine, other = (seconds(done, "cpu_seconds") for done in runs.values())
        bound = 5 if "long" in kind else 20
        targets.append(at_least(f"speed / that of decon, {kind}", other / mine, bound))
    recorder.add(
        "Beside decon",
        ["way", *TIMES],
        cells,
        rounds=rounds,
        notes=["kit19's audits include its start; decon's do not include its index."],
        targets=targets,
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


def _whole_files(reviews: Path, petitions: Path) -> dict[str, Path]:
    """Return the files of complete audits; their sizes in UTF-8 are in files next to them."""
    parquet = reviews.with_suffix(".parquet")
    run("audit_jobs:make_parquet", rows=reviews, out=parquet)
    size = sum(len(text.encode()) for text in read_texts(str(petitions)))
    petitions.with_suffix(".size").write_text(str(size))
    return {
        "reviews, JSON lines": reviews,
        "reviews, parquet": parquet,
        "long documents, JSON lines": petitions,
    }


SECTIONS = ("rules", "core", "whole", "sizes", "index", "build", "decon")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", nargs="*", default=list(SECTIONS), choices=SECTIONS)
    parser.add_argument("--before", type=Path, help="another checkout of kit19, for core and whole")
    parser.add_argument("--decon", default=sys.executable, help="a Python that has decon")
    add_arguments(parser)
    given = parser.parse_args()
    data = str(given.data_dir.resolve())
    sizes = (10_000, 20_000) if given.quick else (100_000, 1_000_000, 3_000_000)
    long, rounds = (50, 1) if given.quick else (500, 3)
    recorder = Recorder("audit", ["polars", "numba"])
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        counts = sizes if "sizes" in given.only else sizes[:2]
        rows = {count: scratch / f"{count}.jsonl" for count in counts}
        long_rows = {count: scratch / f"long-{count}.jsonl" for count in (long, 10 * long)}
        for kind, texts in (("short", rows), ("long", long_rows)):
            for count, path in texts.items():
                run("audit_jobs:make_rows", data_dir=data, out=path, kind=kind, count=count)
        petitions = long_rows[long]
        characters = sum(map(len, read_texts(str(petitions))))
        name = f"{long:,} texts of some {characters / long:,.0f} characters"
        kinds = {f"{sizes[1]:,} reviews": rows[sizes[1]], name: petitions}
        cache = scratch / "cache"
        if "rules" in given.only:
            report_rules(recorder, data, kinds, rounds)
        if "core" in given.only:
            report_core(recorder, data, kinds, rounds, given.before)
        if "whole" in given.only:
            files = _whole_files(rows[sizes[1]], long_rows[10 * long])
            report_whole(recorder, data, files, cache, rounds, given.before)
        if "sizes" in given.only:
            report_sizes(recorder, data, rows, cache, rounds)
        if "index" in given.only:
            report_index(recorder, data, scratch, kinds, rounds)
        if "build" in given.only:
            report_build(recorder, data, cache, scratch, rounds)
        if "decon" in given.only:
            # The small files show what a start takes.
            some = {f"{count:,} reviews": rows[count] for count in sizes[:2]}
            some |= {f"{count:,} long texts": path for count, path in long_rows.items()}
            report_decon(recorder, data, some, scratch, rounds, given.decon)
    recorder.write(results_folder(given))


if __name__ == "__main__":
    main()
