"""Decides whether a build may be published, by its sources' licenses and its kind."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection
from pathlib import Path
from typing import Literal

import yaml

from kit19.catalog import Catalog
from kit19.catalog.license_ids import HUB_IDS
from kit19.core.errors import OutputError, Problem
from kit19.core.manifest import Manifest

Accepted = Literal["unclear", "contaminated", "sample"]
"""Properties that a user may accept; a license that forbids publishing is not among them."""

_FIXES: dict[Accepted, str] = {
    "contaminated": "publish another recipe, or this one on purpose with --accept-contaminated",
    "sample": "build from the datasets (`kit19 fetch`), or publish it anyway with --accept-sample",
}
"""Kinds of notes on a build that prevent publishing, with what to do."""

# Kinds of notes that are published as warnings.
_WARNINGS = ("not_decontaminated", "replaced", "incomplete", "unverified", "not_built")

# Keys of a recipe that do not decide its rows, or that have their own command line options.
_NOT_SETTINGS = ("id", "title", "about", "extends", "subsets", "add", "exclude")


def check_terms(
    manifest: Manifest, folder: Path, catalog: Catalog, accepted: Collection[Accepted]
) -> list[str]:
    """Check that a build may be published.

    Args:
        manifest: The build's manifest.
        folder: The build's folder, for the suggested command.
        catalog: Cards with the terms of the licenses.
        accepted: Properties that the user accepts.

    Returns:
        Warnings about the published build, one sentence each.

    Raises:
        OutputError: Lists every subset and property that prevents publishing, with a fix.
    """
    refused = _forbidden(manifest, folder, catalog)
    notes: list[str] = []
    for kind, problem in [*_unclear(manifest, catalog), *_kinds(manifest)]:
        if kind in accepted:
            notes.append(f"{problem.where}: {problem.what}" if problem.where else problem.what)
        else:
            refused.append(problem)
    if refused:
        raise OutputError(refused)
    return [*notes, *_warnings(manifest, catalog)]


def check_card(card: Path) -> None:
    """Check that the Hub knows the card's licenses; otherwise it would reject the commit.

    Raises:
        OutputError: Lists the unknown ids.
    """
    _, _, rest = card.read_text(encoding="utf-8").partition("---\n")
    head = yaml.safe_load(rest.partition("---\n")[0]) or {}
    given = head.get("license") or []
    unknown = sorted({str(one) for one in ([given] if isinstance(given, str) else given)} - HUB_IDS)
    if unknown:
        what = f"has license ids that the Hub does not know: {', '.join(unknown)}"
        fix = "build again: this version of kit19 writes the Hub's ids, or `other`"
        raise OutputError(Problem(what, str(card), fix))


def rebuild_command(
    manifest: Manifest, folder: Path, catalog: Catalog, without: Collection[str]
) -> str:
    """Return the command that repeats a build without some subsets.

    It has every option that decides the rows except ``--data-dir``, since a manifest has no paths.
    """
    recipe = manifest.recipe
    words = ["kit19", "build"]
    if recipe["id"] in catalog.recipe_names():
        base = catalog.recipe(recipe["id"]).model_dump(mode="json")
        words.append(recipe["id"])
    else:  # a user's recipe file, whose other values are not known here
        base = recipe
        words.append(f"{recipe['id']}.yaml")
    if set(recipe["subsets"]) - set(base["subsets"]):
        words += ["--set", f"subsets={json.dumps(recipe['subsets'])}"]
        left_out = []
    else:
        left_out = [name for name in base["subsets"] if name not in recipe["subsets"]]
    for name in [*left_out, *without]:
        words += ["--exclude", name]
    for key, value in recipe.items():
        if key not in _NOT_SETTINGS and value != base.get(key):
            words += ["--set", f"{key}={json.dumps(value, ensure_ascii=False)}"]
    words += _permissive_options(manifest)
    if own := catalog.layers.own:
        words += ["--catalog-only" if catalog.layers.only else "--catalog", str(own)]
    return shlex.join([*words, "--out", str(folder)])


def _permissive_options(manifest: Manifest) -> list[str]:
    """Return the options that a build without all of its files needs, as its manifest shows."""
    words = []
    if manifest.not_built or any(entry.incomplete for entry in manifest.subsets.values()):
        words.append("--partial")
    if any(one.status == "differs" for one in manifest.inputs):
        words.append("--unverified")
    if manifest.recipe["decontaminate"]:
        for name in manifest.not_decontaminated_against:
            words += ["--without-benchmark", name]
    return words


def _forbidden(manifest: Manifest, folder: Path, catalog: Catalog) -> list[Problem]:
    """Return subsets whose license forbids publishing. The sample's rows count with their licenses."""
    reasons: dict[str, str] = {}
    for name, entry in manifest.subsets.items():
        terms = catalog.source(entry.source).license
        if terms.redistribution == "no":
            reasons[name] = f"its license ({terms.spdx}) forbids redistribution"
        elif terms.derivatives == "no":
            reasons[name] = f"its license ({terms.spdx}) forbids sharing derivatives"
    if not reasons:
        return []
    command = rebuild_command(manifest, folder, catalog, reasons)
    again = "" if manifest.sample else " (add the --data-dir of the build, if there was one)"
    fix = f"build without it, then push again{again}: {command}"
    return [Problem(why, name, fix) for name, why in reasons.items()]


def _unclear(manifest: Manifest, catalog: Catalog) -> list[tuple[Accepted, Problem]]:
    found: list[tuple[Accepted, Problem]] = []
    for name, entry in manifest.subsets.items():
        terms = catalog.source(entry.source).license
        answers = {"redistribution": terms.redistribution, "derivatives": terms.derivatives}
        unclear = [what for what, answer in answers.items() if answer == "unclear"]
        if unclear and "no" not in answers.values():
            what = f"its license ({terms.spdx}) is unclear about {' and '.join(unclear)}"
            fix = (
                f"read `kit19 sources {entry.source}`; leave it out with --exclude, or publish on "
                "your own judgment with --accept-unclear"
            )
            found.append(("unclear", Problem(what, name, fix)))
    return found


def _kinds(manifest: Manifest) -> list[tuple[Accepted, Problem]]:
    return [
        (kind, Problem(note.what, fix=fix))
        for note in manifest.notes()
        for kind, fix in _FIXES.items()
        if note.kind == kind
    ]


def _warnings(manifest: Manifest, catalog: Catalog) -> list[str]:
    notes = [note.what for note in manifest.notes() if note.kind in _WARNINGS]
    for name, entry in manifest.subsets.items():
        now = catalog.source(entry.source).license.spdx
        if now != entry.license:
            notes.append(f"{name} was built as {entry.license}, its card now says {now}")
    return notes
