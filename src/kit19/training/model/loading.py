"""Reading a model with transformers: configuration, tokenizer, weights, each error with its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from kit19.core.errors import Kit19Error, Problem, TrainError
from kit19.training.model_errors import convert_model_errors

CANNOT = "the model cannot be loaded"

_SHOWN = 3
_FIX = "give a Hub id (owner/name; offline it must be in the cache), or a model's folder"


def read_config(name: str, revision: str | None = None, *, trust: bool = False) -> Any:
    """The configuration of a model, which may bring code of its own if it is trusted.

    Raises:
        TrainError: It cannot be read.
    """
    with convert_model_errors(_file(name, "config.json"), CANNOT, _FIX):
        return AutoConfig.from_pretrained(name, revision=revision, trust_remote_code=trust)


def read_tokenizer(name: str, revision: str | None = None, *, trust: bool = False) -> Any:
    """The tokenizer of a model, which may bring code of its own if it is trusted.

    Raises:
        TrainError: It cannot be read.
    """
    with convert_model_errors(name, f"{CANNOT}: its tokenizer", _FIX):
        return AutoTokenizer.from_pretrained(name, revision=revision, trust_remote_code=trust)


def read_weights(name: str, **given: Any) -> Any:
    """A causal language model with its weights.

    Args:
        name: Hub id or folder.
        **given: For ``from_pretrained``.

    Raises:
        TrainError: They cannot be read, or are not whole.
    """
    given = {"trust_remote_code": False} | given  # or transformers asks on the terminal
    check_complete(
        name, revision=given.get("revision"), trust_remote_code=given["trust_remote_code"]
    )
    with convert_model_errors(name, f"{CANNOT}: its weights", _FIX):
        return AutoModelForCausalLM.from_pretrained(name, **given)


def check_complete(name: str, error: type[Kit19Error] = TrainError, **given: Any) -> None:
    """Stop at weights that do not fill the model: transformers draws the others at random.

    Only names and shapes are read. What cannot be read at all is left to who reads it next.

    Args:
        name: Hub id or folder.
        error: What to raise.
        **given: ``revision``, ``trust_remote_code`` and the like, for ``from_pretrained``.

    Raises:
        Kit19Error: It names the first weights that are missing, or have another shape.
    """
    try:
        _, info = AutoModelForCausalLM.from_pretrained(
            name,
            device_map="meta",
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **given,
        )
    except Exception:  # whoever loads the model meets it again, and says it with its file
        return
    missing, others = sorted(info["missing_keys"]), sorted(info["mismatched_keys"])
    problems = []
    if missing:
        what = f"{CANNOT}: it has no weights for {_some(missing)}, and random ones would be taken"
        problems.append(Problem(what, name, "compare config.json with the files of weights"))
    if others:
        key, has, wanted = others[0]
        what = (
            f"{CANNOT}: config.json does not belong to its weights: {key} is {_shape(has)}, by "
            f"config.json {_shape(wanted)}"
        )
        problems.append(Problem(what, name, "bring the files of one model"))
    if problems:
        raise error(problems)


def _file(name: str, file: str) -> str:
    return str(Path(name) / file) if Path(name).is_dir() else name


def _some(keys: list[str]) -> str:
    more = f" and {len(keys) - _SHOWN:,} more" if len(keys) > _SHOWN else ""
    return ", ".join(keys[:_SHOWN]) + more


def _shape(size: Any) -> str:
    return " × ".join(map(str, size))
