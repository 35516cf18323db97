"""The comparison pipeline: read results, check that they can be paired, compute the figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from pydantic import Field

from kit19.catalog import Catalog, CatalogLike, load_catalog
from kit19.comparing.exposure import Audits, contamination_effects, exposure_of, read_audits
from kit19.comparing.fairness import find_mismatches
from kit19.comparing.items import changed_items
from kit19.comparing.model_results import ModelResults
from kit19.comparing.reading import metrics_of, read_results
from kit19.comparing.result import (
    ComparedModel,
    ComparedTask,
    Comparison,
    Confusion,
    ContaminationEffect,
    Difference,
    LengthBin,
    Mismatch,
    Note,
    Score,
)
from kit19.comparing.scores import (
    BootstrapSettings,
    compared_task,
    length_bins,
    published_scores,
    task_confusion,
    task_differences,
    task_scores,
)
from kit19.core.arguments import OnProgress, Seed, one_or_more, public, silent
from kit19.core.errors import Problem, ResultsError
from kit19.statistics import REPLICATES, holm

_MARKED = ("constant", "near_constant", "below_majority")
"""Codes of cautions that are computed again here, and shown as marks of scores."""
_TRAINING = ("contaminated_training", "unverified_training")
"""Codes of cautions that are stated from the record of the run."""


@public
def compare(
    results: str | Path | Collection[str | Path],
    *,
    audits: str | Path | Collection[str | Path] = (),
    seed: Seed = 0,
    replicates: Annotated[int, Field(ge=100, le=1_000_000)] = REPLICATES,
    catalog: CatalogLike = None,
    on_progress: OnProgress = silent,
) -> Comparison:
    """Compare models with the first of them.

    Args:
        results: Folders of ``kit19 eval`` or of lm-evaluation-harness, the base model's first; at least
            two. ``NAME=PATH`` gives a model a name.
        audits: Results of ``kit19 audit`` of the training data: of every model but the base, or
            ``NAME=PATH`` of one.
        seed: Seed of the bootstrap.
        replicates: Number of bootstrap replicates.
        catalog: A folder of cards to add to kit19's own, or a loaded catalog (see ``load_catalog``).
        on_progress: Called with the benchmark, benchmarks done, and total benchmarks.

    Raises:
        ResultsError: Results cannot be read, or cannot be paired item by item.
    """
    cards = load_catalog(catalog)
    models = read_all(one_or_more(results, "results"), cards)
    found = read_audits(one_or_more(audits, "audits"), [model.name for model in models])
    unfair = _find_all_mismatches(models)
    blocking = [mismatch for mismatch in unfair if mismatch.stops]
    if blocking:
        fix = "evaluate both on the same items (the same --limit, the same benchmark files)"
        raise ResultsError([Problem(str(mismatch), fix=fix) for mismatch in blocking])
    _require_common_task(models)
    figures = _compute_figures(models, cards, found, (replicates, seed), on_progress)
    comparison = Comparison(
        kit19_version=version("kit19"),
        seed=seed,
        draws=replicates,
        models=[_describe_model(model, models) for model in models],
        unfair=unfair,
        **vars(figures) | {"notes": [*_notes(models, found), *figures.notes]},
        published=published_scores(cards, [task.name for task in figures.tasks]),
        published_note=_published_note(cards),
        caveats=[caveat for table in cards.published() for caveat in table.caveats],
    )
    comparison.set_changed_items(changed_items(models))
    on_progress("done", len(figures.tasks), len(figures.tasks))
    return comparison


@dataclass
class _Figures:
    """Figures of all tasks, under the names of fields of ``Comparison``."""

    tasks: list[ComparedTask] = field(default_factory=list)
    cells: list[Score] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    compromises: list[ContaminationEffect] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    confusions: list[Confusion] = field(default_factory=list)
    lengths: list[LengthBin] = field(default_factory=list)


def _compute_figures(
    models: Sequence[ModelResults],
    catalog: Catalog,
    audits: Audits,
    bootstrap: BootstrapSettings,
    on_progress: OnProgress,
) -> _Figures:
    figures = _Figures()
    tasks = sorted({task for model in models for task in model.tasks})
    for done, task in enumerate(tasks):
        on_progress(task, done, len(tasks))
        card = catalog.benchmarks.get(task)
        figures.tasks.append(compared_task(models, task, card))
        for model in models:
            if task not in model.tasks:
                continue
            metrics = metrics_of(model.tasks[task], card)
            figures.cells += task_scores(
                model, task, metrics, exposure_of(model, task, audits, catalog), bootstrap
            )
            figures.confusions.append(task_confusion(model, task))
            figures.lengths += length_bins(model, task)
            if model is not models[0] and task in models[0].tasks:
                _compare_with_base(figures, models[0], model, (task, metrics), audits, bootstrap)
    corrected = holm([difference.p for difference in figures.differences])
    figures.differences = [
        difference.model_copy(update={"p_holm": p})
        for difference, p in zip(figures.differences, corrected, strict=True)
    ]
    return figures


def _compare_with_base(
    figures: _Figures,
    base: ModelResults,
    model: ModelResults,
    task_metrics: tuple[str, Sequence[str]],
    audits: Audits,
    bootstrap: BootstrapSettings,
) -> None:
    task, metrics = task_metrics
    figures.differences += task_differences(base, model, task, metrics, bootstrap)
    ids = audits.get(model.name, {}).get(task)
    if ids is None:
        return
    for effect in contamination_effects(base, model, task, metrics, ids, bootstrap):
        if isinstance(effect, Note):
            figures.notes.append(effect)
        else:
            figures.compromises.append(effect)


@public
def check(
    results: str | Path | Collection[str | Path], *, catalog: CatalogLike = None
) -> list[Mismatch]:
    """Find settings that differ between results and make a comparison unfair; the first is the base.

    Raises:
        ResultsError: Results cannot be read.
    """
    models = read_all(one_or_more(results, "results"), load_catalog(catalog))
    return _find_all_mismatches(models)


def read_all(results: Sequence[str | Path], catalog: Catalog) -> list[ModelResults]:
    """Read all results, and give each model a unique name."""
    if len(results) < 2:
        fix = "give the base model's results and those of at least one other"
        raise ResultsError(Problem("there is nothing to compare", fix=fix))
    models: list[ModelResults] = []
    problems: list[Problem] = []
    for result in results:
        name, separator, path = str(result).partition("=")
        is_named = bool(separator) and not Path(str(result)).exists()
        try:
            scored = read_results(path if is_named else str(result), catalog.benchmarks)
        except ResultsError as error:
            problems += error.problems
            continue
        models.append(scored.renamed(name) if is_named else scored)
    if problems:
        raise ResultsError(problems)
    counts = Counter(model.name for model in models)
    # Two training seeds of one model have the same name; their folders distinguish them best.
    unique = [m if counts[m.name] == 1 else m.renamed(f"{m.name} ({m.path.name})") for m in models]
    repeated = [name for name, n in Counter(model.name for model in unique).items() if n > 1]
    if repeated:
        what = f"several results are of a model called {', '.join(repeated)}"
        raise ResultsError(Problem(what, fix="name them: NAME=PATH"))
    return unique


def _find_all_mismatches(models: Sequence[ModelResults]) -> list[Mismatch]:
    return [one for other in models[1:] for one in find_mismatches(models[0], other)]


def _require_common_task(models: Sequence[ModelResults]) -> None:
    base = models[0]
    if not any(set(base.tasks) & set(model.tasks) for model in models[1:]):
        tasks = [
            Problem(
                f"has {', '.join(sorted(model.tasks))}"
                + "".join(f"; {name} is skipped: {why}" for name, why in model.skipped.items()),
                str(model.path),
                "evaluate the models on the same tasks",
            )
            for model in models
        ]
        raise ResultsError([Problem("the results have no task in common"), *tasks])


def _describe_model(model: ModelResults, models: Sequence[ModelResults]) -> ComparedModel:
    run, start = model.run, model.base_digest
    return ComparedModel(
        name=model.name,
        writer=model.writer,
        dtype=model.dtype,
        asked=model.prompting,
        data=run.data.label if run else "",
        recipe=run.data.recipe if run else "",
        sample=run.data.sample if run else False,
        digest=model.digest,
        trained_from=next((m.name for m in models if start and m.digest == start), ""),
    )


def _other_base_note(base: ModelResults, model: ModelResults) -> Iterator[Note]:
    """A note if a model was trained from another model than the comparison's base."""
    if model is base or not model.run or not model.base_digest or not base.digest:
        return
    if model.base_digest == base.digest:
        return
    what = (
        f"trained from {model.run.base.name}, whose files are not those of {base.name} (their digests "
        "differ), so the differences are not of this training alone"
    )
    yield Note(model=model.name, task="", what=what)


def _notes(models: Sequence[ModelResults], audits: Audits) -> Iterator[Note]:
    for model in models:
        for task, why in model.skipped.items():
            yield Note(model=model.name, task=task, what=f"skipped: {why}")
        if not model.record:
            continue
        yield from _other_base_note(models[0], model)
        for caution in model.record.cautions:
            if caution.code not in (*_MARKED, *_TRAINING):
                yield Note(model=model.name, task=caution.task, what=caution.what)
        run = model.run
        if run and run.data.caution:
            audit = "" if model.name in audits else "; an audit of the data would show which items"
            what = f"{run.data.caution}{audit}"
            yield Note(model=model.name, task="", what=what)


def _published_note(catalog: Catalog) -> str:
    return "; ".join(dict.fromkeys(table.note for table in catalog.published()))
