"""The base model of a run and its tokenizer: from the Hub, from a folder, or new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers import GenerationConfig, set_seed
from transformers.integrations.liger import apply_liger_kernel

from kit19.catalog import PromptFormat
from kit19.core.arguments import OnProgress, silent
from kit19.core.errors import Problem, TrainError, first_line
from kit19.core.runs import BaseModelEntry
from kit19.training.model import tiny
from kit19.training.model.device import attention, device, in_bf16
from kit19.training.model.finding import GIVE_A_MODEL, find_complete_model
from kit19.training.model.loading import CANNOT, read_config, read_tokenizer, read_weights
from kit19.training.model.reference import ModelRef
from kit19.training.model_errors import convert_model_errors
from kit19.training.rows.files import Data
from kit19.training.rows.prompts import end_ids_of
from kit19.training.settings import Settings


@dataclass(frozen=True)
class Base:
    """The base model of a run, before its weights are loaded.

    Attributes:
        tokenizer: A transformers tokenizer with a padding token.
        config: The configuration of the model.
        stops: Ids of the tokens at which the model's own settings end an answer.
        entry: Its description for ``run.json``, without a digest while the weights are not read.
        generation: Its GenerationConfig; None if it has no such file.
        trust: Whether to run code from the model's repository.
        ref: Its files; None for a new model.
    """

    tokenizer: Any
    config: Any
    stops: frozenset[int]
    entry: BaseModelEntry
    generation: Any = None
    trust: bool = False
    ref: ModelRef | None = None


def find_base(settings: Settings, data: Data, form: PromptFormat, *, trust: bool = False) -> Base:
    """Load the tokenizer and the configuration of the model, but not its weights.

    Args:
        settings: Settings with the name of the model.
        data: Rows, for the tokenizer of a new model.
        form: The prompt format, also for that.
        trust: Whether to run code from the model's repository.

    Raises:
        TrainError: There is no such model, it is not a causal language model, or it is an adapter.
    """
    if settings.tiny:
        tokenizer = tiny.make_tokenizer(data, form, settings.tiny)
        config = tiny.make_config(tokenizer, settings.tiny)
        entry = BaseModelEntry(name=tiny.NAME, architecture=config.architectures[0])
        return Base(tokenizer, config, frozenset(), entry)
    if not settings.model:
        what = "no model is named"
        raise TrainError(Problem(what, fix="give --model: a Hub id, a folder, or tiny"))
    ref = find_complete_model(settings.model, settings.revision)
    revision = ref.revision or None  # all files come from one commit, even if the branch moves
    config = read_config(ref.source, revision, trust=trust)
    tokenizer = read_tokenizer(ref.source, revision, trust=trust)
    tokenizer.add_tokens(list(settings.new_tokens))
    generation = _read_generation_config(ref)
    if tokenizer.pad_token_id is None:
        # No embedding is added. Padding is masked by length, so the end of an answer is not masked.
        tokenizer.pad_token = tokenizer.eos_token
    stops = frozenset(end_ids_of(generation) if generation else ()) or frozenset(
        end_ids_of(config.get_text_config())
    )
    entry = BaseModelEntry(
        name=ref.name,
        revision=ref.revision,
        architecture=str((config.architectures or [""])[0]),
    )
    return Base(tokenizer, config, stops, entry, generation, trust, ref)


def _read_generation_config(ref: ModelRef) -> Any:
    with convert_model_errors(ref.source, CANNOT, GIVE_A_MODEL):
        try:
            return GenerationConfig.from_pretrained(ref.source, revision=ref.revision or None)
        except OSError:  # many models have no such file: then only the end token ends answers
            return None


def load_weights(settings: Settings, base: Base) -> Any:
    """Load the model with its weights for training.

    Raises:
        TrainError: The weights cannot be loaded, or 4-bit weights do not work here.
    """
    model = (
        tiny.make_model(base.config, settings.seed)
        if base.ref is None
        else _load_base(base.ref, settings, base)
    )
    if settings.liger_kernels:
        # Before packing is tested: fused kernels are part of what must keep rows apart.
        apply_liger_kernel(model, {"cross_entropy": False, "fused_linear_cross_entropy": False})
    return model


def _load_base(ref: ModelRef, settings: Settings, base: Base) -> Any:
    is_full = settings.method == "full"
    low = in_bf16(settings) and (not is_full or settings.weights_dtype == "bf16")
    given: dict[str, Any] = {
        "revision": ref.revision or None,
        "attn_implementation": attention(settings),
        "dtype": torch.bfloat16 if low else torch.float32,
        "trust_remote_code": base.trust,
    }
    if settings.method == "qlora":
        given["quantization_config"] = four_bit_config(settings)
    model = read_weights(ref.source, **given)
    keep_four_bit_layout(model)
    add_embeddings(model, settings, base.tokenizer)
    return model


def keep_four_bit_layout(model: Any) -> None:
    """Keep the layout of 4-bit weights when a model is evaluated on a CPU with AVX512-BF16.

    bitsandbytes 0.50 repacks them there, and gradients do not pass through repacked weights: training
    after an evaluation would have no effect. Layers narrower than 64 could not be evaluated at all.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def lora_config(settings: Settings, saved: Sequence[str] = ()) -> Any:
    """The PEFT configuration of the adapter; None if all weights are trained.

    Args:
        settings: The settings of the run.
        saved: Modules that are trained and saved themselves; see ``modules_to_save``.
    """
    if settings.method == "full":
        return None
    from peft import LoraConfig  # noqa: PLC0415  a second to load, and only for adapters

    lora = settings.lora
    given: dict[str, Any] = {"pissa": {"init_lora_weights": "pissa"}}.get(lora.variant, {})
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets,
        modules_to_save=list(saved) or None,
        use_rslora=lora.variant == "rslora",
        use_dora=lora.variant == "dora",
        **given,
    )


