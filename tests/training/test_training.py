"""Training small real models: resumed equals uninterrupted, seeds decide the weights."""

from __future__ import annotations

import json
import resource
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import kit19
from kit19 import (
    OutputError,
    Settings,
    Trained,
    TrainError,
    merge,
    read_run,
    train,
)
from kit19.training.model.base import load_weights
from tests.support.small_models import SAVE, equal, rows, settings, weights, write_rows
from tests.support.warm import start


class StopError(Exception):
    """Where a run was interrupted."""


def interrupted(data: Path, run: Path, how: Settings, after: int) -> None:
    """A run that ends in an exception after so many steps."""

    def stop(what: str, done: int, _total: int) -> None:
        if what.startswith("training") and done == after:
            raise StopError

    with pytest.raises(StopError):
        train(data, run, how, on_progress=stop)


@pytest.mark.parametrize("kind", ["neox", "llama"])
@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_resumed_run_equals_an_uninterrupted_one(
    kind: str,
    method: str,
    data: Path,
    tokenizer: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = SAVE[kind](tokenizer, tmp_path / "base", seed=1)
    how = settings(model, method=method)
    whole = train(data, tmp_path / "whole", how)
    interrupted(data, tmp_path / "run", how, after=5)
    # Other weights when it resumes show everything that the checkpoint lacks. They are not in the
    # base's folder: a run does not resume from a replaced base.
    if method == "full":
        other = str(SAVE[kind](tokenizer, tmp_path / "other", seed=2))
        monkeypatch.setattr("kit19.training.model.base.load_weights", partial(weights_of, other))
    else:
        monkeypatch.setattr("kit19.training.model.base.lora_config", another_adapter)
    resumed = train(data, tmp_path / "run", how)
    assert (whole.resumed, resumed.resumed) == (0, 4)
    assert equal(weights(whole.folder), weights(resumed.folder))
    assert whole.record.metrics == resumed.record.metrics
    curve = json.loads((resumed.folder / "curves.json").read_text())
    assert curve == json.loads((whole.folder / "curves.json").read_text())


def weights_of(other: str, how: Settings, base: Any) -> Any:
    return load_weights(how.model_copy(update={"model": other}), base)


def another_adapter(how: Settings, _whole: object = ()) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        task_type="CAUSAL_LM",
        r=how.lora.rank,
        lora_alpha=how.lora.alpha,
        lora_dropout=how.lora.dropout,
        target_modules=how.lora.targets,
        init_lora_weights=False,
    )


@pytest.mark.parametrize("kind", ["neox", "llama"])
def test_the_best_weights_are_restored_completely(
    kind: str, data: Path, tokenizer: Any, tmp_path: Path
) -> None:
    model = SAVE[kind](tokenizer, tmp_path / "base")
    # So high a rate that it gets worse: the best is not the last.
    how = settings(
        model,
        learning_rate=0.3,
        lr_scheduler_type="constant",
        warmup_ratio=0,
        best=True,
        max_steps=4,
    )
    done = train(data, tmp_path / "run", how)
    curve = json.loads((done.folder / "curves.json").read_text())["eval_loss"]
    measured = [value for _step, value in curve[:2]]
    assert min(measured) < measured[-1]
    assert done.record.metrics["eval_loss"] == min(measured)
    assert loss_of(done.folder, data, how) == pytest.approx(min(measured), rel=1e-5)


def loss_of(folder: Path, data: Path, how: Settings) -> float:
    """The loss of held-out answers, of the model as it lies in its folder."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from kit19.training.model.losses import add_answer_losses, row_losses
    from kit19.training.rows.batches import Collate, arrange_rows
    from kit19.training.rows.examples import TokenRules
    from kit19.training.rows.files import load_file_rows
    from kit19.training.rows.prompts import make_prompts
    from kit19.training.rows.tokens import tokenize

    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    held_out = load_file_rows(data, how.validation, how.seed).validation
    assert held_out is not None
    prompts = make_prompts(tokenizer, kit19.load_catalog().prompt_format(how.format))
    tokens = tokenize(held_out, "h", prompts, TokenRules(how.max_length), folder.parent / "tokens")
    add_answer_losses(model)
    collate = Collate(tokenizer.pad_token_id)
    losses = row_losses(model, tokens, arrange_rows(tokens, how), collate, at_once=2, plain=True)
    return float(losses.sum() / tokens.supervised.sum())


def test_the_same_seed_gives_the_same_weights_and_another_does_not(
    data: Path, tmp_path: Path
) -> None:
    runs = [
        train(data, tmp_path / name, settings(seed=seed, max_steps=2, validation=0))
        for name, seed in (("one", 19), ("again", 19), ("other", 20))
    ]
    one, again, other = (weights(run.folder) for run in runs)
    assert equal(one, again)
    assert not equal(one, other)
    assert (runs[0].folder / "run.json").read_bytes() == (runs[1].folder / "run.json").read_bytes()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A new model, trained until it answers."""
    place = tmp_path_factory.mktemp("trained")
    path = write_rows(place / "rows.jsonl", rows(80))
    how = settings(
        max_steps=60,
        num_train_epochs=99,
        eval_steps=30,
        save_steps=30,
        per_device_train_batch_size=8,
    )
    return train(path, place / "run", how, cache=place / "cache")


