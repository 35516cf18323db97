"""Tests that ``make check`` leaves out: each takes seconds, or starts processes or a browser."""

from __future__ import annotations

import pytest

SLOW = (
    "api/test_wrong_arguments.py",
    "auditing/test_audit_command.py::test_memory_",
    "auditing/test_audit_in_a_browser.py",
    "auditing/test_audit_of_real_files.py",
    "auditing/test_interrupted_audits.py",
    "auditing/test_nothing_goes_unread.py",
    "building/test_build_is_upstream.py",
    "building/test_builds_in_processes.py",
    "building/test_choices_of_a_build.py",
    "building/test_duplicates_across.py",
    "building/test_each_file_once.py::test_a_weighted_build_of_the_real_files",
    "building/test_interrupted_builds.py",
    "building/test_layered_catalog.py",
    "building/test_mutated_cards.py",
    "building/test_own_rows.py",
    "building/test_same_bytes.py",
    "building/test_what_others_read.py",
    "cli/test_commands.py::test_the_demo_",
    "cli/test_hostile_commands.py",
    "cli/test_public_names.py",
    "cli/test_refused_paths.py",
    "cli/test_streams.py",
    "comparing/",
    "curating/test_calibration_claims.py",
    "curating/test_contamination.py",
    "docs/test_catalog_page.py::test_the_walkthrough_",
    "docs/test_docs.py::test_the_",
    "docs/test_gpu_benchmark.py::test_every_kind_",
    "evaluating/test_architectures_scored.py",
    "evaluating/test_crosscheck.py",
    "evaluating/test_eval_command.py",
    "evaluating/test_in_the_harness.py",
    "evaluating/test_numbers.py",
    "evaluating/test_same_numbers.py",
    "evaluating/test_smollm2.py",
    "evaluating/test_tasks_of_others.py",
    "evaluating/test_two_evaluations.py",
    "exporting/test_export.py::test_llama_cpp_",
    "fetching/test_hostile_origins.py",
    "fetching/test_resume_and_share.py",
    "linting/test_renders.py",
    "linting/test_templates_of_the_catalog.py",
    "loading/",
    "publishing/test_load_from_hub.py",
    "reading/test_mutated_files.py",
    "rendering/test_renders_like_the_reference.py",
    "statistics/test_statistics.py::test_replicates_",
    "training/test_adapters",
    "training/test_architecture_table.py",
    "training/test_asked_as_trained.py",
    "training/test_check_model.py",
    "training/test_interrupted.py",
    "training/test_isolation.py",
    "training/test_measured_memory.py",
    "training/test_model_folders.py",
    "training/test_model_reference.py",
    "training/test_mutated_models.py",
    "training/test_on_processors.py",
    "training/test_processes.py",
    "training/test_real_tokenizers.py",
    "training/test_resumed.py",
    "training/test_train_command.py",
    "training/test_training.py",
    "training/test_two_hosts.py",
    "training/test_upstream.py",
    "training/test_usual_settings.py",
    "viewing/test_bundle.py",
    "viewing/test_journeys.py",
)
"""How the names of slow tests begin, below ``tests/``."""


def mark_slow(items: list[pytest.Item]) -> None:
    begins = tuple(f"tests/{name}" for name in SLOW)
    for item in items:
        if item.nodeid.startswith(begins):
            item.add_marker(pytest.mark.slow)
