"""Our settings as TRL's arguments: every value that matters is given, none left to a default."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from transformers.integrations.integration_utils import (
    INTEGRATION_TO_CALLBACK,
    get_available_reporting_integrations,
)
from transformers.trainer_utils import SchedulerType
from transformers.training_args import OptimizerNames
from trl import SFTConfig

from kit19.core.errors import Problem, TrainError, UnknownNameError, suggest_names
from kit19.training.model.device import attention, device, in_bf16
from kit19.training.settings import Settings

SMALL = 20_000_000
"""Parameters up to which one CPU thread is faster than several: two were 1.5 to 6.7 times slower than
one for models of up to 3 million on two shared cores."""


def check_names(settings: Settings) -> None:
    """Stop at names that transformers does not know, before anything is computed.

    Raises:
        UnknownNameError: Names the nearest right ones.
        TrainError: Curves are to be sent by a package that is not installed.
    """
    known = {
        "optim": [one.value for one in OptimizerNames],
        "lr_scheduler_type": [one.value for one in SchedulerType],
        "report_to": [*INTEGRATION_TO_CALLBACK],
    }
    given = [("optim", settings.optim), ("lr_scheduler_type", settings.lr_scheduler_type)]
    given += [("report_to", name) for name in settings.report_to]
    wrong = [
        Problem(f"{key}: there is no {name!r}", fix=suggest_names(name, known[key]))
        for key, name in given
        if name not in known[key]
    ]
    if wrong:
        raise UnknownNameError(wrong)
    missing = sorted(set(settings.report_to) - set(get_available_reporting_integrations()))
    if missing:
        what = f"report_to: {', '.join(missing)} cannot be used here: it is not installed"
        raise TrainError(Problem(what, fix=f"pip install {' '.join(missing)}"))


def choose_threads(settings: Settings, parameters: int) -> int:
    """CPU threads to train with: as set, else decided by the size of the model alone.

    By size and not by trial: sums of floats depend on the number of threads, and the same seed
    shall give the same weights.
    """
    if settings.threads:
        return settings.threads
    return 1 if device() == "cpu" and parameters <= SMALL else torch.get_num_threads()


def steps(settings: Settings, sequences: int, world: int) -> int:
    """Optimizer steps of a run over so many lines on so many devices."""
    batches = math.ceil(sequences / (settings.per_device_train_batch_size * world))
    in_all = math.ceil(
        settings.num_train_epochs * math.ceil(batches / settings.gradient_accumulation_steps)
    )
    return min(in_all, settings.max_steps or in_all)


def eval_and_save_steps(settings: Settings, *, validated: bool) -> tuple[int, int]:
    """Steps between two measurements and between two checkpoints; 0 for each epoch's end.

    The best weights are those of a checkpoint that was just measured: where only one of the two is
    set, the other follows it.
    """
    evaluate, save = settings.eval_steps, settings.save_steps
    if settings.best and validated:
        return evaluate or save, save or evaluate
    return evaluate, save


def can_balance_experts(config: Any) -> bool:
    """Whether TRL 1.16 can compute the load-balancing loss of a model's experts, if it has one.

    It reads their number as ``num_experts``, which some configurations name otherwise.
    """
    text = config.get_text_config()
    weight = getattr(text, "router_aux_loss_coef", None)
    return not (hasattr(text, "output_router_logits") and weight) or hasattr(text, "num_experts")


def make_arguments(
    settings: Settings, run: Path, total: int, *, validated: bool, world: int, balanced: bool = True
) -> SFTConfig:
    """TRL's arguments.

    Args:
        settings: Ours.
        run: The run's folder.
        total: Steps to take.
        validated: Whether there are rows to measure on.
        world: Devices.
        balanced: Whether a model of experts learns to use them alike; see ``can_balance_experts``.
    """
    evaluate, save = eval_and_save_steps(settings, validated=validated)
    measured = "steps" if evaluate else "epoch"
    saved = "steps" if save else "epoch"
    # FlashAttention parts the rows of a line by their lengths; a row of its own needs no parting.
    flat = attention(settings) == "flash_attention_2" and settings.layout == "packed"
    given: dict[str, Any] = {
        "output_dir": str(run),
        "per_device_train_batch_size": settings.per_device_train_batch_size,
        "per_device_eval_batch_size": settings.per_device_train_batch_size,
        "gradient_accumulation_steps": settings.gradient_accumulation_steps,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": settings.lr_scheduler_type,
        "warmup_steps": math.ceil(settings.warmup_ratio * total),
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "max_steps": total,
        "optim": settings.optim,
        "bf16": in_bf16(settings),
        "use_cpu": device() == "cpu",
        "activation_checkpointing": settings.gradient_checkpointing,
        "eval_strategy": measured if validated else "no",
        "eval_steps": evaluate or None,
        "save_strategy": saved,
        "save_steps": save or 500,
        "save_total_limit": None,  # `checkpoint.rotate` does it, once a new one is whole
        # How often it got no better is part of where a run was.
        "restore_callback_states_from_checkpoint": True,
        "load_best_model_at_end": settings.best and validated,
        "metric_for_best_model": "eval_loss",
        "greater_is_better": False,
        "logging_steps": settings.logging_steps,
        "report_to": settings.report_to or "none",
        "seed": settings.seed,
        "data_seed": settings.seed,
        "disable_tqdm": True,
        "dataloader_pin_memory": device() == "cuda",
        "remove_unused_columns": False,
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "max_length": None,
        "packing": False,  # the lines are packed already
        "padding_free": flat,
        "shuffle_dataset": False,
        "ddp_find_unused_parameters": False if world > 1 else None,
    }
    if not balanced:
        given["router_aux_loss_coef"] = 0.0
    return SFTConfig(**given)
