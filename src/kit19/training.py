"""Training: instruction rows in, a run folder out that explains itself.

``train_model`` is the whole flow: rows → tokens → preflight → lines → SFTTrainer → run folder. Killed
at any moment, the same call goes on from the last whole checkpoint.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit19.catalog import BUILT_IN, PromptFormat, load_catalog
from kit19.paths import cache_dir
from kit19.runs import NAME as RUN
from kit19.runs import RunRecord, read_run
from kit19.train import processes
from kit19.train.curves import JSON_NAME, SVG_NAME
from kit19.train.model_card import NAME as CARD
from kit19.train.model_card import model_card
from kit19.train.needs import need_training
from kit19.train.packing import filled
from kit19.train.preflight import check_batches, check_rows, check_syllables
from kit19.train.prompts import Prompts, make_prompts
from kit19.train.rows import Data, is_build, of_build, of_file
from kit19.train.run_folder import finish, running
from kit19.train.settings import Settings
from kit19.train.tokens import Tokens, tokenize
from kit19.write import verify
from kit19.write.place import replacing

if TYPE_CHECKING:
    from kit19.train.memory import Need
    from kit19.train.models import Base

OnStep = Callable[[str, int, int], None]
"""Called as (what is being done, steps done, steps in all)."""

CURVES = (JSON_NAME, SVG_NAME)
_LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")


@dataclass(frozen=True)
class TrainOptions:
    """How a run treats its surroundings. None of this changes a weight.

    Attributes:
        restart: Remove what an earlier run left in the folder, and begin anew.
        merge: Merge the adapter into the base model's weights at the end.
        cache: Where tokens are kept; default: ``tokens`` in the user's cache.
        catalog: Another folder of cards, for prompt formats.
    """

    restart: bool = False
    merge: bool = False
    cache: Path | None = None
    catalog: Path = BUILT_IN


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Attributes:
        folder: The run's folder.
        record: Its record, as in ``run.json``.
        resumed: The step that it went on from; 0 if it began.
        seconds: That training took, this time.
        supervised: Answer tokens a second in it.
        notes: What a reader must know, a sentence each.
    """

    folder: Path
    record: RunRecord
    resumed: int
    seconds: float
    supervised: float
    notes: list[str]


@dataclass(frozen=True)
class TrainPlan:
    """What a training would do, found without training.

    Attributes:
        settings: Its settings.
        rows: Rows before and after each step of preparation.
        supervised: Answer tokens of an epoch.
        filled: Share of the lines' tokens that are rows' rather than filling.
        steps: Optimizer steps.
        per_syllable: Tokens for a syllable of Korean.
        parameters: Of the model.
        need: Bytes on each GPU.
        available: Bytes of the GPU, or of this machine's memory.
        gpus: GPUs that share the work.
        changes: The first change of settings that fits; None if none does.
        then: Bytes with these changes.
        notes: What a reader must know.
    """

    settings: Settings
    rows: dict[str, int]
    supervised: int
    filled: float
    steps: int
    per_syllable: float
    parameters: int
    need: Need
    available: int
    gpus: int
    changes: dict[str, Any] | None
    then: Need | None
    notes: list[str]


@dataclass(frozen=True)
class Prepared:
    """All that comes before the first step."""

    data: Data
    form: PromptFormat
    base: Base
    prompts: Prompts
    train: Tokens
    validation: Tokens | None
    per_syllable: float
    counts: dict[str, int]
    lines: list[list[int]]


def train_model(
    data: str | Path,
    out: str | Path,
    settings: Settings | None = None,
    options: TrainOptions | None = None,
    on_step: OnStep = lambda _what, _done, _total: None,
) -> Trained:
    """Train a model on instruction rows.

    Args:
        data: The folder of a build, or a JSON lines or parquet file.
        out: The run's folder. An unfinished run of the same plan there is gone on with.
        settings: How; see ``load_preset``.
        options: How to treat the surroundings.
        on_step: Told of progress.

    Raises:
        TrainError: A layer is not installed, preflight found a fault, or the model cannot be had.
        VerifyError: The build is not what its manifest says.
        OutputError: The folder holds something else.
    """
    need_training()
    settings, options = settings or Settings(), options or TrainOptions()
    run = Path(out)
    with quiet():
        with processes.one_first():
            ready = prepare(Path(data), settings, options, on_step)
        plan = _plan(settings, ready)
        with running(run, plan, restart=options.restart) as checkpoint:
            trained = _train(ready, settings, run, checkpoint, on_step)
            if processes.is_main():
                _finish(run, trained, on_step, merge=options.merge and settings.method != "full")
        processes.leave()
    return Trained(
        run, trained.record, trained.resumed, trained.seconds, trained.rate, _notes(ready, trained)
    )


