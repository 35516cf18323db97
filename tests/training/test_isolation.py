"""Packed rows are isolated, or not packed: a test of every architecture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from kit19 import TrainError, read_run, train
from kit19.training.model.isolation import why_not_pack
from kit19.training.rows.batches import Collate
from kit19.training.rows.token_stats import TokenStats
from kit19.training.rows.tokens import Tokens
from tests.support import architectures
from tests.support.effort import every
from tests.support.invoking import invoke
from tests.support.short_rows import short_rows, short_settings
from tests.support.small_models import equal, weights
from tests.support.warm import start_two

MIXING = {
    *("afmoe", "bamba", "bert", "big_bird", "biogpt", "bloom", "camembert", "electra", "falcon_h1"),
    *("falcon_mamba", "gpt_oss", "granitemoehybrid", "jamba", "lfm2", "mamba", "mamba2", "minimax"),
    *("mpt", "openai-gpt", "opt", "qwen3_5", "qwen3_next", "recurrent_gemma", "roberta", "xglm"),
    *("xlm-roberta", "zamba2"),
}
"""Architectures in which packed rows see each other, by computing each; transformers 5.24, on a CPU."""


def tokens_of(lengths: list[int]) -> Tokens:
    draw = np.random.default_rng(3)
    return Tokens(
        ids=draw.integers(4, architectures.VOCABULARY, sum(lengths)).astype(np.uint32),
        starts=np.concatenate([[0], np.cumsum(lengths)]),
        answers=np.array([(1, length) for length in lengths], np.int32),
        answer_starts=np.arange(len(lengths) + 1),
        rows=pl.DataFrame({"id": [str(number) for number in range(len(lengths))]}),
        stats=TokenStats(),
        key="",
    )


def row_scores(model: Any, tokens: Tokens, sequence: list[int]) -> list[Any]:
    """Log-probabilities of each row's tokens in a packed sequence."""
    import torch

    parts = [tokens.row(number)[0] for number in sequence]
    ids = np.concatenate(parts)
    one = {"input_ids": ids, "labels": ids, "seq_lengths": [len(part) for part in parts]}
    batch = Collate(architectures.PAD)([one])
    batch.pop("labels")
    with torch.no_grad():
        known = model(**batch, use_cache=False).logits[0].log_softmax(-1)
    found, start = [], 0
    for part in parts:
        there = known[start : start + len(part) - 1]
        found.append(there.gather(-1, torch.tensor(part[1:, None]))[:, 0].numpy())
        start += len(part)
    return found


# Each with its own attention, and every third with the plain one too.
@pytest.mark.parametrize(
    ("name", "attention"),
    [(name, "default") for name in architectures.ARCHITECTURES]
    + [(name, "eager") for name in every(3, architectures.ARCHITECTURES)],
)
def test_packed_rows_equal_rows_alone_or_are_not_packed(name: str, attention: str) -> None:
    given: dict[str, Any] = {} if attention == "default" else {"attn_implementation": "eager"}
    model = architectures.make_model(name, **given)
    tokens = tokens_of([30, 17, 23, 14])
    sequence = [0, 1, 2, 3]
    why = why_not_pack(model, tokens, [sequence], Collate(architectures.PAD))
    if architectures.is_as_listed():
        assert bool(why) == (name in MIXING)
    if not why:
        shared = row_scores(model, tokens, sequence)
        for number in sequence:
            alone = row_scores(model, tokens, [number])[0]
            assert np.abs(shared[number] - alone).max() < 1e-4


def test_half_precision_has_no_false_results() -> None:
    import torch

    tokens = tokens_of([30, 17, 23, 14])
    for name in ("llama", "qwen3_moe", "gemma3", "lfm2", "falcon_h1", "opt"):
        model = architectures.make_model(name).to(torch.bfloat16)
        why = why_not_pack(model, tokens, [[0, 1, 2, 3]], Collate(architectures.PAD))
        assert bool(why) == (name in MIXING), name


@pytest.mark.parametrize("name", ["bert", "roberta", "electra"])
def test_a_model_that_sees_its_answers_is_refused(name: str) -> None:
    from transformers import AutoModelForCausalLM

    config = architectures.make_config(name)
    config.is_decoder = False
    model = AutoModelForCausalLM.from_config(config).eval()
    tokens = tokens_of([30, 17])
    with pytest.raises(TrainError, match=r"(?s)sees the tokens that it should.*is_decoder: true"):
        why_not_pack(model, tokens, [[0], [1]], Collate(architectures.PAD))


def test_a_model_without_sound_weights_is_refused() -> None:
    import torch

    model = architectures.make_model("llama")
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[0] = float("nan")
    tokens = tokens_of([30, 17])
    with pytest.raises(TrainError, match="log-probabilities are not finite"):
        why_not_pack(model, tokens, [[0, 1]], Collate(architectures.PAD))


