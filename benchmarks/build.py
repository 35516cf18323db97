"""``python -m benchmarks.build``: kit19 next to its baselines, in one run.

Each measurement runs in a separate process (``worker.py``), rounds are interleaved, figures are
medians. Equal output is asserted. Times are shown with their targets and never asserted. This process
imports nothing heavy, so that no child inherits its peak.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.results import Recorder, add_arguments, at_least, at_most, results_folder
from benchmarks.worker import run

MEASURED = ("polars", "polars-hash", "datasets", "pyarrow", "jinja2", "xxhash")


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    records: int
    rounds: int
    sizes: tuple[int, ...]
    startups: int


FULL = Scale(
    records=150_000, rounds=3, sizes=(10_000, 30_000, 100_000, 300_000, 1_000_000), startups=5
)
QUICK = Scale(records=15_000, rounds=1, sizes=(10_000, 30_000), startups=2)


@dataclass(frozen=True)
class Setup:
    """Where the files are, how much is measured, and what records the figures."""

    data_dir: Path
    scratch: Path
    scale: Scale
    recorder: Recorder


@dataclass(frozen=True)
class Way:
    """One way to do the work: its name in the table, and a job."""

    name: str
    job: str
    given: dict[str, Any]


def measure(ways: dict[str, Way], rounds: int) -> dict[str, dict[str, float]]:
    """Run every way once a round; medians, the fastest and the slowest of each."""
    runs: dict[str, list[dict[str, Any]]] = {key: [] for key in ways}
    for index in range(rounds):
        for key, way in ways.items():
            note(f"round {index + 1} of {rounds}: {way.name}")
            runs[key].append(run(way.job, **way.given))
    return {key: _summary(done) for key, done in runs.items()}


def _summary(runs: list[dict[str, Any]]) -> dict[str, float]:
    seconds = [one["seconds"] for one in runs]
    return {
        "seconds": statistics.median(seconds),
        "fastest": min(seconds),
        "slowest": max(seconds),
        "peak_mib": statistics.median(one["peak_mib"] for one in runs),
        "before_mib": statistics.median(one["before_mib"] for one in runs),
    }


# ---- the sections -------------------------------------------------------------------------------


def rendering(setup: Setup) -> None:
    """Rendering alone."""
    place = setup.scratch / "rendering"
    place.mkdir()
    records = place / "records.parquet"
    made = run(
        "rendering:make_records", data_dir=setup.data_dir, out=records, count=setup.scale.records
    )
    outs = {key: place / f"{key}.parquet" for key in ("kit19", "floor", "loop", "batched", "jinja")}
    given: dict[str, dict[str, Any]] = {
        key: {"records": records, "out": out} for key, out in outs.items()
    }
    given["floor"] = {"rendered": outs["kit19"], "out": outs["floor"]}
    for key in ("batched", "jinja"):
        given[key]["cache"] = place / "cache"
    ways = {
        "kit19": Way("kit19", "rendering:kit19_way", given["kit19"]),
        "floor": Way("floor: the same bytes read and written", "rendering:floor", given["floor"]),
        "loop": Way("plain Python loop, `str.format`", "rendering:python_loop", given["loop"]),
        "batched": Way(
            "`datasets.map(batched=True)`, plain Python",
            "rendering:datasets_batched",
            given["batched"],
        ),
        "jinja": Way(
            "`datasets.map`, Jinja compiled once", "rendering:datasets_jinja", given["jinja"]
        ),
    }
    found = measure(ways, setup.scale.rounds)
    others = [outs[key] for key in outs if key != "kit19"]
    same = run("rendering:same_rows", ours=outs["kit19"], others=[str(path) for path in others])
    setup.recorder.add(
        f"A. Rendering alone: {made['result']:,} NSMC records, 8 templates with particles",
        _ROW_HEADER,
        [_row(ways[key].name, found[key], found["kit19"]) for key in ways],
        rounds=setup.scale.rounds,
        notes=[f"Equal output: {same['result']:,} rows, all five ways."],
        targets=[
            at_least("`datasets.map` + Jinja, × kit19", _times(found, "jinja", "kit19"), 20),
            at_most("kit19, × the floor", _times(found, "kit19", "floor"), 3),
        ],
    )


def complete(setup: Setup) -> None:
    """The complete default build and its baselines."""
    place = setup.scratch / "complete"
    place.mkdir()
    data = {"data_dir": setup.data_dir}

    def ours(examine: str) -> Way:
        name = f"kit19, {_EXAMINED[examine]}"
        out = place / f"kit19-{examine}"
        return Way(name, "complete:kit19_way", {**data, "out": out, "examine": examine})

    def baseline(engine: str, examine: str) -> Way:
        name = f"{_ENGINES[engine]}, {_EXAMINED[examine]}"
        given = {"out": place / f"{engine}-{examine}.parquet", "engine": engine, "examine": examine}
        return Way(name, "baseline.build:build", {**data, **given})

    ways = {f"kit19-{examine}": ours(examine) for examine in _EXAMINED}
    ways |= {f"{e}-{examine}": baseline(e, examine) for e in _ENGINES for examine in _EXAMINED}
    found = measure(ways, setup.scale.rounds)
    outs = [str(way.given["out"]) for way in ways.values()]
    same = run("complete:same_rows", ours=outs[0], others=outs[1:])["result"]
    count = f"{sum(same.values()):,} rows of {len(same)} subsets"
    setup.recorder.add(
        "B. The complete default build over all files present",
        _ROW_HEADER,
        [_row(way.name, found[key], found["kit19-prefix"]) for key, way in ways.items()],
        rounds=setup.scale.rounds,
        notes=[f"Equal output: {count} (id, template, texts and label), all {len(ways)} ways."],
    )
    pairs = (("all", "all"), ("all", "prefix"), ("prefix", "prefix"))
    setup.recorder.add(
        "B. The baseline's time × kit19's",
        ["baseline", "both examine all", "kit19 as shipped", "both by prefix"],
        [
            [
                _ENGINES[engine],
                *(
                    f"{_times(found, f'{engine}-{theirs}', f'kit19-{own}'):.1f}"
                    for theirs, own in pairs
                ),
            ]
            for engine in _ENGINES
        ],
        rounds=setup.scale.rounds,
        targets=[
            at_least("both examine all", _times(found, "datasets-all", "kit19-all"), 8),
            at_least("kit19 as shipped", _times(found, "datasets-all", "kit19-prefix"), 15),
        ],
    )


def mixture(setup: Setup) -> None:
    """What caps that depend on all subsets cost: ``weights`` and ``per_task_cap``."""
    changes: dict[str, dict[str, Any]] = {
        "plain": {},
        "weights": {"weights": {"nsmc": 2, "kobest_copa": 0.5}},
        "per_task_cap": {"per_task_cap": 6000},
    }
    ways = {
        key: Way(
            f"`kit19` with `{key}`" if given else "`kit19`",
            "complete:kit19_way",
            {"data_dir": setup.data_dir, "out": setup.scratch / f"out-{key}", "changes": given},
        )
        for key, given in changes.items()
    }
    found = measure(ways, setup.scale.rounds)
    setup.recorder.add(
        "E. Mixtures: the caps depend on the sizes of all subsets",
        ["recipe", "seconds (fastest–slowest)", "× `kit19`", "peak MiB"],
        [
            [way.name, *_row(way.name, found[key], found["plain"])[1:3], f"{one['peak_mib']:,.0f}"]
            for (key, way), one in zip(ways.items(), found.values(), strict=True)
        ],
        rounds=setup.scale.rounds,
        targets=[
            at_most(f"`{key}`, × the build without", _times(found, key, "plain"), 1.15)
            for key in ("weights", "per_task_cap")
        ],
    )


def curve(setup: Setup) -> None:
    """Time by part as one source grows, at a fixed cap."""
    folder = setup.scratch / "curve"
    sizes = setup.scale.sizes
    run("curve:make_world", data_dir=setup.data_dir, folder=folder, sizes=list(sizes))
    runs: dict[int, list[dict[str, Any]]] = {size: [] for size in sizes}
    for index in range(setup.scale.rounds):
        for size in sizes:
            note(f"round {index + 1} of {setup.scale.rounds}: {size:,} records")
            runs[size].append(run("curve:measure", folder=folder, size=size))
    found = {}
    for size, done in runs.items():
        parts = {p: statistics.median(one["result"][p] for one in done) for p in _PARTS}
        found[str(size)] = {**parts, **_summary(done)}
    small, large = (found[str(size)]["rest"] for size in (sizes[0], sizes[-1]))
    growth = (
        f"From {sizes[0]:,} to {sizes[-1]:,} records ({sizes[-1] // sizes[0]} times as many) "
        f"what follows the cap takes {large / small:.1f} times as long."
    )
    setup.recorder.add(
        "C. One source, cap 5,000",
        ["records", *(f"{part} s" for part in _PARTS.values()), "all s", "peak MiB"],
        [
            [
                f"{size:,}",
                *(f"{found[str(size)][part]:.2f}" for part in [*_PARTS, "seconds"]),
                f"{found[str(size)]['peak_mib']:,.0f}",
            ]
            for size in sizes
        ],
        rounds=setup.scale.rounds,
        notes=[growth],
    )


def memory(setup: Setup) -> None:
    """Peak memory of builds, and the start-up time of the command line."""
    ways = {
        recipe: Way(
            f"`{recipe}`",
            "complete:kit19_way",
            {"data_dir": setup.data_dir, "out": setup.scratch / f"out-{recipe}", "recipe": recipe},
        )
        for recipe in ("kit19", "full")
    }
    found = measure(ways, setup.scale.rounds)
    setup.recorder.add(
        "D. Peak memory",
        ["recipe", "peak MiB", "seconds"],
        [
            [ways[key].name, f"{one['peak_mib']:,.0f}", f"{one['seconds']:.1f}"]
            for key, one in found.items()
        ],
        rounds=setup.scale.rounds,
        targets=[
            at_most("peak MiB, `kit19`", found["kit19"]["peak_mib"], 1024),
            at_most("peak MiB, `full`", found["full"]["peak_mib"], 2048),
        ],
    )
    _startup(setup)


def _startup(setup: Setup) -> None:
    script = str(Path(sys.executable).with_name("kit19"))
    commands = {
        "python -c 'import datasets'": [sys.executable, "-c", "import datasets"],
        "kit19 --help": [script, "--help"],
        "kit19 sources": [script, "sources"],
    }
    starts: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(setup.scale.startups + 1):
        for name, command in commands.items():
            starts[name].append(_wall(command))
    # The first round, which may read modules from disk, does not count.
    seconds = {name: statistics.median(taken[1:]) for name, taken in starts.items()}
    yardstick = seconds["python -c 'import datasets'"]
    setup.recorder.add(
        "D. Start-up of the command line",
        ["complete process", "seconds", "share of `import datasets`"],
        [[f"`{n}`", f"{s:.3f}", f"{s / yardstick:.2f}"] for n, s in seconds.items()],
        rounds=setup.scale.startups,
        targets=[
            at_most(f"share, `{name}`", seconds[name] / yardstick, 0.2)
            for name in ("kit19 --help", "kit19 sources")
        ],
    )


SECTIONS: dict[str, Callable[[Setup], None]] = {
    "rendering": rendering,
    "complete": complete,
    "mixture": mixture,
    "curve": curve,
    "memory": memory,
}

_EXAMINED = {"prefix": "only the prefix examined", "all": "every record examined"}
_ENGINES = {
    "datasets": "`datasets` + cached Jinja + sets",
    "python": "plain Python + cached Jinja + sets",
}
_PARTS = {
    "reading": "verify + read",
    "hashing": "hash, empty, duplicates",
    "benchmarks": "benchmarks (fixed)",
    "rest": "what follows the cap",
}
_ROW_HEADER = [
    "way",
    "seconds (fastest–slowest)",
    "× kit19",
    "peak MiB (before the work)",
    "× kit19",
]


# ---- cells --------------------------------------------------------------------------------------


def _row(name: str, one: dict[str, float], yardstick: dict[str, float]) -> list[str]:
    return [
        name,
        f"{one['seconds']:.2f} ({one['fastest']:.2f}–{one['slowest']:.2f})",
        f"{one['seconds'] / yardstick['seconds']:.1f}",
        f"{one['peak_mib']:,.0f} ({one['before_mib']:,.0f})",
        f"{one['peak_mib'] / yardstick['peak_mib']:.1f}",
    ]


def _times(found: dict[str, Any], one: str, other: str) -> float:
    return float(found[one]["seconds"] / found[other]["seconds"])


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _wall(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.build", description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    add_arguments(parser)
    args = parser.parse_args()
    recorder = Recorder("build", MEASURED)
    scratch = Path(tempfile.mkdtemp(prefix="kit19-bench-"))
    try:
        scale = QUICK if args.quick else FULL
        setup = Setup(args.data_dir.resolve(), scratch, scale, recorder)
        for name in args.only:
            SECTIONS[name](setup)
    finally:
        shutil.rmtree(scratch)
    recorder.write(results_folder(args))


if __name__ == "__main__":
    main()
