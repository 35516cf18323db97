"""Plan a training: its steps, and the memory that it needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from kit19.catalog import CatalogLike
from kit19.core.arguments import Count, OnProgress, public, silent
from kit19.training.cost import UTILIZATION, computed_weights, count_positions, estimate_cost
from kit19.training.model_errors import convert_model_errors
from kit19.training.preparation import (
    Prepared,
    TrainOptions,
    collect_notes,
    prepare,
    silence_libraries,
    without_packing,
)
from kit19.training.requirements import require_training
from kit19.training.rows.packing import filled
from kit19.training.settings import Settings, choose_settings

if TYPE_CHECKING:
    from kit19.training.cost import TrainingCost
    from kit19.training.model.memory import MemoryNeed, ModelShape


@dataclass(frozen=True)
class TrainPlan:
    """The plan of a training, computed without training.

    Attributes:
        settings: The settings of the run.
        rows: Rows before and after each step of preparation.
        supervised: Answer tokens per epoch.
        filled: The share of tokens in packed sequences that are not padding.
        steps: Optimizer steps.
        per_syllable: Tokens per syllable of Korean.
        parameters: Parameters of the model.
        need: Memory on each GPU.
        available: Bytes of each GPU, or of this machine's memory.
        gpus: The number of GPUs.
        changes: The first change of settings with which the run fits; None if none fits.
        then: Memory with these changes.
        notes: Notes on rows and model, a sentence each.
        cost: The computation of the run, and its time on GPUs that people rent.
    """

    settings: Settings
    rows: dict[str, int]
    supervised: int
    filled: float
    steps: int
    per_syllable: float
    parameters: int
    need: MemoryNeed
    available: int
    gpus: int
    changes: dict[str, Any] | None
    then: MemoryNeed | None
    notes: list[str]
    cost: TrainingCost

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON data."""
        return {
            "settings": self.settings.to_dict(),
            "rows": self.rows,
            "steps": self.steps,
            "supervised_tokens": self.supervised,
            "filled": self.filled,
            "tokens_per_syllable": self.per_syllable,
            "parameters": self.parameters,
            "gpus": self.gpus,
            "memory": self.need.to_dict(),
            "available": self.available,
            "changes": self.changes,
            "memory_then": self.then.to_dict() if self.then else None,
            "notes": self.notes,
            "cost": self.cost.to_dict(),
        }


