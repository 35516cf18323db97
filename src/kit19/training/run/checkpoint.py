"""Checkpoints that are whole: written under another name first, and read back to the last tensor.

transformers saves the output head of GPT-NeoX as ``embed_out.weight`` and its Trainer, when it resumes
or goes back to the best checkpoint, looks for ``lm_head.weight``, finds none, warns and goes on with
the head that happens to be there (docs/upstream/neox_resume.md). So weights are read here by the way
that knows the names, ``from_pretrained``, and a tensor that is missing is an error.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path
from typing import Any

from kit19.core.errors import Problem, TrainError

FOLDER = "checkpoints"
"""Below the run's folder."""
UNFINISHED = ".unfinished"
"""Below ``FOLDER``: a checkpoint that is being written."""
LOSSES = "losses.json"
"""In a checkpoint: training losses that were not logged yet."""

_NAME = re.compile(r"checkpoint-(\d+)")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_TORCH_FULL = ("file write failed", "inline_container", "PytorchStreamWriter failed writing")


def complete_checkpoints(run: Path) -> list[Path]:
    """A run's checkpoints, the earliest first. What is there is whole: it got its name at the end."""
    folder = run / FOLDER
    found = [path for path in folder.glob("checkpoint-*") if _NAME.fullmatch(path.name)]
    return sorted(found, key=step_of)


def step_of(checkpoint: Path) -> int:
    """The step after which a checkpoint was written."""
    match = _NAME.fullmatch(checkpoint.name)
    return int(match[1]) if match else -1


def checkpoint_at(run: Path, step: int) -> Path:
    """Where the checkpoint of a step stands."""
    return run / FOLDER / f"checkpoint-{step}"


def unfinished(run: Path, step: int) -> Path:
    """Where the checkpoint of a step is written, before it gets its place."""
    return run / FOLDER / UNFINISHED / f"checkpoint-{step}"


def publish(run: Path, step: int) -> Path:
    """Give a finished checkpoint its name, once its bytes are on the disk."""
    written = unfinished(run, step)
    for path in written.rglob("*"):
        if path.is_file():
            with path.open("rb+") as stream:
                os.fsync(stream.fileno())
    place = checkpoint_at(run, step)
    if place.exists():  # written again after resuming from an earlier one
        shutil.rmtree(place)
    written.rename(place)
    return place


def sweep(run: Path) -> None:
    """Remove what a killed run was writing."""
    shutil.rmtree(run / FOLDER / UNFINISHED, ignore_errors=True)


def rotate(run: Path, keep: int, best: int | None) -> None:
    """Remove all but the last ``keep`` checkpoints and the best."""
    for path in complete_checkpoints(run)[:-keep]:
        if step_of(path) != best:
            shutil.rmtree(path)


def restore(model: Any, checkpoint: Path) -> None:
    """Put a checkpoint's weights into a model that is not an adapter.

    Raises:
        TrainError: A tensor of the model is not in the checkpoint, or the other way round.
    """
    loaded, info = type(model).from_pretrained(
        checkpoint, dtype=model.dtype, output_loading_info=True
    )
    wrong = sorted([*info["missing_keys"], *info["unexpected_keys"]])
    if wrong or info["mismatched_keys"]:
        what = f"is not this model's: {', '.join(wrong[:3]) or 'shapes differ'}"
        fix = "start again: --restart"
        raise TrainError(Problem(what, str(checkpoint), fix))
    model.load_state_dict(loaded.state_dict(), strict=True)


def explain_write_error(error: BaseException, run: Path) -> TrainError:
    """What a failed write means, and what of the run is left."""
    what = "the disk is full" if is_disk_full(error) else f"cannot be written: {_first_line(error)}"
    whole = complete_checkpoints(run)
    stands = f"{whole[-1].name} stands whole" if whole else "no checkpoint was written yet"
    fix = f"{stands}; free some space and run the same command again to go on from there"
    return TrainError(Problem(what, str(run), fix))


def is_disk_full(error: BaseException) -> bool:
    """Whether an error means that the disk is full: Python's, safetensors' or torch's."""
    # safetensors tells the system's number in words alone, torch not at all.
    told = re.search(r"\(os error (\d+)\)", str(error))
    number = getattr(error, "errno", None) or (int(told[1]) if told else None)
    return number in _FULL or any(said in str(error) for said in _TORCH_FULL)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
