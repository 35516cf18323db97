"""Scores are finite, and belong to the current files of the model."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lm_eval.models.huggingface import HFLM
from safetensors.torch import load_file, save_file

from kit19.core.errors import ModelError
from kit19.core.json_text import replace_non_finite, to_json
from kit19.core.runs import BaseModelEntry, DataEntry, RunRecord, read_run
from kit19.drawing.safe_text import json_in_script
from kit19.evaluating.cautions import non_finite_caution
from kit19.evaluating.collect import not_finite
from tests.support.harness_runs import ours, run, theirs
from tests.support.invoking import Outcome, invoke

Models = Callable[..., Path]
LOCAL = Path(__file__).parent / "local_tasks"


def _eval(model: Path, out: Path, *more: str) -> Outcome:
    return invoke("eval", str(model), "--out", str(out), "--device", "cpu", *more)


def _damaged(model: Path, folder: Path, value: float) -> Path:
    """A copy of a model with one weight of its last norm changed, which affects every prediction."""
    shutil.copytree(model, folder)
    weights = load_file(folder / "model.safetensors")
    (name,) = [
        one for one in weights if one in {"gpt_neox.final_layer_norm.weight", "model.norm.weight"}
    ]
    weights[name][3] = value
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.mark.parametrize(
    ("family", "tasks", "named"),
    [
        ("neox", ("--tasks", "kobest_copa", "--sample"), r"kobest_copa, item \d+"),
        ("mistral", ("--tasks", "klue_sts", "--sample"), r"klue_sts, item \d+"),  # HFLM scores it
        (
            "neox",
            ("--tasks", "local_reply", "--include-path", str(LOCAL)),
            r"local_reply, item \d+",
        ),
    ],
    ids=["kit19's scorer", "HFLM", "generation"],
)
def test_nan_weights_stop_the_run(
    model_of: Models, tmp_path: Path, family: str, tasks: tuple[str, ...], named: str
) -> None:
    model = _damaged(model_of(family), tmp_path / "model", math.nan)
    ran = _eval(model, tmp_path / "out", *tasks)
    assert ran.code == 1
    assert re.search(named, ran.err)
    assert "nan" in ran.err.casefold()
    assert "--dtype float32" in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("family", ["neox", "mistral"])
def test_damaged_weights_fail_at_the_first_request(
    model_of: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    model = ours(_damaged(model_of(family), tmp_path / "model", math.nan))
    real, batch_sizes = HFLM._loglikelihood_tokens, []

    def counted(self: HFLM, requests: Any, *more: Any, **options: Any) -> Any:
        batch_sizes.append(len(requests))
        return real(self, requests, *more, **options)

    monkeypatch.setattr(HFLM, "_loglikelihood_tokens", counted)
    with pytest.raises(ModelError, match="klue_sts, item 0: the model gives nan"):
        run(model, ["klue_sts"], limit=8)
    assert batch_sizes == [1]


def test_a_nan_score_is_not_cached(model_of: Models, tmp_path: Path) -> None:
    from kit19.evaluating.score_cache import ScoreCache
    from kit19.evaluating.tree import Request, align, build_rows

    score_cache = ScoreCache(tmp_path, {"model": "x"})
    batch = align(build_rows([Request(0, [1], [2]), Request(1, [1], [3])], []), 0)
    score_cache.put(batch, [], [(-1.0, True), (math.nan, False)])
    assert score_cache.get(batch, []) is None
    score_cache.put(batch, [], [(-1.0, True), (-2.0, False)])
    assert score_cache.get(batch, []) == [(-1.0, True), (-2.0, False)]
    score_cache.close()


values = st.recursive(
    st.floats() | st.text(max_size=5) | st.integers() | st.none() | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
)


@given(values)
def test_json_output_has_no_nan_or_infinity(value: Any) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    for text in (to_json(value), to_json(value, indent=1), json_in_script(value)):
        json.loads(text, parse_constant=refuse)
    assert json.loads(to_json(value)) == replace_non_finite(value)


def test_a_nan_figure_is_null_with_a_caution() -> None:
    results = {"results": {"a": {"acc,none": 0.5, "word_perplexity,none": math.inf, "alias": "a"}}}
    assert list(not_finite(results)) == [("a", "word_perplexity,none")]
    assert non_finite_caution("a", "word_perplexity,none").code == "not_finite"


def test_a_run_with_a_nan_loss_stays_readable(tmp_path: Path) -> None:
    record = RunRecord(
        kit19_version="0",
        versions={},
        base=BaseModelEntry(name="base"),
        data=DataEntry(label="clean"),
        method="full",
        format={},
        seed=0,
        settings={},
        rows={},
        metrics={"loss": math.nan, "eval_loss": 2.5},
    )
    (tmp_path / "run.json").write_text(record.to_json(), encoding="utf-8")
    assert json.loads(record.to_json())["metrics"] == {"loss": None, "eval_loss": 2.5}
    read = read_run(tmp_path)
    assert read is not None
    assert math.isnan(read.metrics["loss"])


CODE = """
from transformers import LlamaForCausalLM


class OwnForCausalLM(LlamaForCausalLM):
    def forward(self, *args, **kwargs):
        found = super().forward(*args, **kwargs)
        found.logits = found.logits * {scale}
        return found
