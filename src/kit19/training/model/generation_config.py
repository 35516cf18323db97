"""Make configurations savable: transformers loads some that it later refuses to save."""

from __future__ import annotations

import copy
import tempfile
from typing import Any

from transformers import GenerationConfig

from kit19.core.errors import Problem
from kit19.training.model.base import Base
from kit19.training.model_errors import one_line_reason


def savable_problems(base: Base) -> list[Problem]:
    """What transformers still refuses to save: it would end the run at its first checkpoint."""
    config, generation = _loaded_configs(base)
    make_savable(config, generation)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name, one in (("config.json", config), ("generation_config.json", generation)):
            try:
                one.save_pretrained(folder)
                if isinstance(one, GenerationConfig):
                    one.validate(strict=True)
            except Exception as error:
                what = f"{name} cannot be saved again: {one_line_reason(error)}"
                found.append(Problem(what, base.entry.name, f"correct {name} of the model"))
    return found


def _loaded_configs(base: Base) -> tuple[Any, Any]:
    """The configurations that a loaded model of this base has."""
    generation = base.generation or GenerationConfig.from_model_config(base.config)
    return copy.deepcopy(base.config), copy.deepcopy(generation)


def savable_notes(base: Base) -> list[str]:
    """A note on the settings that are removed so that checkpoints can be saved."""
    removed = make_savable(*_loaded_configs(base))
    if not removed:
        return []
    why = "transformers refuses to save generation settings that have no effect; removed"
    return [f"{why}: {', '.join(removed)}"]


def make_savable(config: Any, generation: Any) -> list[str]:
    """Remove settings that transformers loads and then refuses to save.

    Sampling settings have no effect with ``do_sample: false``, nor beam settings with one beam, so
    answers do not change. Generation settings in ``config.json`` were copied into the model's
    ``generation_config`` when it was loaded.

    Args:
        config: The model's configuration; modified in place.
        generation: Its GenerationConfig; modified in place.

    Returns:
        The removed settings, as ``name=value``.
    """
    removed = []
    get = getattr(config, "_get_generation_parameters", dict)
    for name, value in get().items():
        setattr(config, name, None)
        if getattr(generation, name, None) is None:
            setattr(generation, name, value)
    unused = []
    if generation.do_sample is not True:
        unused += [*_SAMPLING]
    if generation.num_beams in (None, 1):
        unused += [*_BEAMS]
    defaults = GenerationConfig()
    for name in unused:
        value, default = getattr(generation, name, None), getattr(defaults, name, None)
        if value not in (None, default, _SAMPLING.get(name, _BEAMS.get(name))):
            removed.append(f"{name}={value}")
            setattr(generation, name, default)
    return removed


_SAMPLING: dict[str, Any] = {
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 50,
    "min_p": None,
    "top_h": None,
    "typical_p": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
}
"""Sampling settings, each with the value that has no effect."""
_BEAMS: dict[str, Any] = {"early_stopping": False, "length_penalty": 1.0}