def _finish(run: Path, trained: _Done, on_step: OnStep, *, merge: bool) -> None:
    if merge:
        on_step("merging the adapter", 0, 1)
        from kit19.train.merging import merge_in_place  # noqa: PLC0415

        merge_in_place(run)
    finish(run, trained.record, trained.history)


def plan_training(
    data: str | Path,
    settings: Settings | None = None,
    options: TrainOptions | None = None,
    *,
    gpus: int = 1,
    gpu_memory: int | None = None,
    on_step: OnStep = lambda _what, _done, _total: None,
) -> TrainPlan:
    """What a training would do and need: all of its preflight, and the arithmetic of memory.

    Args:
        data: As for ``train_model``.
        settings: As for ``train_model``.
        options: As for ``train_model``.
        gpus: GPUs that would share weights, gradients and optimizer in pieces.
        gpu_memory: Bytes of each; default: of the GPU that is here, else of this machine's memory.
        on_step: Told of progress.

    Raises:
        Kit19Error: As ``train_model``.
    """
    need_training()
    settings, options = settings or Settings(), options or TrainOptions()
    from kit19.train.arguments import machine_memory, plans_in_bf16, steps  # noqa: PLC0415
    from kit19.train.memory import estimate, shape_of, suggest  # noqa: PLC0415

    with quiet():
        ready = prepare(Path(data), settings, options, on_step)
        shape = shape_of(ready.base.config)
    available = gpu_memory or machine_memory()
    bf16 = plans_in_bf16(settings, elsewhere=gpu_memory is not None)
    fits = suggest(shape, settings, available, gpus=gpus, bf16=bf16)
    lengths = ready.train.lengths
    width = settings.line if settings.layout == "packed" else int(lengths.max())
    return TrainPlan(
        settings=settings,
        rows=ready.counts,
        supervised=ready.train.found.supervised,
        filled=filled(ready.lines, lengths, width),
        steps=steps(settings, len(ready.lines), gpus),
        per_syllable=ready.per_syllable,
        parameters=shape.parameters,
        need=estimate(shape, settings, gpus=gpus, bf16=bf16),
        available=available,
        gpus=gpus,
        changes=fits[0] if fits else None,
        then=fits[1] if fits else None,
        notes=_warnings(ready),
    )


def merge(run: str | Path, out: str | Path) -> RunRecord | None:
    """Merge the adapter of a run into its base model, as a folder that loads by itself.

    Args:
        run: The run's folder.
        out: The folder to write; it must be new or empty.

    Returns:
        The run's record, which is written there too; None where the adapter is no run of kit19's.

    Raises:
        TrainError: There is no adapter, or its base model cannot be had.
        OutputError: The place is taken, or cannot be written.
    """
    need_training()
    run, out = Path(run), Path(out)
    record = read_run(run)
    with quiet():
        from kit19.train.merging import write_merged  # noqa: PLC0415

        with replacing(out, lambda _folder: False) as new:
            write_merged(run, new)
            if record:
                (new / RUN).write_text(record.to_json(), encoding="utf-8")
                (new / CARD).write_text(model_card(record, out.name), encoding="utf-8")
                for name in CURVES:
                    shutil.copy(run / name, new / name)
    return record


def read_data(path: Path, settings: Settings) -> Data:
    """The rows of a build, which is verified first, or of a user's file."""
    if is_build(path) or path.is_dir():
        return of_build(path, verify(path), settings.validation, settings.seed)
    return of_file(path, settings.validation, settings.seed)


def prepare(path: Path, settings: Settings, options: TrainOptions, on_step: OnStep) -> Prepared:
    """Rows, tokens, preflight: every fault is found before a weight is read.

    Raises:
        Kit19Error: As ``train_model``.
    """
    from kit19.train.arguments import check_names  # noqa: PLC0415
    from kit19.train.batches import Collate, lay_out  # noqa: PLC0415
    from kit19.train.models import find_base  # noqa: PLC0415

    check_names(settings)
    form = load_catalog(options.catalog).prompt_format(settings.format)
    on_step("checking the rows", 0, 4)
    data = read_data(path, settings)
    on_step("reading the tokenizer", 1, 4)
    base = find_base(settings, data, form)
    prompts = make_prompts(base.tokenizer, form, base.stops)
    rate = check_syllables(data, prompts, settings.allow)
    on_step("tokens", 2, 4)
    limit = (settings.max_length, settings.long_rows == "cut")
    cache = options.cache or cache_dir() / "tokens"
    train = tokenize(data.train, f"{data.key} train", prompts, limit, cache)
    check_rows(train.found, data.name, settings)
    held_out = None
    if data.validation:
        held_out = tokenize(data.validation, f"{data.key} validation", prompts, limit, cache)
        held_out = held_out if len(held_out) else None
    check_batches(Collate(base.tokenizer.pad_token_id), train, base.tokenizer)
    lines = lay_out(train, settings)
    counts = {
        "read": train.found.read,
        "too_long": train.found.too_long,
        "answers_lost": train.found.answers_lost,
        "dropped": train.found.dropped,
        "train": len(train),
        "lines": len(lines),
        "validation": len(held_out) if held_out else 0,
    }
    return Prepared(data, form, base, prompts, train, held_out, rate, counts, lines)