"""


def test_scores_of_edited_code_are_computed_again(
    model_of: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "code")
    )
    model = shutil.copytree(model_of("llama", "bos"), tmp_path / "own_code")
    config = json.loads((model / "config.json").read_text("utf-8"))
    config["auto_map"] = {"AutoModelForCausalLM": "own.OwnForCausalLM"}
    (model / "config.json").write_text(json.dumps(config), encoding="utf-8")
    found = []
    for scale in ("1.0", "0.5"):
        (model / "own.py").write_text(CODE.replace("{scale}", scale), encoding="utf-8")
        out = tmp_path / scale
        given = ("--tasks", "kobest_copa", "--sample", "--limit", "4", "--trust-remote-code")
        ran = _eval(model, out, *given)
        assert ran.code == 0, ran.err
        document = json.loads((out / "results.json").read_text("utf-8"))
        text = (out / "samples_kobest_copa.jsonl").read_text("utf-8")
        found.append((document["kit19"]["model"]["digest"], json.loads(text.splitlines()[0])))
    assert found[0][0] != found[1][0]
    assert found[0][1]["loglikelihoods"] != found[1][1]["loglikelihoods"]


@pytest.mark.parametrize("family", ["neox", "mistral"])
def test_truncated_prompts_are_counted_with_both_scorers(
    model_of: Models, tmp_path: Path, family: str
) -> None:
    given = ("--tasks", "kobest_boolq", "--sample", "--limit", "8")
    ran = _eval(model_of(family, "plain", 48), tmp_path / "out", *given)
    assert ran.code == 0, ran.err
    document = json.loads((tmp_path / "out/results.json").read_text("utf-8"))
    entry = document["kit19"]["tasks"]["kobest_boolq"]
    assert (entry["truncated"], entry["tokens_cut"] > entry["truncated"]) == (8, True)
    codes = {one["code"] for one in document["kit19"]["cautions"]}
    assert "truncated" in codes
    assert ("scored_by_hflm" in codes) == (family == "mistral")


@pytest.mark.parametrize("how", [(), ("--format", "instruction", "--prompt-format", "koalpaca")])
def test_truncated_prompts_of_generation_are_counted(
    model_of: Models, tmp_path: Path, how: tuple[str, ...]
) -> None:
    given = ("--tasks", "local_reply", "--include-path", str(LOCAL), *how)
    counts = []
    for window in (1024, 12):
        ran = _eval(model_of("neox", "plain", window), tmp_path / str(window), *given)
        assert ran.code == 0, ran.err
        document = json.loads((tmp_path / str(window) / "results.json").read_text("utf-8"))
        counts.append(document["kit19"]["tasks"]["local_reply"]["truncated"])
    assert counts == [0, 6]


def test_hflm_s_refusal_of_thinking_is_ours(model_of: Models) -> None:
    messages = []
    for make in (ours, theirs):
        model = make(model_of(), enable_thinking=True, think_end_token="</think>")
        with pytest.raises(ValueError, match="not compatible with loglikelihood") as error:
            run(model, ["kobest_copa"], limit=2)
        messages.append(str(error.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("added", [0, 5])
@pytest.mark.parametrize(
    "rounded", [False, True], ids=["as many rows as tokens", "rows rounded up"]
)
def test_an_adapter_s_own_tokenizer_and_template_are_used(
    model_of: Models, tmp_path: Path, added: int, rounded: bool
) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = model_of("llama", "bos")
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_special_tokens(
        {"additional_special_tokens": [f"<|new{n}|>" for n in range(added)]}
    )
    tokenizer.chat_template = (
        "{% for m in messages %}<|new0|>{{ m['content'] }}\n답:{% endfor %}"
        if added
        else "{% for m in messages %}[{{ m['content'] }}]{% endfor %}"
    )
    model = AutoModelForCausalLM.from_pretrained(base)
    torch.manual_seed(1)
    rows = len(tokenizer) + (64 if rounded else 0)
    if rows != len(model.get_input_embeddings().weight):
        model.resize_token_embeddings(rows, mean_resizing=False)
    kept = ["embed_tokens", "lm_head"] if added or rounded else None
    lora = LoraConfig(r=4, target_modules=["q_proj"], modules_to_save=kept, init_lora_weights=False)
    adapter = get_peft_model(model, lora)
    adapter.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)  # in modules_to_save
    tokenizer.save_pretrained(tmp_path / "adapter")
    merged = adapter.merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    tokenizer.save_pretrained(tmp_path / "merged")
    lines = []
    placed: tuple[Any, ...] = (base, "--peft", str(tmp_path / "adapter"))
    for name, (folder, *more) in {"adapted": placed, "whole": (tmp_path / "merged",)}.items():
        batch_sizes = ("--tasks", "kobest_copa", "--sample", "--limit", "4", "--format", "chat")
        ran = _eval(folder, tmp_path / name, *more, *batch_sizes, "--dtype", "float32")
        assert ran.code == 0, ran.err
        text = (tmp_path / name / "samples_kobest_copa.jsonl").read_text("utf-8")
        lines.append([json.loads(line) for line in text.splitlines()])
    for one, two in zip(*lines, strict=True):
        assert one["prompt"] == two["prompt"]
        assert one["loglikelihoods"] == pytest.approx(two["loglikelihoods"], abs=1e-3)
    assert lines[0][0]["prompt"].startswith("<|new0|>" if added else "[")


def test_an_adapter_that_does_not_fit_is_an_error(model_of: Models, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    base = model_of("llama", "bos")
    config = AutoConfig.from_pretrained(base, hidden_size=96, intermediate_size=192)
    other = AutoModelForCausalLM.from_config(config)
    lora = LoraConfig(r=4, target_modules=["q_proj"])
    get_peft_model(other, lora).save_pretrained(tmp_path / "adapter")
    ran = _eval(base, tmp_path / "out", "--peft", str(tmp_path / "adapter"), "--sample")
    assert ran.code == 1
    assert "size mismatch" in ran.err
    assert "q_proj" in ran.err
    assert "Traceback" not in ran.err
