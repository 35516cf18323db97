"""Convert settings to TRL arguments. Every value that matters is set, none is left to a default."""

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
"""Up to this many parameters, one CPU thread is faster than several: two threads were 1.5 to 6.7 times
slower than one for models of up to 3 million parameters on two shared cores."""

_CHECKPOINTING = next(
    name
    for name in ("activation_checkpointing", "gradient_checkpointing")
    if name in SFTConfig.__dataclass_fields__
)
"""The argument's name: transformers renamed it in 5.21."""


def check_names(settings: Settings) -> None:
    """Check names of transformers in the settings, before anything is computed.

    Raises:
        UnknownNameError: Suggests the nearest valid names.
        TrainError: A package of ``report_to`` is not installed.
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
    """CPU threads to train with: as set, else by the size of the model.

    The number is not measured: sums of floats depend on it, and the same seed must give the same
    weights.
    """
    if settings.threads:
        return settings.threads
    return 1 if device() == "cpu" and parameters <= SMALL else torch.get_num_threads()


def steps(settings: Settings, sequences: int, world: int) -> int:
    """The optimizer steps of a run."""
    batches = math.ceil(sequences / (settings.per_device_train_batch_size * world))
    in_all = math.ceil(
        settings.num_train_epochs * math.ceil(batches / settings.gradient_accumulation_steps)
    )
    return min(in_all, settings.max_steps or in_all)


def eval_and_save_steps(settings: Settings, *, validated: bool) -> tuple[int, int]:
    """Steps between evaluations and between checkpoints; 0 for the end of each epoch.

    The best weights must be in a checkpoint that was just evaluated. So if only one of the two is
    set, the other has the same value.
    """
    evaluate, save = settings.eval_steps, settings.save_steps
    if settings.best and validated:
        return evaluate or save, save or evaluate
    return evaluate, save


def can_balance_experts(config: Any) -> bool:
    """Whether TRL 1.16 can compute the load-balancing loss of a model's experts, if it has experts.

    TRL reads their number from ``num_experts``, which has another name in some configurations.
    """
    text = config.get_text_config()
    weight = getattr(text, "router_aux_loss_coef", None)
    return not (hasattr(text, "output_router_logits") and weight) or hasattr(text, "num_experts")


def make_arguments(
    settings: Settings, run: Path, total: int, *, validated: bool, world: int, balanced: bool = True
) -> SFTConfig:
    """Build TRL's arguments.

    Args:
        settings: The settings of the run.
        run: The run's folder.
        total: Optimizer steps of the run.
        validated: Whether there are held-out rows.
        world: The number of devices.
        balanced: Whether to train experts with the load-balancing loss; see ``can_balance_experts``.
    """
    evaluate, save = eval_and_save_steps(settings, validated=validated)
    measured = "steps" if evaluate else "epoch"
    saved = "steps" if save else "epoch"
    # FlashAttention separates packed rows by their lengths; other layouts need no separation.
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
        "neftune_noise_alpha": settings.neftune_alpha or None,
        "bf16": in_bf16(settings),
        "use_cpu": device() == "cpu",
        _CHECKPOINTING: settings.gradient_checkpointing,
        "torch_compile": settings.torch_compile,
        "eval_strategy": measured if validated else "no",
        "eval_steps": evaluate or None,
        "save_strategy": saved,
        "save_steps": save or 500,
        "save_total_limit": None,  # `checkpoint.remove_old` does it, once a new checkpoint is complete
        # The count of evaluations without a lower loss is part of a run's state.
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
        "packing": False,  # the rows are packed already
        "padding_free": flat,
        "shuffle_dataset": False,
        "ddp_find_unused_parameters": False if world > 1 else None,
    }
    if not balanced:
        given["router_aux_loss_coef"] = 0.0
    return SFTConfig(**given)
