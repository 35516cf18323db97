"""Resolve a recipe: what it inherits, what it adds and excludes, and the values that replace some."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit19.catalog.recipe import Recipe
from kit19.catalog.tasks import task_context
from kit19.catalog.yaml_file import Lines, fit_model, read_yaml
from kit19.core.errors import CatalogError, Problem, UnknownNameError, suggest_names

if TYPE_CHECKING:
    from kit19.catalog.load import Catalog

_FILES = (".yaml", ".yml")


@dataclass(frozen=True)
class _Layer:
    """What one recipe file says, or what ``--set`` replaces.

    Attributes:
        data: Its keys.
        lines: The line of each key path.
        where: The file.
        changed: Keys that ``--set`` gave.
    """

    data: dict[str, Any]
    lines: Lines
    where: str
    changed: Collection[str] = ()

    def at(self, *key: str | int) -> str:
        """Where a key is: file and line, or the option."""
        if key and key[0] in self.changed:
            return "--exclude" if key[0] == "exclude" else f"--set {key[0]}"
        line = self.lines.get(key) or self.lines.get(key[:1])
        return f"{self.where}:{line}" if line else self.where


def resolve_recipe(catalog: Catalog, name: str, changes: Mapping[str, Any] | None) -> Recipe:
    """Resolve a recipe to one that inherits, adds and excludes nothing.

    Each file of the chain is checked by itself, so that a mistake is reported where it was written.
    ``changes`` count as one more recipe, which extends the named one.

    Raises:
        UnknownNameError: The recipe, or a subset that it names, does not exist.
        CatalogError: It is not valid.
    """
    recipe, where = _resolve_file(catalog, name, ())
    if changes:
        if "extends" in changes:
            what = "extends cannot be changed here"
            raise CatalogError(Problem(what, "--set extends", "write your own recipe"))
        layer = _Layer(dict(changes), {}, where, tuple(changes))
        recipe = _extend(catalog, recipe, layer)
    subsets = [*recipe.subsets, *recipe.extra_subsets]
    return recipe.model_copy(update={"subsets": subsets, "extends": None})


def _resolve_file(catalog: Catalog, name: str, seen: tuple[str, ...]) -> tuple[Recipe, str]:
    path = _recipe_path(catalog, name)
    data, lines = read_yaml(path)
    if not isinstance(data, dict):
        raise CatalogError(Problem("a recipe is a mapping of keys to values", str(path)))
    _resolve_extra_paths(data, path.parent)
    layer = _Layer(data, lines, str(path))
    if not name.endswith(_FILES) and data.get("id", name) != name:
        raise CatalogError(Problem(f"id: says {data['id']!r}", layer.at("id"), f"write {name!r}"))
    parent, base = data.get("extends"), None
    if isinstance(parent, str):
        if parent in (*seen, name):
            what = f"recipes extend each other in a circle: {' → '.join([*seen, name, parent])}"
            raise CatalogError(
                Problem(what, layer.at("extends"), "extend a recipe with another id")
            )
        try:
            base, _ = _resolve_file(catalog, parent, (*seen, name))
        except UnknownNameError as error:
            raise UnknownNameError(
                [
                    p if p.where else Problem(p.what, layer.at("extends"), p.fix)
                    for p in error.problems
                ]
            ) from None
    return _extend(catalog, base, layer), str(path)


def _recipe_path(catalog: Catalog, name: str) -> Path:
    if name.endswith(_FILES):
        return Path(name)
    known = catalog.layers.cards("recipes")
    if name not in known:
        hint = suggest_names(name, known)
        period = "" if hint.endswith("?") else "."
        fix = f"{hint}{period} A file of yours must end in .yaml"
        raise UnknownNameError(Problem(f"there is no recipe {name!r}", fix=fix))
    return known[name]


def _resolve_extra_paths(data: dict[str, Any], folder: Path) -> None:
    """Resolve paths under ``extra`` relative to the recipe; the model rejects anything else."""
    extra = data.get("extra")
    for one in extra if isinstance(extra, list) else []:
        path = one.get("path") if isinstance(one, dict) else None
        if isinstance(path, str) and path:
            one["path"] = str(folder / path)
        elif isinstance(path, list):
            one["path"] = [str(folder / p) if isinstance(p, str) and p else p for p in path]


def _extend(catalog: Catalog, base: Recipe | None, layer: _Layer) -> Recipe:
    """Apply one layer to what it inherits: its subsets, then `add`, then `exclude`.

    The subsets of the result are those of the catalog; those of `extra` come after them.
    """
    inherited = dict(base) if base else {}
    if not layer.changed:  # another recipe, so it has a name of its own
        inherited.pop("id", None)
    data = {**inherited, **layer.data}
    context = task_context(catalog.tasks)
    recipe = fit_model(
        data, layer.lines, layer.where, Recipe, changed=layer.changed, context=context
    )
    unknown = [
        *_unknown_subsets(catalog, recipe, layer),
        *_unknown_benchmarks(catalog, recipe, layer),
    ]
    if unknown:
        raise UnknownNameError(unknown)
    problems = [*_name_clashes(catalog, recipe, layer), *_repeated_subsets(recipe, layer)]
    subsets = [*recipe.subsets, *recipe.add]
    problems += _useless_weights([*subsets, *recipe.extra_subsets], recipe, layer)
    left = [name for name in subsets if name not in recipe.exclude]
    extra = [one for one in recipe.extra if one.name not in recipe.exclude]
    if not left and not extra:
        problems.append(Problem("no subset is left", layer.at("exclude"), "exclude fewer"))
    if problems:
        raise CatalogError(problems)
    weights = {name: one for name, one in recipe.weights.items() if name not in recipe.exclude}
    kept = {"subsets": left, "extra": extra, "weights": weights, "add": [], "exclude": []}
    return recipe.model_copy(update=kept)


def _unknown_subsets(catalog: Catalog, recipe: Recipe, layer: _Layer) -> Iterator[Problem]:
    known = {*catalog.owners, *recipe.extra_subsets}
    named: dict[str, Mapping[str | int, str]] = {
        "subsets": dict(enumerate(recipe.subsets)),
        "add": dict(enumerate(recipe.add)),
        "exclude": dict(enumerate(recipe.exclude)),
        "weights": {name: name for name in recipe.weights},
    }
    for key, names in named.items():
        for place, name in names.items():
            if key in layer.data and name not in known:
                what = f"there is no subset {name!r}"
                if name in catalog.gone:
                    what = f"the recipe {recipe.id} needs the subset {name!r}, which is gone"
                yield Problem(what, layer.at(key, place), catalog.suggest_subset(name, known))


def _unknown_benchmarks(catalog: Catalog, recipe: Recipe, layer: _Layer) -> Iterator[Problem]:
    known = {*catalog.benchmarks, *catalog.sets}
    given = recipe.benchmarks if "benchmarks" in layer.data else None
    for place, name in enumerate([given] if isinstance(given, str) else given or ()):
        if name not in known:
            what = f"there is no benchmark or set of benchmarks {name!r}"
            yield Problem(what, layer.at("benchmarks", place), suggest_names(name, known))


def _name_clashes(catalog: Catalog, recipe: Recipe, layer: _Layer) -> Iterator[Problem]:
    for place, name in enumerate(recipe.extra_subsets):
        if "extra" in layer.data and (name in catalog.owners or name in catalog.sources):
            what = f"extra: the catalog already has {name!r}"
            yield Problem(what, layer.at("extra", place, "name"), "give it another name")


def _repeated_subsets(recipe: Recipe, layer: _Layer) -> Iterator[Problem]:
    places: list[tuple[str, tuple[str | int, ...]]] = [
        *((name, ("subsets", place)) for place, name in enumerate(recipe.subsets)),
        *((name, ("add", place)) for place, name in enumerate(recipe.add)),
        *((name, ("extra", place, "name")) for place, name in enumerate(recipe.extra_subsets)),
    ]
    seen: set[str] = set()
    for name, key in places:
        if name in seen:
            what = f"the subset {name!r} is named twice"
            fix = "the recipe that this one extends has it" if key[0] == "add" else ""
            yield Problem(what, layer.at(*key), fix)
        seen.add(name)


def _useless_weights(subsets: list[str], recipe: Recipe, layer: _Layer) -> Iterator[Problem]:
    for name in recipe.weights:
        if name not in subsets:
            what = f"weights: names {name}, which is not among the subsets"
            at = layer.at("weights", name) if "weights" in layer.data else layer.at("subsets")
            yield Problem(what, at, "add it to `subsets`, or remove its weight")
