"""Train a model on instruction rows, and write a run folder.

``train`` is the complete flow: rows → tokens → preflight → packing → SFTTrainer → run folder.
After an interruption at any moment, the same call resumes from the last complete checkpoint.
``plan_training`` stops before the first step, and returns what the run needs.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit19.catalog import CatalogLike
from kit19.core.arguments import OnProgress, public, silent
from kit19.core.runs import NAME as RUN
from kit19.core.runs import RunRecord
from kit19.training import processes
from kit19.training.preparation import (
    Prepared,
    TrainOptions,
    collect_notes,
    prepare,
    silence_libraries,
    use_threads,
    with_accumulation,
    without_packing,
)
from kit19.training.requirements import require_training
from kit19.training.run.callback import RunCallback
from kit19.training.run.curves import JSON_NAME, SVG_NAME
from kit19.training.run.folder import finish_run, open_run, started_on
from kit19.training.run.model_card import NAME as CARD
from kit19.training.run.model_card import model_card
from kit19.training.settings import Settings, choose_settings
from kit19.writing.place import replacing

if TYPE_CHECKING:
    from kit19.training.model.adapters import InitialAdapter
    from kit19.training.run.trainer import AnswerTrainer

CURVES = (JSON_NAME, SVG_NAME)
_NOT_SHARDED = "accelerate shards models on accelerators only: each process held the complete model"
_LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")


@dataclass(frozen=True)
class Trained:
    """The result of a training.

    Attributes:
        folder: The run folder.
        record: The record of the run, as in ``run.json``.
        resumed: The step that the run resumed from; 0 for a new run.
        seconds: The training time of this call.
        supervised: Answer tokens per second in that time.
        notes: Notes on rows and model, a sentence each.
    """

    folder: Path
    record: RunRecord
    resumed: int
    seconds: float
    supervised: float
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """The record of the run as JSON data."""
        return self.record.to_dict()


@public
def train(  # noqa: PLR0913  one parameter an option of the command
    data: str | Path | Collection[str | Path],
    out: str | Path,
    settings: Settings | None = None,
    *,
    preset: str | Path = "",
    changes: Mapping[str, Any] | None = None,
    restart: bool = False,
    merge: bool = False,
    cache: str | Path | None = None,
    catalog: CatalogLike = None,
    trust_remote_code: bool = False,
    on_progress: OnProgress = silent,
    callback: RunCallback | None = None,
) -> Trained:
    """Train a model on instruction rows.

    Args:
        data: The folder of a build, or rows of your own: a file (JSON lines, JSON, CSV, TSV, parquet,
            Arrow), a folder of files, a pattern of names, or several of these. Rows that cannot be
            used are counted in ``record.data.malformed`` and listed in ``quarantined.jsonl``.
        out: The run folder. An unfinished run with the same plan is resumed.
        settings: All settings, as ``load_preset`` returns them, instead of ``preset`` and ``changes``.
        preset: A preset's id, or the path of a YAML file; default: the defaults of ``Settings``.
        changes: Settings to replace, as ``--set key=value`` does.
        restart: Remove an earlier run from the folder, and start again.
        merge: Merge the adapter into the base model's weights at the end.
        cache: The folder of tokens; default: ``tokens`` in kit19's cache.
        catalog: A folder of cards, for prompt formats, or a loaded catalog.
        trust_remote_code: Run code from the model's repository.
        on_progress: Called with the current step, steps done, and total steps.
        callback: Called before the first step, at each checkpoint and at the end, such as a
            ``RunPusher``.

    Raises:
        TrainError: Optional packages are not installed, preflight finds a fault, or the model cannot be
            loaded.
        VerifyError: The build differs from its manifest.
        OutputError: The folder holds other files.
    """
    require_training()
    settings = choose_settings(settings, preset, changes)
    run = Path(out)
    date = "" if restart else started_on(run)
    options = TrainOptions(cache, catalog, trust_remote_code, date)
    with silence_libraries():
        with processes.main_process_first():
            prepared = prepare(data, settings, options, on_progress)
            prepared = _with_digests(prepared, on_progress)
        if callback and processes.is_main():
            callback.on_start(_record(prepared, {}, {}))
        plan = _plan_of_run(settings, prepared)
        with open_run(run, plan, restart=restart) as checkpoint:
            trained = _train(prepared, run, checkpoint, on_progress, callback)
            if processes.is_main():
                _write_run(run, trained, on_progress, merge=merge and settings.method != "full")
        processes.shut_down()
    notes = _notes(trained)
    if callback and processes.is_main():
        callback.on_end(run)
        notes += callback.notes
    return Trained(run, trained.record, trained.resumed, trained.seconds, trained.rate, notes)


def _write_run(
    run: Path, trained: _TrainingResult, on_progress: OnProgress, *, merge: bool
) -> None:
    from kit19.training.run.checkpoint import explain_write_error  # noqa: PLC0415
    from kit19.training.run.trainer import WRITE_ERRORS  # noqa: PLC0415

    try:
        if merge:
            on_progress("merging the adapter", 0, 1)
            from kit19.training.run.merging import merge_in_place  # noqa: PLC0415

            merge_in_place(run, trust=trained.prepared.base.trust)
        trained.prepared.data.malformed.write(run)
        finish_run(run, trained.record, trained.history)
    except WRITE_ERRORS as error:
        raise explain_write_error(error, run) from None


@public
def merge(run: str | Path, out: str | Path, *, trust_remote_code: bool = False) -> RunRecord | None:
    """Merge the adapter of a run into its base model, and write the complete model.

    Args:
        run: The run folder, or any adapter: a folder or a Hub id.
        out: The folder to write; it must be new or empty.
        trust_remote_code: Run code from the model's repository.

    Returns:
        The record of the run, which is also written to the folder; None if the adapter is not a
        kit19 run.

    Raises:
        TrainError: There is no adapter, or its base model cannot be loaded.
        OutputError: The folder is not empty, or cannot be written.
    """
    require_training()
    out = Path(out)
    with silence_libraries():
        from kit19.training.run.merging import find_adapter, write_merged  # noqa: PLC0415

        adapter = find_adapter(str(run))  # before the lock of `out` is written
        record = adapter.run
        with replacing(out, lambda _folder: False) as new:
            write_merged(adapter, new, trust=trust_remote_code)
            if record:
                (new / RUN).write_text(record.to_json(), encoding="utf-8")
                (new / CARD).write_text(model_card(record, out.name), encoding="utf-8")
                for name in CURVES:
                    shutil.copy(adapter.folder / name, new / name)
    return record


def _plan_of_run(settings: Settings, prepared: Prepared) -> dict[str, Any]:
    """Everything that determines a run: only a run with the same plan can be resumed."""
    return {
        "settings": settings.model_dump(mode="json"),
        "rows": prepared.train.key,
        "validation": prepared.validation.key if prepared.validation else "",
        "base": prepared.base.entry.model_dump(mode="json"),
        "date": prepared.prompts.date,
    }


def _with_digests(prepared: Prepared, on_progress: OnProgress) -> Prepared:
    """Add the digests of the base model, which must be the same when a run resumes."""
    from kit19.training.model.base import describe_base  # noqa: PLC0415

    return replace(prepared, base=describe_base(prepared.base, on_progress))


@dataclass(frozen=True)
class _TrainingResult:
    prepared: Prepared
    record: RunRecord
    history: list[dict[str, Any]]
    resumed: int
    seconds: float
    rate: float


def _train(
    prepared: Prepared,
    run: Path,
    checkpoint: Path | None,
    on_progress: OnProgress,
    callback: RunCallback | None,
) -> _TrainingResult:
    from kit19.training.model.adapters import InitialAdapter, record_base  # noqa: PLC0415
    from kit19.training.model.base import (  # noqa: PLC0415
        load_weights,
        lora_config,
        modules_to_save,
        set_end_ids,
    )
    from kit19.training.model.generation_config import make_savable  # noqa: PLC0415
    from kit19.training.run import arguments  # noqa: PLC0415
    from kit19.training.run.checkpoint import check_form, step_of  # noqa: PLC0415
    from kit19.training.run.decisions import make_decisions  # noqa: PLC0415
    from kit19.training.run.trainer import (  # noqa: PLC0415
        AnswerTrainer,
        CheckpointCallback,
        TrainingRows,
    )

    on_progress("loading the model", 3, 4)
    model = load_weights(prepared.settings, prepared.base)
    make_savable(model.config, model.generation_config)
    set_end_ids(model, prepared.prompts.stops)
    found = make_decisions(
        model,
        prepared.settings,
        prepared.base,
        prepared.train,
        prepared.sequences,
        run,
        resumed=checkpoint is not None,
    )
    prepared = (
        without_packing(prepared, found.unpacked_because) if found.unpacked_because else prepared
    )
    world = processes.world_size()
    if world != found.devices:
        prepared = with_accumulation(prepared, found.accumulation, found.devices, world)
    settings = prepared.settings
    total = arguments.steps(settings, len(prepared.sequences), world)
    count = arguments.choose_threads(settings, model.num_parameters())
    with use_threads(count):
        trainer = AnswerTrainer(
            model,
            prepared.base.tokenizer,
            TrainingRows(prepared.train, prepared.sequences, prepared.validation),
            settings,
            run,
            arguments=arguments.make_arguments(
                settings,
                run,
                total,
                validated=bool(prepared.validation),
                world=world,
                balanced=arguments.can_balance_experts(model.config),
            ),
            loss_method=found.loss_method,
            adapter=lora_config(settings, modules_to_save(settings, model)),
            on_progress=on_progress,
        )
        if processes.is_sharded() and not trainer.is_sharded:
            prepared = replace(prepared, notes=(*prepared.notes, _NOT_SHARDED))
        if checkpoint:
            check_form(checkpoint, sharded=trainer.is_sharded)
        if settings.method != "full" and prepared.base.ref:
            record_base(trainer.model, prepared.base.ref)
        # On the CPU, sums depend on the number of threads, so it affects the weights.
        used = {"threads": count, "steps": 0, "devices": world}
        if callback:
            record_of = partial(_record, prepared)
            trainer.add_callback(CheckpointCallback(run, record_of, used, callback))
        decomposed = settings.method == "lora" and settings.lora.variant == "pissa"
        initial = InitialAdapter(trainer.model) if decomposed else None
        start = time.perf_counter()
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        seconds = time.perf_counter() - start
        measured = trainer.evaluate()
    _save_model(trainer, run, initial)
    used["steps"] = trainer.state.global_step
    record = _record(prepared, used, {"loss": _last_loss(trainer), **measured})
    return _result(trainer, prepared, record, step_of(checkpoint) if checkpoint else 0, seconds)


def _result(
    trainer: AnswerTrainer, prepared: Prepared, record: RunRecord, resumed: int, seconds: float
) -> _TrainingResult:
    state = trainer.state
    epochs = state.epoch * (1 - resumed / state.global_step)
    rate = prepared.train.stats.supervised * epochs / max(seconds, 1e-9)
    return _TrainingResult(prepared, record, state.log_history, resumed, seconds, rate)


def _save_model(trainer: AnswerTrainer, run: Path, initial: InitialAdapter | None) -> None:
    from kit19.training.run.checkpoint import explain_write_error  # noqa: PLC0415
    from kit19.training.run.trainer import WRITE_ERRORS  # noqa: PLC0415

    try:
        trainer.save_model(str(run))
        if initial and processes.is_main():
            initial.save(trainer.model, run)
        if trainer.settings.method != "full" and processes.is_main():
            base = trainer.model.get_base_model()
            base.generation_config.save_pretrained(run)  # where the adapter's answers end
    except WRITE_ERRORS as error:
        raise explain_write_error(error, run) from None


def _last_loss(trainer: AnswerTrainer) -> float:
    """The training loss of the last point of the curve; for shorter runs, of the complete run."""
    found = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return float(found[-1]) if found else trainer.mean_loss()


def _record(prepared: Prepared, used: dict[str, Any], metrics: dict[str, float]) -> RunRecord:
    settings = prepared.settings
    # The settings may hold paths of this machine, which are of no use where the run is published.
    named = {"format": prepared.form.id}
    if settings.model:
        named["model"] = prepared.base.entry.name
    return RunRecord(
        kit19_version=importlib.metadata.version("kit19"),
        versions={name: importlib.metadata.version(name) for name in _LIBRARIES},
        base=prepared.base.entry,
        data=prepared.data.entry,
        method=settings.method,
        format=prepared.form.model_dump(mode="json"),
        answer_head=prepared.prompts.head,
        date=prepared.prompts.date,
        ends=prepared.prompts.stops,
        seed=settings.seed,
        settings={**settings.model_dump(mode="json"), **named, **used},
        rows=prepared.counts,
        metrics={**metrics, "tokens_per_syllable": prepared.per_syllable},
        notes=[*prepared.notes],
    )


def _notes(done: _TrainingResult) -> list[str]:
    notes = collect_notes(done.prepared)
    if done.resumed:
        notes.insert(0, f"resumed from step {done.resumed}")
    return notes