def test_a_run_folder_is_documented_and_loads(trained: Trained) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    record = read_run(trained.folder)
    assert record == trained.record
    assert record is not None
    assert record.base.name == "tiny"
    assert record.base.architecture == "GPTNeoXForCausalLM"
    assert record.data.label == "unverified"
    assert record.format["id"] == "koalpaca"
    assert record.rows["read"] == record.rows["train"] == 72
    assert record.rows["validation"] == 8
    assert set(record.versions) >= {"torch", "transformers", "trl"}
    assert record.settings["steps"] == 60
    losses = {name for name in record.metrics if name.startswith("eval_")}
    assert losses == {"eval_loss", "eval_sentiment_analysis_loss", "eval_nli_loss"}
    names = {path.name for path in trained.folder.iterdir()}
    assert {"model.safetensors", "tokenizer.json", "run.json", "README.md"} <= names
    assert {"curves.json", "curves.svg"} <= names
    assert not names & {"checkpoints", "plan.json", "training_args.bin"}
    assert AutoModelForCausalLM.from_pretrained(trained.folder).num_parameters() > 1000
    assert AutoTokenizer.from_pretrained(trained.folder).eos_token_id == 0
    card = (trained.folder / "README.md").read_text()
    assert "**unverified**: it is unknown whether" in card
    assert "not a kit19 build" in card
    curve = json.loads((trained.folder / "curves.json").read_text())
    assert curve["loss"][0][1] > 2 * curve["loss"][-1][1]


def test_a_trained_model_answers_in_the_right_form(trained: Trained) -> None:
    chat = kit19.chat(trained.folder)
    question = f"{rows(2)[1]['instruction']}\n\n{rows(2)[1]['input']}"
    pieces = list(chat.send(question))
    assert "".join(pieces) in {"좋은 평이에요.", "나쁜 평이에요."}
    assert [turn["role"] for turn in chat.turns] == ["user", "assistant"]
    chat.reset()
    assert chat.turns == []
    assert chat.format.id == "koalpaca"
    chat.use_format("alpaca")
    assert chat.format.id == "alpaca"
    with pytest.raises(kit19.UnknownNameError, match="there is no prompt format"):
        chat.use_format("nope")
    with pytest.raises(TrainError, match="has no chat template"):
        chat.use_format("chat")
    with pytest.raises(TrainError, match="nothing to answer"):
        list(chat.send("  "))


def test_a_merged_adapter_is_the_model_with_its_adapter(
    data: Path, tokenizer: Any, tmp_path: Path
) -> None:
    import torch
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM

    model = SAVE["neox"](tokenizer, tmp_path / "base")
    how = settings(model, method="lora", max_steps=3, validation=0, learning_rate=0.1)
    run = train(data, tmp_path / "run", how).folder
    assert not (run / "model.safetensors").exists()
    record = merge(run, tmp_path / "merged")
    assert record == read_run(tmp_path / "merged")
    ids = torch.arange(5, 25)[None]
    with torch.no_grad():
        apart = AutoPeftModelForCausalLM.from_pretrained(run).eval()(ids).logits
        whole = AutoModelForCausalLM.from_pretrained(tmp_path / "merged").eval()(ids).logits
        base = AutoModelForCausalLM.from_pretrained(model).eval()(ids).logits
    assert torch.allclose(apart, whole, atol=1e-4)
    assert not torch.allclose(base, whole, atol=1e-2)
    with pytest.raises(TrainError, match="has no adapter"):
        merge(tmp_path / "merged", tmp_path / "again")
    with pytest.raises(TrainError, match="is an adapter, but a complete model is needed here"):
        train(data, tmp_path / "two", settings(run))
    after = train(data, tmp_path / "after", how.model_copy(update={"seed": 20}), merge=True)
    assert (after.folder / "model.safetensors").exists()
    assert not (after.folder / "adapter_config.json").exists()


