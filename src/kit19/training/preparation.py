"""Prepare a training: rows, tokens, preflight, packed sequences.

Every fault is found here, before weights are read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit19.catalog import CatalogLike, PromptFormat, load_catalog
from kit19.core.arguments import OnProgress, one_or_more
from kit19.core.errors import Problem, TrainError
from kit19.core.notes import SAMPLE
from kit19.core.paths import cache_dir
from kit19.training.model_errors import convert_model_errors
from kit19.training.rows.examples import TokenRules
from kit19.training.rows.files import Data, is_build, load_build_rows, load_file_rows
from kit19.training.rows.preflight import check_batches, check_head, check_rows, check_syllables
from kit19.training.rows.prompts import Prompts, make_prompts, set_end_token
from kit19.training.rows.tokens import Tokens, tokenize
from kit19.training.settings import Settings
from kit19.writing import verify

if TYPE_CHECKING:
    from kit19.training.model.base import Base


@dataclass(frozen=True)
class TrainOptions:
    """Options of a run that do not affect its weights.

    Attributes:
        cache: The folder of cached tokens; default: ``tokens`` in kit19's cache.
        catalog: A folder of cards, for prompt formats, or a loaded catalog.
        trust_remote_code: Run code from the model's repository.
        date: The date of the unfinished run that may be resumed; empty without one.
    """

    cache: str | Path | None = None
    catalog: CatalogLike = None
    trust_remote_code: bool = False
    date: str = ""


@dataclass(frozen=True)
class Prepared:
    """Everything that training needs besides the weights.

    Attributes:
        settings: The given settings, adapted to the model.
        notes: Differences from the given settings, with reasons.
        meta_model: The model on the meta device, with embeddings for the new tokens.
    """

    settings: Settings
    data: Data
    form: PromptFormat
    base: Base
    prompts: Prompts
    train: Tokens
    validation: Tokens | None
    per_syllable: float
    counts: dict[str, int]
    sequences: list[list[int]]
    meta_model: Any
    notes: tuple[str, ...] = ()


def read_data(data: str | Path | Collection[str | Path], settings: Settings) -> Data:
    """Read the rows of a build, after verifying it, or of users' files."""
    paths = [Path(path) for path in one_or_more(data, "data")]
    if not paths:
        raise TrainError(Problem("names no file", "data", "give a build or files of rows"))
    builds = [path for path in paths if is_build(path)]
    if not builds:
        return load_file_rows(paths, settings.validation, settings.seed)
    if len(paths) > 1:
        fix = "train on it alone, or add the files to it: `extra` in its recipe"
        raise TrainError(Problem("is a build, and other rows are given too", str(builds[0]), fix))
    (path,) = builds
    return load_build_rows(path, verify(path), settings.validation, settings.seed)


def prepare(
    data: str | Path | Collection[str | Path],
    settings: Settings,
    options: TrainOptions,
    on_progress: OnProgress,
    *,
    for_other_machine: bool = False,
) -> Prepared:
    """Read and tokenize the rows, and run all checks that need no weights.

    Args:
        data: The folder of a build, or files of rows (see ``train``).
        settings: The given settings.
        options: Options of the run.
        on_progress: Called with progress.
        for_other_machine: Whether the run is only planned here, for another machine.

    Raises:
        Kit19Error: As ``train``.
    """
    from kit19.training.model.base import find_base  # noqa: PLC0415
    from kit19.training.rows.batches import Collate, arrange_rows  # noqa: PLC0415
    from kit19.training.run.arguments import check_names  # noqa: PLC0415
    from kit19.training.run.check_model import check_model  # noqa: PLC0415

    check_names(settings)
    form = load_catalog(options.catalog).prompt_format(settings.format)
    on_progress("checking the rows", 0, 4)
    rows = read_data(data, settings)
    on_progress("reading the tokenizer", 1, 4)
    base = find_base(settings, rows, form, trust=options.trust_remote_code)
    with convert_model_errors(settings.model or "tiny", "its tokenizer fails"):
        date = settings.date or options.date
        prompts = make_prompts(base.tokenizer, form, base.stops, end=settings.end, date=date)
        set_end_token(prompts)
        rate = check_syllables(rows, prompts, settings.allow)
    on_progress("tokens", 2, 4)
    rules = TokenRules(settings.max_length, settings.long_rows, settings.loss_on)
    cache = Path(options.cache or cache_dir() / "tokens")
    train = tokenize(rows.train, f"{rows.key} train", prompts, rules, cache)
    if 0 < train.stats.other_head_answers == train.stats.answers:  # each has its own reasoning
        prompts = replace(prompts, head="")
        train = tokenize(rows.train, f"{rows.key} train", prompts, rules, cache)
    check_rows(train.stats, rows.name, settings)
    held_out = None
    if rows.validation:
        held_out = tokenize(rows.validation, f"{rows.key} validation", prompts, rules, cache)
        check_head(held_out.stats, rows.name)
        held_out = held_out if len(held_out) else None
    check_batches(Collate(base.tokenizer.pad_token_id), train, base.tokenizer)
    sets = [train, held_out] if held_out else [train]
    checked = check_model(
        settings, base, sets, validated=held_out is not None, for_other_machine=for_other_machine
    )
    settings, sequences = checked.settings, arrange_rows(train, settings)
    counts = {
        "read": train.stats.read,
        "malformed": rows.malformed.total,
        "too_long": train.stats.too_long,
        "answers_lost": train.stats.answers_lost,
        "dropped": train.stats.dropped,
        "train": train.stats.read - train.stats.dropped,
        **_conversation_counts(train),
        "lines": len(sequences),
        "validation": len(held_out) if held_out else 0,
    }
    return Prepared(
        settings,
        rows,
        form,
        base,
        prompts,
        train,
        held_out,
        rate,
        counts,
        sequences,
        checked.meta_model,
        checked.notes,
    )


