"""The run of a comparison: read, refuse what cannot be paired, and count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from kit19.catalog import BUILT_IN, Catalog, load_catalog
from kit19.comparing.cells import (
    How,
    cells_of,
    compared_task,
    confusion_of,
    differences_of,
    length_bins,
)
from kit19.comparing.exposure import Audits, compromises, read_audits, seen
from kit19.comparing.fairness import unfair_aspects
from kit19.comparing.published import published_cells
from kit19.comparing.reading import metrics_of, read_scored
from kit19.comparing.result import (
    Cell,
    ComparedModel,
    ComparedTask,
    Comparison,
    Compromise,
    Confusion,
    Difference,
    LengthBin,
    Note,
    Unfair,
)
from kit19.comparing.scored import Scored
from kit19.core.errors import Problem, ResultsError, convert_os_errors
from kit19.statistics import REPLICATES, holm

OnProgress = Callable[[str, int, int], None]

_MARKED = ("constant", "near_constant", "below_majority")
"""Cautions of an evaluation that are counted anew here, and stand as marks beside the scores."""


@convert_os_errors
def compare(
    results: Sequence[str | Path],
    out: str | Path | None = None,
    audits: Sequence[str | Path] = (),
    *,
    seed: int = 0,
    draws: int = REPLICATES,
    on_progress: OnProgress = lambda _what, _done, _total: None,
    catalog_dir: Path = BUILT_IN,
) -> Comparison:
    """Compare models with the first of them.

    Args:
        results: Folders of ``kit19 eval`` or of lm-evaluation-harness, the base model's first; at least
            two. ``NAME=PATH`` gives a model a name.
        out: A folder to write tables, charts and the page into (needs the layer ``report``).
        audits: Results of ``kit19 audit`` of the training data: of every model but the base, or
            ``NAME=PATH`` of one.
        seed: Of the bootstrap.
        draws: Its replicates.
        on_progress: Told of progress.
        catalog_dir: The folder of cards.

    Raises:
        ResultsError: Results that cannot be read, or not be paired item by item.
        OutputError: ``out`` cannot be written.
    """
    catalog = load_catalog(catalog_dir)
    models = read_all(results, catalog)
    found = read_audits(audits, [model.name for model in models])
    unfair = _unfair(models)
    stops = [one for one in unfair if one.stops]
    if stops:
        fix = "evaluate both on the same items (the same --limit, the same benchmark files)"
        raise ResultsError([Problem(str(one), fix=fix) for one in stops])
    _require_a_common_task(models)
    counted = _count(models, catalog, found, (draws, seed), on_progress)
    steps = len(counted.tasks) + 1
    comparison = Comparison(
        kit19_version=version("kit19"),
        seed=seed,
        draws=draws,
        models=[_described(model) for model in models],
        unfair=unfair,
        **vars(counted) | {"notes": [*_notes(models, found), *counted.notes]},
        published=published_cells(catalog, [task.name for task in counted.tasks]),
        published_note=_published_note(catalog),
        caveats=[caveat for table in catalog.published() for caveat in table.caveats],
    )
    if out is not None:
        on_progress("drawing", steps - 1, steps)
        from kit19.comparing.folder import write_comparison  # noqa: PLC0415  drawing needs a layer

        write_comparison(comparison, models, Path(out))
    on_progress("done", steps, steps)
    return comparison


@dataclass
class _Counted:
    """What is counted task by task; the names are those of ``Comparison``."""

    tasks: list[ComparedTask] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    compromises: list[Compromise] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    confusions: list[Confusion] = field(default_factory=list)
    lengths: list[LengthBin] = field(default_factory=list)


def _count(
    models: Sequence[Scored], catalog: Catalog, audits: Audits, how: How, on_progress: OnProgress
) -> _Counted:
    counted = _Counted()
    tasks = sorted({task for model in models for task in model.tasks})
    for done, task in enumerate(tasks):
        on_progress(task, done, len(tasks) + 1)
        card = catalog.benchmarks.get(task)
        counted.tasks.append(compared_task(models, task, card))
        for model in models:
            if task not in model.tasks:
                continue
            metrics = metrics_of(model.tasks[task], card)
            counted.cells += cells_of(model, task, metrics, seen(model, task, audits, catalog), how)
            counted.confusions.append(confusion_of(model, task))
            counted.lengths += length_bins(model, task)
            if model is not models[0] and task in models[0].tasks:
                _against_base(counted, models[0], model, (task, metrics), audits, how)
    corrected = holm([one.p for one in counted.differences])
    counted.differences = [
        one.model_copy(update={"p_holm": p})
        for one, p in zip(counted.differences, corrected, strict=True)
    ]
    return counted


def _against_base(
    counted: _Counted,
    base: Scored,
    model: Scored,
    asked: tuple[str, Sequence[str]],
    audits: Audits,
    how: How,
) -> None:
    task, metrics = asked
    counted.differences += differences_of(base, model, task, metrics, how)
    ids = audits.get(model.name, {}).get(task)
    for one in compromises(base, model, task, metrics, ids, how) if ids is not None else ():
        if isinstance(one, Note):
            counted.notes.append(one)
        else:
            counted.compromises.append(one)


@convert_os_errors
def check(results: Sequence[str | Path], catalog_dir: Path = BUILT_IN) -> list[Unfair]:
    """In what results differ that should be alike, the first being the base.

    Raises:
        ResultsError: Results that cannot be read.
    """
    return _unfair(read_all(results, load_catalog(catalog_dir)))


def read_all(results: Sequence[str | Path], catalog: Catalog) -> list[Scored]:
    """Read every result, and give each a name of its own."""
    if len(results) < 2:
        fix = "give the base model's results and those of at least one other"
        raise ResultsError(Problem("there is nothing to compare", fix=fix))
    models: list[Scored] = []
    problems: list[Problem] = []
    for one in results:
        name, separator, path = str(one).partition("=")
        named = bool(separator) and not Path(str(one)).exists()
        try:
            scored = read_scored(path if named else str(one), catalog.benchmarks)
        except ResultsError as error:
            problems += error.problems
            continue
        models.append(scored.called(name) if named else scored)
    if problems:
        raise ResultsError(problems)
    counts = Counter(model.name for model in models)
    # A folder tells twins apart best: two seeds of one model have one name.
    apart = [m if counts[m.name] == 1 else m.called(f"{m.name} ({m.path.name})") for m in models]
    twice = [name for name, n in Counter(model.name for model in apart).items() if n > 1]
    if twice:
        what = f"several results are of a model called {', '.join(twice)}"
        raise ResultsError(Problem(what, fix="name them: NAME=PATH"))
    return apart


def _unfair(models: Sequence[Scored]) -> list[Unfair]:
    return [one for other in models[1:] for one in unfair_aspects(models[0], other)]


def _require_a_common_task(models: Sequence[Scored]) -> None:
    base = models[0]
    if not any(set(base.tasks) & set(model.tasks) for model in models[1:]):
        held = [
            Problem(
                f"holds {', '.join(sorted(model.tasks))}"
                + "".join(f"; {name} is left out: {why}" for name, why in model.skipped.items()),
                str(model.path),
                "evaluate the models on the same tasks",
            )
            for model in models
        ]
        raise ResultsError([Problem("the results have no task in common"), *held])


def _described(model: Scored) -> ComparedModel:
    run = model.record.model.run if model.record else None
    return ComparedModel(
        name=model.name,
        writer=model.writer,
        dtype=model.dtype,
        asked=model.asked,
        data=run.data.label if run else "",
        recipe=run.data.recipe if run else "",
        sample=run.data.sample if run else False,
    )


def _notes(models: Sequence[Scored], audits: Audits) -> Iterator[Note]:
    for model in models:
        for task, why in model.skipped.items():
            yield Note(model=model.name, task=task, what=f"left out: {why}")
        if not model.record:
            continue
        for caution in model.record.cautions:
            if caution.code not in _MARKED:
                yield Note(model=model.name, task=caution.task, what=caution.what)
        run = model.record.model.run
        if run and run.data.label != "clean" and model.name not in audits:
            why = f": {run.data.why}" if run.data.why else ""
            what = f"trained on {run.data.label} data{why}; an audit of them would tell which items"
            yield Note(model=model.name, task="", what=what)


def _published_note(catalog: Catalog) -> str:
    return "; ".join(dict.fromkeys(table.note for table in catalog.published()))
