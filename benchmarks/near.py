"""Near duplicates: builds of people's own rows, and the search alone as rows grow.

``python -m benchmarks.near --data-dir ../shared/data`` prints tables and writes a results file.
``--quick`` takes small sizes and one round. With ``--before FOLDER``, the root of another checkout of
kit19 (``git worktree add FOLDER COMMIT``), its builds are measured in the same rounds.
benchmarks/README.md describes what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.results import Recorder, add_arguments, at_least, results_folder
from benchmarks.worker import run

Work = Callable[[], Any]
QUESTION = (
    "다음 영화 감상을 읽고, 글쓴이가 영화를 좋게 보았는지 나쁘게 보았는지 한 낱말로 답하세요."
)
BENCHMARKS = [
    *(f"kobest_{name}" for name in ("boolq", "copa", "hellaswag", "sentineg", "wic")),
    *("klue_sts", "klue_ynat"),
]
KINDS = {
    "reviews": "a review, and its label",
    "one question": "one long question, a review as its input, and its label",
    "answers": "two reviews, and two to eight as the answer",
}
_ADDED = 1_000_000
_CONVERTED = 20_000  # as a build does
_LEAST = 20  # characters of a review that is halved
TITLE = "The search for near duplicates alone: short texts in memory"
FAILS_BEFORE = "one question"
"""Before, every two rows with the same long question were candidates, which no memory holds."""


# --- Jobs, each in a process of its own --------------------------------------------------------------


def make_rows(data_dir: str, out: str, kind: str, count: int) -> Work:
    """Write JSON lines of ``count`` rows."""

    def work() -> None:
        with Path(out).open("w", encoding="utf-8") as stream:
            for row in _rows(Path(data_dir), kind, count):
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")

    return work


def _rows(data: Path, kind: str, count: int) -> Iterator[dict[str, str]]:
    """Rows made of NSMC's reviews. When they run out, each gets another one behind it."""
    lines = (data / "nsmc/ratings_train.txt").read_text("utf-8").split("\n")[1:]
    reviews = [line.split("\t")[1:] for line in lines if line]
    chance = random.Random(19)  # noqa: S311  no secret

    def several(least: int, most: int) -> str:
        return " ".join(text for text, _ in chance.choices(reviews, k=chance.randint(least, most)))

    for number in range(count):
        lap, at = divmod(number, len(reviews))
        text, label = reviews[at]
        text = f"{text} {several(1, 1)}" if lap else text
        answer = ("부정", "긍정")[int(label)]
        if kind == "one question":
            yield {"instruction": QUESTION, "input": text, "output": answer}
        elif kind == "reviews":
            yield {"instruction": text, "input": "", "output": answer}
        else:
            text = f"{text} {several(1, 1)}"
            yield {"instruction": text, "input": "", "output": several(2, 8)}


def build_rows(data_dir: str, rows: str, dedup: str) -> Work:
    """Build the rows as the only subset of a recipe, without a cap; the digest and the ledger."""
    import kit19

    scratch = Path(tempfile.mkdtemp())
    extra = [{"name": "mine", "path": str(Path(rows).resolve()), "license": "CC0-1.0"}]
    recipe: dict[str, Any] = {
        "id": "mine",
        "title": "Mine",
        "subsets": [],
        "cap": None,
        "dedup": dedup,
        "benchmarks": BENCHMARKS,
    }
    path = scratch / "mine.yaml"
    path.write_text(json.dumps({**recipe, "extra": extra}), encoding="utf-8")

    def work() -> tuple[str, int]:
        manifest = kit19.build(path, scratch / "out", data_dir=data_dir, partial=True)
        shutil.rmtree(scratch)
        dropped = manifest.subsets["mine"].ledger.dropped
        return manifest.content_digest, dropped.get("near_duplicate", 0)

    return work


def search(data_dir: str, count: int, threads: int) -> Work:
    """Search short texts for near duplicates: halves of two reviews each, added a million at a time."""
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl

    from kit19.curating import Workers, bare
    from kit19.curating.near import NearFields, NearSearch
    from kit19.curating.signs import extract_signs

    form, near = NearFields(["text"]), NearSearch(1, Workers(threads=threads))
    ids = pl.Series([f"mine/train/{number}" for number in range(count)])
    texts = _halves(Path(data_dir), count)

    def work() -> tuple[int, float, float]:
        spent = 0.0
        for start in range(0, count, _ADDED):
            some = pl.Series("text", list(islice(texts, _ADDED)))
            plain, signs = bare(some), extract_signs(some)
            every = pl.DataFrame(
                {"id": ids[start : start + _ADDED], "text": some, "plain": plain, "signs": signs}
            )
            began = time.process_time()
            for at in range(0, len(some), _CONVERTED):
                part = every[at : at + _CONVERTED]
                forms = (part.select(text=name) for name in ("text", "plain", "signs"))
                near.add(part["id"], form.convert(*forms))
            spent += time.process_time() - began
        began, since = time.process_time(), time.perf_counter()
        found = near.find(ids, ids.clear()).height
        return found, spent + time.process_time() - began, time.perf_counter() - since

    return work


