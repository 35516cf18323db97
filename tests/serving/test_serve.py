"""``kit19 serve``: what OpenAI's own client gets is what ``kit19 chat`` says."""

from __future__ import annotations

import gc
import json
import re
import shlex
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("uvicorn", reason="kit19[serve] is not installed")
pytest.importorskip("openai")

import anyio
import openai
import torch
import urllib3
from transformers import AutoModelForCausalLM, AutoTokenizer

import kit19
from kit19.chatting.generation import Generation
from kit19.serving.app import HostCheck
from kit19.training.rows.prompts import make_prompts
from tests.support.eval_models import make
from tests.support.invoking import invoke
from tests.support.running import running
from tests.support.warm import start

pytestmark = pytest.mark.usefixtures("loopback")

QUESTION = [{"role": "user", "content": "오늘 날씨는 어떤가요?"}]
TALK = [
    *QUESTION,
    {"role": "assistant", "content": "맑습니다."},
    {"role": "user", "content": "내일은요?"},
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make(tmp_path_factory.mktemp("models") / "tiny", "llama", window=256)


@pytest.fixture(scope="module")
def url(model: Path) -> Iterator[str]:
    with running(model, "koalpaca", max_tokens=24) as address:
        yield address


@pytest.fixture
def client(url: str) -> Iterator[Any]:
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as opened:
        yield opened


def said(model: Path, turns: list[dict[str, str]], most: int = 24) -> str:
    talk = kit19.chat(model, format="koalpaca", max_new_tokens=most)
    talk.turns = turns[:-1]
    return "".join(talk.send(turns[-1]["content"]))


@pytest.mark.parametrize("turns", [QUESTION, TALK], ids=["one turn", "three turns"])
def test_answers_are_those_of_chat(client: Any, model: Path, turns: list[dict[str, str]]) -> None:
    expected = said(model, turns)
    whole = client.chat.completions.create(model="tiny", messages=turns)
    [choice] = whole.choices
    assert choice.message.content == expected
    assert choice.message.role == "assistant"
    assert choice.finish_reason == "length"
    assert whole.usage.completion_tokens == 24
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + 24
    stream = client.chat.completions.create(
        model="tiny", messages=turns, stream=True, stream_options={"include_usage": True}
    )
    events = list(stream)
    pieces = [event.choices[0].delta.content or "" for event in events if event.choices]
    assert "".join(pieces) == expected
    assert len([piece for piece in pieces if piece]) > 1
    assert [event.choices[0].finish_reason for event in events if event.choices][-1] == "length"
    assert events[-1].usage == whole.usage
    assert {event.object for event in events} == {"chat.completion.chunk"}


def test_chat_talks_to_the_server(url: str, model: Path) -> None:
    line = ["chat", "tiny", "--base-url", url, "--prompt", QUESTION[0]["content"], "--json"]
    ran = invoke(*line, "--max-tokens", "24")
    assert ran.code == 0, ran.err
    assert ran.document["answer"] == said(model, QUESTION)
    talk = kit19.chat("tiny", base_url=url, max_new_tokens=5)
    assert "".join(talk.send(QUESTION[0]["content"])) == said(model, QUESTION, 5)
    assert (talk.format_name, talk.run) == ("server", None)
    with pytest.raises(kit19.Kit19Error, match="the server chooses the prompt format"):
        talk.use_format("alpaca")
    unknown = invoke("chat", "other", "--base-url", url, "--prompt", "?")
    assert unknown.code == 1
    assert "there is no model 'other'; this server has 'tiny'" in unknown.err


def test_stop_texts_end_an_answer_and_are_not_in_it(client: Any, model: Path) -> None:
    expected = said(model, QUESTION)
    stop = re.findall("[^\ufffd]{2,3}", expected)[-1]
    for stream in (False, True):
        got = client.chat.completions.create(
            model="tiny", messages=QUESTION, stop=[stop], stream=stream
        )
        choices = [event.choices[0] for event in got] if stream else got.choices
        texts = [c.delta.content or "" if stream else c.message.content for c in choices]
        assert "".join(texts) == expected[: expected.find(stop)]
        assert choices[-1].finish_reason == "stop"


def test_a_seed_repeats_a_sampled_answer(client: Any) -> None:
    def sampled(seed: int) -> Any:
        options: Any = {"temperature": 1.0, "top_p": 0.95, "seed": seed, "max_tokens": 12}
        got = client.chat.completions.create(model="tiny", messages=QUESTION, **options)
        return got.choices[0].message.content

    assert sampled(1) == sampled(1)
    assert len({sampled(seed) for seed in (1, 2, 3)}) > 1


def test_completions_continue_a_raw_prompt(client: Any, model: Path) -> None:
    words = AutoTokenizer.from_pretrained(model)
    weights = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    ids = words("질문: 문장")["input_ids"]
    alone = weights.generate(torch.tensor([ids]), max_new_tokens=8, do_sample=False)
    expected = words.decode(alone[0, len(ids) :], skip_special_tokens=True).rstrip("\ufffd")
    for prompt in ("질문: 문장", ids):
        got = client.completions.create(model="tiny", prompt=prompt, max_tokens=8)
        assert got.choices[0].text == expected
    both = client.completions.create(model="tiny", prompt=["질문: 문장", "답"], max_tokens=8)
    assert [choice.index for choice in both.choices] == [0, 1]
    assert both.choices[0].text == expected
    stream = client.completions.create(model="tiny", prompt="질문: 문장", max_tokens=8, stream=True)
    assert "".join(event.choices[0].text for event in stream) == expected


def test_completions_stop_count_and_repeat(client: Any) -> None:
    def complete(**options: Any) -> Any:
        return client.completions.create(model="tiny", prompt="질문: 문장", **options)

    whole = complete(max_tokens=20)
    text = whole.choices[0].text
    assert whole.choices[0].finish_reason == "length"
    assert (whole.usage.completion_tokens, whole.object) == (20, "text_completion")
    stop = re.findall("[^\ufffd]{2,3}", text)[-1]
    cut = complete(max_tokens=20, stop=[stop])
    assert (cut.choices[0].text, cut.choices[0].finish_reason) == (text[: text.find(stop)], "stop")
    events = list(
        complete(max_tokens=20, stop=stop, stream=True, stream_options={"include_usage": True})
    )
    assert (
        "".join(event.choices[0].text for event in events if event.choices) == cut.choices[0].text
    )
    assert [e.choices[0].finish_reason for e in events if e.choices][-1] == "stop"
    assert events[-1].usage == cut.usage
    sampled = {
        seed: complete(max_tokens=12, temperature=1.0, seed=seed).choices[0].text
        for seed in (1, 2, 3)
    }
    assert len(set(sampled.values())) > 1
    for seed in (1, 2):
        stream = complete(max_tokens=12, temperature=1.0, seed=seed, stream=True)
        assert "".join(event.choices[0].text for event in stream) == sampled[seed]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"n": 2}, "`n` is not supported"),
        ({"best_of": 3}, "`best_of` is not supported"),
        ({"suffix": "끝"}, "`suffix` is not supported"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"stream": True, "echo": True}, "a stream has one prompt"),
        ({"logprobs": 2}, "`logprobs` needs `echo: true`"),
        ({"seed": -1}, "seed"),
        ({"top_p": 0}, "top_p"),
    ],
    ids=lambda value: json.dumps(value)[:30],
)
def test_completions_that_the_server_cannot_give_are_refused(
    client: Any, change: dict[str, Any], says: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=says) as refused:
        client.completions.create(model="tiny", prompt="예", extra_body=change)
    assert refused.value.body["type"] == "invalid_request_error"


