"""The comparison pipeline: read results, check that they can be paired, compute the figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from pydantic import Field

from kit19.catalog import Catalog, CatalogLike, load_catalog
from kit19.comparing.compared import ComparedGroup, ComparedModel, ComparedTask, Leaderboard
from kit19.comparing.estimates import BootstrapSettings
from kit19.comparing.exposure import (
    AuditedTask,
    Audits,
    audited_task,
    contamination_effects,
    exposure_of,
    group_exposure,
    read_audits,
)
from kit19.comparing.fairness import find_mismatches
from kit19.comparing.groups import (
    GroupPlan,
    compared_group,
    group_differences,
    group_scores,
    plan_groups,
    stated_groups,
)
from kit19.comparing.items import changed_items
from kit19.comparing.leaderboard import leaderboards
from kit19.comparing.matching import match_items
from kit19.comparing.model import Model, Requested, requested_runs
from kit19.comparing.model_results import GradedResults, groups_above
from kit19.comparing.reading import read_results
from kit19.comparing.result import (
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
    TaskPlan,
    compared_task,
    length_bins,
    plan_task,
    published_scores,
    task_confusion,
    task_differences,
    task_scores,
)
from kit19.core.arguments import OnProgress, Seed, one_or_more, public, silent
from kit19.core.errors import Problem, ResultsError
from kit19.statistics import FEW, REPLICATES, holm

_MARKED = ("constant", "near_constant", "below_majority")
"""Codes of cautions that are computed again here, and shown as marks of scores."""
_TRAINING = ("contaminated_training", "unverified_training")
"""Codes of cautions that are stated from the record of the run."""


@public
def compare(
    results: Requested,
    *,
    audits: str | Path | Collection[str | Path] = (),
    seed: Seed = 0,
    replicates: Annotated[int, Field(ge=100, le=1_000_000)] = REPLICATES,
    catalog: CatalogLike = None,
    on_progress: OnProgress = silent,
) -> Comparison:
    """Compare models with the first of them.

    Args:
        results: Results of at least two models, the base first: folders of ``kit19 eval`` or of
            lm-evaluation-harness, logs of Inspect, results of lighteval or HRET. ``NAME=PATH`` gives a
            model a name; ``NAME=PATH,PATH`` are several runs of one model. Or a mapping of names to a
            path, or to the paths of several runs.
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
    models, notes = match_items(read_all(results, cards))
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
        **vars(figures) | {"notes": [*_notes(models, found), *notes, *figures.notes]},
        published=published_scores(cards, [task.name for task in figures.tasks]),
        published_note=_published_note(cards),
        caveats=[caveat for table in cards.published() for caveat in table.caveats],
    )
    metrics = {task.name: task.metrics[0] for task in figures.tasks if task.metrics}
    comparison.set_changed_items(changed_items(models, metrics))
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
    groups: list[ComparedGroup] = field(default_factory=list)
    leaderboards: list[Leaderboard] = field(default_factory=list)


def _compute_figures(
    models: Sequence[Model],
    catalog: Catalog,
    audits: Audits,
    bootstrap: BootstrapSettings,
    on_progress: OnProgress,
) -> _Figures:
    figures = _Figures()
    above = stated_groups(models)
    plans: dict[str, TaskPlan] = {}
    tasks = sorted({task for model in models for task in model.tasks})
    for done, task in enumerate(tasks):
        on_progress(task, done, len(tasks))
        card = catalog.benchmarks.get(task)
        group = next(iter(groups_above(above, task)), "")
        plan = plans[task] = plan_task(models, task, card, group)
        figures.tasks.append(compared_task(models, plan, card))
        figures.notes += _cluster_notes(models, plan, catalog, above)
        for model in models:
            if task not in model.tasks:
                continue
            groups = groups_above(above, task)
            audited = audited_task(audits.get(model.name), task, catalog, groups)
            exposure = exposure_of(model, task, audited, catalog, groups)
            figures.cells += task_scores(model, plan, exposure, bootstrap)
            figures.confusions += task_confusion(model, task)
            figures.lengths += length_bins(model, task)
            if model is not models[0] and task in models[0].tasks:
                figures.differences += task_differences(models[0], model, plan, bootstrap)
                if audited:
                    _separate_compromised(figures, models[0], model, plan, audited, bootstrap)
    found, notes = plan_groups(models, plans)
    figures.notes += notes
    _add_groups(figures, models, found, catalog)
    figures.leaderboards += leaderboards(models, plans, found)
    corrected = holm([difference.p for difference in figures.differences])
    figures.differences = [
        difference.model_copy(update={"p_holm": p})
        for difference, p in zip(figures.differences, corrected, strict=True)
    ]
    return figures


