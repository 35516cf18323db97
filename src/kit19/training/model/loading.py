"""Load a model's configuration, tokenizer and weights; every error names its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from kit19.core.errors import Kit19Error, Problem, TrainError
from kit19.training.model.finding import GIVE_A_MODEL
from kit19.training.model_errors import convert_model_errors

CANNOT = "the model cannot be loaded"

_SHOWN = 3


def read_config(name: str, revision: str | None = None, *, trust: bool = False) -> Any:
    """Load the configuration of a model; ``trust`` runs code from its repository.

    Raises:
        TrainError: It cannot be read.
    """
    with convert_model_errors(_file(name, "config.json"), CANNOT, GIVE_A_MODEL):
        return AutoConfig.from_pretrained(name, revision=revision, trust_remote_code=trust)


def read_tokenizer(name: str, revision: str | None = None, *, trust: bool = False) -> Any:
    """Load the tokenizer of a model; ``trust`` runs code from its repository.

    Raises:
        TrainError: It cannot be read.
    """
    with convert_model_errors(name, f"{CANNOT}: its tokenizer", GIVE_A_MODEL):
        return AutoTokenizer.from_pretrained(name, revision=revision, trust_remote_code=trust)


def read_weights(name: str, **options: Any) -> Any:
    """Load a causal language model with its weights.

    Args:
        name: Hub id or folder.
        **options: For ``from_pretrained``.

    Raises:
        TrainError: The weights cannot be read, or are incomplete.
    """
    options = {"trust_remote_code": False} | options  # else transformers prompts on the terminal
    check_complete(
        name, revision=options.get("revision"), trust_remote_code=options["trust_remote_code"]
    )
    with convert_model_errors(name, f"{CANNOT}: its weights", GIVE_A_MODEL):
        return AutoModelForCausalLM.from_pretrained(name, **options)


def check_complete(name: str, error: type[Kit19Error] = TrainError, **options: Any) -> None:
    """Check that no weights are missing: transformers would initialize those at random.

    Only names and shapes are read. Unreadable files are left to the code that loads the model.

    Args:
        name: Hub id or folder.
        error: The exception to raise.
        **options: ``revision``, ``trust_remote_code`` and the like, for ``from_pretrained``.

    Raises:
        Kit19Error: Names the first weights that are missing or have another shape.
    """
    try:
        _, info = AutoModelForCausalLM.from_pretrained(
            name,
            device_map="meta",
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **options,
        )
    except Exception:  # loading the model raises it again, with the file's name
        return
    missing, mismatched = sorted(info["missing_keys"]), sorted(info["mismatched_keys"])
    problems = []
    if missing:
        what = f"{CANNOT}: it has no weights for {_list_some(missing)}; they would be random"
        problems.append(Problem(what, name, "compare config.json with the weight files"))
    if mismatched:
        key, found, expected = mismatched[0]
        what = (
            f"{CANNOT}: config.json does not match its weights: {key} is {_shape(found)}, but "
            f"{_shape(expected)} by config.json"
        )
        problems.append(Problem(what, name, "use the files of one model"))
    if problems:
        raise error(problems)


def _file(name: str, file: str) -> str:
    return str(Path(name) / file) if Path(name).is_dir() else name


def _list_some(keys: list[str]) -> str:
    more = f" and {len(keys) - _SHOWN:,} more" if len(keys) > _SHOWN else ""
    return ", ".join(keys[:_SHOWN]) + more


def _shape(size: Any) -> str:
    return " × ".join(map(str, size))
