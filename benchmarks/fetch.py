"""How fast ``kit19 fetch`` is beside curl, from one server on this machine.

    python -m benchmarks.fetch              one file of 512 MB; 300 files of 20 kB
    python -m benchmarks.fetch --quick      small sizes, one round

The server is a process of its own and the same for all ways. kit19's time is that of the call
(reading cards, asking, writing, sha256 of every byte, naming), and beside it that of the whole
command, start included. curl's is that of its processes, which check nothing. Each round starts with
an empty cache and an empty folder, and waits (a minute at most) until others use less than a tenth of
the processors; rounds are interleaved.
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
    """Files of random bytes, and a card that knows their digests."""
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
    """Seconds of the call; of the command's whole process, start included, if ``whole``."""
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


def wait_for_quiet(most: float = 60.0) -> None:
    """Wait until others leave the processors alone (Linux), but not for ever."""
    stat, until = Path("/proc/stat"), time.monotonic() + most

    def spent() -> tuple[int, int]:
        ticks = [int(cell) for cell in stat.read_text("ascii").split("\n")[0].split()[1:]]
        return sum(ticks) - ticks[3] - ticks[4], sum(ticks)

    while stat.exists() and time.monotonic() < until:
        busy, ticks = spent()
        time.sleep(0.5)
        busy_then, ticks_then = spent()
        if busy_then - busy < 0.1 * (ticks_then - ticks):
            return


def compare(
    title: str, root: Path, ways: dict[str, Callable[[], float]], rounds: int, total: int
) -> list[str]:
    """A table: seconds (median, fastest, slowest), rate, and kit19's rate beside each way's."""
    times: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds):
        order = list(ways) if number % 2 else list(reversed(ways))
        for way in order:
            shutil.rmtree(root / "out", ignore_errors=True)
            (root / "out").mkdir()
            os.sync()  # what an earlier way wrote is not this one's to wait for
            wait_for_quiet()
            times[way].append(ways[way]())
            print(f"{title}: round {number + 1}, {way}: {times[way][-1]:.3f} s", file=sys.stderr)
    ours = statistics.median(times[OURS])
    lines = [f"**{title}**, {rounds} rounds", ""]
    lines += ["| way | median s | fastest–slowest | MB/s | kit19's rate beside it |"]
    lines += ["|---|---:|---:|---:|---:|"]
    for way, took in times.items():
        median = statistics.median(took)
        lines.append(
            f"| {way} | {median:.3f} | {min(took):.3f}–{max(took):.3f} | {total / median / 1e6:,.0f} "
            f"| {median / ours:.2f}× |"
        )
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    size, count = (8 << 20, 20) if options.quick else (512_000_000, 300)
    rounds = 1 if options.quick else options.rounds
    root = Path(tempfile.mkdtemp(prefix="kit19-fetch-"))
    try:
        large, many = make(root, "large", 1, size), make(root, "many", count, 20_000)
        with serving(root / "served") as base:
            whole = f"{OURS}: the whole command"
            one = {
                OURS: lambda: kit19(root, "large", base),
                whole: lambda: kit19(root, "large", base, whole=True),
                "curl": lambda: curl_all(root, large, base),
                "curl, then sha256 of what came": lambda: curl_checked(root, large, base),
            }
            lot = {
                OURS: lambda: kit19(root, "many", base),
                whole: lambda: kit19(root, "many", base, whole=True),
                "curl, once a file": lambda: curl_each(root, many, base),
                "curl, all in one call": lambda: curl_all(root, many, base),
                "curl, all in one call, --parallel": lambda: curl_all(root, many, base, "-Z"),
            }
            lines = compare(f"One file of {size:,} bytes", root, one, rounds, size)
            title = f"{count} files of 20,000 bytes"
            lines += compare(title, root, lot, rounds, count * 20_000)
        print("\n".join(lines))
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
