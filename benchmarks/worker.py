"""Measure one job in a separate process: ``python -m benchmarks.worker MODULE:FUNCTION JSON``.

A job is a function that imports and prepares what is needed, and returns the work: a function without
arguments. Only the work is timed. The peak is the process's own (``ru_maxrss``), imports included, so
every job gets a fresh process. ``before_mib`` is the peak before the work began.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent


def run(job: str, checkout: Path | None = None, **given: Any) -> dict[str, Any]:
    """Run a job in a fresh process.

    The caller must be small itself: on Linux a child's ``ru_maxrss`` begins with its parent's.

    Args:
        job: ``module:function`` below this package.
        checkout: The root of another checkout, whose ``kit19`` the job imports; default: this one's.
        given: Its arguments (JSON; a Path is passed as its text).

    Returns:
        ``seconds``, ``cpu_seconds`` (of all threads), ``peak_mib``, ``before_mib`` and the work's
        ``result``.

    Raises:
        RuntimeError: The job failed; what it wrote is in the message.
    """
    command = [sys.executable, "-m", "benchmarks.worker", job, json.dumps(given, default=str)]
    env = {**os.environ, "PYTHONPATH": str((checkout or REPOSITORY).resolve() / "src")}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its byte code
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=REPOSITORY, env=env, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{job} failed:\n{done.stdout}{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def peak_mib() -> float:
    """The most memory that this process has held, in MiB."""
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10  # macOS counts in bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / (1 << 20)


def main() -> None:
    module, _, function = sys.argv[1].partition(":")
    prepare = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    work = prepare(**json.loads(sys.argv[2]))
    gc.collect()
    before = peak_mib()
    start, used = time.perf_counter(), time.process_time()
    result = work()
    seconds, cpu = time.perf_counter() - start, time.process_time() - used
    measured = {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_mib": peak_mib(),
        "before_mib": before,
        "result": result,
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
