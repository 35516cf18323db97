"""Load the catalog: kit19's own cards, with a user's on top or in their place."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from kit19.catalog.benchmark import ITEM, Benchmark, BenchmarkSet, benchmark_of_task
from kit19.catalog.benchmark_sets import DEFAULT, ChosenBenchmarks, choose_benchmarks, load_sets
from kit19.catalog.extra import Extra
from kit19.catalog.layers import BUILT_IN, Kind, Layers, layers_of
from kit19.catalog.prompt_format import PromptFormat
from kit19.catalog.published import Published
from kit19.catalog.recipe import Recipe
from kit19.catalog.resolution import resolve_recipe
from kit19.catalog.source import Source, Subset
from kit19.catalog.tasks import Task, load_tasks, task_context
from kit19.catalog.templates import TemplateFile
from kit19.catalog.yaml_file import Lines, load_model
from kit19.core.arguments import INSTANCE, public
from kit19.core.errors import (
    ArgumentError,
    CatalogError,
    Kit19Error,
    Problem,
    UnknownNameError,
    suggest_names,
)
from kit19.core.manifest import Manifest

CardModel = TypeVar("CardModel", Source, Benchmark)


@dataclass(frozen=True)
class Catalog:
    """All cards of a catalog (``sources/``, ``templates/``, ``benchmarks/``, ``recipes/``).

    Attributes:
        layers: The folders that they come from.
        sources: Source cards by id, in alphabetical order.
        benchmarks: Benchmark cards by id.
        owners: For each subset, the id of the source that it belongs to.
        tasks: The kinds of tasks by id.
        sets: Sets of benchmarks by name.
        gone: Subsets of kit19's that a replaced source card had and no card has now, with the file
            that replaced it.
    """

    layers: Layers
    sources: Mapping[str, Source]
    benchmarks: Mapping[str, Benchmark]
    owners: Mapping[str, str]
    tasks: Mapping[str, Task]
    sets: Mapping[str, BenchmarkSet] = field(default_factory=dict)
    gone: Mapping[str, Path] = field(default_factory=dict)

    def source(self, name: str) -> Source:
        """The source card with this id.

        Raises:
            UnknownNameError: There is none.
        """
        if name not in self.sources:
            raise UnknownNameError(
                Problem(f"there is no source {name!r}", fix=suggest_names(name, self.sources))
            )
        return self.sources[name]

    def subset(self, name: str) -> tuple[Source, Subset]:
        """A subset and the source that it belongs to.

        Raises:
            UnknownNameError: There is none.
        """
        if name not in self.owners:
            fix = self.suggest_subset(name, self.owners)
            raise UnknownNameError(Problem(f"there is no subset {name!r}", fix=fix))
        source = self.sources[self.owners[name]]
        return source, source.subsets[name]

    def suggest_subset(self, name: str, known: Collection[str]) -> str:
        """What to do about a subset that does not exist."""
        if name in self.gone:
            return f"{self.gone[name]} replaces the card of kit19 that has it: add the subset there"
        return suggest_names(name, known)

    def benchmark_of_task(self, task: str, groups: Collection[str] = ()) -> Benchmark | None:
        """The card of a task of lm-evaluation-harness; None if there is none.

        Args:
            task: The task's name. The benchmark's card lists its tasks; if not, they have the
                benchmark's name, or begin with it (``csatqa_gr``).
            groups: Groups that contain the task.
        """
        return benchmark_of_task(self.benchmarks, task, groups)

    def choose_benchmarks(self, names: Collection[str]) -> ChosenBenchmarks:
        """The benchmarks that names of benchmarks and of sets stand for.

        Raises:
            UnknownNameError: A name is neither.
        """
        return choose_benchmarks(names, self.sets, self.benchmarks)

    def kept_out(self, recipe: Recipe) -> ChosenBenchmarks:
        """The benchmarks that a recipe keeps out, if it keeps any out.

        Without ``benchmarks`` they are those of the set ``default`` and of a user's catalog, or all
        where there is no such set.

        Raises:
            UnknownNameError: The recipe names what does not exist.
        """
        if recipe.benchmarks is not None:
            named = [recipe.benchmarks] if isinstance(recipe.benchmarks, str) else recipe.benchmarks
            return self.choose_benchmarks(named)
        if DEFAULT not in self.sets:
            return ChosenBenchmarks(list(self.benchmarks))
        own = [name for name in self.benchmarks if f"benchmarks/{name}" in self.layers.own_cards()]
        return self.choose_benchmarks([DEFAULT, *own])

    def template_path(self, subset: str) -> Path:
        """The file that holds a subset's templates, or the one to write if there is none."""
        found = self.layers.find("templates", subset)
        return found or self.layers.folders[-1] / "templates" / f"{subset}.yaml"

    def templates(self, subset: str) -> tuple[TemplateFile, Lines]:
        """A subset's templates and the line numbers of their keys.

        Raises:
            CatalogError: The file is missing or not valid.
        """
        path = self.template_path(subset)
        file, lines = load_model(path, TemplateFile)
        if file.subset != subset:
            where = f"{path}:{lines['subset',]}"
            raise CatalogError(Problem(f"subset: says {file.subset!r}", where, f"write {subset!r}"))
        return file, lines

    def recipe(self, name: str | Path, changes: Mapping[str, Any] | None = None) -> Recipe:
        """A recipe by name, or from a YAML file of the user's.

        Args:
            name: A recipe's id, or a path that ends in ``.yaml`` or ``.yml``.
            changes: Values that replace those of the recipe (``--set`` on the command line).

        Raises:
            UnknownNameError: The recipe, or a subset that it names, does not exist.
            CatalogError: It is not valid.
        """
        return resolve_recipe(self, str(name), changes)

    def recipe_names(self) -> list[str]:
        """Ids of all recipes."""
        return list(self.layers.cards("recipes"))

    def with_extra(self, extra: Sequence[Extra]) -> Catalog:
        """Return the catalog with the sources of a recipe's ``extra`` files."""
        sources = {one.name: one.source() for one in extra}
        owners = {name: name for name in sources}
        return replace(self, sources={**self.sources, **sources}, owners={**self.owners, **owners})

    def for_build(self, manifest: Manifest) -> Catalog:
        """Return the catalog that a build used.

        Raises:
            UnknownNameError: The build used source cards of a user's catalog, and this is without.
        """
        found = self.with_extra(
            [Extra.model_validate(one) for one in manifest.recipe.get("extra", [])]
        )
        theirs = manifest.catalog
        if theirs is None:
            return found
        used = {f"sources/{entry.source}" for entry in manifest.subsets.values()}
        missing = sorted(used & set(theirs.cards) - set(self.layers.own_cards()))
        missing = missing or [one for one in manifest.recipe["subsets"] if one not in found.owners]
        if missing:
            what = f"the build is made with a user's catalog that has {', '.join(missing)}"
            option = "--catalog-only" if theirs.only else "--catalog"
            raise UnknownNameError(Problem(what, fix=f"give the folder of that catalog: {option}"))
        return found

    def prompt_format(self, name: str) -> PromptFormat:
        """A prompt format by name, or from a YAML file of the user's.

        Raises:
            UnknownNameError: There is none.
            CatalogError: It is not valid.
        """
        path = Path(name)
        if path.suffix not in {".yaml", ".yml"}:
            known = self.layers.cards("formats")
            if name not in known:
                what = f"there is no prompt format {name!r}"
                raise UnknownNameError(Problem(what, fix=suggest_names(name, known)))
            path = known[name]
        return load_model(path, PromptFormat)[0]

    def published(self) -> list[Published]:
        """Tables of published scores, in alphabetical order of their files.

        Raises:
            CatalogError: One is not valid.
        """
        paths = self.layers.cards("published").values()
        return [load_model(path, Published)[0] for path in paths]


