"""Estimate the memory that a run needs on each GPU, and find settings that fit.

Weights, gradients and optimizer are counts of parameters, activations a count of the tensors that the
layers keep (``activations``). A step needs the most at one of two moments: when the forward pass ends,
with all activations and no gradient yet, or when the optimizer steps, with all gradients and no
activation. Only gradients that accumulate over several batches exist together with activations.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from kit19.training.model_errors import one_line_reason
from kit19.training.settings import Settings

GIB = 1 << 30
OVERHEAD = GIB
"""Bytes of the allocator and the driver."""
_LOGIT_BYTES = 12  # bytes of a logit in fp32, its softmax and its gradient
_STATES = {"sgd": 0, "adafactor": 0, "lomo": 0, "adalomo": 0}  # numbers kept for each weight
_ONE_STATE = ("rmsprop", "adagrad", "lion", "paged_lion")


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
        dense: Weights of all linear modules but the head: those that autocast copies.
        config: The configuration.
        trust: Whether to run code from the model's repository.
        counts: Counts of ``activations`` that were made already, by the settings they depend on; a text
            is the reason why there is none.
    """

    parameters: int
    embedding: int
    layers: int
    hidden: int
    vocabulary: int
    linear: int
    dense: int = 0
    config: Any = None
    trust: bool = False
    counts: dict[Any, int | str] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes on each GPU.

    Attributes:
        weights: All weights, trained and frozen.
        gradients: Gradients of the trained weights.
        optimizer: States of the optimizer.
        activations: What the forward pass keeps, with logits and weights that are cast.
        step: What the optimizer's step needs for a moment.
        accumulated: Whether gradients of earlier batches exist during a forward pass.
        uncounted: Why the activations are those of a usual transformer, and not counted on the model;
            empty if they are counted.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    step: int = 0
    accumulated: bool = False
    uncounted: str = ""

    @property
    def peak(self) -> int:
        """The bytes of the larger of the two moments: the end of the forward pass, and the step."""
        forward = self.activations + (self.gradients if self.accumulated else 0)
        return self.weights + self.optimizer + max(forward, self.gradients + self.step)

    @property
    def total(self) -> int:
        """The peak, with the overhead of driver and allocator."""
        return self.peak + OVERHEAD

    def to_dict(self) -> dict[str, Any]:
        """The bytes as JSON data."""
        return asdict(self) | {"total": self.total}


def model_shape(meta_model: Any, *, trust: bool = False) -> ModelShape:
    """The sizes of a model.

    Args:
        meta_model: The model on the meta device.
        trust: Whether to run code from the model's repository.
    """
    import torch  # noqa: PLC0415  the arithmetic below needs none of it

    model, config = meta_model, meta_model.config
    text = config.get_text_config()
    head, into = model.get_output_embeddings(), model.get_input_embeddings()
    layers = int(text.num_hidden_layers)
    linear = [
        module
        for module in model.modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    ]
    return ModelShape(
        parameters=sum(one.numel() for one in model.parameters()),
        embedding=sum({id(m.weight): m.weight.numel() for m in (into, head) if m}.values()),
        layers=layers,
        hidden=int(text.hidden_size),
        vocabulary=int(text.vocab_size),
        linear=sum(one.in_features + one.out_features for one in linear) // layers,
        dense=sum(one.weight.numel() for one in linear),
        config=config,
        trust=trust,
    )


def full_module_weights(meta_model: Any, settings: Settings) -> int:
    """Weights of the modules that an adapter would train and save in full; 0 if there are none.

    Args:
        meta_model: The model on the meta device, with embeddings for the new tokens.
        settings: Settings with the adapter and the new tokens.
    """
    from kit19.training.model.base import modules_to_save  # noqa: PLC0415

    names = tuple(f".{name}" for name in modules_to_save(settings, meta_model))
    return sum(
        weight.numel()
        for name, module in meta_model.named_modules()
        if f".{name}".endswith(names)
        for weight in module.parameters()
    )


