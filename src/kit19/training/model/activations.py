"""Count the bytes that a forward pass keeps for the backward pass, without memory for them.

The model runs on fake tensors, which have shapes and dtypes and no data. So everything that depends on
an architecture counts: the widths of its layers, gates, experts, masks of packed rows, adapters, casts.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from transformers import AutoModelForCausalLM

from kit19.training.model.base import lora_config
from kit19.training.model.meta import build_meta_model
from kit19.training.model.twin import keep_layers
from kit19.training.settings import Settings


@dataclass(frozen=True)
class Step:
    """How a step is computed.

    Attributes:
        bf16: Whether in bfloat16.
        checkpointing: Whether layers are computed again during the backward pass.
        on_gpu: Whether on a GPU.
    """

    bf16: bool
    checkpointing: bool
    on_gpu: bool


class _Dropout(torch.nn.Module):  # type: ignore[misc]  # torch is not followed
    """Dropout as processors compute it: what is multiplied with the input has the input's dtype.

    GPUs keep a byte for each number instead.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        return given * torch.empty_like(given).bernoulli_(1 - self.share)


def _drop_as_on_processors(model: Any) -> None:
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, torch.nn.Dropout) and child.p:
                setattr(module, name, _Dropout(child.p))


def _make_fake(model: Any) -> None:
    """Replace the tensors of a model on the meta device, inside of a ``FakeTensorMode``."""
    fakes: dict[int, Any] = {}
    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is None:
                    continue
                if id(tensor) not in fakes:  # tied weights stay tied
                    new = torch.empty(tensor.shape, dtype=tensor.dtype)
                    if isinstance(tensor, torch.nn.Parameter):
                        new = torch.nn.Parameter(new, requires_grad=tensor.requires_grad)
                    fakes[id(tensor)] = (tensor, new)
                tensors[name] = fakes[id(tensor)][1]


def kept_bytes(config: Any, settings: Settings, step: Step, *, trust: bool = False) -> int:
    """Bytes of all tensors that the layers keep for one batch of sequences of full length.

    Few layers are run: the first that include every kind, and twice as many. The others are taken to be
    like them.

    Args:
        config: A transformers configuration; it is not changed.
        settings: Settings with the batch, the layout and the adapter.
        step: How a step is computed.
        trust: Whether to run code from the model's repository.

    Returns:
        The bytes, without logits.

    Raises:
        Exception: Whatever the model raises that does not run on fake tensors.
    """
    counts: list[int] = []
    found: list[int] = []
    for wanted in (2, 4):
        small = copy.deepcopy(config)
        if counts:
            wanted = 2 * counts[0]  # noqa: PLW2901
        keep_layers(small.get_text_config(), wanted)
        counts.append(int(small.get_text_config().num_hidden_layers))
        with _without_log():
            found.append(_run_in_some_dtype(small, settings, step, trust=trust))
        if counts[0] == config.get_text_config().num_hidden_layers:
            return found[0]
    more: int = config.get_text_config().num_hidden_layers - counts[0]
    return found[0] + more * (found[1] - found[0]) // max(counts[1] - counts[0], 1)


@contextmanager
def _without_log() -> Iterator[None]:
    """Leave out torch's log of operations that fake tensors do not have; its error says the same."""
    log = logging.getLogger("torch._subclasses.fake_tensor")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def _run_in_some_dtype(config: Any, settings: Settings, step: Step, *, trust: bool) -> int:
    """As ``_run``, with weights in bf16 if those of experts are not multiplied in another dtype."""
    low = step.bf16 and (settings.method != "full" or settings.weights_dtype == "bf16")
    try:
        return _run(config, settings, step, low=low, trust=trust)
    except RuntimeError:
        if low or not step.bf16:
            raise
    kept = _run(config, settings, step, low=True, trust=trust)
    linear = [
        one
        for one in build_meta_model(config, trust=trust).base_model.modules()
        if isinstance(one, torch.nn.Linear)
    ]
    # What autocast copies of weights in fp32, which are not in bf16 really.
    return kept + (0 if step.checkpointing else sum(2 * one.weight.numel() for one in linear))


def _run(config: Any, settings: Settings, step: Step, *, low: bool, trust: bool) -> int:
    batch, length = settings.per_device_train_batch_size, settings.sequence_length
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(
            config,
            attn_implementation="eager" if settings.attn_implementation == "eager" else "sdpa",
            dtype=torch.bfloat16 if low else torch.float32,
            trust_remote_code=trust,
        )
        body, trained = model.base_model, model
        if step.checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        if settings.method != "full":
            from peft import get_peft_model  # noqa: PLC0415  a second to load

            adapter = lora_config(settings)
            adapter.init_lora_weights = True  # PiSSA needs values, and keeps what LoRA keeps
            trained = get_peft_model(model, adapter)
            if step.checkpointing:
                trained.enable_input_require_grads()
            if not step.on_gpu:
                _drop_as_on_processors(trained)
    trained.train()
    with FakeTensorMode(), torch.device("cpu"):
        _make_fake(model)
        own = {weight.untyped_storage()._cdata for weight in model.parameters()}
        storages: dict[int, Any] = {}

        def keep(tensor: Any) -> Any:
            storage = tensor.untyped_storage()
            # Without packing there is no mask: fake tensors build one, because they have no values.
            is_mask = (
                tensor.shape[-2:] == (length, length) and tensor.ndim == 4 and tensor.shape[1] == 1
            )
            if storage._cdata not in own and not (is_mask and settings.layout != "packed"):
                storages[storage._cdata] = storage
            return tensor

        ids = torch.zeros(batch, length, dtype=torch.long)
        autocast = torch.autocast("cpu", torch.bfloat16, enabled=step.bf16)
        with saved_tensors_hooks(keep, lambda tensor: tensor), autocast:
            output = body(input_ids=ids, use_cache=False)
        del output
        return sum(storage.nbytes() for storage in storages.values())
