"""The model that training starts from, and its tokenizer: from the Hub, a folder, or nothing."""

from __future__ import annotations

import difflib
import importlib.util
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from kit19.catalog import PromptFormat
from kit19.errors import Problem, TrainError, UnknownNameError, nearest
from kit19.runs import BaseModelEntry
from kit19.train import tiny
from kit19.train.adapters import CONFIG as _ADAPTER
from kit19.train.arguments import attention, device, in_bf16
from kit19.train.base_weights import commit_of, weight_files, weights_digest
from kit19.train.model_folder import check_folder
from kit19.train.prompts import ends_of
from kit19.train.reading import read_config, read_tokenizer, read_weights
from kit19.train.rows import Data
from kit19.train.settings import Settings, preset_names
from kit19.train.translate import translated

_HUB_ID = re.compile(r"(\w[\w.-]*/)?\w[\w.-]*")


@dataclass(frozen=True)
class Base:
    """Where a run starts: a tokenizer, and how to have the model once it is needed.

    Attributes:
        tokenizer: Of transformers; it has a padding token.
        config: The model's; of a model from nothing, of the one that would be made.
        stops: Tokens at which the model's own settings end an answer.
        entry: What the run says of it, without the digest of weights that were not looked at yet.
    """

    tokenizer: Any
    config: Any
    stops: frozenset[int]
    entry: BaseModelEntry


def find_base(settings: Settings, data: Data, form: PromptFormat) -> Base:
    """The tokenizer and the shape of the model; its weights are not read.

    Raises:
        TrainError: There is no such model, it is no causal language model, or it is an adapter.
    """
    if settings.tiny:
        tokenizer = tiny.make_tokenizer(data, form, settings.tiny)
        config = tiny.make_config(tokenizer, settings.tiny)
        entry = BaseModelEntry(name=tiny.NAME, architecture=config.architectures[0])
        return Base(tokenizer, config, frozenset(), entry)
    name = settings.model
    if not name:
        what = "no model is named"
        raise TrainError(Problem(what, fix="give --model: a Hub id, a folder, or tiny"))
    if (Path(name) / _ADAPTER).is_file():
        what = "is an adapter: one on top of another is not trained here"
        fix = f"merge it first: kit19 merge {name} --out DIR"
        raise TrainError(Problem(what, name, fix))
    with readable(name):
        commit = commit_of(name, settings.revision)
        revision = commit or None  # all files of one commit, whatever happens to the branch
        config = read_config(name, revision)
        tokenizer = read_tokenizer(name, revision)
        try:
            generation = GenerationConfig.from_pretrained(name, revision=revision)
        except OSError:  # many models have none, which says that the end token alone ends
            generation = GenerationConfig()
    if tokenizer.pad_token_id is None:
        # No embedding is added: padding is masked by length, and the end of an answer is not padding.
        tokenizer.pad_token = tokenizer.eos_token
    stops = frozenset(ends_of(generation)) or frozenset(ends_of(config.get_text_config()))
    entry = BaseModelEntry(
        name=name.rstrip("/").rsplit("/", 1)[-1] if Path(name).is_dir() else name,
        revision=commit,
        architecture=str((config.architectures or [""])[0]),
    )
    return Base(tokenizer, config, stops, entry)


def load_weights(settings: Settings, base: Base) -> Any:
    """The model with its weights, where training wants it.

    Raises:
        TrainError: The weights cannot be had, or 4-bit weights cannot be used here.
    """
    if settings.tiny:
        return tiny.make_model(base.config, settings.seed)
    trained_whole = settings.method == "full"
    low = in_bf16(settings) and (not trained_whole or settings.weights == "bf16")
    given: dict[str, Any] = {
        "revision": base.entry.revision or None,
        "attn_implementation": attention(settings),
        "dtype": torch.bfloat16 if low else torch.float32,
    }
    if settings.method == "qlora":
        given["quantization_config"] = _four_bits()
    with readable(settings.model):
        return read_weights(settings.model, **given)


def adapter_of(settings: Settings) -> Any:
    """PEFT's configuration of the adapter; None where all weights are trained."""
    if settings.method == "full":
        return None
    from peft import LoraConfig  # noqa: PLC0415  a second to load, and only for adapters

    lora = settings.lora
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets,
    )


def set_ends(model: Any, ends: list[int]) -> None:
    """Have a model stop at any of these tokens, wherever it is loaded from its folder."""
    model.generation_config.eos_token_id = ends if len(ends) > 1 else ends[0]
    model.config.get_text_config().eos_token_id = ends[0]


def digest_of(settings: Settings, base: Base) -> str:
    """sha256 over the base model's weight files; empty for a model from nothing.

    Raises:
        TrainError: They cannot be had.
    """
    if settings.tiny:
        return ""
    with readable(settings.model):
        return weights_digest(weight_files(settings.model, base.entry.revision))


def refuse_misspelled(name: str) -> None:
    """Stop at a name that no model can have, rather than after a minute of asking the Hub for it.

    Raises:
        TrainError: It looks like a folder, and there is none.
        UnknownNameError: It is nearly a preset's.
    """
    if Path(name).exists():
        return
    if not _HUB_ID.fullmatch(name):
        raise TrainError(Problem("there is no such folder", name))
    if name in preset_names():
        fix = f"train one from it first: kit19 train --data OUT --model {name} --out RUN"
        raise TrainError(Problem("is a preset, and no model yet", name, fix))
    if difflib.get_close_matches(name, preset_names(), cutoff=0.8):
        fix = f"{nearest(name, preset_names())} A model of the Hub has an owner: owner/{name}"
        raise UnknownNameError(Problem(f"there is no preset {name!r}", fix=fix))


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Check a model's name and its files, and turn what is raised about them into our errors.

    Raises:
        TrainError: Whatever it was.
        UnknownNameError: See ``refuse_misspelled``.
    """
    refuse_misspelled(name)
    fix = "give a Hub id (owner/name; offline it must be in the cache), or a model's folder"
    with translated(name, fix=fix):
        if Path(name).is_dir():
            check_folder(Path(name))
        yield


def _four_bits() -> Any:
    if device() != "cuda" or importlib.util.find_spec("bitsandbytes") is None:
        what = "QLoRA keeps weights in 4 bits, which takes a CUDA GPU and bitsandbytes"
        fix = "pip install bitsandbytes on a machine with a GPU, or --set method=lora"
        raise TrainError(Problem(what, fix=fix))
    from transformers import BitsAndBytesConfig  # noqa: PLC0415

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