def _separate_compromised(
    figures: _Figures,
    base: Model,
    model: Model,
    plan: TaskPlan,
    audited: AuditedTask,
    bootstrap: BootstrapSettings,
) -> None:
    for effect in contamination_effects(base, model, plan, audited, bootstrap):
        if isinstance(effect, Note):
            figures.notes.append(effect)
        else:
            figures.compromises.append(effect)


def _add_groups(
    figures: _Figures, models: Sequence[Model], plans: Sequence[GroupPlan], catalog: Catalog
) -> None:
    seen = {(cell.task, cell.model): cell.seen for cell in figures.cells}
    for plan in plans:
        figures.groups.append(compared_group(plan, catalog))
        for model in models:
            exposures = [seen.get((task.name, model.name), "unknown") for task in plan.tasks]
            figures.cells += group_scores(model, plan, group_exposure(exposures))
            if model is not models[0]:
                figures.differences += group_differences(models[0], model, plan)


def _cluster_notes(
    models: Sequence[Model], plan: TaskPlan, catalog: Catalog, groups: Mapping[str, list[str]]
) -> Iterator[Note]:
    """Notes on clusters that cannot be found, and on few clusters."""
    card = catalog.benchmark_of_task(plan.name, groups_above(groups, plan.name))
    if card is None or card.cluster is None:
        return
    shared, units = card.cluster.field, plan.units
    if units.clustered and units.count < FEW:
        what = (
            f"has {units.count} clusters by `{shared}`, which is few: intervals are wide, and "
            f"flipping their signs gives a p of {2 / 2**units.count:.2g} at least"
        )
        yield Note(model="", task=plan.name, what=what)
    results = [
        one for model in models if plan.name in model.tasks for one in model.results(plan.name)
    ]
    if all(one.items["cluster"].null_count() for one in results):
        what = (
            f"items that share `{shared}` are not independent, but the results do not record it: "
            "intervals and tests are of single items, and too optimistic"
        )
        yield Note(model="", task=plan.name, what=what)


@public
def check(results: Requested, *, catalog: CatalogLike = None) -> list[Mismatch]:
    """Find settings that differ between results and make a comparison unfair; the first is the base.

    Raises:
        ResultsError: Results cannot be read.
    """
    models, _ = match_items(read_all(results, load_catalog(catalog)))
    return _find_all_mismatches(models)


def read_all(results: Requested, catalog: Catalog) -> list[Model]:
    """Read all results, and give each model a unique name."""
    requested = requested_runs(results)
    if len(requested) < 2:
        fix = "give the base model's results and those of at least one other"
        raise ResultsError(Problem("there is nothing to compare", fix=fix))
    models: list[Model] = []
    problems: list[Problem] = []
    for name, paths in requested:
        runs = []
        for path in paths:
            try:
                runs.append(read_results(path, catalog.benchmarks))
            except ResultsError as error:
                problems += error.problems
        if runs:
            models.append(Model(name or runs[0].name, runs))
    if problems:
        raise ResultsError(problems)
    counts = Counter(model.name for model in models)
    # Two training seeds of one model have the same name; their folders distinguish them best.
    unique = [
        m if counts[m.name] == 1 else Model(f"{m.name} ({m.first.path.name})", m.runs)
        for m in models
    ]
    repeated = [name for name, n in Counter(model.name for model in unique).items() if n > 1]
    if repeated:
        what = f"several results are of a model called {', '.join(repeated)}"
        fix = "name them: NAME=PATH; or NAME=PATH,PATH for runs of one model"
        raise ResultsError(Problem(what, fix=fix))
    return unique


