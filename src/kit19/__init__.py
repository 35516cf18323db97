"""kit19: the Korean Instruction Toolkit.

Korean NLP datasets, rebuilt from their origins as instruction data that can be trusted: every row
carries its origin, template and license, a build is reproducible to the byte, and benchmark rows are
kept out. ``kit19.build("kit19", "out", …)`` is what ``kit19 build kit19 --out out`` does.

Names are loaded on first use, so importing kit19 costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit19.core.loaded_on_use import load_on_use

if TYPE_CHECKING:
    from kit19.auditing import (
        Audit,
        AuditDiff,
        FilesAudit,
        audit,
        audit_files,
        diff_audits,
        merge_audit,
    )
    from kit19.building.differences import Diff, diff
    from kit19.building.explanation import Explanation, explain
    from kit19.building.figures import Stats, SubsetStats, stats
    from kit19.building.pipeline import build
    from kit19.catalog import Catalog, Recipe, Source, load_catalog
    from kit19.catalog.listing import SourceEntry, Sources, sources
    from kit19.chatting.chat import Chat, chat
    from kit19.comparing import Comparison, compare
    from kit19.core.cluster import Cluster
    from kit19.core.errors import (
        ArgumentError,
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
    from kit19.core.ledger import Ledger
    from kit19.core.manifest import Manifest
    from kit19.core.runs import RunRecord, read_run
    from kit19.evaluating.pipeline import Evaluation, evaluate
    from kit19.exporting.pipeline import Exported, export
    from kit19.fetching import FetchedFile
    from kit19.fetching.sources import Fetched, fetch
    from kit19.judging.pipeline import Judged, JudgePlan, judge, plan_judging
    from kit19.linting import Finding, LintReport, lint
    from kit19.linting.examples import Example, Examples, show
    from kit19.loading.loaded import Loaded, load
    from kit19.publishing.pushing import Pushed, push
    from kit19.publishing.run_pusher import RunPusher
    from kit19.serving.server import Served, serve
    from kit19.training import Settings, load_preset
    from kit19.training.pipeline import Trained, merge, train
    from kit19.training.planning import TrainPlan, plan_training
    from kit19.viewing.server import Bundled, Viewed, bundle_view, view
    from kit19.writing import verify

__all__ = [
    "ArgumentError",
    "Audit",
    "AuditDiff",
    "Bundled",
    "Catalog",
    "CatalogError",
    "Chat",
    "Cluster",
    "Comparison",
    "Diff",
    "Evaluation",
    "Example",
    "Examples",
    "Explanation",
    "Exported",
    "Fetched",
    "FetchedFile",
    "FilesAudit",
    "FilesError",
    "Finding",
    "JudgePlan",
    "Judged",
    "Kit19Error",
    "Ledger",
    "LintReport",
    "Loaded",
    "Manifest",
    "ModelError",
    "OutputError",
    "ParticleError",
    "Problem",
    "Pushed",
    "ReadError",
    "Recipe",
    "ResultsError",
    "RunPusher",
    "RunRecord",
    "Served",
    "Settings",
    "Source",
    "SourceEntry",
    "Sources",
    "Stats",
    "SubsetStats",
    "TrainError",
    "TrainPlan",
    "Trained",
    "UnknownNameError",
    "VerifyError",
    "Viewed",
    "audit",
    "audit_files",
    "build",
    "bundle_view",
    "chat",
    "compare",
    "diff",
    "diff_audits",
    "evaluate",
    "explain",
    "export",
    "fetch",
    "judge",
    "lint",
    "load",
    "load_catalog",
    "load_preset",
    "merge",
    "merge_audit",
    "plan_judging",
    "plan_training",
    "push",
    "read_run",
    "serve",
    "show",
    "sources",
    "stats",
    "train",
    "verify",
    "view",
]

__getattr__ = load_on_use(
    __name__,
    {
        "auditing": [
            "Audit",
            "AuditDiff",
            "FilesAudit",
            "audit",
            "audit_files",
            "diff_audits",
            "merge_audit",
        ],
        "building.pipeline": ["build"],
        "catalog": ["Catalog", "Recipe", "Source", "load_catalog"],
        "catalog.listing": ["SourceEntry", "Sources", "sources"],
        "comparing": ["Comparison", "compare"],
        "chatting.chat": ["Chat", "chat"],
        "building.differences": ["Diff", "diff"],
        "core.cluster": ["Cluster"],
        "core.errors": [
            "ArgumentError",
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
        "evaluating.pipeline": ["Evaluation", "evaluate"],
        "core.ledger": ["Ledger"],
        "exporting.pipeline": ["Exported", "export"],
        "fetching": ["FetchedFile"],
        "fetching.sources": ["Fetched", "fetch"],
        "judging.pipeline": ["JudgePlan", "Judged", "judge", "plan_judging"],
        "linting": ["Finding", "LintReport", "lint"],
        "linting.examples": ["Example", "Examples", "show"],
        "building.explanation": ["Explanation", "explain"],
        "building.figures": ["Stats", "SubsetStats", "stats"],
        "loading.loaded": ["Loaded", "load"],
        "core.manifest": ["Manifest"],
        "publishing": ["Pushed", "RunPusher", "push"],
        "core.runs": ["RunRecord", "read_run"],
        "serving.server": ["Served", "serve"],
        "training": ["Settings", "load_preset"],
        "training.pipeline": ["Trained", "merge", "train"],
        "training.planning": ["TrainPlan", "plan_training"],
        "viewing.server": ["Bundled", "Viewed", "bundle_view", "view"],
        "writing": ["verify"],
    },
)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