def _plan(settings: Settings, ready: Prepared) -> dict[str, Any]:
    return {
        "settings": settings.model_dump(mode="json"),
        "rows": ready.train.key,
        "validation": ready.validation.key if ready.validation else "",
        "base": ready.base.entry.model_dump(mode="json"),
    }


@dataclass(frozen=True)
class _Done:
    record: RunRecord
    history: list[dict[str, Any]]
    resumed: int
    seconds: float
    rate: float


def _train(
    ready: Prepared, settings: Settings, run: Path, checkpoint: Path | None, on_step: OnStep
) -> _Done:
    from kit19.train import arguments as made  # noqa: PLC0415
    from kit19.train.checkpoint import explain_write, step_of  # noqa: PLC0415
    from kit19.train.models import adapter_of, digest_of, load_weights  # noqa: PLC0415
    from kit19.train.trainer import WRITE_ERRORS, AnswerTrainer, Rows  # noqa: PLC0415

    on_step("loading the model", 3, 4)
    model = load_weights(settings, ready.base)
    world = processes.world_size()
    total = made.steps(settings, len(ready.lines), world)
    count = made.choose_threads(settings, model.num_parameters())
    with threads(count):
        trainer = AnswerTrainer(
            model,
            ready.base.tokenizer,
            Rows(ready.train, ready.lines, ready.validation),
            settings,
            run,
            arguments=made.make_arguments(
                settings, run, total, validated=bool(ready.validation), world=world
            ),
            adapter=adapter_of(settings),
            on_step=on_step,
        )
        start = time.perf_counter()
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        seconds = time.perf_counter() - start
        measured = trainer.evaluate()
    try:
        trainer.save_model(str(run))
    except WRITE_ERRORS as error:
        raise explain_write(error, run) from None
    resumed = step_of(checkpoint) if checkpoint else 0
    history = trainer.state.log_history
    # On CPU sums depend on the number of threads: it belongs to what decides the weights.
    used = {**settings.model_dump(mode="json"), "threads": count}
    used |= {"steps": trainer.state.global_step, "devices": world}
    losses = [entry["train_loss"] for entry in history if "train_loss" in entry]
    last = [entry["loss"] for entry in history if "loss" in entry]
    metrics = {"loss": last[-1] if last else losses[-1], **measured}
    metrics["tokens_per_syllable"] = ready.per_syllable
    record = RunRecord(
        kit19_version=importlib.metadata.version("kit19"),
        versions={name: importlib.metadata.version(name) for name in _LIBRARIES},
        base=ready.base.entry.model_copy(update={"digest": digest_of(settings, ready.base)}),
        data=ready.data.entry,
        method=settings.method,
        format=ready.form.model_dump(mode="json"),
        seed=settings.seed,
        settings=used,
        rows=ready.counts,
        metrics=metrics,
    )
    epochs = trainer.state.epoch * (1 - resumed / trainer.state.global_step)
    seen = ready.train.found.supervised * epochs
    return _Done(record, history, resumed, seconds, seen / max(seconds, 1e-9))


def _warnings(ready: Prepared) -> list[str]:
    entry, found = ready.data.entry, ready.train.found
    notes = []
    if entry.sample:
        notes.append("trained on kit19's own sample: not the datasets")
    if entry.label != "clean":
        notes.append(f"its training data is {entry.label}: {entry.why}")
    if found.too_long:
        cut = found.too_long - found.dropped
        notes.append(
            f"{found.too_long:,} of {found.read:,} rows are too long: {found.dropped:,} left out, "
            f"{cut:,} cut, {found.answers_lost:,} without any answer left"
        )
    if found.unknown:
        notes.append(f"{found.unknown:,} tokens are unknown to the tokenizer")
    return notes


def _notes(ready: Prepared, done: _Done) -> list[str]:
    notes = _warnings(ready)
    if done.resumed:
        notes.insert(0, f"went on from step {done.resumed}")
    return notes


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute on so many CPU threads."""
    import torch  # noqa: PLC0415

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def quiet() -> Iterator[None]:
    """Transformers' remarks on stderr would stand between lines of progress; ours say what matters."""
    from transformers import logging  # noqa: PLC0415

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
