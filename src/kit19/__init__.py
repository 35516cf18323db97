"""kit19: the Korean Instruction Toolkit.

Korean NLP datasets, rebuilt from their origins as instruction data that can be trusted: every row
carries its origin, template and license, a build is reproducible to the byte, and benchmark rows are
kept out. ``kit19.build("kit19", "out", …)`` is what ``kit19 build kit19 --out out`` does.

Names are loaded on first use, so importing kit19 costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kit19.auditing import Audit, audit
    from kit19.building import Options, build
    from kit19.catalog import Catalog, Recipe, Source, load_catalog
    from kit19.chatting import Chat, open_chat
    from kit19.comparing import Comparison, compare
    from kit19.diffing import Diff, diff
    from kit19.errors import (
        CatalogError,
        FilesError,
        Kit19Error,
        ModelError,
        OutputError,
        ParticleError,
        Problem,
        ReadError,
        ResultsError,
        TrainError,
        UnknownNameError,
        VerifyError,
    )
    from kit19.evaluate.options import EvalOptions
    from kit19.evaluating import Evaluation, evaluate_model
    from kit19.ledger import Ledger
    from kit19.linting import Finding, lint
    from kit19.loading import Loaded, load
    from kit19.look import Example, Explanation, explain, show, stats
    from kit19.manifest import Manifest
    from kit19.preparing import TrainOptions
    from kit19.publish import Pushed, PushOptions, push
    from kit19.runs import RunRecord, read_run
    from kit19.train import Settings, load_preset
    from kit19.training import Trained, TrainPlan, merge, plan_training, train_model
    from kit19.write import verify

_HOMES = {
    "kit19.auditing": ["Audit", "audit"],
    "kit19.building": ["Options", "build"],
    "kit19.catalog": ["Catalog", "Recipe", "Source", "load_catalog"],
    "kit19.comparing": ["Comparison", "compare"],
    "kit19.chatting": ["Chat", "open_chat"],
    "kit19.diffing": ["Diff", "diff"],
    "kit19.errors": [
        "CatalogError",
        "FilesError",
        "Kit19Error",
        "ModelError",
        "OutputError",
        "ParticleError",
        "Problem",
        "ReadError",
        "ResultsError",
        "TrainError",
        "UnknownNameError",
        "VerifyError",
    ],
    "kit19.evaluate.options": ["EvalOptions"],
    "kit19.evaluating": ["Evaluation", "evaluate_model"],
    "kit19.ledger": ["Ledger"],
    "kit19.linting": ["Finding", "lint"],
    "kit19.look": ["Example", "Explanation", "explain", "show", "stats"],
    "kit19.loading": ["Loaded", "load"],
    "kit19.manifest": ["Manifest"],
    "kit19.preparing": ["TrainOptions"],
    "kit19.publish": ["PushOptions", "Pushed", "push"],
    "kit19.runs": ["RunRecord", "read_run"],
    "kit19.train": ["Settings", "load_preset"],
    "kit19.training": ["TrainPlan", "Trained", "merge", "plan_training", "train_model"],
    "kit19.write": ["verify"],
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Audit",
    "Catalog",
    "CatalogError",
    "Chat",
    "Comparison",
    "Diff",
    "EvalOptions",
    "Evaluation",
    "Example",
    "Explanation",
    "FilesError",
    "Finding",
    "Kit19Error",
    "Ledger",
    "Loaded",
    "Manifest",
    "ModelError",
    "Options",
    "OutputError",
    "ParticleError",
    "Problem",
    "PushOptions",
    "Pushed",
    "ReadError",
    "Recipe",
    "ResultsError",
    "RunRecord",
    "Settings",
    "Source",
    "TrainError",
    "TrainOptions",
    "TrainPlan",
    "Trained",
    "UnknownNameError",
    "VerifyError",
    "audit",
    "build",
    "compare",
    "diff",
    "evaluate_model",
    "explain",
    "lint",
    "load",
    "load_catalog",
    "load_preset",
    "merge",
    "open_chat",
    "plan_training",
    "push",
    "read_run",
    "show",
    "stats",
    "train_model",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'kit19' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
