"""How fast ``kit19 fetch`` is next to curl, from one server on this machine.

    python -m benchmarks.fetch              one file of 512 MB; 300 files of 20 kB
    python -m benchmarks.fetch --quick      small sizes, one round

The server is a separate process, the same for all ways. kit19's time is that of the call (reading
cards, requesting and writing bytes, sha256 of every byte, naming files). A second row has the time of
the complete command, including Python's start. curl's time is that of its processes, without checks.
Each round starts with an empty cache and an empty folder. It waits (a minute at most; not at all with a
single round) until other processes use less than a tenth of the processors. Rounds are interleaved.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import socketserver
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from benchmarks.results import (
    QUIET,
    Recorder,
    add_arguments,
    at_least,
    busy_seconds_of_others,
    results_folder,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
INNER = f"raw.githubusercontent.com/someone/data/{COMMIT}"
CARD = """\
id: {id}
title: t
about: a
license: {{spdx: CC0-1.0, commercial: yes, redistribution: yes, derivatives: yes, stated_in: here}}
citation: c
notice: n
origins: [{{kind: github, repo: someone/data, revision: {commit}}}]
tables:
  rows:
    read: {{format: jsonl}}
    files:
      train:
{files}
    columns: {{id: id}}
"""
OURS = "kit19 fetch, every file checked"
COMMAND = f"{OURS}: the complete command"
CURL, CURL_EACH = "curl", "curl, once a file"
CALL = (
    "import sys, time; from pathlib import Path\n"
    "from kit19.fetching.sources import fetch_sources\n"
    "began = time.perf_counter()\n"
    "done = fetch_sources([sys.argv[1]], data_dir=Path(sys.argv[3]), catalog=Path(sys.argv[2]))\n"
    "assert {one.outcome for one in done} == {'fetched'}, done\n"
    "print(time.perf_counter() - began)\n"
)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # as servers do; else each answer waits 40 ms for an ACK
    root: Path

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's signature
        """Say nothing."""

    def do_GET(self) -> None:
        path = self.root / Path(self.path).name
        self.send_response_only(200)
        self.send_header("Content-Length", str(path.stat().st_size))
        self.send_header("ETag", f'"{path.name}"')
        self.end_headers()
        self.wfile.flush()
        with path.open("rb") as file:
            self.connection.sendfile(file)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64


def serve(root: Path) -> None:
    """Serve a folder's files until killed; the port is the first line of stdout."""
    _Handler.root = root
    with _Server(("127.0.0.1", 0), _Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


@contextmanager
def serving(root: Path) -> Iterator[str]:
    """The server's address."""
    command = [sys.executable, "-m", "benchmarks.fetch", "--serve", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def make(root: Path, name: str, count: int, size: int) -> list[str]:
    """Create files of random bytes, and a card with their digests."""
    (root / "served").mkdir(exist_ok=True)
    (root / "catalog" / "sources").mkdir(parents=True, exist_ok=True)
    entries, names = [], []
    for number in range(count):
        path = root / "served" / f"{name}-{number}.jsonl"
        digest = hashlib.sha256()
        with path.open("wb") as file:
            for start in range(0, size, 1 << 20):
                piece = os.urandom(min(1 << 20, size - start))
                digest.update(piece)
                file.write(piece)
        names.append(path.name)
        entries.append(
            f"        - {{path: {path.name}, bytes: {size}, sha256: {digest.hexdigest()}}}"
        )
    card = CARD.format(id=name, commit=COMMIT, files="\n".join(entries))
    (root / "catalog" / "sources" / f"{name}.yaml").write_text(card, "utf-8")
    return names


def kit19(root: Path, name: str, base: str, *, whole: bool = False) -> float:
    """Measure the seconds of the call; with ``whole``, of the complete process."""
    environment = {**os.environ, "KIT19_MIRROR": base, "KIT19_CACHE": str(root / "out" / "cache")}
    cards, data = str(root / "catalog"), str(root / "out" / "data")
    command = [sys.executable, "-c", CALL, name, cards, data]
    if whole:
        command = [sys.executable, "-m", "kit19", "fetch", name, "--catalog", cards]
        command += ["--data-dir", data, "--quiet"]
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return time.perf_counter() - began if whole else float(done.stdout)


def curl_each(root: Path, names: list[str], base: str) -> float:
    began = time.perf_counter()
    for name in names:
        out = root / "out" / name
        subprocess.run(["curl", "-sf", "-o", str(out), f"{base}/{INNER}/{name}"], check=True)  # noqa: S607
    return time.perf_counter() - began


def curl_all(root: Path, names: list[str], base: str, *more: str) -> float:
    command = ["curl", "-sf", *more]
    for name in names:
        command += ["-o", str(root / "out" / name), f"{base}/{INNER}/{name}"]
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began


def curl_checked(root: Path, names: list[str], base: str) -> float:
    took = curl_all(root, names, base)
    began = time.perf_counter()
    with (root / "out" / names[0]).open("rb") as file:
        hashlib.file_digest(file, "sha256")
    return took + time.perf_counter() - began


def wait_for_quiet(most: float) -> None:
    """Wait until other processes leave the processors alone, ``most`` seconds at most."""
    until = time.monotonic() + most
    while time.monotonic() < until:
        before = busy_seconds_of_others()
        time.sleep(0.5)
        after = busy_seconds_of_others()
        if before is None or after is None or after - before < QUIET * 0.5 * (os.cpu_count() or 1):
            return


Times = dict[str, list[float]]


def measure(title: str, root: Path, ways: dict[str, Callable[[], float]], rounds: int) -> Times:
    """Seconds of each way in each round."""
    times: Times = {way: [] for way in ways}
    for number in range(rounds):
        order = list(ways) if number % 2 else list(reversed(ways))
        for way in order:
            shutil.rmtree(root / "out", ignore_errors=True)
            (root / "out").mkdir()
            os.sync()  # no way waits for what an earlier one wrote
            wait_for_quiet(0 if rounds == 1 else 60)
            times[way].append(ways[way]())
            print(f"{title}: round {number + 1}, {way}: {times[way][-1]:.3f} s", file=sys.stderr)
    return times


def rows_of(times: Times, total: int) -> list[list[str]]:
    """Seconds (median, fastest, slowest), the rate, and kit19's rate over it."""
    middle = {way: statistics.median(taken) for way, taken in times.items()}
    return [
        [
            way,
            f"{middle[way]:.3f}",
            f"{min(taken):.3f}–{max(taken):.3f}",
            f"{total / middle[way] / 1e6:,.0f}",
            f"{middle[way] / middle[OURS]:.2f}×",
        ]
        for way, taken in times.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    add_arguments(parser)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    size, count = (8 << 20, 20) if options.quick else (512_000_000, 300)
    rounds = 1 if options.quick else options.rounds
    titles = f"One file of {size:,} bytes", f"{count} files of 20,000 bytes"
    recorder = Recorder("fetch", ["httpx"])
    root = Path(tempfile.mkdtemp(prefix="kit19-fetch-"))
    try:
        large, many = make(root, "large", 1, size), make(root, "many", count, 20_000)
        with serving(root / "served") as base:
            of_large = measure(titles[0], root, large_ways(root, large, base), rounds)
            of_many = measure(titles[1], root, many_ways(root, many, base), rounds)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    columns = ["way", "median s", "fastest–slowest", "MB/s", "kit19's rate over it"]
    rate, speed = (
        statistics.median(times[way]) / statistics.median(times[OURS])
        for times, way in ((of_large, CURL), (of_many, CURL_EACH))
    )
    recorder.add(
        titles[0],
        columns,
        rows_of(of_large, size),
        rounds=rounds,
        targets=[at_least("kit19's rate over curl's, one large file", rate, 0.8)],
    )
    recorder.add(
        titles[1],
        columns,
        rows_of(of_many, count * 20_000),
        rounds=rounds,
        targets=[at_least("kit19's rate over curl's, once a file", speed, 1)],
    )
    recorder.write(results_folder(options))


def large_ways(root: Path, names: list[str], base: str) -> dict[str, Callable[[], float]]:
    return {
        OURS: lambda: kit19(root, "large", base),
        COMMAND: lambda: kit19(root, "large", base, whole=True),
        CURL: lambda: curl_all(root, names, base),
        "curl, then sha256 of the file": lambda: curl_checked(root, names, base),
    }


def many_ways(root: Path, names: list[str], base: str) -> dict[str, Callable[[], float]]:
    return {
        OURS: lambda: kit19(root, "many", base),
        COMMAND: lambda: kit19(root, "many", base, whole=True),
        CURL_EACH: lambda: curl_each(root, names, base),
        "curl, all in one call": lambda: curl_all(root, names, base),
        "curl, all in one call, --parallel": lambda: curl_all(root, names, base, "-Z"),
    }


if __name__ == "__main__":
    main()
