"""Pages of ``kit19 view`` about a build of a million rows: time to answer, processor time, memory.

``python -m benchmarks.view`` writes a build of the sample's words in other orders, starts
``kit19 view`` on it, and asks for its pages as a browser does, in a new server each round. Processor
seconds are of
all threads together.
"""

from __future__ import annotations

import argparse
import http.cookiejar
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import polars as pl

from benchmarks.results import Recorder, add_arguments, at_most, results_folder
from kit19.building.pipeline import build

ROUNDS = 5
ROWS = 1_000_000
GROUP, FILE = 50_000, 500_000
WORDS = ("영화", "사람", "문장", "바질", "시간")
TARGETS = {"overview": 1.5, "first page of rows": 0.3, "facet counts": 0.5, "search": 0.7}
MOST_MIB = 600


def write_rows(folder: Path, count: int) -> None:
    """Write a build of ``count`` rows: the sample's, with inputs of words in other orders."""
    build("sample", folder)
    [path] = (folder / "data").glob("train-*")
    rows = pl.read_parquet(path)
    texts = " ".join(text for name in ("instruction", "input", "output") for text in rows[name])
    words = np.array(texts.split(), dtype=object)
    chosen = np.random.default_rng(19)
    files = -(-count // FILE)
    path.unlink()
    for number in range(files):
        groups = [
            _group(rows, words, chosen, start, min(GROUP, count - start))
            for start in range(number * FILE, min((number + 1) * FILE, count), GROUP)
        ]
        name = f"train-{number:05}-of-{files:05}.parquet"
        pl.concat(groups).write_parquet(
            folder / "data" / name, compression_level=3, row_group_size=GROUP
        )


def _group(
    rows: pl.DataFrame, words: Any, chosen: np.random.Generator, start: int, count: int
) -> pl.DataFrame:
    lengths = np.clip(chosen.lognormal(2.6, 0.7, count).astype(int), 1, 200)
    flat = words[chosen.integers(0, len(words), lengths.sum())]
    ends = np.cumsum(lengths)
    inputs = [" ".join(flat[end - size : end]) for end, size in zip(ends, lengths, strict=True)]
    ids = pl.Series([str(number) for number in range(start, start + count)])
    drawn = rows[chosen.integers(0, rows.height, count)]
    return drawn.with_columns(
        pl.concat_str("subset", pl.lit("/train/"), ids).alias("id"), pl.Series("input", inputs)
    )


class Server:
    """``kit19 view`` in a process of its own."""

    def __init__(self, folder: Path) -> None:
        line = [sys.executable, "-m", "kit19", "view", str(folder), "--port", "0", "--no-browser"]
        self.process = subprocess.Popen([*line, "--json"], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        document = "".join(iter(self.process.stdout.readline, "}\n"))
        found = re.search(r'"url": "([^"]+)"', document)
        assert found
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(cookies)
        self.base, self.entry = found[1].partition("/?")[0], found[1]

    def ask(self, path: str) -> tuple[float, float]:
        """Seconds on the clock, and of the server's processors, until a page is there."""
        used, begun = self._used(), time.perf_counter()
        address = self.entry if path == "/" else self.base + path
        with self.opener.open(address) as answer:
            answer.read()
        return time.perf_counter() - begun, self._used() - used

    def peak(self) -> float:
        """The most memory that the server has had, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("utf-8")
        found = re.search(r"VmHWM:\s+(\d+)", status)
        assert found
        return int(found[1]) / 1024

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()

    def _used(self) -> float:
        fields = (
            Path(f"/proc/{self.process.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        )
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(folder: Path, rounds: int) -> tuple[dict[str, list[tuple[float, float]]], list[float]]:
    """Times of each kind of page, and the peak of memory, in each round."""
    times: dict[str, list[tuple[float, float]]] = defaultdict(list)
    peaks = []
    for number in range(rounds):
        server = Server(folder)
        word = quote(WORDS[number % len(WORDS)])
        times["overview"].append(server.ask("/"))
        times["first page of rows"].append(server.ask("/o/build/rows"))
        times["page 15,000"].append(server.ask("/o/build/rows?page=15000"))
        times["facet counts"].append(server.ask("/o/build/rows?subset=nsmc&label=positive"))
        times["search"].append(server.ask(f"/o/build/rows?q={word}"))
        times["next page of a search"].append(server.ask(f"/o/build/rows?q={word}&page=2"))
        peaks.append(server.peak())
        server.stop()
    return times, peaks


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    add_arguments(parser)
    options = parser.parse_args()
    count = options.rows // 20 if options.quick else options.rows
    rounds = 1 if options.quick else ROUNDS
    recorder = Recorder("view", ["polars", "starlette", "uvicorn", "jinja2"])
    folder = Path(tempfile.mkdtemp(prefix="kit19-bench-")) / "build"
    try:
        write_rows(folder, count)
        times, peaks = measure(folder, rounds)
    finally:
        shutil.rmtree(folder.parent)
    medians = {
        name: [statistics.median(one[place] for one in all_) for place in (0, 1)]
        for name, all_ in times.items()
    }
    rows = [[name, f"{wall:.2f}", f"{used:.2f}"] for name, (wall, used) in medians.items()]
    targets = [at_most(name, medians[name][0], bound) for name, bound in TARGETS.items()]
    peak = statistics.median(peaks)
    recorder.add(
        f"Pages about {count:,} rows",
        ["page", "s", "CPU s"],
        rows,
        rounds=rounds,
        notes=[f"The server's memory: {peak:.0f} MiB at most."],
        targets=[*targets, at_most("memory, MiB", peak, MOST_MIB)],
    )
    recorder.write(results_folder(options))


if __name__ == "__main__":
    main()
