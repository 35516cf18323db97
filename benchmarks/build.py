"""``python -m benchmarks.build``: kit19 against its peers, in one run.

Every measurement is a process of its own (``worker.py``), rounds are interleaved, figures are medians.
Equal output is asserted; times are shown beside what was asked of them, never asserted. This process
imports nothing heavy, so that no child inherits its peak.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
class World:
    """Where things lie, and how much is measured."""

    data_dir: Path
    scratch: Path
    scale: Scale


@dataclass(frozen=True)
class Way:
    """One way to do the work: its name for people, and a job."""

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


def rendering(world: World) -> dict[str, Any]:
    """Rendering alone."""
    place = world.scratch / "rendering"
    place.mkdir()
    records = place / "records.parquet"
    made = run(
        "rendering:make_records", data_dir=world.data_dir, out=records, count=world.scale.records
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
    found = measure(ways, world.scale.rounds)
    others = [outs[key] for key in outs if key != "kit19"]
    same = run("rendering:same_rows", ours=outs["kit19"], others=[str(path) for path in others])
    heading(f"A. Rendering alone: {made['result']:,} NSMC records, 8 templates with particles")
    table(_ROW_HEADER, [_row(ways[key].name, found[key], found["kit19"]) for key in ways])
    print(f"\nEqual output: {same['result']:,} rows, all five ways.")
    asked("times kit19, `datasets.map` + Jinja", _times(found, "jinja", "kit19"), at_least=20)
    asked("kit19, times the floor", _times(found, "kit19", "floor"), at_most=3)
    return found


def whole(world: World) -> dict[str, Any]:
    """The whole default build against its peers."""
    place = world.scratch / "whole"
    place.mkdir()
    data = {"data_dir": world.data_dir}

    def ours(examine: str) -> Way:
        name = f"kit19, {_EXAMINED[examine]}"
        out = place / f"kit19-{examine}"
        return Way(name, "whole:kit19_way", {**data, "out": out, "examine": examine})

    def peer(engine: str, examine: str) -> Way:
        name = f"{_ENGINES[engine]}, {_EXAMINED[examine]}"
        given = {"out": place / f"{engine}-{examine}.parquet", "engine": engine, "examine": examine}
        return Way(name, "baseline.build:build", {**data, **given})

    ways = {f"kit19-{examine}": ours(examine) for examine in _EXAMINED}
    ways |= {f"{e}-{examine}": peer(e, examine) for e in _ENGINES for examine in _EXAMINED}
    found = measure(ways, world.scale.rounds)
    outs = [str(way.given["out"]) for way in ways.values()]
    same = run("whole:same_rows", ours=outs[0], others=outs[1:])["result"]
    heading("B. The whole default build over all files present")
    table(
        _ROW_HEADER,
        [_row(way.name, found[key], found["kit19-prefix"]) for key, way in ways.items()],
    )
    count = f"{sum(same.values()):,} rows of {len(same)} subsets"
    print(f"\nEqual output: {count} (id, template, texts and label), all {len(ways)} ways.\n")
    pairs = (("all", "all"), ("all", "prefix"), ("prefix", "prefix"))
    grid = [
        [
            _ENGINES[engine],
            *(
                f"{_times(found, f'{engine}-{theirs}', f'kit19-{mine}'):.1f}"
                for theirs, mine in pairs
            ),
        ]
        for engine in _ENGINES
    ]
    table(["peer's time × kit19's", "both examine all", "kit19 as shipped", "both by prefix"], grid)
    print()
    asked("both examine all", _times(found, "datasets-all", "kit19-all"), at_least=8)
    asked("kit19 as shipped", _times(found, "datasets-all", "kit19-prefix"), at_least=15)
    return {**found, "rows": same}


def curve(world: World) -> dict[str, Any]:
    """Time by part as one source grows, at a fixed cap."""
    folder = world.scratch / "curve"
    sizes = world.scale.sizes
    run("curve:make_world", data_dir=world.data_dir, folder=folder, sizes=list(sizes))
    runs: dict[int, list[dict[str, Any]]] = {size: [] for size in sizes}
    for index in range(world.scale.rounds):
        for size in sizes:
            note(f"round {index + 1} of {world.scale.rounds}: {size:,} records")
            runs[size].append(run("curve:measure", folder=folder, size=size))
    found = {}
    for size, done in runs.items():
        parts = {p: statistics.median(one["result"][p] for one in done) for p in _PARTS}
        found[str(size)] = {**parts, **_summary(done)}
    heading("C. One source, 10 thousand to 1 million records, cap 5,000")
    names = ["records", *(f"{part} s" for part in _PARTS.values()), "all s", "peak MiB"]
    rows = [
        [
            f"{size:,}",
            *(f"{found[str(size)][p]:.2f}" for p in [*_PARTS, "seconds"]),
            f"{found[str(size)]['peak_mib']:,.0f}",
        ]
        for size in sizes
    ]
    table(names, rows)
    small, large = (found[str(size)]["rest"] for size in (sizes[0], sizes[-1]))
    print(
        f"\nFrom {sizes[0]:,} to {sizes[-1]:,} records ({sizes[-1] // sizes[0]} times as many) "
        f"what follows the cap takes {large / small:.1f} times as long."
    )
    return found


def memory(world: World) -> dict[str, Any]:
    """Peak memory of builds, and how soon the command line answers."""
    ways = {
        recipe: Way(
            f"`{recipe}`",
            "whole:kit19_way",
            {"data_dir": world.data_dir, "out": world.scratch / f"out-{recipe}", "recipe": recipe},
        )
        for recipe in ("kit19", "full")
    }
    found: dict[str, Any] = measure(ways, world.scale.rounds)
    heading("D. Peak memory, and start-up")
    rows = [
        [ways[key].name, f"{found[key]['peak_mib']:,.0f}", f"{found[key]['seconds']:.1f}"]
        for key in ways
    ]
    table(["recipe", "peak MiB", "seconds"], rows)
    print()
    asked("peak MiB, `kit19`", found["kit19"]["peak_mib"], at_most=1024)
    asked("peak MiB, `full`", found["full"]["peak_mib"], at_most=2048)
    script = str(Path(sys.executable).with_name("kit19"))
    commands = {
        "python -c 'import datasets'": [sys.executable, "-c", "import datasets"],
        "kit19 --help": [script, "--help"],
        "kit19 sources": [script, "sources"],
    }
    starts: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(world.scale.startups + 1):
        for name, command in commands.items():
            starts[name].append(_wall(command))
    # The first round, which may read modules from disk, does not count.
    found["startup"] = {name: statistics.median(taken[1:]) for name, taken in starts.items()}
    yardstick = found["startup"]["python -c 'import datasets'"]
    print()
    table(
        ["command (whole process)", "seconds", "share of `import datasets`"],
        [[f"`{n}`", f"{s:.3f}", f"{s / yardstick:.2f}"] for n, s in found["startup"].items()],
    )
    print()
    for name in ("kit19 --help", "kit19 sources"):
        asked(f"share, `{name}`", found["startup"][name] / yardstick, at_most=0.2)
    return found


SECTIONS: dict[str, Callable[[World], dict[str, Any]]] = {
    "rendering": rendering,
    "whole": whole,
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


# ---- telling ------------------------------------------------------------------------------------


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


def asked(
    what: str, value: float, *, at_least: float | None = None, at_most: float | None = None
) -> None:
    """Show a figure beside its bound. It is not asserted: a busy machine is no mistake."""
    met = value >= at_least if at_least is not None else value <= (at_most or 0)
    sign, bound = ("≥", at_least) if at_least is not None else ("≤", at_most)
    shown = f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
    print(f"- {what}: {shown} (asked: {sign} {bound:g}; {'met' if met else 'NOT MET'})")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def heading(text: str) -> None:
    print(f"\n### {text}\n", flush=True)


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _wall(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def conditions(scale: Scale) -> dict[str, Any]:
    """The machine and the versions, without a name or a path."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    load = os.getloadavg()[0]
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(pages / (1 << 30), 1),
        "machine": f"{platform.system()} {platform.machine()}",
        "load_before": round(load, 1),
        "rounds": scale.rounds,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in MEASURED},
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.build", description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    parser.add_argument("--quick", action="store_true", help="small sizes, one round")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    args = parser.parse_args()
    scale = QUICK if args.quick else FULL
    about = conditions(scale)
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    if args.quick:
        print("\nQuick: sizes so small that start-up shows, and one round. Not for quoting.")
    found: dict[str, Any] = {"conditions": about}
    scratch = Path(tempfile.mkdtemp(prefix="kit19-bench-"))
    try:
        world = World(args.data_dir.resolve(), scratch, scale)
        for name in args.only:
            found[name] = SECTIONS[name](world)
    finally:
        shutil.rmtree(scratch)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
