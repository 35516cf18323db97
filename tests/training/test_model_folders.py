"""Model folders that are broken or hostile end in an error that names the file and the reason."""

from __future__ import annotations

import json
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit19 import Kit19Error, TrainError, chat, load_preset, plan_training, train
from kit19.evaluating.pipeline import evaluate
from kit19.evaluating.resolve import find_scored_model
from kit19.training.rows.chat_template import render
from tests.support.small_models import SAVE, settings

Change = Callable[[Path], object]
TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}{% endfor %}"


@pytest.fixture(scope="module")
def good(tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SAVE["llama"](tokenizer, tmp_path_factory.mktemp("good") / "model")


def key(file: str, **changes: Any) -> Change:
    def change(folder: Path) -> None:
        document = json.loads((folder / file).read_text()) | changes
        (folder / file).write_text(json.dumps(document))

    return change


def content(file: str, data: bytes) -> Change:
    return lambda folder: (folder / file).write_bytes(data)


def cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def without(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


CONFIG, TOKENIZER, OPTIONS = "config.json", "tokenizer.json", "tokenizer_config.json"
GENERATION, WEIGHTS = "generation_config.json", "model.safetensors"

BROKEN: dict[str, tuple[Change, str]] = {
    "no heads": (key(CONFIG, num_attention_heads=0), r"config.json: `num_attention_heads` is 0"),
    "no shared heads": (key(CONFIG, num_key_value_heads=0), "`num_key_value_heads` is 0"),
    "a text for a number": (key(CONFIG, hidden_size="32"), "`hidden_size` is '32', not an integer"),
    "a billion layers": (key(CONFIG, num_hidden_layers=10**9), "must be from 1 to 2,000"),
    "fewer than no layers": (key(CONFIG, num_hidden_layers=-1), "`num_hidden_layers` is -1"),
    "a number of 5,000 digits": (content(CONFIG, b'{"a": ' + b"9" * 5000 + b"}"), "config.json"),
    "no window": (key(CONFIG, max_position_embeddings=None), "'max_position_embeddings'"),
    "a window in words": (key(CONFIG, max_position_embeddings="512"), "max_position_embeddings"),
    "an unknown activation": (key(CONFIG, hidden_act="nope"), "'nope'"),
    "an unknown type": (key(CONFIG, model_type="nope"), "config.json.*model type `nope`"),
    "a type that is a list": (key(CONFIG, model_type=["llama"]), r"config.json.*unhashable"),
    "positions half said": (key(CONFIG, rope_parameters={"rope_type": "yarn"}), "factor"),
    "an unknown precision": (key(CONFIG, dtype="float99"), "float99"),
    "an end that is a text": (key(CONFIG, eos_token_id=["a"]), "config.json: `eos_token_id` is"),
    "a config that is a list": (content(CONFIG, b"[]"), "config.json: is a list and not a mapping"),
    "a config that is cut": (content(CONFIG, b"{"), "config.json: is not valid JSON"),
    "a config in another code": (content(CONFIG, b"\xff\xfe"), "config.json: is not UTF-8 text"),
    "a config 5,000 deep": (content(CONFIG, b'{"a":' * 5000 + b"1" + b"}" * 5000), "recursion"),
    "ends in words": (key(GENERATION, eos_token_id="x"), "generation_config.json: `eos_token_id`"),
    "ends that are a mapping": (key(GENERATION, eos_token_id={"a": 1}), "`eos_token_id` is"),
    "a tokenizer that is a list": (content(TOKENIZER, b"[1]"), "tokenizer.json: is a list"),
    "a tokenizer of nothing": (content(TOKENIZER, b"{}"), "its tokenizer: KeyError"),
    "a tokenizer without a model": (key(TOKENIZER, model=None), "its tokenizer: .*ModelUntagged"),
    "a token below 0": (key(TOKENIZER, added_tokens=[{"id": -1, "content": "x"}]), "integer `-1`"),
    "options that are a list": (content(OPTIONS, b"[]"), "tokenizer_config.json: is a list"),
    "an end that is a number": (key(OPTIONS, eos_token=3), "its tokenizer: .*eos_token"),
    "no end": (key(OPTIONS, eos_token=None), "has no end-of-sequence token"),
    "a class that is a number": (key(OPTIONS, tokenizer_class=3), "its tokenizer: "),
    "weights that are cut": (cut, "model.safetensors: is truncated: its tensors end at byte"),
    "weights of a broken header": (
        content(WEIGHTS, struct.pack("<Q", 20) + b"x" * 2000),
        "model.safetensors: has a header that cannot be read",
    ),
    "weights that are a pickle": (
        content(WEIGHTS, pickle.dumps({"a": 1})),
        "model.safetensors: is a torch pickle",
    ),
    "empty weights": (content(WEIGHTS, b""), "model.safetensors: is truncated"),
    "a layer without weights": (
        key(CONFIG, num_hidden_layers=3),
        r"it has no weights for model.layers.2.input_layernorm.weight, .* and 6 more; they would be r",
    ),
    "no weights at all": (content(WEIGHTS, struct.pack("<Q", 2) + b"{}"), "it has no weights for"),
    "weights of another shape": (
        key(CONFIG, num_key_value_heads=1),
        "k_proj.weight is 32 × 32, but 16 × 32 by config.json",
    ),
}


def broken(good: Path, folder: Path, change: Change) -> Path:
    shutil.copytree(good, folder)
    change(folder)
    return folder


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_model_is_refused_before_training_and_chat(
    fault: str, good: Path, data: Path, tmp_path: Path
) -> None:
    change, told = BROKEN[fault]
    folder = broken(good, tmp_path / "model", change)
    with pytest.raises(Kit19Error, match=f"(?s){told}"):
        plan_training(data, settings(folder, validation=0))
    with pytest.raises(Kit19Error):
        chat(folder)


@pytest.mark.parametrize("fault", ["a layer without weights", "no weights at all", "no heads"])
def test_no_random_weights_are_scored(
    fault: str, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    change, told = BROKEN[fault]
    folder = broken(good, tmp_path / "model", change)
    given: dict[str, Any] = {"tasks": "klue_sts", "data_dir": "sample", "device": "cpu"}
    with pytest.raises(Kit19Error, match=told):
        evaluate(folder, tmp_path / "results", **given)
    assert not (tmp_path / "results").exists()


def test_missing_weights_are_reported(good: Path, data: Path, tmp_path: Path) -> None:
    folder = broken(good, tmp_path / "model", without)
    for load in (
        lambda: train(data, tmp_path / "run", settings(folder)),
        lambda: chat(folder),
    ):
        with pytest.raises(
            TrainError,
            match=r"has no weights \(model\.safetensors\)|no file named model\.safetensors",
        ):
            load()
    (folder / "model.safetensors.index.json").write_text(
        '{"weight_map": {"a": "gone.safetensors"}}'
    )
    with pytest.raises(TrainError, match="gone"):
        train(data, tmp_path / "run", settings(folder))
    with pytest.raises(Kit19Error):
        find_scored_model(str(folder))


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{{ raise_exception('no system') }}", "TemplateError: no system"),
        ("{% for m in messages %}", "TemplateSyntaxError: Unexpected end of template"),
        ("{{ messages[0].nothing.at_all }}", "UndefinedError"),
        ("{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}", "RecursionError"),
        ("{{ ''.__class__.__mro__ }}", "SecurityError"),
        ("{{ 'x' * 20000000 }}", "it writes 20,000,000 characters"),
        (
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "more than 3 seconds of CPU time",
        ),
        ("{{ (10 ** (10 ** 9)) % 7 }}", "more than 3 seconds of CPU time"),
    ],
)
def test_a_template_has_little_time_and_room(
    template: str, told: str, good: Path, data: Path, tmp_path: Path
) -> None:
    folder = broken(good, tmp_path / "model", content("chat_template.jinja", template.encode()))
    with pytest.raises(TrainError, match=f"(?s)model: its chat template cannot be used: .*{told}"):
        plan_training(data, settings(folder, format="chat", validation=0))
    plan_training(data, settings(folder, format="koalpaca", validation=0))  # it needs none


@pytest.mark.skipif("sys.platform != 'linux'", reason="macOS does not limit a process's memory")
def test_a_template_that_fills_the_memory_is_stopped(tokenizer: Any) -> None:
    # By large factors: each step copies what is there, which takes CPU time, and that is limited too.
    grows = "{% for i in range(40) %}{% set n.x = n.x * 64 %}{% endfor %}{{ n.x }}"
    for template in ("{{ 'x' * 10 ** 11 }}", "{% set n = namespace(x='xxxxxxxxxx') %}" + grows):
        with pytest.raises(TrainError, match="MemoryError"):
            render(templated(tokenizer, template), [{"role": "user", "content": "네"}])


def templated(tokenizer: Any, template: str) -> Any:
    from copy import deepcopy

    own = deepcopy(tokenizer)
    own.chat_template = template
    return own


@pytest.mark.parametrize("how", [{}, {"add_generation_prompt": True}])
def test_a_template_writes_what_transformers_writes(how: dict[str, bool], tokenizer: Any) -> None:
    own = templated(tokenizer, TEMPLATE + "{% if add_generation_prompt %}<|assistant|>{% endif %}")
    turns = [
        {"role": "system", "content": '  줄\n\n바꿈 \u2028 😀 \\ " \x00'},
        {"role": "user", "content": "\ud800"},
    ]
    assert render(own, turns, **how) == own.apply_chat_template(turns, tokenize=False, **how)


@pytest.mark.parametrize(
    "changes",
    [
        {"tiny": {"layers": 10**6}},
        {"tiny": {"hidden": 10**9, "heads": 1}},
        {"tiny": {"vocabulary": 10**12}},
        {"max_steps": 10**30},
        {"num_train_epochs": 1e300},
        {"num_train_epochs": float("inf")},
        {"per_device_train_batch_size": 10**18},
        {"max_length": 10**18},
        {"gradient_accumulation_steps": 10**18},
        {"learning_rate": float("nan")},
        {"threads": 10**9},
        {"seed": 2**70},
        {"lora": {"rank": 10**12}},
    ],
)
def test_unreasonable_settings_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Kit19Error, match=next(iter(changes))):
        load_preset("", changes)
