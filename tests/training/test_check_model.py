"""A model that passes --dry-run trains and saves. Each fault here once passed, and failed later."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest
from transformers.trainer_utils import SchedulerType
from transformers.training_args import OptimizerNames

import kit19
from kit19 import Settings, Trained, TrainError, plan_training, train
from tests.support import architectures
from tests.support.effort import tries
from tests.support.invoking import invoke
from tests.support.short_rows import held_out_loss, short_rows, short_settings


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return architectures.save_model("llama", tmp_path_factory.mktemp("llama") / "base")


def refused(place: Path, model: Path, why: str, **changes: Any) -> str:
    """The error of a dry run, and of training before it reads weights."""
    place.mkdir(exist_ok=True)
    rows, how = short_rows(place), short_settings(place, model, **changes)
    seen: list[str] = []

    def step(what: str, _done: int, _total: int) -> None:
        seen.append(what)

    with pytest.raises(TrainError, match=why) as planned:
        plan_training(rows, how)
    with pytest.raises(TrainError) as stopped:
        train(rows, place / "run", how, on_progress=step)
    assert str(stopped.value) == str(planned.value)
    assert "loading the model" not in seen
    assert not (place / "run").exists()
    return str(planned.value)


def trained(place: Path, model: Path, **changes: Any) -> Trained:
    """A run whose dry run passed."""
    rows, how = short_rows(place), short_settings(place, model, **changes)
    plan = plan_training(rows, how)
    done = train(rows, place / "run", how, restart=True)
    assert plan.steps == done.record.settings["steps"] or how.early_stopping_patience
    return done


def load(folder: Path, **given: Any) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, **given)


def change_json(path: Path, **values: Any) -> None:
    found = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(found | values))


# -- every architecture ---------------------------------------------------------------------------


FAILED = (
    {"bert", "roberta", "recurrent_gemma", "phimoe"}
    | {"granitemoe", "granitemoehybrid", "gpt_oss", "jamba", "minimax", "qwen3_next", "falcon_h1"}
    | {"afmoe", "bloom", "mpt", "gpt2", "opt", "xglm", "mamba", "mamba2", "lfm2", "gemma2"}
)
"""All that once failed: heads that are more than the output embeddings, experts that TRL cannot count,
no attention by sdpa, no positions of ours."""
TRAINED = sorted({*list(architectures.ARCHITECTURES)[:: tries(9, 3)], *FAILED})


@pytest.mark.parametrize("name", TRAINED)
def test_two_steps_and_a_save_give_a_model_that_loads_and_answers_alike(
    name: str, tmp_path: Path
) -> None:
    model = architectures.save_model(name, tmp_path / "base")
    done = trained(tmp_path, model)
    how = short_settings(tmp_path, model)
    loss = held_out_loss(
        load(done.folder), architectures.make_tokenizer(), short_rows(tmp_path), how, tmp_path
    )
    assert loss == pytest.approx(done.record.metrics["eval_loss"], abs=2e-4)


ADAPTED: dict[str, dict[str, Any]] = {
    "llama": {},
    "gpt2": {},
    "gpt_neox": {},
    "gemma2": {},
    "qwen3_moe": {"dropout": 0},
    "lfm2": {},
    "mamba": {"targets": ["in_proj", "x_proj"]},
    "bloom": {},
    "opt": {},
    "recurrent_gemma": {},
}


# The warning of PEFT when transformers loads an adapter.
@pytest.mark.filterwarnings("ignore:The following (rank|alpha)_pattern keys did:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to False:UserWarning")
@pytest.mark.parametrize("name", ADAPTED)
def test_an_adapter_too(name: str, tmp_path: Path) -> None:
    model = architectures.save_model(name, tmp_path / "base")
    done = trained(tmp_path, model, method="lora", lora=ADAPTED[name])
    how = short_settings(tmp_path, model)
    loss = held_out_loss(
        load(done.folder), architectures.make_tokenizer(), short_rows(tmp_path), how, tmp_path
    )
    assert loss == pytest.approx(done.record.metrics["eval_loss"], abs=2e-4)


# -- attention ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gemma2", "gpt_oss", "bloom", "mamba"])
def test_a_model_without_sdpa_is_trained_with_eager_and_a_note(name: str, tmp_path: Path) -> None:
    if name == "gemma2" and not architectures.is_as_listed():
        pytest.skip("older versions of transformers compute its attention by sdpa")
    model = architectures.save_model(name, tmp_path / "base")
    done = trained(tmp_path, model)
    assert done.record.settings["attn_implementation"] == "eager"
    assert any("does not support sdpa" in note for note in done.record.notes)
    said = refused(
        tmp_path / "asked", model, "cannot compute attention by sdpa", attn_implementation="sdpa"
    )
    assert "--set attn_implementation=auto, or eager" in said


# -- ids and lengths ------------------------------------------------------------------------------


def add_token(model: Path, token: str) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.add_tokens([token])
    tokenizer.save_pretrained(model)


def test_tokens_beyond_the_embedding_are_named_with_their_row(tmp_path: Path) -> None:
    model = architectures.save_model("llama", tmp_path / "base")
    add_token(model, "elephant")
    said = refused(tmp_path, model, r"the token 'elephant' \(288\) is not among the 288")
    assert "first row 4" in said
    assert "resize_token_embeddings(289)" in said


def test_tokens_beyond_the_embedding_in_held_out_rows_count_too(tmp_path: Path) -> None:
    model = architectures.save_model("llama", tmp_path / "base")
    rows = short_rows(tmp_path)
    how = short_settings(tmp_path, model)
    from kit19.training.rows.files import load_file_rows

    held_out = load_file_rows(rows, how.validation, how.seed).validation
    assert held_out is not None
    text = next(iter(held_out.batches()))["instruction"][0]
    add_token(model, text[-12:])
    with pytest.raises(TrainError, match=r"\(288\) is not among the 288"):
        plan_training(rows, how)


def test_a_padding_token_beyond_the_embedding_is_refused(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    model = architectures.save_model("llama", tmp_path / "base")
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(model)
    refused(tmp_path, model, r"the padding token '\[PAD\]' \(288\) is not among the 288")


def long_row(place: Path, length: int) -> Path:
    """Rows of which one has about so many tokens."""
    path = short_rows(place)
    row = {"id": "long", "instruction": "? " * (length // 2), "output": "small"}
    path.write_text(path.read_text() + json.dumps(row) + "\n")
    return path


@pytest.mark.parametrize("name", ["gpt2", "gptj", "opt", "biogpt", "gpt_neo", "roberta", "mpt"])
def test_rows_longer_than_a_table_of_positions_are_refused(name: str, tmp_path: Path) -> None:
    model = architectures.save_model(name, tmp_path / "base")
    rows = long_row(tmp_path, 220)
    how = short_settings(tmp_path, model, max_length=400, validation=0)
    with pytest.raises(TrainError, match=r"the longest row has \d+ tokens \(long\)") as stop:
        plan_training(rows, how)
    fits = int(str(stop.value).rsplit("max_length=", 1)[1])
    assert fits in {94, 96, 128}
    fitting = how.model_copy(update={"max_length": fits, "max_overlong_fraction": 0.2})
    assert train(rows, tmp_path / "run", fitting).record.rows["dropped"] == 1


def test_rows_beyond_rotary_positions_are_noted(tmp_path: Path) -> None:
    model = architectures.save_model("llama", tmp_path / "base")
    rows = long_row(tmp_path, 220)
    how = short_settings(tmp_path, model, max_length=400, validation=0)
    done = train(rows, tmp_path / "run", how)
    assert any("(long); the model was trained for 128" in note for note in done.record.notes)


# -- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {"do_sample": False, "temperature": 0.6, "top_p": 0.9},
        {"temperature": 0.7},
        {"do_sample": False, "top_k": 10, "min_p": 0.1},
        {"length_penalty": 2.0},
    ],
)
def test_a_generation_config_that_cannot_be_saved_is_mended(
    values: dict[str, Any], llama: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(llama, tmp_path / "base")
    change_json(model / "generation_config.json", **values)
    done = trained(tmp_path, model, max_steps=4, save_steps=2, eval_steps=2)
    (note,) = [note for note in done.record.notes if "removed" in note]
    for name, value in values.items():
        assert (f"{name}={value}" in note) == (name != "do_sample")
    assert load(done.folder).generation_config.eos_token_id == architectures.EOS


def test_sampling_that_has_an_effect_stays(llama: Path, tmp_path: Path) -> None:
    model = shutil.copytree(llama, tmp_path / "base")
    change_json(model / "generation_config.json", do_sample=True, temperature=0.6, top_k=10)
    done = trained(tmp_path, model)
    assert done.record.notes == []
    kept = json.loads((done.folder / "generation_config.json").read_text())
    assert (kept["temperature"], kept["top_k"], kept["do_sample"]) == (0.6, 10, True)


def test_settings_of_generation_in_config_json_do_not_end_a_run(
    llama: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(llama, tmp_path / "base")
    change_json(model / "config.json", temperature=0.7, top_k=10, max_length=50)
    load(trained(tmp_path, model).folder)


def test_an_unsavable_generation_config_is_refused(llama: Path, tmp_path: Path) -> None:
    model = shutil.copytree(llama, tmp_path / "base")
    change_json(model / "generation_config.json", num_return_sequences=3)
    refused(tmp_path, model, "Greedy methods")


def test_a_folder_without_weights_is_refused(llama: Path, tmp_path: Path) -> None:
    model = shutil.copytree(llama, tmp_path / "base")
    (model / "model.safetensors").unlink()
    refused(tmp_path, model, "has no weights")


# -- steps, schedules, optimizers -----------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"save_steps": 2},
        {"eval_steps": 2},
        {"save_steps": 4, "eval_steps": 2},
        {"save_steps": 3, "eval_steps": 2, "best": False},
        {"save_steps": 3, "eval_steps": 2, "validation": 0},
        {"early_stopping_patience": 1, "eval_steps": 1},
    ],
)
def test_saves_and_measurements_fit_together(
    changes: dict[str, Any], llama: Path, tmp_path: Path
) -> None:
    trained(tmp_path, llama, **{"best": True, "max_steps": 4, **changes})


def test_eval_steps_and_save_steps_default_to_each_other(llama: Path, tmp_path: Path) -> None:
    done = trained(tmp_path, llama, best=True, max_steps=4, save_steps=2)
    curve = json.loads((done.folder / "curves.json").read_text())["eval_loss"]
    assert [step for step, _ in curve][:2] == [2, 4]


def test_the_best_weights_need_evaluated_checkpoints(llama: Path, tmp_path: Path) -> None:
    said = refused(
        tmp_path,
        llama,
        "not a multiple of eval_steps=2",
        best=True,
        save_steps=3,
        eval_steps=2,
    )
    assert "--set save_steps=4, or --set best=false" in said


def test_patience_needs_held_out_rows(llama: Path, tmp_path: Path) -> None:
    refused(
        tmp_path,
        llama,
        "early_stopping_patience: there are no held-out rows",
        best=True,
        early_stopping_patience=1,
        validation=0,
    )


REFUSED_SCHEDULES = {"cosine_with_min_lr", "cosine_warmup_with_min_lr", "warmup_stable_decay"}


@pytest.mark.parametrize("name", [one.value for one in SchedulerType])
def test_a_schedule_runs_or_is_refused_at_once(name: str, llama: Path, tmp_path: Path) -> None:
    if name in REFUSED_SCHEDULES:
        refused(
            tmp_path, llama, f"lr_scheduler_type: {name} cannot be used", lr_scheduler_type=name
        )
    else:
        trained(tmp_path, llama, lr_scheduler_type=name, max_steps=3)
    if name in {"reduce_lr_on_plateau", "greedy"}:
        refused(
            tmp_path / "unmeasured",
            llama,
            "needs held-out rows",
            lr_scheduler_type=name,
            validation=0,
        )


OPTIMIZERS = {"adamw_torch", "adamw_torch_fused", "adafactor", "sgd", "adagrad", "rmsprop"}
"""Optimizers that need no further package."""
if importlib.util.find_spec("bitsandbytes"):  # the extra qlora; its paged ones need a GPU
    OPTIMIZERS |= {"ademamix", "ademamix_8bit", "adamw_8bit", "adamw_bnb_8bit", "lion_8bit"}
    OPTIMIZERS |= {"lion_32bit", "rmsprop_bnb", "rmsprop_bnb_8bit", "rmsprop_bnb_32bit"}


@pytest.mark.parametrize("name", [one.value for one in OptimizerNames])
def test_an_optimizer_runs_or_is_refused_at_once(name: str, llama: Path, tmp_path: Path) -> None:
    rows, how = short_rows(tmp_path), short_settings(tmp_path, llama, optim=name)
    if name in OPTIMIZERS:
        train(rows, tmp_path / "run", how)
    else:
        why = "pages its states between GPU" if "paged" in name else "cannot be used here"
        with pytest.raises(TrainError, match=f"optim: {name} {why}"):
            plan_training(rows, how)


# -- adapters -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "targets", ["q_proj", "q_proj,v_proj", "q_proj, up_proj", ["q_proj"], ".*_proj", "all-linear"]
)
def test_targets_are_names_or_an_expression(targets: Any, llama: Path, tmp_path: Path) -> None:
    done = trained(tmp_path, llama, method="lora", lora={"targets": targets})
    from safetensors import safe_open

    with safe_open(done.folder / "adapter_model.safetensors", "pt") as weights:
        names = list(weights.keys())
    assert any("q_proj" in name for name in names)
    assert any("k_proj" in name for name in names) == (
        targets in {".*_proj", "all-linear"} if isinstance(targets, str) else False
    )


@pytest.mark.parametrize(
    ("targets", "why"),
    [
        ("q_prj", r"(?s)no module 'q_prj'.*did you mean q_proj"),
        (["q_proj", "w_proj"], r"(?s)no module 'w_proj'.*did you mean"),
        ("query_key_value", "no module 'query_key_value'"),
        ([], "no adapter can be attached"),
        ("(", "no adapter can be attached"),
        (".*nothing.*", "no adapter can be attached"),
        ("norm", "no adapter can be attached"),
    ],
)
def test_wrong_targets_are_refused_before_weights_are_read(
    targets: Any, why: str, llama: Path, tmp_path: Path
) -> None:
    refused(tmp_path, llama, why, method="lora", lora={"targets": targets})


# -- packed rows, planned -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lfm2", "opt", "mamba", "qwen3_5"])
def test_a_plan_counts_the_steps_of_rows_that_are_not_packed(name: str, tmp_path: Path) -> None:
    model = architectures.save_model(name, tmp_path / "base")
    rows, how = (
        short_rows(tmp_path),
        short_settings(tmp_path, model, max_steps=0, num_train_epochs=1),
    )
    plan = plan_training(rows, how)
    assert plan.settings.layout == "grouped"
    assert (plan.rows["lines"], plan.steps) == (20, 10)
    assert any("in a small model of the same configuration" in note for note in plan.notes)


@pytest.mark.parametrize("name", list(architectures.ARCHITECTURES)[::2])
def test_the_twin_of_a_model_decides_as_the_model_does(name: str) -> None:
    from kit19.core.runs import BaseModelEntry
    from kit19.training.model.base import Base
    from kit19.training.model.isolation import why_not_pack_by_config
    from tests.training.test_isolation import MIXING, tokens_of

    model = architectures.make_model(name)
    attention = model.config.get_text_config()._attn_implementation
    base = Base(
        architectures.make_tokenizer(),
        architectures.make_config(name),
        frozenset(),
        BaseModelEntry(name=name),
    )
    how = Settings(attn_implementation=attention)
    why = why_not_pack_by_config(how, base, tokens_of([30, 17, 23, 14]), [[0, 1, 2, 3]])
    assert why is not None
    if architectures.is_as_listed():
        assert bool(why) == (name in MIXING)


def test_a_dry_run_refuses_a_model_that_sees_its_answers(tmp_path: Path) -> None:
    model = architectures.save_model("bert", tmp_path / "base")
    change_json(model / "config.json", is_decoder=False)
    with pytest.raises(TrainError, match="sees the tokens that it should predict"):
        plan_training(short_rows(tmp_path), short_settings(tmp_path, model))
    with pytest.raises(TrainError, match="sees the tokens that it should predict"):
        train(short_rows(tmp_path), tmp_path / "run", short_settings(tmp_path, model))


# -- planned for another machine ------------------------------------------------------------------


def test_a_plan_for_another_machine_ignores_this_machine(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes.functional", None)  # as if it were not installed
    rows = short_rows(tmp_path)
    for changes in ({"method": "qlora"}, {"attn_implementation": "flash_attention_2"}):
        how = short_settings(tmp_path, llama, **changes)
        with pytest.raises(TrainError):
            plan_training(rows, how)
        assert plan_training(rows, how, gpu_memory=8 << 30).need.total > 0


# -- code from the repository ---------------------------------------------------------------------

CODE = """
from transformers import LlamaConfig, LlamaForCausalLM
class OwnConfig(LlamaConfig):
    model_type = "own-llama"
