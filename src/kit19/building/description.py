"""Describe a build for its manifest: everything except the files that are still to be written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from kit19.building.assembly import AssembledSubset
from kit19.building.inputs import BuildFiles
from kit19.catalog import Catalog, Recipe
from kit19.catalog.layers import Layers
from kit19.core.manifest import InputFile, SkippedFile, SubsetEntry, UserCatalog
from kit19.curating import find_shared
from kit19.fetching import UpstreamFile
from kit19.writing import Description


def describe(
    catalog: Catalog, plan: Recipe, files: BuildFiles, built: Mapping[str, AssembledSubset]
) -> Description:
    """Describe a build: its recipe, cards, inputs and subsets."""
    benchmarks = [found for group in files.benchmarks.values() for found in group]
    used = [found for group in files.used.values() for found in group]
    inputs = {found.name: _input_file(catalog, found) for found in [*used, *benchmarks]}
    shared, counts = find_shared({name: part.texts for name, part in built.items()})
    subsets = {
        name: SubsetEntry(
            **dict(part.facts),
            shared=counts.get(name, 0),
            files=(len(files.used[name]), len(files.used[name]) + len(files.skipped[name])),
            incomplete=files.skipped[name],
            unverified=[found.name for found in files.used[name] if found.status == "differs"],
        )
        for name, part in built.items()
    }
    carded = [name for name in built if name not in plan.extra_subsets]
    sources = {catalog.owners[name] for name in carded}
    sources |= {catalog.benchmarks[name].source for name in files.benchmarks}
    paths = catalog.layers.cards("sources")
    cards = {name: _digest(paths[name]) for name in sorted(sources)}
    cards |= {f"templates/{name}": _digest(catalog.template_path(name)) for name in carded}
    paths = catalog.layers.cards("benchmarks")
    cards |= {f"benchmarks/{name}": _digest(paths[name]) for name in sorted(files.benchmarks)}
    return Description(
        recipe=plan.model_dump(mode="json"),
        sample=plan.data == "sample",
        contaminated=plan.splits == "all",
        cards=cards,
        catalog=_user_catalog(catalog.layers),
        inputs=[inputs[name] for name in sorted(inputs)],
        decontaminated_against=sorted(files.benchmarks),
        not_decontaminated_against=sorted(files.unused_benchmarks),
        partly_decontaminated_against=files.partial_benchmarks,
        subsets=subsets,
        shared=shared,
        entangled_by=plan.entangled_by,
        not_built={name: _skipped_files(files, name) for name in plan.subsets if name not in built},
    )


def _user_catalog(layers: Layers) -> UserCatalog | None:
    if layers.own is None:
        return None
    replaced = layers.replaced_cards()
    return UserCatalog(
        only=layers.only,
        added={
            name: _digest(path) for name, path in layers.own_cards().items() if name not in replaced
        },
        replaced={name: _digest(path) for name, path in replaced.items()},
    )


def _skipped_files(files: BuildFiles, name: str) -> list[SkippedFile]:
    if name in files.refused:
        return [SkippedFile(name=name, status="license", why=files.refused[name])]
    return files.skipped[name]


def _input_file(catalog: Catalog, found: UpstreamFile) -> InputFile:
    return InputFile(
        name=found.name,
        bytes=found.size,
        sha256=found.sha256,
        packed=found.path.name if found.packed else "",
        status=found.status,
        by=found.by,
        revision=catalog.source(found.source).origins[0].revision,
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
