"""The configurations that a checkpoint writes: what transformers loads, and then refuses to save."""

from __future__ import annotations

import copy
import tempfile
from typing import Any

from transformers import GenerationConfig

from kit19.core.errors import Problem
from kit19.training.model.base import Base
from kit19.training.model_errors import one_line_reason


def savable_problems(base: Base) -> list[Problem]:
    """What transformers refuses to write, after it was mended: it would end the first checkpoint."""
    config, generation = _saved(base)
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


def _saved(base: Base) -> tuple[Any, Any]:
    """The configurations that a model of this base has once it is loaded."""
    generation = base.generation or GenerationConfig.from_model_config(base.config)
    return copy.deepcopy(base.config), copy.deepcopy(generation)


def savable_notes(base: Base) -> list[str]:
    """What is left out of the files of a checkpoint so that they can be written."""
    left = make_savable(*_saved(base))
    if not left:
        return []
    why = "transformers refuses to save settings of generation that have no effect; left out"
    return [f"{why}: {', '.join(left)}"]


def make_savable(config: Any, generation: Any) -> list[str]:
    """Take out what transformers loads and then refuses to save.

    Settings of sampling beside ``do_sample: false`` and of beams beside one beam have no effect, so
    answers stay what they are; those of generation that lie in ``config.json`` have been copied into
    the model's ``generation_config`` when it was loaded.

    Args:
        config: The model's configuration; it is changed.
        generation: Its GenerationConfig; it is changed.

    Returns:
        What was taken out, as ``name=value``.
    """
    left = []
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
    plain = GenerationConfig()
    for name in unused:
        value, usual = getattr(generation, name, None), getattr(plain, name, None)
        if value not in (None, usual, _SAMPLING.get(name, _BEAMS.get(name))):
            left.append(f"{name}={value}")
            setattr(generation, name, usual)
    return left


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
"""Settings of sampling, and the value at which each does nothing."""
_BEAMS: dict[str, Any] = {"early_stopping": False, "length_penalty": 1.0}