@pytest.mark.parametrize("most", [0, 1])
def test_log_likelihoods_of_a_prompt_are_the_model_s(client: Any, model: Path, most: int) -> None:
    words = AutoTokenizer.from_pretrained(model)
    weights = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    prompts = [words(text)["input_ids"] for text in ("문장1: 오늘은 맑다.", "예")]
    got = client.completions.create(
        model="tiny", prompt=prompts, max_tokens=most, echo=True, logprobs=1
    )
    for ids, choice in zip(prompts, got.choices, strict=True):
        scores = torch.log_softmax(weights(torch.tensor([ids])).logits[0].double(), -1)
        stated = choice.logprobs.token_logprobs
        assert len(stated) == len(choice.logprobs.tokens) == len(ids) + most
        assert stated[0] is None
        expected = [float(scores[n, token].detach()) for n, token in enumerate(ids[1:])]
        assert stated[1 : len(ids)] == pytest.approx(expected, abs=1e-4)
        likeliest = [float(row.max().detach()) for row in scores]
        tops = [max(top.values()) for top in choice.logprobs.top_logprobs[1:]]
        assert tops == pytest.approx(likeliest[: len(tops)], abs=1e-4)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tools": [{"type": "function"}]}, "`tools` is not supported"),
        ({"n": 2}, "`n` is not supported"),
        ({"logit_bias": {"1": 5}}, "`logit_bias` is not supported"),
        ({"response_format": {"type": "json_object"}}, "`response_format` is not supported"),
        ({"logprobs": True}, "logprobs"),
        ({"colour": "red"}, "colour"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "?"}]}, "messages.0.role"),
        ({"messages": [*QUESTION, TALK[1]]}, "the last message is from the user"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": "warm"}, "temperature"),
        ({"stop": [""]}, "none of them empty"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "type text"),
    ],
    ids=lambda value: json.dumps(value)[:30],
)
def test_what_the_server_cannot_do_is_refused(
    client: Any, change: dict[str, Any], says: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=says):
        client.chat.completions.create(model="tiny", messages=QUESTION, extra_body=change)


