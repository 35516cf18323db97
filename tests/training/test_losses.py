"""Packed rows do not see each other, and their losses are those of the rows alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kit19.training.model.losses import add_answer_losses, has_plain_head, row_losses
from kit19.training.rows.batches import Collate, as_dataset, read_sequence
from kit19.training.rows.examples import TokenRules
from kit19.training.rows.packing import one_row_per_sequence, pack
from kit19.training.rows.tokens import Tokens, tokenize
from tests.support.small_models import SAVE, prompts_of, row_files


@pytest.fixture
def tokens(data: Path, tokenizer: Any, tmp_path: Path) -> Tokens:
    return tokenize(row_files(data), "k", prompts_of(tokenizer), TokenRules(128), tmp_path)


def load(kind: str, tokenizer: Any, place: Path, attention: str) -> Any:
    from transformers import AutoModelForCausalLM

    folder = SAVE[kind](tokenizer, place / kind)
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation=attention).eval()
    add_answer_losses(model)
    return model


def alone(model: Any, tokens: Tokens) -> np.ndarray[Any, Any]:
    """A slow reference: one row at a time, with the model's own loss, positions and masks."""
    import torch

    found = []
    for number in range(len(tokens)):
        ids, labels = (torch.tensor(part)[None] for part in tokens.row(number))
        with torch.no_grad():
            logits = model(input_ids=ids).logits[0, :-1].double()
        wanted = labels[0, 1:]
        each = torch.nn.functional.cross_entropy(logits, wanted, reduction="none")
        found.append(float(each[wanted != -100].sum()))
    return np.array(found)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", ["neox", "llama"])
def test_packed_losses_are_those_of_each_row_alone(
    kind: str, attention: str, tokens: Tokens, tokenizer: Any, tmp_path: Path
) -> None:
    model = load(kind, tokenizer, tmp_path, attention)
    assert has_plain_head(model)
    collate = Collate(tokenizer.pad_token_id)
    wanted = alone(model, tokens)
    for sequences in (pack(tokens.lengths, 256), one_row_per_sequence(len(tokens))):
        found = row_losses(model, tokens, sequences, collate, at_once=3, plain=True)
        assert np.abs(found - wanted).max() < 1e-4


def test_running_positions_would_let_rows_see_each_other(
    tokens: Tokens, tokenizer: Any, tmp_path: Path
) -> None:
    # The comparison above could see it if they did.
    import torch

    class Running(Collate):
        def __call__(self, sequences: Any) -> dict[str, torch.Tensor]:
            batch = super().__call__(sequences)
            width = batch["input_ids"].shape[1]
            return batch | {"position_ids": torch.arange(width).expand(len(sequences), -1)}

    model = load("neox", tokenizer, tmp_path, "sdpa")
    sequences = pack(tokens.lengths, 256)
    leaky = Running(tokenizer.pad_token_id)
    found = row_losses(model, tokens, sequences, leaky, at_once=3, plain=True)
    assert np.abs(found - alone(model, tokens)).max() > 1e-3


def test_the_collator_of_trl_gives_the_same_losses_flattened(
    tokens: Tokens, tokenizer: Any, tmp_path: Path
) -> None:
    # The way that FlashAttention takes on a GPU, here through sdpa.
    import torch
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling
    from trl.trainer.utils import add_fused_lm_head

    from kit19.training.model.losses import token_losses

    model = load("neox", tokenizer, tmp_path, "sdpa")
    add_fused_lm_head(model)
    sequences = pack(tokens.lengths, 256)[:1]
    flat = DataCollatorForLanguageModeling(tokenizer.pad_token_id, padding_free=True)
    batch = flat([read_sequence(tokens, sequences[0])])
    with torch.no_grad():
        theirs = float(token_losses(model, batch, plain=False).sum())
    ours = row_losses(
        model, tokens, sequences, Collate(tokenizer.pad_token_id), at_once=1, plain=True
    )
    assert abs(theirs - np.nansum(ours)) < 1e-3


def test_a_dataset_of_sequences_reads_rows_when_they_are_used(tokens: Tokens) -> None:
    sequences = pack(tokens.lengths, 256)
    rows = as_dataset(tokens, sequences)
    assert len(rows) == len(sequences)
    got = rows[[0, 2]]
    assert [len(ids) for ids in got["input_ids"]] == [
        int(tokens.lengths[sequences[number]].sum()) for number in (0, 2)
    ]
    assert got["seq_lengths"][0] == tokens.lengths[sequences[0]].tolist()


def test_the_answer_head_leaves_the_model_as_it_was(
    tokens: Tokens, tokenizer: Any, tmp_path: Path
) -> None:
    import torch

    model = load("neox", tokenizer, tmp_path, "sdpa")
    ids = torch.tensor(tokens.row(0)[0])[None]
    made = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=3, do_sample=False
    )
    assert made.shape[1] <= ids.shape[1] + 3