def _conversation_counts(tokens: Tokens) -> dict[str, int]:
    """What became of the conversations; empty without any."""
    stats = tokens.stats
    if not stats.conversations:
        return {}
    return {
        "conversations": stats.conversations,
        "shortened": stats.shortened,
        "split": stats.split,
        "sequences": len(tokens),
    }


def without_packing(prepared: Prepared, why: str) -> Prepared:
    """The same rows in the layout ``grouped``, for models in which packed rows see each other.

    Args:
        prepared: A preparation in the layout ``packed``.
        why: Why rows must not be packed.
    """
    from kit19.training.rows.batches import arrange_rows  # noqa: PLC0415

    settings = prepared.settings.model_copy(update={"layout": "grouped"})
    sequences = arrange_rows(prepared.train, settings)
    shared = len(prepared.train) / max(len(prepared.sequences), 1)
    note = (
        f"{why}; so each row is trained as its own sequence (layout=grouped). A packed sequence held "
        f"{shared:.1f} rows: with the same per_device_train_batch_size and "
        "gradient_accumulation_steps, a step now has that many times fewer rows"
    )
    return replace(
        prepared,
        settings=settings,
        sequences=sequences,
        counts={**prepared.counts, "lines": len(sequences)},
        notes=(*prepared.notes, note),
    )


def with_accumulation(prepared: Prepared, accumulation: int, started: int, now: int) -> Prepared:
    """The same steps for another number of processes than the run started with.

    Args:
        prepared: A preparation with the settings of the run.
        accumulation: Batches of each process in a step.
        started: Processes that the run started with.
        now: Processes that resume it.
    """
    note = (
        f"resumed on {now} instead of {started} processes: gradient_accumulation_steps={accumulation} "
        "keeps the sequences of a step"
    )
    changes = {"gradient_accumulation_steps": accumulation}
    settings = prepared.settings.model_copy(update=changes)
    return replace(prepared, settings=settings, notes=(*prepared.notes, note))


def collect_notes(prepared: Prepared) -> list[str]:
    """Notes on the rows and the model of a run, a sentence each."""
    entry, stats = prepared.data.entry, prepared.train.stats
    notes = [*prepared.notes]
    if entry.sample:
        notes.append(f"its training data is {SAMPLE}")
    if entry.caution:
        notes.append(entry.caution)
    if malformed := prepared.data.malformed.summary():
        notes.append(malformed)
    notes += prepared.data.notes
    if stats.too_long:
        cut = stats.too_long - stats.dropped - stats.shortened
        notes.append(
            f"{stats.too_long:,} of {stats.read:,} rows are too long: {stats.dropped:,} dropped, "
            f"{cut:,} cut, {stats.answers_lost:,} whose answer is cut completely"
        )
    if stats.shortened:
        notes.append(
            f"{stats.shortened:,} of them were shortened by their oldest turns: "
            f"{stats.turns_left_out:,} questions with their answers are left out"
        )
    if stats.split:
        row, shown = stats.first["split"]
        notes.append(
            f"the chat template writes earlier turns differently from the last, so each answer of "
            f"{stats.split:,} of {stats.conversations:,} conversations is a sequence of its own, as at "
            f"inference; first row {row}: {shown}"
        )
    if stats.control:
        row, token = stats.first["control"]
        rows = f"{stats.control:,} {'row contains' if stats.control == 1 else 'rows contain'}"
        notes.append(
            f"{rows} text that looks like a control token ({token!r}, first in row {row}); it is "
            "encoded as text, like all data"
        )
    if stats.unknown:
        notes.append(f"{stats.unknown:,} tokens are unknown to the tokenizer")
    return notes


@contextmanager
def use_threads(count: int) -> Iterator[None]:
    """Set the number of CPU threads of torch."""
    import torch  # noqa: PLC0415

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def silence_libraries() -> Iterator[None]:
    """Silence transformers and PEFT on stderr, where kit19 shows progress."""
    from transformers import logging  # noqa: PLC0415

    from kit19.training.model.adapters import ignore_peft_warnings  # noqa: PLC0415

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with ignore_peft_warnings():
            yield
    finally:
        logging.set_verbosity(before)