CatalogLike = str | Path | Annotated[Catalog, INSTANCE] | None
"""A folder of cards to add to kit19's own, a loaded catalog, or None for kit19's own alone."""


@public
def load_catalog(catalog: CatalogLike = None, *, only: bool = False) -> Catalog:
    """Read and check every source and benchmark card.

    Args:
        catalog: A folder of cards, laid out like kit19's own and added to it: a card with the id of
            one of kit19's replaces it. Default: kit19's own alone. A loaded catalog is returned.
        only: Use the folder in place of kit19's own.

    Raises:
        CatalogError: All mistakes of all cards, each with file, line and key.
    """
    if isinstance(catalog, Catalog):
        if only:
            what = "has no meaning for a catalog that is loaded already"
            raise ArgumentError(Problem(what, "only", "give it where the folder is given"))
        return catalog
    layers = layers_of(catalog, only=only)
    return _load_built_in() if layers.own is None else _load(layers)


@functools.cache
def _load_built_in() -> Catalog:
    return _load(Layers())


@dataclass(frozen=True)
class _ReadCard(Generic[CardModel]):
    """A card and where its keys stand."""

    card: CardModel
    path: Path
    lines: Lines

    @property
    def is_built_in(self) -> bool:
        return self.path.is_relative_to(BUILT_IN)

    def at(self, *key: str | int) -> str:
        line = self.lines.get(key) or self.lines.get(key[:1])
        return f"{self.path}:{line}" if line else str(self.path)


