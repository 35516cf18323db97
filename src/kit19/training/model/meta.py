"""Models of shapes alone."""

from __future__ import annotations

from typing import Any


def build_meta_model(config: Any, *, trust: bool = False, **options: Any) -> Any:
    """Build a model on PyTorch's meta device: its modules and the shapes of its weights, no weights.

    Args:
        config: A transformers configuration. Building may complete it.
        trust: Whether to run code from the model's repository.
        options: More keyword arguments of ``AutoModelForCausalLM.from_config``.
    """
    import torch  # noqa: PLC0415  what uses a model's sizes needs none of it before
    from transformers import AutoModelForCausalLM  # noqa: PLC0415

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config, trust_remote_code=trust, **options)
