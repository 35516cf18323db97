"""Examples as turns of a conversation: the prompts and numbers of the harness, for models and runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval", reason="kit19[eval] is not installed")

from kit19 import evaluate, train
from tests.support.harness_runs import run, theirs
from tests.support.prompt_tokenizers import CHATML, LLAMA, byte_level
from tests.support.small_models import rows, save_llama, settings, write_rows

TASK = "kobest_sentineg"
SYSTEM = "긍정이나 부정으로 답하세요."


@pytest.mark.parametrize(("template", "trained"), [(CHATML, True), (LLAMA, False)])
def test_examples_as_turns_have_the_prompts_and_numbers_of_the_harness(
    template: str, trained: bool, tmp_path: Path
) -> None:
    folder = save_llama(byte_level("<|im_end|>", template), tmp_path / "base")
    if trained:
        data = write_rows(tmp_path / "rows.jsonl", rows(8))
        given: dict[str, Any] = {"format": "chat", "max_length": 512, "allow": ["byte_tokens"]}
        how = settings(folder, **given, max_steps=1, validation=0)
        folder = train(data, tmp_path / "run", how).folder
    shown: dict[str, Any] = {"shots": 2, "system": SYSTEM, "limit": 4, "data_dir": "sample"}
    evaluate(
        folder, tmp_path / "out", tasks=TASK, format="chat", device="cpu", dtype="float32", **shown
    )
    lines = (tmp_path / "out" / f"samples_{TASK}.jsonl").read_text("utf-8").splitlines()
    ours = [json.loads(line) for line in lines]
    found = run(
        theirs(folder),
        [TASK],
        shots=2,
        limit=4,
        apply_chat_template=True,
        fewshot_as_multiturn=True,
        system_instruction=SYSTEM,
    )
    other = found["samples"][TASK]
    assert len(ours) == len(other) == 4
    for one, two in zip(ours, other, strict=True):
        prompt = two["arguments"][0][0]
        assert one["prompt"] == prompt
        assert prompt.count("<|im_start|>assistant") == 3
        assert prompt.index(SYSTEM) < prompt.index("<|im_start|>user")
        scores = [float(score) for score, _ in two["filtered_resps"]]
        # HFLM counts the line break at the end of a prompt as a part of each choice; a run's prompts
        # are those of training. So all choices of a run differ by the same amount.
        off = one["loglikelihoods"][0] - scores[0] if trained else 0.0
        assert one["loglikelihoods"] == pytest.approx([s + off for s in scores], abs=1e-3)