def estimate_memory(
    shape: ModelShape,
    settings: Settings,
    *,
    gpus: int = 1,
    bf16: bool = True,
    on_gpu: bool = True,
    answers: float = 0.25,
    full_modules: int = 0,
) -> MemoryNeed:
    """Estimate the memory on each GPU.

    Args:
        shape: Sizes of the model.
        settings: Settings of the run.
        gpus: GPUs over which weights, gradients and optimizer are sharded (FSDP, ZeRO-3).
        bf16: Whether the run computes in bfloat16.
        on_gpu: Whether it runs on a GPU, where AdamW steps over all weights at once.
        answers: The share of tokens that have a loss, and so logits.
        full_modules: Weights of modules that an adapter trains and saves in full.
    """
    wide = 2 if bf16 else 4
    if settings.method == "full":
        trained = shape.parameters
        kept = wide if settings.weights_dtype == "bf16" else 4
        weights = trained * kept
    else:
        # A module that is trained whole is a copy in fp32; PEFT keeps the original too.
        trained, kept = settings.lora.rank * shape.linear * shape.layers + full_modules, 4
        body = (shape.parameters - shape.embedding) * (
            0.5625 if settings.method == "qlora" else wide
        )
        weights = int(body) + shape.embedding * wide + trained * 4
    states = trained * _states(settings.optim, kept)
    together = on_gpu and settings.optim == "adamw_torch"
    activations, uncounted = _activations(
        shape, settings, bf16=bf16, on_gpu=on_gpu, sharded=gpus > 1, answers=answers
    )
    return MemoryNeed(
        weights=weights // gpus,
        gradients=trained * kept // gpus,
        optimizer=states // gpus,
        activations=activations,
        step=trained * kept // gpus if together else 0,
        accumulated=settings.gradient_accumulation_steps > 1,
        uncounted=uncounted,
    )


def _states(optimizer: str, kept: int) -> int:
    """Bytes of an optimizer's states for each trained weight."""
    numbers = _STATES.get(optimizer, 1 if optimizer.startswith(_ONE_STATE) else 2)
    return numbers * (1 if "8bit" in optimizer else kept)


def _activations(
    shape: ModelShape,
    settings: Settings,
    *,
    bf16: bool,
    on_gpu: bool,
    sharded: bool,
    answers: float,
) -> tuple[int, str]:
    """The bytes, and why they are not counted on the model; empty if they are."""
    tokens = settings.per_device_train_batch_size * settings.sequence_length
    logits = int(answers * tokens) * shape.vocabulary * (_LOGIT_BYTES + (4 if bf16 else 0))
    cast = bf16 and settings.method == "full" and settings.weights_dtype == "fp32"
    copies = 2 * shape.dense if cast else 0  # autocast keeps them until the backward pass ends
    kept, uncounted = _count(shape, settings, bf16=bf16, on_gpu=on_gpu, checkpointing=False)
    if settings.gradient_checkpointing:
        one_layer = kept // shape.layers  # computed again
        inputs, why = _count(shape, settings, bf16=bf16, on_gpu=on_gpu, checkpointing=True)
        kept, uncounted = inputs + max(one_layer, 0 if sharded else copies), uncounted or why
    elif sharded:  # FSDP casts one layer at a time
        kept = max(kept - copies, 0)
    return kept + logits, uncounted


def _count(
    shape: ModelShape, settings: Settings, *, bf16: bool, on_gpu: bool, checkpointing: bool
) -> tuple[int, str]:
    from kit19.training.model.activations import Step, kept_bytes  # noqa: PLC0415  loads torch

    names = ("method", "layout", "weights_dtype", "attn_implementation", "sequence_length")
    sizes = tuple(getattr(settings, name) for name in (*names, "per_device_train_batch_size"))
    step = Step(bf16, checkpointing, on_gpu)
    key = (*sizes, settings.lora.model_dump_json(), step)
    if key not in shape.counts:
        try:
            shape.counts[key] = kept_bytes(shape.config, settings, step, trust=shape.trust)
        except Exception as error:  # operations that fake tensors do not have raise all kinds
            shape.counts[key] = one_line_reason(error)
    found = shape.counts[key]
    if isinstance(found, str):
        return _usual(shape, settings, bf16, checkpointing), found
    return found, ""


def _usual(shape: ModelShape, settings: Settings, bf16: bool, checkpointing: bool) -> int:
    """What a usual transformer keeps: 34 bytes × tokens × hidden in 16 bits (Korthikanti 2022)."""
    wide = 2 if bf16 else 4
    tokens = settings.per_device_train_batch_size * settings.sequence_length
    layer = (1 if checkpointing else 17) * tokens * shape.hidden * wide
    cast = bf16 and settings.method == "full" and settings.weights_dtype == "fp32"
    return shape.layers * layer + (2 * shape.dense if cast and not checkpointing else 0)


def suggest_settings(
    shape: ModelShape, settings: Settings, available: int, **where: Any
) -> tuple[dict[str, Any], MemoryNeed] | None:
    """The first change of settings with which a run fits, and its memory then; None if none fits.

    The order is: no change; gradient checkpointing; smaller batches with gradient accumulation; weights
    in 16 bits; an adapter; an adapter on 4-bit weights.

    Args:
        shape: Sizes of the model.
        settings: Settings of the run.
        available: Bytes of each GPU.
        **where: The other arguments of ``estimate_memory``.
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
        need = estimate_memory(shape, settings.model_copy(update=changes), **where)
        if need.total <= available:
            return changes, need
    return None