def test_a_folder_with_other_files_is_never_replaced(data: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds files that kit19 did not write"):
        train(data, taken, settings())
    for place, why in ((taken / "thesis.txt", "Not a"), (taken / "thesis.txt" / "run", "File")):
        with pytest.raises(OutputError, match=f"cannot be written: {why}"):
            train(data, place, settings())
    run = tmp_path / "run"
    how = settings(max_steps=4, validation=0)
    interrupted(data, run, how, after=3)
    with pytest.raises(TrainError, match=r"with another plan: learning_rate was 0\.01, is 0\.02"):
        train(data, run, how.model_copy(update={"learning_rate": 0.02}))
    train(data, run, how)
    with pytest.raises(OutputError, match="holds a finished run"):
        train(data, run, how)
    again = train(data, run, how, restart=True)
    assert again.resumed == 0


def test_a_full_disk_is_reported_and_the_last_checkpoint_stays(data: Path, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    run = tmp_path / "run"
    how = settings(max_steps=6, validation=0)

    def fill(what: str, done: int, _total: int) -> None:
        if what.startswith("training") and done == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))

    try:
        with pytest.raises(TrainError) as stop:
            train(data, run, how, on_progress=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "the disk is full" in str(stop.value)
    assert "checkpoint-2 is complete" in str(stop.value)
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["checkpoint-2"]
    done = train(data, run, how)
    assert done.resumed == 2
    whole = train(data, tmp_path / "whole", how)
    assert equal(weights(done.folder), weights(whole.folder))


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from kit19 import load_preset, train
from kit19.training.run import checkpoint
publish = checkpoint.finish_checkpoint
def killed(run, step):
    if step == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return publish(run, step)
checkpoint.finish_checkpoint = killed
train(sys.argv[1], sys.argv[2], load_preset(sys.argv[3]))
"""


def test_killed_during_a_checkpoint_it_resumes_from_the_previous_one(
    data: Path, tmp_path: Path
) -> None:
    import yaml

    how = settings(max_steps=6, validation=0)
    preset = tmp_path / "own.yaml"
    preset.write_text(yaml.safe_dump(how.model_dump(mode="json")))
    run = tmp_path / "run"
    killed = start(data, run, preset, folder=tmp_path, code=KILLED)
    assert killed.ended().code == -9
    left = sorted(path.name for path in (run / "checkpoints").iterdir())
    assert left == [".unfinished", "checkpoint-2"]
    done = train(data, run, how)
    assert done.resumed == 2
    whole = train(data, tmp_path / "whole", how)
    assert equal(weights(done.folder), weights(whole.folder))


def test_early_stop_ends_a_run_that_gets_no_better(
    data: Path, tokenizer: Any, tmp_path: Path
) -> None:
    model = SAVE["llama"](tokenizer, tmp_path / "base")
    how = settings(
        model,
        learning_rate=0.5,
        lr_scheduler_type="constant",
        warmup_ratio=0,
        best=True,
        early_stopping_patience=1,
        max_steps=40,
    )
    done = train(data, tmp_path / "run", how)
    assert done.record.settings["steps"] < 40


@pytest.mark.parametrize("layout", ["grouped", "padded"])
def test_other_layouts_train_unpacked_rows(layout: str, data: Path, tmp_path: Path) -> None:
    how = settings(layout=layout, max_steps=3, validation=8)
    done = train(data, tmp_path / "run", how)
    assert done.record.rows["lines"] == done.record.rows["train"] == 56
    assert done.record.settings["steps"] == 3


def test_activations_computed_again_give_the_same_weights(
    data: Path, tokenizer: Any, tmp_path: Path
) -> None:
    model = SAVE["neox"](tokenizer, tmp_path / "base")
    found = [
        weights(
            train(
                data,
                tmp_path / str(again),
                settings(model, gradient_checkpointing=again, max_steps=2, validation=0),
            ).folder
        )
        for again in (False, True)
    ]
    assert equal(*found)


def test_missing_inputs_are_reported_in_one_line(
    data: Path, tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TrainError, match="no model is named"):
        train(data, tmp_path / "run", kit19.load_preset("", {"model": ""}))
    with pytest.raises(TrainError, match="is not a model: it has no config"):
        train(data, tmp_path / "run", settings(tmp_path))
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(TrainError, match="holds no row to train on"):
        train(tmp_path / "empty.jsonl", tmp_path / "run", settings())
    model = SAVE["neox"](tokenizer, tmp_path / "base")
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)  # as if it were not installed
    monkeypatch.setitem(sys.modules, "bitsandbytes.functional", None)
    with pytest.raises(
        TrainError, match=r"(?s)bitsandbytes, which does not work here.*kit19\[qlora\]"
    ):
        train(data, tmp_path / "run", settings(model, method="qlora"))
    with pytest.raises(TrainError, match="FlashAttention needs a CUDA GPU"):
        train(data, tmp_path / "run", settings(model, attn_implementation="flash_attention_2"))


def test_a_missing_package_is_reported_with_its_install_command(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = __import__("importlib").util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name, *more: None if name == "trl" else found(name, *more),
    )
    with pytest.raises(TrainError, match=r"(?s)training needs trl.*pip install 'kit19\[train\]'"):
        train(data, tmp_path / "run", settings())
