"""Reading people's files, as the audit and as training do it, beside polars and ``datasets`` alone.

``python -m benchmarks.read`` writes a million rows of two layouts as JSON lines and as parquet, and
measures every way in a process of its own, the ways in turn in each round. With ``--before FOLDER``,
the root of another checkout of kit19 (``git worktree add FOLDER COMMIT``), its code is measured in the
same rounds, and the ratios of the medians are shown. They are ratios of processor seconds, of all
threads together, since other processes do not change these much.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import random
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.results import Recorder, Target, add_arguments, at_least, at_most, results_folder
from benchmarks.worker import run

ROUNDS = 3
ROWS = 1_000_000
FASTER, MOST_MIB = 8, 1_024
TEXT = (
    "한국어 문장을 영어로 번역해 주세요 오늘 날씨가 좋아서 산책을 갔다 the model 데이터를 평가한 결과 "
    '영화가 정말 재미있다 "인용한 말" 줄이\n바뀐다 왜 그런지 설명하시오 다음 중에서 고르면'
)
LAYOUTS = ("instruction", "messages")

Work = Callable[[], Any]


def _rows(layout: str, count: int) -> Iterator[dict[str, Any]]:
    words = TEXT.split(" ")
    chosen = random.Random(19)  # noqa: S311  no secret

    def text(length: int) -> str:
        return " ".join(chosen.choices(words, k=length))

    for number in range(count):
        question, more, answer = text(12), text(6) if number % 3 else "", text(30)
        if layout == "instruction":
            yield {"instruction": question, "input": more, "output": answer}
        else:
            turns = zip(("user", "assistant"), (question, answer), strict=True)
            yield {"messages": [{"role": role, "content": content} for role, content in turns]}


def write_files(folder: str, layout: str, count: int) -> Work:
    """Write one layout as JSON lines and as parquet."""
    import polars as pl

    def work() -> None:
        lines = Path(folder, f"{layout}.jsonl")
        with lines.open("w", encoding="utf-8") as stream:
            for row in _rows(layout, count):
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        frame = pl.read_ndjson(lines)
        frame.write_parquet(lines.with_suffix(".parquet"), row_group_size=100_000)

    return work


def _load_numba() -> None:
    """Load the compiled scan of JSON lines, if this checkout has one."""
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module("kit19.reading.line_scan")


def audit_way(path: str) -> Work:
    from kit19.reading import read_texts

    _load_numba()
    return lambda: sum(batch.height for _, batch in read_texts(Path(path)))


def train_way(path: str) -> Work:
    """Everything that a run reads by default: the rows to train on, and 200 held-out ones."""
    from kit19.training.rows.files import load_file_rows

    _load_numba()

    def work() -> int:
        data = load_file_rows(Path(path), 200, 0)
        return sum(
            batch.height
            for part in (data.train, data.validation)
            if part
            for batch in part.batches()
        )

    return work


def polars_way(path: str) -> Work:
    import polars as pl

    read = pl.read_parquet if path.endswith(".parquet") else pl.read_ndjson
    return lambda: read(path).height


def datasets_way(path: str) -> Work:
    """Prepare the cache of ``datasets``, then iterate over it in batches."""
    import datasets

    datasets.disable_progress_bars()
    kind = "parquet" if path.endswith(".parquet") else "json"

    def work() -> int:
        with tempfile.TemporaryDirectory() as cache:
            rows = datasets.load_dataset(kind, data_files=path, split="train", cache_dir=cache)
            return sum(len(next(iter(batch.values()))) for batch in rows.iter(10_000))

    return work


def main() -> None:
    parser = argparse.ArgumentParser(description="Reading people's files.")
    parser.add_argument("--before", type=Path, help="the root of another checkout, to compare with")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of each file")
    add_arguments(parser)
    given = parser.parse_args()
    count, rounds = (5_000, 1) if given.quick else (given.rows, ROUNDS)
    recorder = Recorder("read", ["polars", "datasets", "pyarrow"])
    with tempfile.TemporaryDirectory() as folder:
        for layout in LAYOUTS:
            run("read:write_files", folder=folder, layout=layout, count=count)
            for suffix in ("jsonl", "parquet"):
                path = Path(folder, f"{layout}.{suffix}")
                _measure(recorder, path, given.before, count, rounds)
    recorder.write(results_folder(given))


def _measure(recorder: Recorder, path: Path, before: Path | None, count: int, rounds: int) -> None:
    ways: dict[str, tuple[str, Path | None]] = {
        "polars alone": ("read:polars_way", None),
        "`datasets`": ("read:datasets_way", None),
    }
    for name in ("audit", "train"):
        ways[f"kit19, as {name}"] = (f"read:{name}_way", None)
        if before:
            ways[f"before, as {name}"] = (f"read:{name}_way", before)
    done: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for _ in range(rounds):
        for name, (job, checkout) in ways.items():
            done[name].append(run(job, checkout, path=path))
    seconds, processor = (
        {name: statistics.median(one[kind] for one in runs) for name, runs in done.items()}
        for kind in ("seconds", "cpu_seconds")
    )
    peaks = {name: max(one["peak_mib"] for one in runs) for name, runs in done.items()}
    megabytes = path.stat().st_size / 1e6
    targets: list[Target] = []
    for name in ("audit", "train"):
        ours, theirs = f"kit19, as {name}", f"before, as {name}"
        if before:
            assert done[ours][0]["result"] == done[theirs][0]["result"], "both must read the same"
            faster = processor[theirs] / processor[ours]
            targets.append(at_least(f"{name}: times as fast as before", faster, FASTER))
        targets.append(at_most(f"{name}: peak in MiB", peaks[ours], MOST_MIB))
    recorder.add(
        f"{path.name}, {count:,} rows, {megabytes:,.0f} MB",
        ["way", "processor seconds", "MB a processor second", "seconds", "peak MiB"],
        [
            [
                name,
                f"{one:.2f}",
                f"{megabytes / one:,.0f}",
                f"{seconds[name]:.2f}",
                f"{peaks[name]:,.0f}",
            ]
            for name, one in processor.items()
        ],
        rounds=rounds,
        targets=targets,
    )


if __name__ == "__main__":
    main()
