"""Real tokenizers with their chat templates: masks, ends, and small models of their architectures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kit19 import load_catalog, merge, train
from kit19.chatting.answering import load_chat_model
from kit19.training.rows.conversations import Row
from kit19.training.rows.examples import Example, TokenRules, encode_rows
from kit19.training.rows.preflight import check_rows
from kit19.training.rows.prompts import Prompts, make_prompts
from kit19.training.rows.token_stats import TokenStats
from tests.support.architectures import ARCHITECTURES
from tests.support.effort import THOROUGH, every
from tests.support.golden import Golden
from tests.support.real_tokenizers import (
    REAL_TOKENIZERS,
    is_there,
    load_real_tokenizer,
    save_small_tokenizer,
)
from tests.support.small_models import settings, write_rows

TALK = [
    {"role": "system", "content": "짧고 정확하게 답하세요."},
    {"role": "user", "content": "‘재미있었다’는 긍정입니까, 부정입니까?"},
    {"role": "assistant", "content": "긍정입니다."},
    {"role": "user", "content": "그럼 ‘지루했다’는요?\n이유는 쓰지 마세요."},
    {"role": "assistant", "content": "부정입니다."},
]
DATE = "2026-11-30"


@pytest.fixture(autouse=True)
def fetched(name: str) -> None:
    if not is_there(name):
        pytest.skip(f"there is no tokenizer of {name}: make tokenizers")


def prompts_of(name: str, tokenizer: Any = None) -> Prompts:
    tokenizer = tokenizer or load_real_tokenizer(name)
    ends = [tokenizer.convert_tokens_to_ids(end) for end in REAL_TOKENIZERS[name].ends]
    form = load_catalog().prompt_format("chat")
    return make_prompts(tokenizer, form, ends, date=DATE)


def shown(examples: list[Example], tokenizer: Any) -> str:
    """The text of each sequence, with what has a loss in brackets."""
    lines = []
    for number, one in enumerate(examples):
        end, text = 0, ""
        for begin, after in one.answers:
            text += tokenizer.decode(one.ids[end:begin])
            text += f"⟦{tokenizer.decode(one.ids[begin:after])}⟧"
            end = after
        lines.append(f"== sequence {number}: {len(one.ids)} tokens\n{text}\n")
    return "".join(lines)


@pytest.mark.parametrize("name", REAL_TOKENIZERS)
def test_masks_are_those_of_the_golden_file(name: str, golden: Golden) -> None:
    about, prompts = REAL_TOKENIZERS[name], prompts_of(name)
    tokenizer, stats = prompts.tokenizer, TokenStats()
    [(_, examples)] = encode_rows([Row("one", TALK)], prompts, TokenRules(1024), stats)
    check_rows(stats, "one conversation", settings())
    golden.check(Path(__file__).parent / "masks" / f"{name}.txt", shown(examples, tokenizer))
    assert prompts.head == about.head
    assert tokenizer.convert_ids_to_tokens(prompts.end) == about.ends[0]
    assert {tokenizer.convert_ids_to_tokens(end) for end in prompts.stops} == {*about.ends}
    assert len(examples) == (2 if about.splits else 1)
    assert sum(len(one.answers) for one in examples) == 2
    for one in examples:
        firsts = [at for at, n in enumerate(one.ids) if n == tokenizer.bos_token_id]
        assert firsts == ([0] if about.begins else [])
        assert one.ids[-1] == prompts.end
    # Inference by transformers alone, without kit19's code, but for the text before every answer.
    plain = {"tokenize": True, "add_generation_prompt": True, "return_dict": False}
    answers = [(one.ids, begin) for one in examples for begin, _ in one.answers]
    for (ids, begin), place in zip(answers, (2, 4), strict=True):
        asked = tokenizer.apply_chat_template(TALK[:place], **plain)
        head = tokenizer(prompts.head, add_special_tokens=False)["input_ids"]
        if prompts.date:
            assert tokenizer.decode(ids[:begin]).count(DATE) == 1
            assert len(ids[:begin]) == len([*asked, *head])
        else:
            assert ids[:begin] == [*asked, *head]


def small_tokenizer(name: str, folder: Path) -> Any:
    """The tokenizer with the tokens of ``TALK`` alone, which are the same in both."""
    from transformers import AutoTokenizer

    whole = load_real_tokenizer(name)
    texts = [whole.apply_chat_template(TALK[:end], tokenize=False) for end in (3, 5)]
    texts += [whole.apply_chat_template(TALK[:2], tokenize=False, add_generation_prompt=True)]
    texts += [REAL_TOKENIZERS[name].head]
    save_small_tokenizer(name, texts, folder)
    small = AutoTokenizer.from_pretrained(folder)
    for text in texts:
        given, made = (one.convert_ids_to_tokens(one(text)["input_ids"]) for one in (whole, small))
        assert given == made
    return small


def base_of(name: str, folder: Path, tokenizer: Any) -> Path:
    """A small random model of the architecture, with a tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

    about = REAL_TOKENIZERS[name]
    found = ARCHITECTURES[about.architecture]
    ids = [tokenizer.convert_tokens_to_ids(end) for end in about.ends]
    sizes = {"vocab_size": len(tokenizer), "pad_token_id": ids[-1], "eos_token_id": ids[0]}
    options = {**found.options, "max_position_embeddings": 512, "bos_token_id": None}
    config = AutoConfig.for_model(found.kind, **options, **sizes)
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.generation_config = GenerationConfig(eos_token_id=ids)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class StopError(Exception):
    """Where a run was interrupted."""


