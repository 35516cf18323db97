"""Causal language models of many architectures, each tiny by its configuration.

What a model does at length 40 says nothing of length 4,000 if something changes in between: a window
of attention, a RoPE that is scaled from a length on, the end of a position table. So every model here
has those thresholds too, at small lengths, and ``thresholds`` names them.

All models share one vocabulary and one tokenizer. Weights are drawn from a seed; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

BOS, PAD, EOS, UNKNOWN = range(4)
"""Ids of the special tokens, in the order of XLM-RoBERTa: its positions begin after the padding id."""
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
VOCABULARY = 288
WINDOW = 24
"""How far back local attention sees."""
ORIGINAL = 40
"""Length from which a RoPE that depends on the length changes."""
POSITIONS = 96
"""Rows in a table of absolute positions."""
LENGTH = 128
"""``max_position_embeddings`` of models that accept longer rows."""

_NOT_IN_OLDER = {"exaone", "minicpm3"}


@dataclass(frozen=True)
class Architecture:
    """A model type of transformers, and a tiny configuration.

    Attributes:
        kind: The model type.
        options: Values of its configuration.
        thresholds: Lengths in tokens around which the model's behavior changes.
    """

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    thresholds: tuple[int, ...] = (LENGTH,)


_BASE = {
    "vocab_size": VOCABULARY,
    "pad_token_id": PAD,
    "bos_token_id": BOS,
    "eos_token_id": EOS,
}
_DEEP = {"hidden_size": 32, "num_hidden_layers": 2, "max_position_embeddings": LENGTH}
_LLAMA = _DEEP | {"intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2}
_GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": POSITIONS}
_BERT = _DEEP | {
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "max_position_embeddings": POSITIONS,
    "is_decoder": True,
    "attention_probs_dropout_prob": 0.0,
    "hidden_dropout_prob": 0.0,
}
_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
_MAMBA = {
    "mamba_d_state": 8,
    "mamba_n_heads": 4,
    "mamba_d_head": 16,
    "mamba_n_groups": 1,
    "mamba_chunk_size": 16,
}
_LINEAR = {
    "head_dim": 8,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "layer_types": ["linear_attention", "full_attention"],
}
_LATENT = {
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "num_key_value_heads": 4,
}
_GROUPED = {
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "n_group": 2,
    "topk_group": 1,
}
_LOCAL_AND_FULL = ["sliding_attention", "full_attention"]


def _rope(kind: str, **more: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, **more}}


def _long() -> dict[str, Any]:
    """LongRoPE: other frequencies for texts longer than ``ORIGINAL``."""
    factors = {"short_factor": [1.0] * 4, "long_factor": [1.0, 4.0, 8.0, 16.0]}
    rope = _rope("longrope", original_max_position_embeddings=ORIGINAL, **factors)
    return rope | {"max_position_embeddings": 4 * ORIGINAL}


_DYNAMIC = _rope("dynamic", factor=4.0) | {"max_position_embeddings": ORIGINAL}
_YARN = _rope("yarn", factor=LENGTH / ORIGINAL, original_max_position_embeddings=ORIGINAL)
_LLAMA3 = _rope(
    "llama3",
    factor=4.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=ORIGINAL,
)
_AT_WINDOW, _AT_ORIGINAL, _AT_POSITIONS = (WINDOW,), (ORIGINAL,), (POSITIONS,)
_AT_BOTH = (WINDOW, LENGTH)

ARCHITECTURES: dict[str, Architecture] = {
    # Attention over everything, rotary positions.
    "llama": Architecture("llama", _LLAMA),
    "llama-3": Architecture("llama", _LLAMA | _LLAMA3, _AT_ORIGINAL),
    "llama-yarn": Architecture("llama", _LLAMA | _YARN, _AT_ORIGINAL),
    "llama-dynamic": Architecture("llama", _LLAMA | _DYNAMIC, _AT_ORIGINAL),
    "llama-longrope": Architecture("llama", _LLAMA | _long(), _AT_ORIGINAL),
    "arcee": Architecture("arcee", _LLAMA),
    "apertus": Architecture("apertus", _LLAMA | _LLAMA3, _AT_ORIGINAL),
    "cohere": Architecture("cohere", _LLAMA | {"logit_scale": 1.0}),
    "codegen": Architecture("codegen", _GPT | {"rotary_dim": 4}, _AT_POSITIONS),
    "diffllama": Architecture("diffllama", _LLAMA),
    "ernie4_5": Architecture("ernie4_5", _LLAMA),
    "exaone": Architecture("exaone", _LLAMA),
    "falcon": Architecture(
        "falcon", _DEEP | {"num_attention_heads": 4, "new_decoder_architecture": False}
    ),
    "gemma": Architecture("gemma", _LLAMA | {"head_dim": 8}),
    "glm": Architecture("glm", _LLAMA | {"head_dim": 8}),
    "glm4": Architecture("glm4", _LLAMA | {"head_dim": 8}),
    "gptj": Architecture("gptj", _GPT | {"rotary_dim": 4}, _AT_POSITIONS),
    "gpt_neox": Architecture(
        "gpt_neox", _DEEP | {"num_attention_heads": 4, "intermediate_size": 64}
    ),
    "granite": Architecture("granite", _LLAMA),
    "helium": Architecture("helium", _LLAMA | {"head_dim": 8}),
    "hunyuan": Architecture("hunyuan_v1_dense", _LLAMA | {"head_dim": 8}),
    "hyperclovax": Architecture("hyperclovax", _LLAMA),
    "minicpm3": Architecture(
        "minicpm3",
        _LLAMA | _LATENT | {"v_head_dim": 8, "dim_model_base": 32} | _long(),
        _AT_ORIGINAL,
    ),
    "nanochat": Architecture("nanochat", _LLAMA),
    "nemotron": Architecture("nemotron", _LLAMA),
    "olmo": Architecture("olmo", _LLAMA),
    "olmo2": Architecture("olmo2", _LLAMA),
    "persimmon": Architecture(
        "persimmon", _DEEP | {"num_attention_heads": 4, "intermediate_size": 64}
    ),
    "phi": Architecture("phi", _LLAMA),
    "phi3": Architecture("phi3", _LLAMA),
    "phi3-longrope": Architecture(
        "phi3", _LLAMA | _long() | {"original_max_position_embeddings": ORIGINAL}, _AT_ORIGINAL
    ),
    "qwen2": Architecture("qwen2", _LLAMA),
    "qwen3": Architecture("qwen3", _LLAMA | {"head_dim": 8}),
    "seed_oss": Architecture("seed_oss", _LLAMA | {"head_dim": 8}),
    "smollm3": Architecture("smollm3", _LLAMA),
    "stablelm": Architecture("stablelm", _LLAMA),
    # Tables of absolute positions.
    "biogpt": Architecture(
        "biogpt",
        _DEEP
        | {
            "num_attention_heads": 4,
            "intermediate_size": 64,
            "max_position_embeddings": POSITIONS,
        },
        _AT_POSITIONS,
    ),
    "gpt2": Architecture("gpt2", _GPT, _AT_POSITIONS),
    "gpt_bigcode": Architecture("gpt_bigcode", _GPT, _AT_POSITIONS),
    "openai-gpt": Architecture("openai-gpt", _GPT, _AT_POSITIONS),
    "opt": Architecture(
        "opt",
        _DEEP
        | {
            "num_attention_heads": 4,
            "ffn_dim": 64,
            "word_embed_proj_dim": 32,
            "max_position_embeddings": POSITIONS,
        },
        _AT_POSITIONS,
    ),
    "xglm": Architecture(
        "xglm",
        {
            "d_model": 32,
            "ffn_dim": 64,
            "num_layers": 2,
            "attention_heads": 4,
            "max_position_embeddings": POSITIONS,
        },
        _AT_POSITIONS,
    ),
    # Positions by distance (ALiBi).
    "bloom": Architecture("bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 4}),
    "falcon-alibi": Architecture("falcon", _DEEP | {"num_attention_heads": 4, "alibi": True}),
    "mpt": Architecture("mpt", {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": LENGTH}),
    # Attention that reaches back a few tokens only, in some layers or all.
    "cohere2": Architecture(
        "cohere2",
        _LLAMA | {"logit_scale": 1.0, "sliding_window": WINDOW, "layer_types": _LOCAL_AND_FULL},
        _AT_BOTH,
    ),
    "exaone4": Architecture(
        "exaone4", _LLAMA | {"sliding_window": WINDOW, "layer_types": _LOCAL_AND_FULL}, _AT_BOTH
    ),
    "gemma2": Architecture(
        "gemma2",
        _LLAMA | {"sliding_window": WINDOW, "head_dim": 8, "query_pre_attn_scalar": 8},
        _AT_BOTH,
    ),
    "gemma3": Architecture(
        "gemma3_text",
        _LLAMA
        | {
            "sliding_window": WINDOW,
            "head_dim": 8,
            "query_pre_attn_scalar": 8,
            "layer_types": _LOCAL_AND_FULL,
        },
        _AT_BOTH,
    ),
    "gpt_neo": Architecture(
        "gpt_neo",
        {
            "hidden_size": 32,
            "num_layers": 2,
            "num_heads": 4,
            "max_position_embeddings": POSITIONS,
            "attention_types": [[["global", "local"], 1]],
            "window_size": WINDOW,
        },
        (WINDOW, POSITIONS),
    ),
    "ministral": Architecture(
        "ministral", _LLAMA | {"sliding_window": WINDOW, "head_dim": 8}, _AT_BOTH
    ),
    "mistral": Architecture("mistral", _LLAMA | {"sliding_window": WINDOW}, _AT_BOTH),
    "olmo3": Architecture(
        "olmo3", _LLAMA | {"sliding_window": WINDOW, "layer_types": _LOCAL_AND_FULL}, _AT_BOTH
    ),
    "phi3-sliding": Architecture("phi3", _LLAMA | {"sliding_window": WINDOW}, _AT_BOTH),
    "qwen2-sliding": Architecture(
        "qwen2",
        _LLAMA | {"use_sliding_window": True, "sliding_window": WINDOW, "max_window_layers": 1},
        _AT_BOTH,
    ),
    "starcoder2": Architecture("starcoder2", _LLAMA | {"sliding_window": WINDOW}, _AT_BOTH),
    # Experts.
    "afmoe": Architecture(
        "afmoe",
        _LLAMA
        | _EXPERTS
        | {"head_dim": 8, "sliding_window": WINDOW, "layer_types": _LOCAL_AND_FULL},
        _AT_BOTH,
    ),
    "axk1": Architecture(
        "axk1",
        _LLAMA | _LATENT | _GROUPED | {"mlp_layer_types": ["dense", "sparse"]},
    ),
    "deepseek_v2": Architecture(
        "deepseek_v2",
        _LLAMA | _LATENT | _GROUPED | {"first_k_dense_replace": 1},
    ),
    "deepseek_v3": Architecture(
        "deepseek_v3",
        _LLAMA | _LATENT | _GROUPED | {"first_k_dense_replace": 1},
    ),
    "ernie4_5_moe": Architecture(
        "ernie4_5_moe",
        _LLAMA
        | {
            "moe_num_experts": 4,
            "moe_k": 2,
            "moe_intermediate_size": 32,
            "moe_layer_start_index": 1,
        },
    ),
    "exaone_moe": Architecture(
        "exaone_moe",
        _LLAMA
        | _EXPERTS
        | {
            "head_dim": 8,
            "sliding_window": WINDOW,
            "layer_types": _LOCAL_AND_FULL,
            "mlp_layer_types": ["dense", "sparse"],
        },
        _AT_BOTH,
    ),
    "glm4_moe": Architecture(
        "glm4_moe",
        _LLAMA
        | {
            "head_dim": 8,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 32,
            "first_k_dense_replace": 1,
        },
    ),
    "gpt_oss": Architecture(
        "gpt_oss",
        _LLAMA
        | _YARN
        | {
            "head_dim": 8,
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "sliding_window": WINDOW,
            "layer_types": _LOCAL_AND_FULL,
        },
        _AT_BOTH,
    ),
    "granitemoe": Architecture(
        "granitemoe", _LLAMA | {"num_local_experts": 4, "num_experts_per_tok": 2}
    ),
    "mixtral": Architecture("mixtral", _LLAMA | {"num_local_experts": 4}),
    "olmoe": Architecture("olmoe", _LLAMA | {"num_experts": 4, "num_experts_per_tok": 2}),
    "phimoe": Architecture("phimoe", _LLAMA | {"num_local_experts": 4}),
    "qwen2_moe": Architecture(
        "qwen2_moe", _LLAMA | _EXPERTS | {"shared_expert_intermediate_size": 32}
    ),
    "qwen3_moe": Architecture("qwen3_moe", _LLAMA | _EXPERTS | {"head_dim": 8}),
    "solar_open": Architecture(
        "solar_open",
        _LLAMA
        | {
            "head_dim": 8,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 32,
        },
    ),
    # States instead of attention, or in addition to it.
    "bamba": Architecture("bamba", _LLAMA | _MAMBA | {"attn_layer_indices": [1]}),
    "falcon_h1": Architecture("falcon_h1", _LLAMA | _MAMBA | {"mamba_d_ssm": 64, "head_dim": 8}),
    "falcon_mamba": Architecture(
        "falcon_mamba", {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}
    ),
    "granitemoehybrid": Architecture(
        "granitemoehybrid",
        _LLAMA
        | _MAMBA
        | {
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "shared_intermediate_size": 32,
            "layer_types": ["mamba", "attention"],
        },
    ),
    "jamba": Architecture(
        "jamba",
        _LLAMA
        | {"num_experts": 2, "attn_layer_period": 2, "attn_layer_offset": 1, "mamba_d_state": 8},
    ),
    "lfm2": Architecture(
        "lfm2", _LLAMA | {"layer_types": ["conv", "full_attention"], "block_multiple_of": 8}
    ),
    "mamba": Architecture("mamba", {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}),
    "mamba2": Architecture(
        "mamba2",
        {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "state_size": 8,
            "num_heads": 4,
            "head_dim": 16,
            "n_groups": 1,
            "chunk_size": 16,
        },
    ),
    "minimax": Architecture(
        "minimax",
        _LLAMA
        | {
            "num_local_experts": 4,
            "block_size": 16,
            "layer_types": ["linear_attention", "full_attention"],
        },
        (16, LENGTH),
    ),
    "qwen3_5": Architecture("qwen3_5_text", _LLAMA | _LINEAR),
    "qwen3_next": Architecture(
        "qwen3_next", _LLAMA | _LINEAR | _EXPERTS | {"shared_expert_intermediate_size": 32}
    ),
    "recurrent_gemma": Architecture(
        "recurrent_gemma",
        {
            "hidden_size": 32,
            "num_hidden_layers": 3,
            "intermediate_size": 64,
            "num_attention_heads": 4,
            "lru_width": 32,
            "attention_window_size": WINDOW,
        },
        _AT_WINDOW,
    ),
    "zamba2": Architecture(
        "zamba2",
        _DEEP
        | {
            "num_hidden_layers": 3,
            "layers_block_type": ["mamba", "hybrid", "mamba"],
            "num_attention_heads": 4,
            "intermediate_size": 64,
            "mamba_d_state": 8,
            "n_mamba_heads": 4,
            "chunk_size": 16,
            "adapter_rank": 4,
        },
    ),
    # Encoders that are run as decoders.
    "bert": Architecture("bert", _BERT, _AT_POSITIONS),
    "big_bird": Architecture(
        "big_bird", _BERT | {"attention_type": "original_full"}, _AT_POSITIONS
    ),
    "camembert": Architecture("camembert", _BERT, (POSITIONS - PAD - 1,)),
    "electra": Architecture("electra", _BERT | {"embedding_size": 32}, _AT_POSITIONS),
    "roberta": Architecture("roberta", _BERT, (POSITIONS - PAD - 1,)),
    "xlm-roberta": Architecture("xlm-roberta", _BERT, (POSITIONS - PAD - 1,)),
}


def is_as_listed() -> bool:
    """Whether models behave as the tests list them; those of older versions of transformers differ."""
    import transformers
    from packaging.version import Version

    return Version(transformers.__version__) >= Version("5.24")


def thresholds(name: str) -> tuple[int, ...]:
    """Lengths in tokens around which a model's behavior changes, the shortest first."""
    return ARCHITECTURES[name].thresholds


