"""Decisions on the loaded model: whether rows are packed, and how losses are computed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit19.core.errors import Problem, TrainError
from kit19.training import processes
from kit19.training.model.base import Base
from kit19.training.model.device import device
from kit19.training.model.isolation import (
    computes_in_half,
    evaluation_mode,
    in_training_precision,
    why_not_pack,
    why_not_pack_by_config,
)
from kit19.training.model.loss_method import LossMethod, choose_loss_method
from kit19.training.model.twin import make_twin, vocabulary_of
from kit19.training.model_errors import convert_model_errors
from kit19.training.rows.batches import Collate, Sequences
from kit19.training.rows.tokens import Tokens
from kit19.training.run.folder import read_decisions, save_decisions
from kit19.training.settings import Settings

_NOT_TESTED = "it could not be tested whether packed rows see each other"


@dataclass(frozen=True)
class Decisions:
    """Decisions that hold for the complete run.

    Attributes:
        unpacked_because: Why rows are not packed; empty if they may be.
        loss_method: How losses are computed.
        devices: Processes that the run started with.
        accumulation: Batches of each process in a step, so that a step has the sequences that it had.
    """

    unpacked_because: str
    loss_method: LossMethod
    devices: int
    accumulation: int


def make_decisions(
    model: Any,
    settings: Settings,
    base: Base,
    tokens: Tokens,
    sequences: Sequences,
    run: Path,
    *,
    resumed: bool,
) -> Decisions:
    """Test the loaded model on rows of the run.

    The main process decides for all processes. A resumed run keeps the layout that it started with.

    Args:
        model: The model with its weights. It is moved to the training device.
        settings: The settings to train with.
        base: The model's configuration and tokenizer.
        tokens: Rows to train on.
        sequences: The sequences that they are packed into.
        run: The run's folder.
        resumed: Whether the run resumes from a checkpoint.

    Raises:
        TrainError: The run started with packed rows, which now turn out to see each other; its steps
            cannot be divided among the processes; or as ``why_not_pack``.
    """
    decisions = None
    if processes.is_main():
        before, world = read_decisions(run), processes.world_size()
        devices = int(before.get("devices", world)) if resumed else world
        accumulation = divide_step(settings.gradient_accumulation_steps, devices, world, run)
        why = before.get("unpacked_because", "")
        started_packed = resumed and not why
        with convert_model_errors(settings.model or "tiny", "the model fails"):
            why = why or _why_not_packed(model, settings, base, tokens, sequences)
            method = _loss_method_of(model, settings, base, tokens)
        if started_packed and why:
            fix = "use --restart to start again without packing"
            raise TrainError(Problem(f"the run started with packed rows, but {why}", str(run), fix))
        save_decisions(run, unpacked_because=why, devices=devices)
        decisions = Decisions(why, method, devices, accumulation)
    decided: Decisions = processes.broadcast(decisions)
    return decided


def divide_step(accumulation: int, started: int, now: int, run: Path) -> int:
    """Batches of each process in a step of a run that started with another number of processes.

    Args:
        accumulation: Batches of each process in a step when the run started.
        started: Processes then.
        now: Processes now.
        run: The run's folder, for the message.

    Raises:
        TrainError: The batches of a step cannot be divided among the processes.
    """
    batches = accumulation * started
    if batches % now:
        able = ", ".join(str(n) for n in range(1, batches + 1) if batches % n == 0)
        what = f"each step has {batches} batches, which {now} processes cannot share"
        fix = f"resume it with another number of processes ({able}), or start again with --restart"
        raise TrainError(Problem(what, str(run), fix))
    return batches // now


def _why_not_packed(
    model: Any, settings: Settings, base: Base, tokens: Tokens, sequences: Sequences
) -> str:
    if processes.is_sharded():  # one device may not hold the complete model
        why = why_not_pack_by_config(settings, base, tokens, sequences)
        return _NOT_TESTED if why is None else why
    with in_training_precision(model, settings):
        why = why_not_pack(model, tokens, sequences, Collate(base.tokenizer.pad_token_id))
        in_half = computes_in_half(model)
    if why or not in_half or settings.layout != "packed":
        return why
    return why_not_pack_by_config(settings, base, tokens, sequences) or ""


def _loss_method_of(model: Any, settings: Settings, base: Base, tokens: Tokens) -> LossMethod:
    row, smoothed = tokens.row(0)[0], settings.label_smoothing > 0
    if processes.is_sharded():
        twin = make_twin(base.config, settings.attn_implementation, trust=base.trust)
        untested: LossMethod = "full" if smoothed else "trl"
        if twin is not None:
            short = row % vocabulary_of(twin)
            untested = choose_loss_method(twin, short, on_cpu=False, smoothed=smoothed)
        return untested
    with in_training_precision(model, settings), evaluation_mode(model):
        on_cpu = device() == "cpu"
        method: LossMethod = choose_loss_method(model, row, on_cpu=on_cpu, smoothed=smoothed)
    return method