def _halves(data: Path, count: int) -> Iterator[str]:
    lines = (data / "nsmc/ratings_train.txt").read_text("utf-8").split("\n")[1:]
    reviews = [text for line in lines if line and len(text := line.split("\t")[1]) > _LEAST]
    chance = random.Random(19)  # noqa: S311  no secret
    for _ in range(count):
        one, other = chance.choice(reviews), chance.choice(reviews)
        yield one[: len(one) // 2] + other[len(other) // 2 :]


# --- Tables ------------------------------------------------------------------------------------------


def report_builds(
    recorder: Recorder,
    data: str,
    scratch: Path,
    count: int,
    rounds: int,
    before: Path | None,
) -> None:
    """Builds with and without the search, before and now."""
    cells, targets = [], []
    for kind, described in KINDS.items():
        rows = scratch / f"{kind}.jsonl"
        run("near:make_rows", data_dir=data, out=rows, kind=kind, count=count)
        ways: dict[str, tuple[Path | None, str]] = {
            "now": (None, "near"),
            "without": (None, "exact"),
        }
        if before and kind != FAILS_BEFORE:
            ways["before"] = (before, "near")
        runs: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
        for number in range(rounds):
            for way, (checkout, dedup) in ways.items():
                note(f"round {number + 1} of {rounds}: {count:,} {kind}, {way}")
                given = {"data_dir": data, "rows": rows, "dedup": dedup}
                runs[way].append(run("near:build_rows", checkout, **given))
        ((_, found),) = {
            tuple(one["result"]) for way in runs if way != "without" for one in runs[way]
        }
        cpu = {way: _median(done, "cpu_seconds") for way, done in runs.items()}
        peak = {way: _median(done, "peak_mib") for way, done in runs.items()}
        row = [described, f"{count:,}", f"{found:,}"]
        row += [f"{cpu[way]:.1f}" if way in cpu else "" for way in ("before", "now", "without")]
        row += [f"{peak[way]:,.0f}" if way in peak else "" for way in ("before", "now", "without")]
        cells.append(row)
        if "before" in cpu:
            name = f"{count:,} rows of {kind}"
            targets += [
                at_least(f"CPU time before / now, {name}", cpu["before"] / cpu["now"], 2),
                at_least(f"memory before / now, {name}", peak["before"] / peak["now"], 2),
            ]
    recorder.add(
        "Builds of people's own rows, without a cap",
        ["a row", "rows", "near duplicates"]
        + [f"CPU s {way}" for way in ("before", "now", "without near duplicates")]
        + [f"peak MiB {way}" for way in ("before", "now", "without near duplicates")],
        cells,
        rounds=rounds,
        notes=["Equal rows before and now: the digest of each build is the same."],
        targets=targets,
    )


def report_search(
    recorder: Recorder, title: str, data: str, sizes: tuple[int, ...], rounds: int
) -> None:
    """The search alone, on one thread and on two."""
    cells = []
    for count in sizes:
        runs: dict[int, list[dict[str, Any]]] = {1: [], 2: []}
        for number in range(rounds):
            for threads, done in runs.items():
                note(f"round {number + 1} of {rounds}: search of {count:,}, {threads} threads")
                done.append(run("near:search", data_dir=data, count=count, threads=threads))
        ((found,),) = {tuple(one["result"][:1]) for done in runs.values() for one in done}
        cpu, *seconds = (
            statistics.median(one["result"][place] for one in runs[threads])
            for threads, place in ((1, 1), (1, 2), (2, 2))
        )
        cells.append(
            [
                f"{count:,}",
                f"{found:,}",
                f"{cpu:.1f}",
                f"{cpu / count * 1e6:.1f}",
                *(f"{one:.1f}" for one in seconds),
                f"{_median(runs[1], 'peak_mib'):,.0f}",
            ]
        )
    recorder.add(
        title,
        ["texts", "found", "CPU s", "µs a text", "s, one thread", "s, two threads", "peak MiB"],
        cells,
        rounds=rounds,
        notes=["One thread and two find the same. Seconds are those of the decision alone."],
    )


def _median(runs: list[dict[str, Any]], figure: str) -> float:
    return float(statistics.median(one[figure] for one in runs))


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", nargs="*", default=["builds", "search", "most"])
    parser.add_argument("--before", type=Path, help="another checkout of kit19, for builds")
    add_arguments(parser)
    given = parser.parse_args()
    data = str(given.data_dir.resolve())
    rounds = 1 if given.quick else 3
    recorder = Recorder("near", ["polars", "numba"])
    with tempfile.TemporaryDirectory() as scratch:
        if "builds" in given.only:
            count = 5_000 if given.quick else 50_000
            report_builds(recorder, data, Path(scratch), count, rounds, given.before)
        if "search" in given.only:
            counts = (5_000, 10_000) if given.quick else (100_000, 1_000_000)
            report_search(recorder, TITLE, data, counts, rounds)
        if "most" in given.only:
            count = 20_000 if given.quick else 10_000_000
            report_search(recorder, f"{TITLE}, the most", data, (count,), 1)
    recorder.write(results_folder(given))


if __name__ == "__main__":
    main()