class OwnModel(LlamaForCausalLM):
    config_class = OwnConfig
"""


@pytest.fixture
def own_code(llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model with code in its repository, and a terminal without input."""

    def asked(*_: Any) -> NoReturn:
        raise AssertionError("the terminal was asked")

    monkeypatch.setattr("builtins.input", asked)
    model = shutil.copytree(llama, tmp_path / "base")
    (model / "own.py").write_text(CODE)
    change_json(
        model / "config.json",
        model_type="own-llama",
        architectures=["OwnModel"],
        auto_map={"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"},
    )
    return model


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_model_with_code_of_its_own_is_trained_only_if_it_is_trusted(
    method: str, own_code: Path, tmp_path: Path
) -> None:
    how = short_settings(tmp_path, own_code)
    words = ["train", "--quiet", "--data", str(short_rows(tmp_path)), "--model", str(own_code)]
    words += ["--format", how.format, "--set", "max_length=64", "--set", "max_steps=2"]
    words += ["--set", f"method={method}", "--set", "validation=0"]
    refusal = invoke(*words, "--dry-run")
    assert refusal.code == 1
    assert "runs only if you trust it\n    read it, then add --trust-remote-code" in refusal.err
    run = tmp_path / "run"
    for more in (["--dry-run"], ["--out", str(run)]):
        done = invoke(*words, "--trust-remote-code", *more)
        assert done.code == 0, done.err
    with pytest.raises(TrainError, match="runs only if you trust it"):
        kit19.chat(run)
    talk = kit19.chat(run, trust_remote_code=True, max_new_tokens=2)
    list(talk.send("size of ant"))  # two random tokens may be no complete character
    assert [turn["role"] for turn in talk.messages] == ["user", "assistant"]
    if method == "lora":
        with pytest.raises(TrainError, match="runs only if you trust it"):
            kit19.merge(run, tmp_path / "merged")
        kit19.merge(run, tmp_path / "merged", trust_remote_code=True)
        load(tmp_path / "merged", trust_remote_code=True)
