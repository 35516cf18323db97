"""Load the catalog: kit19's own cards, or another folder with the same layout."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kit19.catalog.benchmark import Benchmark
from kit19.catalog.extra import Extra
from kit19.catalog.prompt_format import PromptFormat
from kit19.catalog.published import Published
from kit19.catalog.recipe import Recipe
from kit19.catalog.source import Source, Subset
from kit19.catalog.tasks import Task, load_tasks, task_context
from kit19.catalog.templates import TemplateFile
from kit19.catalog.yaml_file import Lines, fit_model, load_model, read_yaml
from kit19.core.arguments import public
from kit19.core.errors import (
    CatalogError,
    Kit19Error,
    Problem,
    UnknownNameError,
    suggest_names,
)

BUILT_IN = Path(__file__).parent


@dataclass(frozen=True)
class Catalog:
    """All cards of one catalog folder (``sources/``, ``templates/``, ``benchmarks/``, ``recipes/``).

    Attributes:
        root: The folder.
        sources: Source cards by id, in alphabetical order.
        benchmarks: Benchmark cards by id.
        owners: For each subset, the id of the source that it belongs to.
        tasks: The kinds of tasks by id.
    """

    root: Path
    sources: Mapping[str, Source]
    benchmarks: Mapping[str, Benchmark]
    owners: Mapping[str, str]
    tasks: Mapping[str, Task]

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
            raise UnknownNameError(
                Problem(f"there is no subset {name!r}", fix=suggest_names(name, self.owners))
            )
        source = self.sources[self.owners[name]]
        return source, source.subsets[name]

    def template_path(self, subset: str) -> Path:
        """The file that holds a subset's templates."""
        return self.root / "templates" / f"{subset}.yaml"

    def templates(self, subset: str) -> tuple[TemplateFile, Lines]:
        """A subset's templates and the line numbers of their keys.

        Raises:
            CatalogError: The file is missing or not valid.
        """
        path = self.template_path(subset)
        file, lines = load_model(path, TemplateFile)
        if file.subset != subset:
            raise CatalogError(
                Problem(f"subset: says {file.subset!r}", f"{path}:1", f"write {subset!r}")
            )
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
        data, lines, where = self._recipe_data(str(name), ())
        if "extends" in (changes or {}):
            what = "extends cannot be changed here"
            raise CatalogError(Problem(what, "--set extends", "write your own recipe"))
        for key, value in (changes or {}).items():
            data[key] = value
        context = task_context(self.tasks)
        recipe = fit_model(data, lines, where, Recipe, changed=changes or (), context=context)
        self._refuse_name_clashes(recipe.extra, lines, where)
        extended = self.with_extra(recipe.extra)
        for subset in [*recipe.subsets, *recipe.exclude, *recipe.weights]:
            extended.subset(subset)
        extra_subsets = recipe.extra_subsets
        unknown = [name for name in recipe.weights if name not in {*recipe.subsets, *extra_subsets}]
        if unknown:
            what = f"weights: names {unknown[0]}, which is not among the subsets"
            raise CatalogError(Problem(what, where, "add it to `subsets`, or remove its weight"))
        left = [
            subset for subset in [*recipe.subsets, *extra_subsets] if subset not in recipe.exclude
        ]
        if not left:
            raise CatalogError(Problem("no subset is left", where, "exclude fewer"))
        if len(set(left)) != len(left):
            raise CatalogError(Problem("a subset is named twice", where))
        extra = [one for one in recipe.extra if one.name in left]
        resolved = {"subsets": left, "exclude": [], "extends": None, "extra": extra}
        return recipe.model_copy(update=resolved)

    def _refuse_name_clashes(self, extra: Sequence[Extra], lines: Lines, where: str) -> None:
        for place, name in enumerate(one.name for one in extra):
            if name in self.owners or name in self.sources:
                line = lines.get(("extra", place, "name"))
                what = f"extra: the catalog already has {name!r}"
                at = f"{where}:{line}" if line else where
                raise CatalogError(Problem(what, at, "give it another name"))

    def with_extra(self, extra: Sequence[Extra]) -> Catalog:
        """Return the catalog with the sources of a recipe's ``extra`` files."""
        sources = {one.name: one.source() for one in extra}
        owners = {name: name for name in sources}
        return replace(self, sources={**self.sources, **sources}, owners={**self.owners, **owners})

    def for_build(self, recipe: Mapping[str, Any]) -> Catalog:
        """Return the catalog that a build used, from the recipe in its manifest."""
        return self.with_extra([Extra.model_validate(one) for one in recipe.get("extra", [])])

    def _recipe_data(self, name: str, seen: tuple[str, ...]) -> tuple[dict[str, Any], Lines, str]:
        if name.endswith((".yaml", ".yml")):
            path = Path(name)
        else:
            known = self.recipe_names()
            if name not in known:
                hint = suggest_names(name, known)
                period = "" if hint.endswith("?") else "."
                fix = f"{hint}{period} A file of yours must end in .yaml"
                raise UnknownNameError(Problem(f"there is no recipe {name!r}", fix=fix))
            path = self.root / "recipes" / f"{name}.yaml"
        if name in seen:
            raise CatalogError(
                Problem(f"recipes extend each other in a circle: {' → '.join(seen)}", str(path))
            )
        data, lines = read_yaml(path)
        if not isinstance(data, dict):
            raise CatalogError(Problem("a recipe is a mapping of keys to values", str(path)))
        _resolve_extra_paths(data, path.parent)
        parent = data.get("extends")
        if isinstance(parent, str):
            base, _, _ = self._recipe_data(parent, (*seen, name))
            data = {**base, **data}
        return data, lines, str(path)

    def recipe_names(self) -> list[str]:
        """Ids of all recipes."""
        return sorted(path.stem for path in (self.root / "recipes").glob("*.yaml"))

    def prompt_format(self, name: str) -> PromptFormat:
        """A prompt format by name, or from a YAML file of the user's.

        Raises:
            UnknownNameError: There is none.
            CatalogError: It is not valid.
        """
        path = Path(name)
        if path.suffix not in {".yaml", ".yml"}:
            known = sorted(found.stem for found in (self.root / "formats").glob("*.yaml"))
            if name not in known:
                what = f"there is no prompt format {name!r}"
                raise UnknownNameError(Problem(what, fix=suggest_names(name, known)))
            path = self.root / "formats" / f"{name}.yaml"
        return load_model(path, PromptFormat)[0]

    def published(self) -> list[Published]:
        """Tables of published scores, in alphabetical order of their files.

        Raises:
            CatalogError: One is not valid.
        """
        paths = sorted((self.root / "published").glob("*.yaml"))
        return [load_model(path, Published)[0] for path in paths]


