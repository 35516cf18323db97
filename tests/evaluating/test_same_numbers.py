"""HFLM's numbers: every request's log-likelihood, every answer, every metric."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kit19.core.errors import ModelError
from kit19.evaluating.forward import Forward
from kit19.evaluating.scorer import Kit19LM, Optimizations
from kit19.evaluating.tokens import encode_pairs
from tests.support.effort import tries
from tests.support.harness_runs import ours, run, same, theirs

Models = Callable[..., Path]
CASES = [("neox", "plain"), ("llama", "bos"), ("llama", "merging")]


# Every model without examples and with them, usually with fewer items.
@pytest.mark.parametrize(("family", "kind"), CASES)
@pytest.mark.parametrize("shots", [0, 3])
def test_all_tasks_score_as_hflm_scores_them(
    model_of: Models, family: str, kind: str, shots: int
) -> None:
    folder = model_of(family, kind)
    model = ours(folder)
    assert not model.fallback
    limit = tries(5, 12)
    same(run(model, shots=shots, limit=limit), run(theirs(folder), shots=shots, limit=limit))


@pytest.mark.real
@pytest.mark.parametrize(("shots", "limit"), [(0, tries(25, 60)), (5, tries(5, 12))])
def test_the_real_benchmarks_score_as_hflm_scores_them(
    model_of: Models, real_data: Path, shots: int, limit: int
) -> None:
    folder = model_of("llama", "bos", 2048)
    given: dict[str, Any] = {"shots": shots, "limit": limit, "data_dir": real_data}
    same(run(ours(folder), **given), run(theirs(folder), **given))


def test_the_merging_tokenizer_does_merge_a_choice_with_the_end_of_its_context(
    model_of: Models,
) -> None:
    model = ours(model_of("llama", "merging"))
    apart = [*model.tok_encode("정답:"), *model.tok_encode(" 예")]
    assert model.tok_encode("정답: 예") != apart


@pytest.mark.parametrize(
    "optimizations",
    [
        Optimizations(share_contexts=False),
        Optimizations(cache_prefix=False),
        Optimizations(skip_unused_logits=False),
    ],
    ids=str,
)
def test_each_optimization_changes_no_number(
    model_of: Models, optimizations: Optimizations
) -> None:
    folder = model_of()
    tasks = ["klue_ynat", "kobest_hellaswag"]
    same(
        run(ours(folder, optimizations=optimizations), tasks, limit=15),
        run(ours(folder), tasks, limit=15),
    )


def test_prompts_longer_than_the_window_are_truncated_alike_and_counted(model_of: Models) -> None:
    folder = model_of("neox", "plain", 48)
    tasks = ["kobest_boolq", "kobest_hellaswag", "klue_sts"]
    model = ours(folder)
    same(run(model, tasks, limit=20), run(theirs(folder), tasks, limit=20))
    cut = {one.task for one in model.truncations}
    assert "kobest_boolq" in cut
    for one in model.truncations:
        assert one.tokens > 0


def test_rolling_likelihoods_are_the_same(model_of: Models) -> None:
    from lm_eval.api.instance import Instance

    folder = model_of("llama", "bos", 64)
    texts = ["비가 와서 우산을 챙겼다. " * times for times in (1, 3, 12)]
    requests = [
        Instance(request_type="loglikelihood_rolling", doc={}, arguments=(text,), idx=i)
        for i, text in enumerate(texts)
    ]
    mine, other = (
        model.loglikelihood_rolling(requests, disable_tqdm=True)
        for model in (ours(folder), theirs(folder))
    )
    assert mine == pytest.approx(other, abs=1e-3)


def test_an_empty_context_is_the_first_token(model_of: Models) -> None:
    from lm_eval.api.instance import Instance

    folder = model_of("llama", "bos")
    requests = [
        Instance(request_type="loglikelihood", doc={}, arguments=("", text), idx=i)
        for i, text in enumerate(["예", "<s> 아니오", "긍정적인 글"])
    ]
    mine, other = (
        model.loglikelihood(requests, disable_tqdm=True) for model in (ours(folder), theirs(folder))
    )
    assert [v for v, _ in mine] == pytest.approx([v for v, _ in other], abs=1e-3)


def test_a_model_with_a_sliding_window_is_scored_by_hflm_and_says_so(
    model_of: Models, caplog: pytest.LogCaptureFixture
) -> None:
    folder = model_of("mistral")
    model = ours(folder)
    assert "16 tokens" in model.fallback
    assert "scored by HFLM" in caplog.text
    same(run(model, ["klue_sts"], limit=10), run(theirs(folder), ["klue_sts"], limit=10), 1e-4)


def test_a_model_that_ignores_its_mask_is_detected(
    model_of: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Forward.score

    def blind(self: Forward, batch: Any, prefix: Any) -> Any:
        return real(self, type(batch)(**{**vars(batch), "visible": batch.visible | True}), prefix)

    monkeypatch.setattr(Forward, "score", blind)
    assert "other scores" in ours(model_of()).fallback


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("full"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
)
def test_out_of_memory_halves_the_batches_and_says_so(
    model_of: Models,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: RuntimeError,
) -> None:
    folder = model_of()
    expected = run(ours(folder), ["kobest_copa"], limit=30)
    model = ours(folder, batch_tokens=512)
    real = Forward.score

    def small_machine(self: Forward, batch: Any, prefix: Any) -> Any:
        if batch.tokens.size > 200:
            raise error
        return real(self, batch, prefix)

    monkeypatch.setattr(Forward, "score", small_machine)
    same(run(model, ["kobest_copa"], limit=30), expected)
    assert model.batch_tokens <= 256
    assert "out of memory" in caplog.text


def test_a_prompt_that_never_fits_into_memory_is_an_error(
    model_of: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError("full")

    model = ours(model_of())
    monkeypatch.setattr(Forward, "score", full)
    with pytest.raises(ModelError, match="out of memory on a single prompt"):
        run(model, ["kobest_copa"], limit=3)


def test_a_continuation_without_a_token_of_its_own_is_an_error(model_of: Models) -> None:
    model: Kit19LM = ours(model_of())
    with pytest.raises(ModelError, match="no token of its own"):
        encode_pairs(model, [("정답:", "")])
