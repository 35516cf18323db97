"""Prompts of training in the harness, with both scorers and in generation."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("lm_eval", reason="kit19[eval] is not installed")

import torch
from lm_eval.api.instance import Instance
from transformers import LlamaConfig, LlamaForCausalLM

from kit19.catalog import PromptFormat, load_catalog
from kit19.evaluating.formats import use_training_prompts
from kit19.evaluating.scorer import Kit19LM
from kit19.training.rows.prompts import make_prompts
from tests.support.prompt_tokenizers import TOKENIZERS

TURNS = [{"role": "user", "content": "다음 문장을 분류하세요. 음악이 좋다 "}]
CHOICES = ["긍정", "부정", "모릅니다"]


def scorer(name: str, form: str) -> tuple[Kit19LM, Any]:
    tokenizer = TOKENIZERS[name]()
    torch.manual_seed(19)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=512,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    model = Kit19LM(LlamaForCausalLM(config).eval(), tokenizer=tokenizer, device="cpu")
    chosen: PromptFormat = load_catalog().prompt_format(form)
    prompts = make_prompts(tokenizer, chosen, [1])
    use_training_prompts(model, prompts)
    return model, prompts


def requests(kind: Any, arguments: list[Any]) -> list[Instance]:
    return [Instance(kind, {}, argument, n, ("task", n, 1)) for n, argument in enumerate(arguments)]


@pytest.mark.parametrize("form", ["alpaca", "koalpaca", "chat"])
@pytest.mark.parametrize("name", ["adds a beginning", "qwen3", "gpt-oss"])
@pytest.mark.parametrize("shots", [0, 1])
@pytest.mark.parametrize("begun", ["", "답:"])
def test_both_scorers_score_the_tokens_of_training(
    name: str, form: str, shots: int, begun: str
) -> None:
    model, prompts = scorer(name, form)
    assert not model.fallback
    earlier = [{"role": "user", "content": "소리가 작다"}, {"role": "assistant", "content": "부정"}]
    turns = [*earlier * shots, *TURNS]
    asked = [*turns, {"role": "assistant", "content": begun}] if begun else turns
    text = model.apply_chat_template(asked, add_generation_prompt=not begun)
    made = requests("loglikelihood", [(text, choice) for choice in CHOICES])
    ours = [score for score, _ in model.loglikelihood(made, disable_tqdm=True)]
    model.fallback = "to compare"
    theirs = [score for score, _ in model.loglikelihood(made, disable_tqdm=True)]
    stripped = [turn | {"content": turn["content"].strip()} for turn in turns]
    pairs = prompts.pairs([(stripped, begun + choice) for choice in CHOICES])
    direct = []
    for prompt, answer in pairs:
        with torch.inference_mode():
            logs = model.model(torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
        scores = [float(logs[len(prompt) + n - 1, token]) for n, token in enumerate(answer)]
        direct.append(scores)
    skipped = 0
    if begun:  # tokens that all choices begin with belong to the prompt
        [(_, start)] = prompts.pairs([(stripped, begun)])
        skipped = next(
            (n for n, (a, b) in enumerate(zip(start, pairs[0][1], strict=False)) if a != b),
            len(start),
        )
    expected = [sum(scores[skipped:]) for scores in direct]
    assert ours == pytest.approx(expected, abs=1e-4)
    assert theirs == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("form", ["alpaca", "koalpaca", "chat"])
@pytest.mark.parametrize("name", ["adds a beginning", "qwen3"])
def test_generation_starts_from_the_tokens_of_training(name: str, form: str) -> None:
    model, prompts = scorer(name, form)
    other = [{"role": "user", "content": "짧다"}]
    texts = [model.apply_chat_template(turns) for turns in (TURNS, other)]
    given = {"until": ["\n\n"], "max_gen_toks": 5, "do_sample": False}
    found = model.generate_until(requests("generate_until", [(t, given) for t in texts]), True)
    for turns, answer in zip((TURNS, other), found, strict=True):
        content = turns[0]["content"].strip()
        [ids] = prompts.encode([prompts.conversation([{"role": "user", "content": content}])])
        with torch.inference_mode():
            made = model.model.generate(
                torch.tensor([ids]), max_new_tokens=5, do_sample=False, pad_token_id=2
            )
        text = prompts.tokenizer.decode(made[0, len(ids) :], skip_special_tokens=True)
        assert answer == text.split("\n\n")[0].removeprefix(prompts.format.reply(""))


def test_other_texts_are_scored_as_the_harness_scores_them() -> None:
    model, _ = scorer("qwen3", "chat")
    made = requests("loglikelihood", [("", "긍정"), ("가나", " 다")])
    ours = [score for score, _ in model.loglikelihood(made, disable_tqdm=True)]
    plain = Kit19LM(model.model, tokenizer=model.tokenizer, device="cpu")
    theirs = [score for score, _ in plain.loglikelihood(made, disable_tqdm=True)]
    assert ours == pytest.approx(theirs, abs=1e-6)