def modules_to_save(settings: Settings, model: Any) -> list[str]:
    """Modules that an adapter trains and saves themselves: those set, and resized embeddings."""
    names = [*settings.lora.modules_to_save]
    if settings.new_tokens:
        embeddings = [model.get_input_embeddings(), model.get_output_embeddings()]
        known = {id(module): name for name, module in model.named_modules()}
        names += [known[id(one)].rsplit(".", 1)[-1] for one in embeddings if id(one) in known]
    return list(dict.fromkeys(names))


def add_embeddings(model: Any, settings: Settings, tokenizer: Any) -> None:
    """Add embeddings for ``new_tokens``: the mean of the others, with a little noise of the seed."""
    if settings.new_tokens and len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        set_seed(settings.seed)
        model.resize_token_embeddings(len(tokenizer), mean_resizing=model.device.type != "meta")


def set_end_ids(model: Any, ends: list[int]) -> None:
    """Make a model stop at any of these tokens, also after it is saved and loaded again."""
    model.generation_config.eos_token_id = ends if len(ends) > 1 else ends[0]
    model.config.get_text_config().eos_token_id = ends[0]


def describe_base(base: Base, on_progress: OnProgress = silent) -> Base:
    """Add the digests of the base model to its description; a new model has none.

    Raises:
        TrainError: Its files cannot be read.
    """
    if base.ref is None:
        return base
    digests = {
        "digest": base.ref.digest(on_progress),
        "weights": base.ref.weights_digest(on_progress),
    }
    return replace(base, entry=base.entry.model_copy(update=digests))


def four_bit_config(settings: Settings) -> Any:
    """The configuration of 4-bit weights, after a test on the training device.

    Args:
        settings: Settings with the precision that the 4-bit layers compute in.

    Raises:
        TrainError: bitsandbytes does not work here.
    """
    try:
        from bitsandbytes.functional import quantize_4bit  # noqa: PLC0415  an optional package

        quantize_4bit(torch.ones(64, device=device()), quant_type="nf4")
    except Exception as error:  # kernels missing on a device raise various errors
        reason = first_line(error)
        what = f"QLoRA keeps weights in 4 bits by bitsandbytes, which does not work here: {reason}"
        fix = "pip install -U 'kit19[qlora]', which supports CPUs too, or --set method=lora"
        raise TrainError(Problem(what, fix=fix)) from None
    from transformers import BitsAndBytesConfig  # noqa: PLC0415

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if in_bf16(settings) else torch.float32,
    )
