"""Generated answers: those of HFLM for each prompt alone, whatever is next to it in a batch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from transformers import AutoModelForCausalLM, GenerationConfig

from kit19.core.errors import ModelError
from kit19.evaluating import generation
from kit19.evaluating.greedy import GreedyDecoder, KeyValues, StopTexts
from kit19.evaluating.score_cache import ScoreCache
from kit19.evaluating.scorer import Kit19LM
from tests.support.architectures import make_model, make_tokenizer
from tests.support.harness_runs import ours, theirs
from tests.support.invoking import invoke

Models = Callable[..., Path]
LOCAL = Path(__file__).parent / "local_tasks"
_STATES = "keeps states between tokens"
# Absolute positions, ALiBi, windows, experts, positions after a padding id; and what HFLM generates.
ARCHITECTURES = {
    "gpt2": "",
    "opt": "",
    "bloom": "",
    "mpt": "",
    "mistral": "",
    "gemma3": "",
    "gpt_oss": "",
    "roberta": "",
    "deepseek_v3": "",
    "llama-dynamic": "its RoPE changes at 40 tokens",
    "qwen3_next": _STATES,
    "openai-gpt": "keeps no keys and values",
}


def _requests(prompts: list[str], task: str = "a_task", **settings: Any) -> list[Instance]:
    given = {"until": ["\n"], "max_gen_toks": 8} | settings
    return [
        Instance(
            request_type="generate_until",
            doc={},
            arguments=(prompt, dict(given)),
            idx=0,
            metadata=(task, number, 1),
        )
        for number, prompt in enumerate(prompts)
    ]


def _alone(model: HFLM, requests: list[Instance]) -> list[str]:
    model.batch_size_per_gpu = 1
    texts: list[str] = model.generate_until(requests, disable_tqdm=True)
    return texts


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_answers_of_a_batch_are_those_of_single_prompts(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(generation.MAX_ROWS, "cpu", 3)  # rows leave and others enter
    torch.set_num_threads(1)
    model, tokenizer = make_model(name), make_tokenizer()
    mine = Kit19LM(pretrained=model, tokenizer=tokenizer)
    draw = np.random.default_rng(3)
    prompts = ["q:" + "".join(draw.choice(list("abcdefgh"), n)) for n in (4, 36, 11, 29, 17, 8)]
    requests = _requests(prompts)
    expected = _alone(HFLM(pretrained=model, tokenizer=tokenizer), requests)
    assert mine.generate_until(requests, disable_tqdm=True) == expected
    assert len(set(expected)) > 1
    reason = ARCHITECTURES[name]
    assert reason in mine.fallbacks.get("a_task", "")
    assert bool(reason) == ("a_task" in mine.fallbacks)


PROMPTS = [
    "비가 와서 우산을 챙겼다. 그래서",
    "질문: 다음 글의 주제로 가장 적절한 것은?\n답변:",
    "정답: ",
    "문장: 이 영화는 정말 재미있었다. 긍부정:",
    "가",
]


SETTINGS: dict[str, dict[str, Any]] = {
    "no stop": {"until": []},
    "several stops": {"until": ["다.", "\n\n", "요"], "temperature": 0.0},
    "one stop": {"until": "이", "do_sample": False, "max_new_tokens": 12, "max_gen_toks": None},
    "an end token and a blank": {"until": ["<|end|>", "한다", " "], "top_p": 0.9},
}


@pytest.mark.parametrize(
    "kind", [("neox", "plain"), ("llama", "bos"), ("llama", "merging")], ids=lambda one: one[1]
)
def test_texts_are_hflm_s_on_three_tokenizers(model_of: Models, kind: tuple[str, str]) -> None:
    folder = model_of(*kind)
    prompts = [*PROMPTS, "<s>정답: 예"]
    requests = [
        one for name, given in SETTINGS.items() for one in _requests(prompts, name, **given)
    ]
    mine = ours(folder)
    assert mine.generate_until(requests, disable_tqdm=True) == _alone(theirs(folder), requests)
    assert not mine.fallbacks


def _written(folder: Path) -> list[int]:
    """Some tokens that the model writes, to be taken as end tokens."""
    mine = ours(folder)
    texts = mine.generate_until(_requests(PROMPTS, until=[]), disable_tqdm=True)
    return sorted({mine.tok_encode(text, add_special_tokens=False)[-2] for text in texts})


def test_every_end_token_of_a_chat_model_ends_an_answer(model_of: Models, tmp_path: Path) -> None:
    folder = shutil.copytree(model_of(), tmp_path / "model")
    ends = _written(folder)
    GenerationConfig(eos_token_id=ends).save_pretrained(folder)
    requests = _requests(PROMPTS, until=[], max_gen_toks=16)
    mine = ours(folder)
    assert mine.generate_until(requests, disable_tqdm=True) == _alone(theirs(folder), requests)
    assert "end" in mine.ends.values()
    assert not mine.fallbacks


@pytest.mark.parametrize(
    ("config", "settings", "reason"),
    [
        ({"repetition_penalty": 1.3}, {}, "generation_config sets repetition_penalty"),
        ({"no_repeat_ngram_size": 2}, {}, "generation_config sets no_repeat_ngram_size"),
        ({}, {"repetition_penalty": 1.5}, "the task sets repetition_penalty"),
        ({"temperature": 0.6, "top_p": 0.9, "repetition_penalty": 1.0}, {}, ""),
    ],
)
def test_settings_beyond_the_likeliest_token_are_left_to_hflm(
    model_of: Models,
    tmp_path: Path,
    config: dict[str, Any],
    settings: dict[str, Any],
    reason: str,
) -> None:
    folder = shutil.copytree(model_of(), tmp_path / "model")
    GenerationConfig(eos_token_id=0, do_sample=bool(config), **config).save_pretrained(folder)
    requests = _requests(PROMPTS, **settings)
    mine = ours(folder)
    assert mine.generate_until(requests, disable_tqdm=True) == _alone(theirs(folder), requests)
    assert reason in mine.fallbacks.get("a_task", "")
    assert bool(mine.fallbacks) == bool(reason)


def test_sampled_answers_are_those_of_hflm(model_of: Models) -> None:
    folder = model_of()
    requests = _requests(PROMPTS, do_sample=True, temperature=0.8)
    found = []
    for model in (ours(folder), theirs(folder)):
        torch.manual_seed(19)
        found.append(_alone(model, requests))
    assert found[0] == found[1]


def test_long_prompts_lose_their_beginning_and_are_counted(model_of: Models) -> None:
    folder = model_of("neox", "plain", 48)
    requests = _requests([*PROMPTS, PROMPTS[1] * 8], until=[])
    mine = ours(folder)
    assert mine.generate_until(requests, disable_tqdm=True) == _alone(theirs(folder), requests)
    (cut, *_) = [one for one in mine.truncations if one.doc_id == len(PROMPTS)]
    assert cut.tokens == len(mine.tok_encode(PROMPTS[1] * 8)) - 40


def test_answers_without_room_in_the_window_are_an_error(model_of: Models) -> None:
    mine = ours(model_of("neox", "plain", 48))
    with pytest.raises(ModelError, match="leave no room for a prompt in a window of 48"):
        mine.generate_until(_requests(PROMPTS, max_gen_toks=48), disable_tqdm=True)


@pytest.mark.parametrize("broken", ["mask", "positions"])
def test_a_model_whose_padding_changes_answers_is_detected(
    model_of: Models, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    real = GreedyDecoder._forward

    def blind(self: GreedyDecoder, ids: Any, state: KeyValues, positions: Any) -> Any:
        if broken == "mask":
            kept, state.mask = state.mask, torch.ones_like(state.mask)
            logits = real(self, ids, state, positions)
            state.mask = kept
            return logits
        return real(self, ids, state, positions * 0)

    monkeypatch.setattr(GreedyDecoder, "_forward", blind)
    folder = model_of()
    requests = _requests(PROMPTS)
    mine = ours(folder)
    assert mine.generate_until(requests, disable_tqdm=True) == _alone(theirs(folder), requests)
    assert "padding changes its logits" in mine.fallbacks["a_task"]


def test_answers_are_checked_in_every_task(
    model_of: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = GreedyDecoder.step

    def wrong_when_long(self: GreedyDecoder, state: KeyValues, tokens: Any) -> Any:
        logits = real(self, state, tokens)
        return -logits if state.mask.shape[1] > 40 else logits

    folder = model_of()
    mine = ours(folder)
    monkeypatch.setattr(GreedyDecoder, "step", wrong_when_long)
    long = _requests([*PROMPTS, PROMPTS[1] * 2], task="long")
    requests = [*_requests(PROMPTS[2:3], task="short"), *long]
    assert mine.generate_until(requests, disable_tqdm=True) == _alone(theirs(folder), requests)
    assert set(mine.fallbacks) == {"long"}
    assert "not the likeliest" in mine.fallbacks["long"]


def test_out_of_memory_halves_the_rows(
    model_of: Models, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = model_of()
    requests = _requests(PROMPTS * 2)
    mine = ours(folder)
    expected = mine.generate_until(requests, disable_tqdm=True)
    real = GreedyDecoder.start

    def small_machine(self: GreedyDecoder, prompts: Any) -> Any:
        if len(prompts) > 3:
            raise torch.OutOfMemoryError("full")
        return real(self, prompts)

    monkeypatch.setattr(GreedyDecoder, "start", small_machine)
    counts: list[int] = []
    mine.on_progress = lambda done, _total: counts.append(done)
    assert mine.generate_until(requests, disable_tqdm=True) == expected
    assert "out of memory: 2 rows at once" in caplog.text
    assert counts[-1] == len(requests) == len(counts)


def test_weights_that_give_nan_are_an_error(model_of: Models, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(model_of())
    mine = Kit19LM(pretrained=model, tokenizer=ours(model_of()).tokenizer)
    requests = _requests(PROMPTS)
    mine.generate_until(requests[:1], disable_tqdm=True)
    with torch.no_grad():
        model.get_output_embeddings().weight[3] = float("nan")
    with pytest.raises(ModelError, match=r"a_task, item \d.*NaN"):
        mine.generate_until(requests, disable_tqdm=True)


@pytest.mark.parametrize("family", ["neox", "mistral"])
def test_a_killed_generation_resumes_after_its_last_group(
    model_of: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    monkeypatch.setitem(generation.MAX_ROWS, "cpu", 1)
    folder = model_of(family)
    settings: dict[str, Any] = {"repetition_penalty": 1.2} if family == "mistral" else {}
    requests = _requests(PROMPTS, **settings)

    def model() -> Kit19LM:
        made = ours(folder)
        made.score_cache = ScoreCache(tmp_path, {"model": family})
        return made

    expected = _alone(theirs(folder), requests)
    killed = model()

    def stop(done: int, _total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    killed.on_progress = stop
    with pytest.raises(KeyboardInterrupt):
        killed.generate_until(requests, disable_tqdm=True)
    again = model()
    generated: list[Any] = []
    for name in ("generate", "_model_generate"):
        target = GreedyDecoder if name == "generate" else Kit19LM
        real = getattr(target, name)

        def count(*given: Any, _real: Any = real, **more: Any) -> Any:
            generated.append(given)
            return _real(*given, **more)

        monkeypatch.setattr(target, name, count)
    assert again.generate_until(requests, disable_tqdm=True) == expected
    assert 1 <= len(generated) < len(requests)
    generated.clear()
    assert model().generate_until(requests, disable_tqdm=True) == expected
    assert not generated


class _Letters:
    """A tokenizer whose tokens are letters."""

    def decode(self, ids: list[int]) -> str:
        return "".join(map(chr, ids))


def test_a_stop_text_is_searched_in_the_last_tokens_only() -> None:
    stops = StopTexts(_Letters(), [("ab", 3), ("x", 1)])
    text = list(map(ord, "cabcc"))
    assert [stops.reached(text[:end]) for end in range(1, 6)] == [False, False, True, True, False]
    assert stops.reached(list(map(ord, "ccx")))
    assert not StopTexts(_Letters(), []).reached(text)


def test_results_say_which_answers_were_cut_or_not_extracted(
    model_of: Models, tmp_path: Path
) -> None:
    ran = invoke(
        *("eval", str(model_of()), "--out", str(tmp_path / "out"), "--tasks", "local_reply"),
        *("--include-path", str(LOCAL), "--device", "cpu", "--dtype", "float32"),
    )
    assert ran.code == 0, ran.err
    lines = (tmp_path / "out/samples_local_reply.jsonl").read_text("utf-8").splitlines()
    samples = [json.loads(line) for line in lines]
    document = json.loads((tmp_path / "out/results.json").read_text("utf-8"))
    said = {one["code"]: one["what"] for one in document["kit19"]["cautions"]}
    first = [one for one in samples if one["filter"] == "strict"]
    cut = sum(one["finish_reason"] == ["length"] for one in first)
    assert 0 < cut < len(first)
    assert all(one["resps"][0][0] for one in first if one["finish_reason"] == ["length"])
    assert said["cut"] == f"{cut} of {len(first)} answers were cut at the task's limit of tokens"
    assert "not_extracted" not in said