def _find_all_mismatches(models: Sequence[Model]) -> list[Mismatch]:
    """Mismatches of all runs with the base's first, each once."""
    base = models[0].first
    found: dict[tuple[str, ...], Mismatch] = {}
    for model in models:
        for number, run in enumerate(model.runs, 1):
            if run is base:
                continue
            name = model.name if model is not models[0] else f"{model.name}, run {number}"
            for one in find_mismatches(base, run, name):
                key = (one.model, one.task, one.aspect, one.base_has, one.model_has)
                found.setdefault(key, one)
    return list(found.values())


def _require_common_task(models: Sequence[Model]) -> None:
    base = models[0]
    if not any(set(base.tasks) & set(model.tasks) for model in models[1:]):
        tasks = [
            Problem(
                f"has {', '.join(sorted(model.tasks))}"
                + "".join(
                    f"; {name} is skipped: {why}" for name, why in model.first.skipped.items()
                ),
                str(model.first.path),
                "evaluate the models on the same tasks",
            )
            for model in models
        ]
        raise ResultsError([Problem("the results have no task in common"), *tasks])


def _describe_model(model: Model, models: Sequence[Model]) -> ComparedModel:
    first, run = model.first, model.run
    start = first.base_digest
    return ComparedModel(
        name=model.name,
        writer=first.writer,
        dtype=first.dtype,
        asked=first.prompting,
        data=run.data.label if run else "",
        recipe=run.data.recipe if run else "",
        sample=run.data.sample if run else False,
        digest=first.digest,
        trained_from=next((m.name for m in models if start and m.first.digest == start), ""),
        runs=len(model.runs),
    )


def _other_base_note(base: Model, model: Model) -> Iterator[Note]:
    """A note if a model was trained from another model than the comparison's base."""
    start, digest = model.first.base_digest, base.first.digest
    if model is base or not model.run or not start or not digest or start == digest:
        return
    what = (
        f"trained from {model.run.base.name}, whose files are not those of {base.name} (their digests "
        "differ), so the differences are not of this training alone"
    )
    yield Note(model=model.name, task="", what=what)


def _notes(models: Sequence[Model], audits: Audits) -> Iterator[Note]:
    for model in models:
        yield from dict.fromkeys(_skipped_notes(model))
        if not model.first.record:
            continue
        yield from _other_base_note(models[0], model)
        for caution in model.first.record.cautions:
            if caution.code not in (*_MARKED, *_TRAINING):
                yield Note(model=model.name, task=caution.task, what=caution.what)
        run = model.run
        if run and run.data.caution:
            audit = "" if model.name in audits else "; an audit of the data would show which items"
            what = f"{run.data.caution}{audit}"
            yield Note(model=model.name, task="", what=what)
    if any(len(model.runs) > 1 for model in models):
        single = [model.name for model in models if len(model.runs) == 1]
        if single:
            what = "one run, so that intervals do not include how its runs would differ"
            yield Note(model=", ".join(single), task="", what=what)


def _skipped_notes(model: Model) -> Iterator[Note]:
    for run in model.runs:
        for task, why in run.skipped.items():
            yield Note(model=model.name, task=task, what=f"skipped: {why}")
        for task, results in run.tasks.items():
            if task not in model.tasks:
                what = "skipped: not all runs of the model have it"
                yield Note(model=model.name, task=task, what=what)
            if isinstance(results, GradedResults):
                for metric, why in results.left_out.items():
                    yield Note(model=model.name, task=task, what=f"{metric} is skipped: it {why}")


def _published_note(catalog: Catalog) -> str:
    return "; ".join(dict.fromkeys(table.note for table in catalog.published()))
