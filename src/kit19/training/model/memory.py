"""Estimate the memory that a run needs on each GPU, and find settings that fit.

Weights, gradients and optimizer are exact counts. Activations are an estimate for a transformer layer
in PyTorch: 34 bytes × tokens × hidden in 16 bits (Korthikanti et al. 2022), without the attention
matrix, which sdpa and flash do not store. 1 GiB is added for the allocator and the driver.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kit19.training.settings import Settings

GIB = 1 << 30
_OVERHEAD = GIB
_LOGIT_BYTES = 12  # bytes of a logit in fp32, its gradient and its softmax
_ANSWER_SHARE = 4  # at most a quarter of the tokens are answers, and only these have logits


@dataclass(frozen=True)
class ModelShape:
    """The sizes that determine a model's memory.

    Attributes:
        parameters: All parameters.
        embedding: Parameters of the input embedding and the head, which stay in 16 bits.
        layers: Transformer layers.
        hidden: Width.
        vocabulary: Logits at a position.
        linear: Sum of the in and out widths of a layer's linear modules, which adapters attach to.
    """

    parameters: int
    embedding: int
    layers: int
    hidden: int
    vocabulary: int
    linear: int


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes on each GPU."""

    weights: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """The sum, with the overhead of driver and allocator."""
        return self.weights + self.gradients + self.optimizer + self.activations + _OVERHEAD

    def to_dict(self) -> dict[str, int]:
        """The bytes as JSON data."""
        return asdict(self) | {"total": self.total}


def model_shape(config: Any, *, trust: bool = False) -> ModelShape:
    """The sizes of a model, counted on the meta device.

    Args:
        config: A transformers configuration.
        trust: Whether to run code from the model's repository.
    """
    import torch  # noqa: PLC0415  the arithmetic below needs none of it
    from transformers import AutoModelForCausalLM  # noqa: PLC0415

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=trust)
    text = config.get_text_config()
    head, into = model.get_output_embeddings(), model.get_input_embeddings()
    layers = int(text.num_hidden_layers)
    linear = sum(
        module.in_features + module.out_features
        for module in model.modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    )
    return ModelShape(
        parameters=sum(one.numel() for one in model.parameters()),
        embedding=sum({id(m.weight): m.weight.numel() for m in (into, head) if m}.values()),
        layers=layers,
        hidden=int(text.hidden_size),
        vocabulary=int(text.vocab_size),
        linear=linear // layers,
    )


def estimate_memory(
    shape: ModelShape, settings: Settings, *, gpus: int = 1, bf16: bool = True
) -> MemoryNeed:
    """Estimate the memory on each GPU.

    Args:
        shape: Sizes of the model.
        settings: Settings of the run.
        gpus: GPUs over which weights, gradients and optimizer are sharded (FSDP, ZeRO-3).
        bf16: Whether the run computes in bfloat16.
    """
    wide = 2 if bf16 else 4
    everything = shape.parameters
    if settings.method == "full":
        trained = everything
        kept = wide if settings.weights_dtype == "bf16" else 4
        # Master weights in fp32 are cast layer by layer during the forward pass; the copy is an
        # activation.
        weights = everything * kept
    else:
        trained = settings.lora.rank * shape.linear * shape.layers
        four_bit_config = settings.method == "qlora"
        body = (everything - shape.embedding) * (0.5625 if four_bit_config else wide)
        weights = int(body) + shape.embedding * wide + trained * 4
        kept = 4
    gradients, optimizer = trained * kept, trained * 2 * kept
    tokens = settings.per_device_train_batch_size * settings.sequence_length
    layer = 34 * tokens * shape.hidden * wide // 2
    # With gradient checkpointing, only one layer's activations exist at a time, plus each layer's
    # input.
    between = shape.layers * tokens * shape.hidden * wide
    body = layer + between if settings.gradient_checkpointing else shape.layers * layer
    activations = int(body) + tokens * shape.vocabulary * _LOGIT_BYTES // _ANSWER_SHARE
    return MemoryNeed(weights // gpus, gradients // gpus, optimizer // gpus, activations)


def suggest_settings(
    shape: ModelShape, settings: Settings, available: int, *, gpus: int = 1, bf16: bool = True
) -> tuple[dict[str, Any], MemoryNeed] | None:
    """The first change of settings with which a run fits, and its memory then; None if none fits.

    The order is: no change; gradient checkpointing; smaller batches with gradient accumulation; weights
    in 16 bits; an adapter; an adapter on 4-bit weights.
    """
    steps: list[dict[str, Any]] = [{}, {"gradient_checkpointing": True}]
    smaller = {
        "gradient_checkpointing": True,
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": settings.gradient_accumulation_steps
        * settings.per_device_train_batch_size,
    }
    steps.append(smaller)
    if settings.method == "full":
        steps += [{**smaller, "weights_dtype": "bf16"}, {**smaller, "method": "lora"}]
    if settings.method != "qlora":
        steps.append({**smaller, "method": "qlora"})
    for changes in steps:
        need = estimate_memory(shape, settings.model_copy(update=changes), gpus=gpus, bf16=bf16)
        if need.total <= available:
            return changes, need
    return None
