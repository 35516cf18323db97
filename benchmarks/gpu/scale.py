"""How large the models and the work are: on a GPU, and in the dry mode on a processor."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """A GPT-NeoX, the architecture of Polyglot-Ko.

    Attributes:
        layers: Transformer layers.
        hidden: Width.
        heads: Attention heads.
        vocabulary: Rows of the embedding; the tokenizer may have fewer.
    """

    layers: int
    hidden: int
    heads: int
    vocabulary: int


@dataclass(frozen=True)
class Scale:
    """The sizes of one run of all steps.

    Attributes:
        device: ``cuda`` or ``cpu``.
        dtype: Of evaluation.
        shapes: Models by name; the first is the small one.
        rows: Rows to train on.
        length: Tokens of a packed sequence.
        sequences: Packed sequences in a batch.
        unpacked: Rows in a batch without packing.
        steps: Optimizer steps of a measurement.
        warm: Steps before the clock starts.
        items: Items of each benchmark; None for all of the sample.
        copies: Copies of each item, each with other words before it.
        batches: Batch sizes of HFLM to try; its best one counts.
    """

    device: str
    dtype: str
    shapes: dict[str, Shape]
    rows: int
    length: int
    sequences: int
    unpacked: int
    steps: int
    warm: int
    items: int | None
    copies: int
    batches: tuple[int, ...]


REAL = Scale(
    device="cuda",
    dtype="bfloat16",
    shapes={"125m": Shape(12, 768, 12, 30_080), "1.3b": Shape(24, 2048, 16, 30_080)},
    rows=6_000,
    length=1024,
    sequences=8,
    unpacked=32,
    steps=20,
    warm=5,
    items=None,
    copies=12,
    batches=(16, 64, 256),
)
DRY = Scale(
    device="cpu",
    dtype="float32",
    shapes={"125m": Shape(2, 32, 2, 600), "1.3b": Shape(2, 48, 2, 600)},
    rows=24,
    length=256,
    sequences=2,
    unpacked=4,
    steps=3,
    warm=1,
    items=8,
    copies=1,
    batches=(4,),
)