def test_an_answer_can_be_sent_back_as_it_came(client: Any) -> None:
    first = client.chat.completions.create(model="tiny", messages=QUESTION, max_tokens=4)
    answer = first.choices[0].message.model_dump()
    assert answer["refusal"] is None
    answer["content"] = "네."
    again = client.chat.completions.create(
        model="tiny", messages=[*QUESTION, answer, *QUESTION], max_tokens=4
    )
    assert again.usage.prompt_tokens > first.usage.prompt_tokens


def test_a_prompt_that_does_not_fit_is_refused(client: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="the model's window has 256"):
        client.completions.create(model="tiny", prompt=[5] * 250, max_tokens=7)
    long = [{"role": "user", "content": "아주 긴 글입니다. " * 60}]
    with pytest.raises(openai.BadRequestError, match="the model's window has 256"):
        client.chat.completions.create(model="tiny", messages=long)
    system = [{**long[0], "role": "system"}]
    with pytest.raises(openai.BadRequestError, match="the model's window has 256"):
        client.chat.completions.create(model="tiny", messages=[*system, *QUESTION])
    # Early turns that do not fit are dropped.
    short = client.chat.completions.create(model="tiny", messages=[*long, *TALK])
    assert short.usage.prompt_tokens < 256
    with pytest.raises(openai.BadRequestError, match="the prompt has token 999999"):
        client.completions.create(model="tiny", prompt=[999_999], max_tokens=1)
    with pytest.raises(openai.NotFoundError, match="there is no model 'gpt'"):
        client.chat.completions.create(model="gpt", messages=QUESTION)


def test_the_model_is_listed(client: Any) -> None:
    [listed] = client.models.list().data
    assert (listed.id, listed.max_model_len) == ("tiny", 256)
    assert client.models.retrieve("tiny").id == "tiny"


def test_pages_of_other_sites_are_refused(url: str) -> None:
    body = json.dumps({"model": "tiny", "messages": QUESTION, "max_tokens": 1}).encode()
    with urllib3.PoolManager(retries=False) as pool:

        def ask(path: str = "/chat/completions", data: bytes = body, **headers: str) -> Any:
            named = {"Content-Type": "application/json"}
            named |= {name.replace("_", "-"): value for name, value in headers.items()}
            answer = pool.request("POST", url + path, body=data, headers=named)
            return answer.status, answer.json()

        assert ask()[0] == 200
        status, document = ask(Host="evil.example:80")
        assert status == 403
        assert "evil.example" in document["error"]["message"]
        assert ask(Content_Type="text/plain")[0] == 415
        assert ask(data=b"{")[0] == 400
        assert ask(data=b"[1]")[0] == 400
        assert ask(data=b'{"messages": "' + b"x" * (17 << 20) + b'"}')[0] == 413
        assert ask("/chat/completion")[0] == 404
        assert pool.request("GET", url + "/chat/completions").status == 405


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *[("home.example", 200), ("HOME.example:8000", 200), ("[::1]:8000", 200), ("::1", 200)],
        *[("home.example.evil", 403), ("evil:home.example", 403), ("[::2]:8000", 403), ("", 403)],
    ],
)
def test_a_server_answers_to_its_own_names(host: str, status: int) -> None:
    sent: list[Any] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    checked = HostCheck(app, ["Home.example:8000", "::1"])
    scope: dict[str, Any] = {"type": "http", "headers": [(b"host", host.encode())]}
    anyio.run(checked.__call__, scope, receive, send)
    assert sent[0]["status"] == status


def test_a_reader_that_leaves_frees_the_server(client: Any, model: Path) -> None:
    stream = client.chat.completions.create(
        model="tiny", messages=QUESTION, stream=True, max_tokens=200
    )
    next(iter(stream))
    stream.close()
    got = client.chat.completions.create(model="tiny", messages=QUESTION)
    assert got.choices[0].message.content == said(model, QUESTION)