def make_config(name: str, changes: Mapping[str, Any] | None = None) -> Any:
    """The configuration of an architecture, with some values replaced."""
    from transformers import AutoConfig

    if name in _NOT_IN_OLDER and not is_as_listed():
        pytest.skip(f"this version of transformers cannot create {name}")
    found = ARCHITECTURES[name]
    return AutoConfig.for_model(found.kind, **_BASE, **(dict(found.options) | dict(changes or {})))


def make_model(
    name: str, seed: int = 19, config: Mapping[str, Any] | None = None, **options: Any
) -> Any:
    """A model in float32 and evaluation mode, its weights drawn from a seed.

    Untrained weights predict nearly the same everywhere; larger ones make what is before a token, and
    at which place, decide what comes next.

    Args:
        name: A key of ``ARCHITECTURES``.
        seed: Draws the weights.
        config: Values of the configuration to replace.
        **options: For ``from_config``, such as ``attn_implementation``.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.pytorch_utils import Conv1D

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(
        make_config(name, config), dtype=torch.float32, **options
    ).eval()
    wide = (torch.nn.Linear, torch.nn.Embedding, Conv1D)
    matrices = {id(part.weight): part.weight for part in model.modules() if isinstance(part, wide)}
    with torch.no_grad():
        for matrix in matrices.values():  # tied ones once
            matrix.mul_(0.15 / max(float(matrix.std()), 1e-6))
    return model


def save_model(name: str, folder: Path, seed: int = 19) -> Path:
    """Write a model and the tokenizer into a folder, as ``from_pretrained`` reads them."""
    make_model(name, seed).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


@cache
def make_tokenizer() -> Any:
    """A byte-level tokenizer of ``VOCABULARY`` tokens for all models; it writes no first token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    base = Tokenizer(models.BPE())
    base.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    base.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    base.train_from_iterator(
        ["이 영화는 정말 재미있고 배우의 연기가 훌륭했다. 정답: 예 아니오"] * 8, trainer
    )
    bos, pad, eos, unknown = SPECIAL
    return PreTrainedTokenizerFast(
        tokenizer_object=base, bos_token=bos, pad_token=pad, eos_token=eos, unk_token=unknown
    )
