"""The first step of the demo: the sample, built and verified; and which steps can follow."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from kit19.building.pipeline import build
from kit19.core.arguments import OnProgress
from kit19.core.manifest import Manifest
from kit19.linting.examples import Example, show
from kit19.writing import verify

TRAINED_SUBSETS = ("nsmc",)
"""One question with two answers, which a small model can learn in a minute."""
_SHOWN = ("nsmc", "kobest_copa", "kowiki_closed_qa")
_TRAINING = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")
_EVALUATION = ("lm_eval", "altair", "vl_convert", "fontTools")


@dataclass(frozen=True)
class DemoBuild:
    """The built sample.

    Attributes:
        manifest: Its manifest.
        examples: One row of each of three subsets.
    """

    manifest: Manifest
    examples: list[Example]


def build_demo(out: Path, on_progress: OnProgress) -> DemoBuild:
    """Build the sample and verify it.

    Args:
        out: The folder to write.
        on_progress: Called with progress.

    Raises:
        Kit19Error: As ``build`` and ``verify``.
    """
    build("sample", out, on_progress=on_progress)
    manifest = verify(out)
    examples = [one for subset in _SHOWN for one in show(subset, n=1, data_dir="sample")]
    return DemoBuild(manifest, examples)


def can_train() -> bool:
    """Whether the packages of ``kit19[train]`` are installed."""
    return _are_installed(_TRAINING)


def can_evaluate() -> bool:
    """Whether the packages of ``kit19[eval,report]`` are installed."""
    return _are_installed(_EVALUATION)


def _are_installed(packages: tuple[str, ...]) -> bool:
    return all(importlib.util.find_spec(name) for name in packages)