@pytest.mark.parametrize("name", ["lfm2", "opt", "roberta"])
def test_a_model_that_mixes_packed_rows_is_trained_without_packing(
    name: str, tmp_path: Path
) -> None:
    model = architectures.save_model(name, tmp_path / "base")
    rows = short_rows(tmp_path)
    how = short_settings(tmp_path, model, attn_implementation="auto")
    done = train(rows, tmp_path / "run", how)
    record = done.record
    assert record == read_run(done.folder)
    assert record.settings["layout"] == "grouped"
    assert record.rows["lines"] == record.rows["train"] == 20
    assert [note for note in record.notes if "layout=grouped" in note]
    assert [note for note in done.notes if "rows" in note and "layout=grouped" in note]
    asked = train(rows, tmp_path / "asked", how.model_copy(update={"layout": "grouped"}))
    assert asked.record.notes == []
    assert equal(weights(done.folder), weights(asked.folder))


def test_a_model_that_isolates_rows_is_trained_with_packing(tmp_path: Path) -> None:
    model = architectures.save_model("qwen3", tmp_path / "base")
    done = train(short_rows(tmp_path), tmp_path / "run", short_settings(tmp_path, model))
    assert done.record.settings["layout"] == "packed"
    assert done.record.rows["lines"] < done.record.rows["train"]
    assert done.record.notes == []


def test_steps_of_an_epoch_are_counted_in_the_layout_that_is_trained(tmp_path: Path) -> None:
    model = architectures.save_model("lfm2", tmp_path / "base")
    how = short_settings(tmp_path, model, max_steps=0, num_train_epochs=1)
    done = train(short_rows(tmp_path), tmp_path / "run", how)
    assert done.record.settings["steps"] == 10  # 20 rows, 2 at once


class StopError(Exception):
    """Where a run was interrupted."""


def interrupted(rows: Path, run: Path, how: Any, after: int) -> None:
    def stop(what: str, done: int, _total: int) -> None:
        if what.startswith("training") and done == after:
            raise StopError

    with pytest.raises(StopError):
        train(rows, run, how, on_progress=stop)


def test_a_resumed_run_keeps_its_layout(tmp_path: Path) -> None:
    model = architectures.save_model("lfm2", tmp_path / "base")
    rows = short_rows(tmp_path)
    how = short_settings(tmp_path, model, max_steps=4, save_steps=2, eval_steps=2)
    whole = train(rows, tmp_path / "whole", how)
    interrupted(rows, tmp_path / "run", how, after=3)
    begun = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert "rows see each other" in begun["chosen"]["unpacked_because"]
    done = train(rows, tmp_path / "run", how)
    assert done.resumed == 2
    assert equal(weights(done.folder), weights(whole.folder))
    assert (done.folder / "run.json").read_bytes() == (whole.folder / "run.json").read_bytes()


def test_a_run_of_an_earlier_kit19_with_mixed_rows_is_not_resumed(
    tmp_path: Path,
) -> None:
    model = architectures.save_model("lfm2", tmp_path / "base")
    rows = short_rows(tmp_path)
    how = short_settings(tmp_path, model, max_steps=4, save_steps=2, eval_steps=2)
    interrupted(rows, tmp_path / "run", how, after=3)
    plan = tmp_path / "run" / "plan.json"
    begun = json.loads(plan.read_text())
    del begun["chosen"]
    plan.write_text(json.dumps(begun))
    with pytest.raises(TrainError, match=r"(?s)started with packed rows, but .*--restart"):
        train(rows, tmp_path / "run", how)


def test_two_processes_make_the_same_decisions(tmp_path: Path) -> None:
    model = architectures.save_model("lfm2", tmp_path / "base")
    preset = tmp_path / "own.yaml"
    how = short_settings(tmp_path, model, per_device_train_batch_size=1)
    preset.write_text(yaml.safe_dump(how.model_dump(mode="json")))
    words: list[str | Path] = [
        "train",
        "--quiet",
        "--data",
        short_rows(tmp_path),
        "--model",
        preset,
    ]
    both = start_two(*words, "--out", tmp_path / "run", folder=tmp_path)
    first, other = (one.ended() for one in both)
    assert first.code == other.code == 0, first.err + other.err
    assert (first.out + other.out).count("layout=grouped") == 1
    record = read_run(tmp_path / "run")
    assert record is not None
    assert (record.settings["layout"], record.settings["devices"]) == ("grouped", 2)


def test_the_command_line_reports_that_rows_are_not_packed(tmp_path: Path) -> None:
    model = architectures.save_model("opt", tmp_path / "base")
    how = short_settings(tmp_path, model)
    words = ["train", "--quiet", "--data", str(short_rows(tmp_path)), "--model", str(model)]
    words += ["--format", how.format, "--set", "max_length=64", "--set", "max_steps=1"]
    done = invoke(*words, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    assert "! packed rows see each other" in done.out
    assert "layout=grouped" in done.out
