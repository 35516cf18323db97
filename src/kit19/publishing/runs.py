"""Decides whether a training run may be published, and selects its files."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatch
from pathlib import Path

from kit19.catalog import Catalog
from kit19.core.errors import OutputError, Problem
from kit19.core.notes import SAMPLE
from kit19.core.runs import NAME, RunRecord
from kit19.publishing.terms import Accepted
from kit19.training.model.digest import ADAPTER_CONFIG, BASE_NAME
from kit19.training.model.finding import locate_base
from kit19.training.model.reference import is_adapter

_LOCAL_BASE = "is an adapter for a local folder, which nobody else can load"
# Of an unfinished run; with a local path; about the user's own files.
_EXCLUDED = {"plan.json", "training_args.bin", "quarantined.jsonl"}
_STATE = "trainer_state.json"  # in checkpoints; with local paths
# Of a checkpoint: what loads its model, and what describes it. All else resumes its training.
_OF_CHECKPOINTS = (
    "*.safetensors",
    "*.safetensors.index.json",
    "*config.json",
    "*token*.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "*.jinja",
    "*.py",
    "curves.*",
    "README.md",
    NAME,
)
_DEEPSPEED_SCRIPT = "zero_to_fp32.py"


def run_files(folder: Path) -> list[str]:
    """List the files of a finished run or a checkpoint, with its record last.

    Hidden files and folders are excluded, and of a checkpoint the state of the training.

    Raises:
        OutputError: The run is an adapter whose base model is a local folder.
    """
    if is_adapter(folder) and locate_base(folder, OutputError).is_path:
        fix = (
            f"push a merged model (kit19 merge {folder} --out DIR), or write the base model's Hub "
            f"id as `{BASE_NAME}` in {ADAPTER_CONFIG}"
        )
        raise OutputError(Problem(_LOCAL_BASE, str(folder), fix))
    found = [path.name for path in sorted(folder.iterdir()) if path.is_file()]
    kept = [name for name in found if not name.startswith(".") and name not in _EXCLUDED]
    if _STATE in found:
        kept = [name for name in kept if _belongs_to_model(name)]
    return [*(name for name in kept if name != NAME), NAME]


def check_new_adapter(run: RunRecord) -> None:
    """Check that others can load the adapter that a run is going to train.

    Raises:
        OutputError: Its base model is a local folder.
    """
    if run.method != "full" and not run.base.revision:
        fix = "train on a model of the Hub, or push a merged model at the end (kit19 merge, kit19 push)"
        raise OutputError(Problem(_LOCAL_BASE, run.base.name, fix))


def _belongs_to_model(name: str) -> bool:
    return name != _DEEPSPEED_SCRIPT and any(fnmatch(name, one) for one in _OF_CHECKPOINTS)


def is_weights(name: str) -> bool:
    """Whether a file of a model repository decides which weights are loaded."""
    return name.endswith((".safetensors", ".safetensors.index.json")) or "adapter_config" in name


def check_run(run: RunRecord, catalog: Catalog, accepted: Collection[Accepted]) -> list[str]:
    """Check that a run may be published.

    Whether a model is "adapted material" of its training data is legally unsettled. So licenses that
    forbid sharing adapted material count as unclear, not as forbidding.

    Args:
        run: The run.
        catalog: Cards with the terms of the licenses.
        accepted: Properties that the user accepts.

    Returns:
        Warnings about the published run, one sentence each.

    Raises:
        OutputError: Lists every property that is not accepted, with a fix.
    """
    notes: list[str] = []
    refused: list[Problem] = []
    for kind, problem in [*_kinds(run), *_licenses(run, catalog)]:
        if kind in accepted:
            notes.append(problem.what)
        else:
            refused.append(problem)
    if refused:
        raise OutputError(refused)
    if run.data.label == "unverified":
        notes.append(run.data.caution)
    return notes


def _kinds(run: RunRecord) -> list[tuple[Accepted, Problem]]:
    found: list[tuple[Accepted, Problem]] = []
    if run.data.label == "contaminated":
        what = "it was trained on benchmark rows: its scores on them are meaningless"
        fix = "publish it on purpose with --accept-contaminated; its card says so"
        found.append(("contaminated", Problem(what, fix=fix)))
    if run.data.sample:
        what = f"its training data is {SAMPLE}"
        fix = "train on the datasets, or publish it anyway with --accept-sample"
        found.append(("sample", Problem(what, fix=fix)))
    return found


def _licenses(run: RunRecord, catalog: Catalog) -> list[tuple[Accepted, Problem]]:
    # The terms of subsets without a card (a user's own rows) are unknown.
    closed = sorted(
        name
        for name in run.data.subsets
        if name not in catalog.owners or catalog.subset(name)[0].license.derivatives != "yes"
    )
    if not closed:
        return []
    what = (
        f"it was trained on {', '.join(closed)}, whose licenses forbid, or are unclear about, sharing "
        "adapted material; whether a model counts as that is unsettled"
    )
    fix = "train without them, or publish on your own judgment with --accept-unclear"
    return [("unclear", Problem(what, fix=fix))]
