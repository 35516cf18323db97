"""Find the model that a name refers to: a Hub id, a folder, a run, a checkpoint, an adapter."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kit19.core.errors import Kit19Error, Problem, TrainError, UnknownNameError, suggest_names
from kit19.core.paths import path_exists, read_json
from kit19.core.runs import CHECKPOINTS, PLAN, BaseModelEntry, read_run
from kit19.training.model.digest import ADAPTER_CONFIG, BASE_NAME, BASE_REVISION
from kit19.training.model.files import check_folder
from kit19.training.model.reference import (
    ADAPTER_WEIGHTS,
    CONFIG,
    MODEL_WEIGHTS,
    SMALL_FILES,
    ModelRef,
    download_model,
    is_adapter,
)
from kit19.training.settings import preset_names

GIVE_A_MODEL = (
    "give the folder of a model, of a run or of a run's checkpoint, or a Hub id: owner/name or "
    "owner/name@revision (offline it must be in the cache)"
)

_HUB_ID = re.compile(r"(?P<id>([\w.-]+/)?\w[\w.-]*)(@(?P<revision>[\w./-]+))?", re.ASCII)


def find_model(name: str, revision: str = "", *, error: type[Kit19Error] = TrainError) -> ModelRef:
    """Find a model, and check its files; the weights of a Hub model are not downloaded yet.

    For an adapter, the base model is found as well. If the adapter records the weights it was trained
    on (a kit19 run does), the base model has these weights.

    Args:
        name: The folder of a model, run or checkpoint, or a Hub id. ``owner/name@revision`` gives a
            revision too. A folder takes precedence over a Hub id.
        revision: Commit, tag or branch on the Hub; default: the main branch.
        error: The exception for faults.

    Raises:
        Kit19Error: As ``error``: there is no such model, or its files or its base model are wrong.
        UnknownNameError: The name is similar to that of a preset.
        VerifyError: The record of the run cannot be read.
    """
    found = _locate(name, revision, error)
    return replace(found, base=find_adapter_base(found)) if is_adapter(found.folder) else found


def find_complete_model(
    name: str, revision: str = "", *, error: type[Kit19Error] = TrainError
) -> ModelRef:
    """Find a model as ``find_model`` does, and refuse an adapter.

    Raises:
        Kit19Error: As ``find_model``, or the model is an adapter.
    """
    found = _locate(name, revision, error)
    if is_adapter(found.folder):
        what = "is an adapter, but a complete model is needed here"
        raise error(Problem(what, name, f"merge it first: kit19 merge {name} --out DIR"))
    return found


def add_adapter(base: ModelRef, name: str) -> ModelRef:
    """Find an adapter to load on a given model, instead of the base model that it names.

    Raises:
        Kit19Error: There is no such adapter, or it was trained on other weights.
    """
    found = _locate(name, "", base.error)
    if not is_adapter(found.folder):
        what = f"is not an adapter: it has no {ADAPTER_CONFIG}"
        raise base.error(Problem(what, name, "give the model itself, without an adapter"))
    _check_weights(found, base, _recorded_base(found.folder).weights)
    return replace(found, base=base)


def find_adapter_base(adapter: ModelRef) -> ModelRef:
    """Find the base model of an adapter, with the weights that the adapter was trained on.

    A relative path is resolved from the working directory, as in PEFT, else from the adapter's
    folder. If a kit19 run was moved together with its base, the base is found next to it by its
    weights.

    Raises:
        Kit19Error: The adapter does not name its base model, the model is missing, or it has other
            weights than the adapter was trained on.
    """
    place, error = locate_base(adapter.folder, adapter.error), adapter.error
    other: ModelRef | None = None
    for path in place.candidates:
        base = find_complete_model(str(path), error=error)
        if not place.weights or base.weights_digest() == place.weights:
            return base
        other = other or base
    if not place.is_path:
        base = find_complete_model(place.name, place.revision, error=error)
        _check_weights(adapter, base, place.weights)
        return base
    if other:
        _check_weights(adapter, other, place.weights)
    fix = f"move it there, or set `{BASE_NAME}` in {adapter.folder / ADAPTER_CONFIG} to its path"
    raise error(Problem(f"its base model is missing: {place.name}", str(adapter.folder), fix))


@dataclass(frozen=True)
class BaseLocation:
    """The location of an adapter's base model.

    Attributes:
        name: A path, or a Hub id.
        revision: Commit on the Hub; empty for a path, or if the adapter does not name one.
        is_path: Whether the name is a path.
        candidates: Folders on this machine that may hold the model.
        weights: The digest of its weights; empty if the adapter does not record it.
    """

    name: str
    revision: str
    is_path: bool
    candidates: list[Path]
    weights: str


def locate_base(adapter: Path, error: type[Kit19Error] = TrainError) -> BaseLocation:
    """Read the location of an adapter's base model.

    Args:
        adapter: The folder of the adapter.
        error: The exception to raise.

    Raises:
        Kit19Error: The adapter does not name its base model.
    """
    where = adapter / ADAPTER_CONFIG
    try:
        config: Any = read_json(where)
    except (OSError, ValueError) as reason:
        raise error(Problem(f"cannot be read: {reason}", str(where))) from None
    name = config.get(BASE_NAME) if isinstance(config, dict) else None
    if not isinstance(name, str) or not name:
        raise error(Problem(f"does not name its base model: no `{BASE_NAME}`", str(where)))
    entry = _recorded_base(adapter)
    candidates: dict[Path, Path] = {}
    for path in _candidates(name, adapter, entry):
        if (path / CONFIG).is_file():
            candidates.setdefault(path.resolve(), path)
    return BaseLocation(
        name,
        str(config.get(BASE_REVISION) or entry.revision),
        _is_path(name, entry),
        [*candidates.values()],
        entry.weights,
    )


def _recorded_base(adapter: Path) -> BaseModelEntry:
    """The base model in the record of an adapter's run, or in the plan of a checkpoint's."""
    record = read_run(adapter)
    if record:
        return record.base
    try:
        plan = read_json(adapter.parents[1] / PLAN) if adapter.parent.name == CHECKPOINTS else {}
        return BaseModelEntry.model_validate(plan["base"])
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return BaseModelEntry(name="")  # the adapter of another tool


def _candidates(name: str, adapter: Path, entry: BaseModelEntry) -> Iterator[Path]:
    path = Path(name)
    yield path
    if not path.is_absolute():
        yield adapter / path
        yield adapter.parent / path
    if entry.weights:  # its digest identifies it
        yield adapter.parent / path.name


def _is_path(name: str, entry: BaseModelEntry) -> bool:
    """Whether the name of a base model is a path and not a Hub id."""
    # A run on a model of the Hub records its id and commit; early runs record only the id.
    trained_on_folder = bool(entry.weights) and not entry.revision
    if trained_on_folder and (entry.name != name or "/" not in name):
        return True
    return name.startswith((".", "/", "~")) or name.count("/") > 1


def _check_weights(adapter: ModelRef, base: ModelRef, expected: str) -> None:
    """Check that a base model has the weights that an adapter was trained on, if they are known."""
    if not expected or base.weights_digest() == expected:
        return
    what = (
        f"its base model has other weights than it was trained on: {base.source} has sha256 "
        f"{base.weights_digest()}, the adapter was trained on {expected}"
    )
    fix = f"restore these weights, or set `{BASE_NAME}` in {ADAPTER_CONFIG} to their path"
    raise adapter.error(Problem(what, str(adapter.folder), fix))


def _locate(name: str, revision: str, error: type[Kit19Error]) -> ModelRef:
    """Find a model or an adapter, without its base model, and check its files."""
    path = Path(name)
    if path.is_dir():
        if revision:
            raise error(Problem("is a folder, which has no revisions", name, "omit the revision"))
        found = ModelRef(path.resolve().name, path, "", read_run(path), error=error)
    else:
        repo, revision = _parse_hub_id(name, revision, error)
        folder = _download(repo, revision, error)
        found = ModelRef(repo, folder, folder.name, read_run(folder), error=error)
    _check_kind(found, name)
    check_folder(found.folder, error)
    return found


def _parse_hub_id(name: str, revision: str, error: type[Kit19Error]) -> tuple[str, str]:
    """Split a Hub id from its revision. Names that cannot be Hub ids make no request."""
    if path_exists(Path(name)):
        raise error(Problem("is a file; a model is a folder", name, GIVE_A_MODEL))
    match = _HUB_ID.fullmatch(name)
    if not match or match["id"].startswith("."):
        what = "there is no such folder, and it is not a Hub id"
        raise error(Problem(what, name, GIVE_A_MODEL))
    if name in preset_names():
        fix = f"train one from it first: kit19 train --data OUT --model {name} --out RUN"
        raise error(Problem("is a preset, not a model", name, fix))
    if difflib.get_close_matches(name, preset_names(), cutoff=0.8):
        fix = f"{suggest_names(name, preset_names())} A model of the Hub has an owner: owner/{name}"
        raise UnknownNameError(Problem(f"there is no preset {name!r}", fix=fix))
    if match["revision"] and revision not in ("", match["revision"]):
        what = f"names two revisions: {match['revision']} and {revision}"
        raise error(Problem(what, name, "give one of them"))
    return match["id"], match["revision"] or revision


def _download(repo: str, revision: str, error: type[Kit19Error]) -> Path:
    patterns = [*SMALL_FILES, ADAPTER_WEIGHTS]
    try:
        return download_model(repo, revision, patterns, error)
    except error as reason:
        # The name may be a mistyped path, so the message mentions both.
        first, *others = reason.problems
        what = f"{first.what}; and there is no folder {repo!r} here"
        raise error([Problem(what, first.where, first.fix or GIVE_A_MODEL), *others]) from None


def _check_kind(found: ModelRef, name: str) -> None:
    """Check that a folder holds either a model or an adapter."""
    folder, error = found.folder, found.error
    weights = [one for one in MODEL_WEIGHTS if (folder / one).is_file()]
    if is_adapter(folder) and weights:
        what = f"is ambiguous: it has an adapter ({ADAPTER_CONFIG}) and weights ({weights[0]})"
        raise error(Problem(what, name, "move one of them to another folder"))
    if is_adapter(folder) or (folder / CONFIG).is_file():
        return
    if (folder / PLAN).is_file():
        raise error(_unfinished_run(folder, name))
    raise error(Problem(f"is not a model: it has no {CONFIG}", name, GIVE_A_MODEL))


def _unfinished_run(folder: Path, name: str) -> Problem:
    found = sorted(
        (folder / CHECKPOINTS).glob("checkpoint-*"),
        key=lambda path: (len(path.name), path.name),  # by step
    )
    checkpoint = f", or name its last checkpoint: {found[-1]}" if found else ""
    fix = f"run the same `kit19 train` again to resume it{checkpoint}"
    return Problem("is an unfinished run, not a model yet", name, fix)
