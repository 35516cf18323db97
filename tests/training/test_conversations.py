"""Conversations: each answer is trained after exactly the tokens that it follows at inference."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import trl
from hypothesis import given, settings
from hypothesis import strategies as st

from kit19 import TrainError, load_catalog
from kit19.training.rows.batches import Collate
from kit19.training.rows.conversations import Row
from kit19.training.rows.examples import Example, TokenRules, encode_rows
from kit19.training.rows.files import HeldOutRows
from kit19.training.rows.preflight import check_rows
from kit19.training.rows.prompts import Prompts, make_prompts
from kit19.training.rows.token_stats import TokenStats
from kit19.training.rows.tokens import Tokens, tokenize
from kit19.training.settings import LossOn
from tests.support.conversations import conversation_frame
from tests.support.effort import tries
from tests.support.prompt_tokenizers import CHATML, TOKENIZERS, byte_level, of_template
from tests.support.small_models import settings as train_settings

ASKED = ["몇 시입니까?", "다음 문장을 분류하세요. 음악이 좋다", "쓰세요"]
SAID = ["세 시", "긍정", "부정: 아니면 네\n시"]
FORMATS = ["chat", "alpaca", "koalpaca", "kullm"]
REWRITING = {"qwen3", "gpt-oss"}
"""Tokenizers whose templates write earlier answers differently from the last."""


def talk(*texts: str, system: str = "") -> list[dict[str, str]]:
    roles = ("user", "assistant") * len(texts)
    turns = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    return [{"role": "system", "content": system}, *turns] if system else turns


TALK = talk(*(text for pair in zip(ASKED, SAID, strict=True) for text in pair))


@cache
def tokenizer_of(name: str) -> Any:
    return TOKENIZERS[name]()


@cache
def prompts_of(name: str, form: str = "chat") -> Prompts:
    return make_prompts(tokenizer_of(name), load_catalog().prompt_format(form))


def encoded(
    turns: list[dict[str, str]], prompts: Prompts, **rules: Any
) -> tuple[list[Example], TokenStats]:
    stats = TokenStats()
    given = TokenRules(**{"max_tokens": 4096, **rules})
    found = list(encode_rows([Row("one", turns)], prompts, given, stats))
    return (found[0][1] if found else []), stats


def supervised(examples: list[Example], tokenizer: Any) -> list[str]:
    return [tokenizer.decode(one.ids[a:b]) for one in examples for a, b in one.answers]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", TOKENIZERS)
def test_each_answer_is_trained_after_the_tokens_of_inference(name: str, form: str) -> None:
    prompts = prompts_of(name, form)
    examples, stats = encoded(TALK, prompts)
    answers = [(one.ids, begin, end) for one in examples for begin, end in one.answers]
    assert (len(answers), stats.answers, stats.conversations) == (3, 3, 1)
    for (ids, begin, end), place in zip(answers, (1, 3, 5), strict=True):
        [asked] = prompts.encode([prompts.conversation(TALK[:place])])
        [(prompt, said)] = prompts.pairs([(TALK[:place], TALK[place]["content"])])
        assert ids[:begin] == asked == prompt
        assert ids[begin:end] == [*said, prompts.end]
    assert stats.split == (form == "chat" and name in REWRITING)
    assert len(examples) == (3 if stats.split else 1)
    last, _ = encoded(TALK, prompts, loss_on="last")
    assert supervised(last, prompts.tokenizer) == supervised(examples, prompts.tokenizer)[-1:]
    assert last[0].ids == examples[-1].ids


@settings(max_examples=25)
@given(st.data())
def test_no_token_outside_of_answers_has_a_loss(data: st.DataObject) -> None:
    name, form = data.draw(st.sampled_from([*TOKENIZERS])), data.draw(st.sampled_from(FORMATS))
    texts = st.lists(st.sampled_from(["가나 음악", "네</s>", "<|im_end|>둘", "셋\n:", "끝"]))
    asked = data.draw(texts.filter(lambda found: 0 < len(found) < 6))
    turns = talk(*(text for one in asked for text in (one, f"{one}요")))
    prompts = prompts_of(name, form)
    examples, _ = encoded(turns, prompts)
    unknown = prompts.tokenizer.get_vocab().get("<unk>")
    controls = prompts.controls.ids - {unknown}  # letters that it lacks are no control tokens
    for one in examples:
        for begin, end in one.answers:
            assert one.ids[end - 1] == prompts.end
            assert not controls & set(one.ids[begin : end - 1])
    assert sum(len(one.answers) for one in examples) == len(asked)


def test_a_rewriting_template_splits_or_stops_with_the_first_difference() -> None:
    prompts = prompts_of("qwen3")
    examples, stats = encoded(TALK, prompts)
    assert len(examples) == 3
    assert stats.first["split"] == (
        "one",
        "turn 2: '<think>\\n\\n</think>' if it is the last, '세 시<|im_end|>' before later turns",
    )
    check_rows(stats, "my rows", train_settings())
    with pytest.raises(TrainError) as stop:
        check_rows(stats, "my rows", train_settings(rewritten_turns="stop"))
    assert "1 conversation of which the chat template writes an earlier turn" in str(stop.value)
    assert "first one: turn 2: '<think>" in str(stop.value)
    assert "--set loss_on=last" in str(stop.value)
    _, stats = encoded(TALK, prompts, loss_on="last")
    check_rows(stats, "my rows", train_settings(rewritten_turns="stop", loss_on="last"))


def test_conversations_with_reasoning_in_some_answers_stop() -> None:
    prompts = prompts_of("qwen3")
    reasoned = talk("하나?", "<think>\n음\n</think>\n\n둘", "셋?", "넷")
    _, stats = encoded(reasoned, prompts)
    assert (stats.answers, stats.other_head, stats.other_head_answers) == (2, 1, 1)
    with pytest.raises(TrainError, match="1 row before whose answer"):
        check_rows(stats, "my rows", train_settings())


def test_an_end_token_that_depends_on_the_place_is_a_difference() -> None:
    examples, stats = encoded(TALK, prompts_of("gpt-oss"))
    assert all(
        text.endswith("<|return|>") for text in supervised(examples, tokenizer_of("gpt-oss"))
    )
    assert "'<|return|>' if it is the last, '<|end|>" in stats.first["split"][1]


def test_a_system_turn_is_in_the_prompt_of_every_answer() -> None:
    turns = talk("하나?", "둘", "셋?", "넷", system="짧게 답하세요.")
    for form in FORMATS:
        prompts = prompts_of("llama", form)
        [one], _ = encoded(turns, prompts)
        text = prompts.tokenizer.decode(one.ids)
        assert text.count("짧게 답하세요.") == 1
        assert text.index("짧게 답하세요.") < text.index("하나?")
        assert "짧게" not in "".join(supervised([one], prompts.tokenizer))


def test_a_template_without_a_system_turn_stops_at_the_row() -> None:
    refusing = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    prompts = make_prompts(
        byte_level(template=refusing + CHATML), load_catalog().prompt_format("chat")
    )
    rows = [Row("a", TALK), Row("b", talk("가", "나", system="다"))]
    with pytest.raises(TrainError, match=r"cannot be used: .*no system; first in row b"):
        list(encode_rows(rows, prompts, TokenRules(99), TokenStats()))
    ignoring = CHATML.replace(
        "{% for m in messages %}", "{% for m in messages if m.role != 'system' %}"
    )
    prompts = make_prompts(byte_level(template=ignoring), load_catalog().prompt_format("chat"))
    _, stats = encoded(rows[1].turns, prompts)
    with pytest.raises(TrainError, match="of whose text the chat template omits a part"):
        check_rows(stats, "my rows", train_settings())


# -- length -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["llama", "qwen3"])
def test_the_oldest_turns_of_long_conversations_go_or_the_row(name: str) -> None:
    prompts = prompts_of(name)
    turns = [{"role": "system", "content": "짧게."}, *TALK]
    whole = max(len(one.ids) for one in encoded(turns, prompts)[0])
    dropped, stats = encoded(turns, prompts, max_tokens=whole - 1)
    assert (dropped, stats.too_long, stats.dropped, stats.shortened) == ([], 1, 1, 0)
    shortened, stats = encoded(turns, prompts, max_tokens=whole - 1, long_rows="shorten")
    assert (stats.too_long, stats.dropped, stats.shortened, stats.turns_left_out) == (1, 0, 1, 1)
    assert stats.supervised == sum(one.supervised for one in shortened)
    expected, _ = encoded([turns[0], *turns[3:]], prompts)
    assert shortened == expected
    short = len(encoded(talk("가", "나"), prompts)[0][0].ids)
    none, stats = encoded(turns, prompts, max_tokens=short, long_rows="shorten")
    assert (none, stats.dropped, stats.shortened) == ([], 1, 0)
    cut, stats = encoded(turns, prompts, max_tokens=whole - 1, long_rows="cut")
    assert max(len(one.ids) for one in cut) == whole - 1
    assert sum(one.supervised for one in cut) == stats.supervised


def test_a_shortened_conversation_has_its_answer() -> None:
    turns = [*talk("가나다라 " * 40, "네"), *talk("하나? 둘? 셋?", "넷")]
    limit = len(encoded(turns[2:], prompts_of("llama"))[0][0].ids)
    for long_rows, lost in (("shorten", 0), ("drop", 1), ("cut", 1)):
        _, stats = encoded(turns, prompts_of("llama"), max_tokens=limit, long_rows=long_rows)
        assert (stats.too_long, stats.answers_lost) == (1, lost)
        if lost:
            with pytest.raises(TrainError, match=r"1 row of 1 \(100.0%\) are longer"):
                check_rows(stats, "my rows", train_settings(long_rows=long_rows))
        else:
            check_rows(stats, "my rows", train_settings(long_rows=long_rows))
    only, stats = encoded(
        turns, prompts_of("llama"), max_tokens=limit, long_rows="shorten", loss_on="last"
    )
    assert (len(only), stats.conversations, stats.shortened, stats.answers_lost) == (1, 1, 1, 0)


def shorten_slowly(turns: list[dict[str, str]], prompts: Prompts, **rules: Any) -> tuple[Any, int]:
    """The first of all shorter conversations that fits, and how many pairs it lacks."""
    for pairs in range(1, Row("one", turns).questions):
        shorter = Row("one", turns).without_oldest(pairs).turns
        examples, _ = encoded(shorter, prompts, loss_on=rules["loss_on"])
        if all(len(one.ids) <= rules["max_tokens"] for one in examples):
            return examples, pairs
    return [], 0


@settings(max_examples=tries(40, 400), deadline=None)
@given(st.data())
def test_shortening_finds_the_first_conversation_that_fits(data: st.DataObject) -> None:
    name, form = data.draw(st.sampled_from([*TOKENIZERS])), data.draw(st.sampled_from(FORMATS))
    said = st.sampled_from(["네", "가나 음악 다음 문장", "<think>\n음악이 좋다\n</think>\n\n둘"])
    pairs = data.draw(st.lists(st.tuples(said, said), min_size=2, max_size=7))
    system = data.draw(st.sampled_from(["", "짧게."])) if name != "mistral" else ""
    turns = talk(*(text for pair in pairs for text in pair), system=system)
    prompts = prompts_of(name, form)
    loss_on = data.draw(st.sampled_from(["all", "last"]))
    whole, _ = encoded(turns, prompts, loss_on=loss_on)
    limit = data.draw(st.integers(4, max(len(one.ids) for one in whole) - 1))
    rules = {"max_tokens": limit, "loss_on": loss_on}
    examples, stats = encoded(turns, prompts, long_rows="shorten", **rules)
    expected, left_out = shorten_slowly(turns, prompts, **rules)
    assert (examples, stats.turns_left_out) == (expected, left_out)
    assert (stats.shortened, stats.dropped) == (bool(left_out), not left_out)


def test_shortening_encodes_few_conversations(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    original = Prompts.texts

    def count(self: Prompts, rows: list[Row], loss_on: LossOn) -> Any:
        found = original(self, rows, loss_on)
        written.append(sum(map(len, found)))
        return found

    monkeypatch.setattr(Prompts, "texts", count)
    turns = talk(*["가나", "네"] * 64)
    limit = len(encoded(turns[-24:], prompts_of("llama"))[0][0].ids)
    written.clear()
    _, stats = encoded(turns, prompts_of("llama"), max_tokens=limit, long_rows="shorten")
    assert stats.turns_left_out == 52
    # The answers of the whole conversation, the last one of six shorter ones, those of the result.
    assert sum(written) <= 64 + 7 + 12


def test_a_fault_of_the_shortened_conversation_alone_stops() -> None:
    late = "{% for m in messages if m.role != 'system' or messages|length > 5 %}"
    form = load_catalog().prompt_format("chat")
    template = CHATML.replace("{% for m in messages %}", late)
    prompts = make_prompts(byte_level(template=template), form)
    turns = [{"role": "system", "content": "짧게."}, *TALK]
    rules: dict[str, Any] = {"loss_on": "last", "long_rows": "shorten"}
    [whole], stats = encoded(turns, prompts, **rules)
    assert (stats.left_out, stats.shortened) == (0, 0)
    _, stats = encoded(turns, prompts, max_tokens=len(whole.ids) - 1, **rules)
    assert (stats.left_out, stats.shortened) == (1, 1)
    with pytest.raises(TrainError, match="of whose text the chat template omits a part"):
        check_rows(stats, "my rows", train_settings(long_rows="shorten"))


# -- batches and losses ---------------------------------------------------------------------------


def several(prompts: Prompts, place: Path) -> Tokens:
    made = [TALK, talk("하나?", "둘"), talk("셋?", "넷", "다섯?", "여섯"), TALK[:4]]
    source = HeldOutRows(conversation_frame(made))
    return tokenize(source, "k", prompts, TokenRules(512), place)


@pytest.mark.parametrize("name", ["llama", "qwen3"])
def test_the_loss_of_each_answer_is_equal_packed_and_alone(name: str, tmp_path: Path) -> None:
    import torch

    from kit19.training.model.losses import add_answer_losses, token_losses
    from kit19.training.rows.batches import read_sequence
    from tests.support.small_models import save_llama

    prompts = prompts_of(name)
    tokens = several(prompts, tmp_path / "tokens")
    assert len(tokens) == (4 if name == "llama" else 8)
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(save_llama(prompts.tokenizer, tmp_path / "m"))
    add_answer_losses(model.eval())
    collate = Collate(prompts.tokenizer.pad_token_id)

    def losses(rows: list[int]) -> list[float]:
        """The summed loss of each answer of some sequences in one."""
        batch = collate([read_sequence(tokens, rows)])
        with torch.no_grad():
            found = token_losses(model, batch, plain=True)[0]
        sums, start = [], 0
        for row in rows:
            for begin, end in tokens.answers_of(row):
                sums.append(float(found[start + begin - 1 : start + end - 1].sum()))
            start += int(tokens.lengths[row])
        return sums

    every = list(range(len(tokens)))
    packed = losses(every)
    alone = [loss for row in every for loss in losses([row])]
    assert len(packed) == 8
    assert packed == pytest.approx(alone, abs=1e-4)
    # And as inference has it: the answer after its own prompt.
    turns = [*TALK]
    for place, loss in zip((1, 3, 5), packed, strict=False):
        [(prompt, said)] = prompts.pairs([(turns[:place], turns[place]["content"])])
        ids = torch.tensor([[*prompt, *said, prompts.end]])
        with torch.no_grad():
            known = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
        direct = -known.gather(-1, ids[0, 1:, None])[len(prompt) - 1 :].sum()
        assert loss == pytest.approx(float(direct), abs=1e-4)


TAGGED = sorted((Path(trl.__file__).parent / "chat_templates").glob("*_training.jinja"))
EXACT = {"cohere_training", "llama3_training"}
"""Templates whose generation tags begin after the generation prompt and end at the end token."""
NOT_TEXT = {"idefics3_training", "llava_next_training", "smolvlm_training"}


@pytest.mark.parametrize(
    "path", [p for p in TAGGED if p.stem not in NOT_TEXT], ids=lambda p: p.stem
)
def test_masks_are_those_of_trl(path: Path) -> None:
    """``assistant_only_loss`` masks by generation tags, which TRL puts into real templates.

    Some tags begin in the generation prompt, or end after the end token; neither is generated.
    """
    tokenizer = of_template(path.read_text("utf-8"))
    prompts = make_prompts(tokenizer, load_catalog().prompt_format("chat"))
    examples, stats = encoded(TALK, prompts)
    theirs = tokenizer.apply_chat_template(
        TALK, return_dict=True, return_assistant_tokens_mask=True
    )
    ids, mask = theirs["input_ids"], [*theirs["assistant_masks"], 0]
    edges = [n for n, (a, b) in enumerate(zip([0, *mask], mask, strict=False)) if a != b]
    spans = list(zip(edges[::2], edges[1::2], strict=True))
    assert len(spans) == 3
    if stats.not_prefix or stats.split:  # not trained, or not as one sequence
        return
    [one] = examples
    assert one.ids == ids[: len(one.ids)]
    if path.stem in EXACT:
        assert one.answers == spans
    for (begin, end), (first, last), place in zip(one.answers, spans, (1, 3, 5), strict=True):
        assert first <= begin < end <= last
        assert prompts.unmark(prompts.conversation(TALK[:place])).endswith(
            tokenizer.decode(ids[first:begin])
        )
        after = [n for n in ids[end:last] if n not in prompts.controls.ids]
        assert not tokenizer.decode(after).strip()


def test_a_date_of_the_template_is_the_one_of_the_run() -> None:
    dated = "<|start|>{{ strftime_now('%d %b %Y') }}<|end|>" + CHATML
    form = load_catalog().prompt_format("chat")
    prompts = make_prompts(byte_level(template=dated), form, date="2026-02-03")
    [one], _ = encoded(TALK, prompts)
    assert prompts.tokenizer.decode(one.ids).startswith("<|start|>03 Feb 2026<|end|>")
    assert prompts.date == "2026-02-03"
    assert prompts_of("llama").date == ""
    today = make_prompts(byte_level(template=dated), form).date
    assert len(today) == 10
    assert today > "2026"
