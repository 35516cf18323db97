"""What may be published: the licenses of a build's sources, and what kind of build it is."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection
from pathlib import Path
from typing import Literal

import yaml

from kit19.catalog import BUILT_IN, Catalog
from kit19.catalog.license_ids import HUB_IDS
from kit19.core.errors import OutputError, Problem
from kit19.core.manifest import Manifest

Accepted = Literal["unclear", "contaminated", "sample"]
"""What a person may take upon themselves; a license that says no is not among it."""

# Keys of a recipe that do not decide its rows, or that the command line has options for.
_NOT_SETTINGS = ("id", "title", "about", "extends", "subsets", "exclude")


def check_terms(
    manifest: Manifest, folder: Path, catalog: Catalog, accepted: Collection[Accepted]
) -> list[str]:
    """Refuse a build that may not be published, or not without a person's word.

    Args:
        manifest: The build's.
        folder: Where it lies; the command that avoids a refusal names it.
        catalog: Cards that say what the licenses allow.
        accepted: What the person who publishes takes upon themselves.

    Returns:
        What is published all the same but should be known, a sentence each.

    Raises:
        OutputError: Names every subset and property in the way, and what to do.
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
    return [*notes, *_worth_knowing(manifest, catalog)]


def check_card(card: Path) -> None:
    """Refuse a card whose license the Hub does not know: it would refuse the commit.

    Raises:
        OutputError: Names the ids.
    """
    _, _, rest = card.read_text(encoding="utf-8").partition("---\n")
    head = yaml.safe_load(rest.partition("---\n")[0]) or {}
    given = head.get("license") or []
    unknown = sorted({str(one) for one in ([given] if isinstance(given, str) else given)} - HUB_IDS)
    if unknown:
        what = f"names a license by an id that the Hub does not know: {', '.join(unknown)}"
        fix = "build again: this version of kit19 writes the Hub's ids, or `other`"
        raise OutputError(Problem(what, str(card), fix))


def rebuild_command(
    manifest: Manifest, folder: Path, catalog: Catalog, without: Collection[str]
) -> str:
    """The command that builds the same again without some subsets.

    A manifest holds no path, so ``--data-dir`` is not in it; all else that decides the rows is.
    """
    made = manifest.recipe
    words = ["kit19", "build"]
    if made["id"] in catalog.recipe_names():
        base = catalog.recipe(made["id"]).model_dump(mode="json")
        words.append(made["id"])
    else:  # a recipe of the user's: its file says what we cannot know
        base = made
        words.append(f"{made['id']}.yaml")
    if set(made["subsets"]) - set(base["subsets"]):
        words += ["--set", f"subsets={json.dumps(made['subsets'])}"]
        left_out = []
    else:
        left_out = [name for name in base["subsets"] if name not in made["subsets"]]
    for name in [*left_out, *without]:
        words += ["--exclude", name]
    for key, value in made.items():
        if key not in _NOT_SETTINGS and value != base.get(key):
            words += ["--set", f"{key}={json.dumps(value, ensure_ascii=False)}"]
    words += _leniency(manifest)
    if catalog.root != BUILT_IN:
        words += ["--catalog", str(catalog.root)]
    return shlex.join([*words, "--out", str(folder)])


def _leniency(manifest: Manifest) -> list[str]:
    """The options that let a build succeed without all its files; each leaves a trace."""
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
    """Subsets whose license says no. The sample's too: its rows carry the license they stand for."""
    whys: dict[str, str] = {}
    for name, entry in manifest.subsets.items():
        terms = catalog.source(entry.source).license
        if terms.redistribution == "no":
            whys[name] = f"its license ({terms.spdx}) forbids passing it on"
        elif terms.derivatives == "no":
            whys[name] = f"its license ({terms.spdx}) forbids sharing what is made from it"
    if not whys:
        return []
    command = rebuild_command(manifest, folder, catalog, whys)
    again = "" if manifest.sample else " (add the --data-dir that you built with, if you gave one)"
    fix = f"build without it, then push again{again}: {command}"
    return [Problem(why, name, fix) for name, why in whys.items()]


def _unclear(manifest: Manifest, catalog: Catalog) -> list[tuple[Accepted, Problem]]:
    found: list[tuple[Accepted, Problem]] = []
    for name, entry in manifest.subsets.items():
        terms = catalog.source(entry.source).license
        asked = {"redistribution": terms.redistribution, "derivatives": terms.derivatives}
        unclear = [what for what, said in asked.items() if said == "unclear"]
        if unclear and "no" not in asked.values():
            what = f"its license ({terms.spdx}) is unclear about {' and '.join(unclear)}"
            fix = (
                f"read `kit19 sources {entry.source}`; leave it out with --exclude, or publish on "
                "your own judgment with --accept-unclear"
            )
            found.append(("unclear", Problem(what, name, fix)))
    return found


def _kinds(manifest: Manifest) -> list[tuple[Accepted, Problem]]:
    found: list[tuple[Accepted, Problem]] = []
    if manifest.contaminated:
        what = "benchmark rows are in this build on purpose: whoever trains on it cannot be scored"
        fix = "publish another recipe, or this one on purpose with --accept-contaminated"
        found.append(("contaminated", Problem(what, fix=fix)))
    if manifest.sample:
        what = "this is kit19's own sample, not the datasets"
        fix = "build from the datasets (`kit19 fetch`), or publish it all the same: --accept-sample"
        found.append(("sample", Problem(what, fix=fix)))
    return found


def _worth_knowing(manifest: Manifest, catalog: Catalog) -> list[str]:
    notes = []
    if manifest.not_decontaminated_against and not manifest.contaminated:
        notes.append(f"not decontaminated against {', '.join(manifest.not_decontaminated_against)}")
    for name, entry in manifest.subsets.items():
        used, expected = entry.files
        if used < expected:
            notes.append(f"{name} is incomplete: {used} of {expected} files")
        if entry.unverified:
            notes.append(f"{name} has rows of unverified files: {', '.join(entry.unverified)}")
        now = catalog.source(entry.source).license.spdx
        if now != entry.license:
            notes.append(f"{name} was built as {entry.license}, its card now says {now}")
    return notes
