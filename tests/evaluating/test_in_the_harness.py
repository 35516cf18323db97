"""kit19's tasks and model type in the harness's command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from lm_eval.__main__ import cli_evaluate
from lm_eval.api.model import LM

from kit19.evaluating import TASKS
from kit19.evaluating.cautions import answer_cautions
from kit19.evaluating.collect import to_samples
from tests.support.harness_runs import manager, run
from tests.support.invoking import invoke


def _run_harness(arguments: list[str]) -> None:
    with patch("sys.argv", ["lm_eval", *arguments]):
        cli_evaluate()


def _run_ours(arguments: list[str]) -> None:
    ran = invoke("lm-eval", *arguments)
    assert ran.code == 0, ran.err[-2000:]


@pytest.mark.real
def test_the_harness_s_own_command_and_ours_give_the_same_figures(
    model_of: Callable[..., Path],
    tmp_path: Path,
    real_data: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KIT19_DATA_DIR", str(real_data))
    given = ["--model_args", f"pretrained={model_of()},dtype=float32"]
    given += ["--tasks", "klue_sts,kobest_copa", "--limit", "8", "--device", "cpu"]
    figures = []
    for name, run_command, model in (
        ("a", _run_harness, ["--model", "hf", "--include_path", str(TASKS)]),
        ("b", _run_ours, ["--model", "kit19"]),
    ):
        run_command([*model, *given, "--output_path", str(tmp_path / name)])
        (path,) = (tmp_path / name).rglob("results_*.json")
        found = json.loads(path.read_text("utf-8"))["results"]
        figures.append(
            {
                task: {
                    k: round(v, 4) for k, v in one.items() if k.endswith(",none") and "std" not in k
                }
                for task, one in found.items()
            }
        )
    assert figures[0] == figures[1]
    assert set(figures[0]) == {"klue_sts", "kobest_copa"}


class Always(LM):  # type: ignore[misc]
    """Predicts the same choice for all items, or for all but a few."""

    def __init__(self, choice: int, other: int = 0) -> None:
        super().__init__()
        self._choice, self._other = choice, other

    def loglikelihood(self, requests: list[Any], **_: Any) -> list[tuple[float, bool]]:
        return [
            (0.0 if (one.idx == self._choice) != (one.doc_id < self._other) else -1.0, False)
            for one in requests
        ]

    def loglikelihood_rolling(self, *_: Any, **__: Any) -> list[float]:
        raise AssertionError("not called here")

    def generate_until(self, *_: Any, **__: Any) -> list[str]:
        raise AssertionError("not called here")


@pytest.mark.real
@pytest.mark.parametrize(
    ("task", "choice", "accuracy", "f1"),
    [("klue_sts", 1, 42.39, 59.54), ("kobest_sentineg", 1, 50.38, 33.50)],
)
def test_constant_predictors_give_the_paper_s_scores_and_a_caution(
    real_data: Path, task: str, choice: int, accuracy: float, f1: float
) -> None:
    results = run(Always(choice), [task], data_dir=real_data)
    found = results["results"][task]
    assert round(100 * found["acc,none"], 2) == accuracy
    assert round(100 * found["f1,none"], 2) == f1
    loaded = manager(real_data).load([task])["tasks"][task]
    samples = to_samples(loaded, results["samples"][task])
    codes = {caution.code for caution in answer_cautions(task, samples)}
    assert "constant" in codes


@pytest.mark.real
def test_a_nearly_constant_predictor_is_a_caution(real_data: Path) -> None:
    results = run(Always(0, other=2), ["kobest_sentineg"], data_dir=real_data)
    loaded = manager(real_data).load(["kobest_sentineg"])["tasks"]["kobest_sentineg"]
    samples = to_samples(loaded, results["samples"]["kobest_sentineg"])
    codes = {caution.code for caution in answer_cautions("kobest_sentineg", samples)}
    assert "near_constant" in codes
    assert "constant" not in codes
