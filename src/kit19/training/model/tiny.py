"""A small model with random weights: a GPT-NeoX, and a byte-level BPE tokenizer trained on the rows.

Polyglot-Ko is a GPT-NeoX too, so both have the same modules and the same pitfalls.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast, set_seed

from kit19.catalog import PromptFormat
from kit19.training.rows.conversations import rows_of
from kit19.training.rows.files import Data
from kit19.training.settings import Tiny

NAME = "tiny"
_END, _PAD = "<|endoftext|>", "<|pad|>"
_MAX_BATCHES = 20  # batches of 10,000 rows: enough for a vocabulary of a few thousand tokens
_WINDOW = 2048  # rotary positions, so a long window adds no weights


def make_tokenizer(data: Data, form: PromptFormat, tiny: Tiny) -> Any:
    """Train a tokenizer on the rows. The same rows give the same tokenizer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=tiny.vocabulary,
        special_tokens=[_END, _PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(data, form), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=_END,
        pad_token=_PAD,
        clean_up_tokenization_spaces=False,
        model_max_length=_WINDOW,
    )


def make_config(tokenizer: Any, tiny: Tiny) -> Any:
    """The configuration of the model."""
    return GPTNeoXConfig(
        architectures=["GPTNeoXForCausalLM"],
        vocab_size=len(tokenizer),
        hidden_size=tiny.hidden,
        num_hidden_layers=tiny.layers,
        num_attention_heads=tiny.heads,
        intermediate_size=4 * tiny.hidden,
        max_position_embeddings=_WINDOW,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 10000.0,
            "partial_rotary_factor": 0.5,
        },
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=False,
    )


def make_model(config: Any, seed: int) -> Any:
    """A GPT-NeoX with random weights from a seed."""
    set_seed(seed)
    return GPTNeoXForCausalLM(config)


def _texts(data: Data, form: PromptFormat) -> Iterator[str]:
    for batch in islice(data.train.batches(), _MAX_BATCHES):
        for row in rows_of(batch):
            if row.pair:
                yield form.ask(*row.pair) + form.reply(row.turns[-1]["content"])
                continue
            for turn in row.turns:
                content = turn["content"]
                answer = turn["role"] == "assistant"
                yield form.reply(content) if answer else form.ask(content)
