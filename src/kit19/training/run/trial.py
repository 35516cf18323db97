"""Try arguments, optimizer and learning rate schedule on a tiny model before the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import get_scheduler
from trl import SFTConfig, SFTTrainer

from kit19.core.errors import Problem
from kit19.training import processes
from kit19.training.model.device import device
from kit19.training.model_errors import one_line_reason
from kit19.training.run.arguments import eval_and_save_steps, make_arguments
from kit19.training.settings import Settings

_STEPS = 100  # length of the schedule; the trial takes two steps
_BY_LOSS = ("reduce_lr_on_plateau", "greedy")  # schedules that depend on the validation loss


def interval_problems(settings: Settings, *, validated: bool) -> list[Problem]:
    """Faults in eval_steps and save_steps: the best weights need an evaluation at each checkpoint."""
    evaluate, save = eval_and_save_steps(settings, validated=validated)
    if settings.early_stopping_patience and not validated:
        what = "early_stopping_patience: there are no held-out rows"
        return [Problem(what, fix="--set validation=200, or --set early_stopping_patience=0")]
    if settings.lr_scheduler_type in _BY_LOSS and not validated:
        what = f"lr_scheduler_type: {settings.lr_scheduler_type} needs held-out rows"
        return [Problem(what, fix="--set validation=200, or another schedule")]
    if not (validated and settings.best and evaluate and save % evaluate):
        return []
    what = (
        f"save_steps={save} is not a multiple of eval_steps={evaluate}: the best weights "
        "might not be saved"
    )
    nearest = -(-save // evaluate) * evaluate
    fix = f"--set save_steps={nearest}, or --set best=false to end with the last weights"
    return [Problem(what, fix=fix)]


def training_problems(settings: Settings, *, validated: bool) -> list[Problem]:
    """Faults that arguments, optimizer and schedule raise in two steps with one small weight."""
    if processes.is_sharded():  # building arguments twice would change how the model is sharded
        return []
    try:
        arguments = make_arguments(settings, Path(), _STEPS, validated=validated, world=1)
    except Exception as error:
        return [Problem(f"the trainer rejects these settings: {one_line_reason(error)}")]
    if problems := _device_problems(settings):
        return problems
    try:
        optimizer = _try_optimizer(arguments)
    except Exception as error:
        fix = "install what it names, or --set optim=adamw_torch"
        what = f"optim: {settings.optim} cannot be used here: {one_line_reason(error)}"
        return [Problem(what, fix=fix)]
    try:
        _try_schedule(arguments, optimizer)
    except Exception as error:
        reason = one_line_reason(error)
        what = f"lr_scheduler_type: {settings.lr_scheduler_type} cannot be used: {reason}"
        return [
            Problem(
                what, fix="kit19 passes no arguments to a schedule; --set lr_scheduler_type=cosine"
            )
        ]
    return []


def _device_problems(settings: Settings) -> list[Problem]:
    """What this machine lacks, of which libraries only warn or that they miss in the first step."""
    if settings.optim.startswith("paged") and device() == "cpu":
        what = f"optim: {settings.optim} pages its states between GPU and memory; there is no GPU"
        name = settings.optim.removeprefix("paged_")
        return [Problem(what, fix=f"--set optim={name}: the same optimizer, not paged")]
    if settings.torch_compile:
        try:
            _try_compiler()
        except Exception as error:
            what = f"torch.compile fails here: {one_line_reason(error)}"
            fix = "install what it names (a C++ compiler), or --set torch_compile=false"
            return [Problem(what, "torch_compile", fix)]
    return []


def _try_optimizer(arguments: SFTConfig) -> Any:
    layer = torch.nn.Linear(16, 16, device=device())
    kind, options = SFTTrainer.get_optimizer_cls_and_kwargs(arguments, layer)
    parameters = options.pop("params", None) or options.pop("model", None) or layer.parameters()
    optimizer = kind(parameters, **options)
    layer(torch.ones(2, 16, device=device())).sum().backward()
    optimizer.step()
    return optimizer


def _try_compiler() -> None:
    layer = torch.nn.Linear(4, 4, device=device())
    torch.compile(layer)(torch.ones(2, 4, device=device())).sum().backward()


def _try_schedule(arguments: SFTConfig, optimizer: Any) -> None:
    schedule = get_scheduler(
        arguments.lr_scheduler_type,
        optimizer=optimizer,
        num_warmup_steps=arguments.get_warmup_steps(_STEPS),
        num_training_steps=_STEPS,
        scheduler_specific_kwargs=arguments.lr_scheduler_kwargs,
    )
    for _ in range(2):
        optimizer.step()
        schedule.step(*([1.0] if arguments.lr_scheduler_type in _BY_LOSS else []))