@public
def load_catalog(catalog: str | Path | None = None) -> Catalog:
    """Read and check every source and benchmark card.

    Args:
        catalog: A folder of cards, laid out like kit19's own; default: kit19's own.

    Raises:
        CatalogError: All mistakes of all cards, each with file, line and key.
    """
    return _load(BUILT_IN if catalog is None else Path(catalog))


@functools.cache
def _load(root: Path) -> Catalog:
    problems: list[Problem] = []
    sources: dict[str, Source] = {}
    benchmarks: dict[str, Benchmark] = {}
    tasks = load_tasks([root])
    for path in sorted((root / "sources").glob("*.yaml")):
        try:
            source, _ = load_model(path, Source, task_context(tasks))
            sources[_require_file_name(source.id, path)] = source
        except Kit19Error as error:
            problems += error.problems
    for path in sorted((root / "benchmarks").glob("*.yaml")):
        try:
            benchmark, _ = load_model(path, Benchmark)
            benchmarks[_require_file_name(benchmark.id, path)] = benchmark
        except Kit19Error as error:
            problems += error.problems
    if problems:
        raise CatalogError(problems)
    if not sources:
        raise CatalogError(Problem("contains no source card", str(root / "sources")))
    owners = _collect_owners(sources, root, problems)
    _check_benchmarks(sources, benchmarks, root, problems)
    if problems:
        raise CatalogError(problems)
    return Catalog(root, sources, benchmarks, owners, tasks)


def _resolve_extra_paths(data: dict[str, Any], folder: Path) -> None:
    """Resolve paths under ``extra`` relative to the recipe; the model rejects anything else."""
    extra = data.get("extra")
    for one in extra if isinstance(extra, list) else []:
        if isinstance(one, dict) and isinstance(path := one.get("path"), str) and path:
            one["path"] = str(folder / path)


def _require_file_name(name: str, path: Path) -> str:
    if name != path.stem:
        raise CatalogError(Problem(f"id: says {name!r}", f"{path}:1", f"write {path.stem!r}"))
    return name


def _collect_owners(
    sources: dict[str, Source], root: Path, problems: list[Problem]
) -> dict[str, str]:
    owners: dict[str, str] = {}
    for source in sources.values():
        for name in source.subsets:
            if name in owners:
                where = str(root / "sources" / f"{source.id}.yaml")
                problems.append(Problem(f"the subset {name!r} is also in {owners[name]}", where))
            owners[name] = source.id
    return owners


def _check_benchmarks(
    sources: dict[str, Source],
    benchmarks: dict[str, Benchmark],
    root: Path,
    problems: list[Problem],
) -> None:
    for benchmark in benchmarks.values():
        where = str(root / "benchmarks" / f"{benchmark.id}.yaml")
        source = sources.get(benchmark.source)
        table = source.tables.get(benchmark.table) if source else None
        if source is None or table is None:
            what = f"there is no table {benchmark.table!r} in a source {benchmark.source!r}"
            problems.append(Problem(what, where))
            continue
        unknown = [f for f in [*benchmark.texts, benchmark.label] if f not in table.fields()]
        unknown += [s for s in [*benchmark.splits, benchmark.scored] if s not in table.files]
        if unknown:
            problems.append(Problem(f"the table has no {', '.join(unknown)}", where))
        for name, subset in source.subsets.items():
            leaked = sorted(set(subset.splits) & set(benchmark.splits))
            if benchmark.table in subset.tables and leaked:
                what = f"subset {name} trains on {', '.join(leaked)}, which contain its items"
                problems.append(Problem(what, where, "remove them from the subset's `splits`"))