def test_an_iterator_that_nobody_holds_ends_in_the_thread_that_collects_it(model: Path) -> None:
    loaded, tokenizer = (
        AutoModelForCausalLM.from_pretrained(model),
        AutoTokenizer.from_pretrained(model),
    )
    options = {
        "max_new_tokens": 200,
        "min_new_tokens": 200,
        "eos_token_id": [0],
        "do_sample": False,
    }
    earlier = set(threading.enumerate())
    pieces = iter(Generation(loaded, tokenizer, [5, 6], [], "", options))
    next(pieces)
    [generating] = set(threading.enumerate()) - earlier
    dropped = threading.Event()
    loaded.register_forward_hook(lambda *_: dropped.wait() and gc.collect())
    circle: list[Any] = [pieces]
    circle.append(circle)
    gc.disable()
    try:
        del pieces, circle
        dropped.set()
        generating.join()
    finally:
        gc.enable()


def test_requests_at_the_same_time_wait_for_each_other(client: Any, model: Path) -> None:
    answers: list[str] = []

    def ask() -> None:
        got = client.chat.completions.create(model="tiny", messages=QUESTION)
        answers.append(got.choices[0].message.content)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [said(model, QUESTION)] * 3


def test_the_command_serves_until_ctrl_c(model: Path, tmp_path: Path) -> None:
    words: list[str | Path] = [
        "serve",
        model,
        "--port",
        "0",
        "--format",
        "koalpaca",
        "--name",
        "mine",
    ]
    served = start(*words, folder=tmp_path)
    while served.is_running and "\n" not in served.err.read_text():
        time.sleep(0.01)
    first = served.err.read_text()
    assert first.startswith("mine at http://127.0.0.1:"), first
    base = first.split()[2].rstrip(";")
    talk = kit19.chat("mine", base_url=base, max_new_tokens=4)
    assert "".join(talk.send(QUESTION[0]["content"])) == said(model, QUESTION, 4)
    served.send(signal.SIGINT)
    ended = served.ended()
    assert (ended.code, ended.out) == (0, "1 requests answered\n"), ended.err


def test_a_port_in_use_is_an_error(url: str, model: Path) -> None:
    port = url.removesuffix("/v1").rpartition(":")[2]
    taken = invoke("serve", model, "--port", port)
    assert taken.code == 1
    assert f"127.0.0.1:{port}: cannot be listened on" in taken.err
    assert "--port" in taken.err


@pytest.mark.parametrize("kind", ["plain", "bos"])
@pytest.mark.parametrize("form", ["alpaca", "koalpaca", "kullm"])
def test_the_template_for_vllm_writes_the_tokens_of_training(
    kind: Any, form: str, tmp_path: Path
) -> None:
    folder = make(tmp_path / "model", "llama", kind)
    command = invoke("serve", folder, "--vllm", "--format", form, "--name", "m", "--json").document
    arguments = command["command"]
    assert arguments[:5] == ["vllm", "serve", str(folder), "--served-model-name", "m"]
    assert shlex.split(command["line"]) == arguments
    chosen = kit19.load_catalog().prompt_format(form)
    assert command["stop"] == chosen.stop
    words = AutoTokenizer.from_pretrained(folder)
    prompts = make_prompts(words, chosen)
    words.chat_template = arguments[arguments.index("--chat-template") + 1]
    for turns in (QUESTION, TALK, [{"role": "system", "content": "친절하게 답하세요."}, *TALK]):
        # As vLLM encodes conversations: the template writes every special token.
        ids = words(words.apply_chat_template(turns, tokenize=False), add_special_tokens=False)[
            "input_ids"
        ]
        assert [ids] == prompts.encode([prompts.conversation(turns)])


def test_an_adapter_is_served_on_its_base(model: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    base = AutoModelForCausalLM.from_pretrained(model)
    adapter = peft.get_peft_model(base, peft.LoraConfig(r=12, target_modules=["q_proj"]))
    adapter.save_pretrained(tmp_path / "tuned")
    command = invoke("serve", tmp_path / "tuned", "--vllm", "--json").document["command"]
    assert command[2] == str(model)
    assert command[3:6] == ["--enable-lora", "--max-lora-rank", "16"]
    assert command[7] == f"tuned={tmp_path / 'tuned'}"
    assert "--chat-template" not in command


@pytest.mark.parametrize(
    ("setting", "named"),
    [({"use_dora": True}, "DoRA"), ({"modules_to_save": ["lm_head"]}, "saved whole")],
)
def test_an_adapter_that_vllm_does_not_serve_is_refused(
    setting: dict[str, Any], named: str, model: Path, tmp_path: Path
) -> None:
    peft = pytest.importorskip("peft")
    base = AutoModelForCausalLM.from_pretrained(model)
    config = peft.LoraConfig(r=4, target_modules=["q_proj"], **setting)
    peft.get_peft_model(base, config).save_pretrained(tmp_path / "tuned")
    done = invoke("serve", tmp_path / "tuned", "--vllm", "--json")
    assert done.code == 1
    assert named in done.err
    assert "kit19 export" in done.err
