"""Check that a run can train and save, from the model's configuration, before its weights are read.

The model is built on the meta device. Everything that needs no weights is checked on it: the attention
implementation, the ids and lengths of the rows, the adapter. ``trial`` then checks the trainer's
arguments, the optimizer, the schedule and the files of a checkpoint.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from kit19.core.errors import Problem, TrainError, suggest_names
from kit19.training import processes
from kit19.training.model import generation_config as saved
from kit19.training.model.base import (
    Base,
    add_embeddings,
    four_bit_config,
    lora_config,
    modules_to_save,
)
from kit19.training.model.device import attention, liger_problems
from kit19.training.model.meta import build_meta_model
from kit19.training.model.twin import make_twin, vocabulary_of
from kit19.training.model_errors import one_line_reason
from kit19.training.rows.tokens import Tokens
from kit19.training.run import trial
from kit19.training.run.arguments import can_balance_experts
from kit19.training.settings import Settings

_POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len")
_RESERVED = 8  # positions that some models reserve: RoBERTa starts at 2
_ADAPTABLE = ("Linear", "Conv1D")  # classes of modules that are suggested as targets


@dataclass(frozen=True)
class ModelCheck:
    """The result of ``check_model``.

    Attributes:
        settings: The settings to train with, with an attention implementation of this model.
        notes: Differences from the given settings, with reasons, a sentence each.
        meta_model: The model on the meta device, with embeddings for the new tokens.
    """

    settings: Settings
    notes: tuple[str, ...]
    meta_model: Any


def check_model(
    settings: Settings,
    base: Base,
    sets: Sequence[Tokens],
    *,
    validated: bool,
    for_other_machine: bool = False,
) -> ModelCheck:
    """Find faults that would end a run later: in its first step, at a checkpoint, or at its end.

    Args:
        settings: The given settings.
        base: The model's configuration and tokenizer.
        sets: Training rows and held-out rows.
        validated: Whether there are held-out rows.
        for_other_machine: Whether the run is planned for another machine: then the packages and the
            device of this machine are not checked.

    Raises:
        TrainError: Lists every fault.
    """
    chosen, meta_model, note = _with_attention(settings, base, for_other_machine=for_other_machine)
    add_embeddings(meta_model, settings, base.tokenizer)
    problems = [
        *_id_problems(meta_model, base, sets),
        *_length_problems(chosen, base, sets),
        *_weight_problems(base),
    ]
    problems += trial.interval_problems(settings, validated=validated)
    problems += saved.savable_problems(base)
    if settings.method == "qlora" and not for_other_machine:
        four_bit_config(settings)
    if settings.liger_kernels and not for_other_machine:
        problems += liger_problems(str(base.config.model_type))
    problems += _sharding_problems(settings)
    if not for_other_machine and not problems:
        problems += trial.training_problems(chosen, validated=validated)
    problems += _adapter_problems(chosen, meta_model)
    if problems:
        raise TrainError(problems)
    notes = [note, _expert_note(base), *_long_row_notes(base, sets), *saved.savable_notes(base)]
    return ModelCheck(chosen, tuple(filter(None, notes)), meta_model)


def _sharding_problems(settings: Settings) -> list[Problem]:
    if settings.lora.variant != "pissa" or settings.method == "full" or not processes.is_sharded():
        return []
    what = "`pissa` decomposes whole weights, and FSDP and DeepSpeed shard them over the processes"
    return [Problem(what, "lora.variant", "--set lora.variant=lora, or start it by torchrun alone")]


def _with_attention(
    settings: Settings, base: Base, *, for_other_machine: bool
) -> tuple[Settings, Any, str]:
    """The settings with an attention implementation of the model, the meta model, and a note."""
    chosen = (
        "sdpa"
        if for_other_machine and "flash" in settings.attn_implementation
        else attention(settings)
    )
    try:
        return (
            settings.model_copy(update={"attn_implementation": chosen}),
            _build_meta_model(base, chosen),
            "",
        )
    except Exception as error:
        refused = error
    try:
        meta_model = _build_meta_model(base, "eager")
    except Exception as error:
        what = f"no model can be built from its configuration: {one_line_reason(error)}"
        raise TrainError(Problem(what, base.entry.name, "see its config.json")) from None
    if settings.attn_implementation != "auto":
        what = f"cannot compute attention by {chosen}: {one_line_reason(refused)}"
        raise TrainError(
            Problem(what, type(meta_model).__name__, "--set attn_implementation=auto, or eager")
        )
    name = type(meta_model).__name__
    note = f"{name} does not support {chosen}: trained with attn_implementation=eager"
    return settings.model_copy(update={"attn_implementation": "eager"}), meta_model, note


def _build_meta_model(base: Base, attention: str) -> Any:
    config = copy.deepcopy(base.config)
    return build_meta_model(config, trust=base.trust, attn_implementation=attention)


def _id_problems(meta_model: Any, base: Base, sets: Sequence[Tokens]) -> list[Problem]:
    """Token ids without an embedding: tokens were added, and the model was not resized."""
    room = vocabulary_of(meta_model)
    name, tokenizer = base.entry.name, base.tokenizer
    fix = (
        f"add embeddings for them: model.resize_token_embeddings({len(tokenizer)}), and save "
        "it; or use its original tokenizer"
    )
    for tokens in sets:
        if len(tokens.ids) and int(tokens.ids.max()) >= room:
            at = int(np.argmax(tokens.ids >= room))
            row = tokens.rows["id"][int(np.searchsorted(tokens.starts, at, side="right")) - 1]
            token = int(tokens.ids[at])
            what = (
                f"the token {tokenizer.convert_ids_to_tokens(token)!r} ({token}) is not among the "
                f"{room:,} that the model has embeddings for; first row {row}"
            )
            return [Problem(what, name, fix)]
    if tokenizer.pad_token_id >= room:
        what = (
            f"the padding token {tokenizer.pad_token!r} ({tokenizer.pad_token_id}) is not among the "
            f"{room:,} that the model has embeddings for"
        )
        return [Problem(what, name, fix)]
    return []


def positions_of(config: Any) -> int:
    """The number of positions in a configuration; 0 if it has none."""
    text = config.get_text_config()
    return next((int(getattr(text, name)) for name in _POSITIONS if getattr(text, name, None)), 0)


def _longest_row(sets: Sequence[Tokens]) -> tuple[int, str]:
    """The length of the longest row, and its id."""
    found = [
        (int(s.lengths.max()), str(s.rows["id"][int(s.lengths.argmax())])) for s in sets if len(s)
    ]
    return max(found, default=(0, ""))


def _length_problems(settings: Settings, base: Base, sets: Sequence[Tokens]) -> list[Problem]:
    """Rows longer than a table of positions. Rotary positions have no such limit."""
    named, (longest, row) = positions_of(base.config), _longest_row(sets)
    if not named or longest <= named - _RESERVED:
        return []
    model = make_twin(base.config, settings.attn_implementation, trust=base.trust)
    if model is None or _can_compute(model, longest):
        return []
    fits = next((n for n in range(min(named, longest), 0, -1) if _can_compute(model, n)), 0)
    what = (
        f"the longest row has {longest:,} tokens ({row}), and the model has positions for {fits:,}"
    )
    return [Problem(what, base.entry.name, f"leave longer rows out: --set max_length={fits}")]


def _can_compute(model: Any, length: int) -> bool:
    # The last token of the vocabulary, as RoBERTa has no position for its padding, one of the first.
    ids = torch.full((1, length), vocabulary_of(model) - 1)
    with torch.no_grad():
        try:
            model(input_ids=ids, use_cache=False)
        except (IndexError, RuntimeError, ValueError):
            return False
    return True


def _long_row_notes(base: Base, sets: Sequence[Tokens]) -> list[str]:
    named, (longest, row) = positions_of(base.config), _longest_row(sets)
    if not named or longest <= named:
        return []
    return [f"the longest row has {longest:,} tokens ({row}); the model was trained for {named:,}"]


def _expert_note(base: Base) -> str:
    if can_balance_experts(base.config):
        return ""
    return "its experts are trained without a load-balancing loss: TRL does not find their number"


def _weight_problems(base: Base) -> list[Problem]:
    if base.ref is None or base.ref.revision:  # a plan does not download weights
        return []
    try:
        base.ref.weight_files()
    except TrainError as error:
        return [*error.problems]
    return []


def _missing_modules(wanted: Sequence[str], model: Any) -> list[str]:
    names = [name for name, _ in model.named_modules()]
    return [one for one in wanted if not any(n == one or n.endswith(f".{one}") for n in names)]


def _adapter_problems(settings: Settings, meta_model: Any) -> list[Problem]:
    """Faults of the adapter, attached to the meta model."""
    saved_modules = modules_to_save(settings, meta_model)
    config = lora_config(settings, saved_modules)
    if config is None:
        return []
    if settings.lora.variant == "pissa":
        config.init_lora_weights = True  # weights without values cannot be decomposed
    from peft import get_peft_model  # noqa: PLC0415  a second to load, and only for adapters

    where = "lora.targets"
    targets = settings.lora.targets
    if isinstance(targets, list) and (missing := _missing_modules(targets, meta_model)):
        known = {
            name.rsplit(".", 1)[-1]
            for name, module in meta_model.named_modules()
            if type(module).__name__ in _ADAPTABLE
        }
        what = f"the model has no module {missing[0]!r}"
        return [Problem(what, where, f"{suggest_names(missing[0], known)} Or all-linear")]
    if missing := _missing_modules(saved_modules, meta_model):
        known = {name.rsplit(".", 1)[-1] for name, _ in meta_model.named_modules() if name}
        what = f"the model has no module {missing[0]!r}"
        return [Problem(what, "lora.modules_to_save", suggest_names(missing[0], known))]
    try:
        adapted = get_peft_model(copy.deepcopy(meta_model), config)
    except Exception as error:
        what = f"no adapter can be attached: {one_line_reason(error)}"
        fix = "name linear modules, or use all-linear"
        return [Problem(what, where, "--set lora.dropout=0" if "lora_dropout" in what else fix)]
    if not any(one.requires_grad for one in adapted.parameters()):
        return [Problem("matches no module of the model", where, "use all-linear")]
    return _odd_layer_problems(adapted)


def _odd_layer_problems(adapted: Any) -> list[Problem]:
    """Layers that PEFT takes for linear ones, and whose output is more than a tensor: some routers."""
    layers = {
        name: one.base_layer for name, one in adapted.named_modules() if hasattr(one, "base_layer")
    }
    odd = {name.rsplit(".", 1)[-1]: one for name, one in layers.items() if not _gives_tensor(one)}
    if not odd:
        return []
    names = {name.rsplit(".", 1)[-1] for name in layers} - set(odd)
    kinds = ", ".join(sorted({type(one).__name__ for one in odd.values()}))
    what = (
        f"no adapter can be attached to {', '.join(sorted(odd))} ({kinds}): its output is no tensor"
    )
    fix = f"--set lora.targets={','.join(sorted(names))}"
    return [Problem(what, "lora.targets", fix)]


def _gives_tensor(layer: Any) -> bool:
    if not isinstance(layer, torch.nn.Linear) or type(layer).forward is torch.nn.Linear.forward:
        return True
    with torch.no_grad():
        return isinstance(layer(layer.weight.new_zeros(1, layer.in_features)), torch.Tensor)