@public
def plan_training(  # noqa: PLR0913  one parameter an option of the command
    data: str | Path | Collection[str | Path],
    settings: Settings | None = None,
    *,
    preset: str | Path = "",
    changes: Mapping[str, Any] | None = None,
    gpus: Count = 1,
    gpu_memory: Count | None = None,
    utilization: Annotated[float, Field(gt=0, le=1)] = UTILIZATION,
    price_per_hour: Annotated[float, Field(ge=0)] | None = None,
    cache: str | Path | None = None,
    catalog: CatalogLike = None,
    trust_remote_code: bool = False,
    on_progress: OnProgress = silent,
) -> TrainPlan:
    """Plan a training: run its preflight checks, and estimate its memory.

    Args:
        data: As for ``train``.
        settings: As for ``train``.
        preset: As for ``train``.
        changes: As for ``train``.
        gpus: GPUs over which weights, gradients and optimizer are sharded.
        gpu_memory: Bytes of each GPU; default: those of this machine's GPU, else its memory.
        utilization: The share of a GPU's peak that the run reaches, for its time on named GPUs.
        price_per_hour: The price of one GPU for an hour.
        cache: As for ``train``.
        catalog: As for ``train``.
        trust_remote_code: As for ``train``.
        on_progress: Called with the current step, steps done, and total steps.

    Raises:
        Kit19Error: As ``train``.
    """
    require_training()
    settings = choose_settings(settings, preset, changes)
    options = TrainOptions(cache, catalog, trust_remote_code)
    from kit19.training.model.device import device, machine_memory, plans_in_bf16  # noqa: PLC0415
    from kit19.training.model.loading import check_complete  # noqa: PLC0415
    from kit19.training.model.memory import (  # noqa: PLC0415
        estimate_memory,
        full_module_weights,
        model_shape,
        suggest_settings,
    )
    from kit19.training.run.arguments import steps  # noqa: PLC0415

    with silence_libraries():
        for_other_machine = gpu_memory is not None
        prepared = prepare(
            data, settings, options, on_progress, for_other_machine=for_other_machine
        )
        trust = prepared.base.trust
        ref = prepared.base.ref
        if ref and not ref.revision:  # weights of a Hub model are not downloaded for a plan
            check_complete(ref.source, trust_remote_code=trust)
        with convert_model_errors(
            settings.model or "tiny", "the model cannot be built from its config.json"
        ):
            shape = model_shape(prepared.meta_model, trust=trust)
            full_modules = full_module_weights(prepared.meta_model, prepared.settings)
        prepared = _check_packing(prepared)
        settings = prepared.settings
    available = gpu_memory or machine_memory()
    bf16 = plans_in_bf16(settings, for_other_machine=gpu_memory is not None)
    lengths = prepared.train.lengths
    where: dict[str, Any] = {
        "gpus": gpus,
        "bf16": bf16,
        "on_gpu": for_other_machine or device() != "cpu",
        "answers": prepared.train.stats.supervised / max(int(lengths.sum()), 1),
        "full_modules": full_modules,
    }
    need = estimate_memory(shape, settings, **where)
    fits = suggest_settings(shape, settings, available, **where)
    width = settings.sequence_length if settings.layout == "packed" else int(lengths.max())
    return TrainPlan(
        settings=settings,
        rows=prepared.counts,
        supervised=prepared.train.stats.supervised,
        filled=filled(prepared.sequences, lengths, width),
        steps=steps(settings, len(prepared.sequences), gpus),
        per_syllable=prepared.per_syllable,
        parameters=shape.parameters,
        need=need,
        available=available,
        gpus=gpus,
        changes=fits[0] if fits else None,
        then=fits[1] if fits else None,
        notes=[*collect_notes(prepared), *_memory_notes(need)],
        cost=_cost(prepared, shape, where, utilization, price_per_hour),
    )


def _memory_notes(need: MemoryNeed) -> list[str]:
    if not need.uncounted:
        return []
    what = "activations are estimated as those of a usual transformer, since this model"
    return [f"{what} does not run on shapes alone: {need.uncounted}"]


def _cost(
    prepared: Prepared,
    shape: ModelShape,
    where: Mapping[str, Any],
    utilization: float,
    price: float | None,
) -> TrainingCost:
    """The cost of a run on GPUs, whatever machine plans it."""
    from kit19.training.model.memory import estimate_memory  # noqa: PLC0415
    from kit19.training.run.arguments import steps  # noqa: PLC0415

    settings, gpus = prepared.settings, where["gpus"]
    there = {**where, "bf16": settings.precision != "fp32", "on_gpu": True}
    batch, sequences = settings.per_device_train_batch_size, len(prepared.sequences)
    taken = steps(settings, sequences, gpus) * batch * settings.gradient_accumulation_steps * gpus
    return estimate_cost(
        computed_weights(prepared.meta_model),
        settings,
        prepared.train.lengths,
        positions=count_positions(
            prepared.sequences, prepared.train.lengths, batch, grouped=settings.layout == "grouped"
        ),
        passes=min(settings.num_train_epochs, taken / max(sequences, 1)),
        adapter=settings.lora.rank * shape.linear * shape.layers,
        gpus=gpus,
        memory=estimate_memory(shape, settings, **there).total,
        utilization=utilization,
        price=price,
    )


def _check_packing(prepared: Prepared) -> Prepared:
    """Turn packing off if packed rows see each other in the twin of the model."""
    from kit19.training.model.isolation import why_not_pack_by_config  # noqa: PLC0415

    why = why_not_pack_by_config(
        prepared.settings, prepared.base, prepared.train, prepared.sequences
    )
    if why is None:
        note = "no small model can be built from this configuration: whether rows may be packed "
        return replace(
            prepared, notes=(*prepared.notes, note + "is tested when the model is loaded")
        )
    return without_packing(prepared, why) if why else prepared