def _load(layers: Layers) -> Catalog:
    problems: list[Problem] = []
    tasks = load_tasks(layers.folders)
    sources = _read_cards(layers, "sources", Source, tasks, problems)
    benchmarks = _read_cards(layers, "benchmarks", Benchmark, tasks, problems)
    if problems:
        raise CatalogError(problems)
    if not sources:
        raise CatalogError(Problem("contains no source card", str(layers.folders[-1] / "sources")))
    owners = _collect_owners(sources, problems)
    _check_benchmarks(sources, benchmarks, problems)
    _check_templates(layers, owners, problems)
    sets: dict[str, BenchmarkSet] = {}
    try:
        sets = load_sets(layers.folders, benchmarks)
    except CatalogError as error:
        problems += error.problems
    if problems:
        raise CatalogError(problems)
    return Catalog(
        layers,
        {name: one.card for name, one in sources.items()},
        {name: one.card for name, one in benchmarks.items()},
        owners,
        tasks,
        sets,
        _find_gone(layers, sources, owners),
    )


def _read_cards(
    layers: Layers,
    kind: Kind,
    model: type[CardModel],
    tasks: Mapping[str, Task],
    problems: list[Problem],
) -> dict[str, _ReadCard[CardModel]]:
    found: dict[str, _ReadCard[CardModel]] = {}
    for name, path in layers.cards(kind).items():
        try:
            card, lines = load_model(path, model, task_context(tasks))
        except Kit19Error as error:
            problems += error.problems
            continue
        found[name] = _ReadCard(card, path, lines)
        if card.id != name:
            at = found[name].at("id")
            problems.append(Problem(f"id: says {card.id!r}", at, f"write {name!r}"))
    return found


def _collect_owners(
    sources: Mapping[str, _ReadCard[Source]], problems: list[Problem]
) -> dict[str, str]:
    owners: dict[str, str] = {}
    # kit19's own first, so that a clash is reported at the user's card.
    for source in sorted(sources.values(), key=lambda one: not one.is_built_in):
        for name in source.card.subsets:
            if name in owners:
                what = f"the subset {name!r} is also in {owners[name]}"
                fix = "give it another name"
                problems.append(Problem(what, source.at("subsets", name), fix))
            owners.setdefault(name, source.card.id)
    return owners


def _check_benchmarks(
    sources: Mapping[str, _ReadCard[Source]],
    benchmarks: Mapping[str, _ReadCard[Benchmark]],
    problems: list[Problem],
) -> None:
    for read in benchmarks.values():
        benchmark, source = read.card, sources.get(read.card.source)
        found = list(_benchmark_problems(read, source.card if source else None))
        if source and read.is_built_in and not source.is_built_in:
            # The mistake is not in kit19's benchmark, but in the card under it.
            fix = f"it replaces kit19's card: keep what {benchmark.id} needs, or replace that too"
            found = [
                Problem(f"the benchmark {benchmark.id}: {one.what}", str(source.path), fix)
                for one in found
            ]
        problems += found


def _benchmark_problems(read: _ReadCard[Benchmark], source: Source | None) -> Iterator[Problem]:
    benchmark = read.card
    table = source.tables.get(benchmark.table) if source else None
    if source is None or table is None:
        what = f"there is no table {benchmark.table!r} in a source {benchmark.source!r}"
        yield Problem(what, read.at("table" if source else "source"))
        return
    for key, names, known in (
        ("texts", benchmark.texts, table.fields()),
        ("only_with", list(benchmark.only_with), table.fields()),
        ("label", [benchmark.label] if benchmark.label else [], table.fields()),
        (
            "cluster",
            [benchmark.cluster.field] if benchmark.cluster else [],
            [*table.fields(), ITEM],
        ),
        ("splits", benchmark.splits, table.files),
        ("scored", [benchmark.scored], table.files),
    ):
        unknown = [name for name in names if name not in known]
        if unknown:
            yield Problem(f"the table has no {', '.join(unknown)}", read.at(key))
    for name, subset in source.subsets.items():
        leaked = sorted(set(subset.splits) & set(benchmark.splits))
        if benchmark.table in subset.tables and leaked:
            what = f"subset {name} trains on {', '.join(leaked)}, which contain its items"
            fix = "remove them from the subset's `splits`"
            yield Problem(what, read.at("splits"), fix)


def _check_templates(layers: Layers, owners: Mapping[str, str], problems: list[Problem]) -> None:
    """Report templates of the user's that no subset has: they would never be used."""
    for name, path in layers.own_cards().items():
        kind, _, subset = name.partition("/")
        if kind == "templates" and subset not in owners:
            what = f"there is no subset {subset!r}, so its templates are never used"
            problems.append(Problem(what, str(path), suggest_names(subset, owners)))


def _find_gone(
    layers: Layers, sources: Mapping[str, _ReadCard[Source]], owners: Mapping[str, str]
) -> dict[str, Path]:
    if layers.own is None or layers.only:
        return {}
    had = _load_built_in().owners
    return {
        name: sources[source].path
        for name, source in had.items()
        if name not in owners and source in sources
    }
