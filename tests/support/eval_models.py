"""Small language models and tokenizers, made here from fixed seeds out of the sample's own text."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
)

from kit19.sample import SAMPLE

TokenizerKind = Literal["plain", "bos", "merging"]
END, BEGIN, UNKNOWN = "<|end|>", "<s>", "<unk>"


def tokenizer(kind: TokenizerKind) -> PreTrainedTokenizerFast:
    """A BPE tokenizer.

    Args:
        kind: ``plain`` (byte-level, no first token), ``bos`` (with one), or ``merging`` (no splitting
            at blanks, so that a context's end and a choice may become one token).
    """
    texts = [
        path.read_text("utf-8")
        for folder in ("kobest", "klue")
        for path in sorted((SAMPLE / folder).rglob("*.*"))
        if path.is_file()
    ]
    base = Tokenizer(models.BPE(unk_token=UNKNOWN if kind == "merging" else None))
    alphabet: list[str] = []
    if kind == "merging":
        texts.append("정답: 예\n정답: 아니오\n답변:  예\n긍부정: 긍정\n" * 300)
    if kind != "merging":
        base.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        base.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=1500,
        special_tokens=[END, BEGIN, UNKNOWN],
        initial_alphabet=alphabet,
        show_progress=False,
        max_token_length=2 if kind == "merging" else 6,
    )
    base.train_from_iterator((line for text in texts for line in text.splitlines()), trainer)
    named: dict[str, Any] = {"eos_token": END, "unk_token": UNKNOWN}
    if kind == "bos":
        base.post_processor = processors.TemplateProcessing(
            single=f"{BEGIN} $A", special_tokens=[(BEGIN, 1)]
        )
        named["bos_token"] = BEGIN
    return PreTrainedTokenizerFast(tokenizer_object=base, **named)


def make(
    folder: Path,
    family: Literal["neox", "llama", "mistral"] = "neox",
    kind: TokenizerKind = "plain",
    window: int = 1024,
) -> Path:
    """Write a model of about 0.2 M parameters, with its tokenizer."""
    own = tokenizer(kind)
    shape: dict[str, Any] = {
        "vocab_size": len(own),
        "hidden_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 96,
        "max_position_embeddings": window,
    }
    torch.manual_seed(19)
    model: Any
    if family == "neox":
        model = GPTNeoXForCausalLM(GPTNeoXConfig(**shape))
    elif family == "llama":
        model = LlamaForCausalLM(LlamaConfig(**shape, num_key_value_heads=2))
    else:
        model = MistralForCausalLM(MistralConfig(**shape, num_key_value_heads=2, sliding_window=16))
    # Untrained weights predict nearly the same everywhere; larger ones make choices differ.
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.mul_(4)
    model.save_pretrained(folder)
    own.save_pretrained(folder)
    return folder
