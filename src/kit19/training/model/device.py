"""The device that training runs on: its kind, precision, attention and memory."""

from __future__ import annotations

import importlib.util
import os

import torch

from kit19.core.errors import Problem, TrainError
from kit19.training.settings import Settings


def device() -> str:
    """The device of training: ``cuda``, ``mps`` or ``cpu``."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def in_bf16(settings: Settings) -> bool:
    """Whether to compute in bfloat16.

    Raises:
        TrainError: The settings request it, but the device does not support it.
    """
    able = device() == "cuda" and torch.cuda.is_bf16_supported()
    if settings.precision == "bf16" and device() == "cuda" and not able:
        what = f"{torch.cuda.get_device_name()} does not compute in bfloat16"
        raise TrainError(Problem(what, fix="train in float32: --set precision=fp32"))
    return settings.precision == "bf16" or (settings.precision == "auto" and able)


def attention(settings: Settings) -> str:
    """The attention implementation; for ``auto``, FlashAttention if it is usable, else sdpa.

    Raises:
        TrainError: The settings request FlashAttention, but it is not usable.
    """
    able = (
        device() == "cuda"
        and importlib.util.find_spec("flash_attn") is not None
        and in_bf16(settings)
    )
    if settings.attn_implementation == "flash_attention_2" and not able:
        what = "FlashAttention needs a CUDA GPU, bfloat16 and the package flash-attn"
        fix = "pip install flash-attn, or --set attn_implementation=sdpa"
        raise TrainError(Problem(what, fix=fix))
    if settings.attn_implementation == "auto":
        return "flash_attention_2" if able else "sdpa"
    return settings.attn_implementation


def liger_problems(architecture: str) -> list[Problem]:
    """Why Liger's kernels cannot be used here; none if they can.

    Liger itself ignores architectures that it has no kernels for.

    Args:
        architecture: ``model_type`` of the model's configuration.
    """
    if device() != "cuda":
        what, fix = "Liger's kernels need a CUDA GPU", "train on a machine with one"
    elif not importlib.util.find_spec("liger_kernel"):
        what, fix = "liger-kernel is not installed", "pip install liger-kernel"
    else:
        from liger_kernel.transformers.monkey_patch import (  # noqa: PLC0415  only where it is wanted
            MODEL_TYPE_TO_APPLY_LIGER_FN,
        )

        if architecture in MODEL_TYPE_TO_APPLY_LIGER_FN:
            return []
        what, fix = f"Liger has no kernels for the architecture {architecture}", ""
    off = "--set liger_kernels=false"
    return [Problem(what, "liger_kernels", f"{fix}, or {off}" if fix else off)]


def machine_memory() -> int:
    """Bytes of this machine's GPU, else of its memory."""
    if device() == "cuda":
        return int(torch.cuda.get_device_properties(0).total_memory)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def plans_in_bf16(settings: Settings, *, for_other_machine: bool) -> bool:
    """Whether a run would compute in bfloat16, here or on another machine's GPU."""
    return settings.precision != "fp32" if for_other_machine else in_bf16(settings)
