"""The cross-check with HFLM: which requests, the tolerance, and the fallback on a mismatch."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from transformers import LlamaForCausalLM

from kit19.core.errors import ModelError
from kit19.evaluating.crosscheck import Tolerance, noise_per_token, requests_to_check
from kit19.evaluating.forward import Forward
from kit19.evaluating.pipeline import evaluate
from kit19.evaluating.score_cache import ScoreCache
from kit19.evaluating.scorer import Kit19LM
from kit19.evaluating.tree import Request, build_rows, make_batches
from tests.support.architectures import LENGTH, make_config, make_model, make_tokenizer, save_model
from tests.support.harness_runs import ours, run, same, theirs

Models = Callable[..., Path]
FINE = Tolerance("float32", 1.2e-7, 4e-6)
COARSE = Tolerance("bfloat16", 2**-7, 0.02)
SHORT, LONG = 20, 80


class Forgetful(LlamaForCausalLM):  # type: ignore[misc]
    """Attends to the last tokens only, without a sign of it in its configuration.

    As models with sliding windows do, it leaves an attention mask with branches as it is.
    """

    window = 60

    def forward(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        position_ids: Any = None,
        **given: Any,
    ) -> Any:
        if attention_mask is None:
            seen = torch.ones(input_ids.shape[1], input_ids.shape[1]).tril()
            seen = (seen - seen.tril(-self.window)).bool()
            lowest = torch.finfo(self.dtype).min
            attention_mask = torch.zeros(seen.shape, dtype=self.dtype).masked_fill(~seen, lowest)
            attention_mask = attention_mask.expand(len(input_ids), 1, -1, -1)
        return super().forward(input_ids, attention_mask, position_ids, **given)


class Small(LlamaForCausalLM):  # type: ignore[misc]
    """Accepts rows up to its window only, as models with tables by place do."""

    def forward(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        position_ids: Any = None,
        **given: Any,
    ) -> Any:
        if input_ids.shape[1] > LENGTH:
            raise RuntimeError("The expanded size of the tensor must match the existing size")
        return super().forward(input_ids, attention_mask, position_ids, **given)


def _model(kind: type[Any], dtype: torch.dtype = torch.float32) -> Any:
    like = make_model("llama")
    model = kind(make_config("llama")).eval()
    model.load_state_dict(like.state_dict())
    return model.to(dtype)


def _scorers(model: Any) -> tuple[Kit19LM, HFLM]:
    given = {"pretrained": model, "tokenizer": make_tokenizer()}
    return Kit19LM(**given), HFLM(**given)


def _requests(
    length: int, task: str, items: int = 12, choices: tuple[str, ...] = (" x", " y z", " xyz")
) -> list[Instance]:
    draw = np.random.default_rng(length)
    requests = []
    for item in range(items):
        prompt = "".join(draw.choice(list("abcdefgh"), length - item % 3))
        for choice in choices:
            args: dict[str, Any] = {"doc": {}, "arguments": (prompt, choice), "idx": 0}
            requests.append(
                Instance(request_type="loglikelihood", metadata=(task, item, 1), **args)
            )
    return requests


def _values(model: Any, requests: list[Instance]) -> list[float]:
    return [value for value, _ in model.loglikelihood(requests, disable_tqdm=True)]


def test_a_length_dependent_mismatch_is_found_at_that_length_only() -> None:
    mine, other = _scorers(_model(Forgetful))
    assert not mine.fallback
    requests = _requests(SHORT, "short") + _requests(LONG, "long")
    assert _values(mine, requests) == pytest.approx(_values(other, requests), abs=1e-3)
    assert list(mine.fallbacks) == ["long"]
    assert "other scores" in mine.fallbacks["long"]


def test_one_long_prompt_among_short_ones_is_enough() -> None:
    mine, other = _scorers(_model(Forgetful))
    requests = _requests(SHORT, "mixed", items=60)
    requests[90:93] = _requests(LONG, "mixed", items=1)
    assert _values(mine, requests) == _values(other, requests)
    assert "other scores" in mine.fallbacks["mixed"]


def test_a_small_difference_is_found_in_half_precision_too() -> None:
    mine, other = _scorers(_model(Forgetful, torch.bfloat16))
    requests = _requests(LONG, "long")
    assert _values(mine, requests) == _values(other, requests)
    assert "other scores" in mine.fallbacks["long"]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_alone_causes_no_fallback(dtype: torch.dtype) -> None:
    mine, other = _scorers(make_model("llama").to(dtype))
    _, exact = _scorers(make_model("llama"))
    requests = _requests(SHORT, "short") + _requests(LONG, "long")
    found, expected = _values(mine, requests), np.array(_values(exact, requests))
    assert not mine.fallback
    assert not mine.fallbacks
    off, off_of_hflm = (np.abs(np.array(v) - expected) for v in (found, _values(other, requests)))
    assert off.max() <= 0.3
    assert off.mean() < off_of_hflm.mean()  # its softmax is in the model's dtype


@pytest.mark.parametrize("name", ["xlm-roberta", "camembert", "gpt_neo", "phi3-longrope"])
def test_models_that_half_precision_once_hid_are_scored_by_hflm(name: str) -> None:
    mine, other = _scorers(make_model(name).to(torch.bfloat16))
    requests = _requests(50, "fifty")
    assert _values(mine, requests) == _values(other, requests)
    assert mine.fallbacks["fifty"]


def test_branches_beyond_the_window_get_separate_rows() -> None:
    mine, other = _scorers(_model(Small))
    choices = tuple(f" {letter}{letter}{letter}{letter}" for letter in "stuvwxyz")
    requests = _requests(LENGTH - 6, "edge", choices=choices)
    assert _values(mine, requests) == pytest.approx(_values(other, requests), abs=1e-3)
    assert not mine.fallbacks


def test_a_batch_that_fails_leaves_its_task_to_hflm(
    model_of: Models, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = model_of()
    model = ours(folder, batch_size=8)  # as `theirs`: the batch size changes the rounding
    real = Forward.score

    def broken(self: Forward, batch: Any, prefix: Any) -> Any:
        if len(batch.requests) < 20:  # a later batch, when others were scored
            raise RuntimeError("shapes differ")
        return real(self, batch, prefix)

    monkeypatch.setattr(Forward, "score", broken)
    tasks = ["kobest_copa"]
    assert same(run(model, tasks, limit=30), run(theirs(folder), tasks, limit=30)) == 0.0
    assert model.fallbacks == {"kobest_copa": "the fast path fails (RuntimeError: shapes differ)"}
    assert "kobest_copa is scored by HFLM" in caplog.text


def test_ctrl_c_causes_no_fallback(model_of: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any) -> Any:
        raise KeyboardInterrupt

    model = ours(model_of())
    monkeypatch.setattr(Forward, "score", stop)
    with pytest.raises(KeyboardInterrupt):
        run(model, ["kobest_copa"], limit=3)


def test_a_task_that_hflm_cannot_score_is_an_error_naming_it() -> None:
    mine, _ = _scorers(make_model("mpt"))
    mine.fallback = mine.fallback or "not fast"
    with pytest.raises(ModelError, match="far: cannot be scored by HFLM: RuntimeError"):
        mine.loglikelihood(_requests(LENGTH + 20, "far"), disable_tqdm=True)


def test_a_window_of_two_tokens_is_scored() -> None:
    given = {"pretrained": make_model("llama"), "tokenizer": make_tokenizer(), "max_length": 2}
    mine, other = Kit19LM(**given), HFLM(**given)
    requests = _requests(SHORT, "short", choices=("x", "y"))
    assert _values(mine, requests) == pytest.approx(_values(other, requests), abs=1e-3)
    assert not mine.fallback
    with pytest.raises(ModelError, match="does not fit a window of 2"):
        mine.loglikelihood(_requests(SHORT, "short", choices=("xyz",)), disable_tqdm=True)


def test_cached_batches_are_never_mixed_with_hflm_s_scores(tmp_path: Path) -> None:
    mine, other = _scorers(_model(Forgetful))
    requests = _requests(SHORT, "short") + _requests(LONG, "long")
    expected = _values(other, requests)
    for _ in range(2):  # the second time, the fast path's scores of "long" are cached
        mine.score_cache = ScoreCache(tmp_path, {})
        found = _values(mine, requests)
        mine.score_cache.close()
        assert found[-36:] == expected[-36:]
        assert found == pytest.approx(expected, abs=1e-3)
        assert list(mine.fallbacks) == ["long"]


def test_the_results_say_which_task_hflm_scored_and_why(tmp_path: Path) -> None:
    folder = save_model("llama-longrope", tmp_path / "model")
    options: dict[str, Any] = {"data_dir": "sample", "limit": 4, "dtype": "float32"}
    found = evaluate(folder, tmp_path / "out", tasks="kobest_copa", **options).record
    assert "its RoPE changes at 40 tokens" in found.fallbacks["kobest_copa"]
    (caution,) = [one for one in found.cautions if one.code == "scored_by_hflm"]
    assert caution.task == "kobest_copa"
    written = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))
    assert written["kit19"]["fallbacks"] == found.fallbacks


def test_a_model_that_cannot_branch_at_all_is_loaded_and_scored(tmp_path: Path) -> None:
    folder = save_model("openai-gpt", tmp_path / "model")
    options: dict[str, Any] = {"data_dir": "sample", "limit": 4, "dtype": "float32"}
    found = evaluate(folder, tmp_path / "out", tasks="kobest_copa", **options).record
    assert "cannot be run on rows with branches" in found.fallbacks["kobest_copa"]


pairs = st.lists(
    st.tuples(st.integers(1, 30), st.lists(st.integers(0, 3), min_size=1, max_size=6)),
    min_size=1,
    max_size=40,
)


@given(pairs, st.integers(20, 200))
def test_the_longest_and_the_widest_row_are_always_cross_checked(
    sizes: list[tuple[int, list[int]]], tokens: int
) -> None:
    requests = [Request(i, [9] * size, rest) for i, (size, rest) in enumerate(sizes)]
    batches = make_batches(build_rows(requests, []), tokens, tokens)
    chosen = requests_to_check(batches)
    assert chosen == requests_to_check(batches)
    assert chosen == sorted(set(chosen))
    assert len(chosen) <= 9
    rows = [row for batch in batches for row in batch]
    proved = [row for row in rows if {i for i, _ in row.requests} & set(chosen)]
    assert max(row.length for row in rows) == max(row.length for row in proved)
    assert max(row.predictions for row in rows) == max(row.predictions for row in proved)


@given(st.integers(1, 500), st.floats(0, 1), st.floats(0, 1))
def test_the_tolerance_never_exceeds_a_thousandth_in_full_precision(
    tokens: int, noise: float, here: float
) -> None:
    tolerance = Tolerance("float32", 1.2e-7, noise)
    assert 0 < tolerance.limit(tokens, here) <= 1e-3
    assert tolerance.limit(tokens) <= tolerance.limit(tokens, here)


@given(st.floats(0.1, 5))
def test_noise_on_one_task_widens_the_limit_to_some_extent_only(noise: float) -> None:
    usual = COARSE.limit(1)
    assert usual < 0.1
    assert COARSE.limit(1, noise) <= 5 * usual


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_are_never_within_the_limit(value: float) -> None:
    assert FINE.mismatch([1, 1], [value, 0.0], [value, 0.0])
    assert COARSE.mismatch([1, 1], [0.0, value], [0.0, 1.0])


def test_noise_is_per_token() -> None:
    assert noise_per_token([4, 1], [1.0, 1.0], [1.0, 1.0]) == 0
    assert noise_per_token([4, 1], [1.0, 1.0], [1.6, 1.1]) == pytest.approx(0.3)
    assert noise_per_token([], [], []) == 0