def rows_of(place: Path) -> Path:
    made = [{"messages": TALK[number % 2 :]} for number in range(8)]
    return write_rows(place / "rows.jsonl", made)


def how_of(base: Path, **changes: Any) -> Any:
    given = {
        "format": "chat",
        "max_length": 256,
        "validation": 0,
        "date": DATE,
        "learning_rate": 0.02,
        "num_train_epochs": 20,
        "attn_implementation": "auto",
    }
    steps = 20 if THOROUGH else 4
    given |= {"max_steps": steps, "save_steps": steps // 2, "eval_steps": steps // 2}
    return settings(base, **{**given, **changes})


def loss_of(model: Any, ids: list[int]) -> float:
    import torch

    given = torch.tensor([ids])
    with torch.inference_mode():
        return float(model.eval()(input_ids=given, labels=given).loss)


# Usually one of ten, with a small vocabulary: a large one takes seconds to read, each time.
CASES = every(
    10, [(name, method) for method in ("lora", "full") for name in REAL_TOKENIZERS], first=2
)


@pytest.mark.parametrize(("name", "method"), CASES)
def test_a_small_model_trains_resumes_merges_and_loads_in_plain_transformers(
    name: str, method: str, tmp_path: Path
) -> None:
    import torch
    from transformers import (
        AutoModelForCausalLM,
        ForcedBOSTokenLogitsProcessor,
        GenerationConfig,
    )

    whole, small = load_real_tokenizer(name), small_tokenizer(name, tmp_path / "small")
    prompts = prompts_of(name, whole if THOROUGH else small)
    base = base_of(name, tmp_path / "base", prompts.tokenizer)
    data, run = rows_of(tmp_path), tmp_path / "run"
    how = how_of(base, method=method, lora={"rank": 4, "dropout": 0})

    def stop(what: str, done: int, _total: int) -> None:
        if what.startswith("training") and done > how.save_steps:
            raise StopError

    with pytest.raises(StopError):
        train(data, run, how, on_progress=stop)
    done = train(data, run, how)
    assert (done.resumed, done.record.settings["steps"]) == (how.save_steps, how.max_steps)
    assert done.record.ends == prompts.stops
    assert done.record.answer_head == prompts.head
    folder = run
    if method == "lora":
        folder = tmp_path / "merged"
        merge(run, folder)
    found = GenerationConfig.from_pretrained(folder).eos_token_id
    assert ([found] if isinstance(found, int) else found) == prompts.stops
    config = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    assert config["eos_token"] == prompts.tokenizer.convert_ids_to_tokens(prompts.end)
    [(_, examples)] = encode_rows([Row("one", TALK)], prompts, TokenRules(512), TokenStats())
    ids = examples[-1].ids
    trained = AutoModelForCausalLM.from_pretrained(folder)
    assert loss_of(trained, ids) < loss_of(AutoModelForCausalLM.from_pretrained(base), ids)
    # Chat asks as in training, and stops at each end token.
    model = load_chat_model(str(run), None, lambda _: prompts.format)
    begin = examples[-1].answers[-1][0]
    assert model.prompts.encode([model.prompts.conversation(TALK[:4])]) == [ids[:begin]]
    for end in prompts.stops:
        forced = ForcedBOSTokenLogitsProcessor(end)
        made = trained.generate(
            torch.tensor([[end]]), max_new_tokens=5, do_sample=False, logits_processor=[forced]
        )
        assert made.tolist() == [[end, end]]
