"""A model from nothing: a byte-level BPE trained on the rows, and a small GPT-NeoX.

GPT-NeoX because Polyglot-Ko is one: what works here works there, the same modules and the same traps.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast, set_seed

from kit19.catalog import PromptFormat
from kit19.training.rows.files import Data
from kit19.training.settings import Tiny

NAME = "tiny"
_END, _PAD = "<|endoftext|>", "<|pad|>"
_READ = 20  # batches of 10,000 rows: a vocabulary of some thousands needs no more
_WINDOW = 2048  # positions are rotations, so a wide window costs nothing


def make_tokenizer(data: Data, form: PromptFormat, tiny: Tiny) -> Any:
    """A tokenizer of its own for the rows. The same rows give the same one."""
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
    """The shape of the model."""
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
    """A GPT-NeoX with random weights, decided by the seed."""
    set_seed(seed)
    return GPTNeoXForCausalLM(config)


def _texts(data: Data, form: PromptFormat) -> Iterator[str]:
    for batch in islice(data.train.batches(), _READ):
        for instruction, text, output in batch.select("instruction", "input", "output").iter_rows():
            yield form.ask(instruction, text) + form.reply(output)
