"""``kit19 eval --base-url``: a model on a server gets the numbers of the same model loaded here."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")
pytest.importorskip("uvicorn", reason="kit19[serve] is not installed")
pytest.importorskip("tenacity")

from kit19 import Kit19Error, evaluate
from tests.support.invoking import invoke
from tests.support.openai_server import Fault, OpenAIServer
from tests.support.running import running

pytestmark = pytest.mark.usefixtures("loopback")

Models = Callable[..., Path]
TASKS = ["klue_sts", "kobest_copa", "kobest_boolq"]
KINDS = ("plain", "bos", "merging")
LOCAL = Path(__file__).parent / "local_tasks"
TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.fixture(scope="module", params=KINDS)
def served(request: Any, model_of: Models) -> Iterator[tuple[Path, str]]:
    model = model_of("llama", request.param)
    with running(model, "alpaca") as url:
        yield model, url


def lines(folder: Path, task: str) -> list[dict[str, Any]]:
    path = folder / f"samples_{task}.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def equal_samples(one: Path, other: Path, task: str) -> None:
    for ours, theirs in zip(lines(one, task), lines(other, task), strict=True):
        assert ours["prompt"] == theirs["prompt"]
        assert ours["prediction"] == theirs["prediction"]
        assert ours["loglikelihoods"] == pytest.approx(theirs["loglikelihoods"], abs=1e-3)


def test_log_likelihoods_are_those_of_the_loaded_model(
    served: tuple[Path, str], tmp_path: Path
) -> None:
    model, url = served
    options: Any = {"tasks": TASKS, "data_dir": "sample", "limit": 4, "shots": 1}
    here = evaluate(model, tmp_path / "here", device="cpu", **options)
    there = evaluate(
        "tiny", tmp_path / "there", base_url=url, tokenizer=model, batch_size=3, **options
    )
    for task in TASKS:
        assert there.figures[task] == pytest.approx(here.figures[task], abs=1e-4)
        equal_samples(tmp_path / "there", tmp_path / "here", task)
    record = there.record
    assert (record.model.name, record.model.base_url, record.device) == ("tiny", url, "server")
    assert record.model.context == here.record.model.context
    assert record.tasks["klue_sts"].shots == 1


def test_prompts_and_answers_of_a_format_are_those_of_the_loaded_model(
    model_of: Models, tmp_path: Path
) -> None:
    model = model_of("llama")
    reply = LOCAL / "reply.yaml"
    options: Any = {"tasks": ["klue_sts", reply], "data_dir": "sample", "limit": 3}
    options |= {"format": "instruction", "prompt_format": "koalpaca"}
    evaluate(model, tmp_path / "here", device="cpu", **options)
    with running(model, "koalpaca") as url:
        evaluate("tiny", tmp_path / "there", base_url=url, tokenizer=model, **options)
    equal_samples(tmp_path / "there", tmp_path / "here", "klue_sts")
    here, there = (
        [text for line in lines(tmp_path / name, "local_reply") for (text,) in line["resps"]]
        for name in ("here", "there")
    )
    # A server sends no part of a character where the limit of tokens cuts one.
    assert there == [text.rstrip("\ufffd") for text in here]
    assert any(there)


def test_conversations_go_to_the_chat_api(model_of: Models, tmp_path: Path) -> None:
    """A two-turn task, and log-likelihoods in the chat template, of one model."""
    from transformers import AutoTokenizer

    model = tmp_path / "model"
    model.mkdir()
    for path in model_of("llama").iterdir():
        (model / path.name).write_bytes(path.read_bytes())
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(model)
    task = tmp_path / "short.yaml"
    from kit19.evaluating import TASKS as FOLDER

    text = (FOLDER / "conversations" / "logickor.yaml").read_text("utf-8")
    text = text.replace("max_gen_toks: 1024", "max_gen_toks: 8")
    task.write_text(text.replace("task: logickor", "task: short"), encoding="utf-8")
    options: Any = {"tasks": ["klue_sts", task], "data_dir": "sample", "format": "chat"}
    options |= {"limit": 2, "system": "짧게 답하세요."}
    evaluate(model, tmp_path / "here", device="cpu", **options)
    with running(model) as url:
        evaluate("tiny", tmp_path / "there", base_url=url, tokenizer=model, **options)
        only = {**options, "tasks": [task]}  # generated answers need no tokenizer here
        evaluate("tiny", tmp_path / "only", base_url=url, **only)
    equal_samples(tmp_path / "there", tmp_path / "here", "klue_sts")
    answers = [
        [line["resps"] for line in lines(tmp_path / name, "short")]
        for name in ("here", "there", "only")
    ]
    # HFLM leaves the bytes of an incomplete character at the end; a server does not send them.
    assert answers[1] == answers[2]
    assert answers[1] == [
        [[text.rstrip("\ufffd") for text in resps] for resps in line] for line in answers[0]
    ]
    sent = json.loads(lines(tmp_path / "only", "short")[0]["arguments"][1][0][0])
    assert [turn["role"] for turn in sent] == ["system", "user", "assistant", "user"]


def test_a_server_without_log_likelihoods_is_an_error(model_of: Models, tmp_path: Path) -> None:
    with OpenAIServer(lambda _: Fault(404)) as server:
        line = ["eval", "--base-url", server.url, "--model", "m", "--tasks", "klue_sts", "--sample"]
        failed = invoke(*line, "--tokenizer", model_of("llama"), "--out", tmp_path / "out")
    assert failed.code == 1
    assert "gives no log-likelihoods of prompts" in failed.err
    assert "kit19 serve" in failed.err
    assert not (tmp_path / "out").exists()


def test_the_key_is_in_no_message_of_a_server_that_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "geheim-19")
    options: Any = {"tasks": ["logickor"], "data_dir": "sample", "limit": 2, "format": "chat"}
    with OpenAIServer(lambda _: Fault(400)) as server, caplog.at_level("DEBUG"):
        with pytest.raises(Kit19Error, match="does not answer") as failed:
            evaluate("m", tmp_path / "out", base_url=server.url, **options)
        assert {one["Authorization"] for one in server.headers} == {"Bearer geheim-19"}
        message = str(failed.value)
        del failed
        gc.collect()  # asyncio logs errors that nobody asked for when their tasks are gone
    assert "geheim" not in message + caplog.text
    assert "never retrieved" not in caplog.text


def test_another_tokenizer_is_an_error(model_of: Models, tmp_path: Path) -> None:
    other = model_of("llama", "merging")
    options: Any = {"tasks": ["klue_sts"], "data_dir": "sample", "tokenizer": other}
    with (
        running(model_of("llama"), "alpaca") as url,
        pytest.raises(Kit19Error, match="tokenizes otherwise"),
    ):
        evaluate("tiny", tmp_path / "out", base_url=url, **options)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"device": "cpu", "dtype": "float32"}, "--device, --dtype: the server decides this"),
        ({"tokenizer": "no/such/tokenizer"}, "--tokenizer FOLDER"),
        ({"model": "other"}, "has no model 'other'\n    it has tiny"),
    ],
    ids=["local options", "no tokenizer", "no such model"],
)
def test_what_a_server_cannot_know_is_an_error(
    model_of: Models, tmp_path: Path, more: dict[str, Any], says: str
) -> None:
    model = model_of("llama")
    options: Any = {"tasks": ["klue_sts"], "data_dir": "sample", "tokenizer": model, **more}
    name = options.pop("model", "tiny")
    with running(model, "alpaca") as url, pytest.raises(Kit19Error, match=says):
        evaluate(name, tmp_path / "out", base_url=url, **options)


def test_one_model_is_named(tmp_path: Path) -> None:
    for names in ([], ["one", "--model", "other"]):
        failed = invoke("eval", *names, "--out", tmp_path / "out")
        assert failed.code == 2
        assert "name one model: MODEL or --model" in failed.err
