"""Coordinate several processes that train one model, as accelerate or torchrun start them.

Every process runs the complete training, and one of them writes to disk. Environment variables of the
launchers identify the processes, so most functions here do not need torch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def world_size() -> int:
    """The number of processes that train together, one per device."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def local_rank() -> int:
    """The index of this process on its machine, which is the index of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def is_main() -> bool:
    """Whether this process writes the run folder and prints."""
    return os.environ.get("RANK", "0") == "0"


def is_sharded() -> bool:
    """Whether weights are sharded over the processes, so that none has the complete model."""
    return any(
        os.environ.get(name, "").lower() == "true"
        for name in ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")
    )


def wait_for_all() -> None:
    """Wait until every process gets here."""
    if world_size() > 1:
        _partial_state().wait_for_everyone()


@contextmanager
def main_process_first() -> Iterator[None]:
    """Run a block in one process per machine first; the others then find its results in the cache."""
    if world_size() == 1:
        yield
        return
    with _partial_state().local_main_process_first():
        yield


def broadcast(value: Any) -> Any:
    """Return the main process's value in every process; the values of the others are ignored."""
    if world_size() == 1:
        return value
    from accelerate.utils import broadcast_object_list  # noqa: PLC0415

    _partial_state()  # joins the process group
    return broadcast_object_list([value])[0]


def shut_down() -> None:
    """Close the process group."""
    if world_size() > 1:
        _partial_state().destroy_process_group()


def _partial_state() -> Any:
    import torch  # noqa: PLC0415  only where there are several processes
    from accelerate import PartialState  # noqa: PLC0415

    return PartialState(cpu=not torch.cuda.is_available())
