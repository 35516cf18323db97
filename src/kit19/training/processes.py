"""Several processes that train one model, as accelerate or torchrun start them: who writes, who waits.

Every process runs the whole of a training; only what touches the disk is done by one of them. They are
told apart by the variables that both launchers set, so that asking needs no torch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def world_size() -> int:
    """Processes that train together, one a device."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def local_rank() -> int:
    """Which of this machine's processes this is: the number of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def is_main() -> bool:
    """Whether this is the one process that writes the run's folder, and prints."""
    return os.environ.get("RANK", "0") == "0"


def is_sharded() -> bool:
    """Whether weights are spread over the processes, so that none has the whole model."""
    return any(
        os.environ.get(name, "").lower() == "true"
        for name in ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")
    )


def wait_for_all() -> None:
    """Until every process is here."""
    if world_size() > 1:
        _state().wait_for_everyone()


@contextmanager
def main_process_first() -> Iterator[None]:
    """On each machine one process first: what it leaves in the cache, the others find there."""
    if world_size() == 1:
        yield
        return
    with _state().local_main_process_first():
        yield


def broadcast(value: Any) -> Any:
    """What the main process found, in every process; what the others give is ignored."""
    if world_size() == 1:
        return value
    from accelerate.utils import broadcast_object_list  # noqa: PLC0415

    _state()  # joins the group that broadcasts
    return broadcast_object_list([value])[0]


def shut_down() -> None:
    """End what the processes share."""
    if world_size() > 1:
        _state().destroy_process_group()


def _state() -> Any:
    import torch  # noqa: PLC0415  only where there are several processes
    from accelerate import PartialState  # noqa: PLC0415

    return PartialState(cpu=not torch.cuda.is_available())
