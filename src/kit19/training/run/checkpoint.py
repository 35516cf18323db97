"""Complete checkpoints: written under a temporary name first, and restored to the last tensor.

transformers saves the output head of GPT-NeoX as ``embed_out.weight``. When its Trainer resumes, or
loads the best checkpoint, it looks for ``lm_head.weight``, finds none, warns and continues with the
current head (docs/upstream/neox_resume.md). So weights are loaded here with ``from_pretrained``,
which maps the names, and a missing tensor is an error.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path
from typing import Any

from kit19.core.errors import Problem, TrainError, first_line
from kit19.core.runs import CHECKPOINTS

UNFINISHED = ".unfinished"
"""In ``CHECKPOINTS``: the checkpoint that is being written."""
LOSSES = "losses.json"
"""In a checkpoint: training losses that are not logged yet."""

_OPTIMIZER = "optimizer.pt"  # of a model that is not sharded
_NAME = re.compile(r"checkpoint-(\d+)")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_TORCH_FULL = ("file write failed", "inline_container", "PytorchStreamWriter failed writing")


def complete_checkpoints(run: Path) -> list[Path]:
    """The checkpoints of a run, oldest first. They are complete: each gets its name at the end."""
    folder = run / CHECKPOINTS
    found = [path for path in folder.glob("checkpoint-*") if _NAME.fullmatch(path.name)]
    return sorted(found, key=step_of)


def step_of(checkpoint: Path) -> int:
    """The step after which a checkpoint was written."""
    match = _NAME.fullmatch(checkpoint.name)
    return int(match[1]) if match else -1


def checkpoint_at(run: Path, step: int) -> Path:
    """The path of the checkpoint of a step."""
    return run / CHECKPOINTS / f"checkpoint-{step}"


def unfinished(run: Path, step: int) -> Path:
    """The temporary path of the checkpoint of a step."""
    return run / CHECKPOINTS / UNFINISHED / f"checkpoint-{step}"


def finish_checkpoint(run: Path, step: int) -> Path:
    """Sync a checkpoint to disk, and move it to its final path."""
    written = unfinished(run, step)
    for path in written.rglob("*"):
        if path.is_file():
            with path.open("rb+") as stream:
                os.fsync(stream.fileno())
    place = checkpoint_at(run, step)
    if place.exists():  # written again after resuming from an earlier checkpoint
        shutil.rmtree(place)
    written.rename(place)
    return place


def remove_unfinished(run: Path) -> None:
    """Remove the checkpoint that an interrupted run was writing."""
    shutil.rmtree(run / CHECKPOINTS / UNFINISHED, ignore_errors=True)


def remove_old(run: Path, keep: int, best: int | None) -> None:
    """Remove all checkpoints except the best and the last ``keep``."""
    for path in complete_checkpoints(run)[:-keep]:
        if step_of(path) != best:
            shutil.rmtree(path)


def check_form(checkpoint: Path, *, sharded: bool) -> None:
    """Check that a run can load a checkpoint's optimizer: its states are in another form if sharded.

    Args:
        checkpoint: A complete checkpoint.
        sharded: Whether the run shards its model over processes (FSDP, DeepSpeed).

    Raises:
        TrainError: The checkpoint was written by the other kind of run.
    """
    was = not (checkpoint / _OPTIMIZER).is_file()
    if was == sharded:
        return
    kinds = "a run without FSDP or DeepSpeed", "a run that shards its model (FSDP, DeepSpeed)"
    what = f"was written by {kinds[was]}, and {kinds[sharded]} cannot load its optimizer"
    how = "accelerate launch --config_file fsdp.yaml …" if was else "kit19 train, or torchrun"
    fix = f"resume it as it was started ({how}), or start again with --restart"
    raise TrainError(Problem(what, str(checkpoint), fix))


def restore(model: Any, checkpoint: Path) -> None:
    """Load a checkpoint's weights into a model without an adapter.

    Raises:
        TrainError: The tensors of model and checkpoint are not the same.
    """
    loaded, info = type(model).from_pretrained(
        checkpoint, dtype=model.dtype, output_loading_info=True
    )
    wrong = sorted([*info["missing_keys"], *info["unexpected_keys"]])
    if wrong or info["mismatched_keys"]:
        what = f"does not match the model: {', '.join(wrong[:3]) or 'shapes differ'}"
        fix = "start again with --restart"
        raise TrainError(Problem(what, str(checkpoint), fix))
    model.load_state_dict(loaded.state_dict(), strict=True)


def explain_write_error(error: BaseException, run: Path) -> TrainError:
    """The error for a failed write, with the last complete checkpoint."""
    what = "the disk is full" if is_disk_full(error) else f"cannot be written: {first_line(error)}"
    found = complete_checkpoints(run)
    state = f"{found[-1].name} is complete" if found else "there is no checkpoint yet"
    fix = f"{state}; free some space and run the same command again to resume"
    return TrainError(Problem(what, str(run), fix))


def is_disk_full(error: BaseException) -> bool:
    """Whether an error means that the disk is full: Python's, safetensors' or torch's."""
    # safetensors gives the error number only in its message, torch not at all.
    match = re.search(r"\(os error (\d+)\)", str(error))
    number = getattr(error, "errno", None) or (int(match[1]) if match else None)
    return number in _FULL or any(text in str(error) for text in _TORCH_FULL)
