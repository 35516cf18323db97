"""``kit19 train`` with FSDP 2 on processors, in processes that torchrun starts.

accelerate shards models on accelerators only; on processors it trains with DDP and says nothing.
torch's FSDP 2 runs on both, so accelerate's state says here that the processes have accelerators.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType
from torch.distributed._functional_collectives import AsyncCollectiveTensor

from kit19 import load_preset, train
from kit19.training.processes import is_main
from kit19.training.run.trainer import AnswerTrainer

AFTER = 2
"""The step after which a copy of the run's files is made, as they would be if it were killed."""
SHARDED = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "true",
    "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
}
"""The settings of ``accelerate/fsdp.yaml``, as ``accelerate launch`` passes them on."""


def shard_on_processors() -> None:
    """Make accelerate shard models on processors."""
    prepare, gather = AcceleratorState.__init__, Accelerator.get_state_dict

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        state = PartialState(cpu=True)._shared_state
        if state["distributed_type"] == DistributedType.MULTI_CPU:
            state["distributed_type"] = DistributedType.MULTI_GPU
        prepare(self, *args, **kwargs)
        state["distributed_type"] = self.distributed_type  # FSDP

    def get_state_dict(self: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        # Moving weights from a GPU waits for them; on a processor nothing is moved.
        found = gather(self, *args, **kwargs)
        return {
            name: one.wait() if isinstance(one, AsyncCollectiveTensor) else one
            for name, one in found.items()
        }

    AcceleratorState.__init__ = init
    Accelerator.get_state_dict = get_state_dict


def check_sharded() -> None:
    """Require that each process holds a part of the weights when training begins."""
    begin = AnswerTrainer._run_epoch

    def run_epoch(self: Any, *args: Any, **kwargs: Any) -> Any:
        weights = list(self.model.parameters())
        assert all(isinstance(one, torch.distributed.tensor.DTensor) for one in weights)
        assert sum(one.to_local().numel() for one in weights) < 0.6 * sum(map(torch.numel, weights))
        return begin(self, *args, **kwargs)

    AnswerTrainer._run_epoch = run_epoch  # type: ignore[method-assign]  # for this process


def main(rows: str, preset: str, out: str, killed: str) -> None:
    """Train into a folder, and copy it in the middle."""
    shard_on_processors()
    check_sharded()

    def copy(what: str, done: int, _total: int) -> None:
        if what.startswith("training") and done == AFTER and is_main():
            shutil.copytree(out, killed)

    train(rows, Path(out), load_preset(preset), on_progress=copy)


if __name__ == "__main__":
    main(*sys.argv[1:])
