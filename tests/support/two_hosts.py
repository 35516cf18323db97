"""Two hosts that train one model: ``main``, as a program with the arguments DATA PRESET FOLDER.

Each host is an agent of torchrun (elastic launch, rendezvous over c10d on loopback) with one worker. A
run goes through whole; another loses its second host after some steps, agent and worker at once, and is
started again. Agents and workers are forks of this process, so that torch is imported once.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import uuid
from pathlib import Path
from typing import Any

from torch.distributed.launcher.api import LaunchConfig, elastic_launch

import kit19.training.run.trainer  # noqa: F401  imported once, for all forks
from kit19 import load_preset, read_run, train
from tests.support.network import unused_port

LOST_AFTER = 3  # steps


def work(data: str, preset: str, run: str, loses: bool) -> None:
    """One worker. The first, which alone hears of steps, may take the second host down."""
    import torch

    torch.set_num_threads(1)
    second = Path(f"{run}.second")
    if os.environ["GROUP_RANK"] == "1":
        second.write_text(f"{os.getppid()} {os.getpid()}")

    def step(what: str, done: int, _total: int) -> None:
        if loses and what.startswith("training") and done == LOST_AFTER:
            for process in second.read_text().split():  # the agent, then its worker
                os.kill(int(process), signal.SIGKILL)

    train(data, run, load_preset(preset), on_progress=step)


def host(number: int, port: int, job: str, arguments: tuple[Any, ...]) -> None:
    """One host: an agent of torchrun."""
    config = LaunchConfig(
        min_nodes=2,
        max_nodes=2,
        nproc_per_node=1,
        run_id=job,
        rdzv_backend="c10d",
        rdzv_endpoint=f"127.0.0.1:{port}",
        rdzv_configs={"is_host": number == 0, "timeout": 300},
        local_addr="127.0.0.1",
        max_restarts=0,
        monitor_interval=0.1,
        start_method="fork",
    )
    elastic_launch(config, work)(*arguments)


def hosts(*arguments: Any) -> list[int]:
    """Start both hosts and wait for them; their exit codes."""
    context = multiprocessing.get_context("fork")
    port, job = unused_port(), uuid.uuid4().hex
    # Not daemons, which may have no children.
    processes = [
        context.Process(target=host, args=(number, port, job, arguments), daemon=False)
        for number in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [int(process.exitcode or 0) for process in processes]


def main() -> None:
    data, preset, folder = sys.argv[1:]
    whole, cut = f"{folder}/whole", f"{folder}/cut"
    document: dict[str, Any] = {"whole": hosts(data, preset, whole, False)}
    document["lost"] = hosts(data, preset, cut, True)
    left = sorted(path.name for path in (Path(cut) / "checkpoints").glob("checkpoint-*"))
    document["checkpoints"] = left
    document["again"] = hosts(data, preset, cut, False)
    record = read_run(Path(cut))
    document["devices"] = record.settings["devices"] if record else None
    (Path(folder) / "hosts.json").write_text(json.dumps(document), encoding="utf-8")
