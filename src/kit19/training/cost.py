"""Estimate the computation of a run, and its time and price on GPUs that people rent.

A token costs 6 FLOPs for each weight that is multiplied with it and trained: 2 in the forward pass, 4
in the backward pass (Kaplan et al. 2020, arXiv 2001.08361). A frozen weight costs 4, since it needs no
gradient of its own. Attention adds 12 × layers × width × length (Chowdhery et al. 2022, arXiv
2204.02311, appendix B), where the length is that of the row: packed rows do not attend to each other.
Gradient checkpointing computes the forward pass once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter

from kit19.catalog.yaml_file import read_yaml
from kit19.training.settings import Settings

GPUS = Path(__file__).parent / "gpus.yaml"
UTILIZATION = 0.4
"""The share of a GPU's peak that training usually reaches: 30 to 50% in published runs of this size."""
_FORWARD, _BACKWARD, _GRADIENT = 2, 2, 2  # FLOPs of a weight: output, input gradient, own gradient
_TERA = 1e12


class Gpu(BaseModel):
    """A GPU of the table.

    Attributes:
        name: Its name.
        bf16: Dense peak in TFLOP/s.
        memory: Memory in GB.
        source: Where both are from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    bf16: float
    memory: float
    source: str


@dataclass(frozen=True)
class ComputedWeights:
    """The sizes that determine the computation of a token.

    Attributes:
        multiplied: Weights that a token is multiplied with: all but the input embedding, and of experts
            only those that it is sent to.
        layers: Transformer layers.
        width: Attention heads × their width.
    """

    multiplied: int
    layers: int
    width: int


@dataclass(frozen=True)
class GpuTime:
    """The time of a run on one kind of GPU.

    Attributes:
        gpu: Its name.
        hours: Hours of the run.
        gpu_hours: Hours of all GPUs together.
        price: Their price; None if no price of an hour is given.
        fits: Whether the run fits into its memory, by the estimate.
    """

    gpu: str
    hours: float
    gpu_hours: float
    price: float | None
    fits: bool


@dataclass(frozen=True)
class TrainingCost:
    """The computation of a run, and its time on GPUs.

    Attributes:
        tokens: Tokens of all rows over all epochs.
        positions: The same with padding, which is computed too.
        flops: Floating-point operations, with those of gradient checkpointing.
        utilization: The assumed share of the peak.
        gpus: GPUs that train together.
        times: The time on each kind of GPU.
    """

    tokens: int
    positions: int
    flops: float
    utilization: float
    gpus: int
    times: list[GpuTime]

    def to_dict(self) -> dict[str, Any]:
        """The cost as JSON data."""
        return asdict(self)


@cache
def load_gpus() -> tuple[Gpu, ...]:
    """The table of GPUs."""
    return TypeAdapter(tuple[Gpu, ...]).validate_python(tuple(read_yaml(GPUS)[0]))


def computed_weights(meta_model: Any) -> ComputedWeights:
    """The sizes of a model.

    Args:
        meta_model: The model on the meta device.
    """
    model, text = meta_model, meta_model.config.get_text_config()
    head, into = model.get_output_embeddings(), model.get_input_embeddings()
    tied = head is not None and head.weight is into.weight
    everything = sum(one.numel() for one in model.parameters())
    experts = sum(one.numel() for name, one in model.named_parameters() if ".experts." in name)
    count = next((getattr(text, name) for name in _EXPERTS if getattr(text, name, None)), 0)
    chosen = getattr(text, "num_experts_per_tok", None) or count
    unused = experts - experts * chosen // count if count else 0
    # A model of states alone, as Mamba, has no heads.
    heads = int(getattr(text, "num_attention_heads", None) or 0)
    each = heads and (getattr(text, "head_dim", None) or int(text.hidden_size) // heads)
    embedding = 0 if tied else into.weight.numel()
    return ComputedWeights(
        everything - embedding - unused, int(text.num_hidden_layers), heads * int(each)
    )


_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")


def flops_per_position(
    weights: ComputedWeights, settings: Settings, length: float, *, adapter: int = 0
) -> float:
    """Floating-point operations of a token in training.

    Args:
        weights: Sizes of the model.
        settings: Settings of the run.
        length: Tokens of the row that the token attends to.
        adapter: Weights of the adapter.
    """
    attention = _FORWARD * 2 * weights.layers * weights.width * length  # 12 in all, forward 4
    trained = weights.multiplied if settings.method == "full" else adapter
    frozen = 0 if settings.method == "full" else weights.multiplied
    forward = _FORWARD * (trained + frozen) + attention
    backward = (_BACKWARD + _GRADIENT) * trained + _BACKWARD * frozen + 2 * attention
    again = forward if settings.gradient_checkpointing else 0
    return forward + backward + again


def estimate_cost(  # noqa: PLR0913  what a run consists of
    weights: ComputedWeights,
    settings: Settings,
    lengths: Sequence[int] | np.ndarray[Any, Any],
    *,
    positions: int,
    passes: float,
    adapter: int = 0,
    gpus: int = 1,
    memory: int = 0,
    utilization: float = UTILIZATION,
    price: float | None = None,
) -> TrainingCost:
    """Estimate the computation of a run, and its time on each GPU of the table.

    Args:
        weights: Sizes of the model.
        settings: Settings of the run.
        lengths: Tokens of each row.
        positions: Tokens of a pass with padding; see ``count_positions``.
        passes: Passes over the rows.
        adapter: Weights of the adapter.
        gpus: GPUs that train together; all are counted as busy.
        memory: Bytes that the run needs on each GPU.
        utilization: The share of the peak that is reached.
        price: The price of one GPU for an hour.
    """
    each = np.asarray(lengths, dtype=np.float64)
    total = float(each.sum())
    own = float((each * each).sum()) / total if total else 0.0
    flops = positions * passes * flops_per_position(weights, settings, own, adapter=adapter)
    times = []
    for gpu in load_gpus():
        gpu_hours = flops / (gpu.bf16 * _TERA * utilization) / 3600
        cost = None if price is None else gpu_hours * price
        fits = memory <= gpu.memory * 1e9
        times.append(GpuTime(gpu.name, gpu_hours / gpus, gpu_hours, cost, fits))
    tokens, computed = round(total * passes), round(positions * passes)
    return TrainingCost(tokens, computed, flops, utilization, gpus, times)


def count_positions(
    sequences: Sequence[Sequence[int]],
    lengths: np.ndarray[Any, Any],
    batch: int,
    *,
    grouped: bool = False,
) -> int:
    """Tokens of a pass over the rows, with padding to the longest sequence of each batch.

    Args:
        sequences: Rows of each sequence, in the order of training.
        lengths: Tokens of each row.
        batch: Sequences of a batch.
        grouped: Whether batches have sequences of similar length.
    """
    widths = [int(lengths[list(rows)].sum()) for rows in sequences]
    if grouped:
        widths.sort()
    batches = (widths[start : start + batch] for start in range(0, len(widths), batch))
    return sum(max(one) * len(one) for one in batches)
