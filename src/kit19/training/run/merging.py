"""Merge an adapter into the weights of its base model."""

from __future__ import annotations

import errno
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from kit19.core.errors import Problem, TrainError
from kit19.training.model.adapters import load_with_adapter
from kit19.training.model.base import set_end_ids
from kit19.training.model.digest import ADAPTER_CONFIG
from kit19.training.model.finding import GIVE_A_MODEL, find_adapter_base, find_model
from kit19.training.model.generation_config import make_savable
from kit19.training.model.loading import read_tokenizer
from kit19.training.model.reference import ADAPTER_WEIGHTS, ModelRef
from kit19.training.model_errors import convert_model_errors, one_line_reason
from kit19.training.rows.prompts import end_ids_of
from kit19.training.run.checkpoint import is_disk_full

_TOLERANCE = 1e-3
"""Tolerance of merged logits, relative to the largest: float32 differs by a hundredth of this."""
_GENERATION = "generation_config.json"


def find_adapter(name: str) -> ModelRef:
    """Find an adapter and its base model.

    Raises:
        TrainError: There is no such model, it has no adapter, or its base model is missing or has other
            weights.
    """
    found = find_model(name)
    if found.base is None:
        what = "has no adapter: its weights are complete already"
        raise TrainError(Problem(what, name))
    return found


def merge_adapter(adapter: ModelRef, *, trust: bool = False) -> tuple[Any, Any]:
    """Merge an adapter into its base model; return the model and its tokenizer.

    Args:
        adapter: The adapter, with its base model.
        trust: Whether to run code from the model's repository.

    Raises:
        TrainError: The merged model gives other logits than the adapter.
    """
    run = adapter.folder
    with convert_model_errors(str(run), fix=GIVE_A_MODEL):
        adapted = load_with_adapter(adapter, dtype="auto", trust_remote_code=trust).eval()
        published = adapted.dtype
        # In fp32: an adapter is small compared with its base, and rounding to 16 bits may lose it.
        model = _merge(adapted.float(), run)
        model.config.dtype = published
        if (run / _GENERATION).is_file():
            set_end_ids(model, end_ids_of(GenerationConfig.from_pretrained(run)))
        tokenizer = read_tokenizer(str(run), trust=trust)
    return model, tokenizer


def _merge(adapted: Any, run: Path) -> Any:
    """The base model with the adapter in its weights.

    Raises:
        TrainError: Its logits differ from the adapter's.
    """
    ids = _some_tokens(adapted)
    with torch.inference_mode():
        expected = adapted(input_ids=ids).logits
    with untied(adapted.get_base_model()):
        model = adapted.merge_and_unload()
    with torch.inference_mode():
        found = model(input_ids=ids).logits
    off, largest = float((found - expected).abs().max()), float(expected.abs().max())
    if not off <= _TOLERANCE * max(largest, 1.0):  # `not <=` also catches NaN
        what = (
            f"cannot be merged: the merged model's logits are off by {off:.3g} (the largest is "
            f"{largest:.3g}), so its answers would differ"
        )
        fix = "use the adapter on its base model: chat, eval and PEFT load it"
        raise TrainError(Problem(what, str(run), fix))
    return model


def _some_tokens(model: Any) -> Any:
    """Two rows of 16 random tokens, always the same."""
    known = model.get_input_embeddings().weight.shape[0]
    return torch.randint(known, (2, 16), generator=torch.Generator().manual_seed(19))


@contextmanager
def untied(model: Any) -> Iterator[None]:
    """Untie modules that share a weight, and tie those again that are equal afterwards.

    An adapter on the embedding changes the input and not the output. In models with tied embeddings
    both are one weight, and merging the adapter into that weight would change both.
    """
    users: dict[int, list[tuple[Any, str]]] = defaultdict(list)
    for module in model.modules():
        for name, weight in module.named_parameters(recurse=False):
            users[id(weight)].append((module, name))
    shared = [places for places in users.values() if len(places) > 1]
    for places in shared:
        for module, name in places[1:]:
            weight = getattr(module, name)
            own = torch.nn.Parameter(weight.detach().clone(), requires_grad=weight.requires_grad)
            setattr(module, name, own)
    was_tied = bool(getattr(model.config.get_text_config(), "tie_word_embeddings", False))
    _set_tied(model, False)
    yield
    for places in shared:
        first, *others = [getattr(module, name) for module, name in places]
        if all(torch.equal(first, other) for other in others):
            for module, name in places[1:]:
                setattr(module, name, first)
    into, out = model.get_input_embeddings(), model.get_output_embeddings()
    _set_tied(model, was_tied and (out is None or torch.equal(into.weight, out.weight)))


def _set_tied(model: Any, tied: bool) -> None:
    model.config.tie_word_embeddings = tied
    model.config.get_text_config().tie_word_embeddings = tied


def write_merged(adapter: ModelRef, folder: Path, *, trust: bool = False) -> None:
    """Write the merged weights and the tokenizer, in the dtype that the base model was published in.

    Raises:
        TrainError: As ``merge_adapter``, or the configuration or the tokenizer cannot be saved.
        OSError: It cannot be written.
    """
    model, tokenizer = merge_adapter(adapter, trust=trust)
    model.to(getattr(model.config, "dtype", None) or torch.float32)
    make_savable(model.config, model.generation_config)
    try:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except OSError:
        raise
    except Exception as error:
        if is_disk_full(error):  # safetensors raises its own error
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from None
        what = f"the merged model cannot be saved: {one_line_reason(error)}"
        raise TrainError(Problem(what, str(adapter.folder))) from error


def merge_in_place(run: Path, *, trust: bool = False) -> None:
    """Replace the adapter in a run folder by the merged weights.

    After an interruption the folder may have both, which ``find_model`` refuses as ambiguous.
    """
    adapter = ModelRef(run.name, run)
    write_merged(replace(adapter, base=find_adapter_base(adapter)), run, trust=trust)
    for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
        (run / name).unlink()
