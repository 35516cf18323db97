"""Conversations from files to runs to chat and back, as a person does it."""

from __future__ import annotations

import io
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kit19 import OutputError, TrainError, chat, load_catalog, read_run, train
from kit19.chatting.answering import load_chat_model
from kit19.chatting.generation import SyllableStreamer
from kit19.cli import cli
from kit19.training.rows.conversations import rows_of
from kit19.training.rows.files import load_file_rows
from tests.support.invoking import invoke
from tests.support.mixed_rows import SYSTEM, mixed_rows, write_mixed
from tests.support.prompt_tokenizers import CHATML, byte_level
from tests.support.small_models import save_llama, settings


def base_of(place: Path, template: str = CHATML) -> Path:
    return save_llama(byte_level("<|im_end|>", template), place / "base")


GIVEN: dict[str, Any] = {"format": "chat", "max_length": 512, "allow": ["byte_tokens"]}


def test_a_mixed_file_is_trained_on_row_by_row(tmp_path: Path) -> None:
    rows = mixed_rows(150)
    faults = Counter(row.fault for row in rows if row.fault)
    data = write_mixed(tmp_path / "rows.jsonl", rows)
    assert len(faults) > 2
    base = base_of(tmp_path)
    words: list[Any] = [
        "train",
        "--data",
        data,
        "--model",
        base,
        "--out",
        tmp_path / "run",
        "--quiet",
    ]
    words += ["--format", "chat", "--allow", "byte_tokens", "--set", "max_steps=2"]
    words += ["--set", "max_length=300", "--set", "long_rows=shorten", "--set", "validation=0"]
    words += ["--set", "max_overlong_fraction=1"]
    done = invoke(*words)
    assert done.code == 0, done.err
    record = read_run(tmp_path / "run")
    assert record is not None
    assert record.data.malformed == faults
    counts = record.rows
    assert counts["read"] + counts["malformed"] == len(rows)
    assert counts["train"] + counts["dropped"] == counts["read"]
    assert counts["shortened"] > 0
    assert counts["split"] == 0
    assert f"{faults.total()} rows are malformed and not used" in done.out
    assert f"{counts['shortened']} of them were shortened by their oldest turns" in done.out
    listed = (tmp_path / "run" / "quarantined.jsonl").read_text("utf-8").splitlines()
    assert Counter(json.loads(line)["fault"] for line in listed) == faults
    source = load_file_rows(data, 0, 19).train
    read = [row for batch in source.batches() for row in rows_of(batch)]
    assert [row.turns for row in read] == [row.turns for row in rows if not row.fault]


class StopError(Exception):
    """Where a run was interrupted."""


def test_a_run_keeps_the_date_of_its_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = base_of(tmp_path, "{{ strftime_now('%Y-%m-%d') }}\n" + CHATML)
    data = write_mixed(tmp_path / "rows.jsonl", mixed_rows(20))
    given = GIVEN | {"max_overlong_fraction": 1, "validation": 0}
    how = settings(base, **given, max_steps=3, save_steps=1)

    def stop(what: str, done: int, _total: int) -> None:
        if what.startswith("training") and done > 1:
            raise StopError

    monkeypatch.setattr("kit19.training.rows.prompts._today", lambda: "2026-01-31")
    with pytest.raises(StopError):
        train(data, tmp_path / "run", how, on_progress=stop)
    monkeypatch.setattr("kit19.training.rows.prompts._today", lambda: "2026-02-01")
    done = train(data, tmp_path / "run", how)
    assert (done.resumed, done.record.date) == (1, "2026-01-31")
    turns = [{"role": "user", "content": "가?"}]
    form = load_catalog().prompt_format("chat")
    for folder, date in ((tmp_path / "run", "2026-01-31"), (base, "2026-02-01")):
        prompts = load_chat_model(str(folder), None, lambda _: form).prompts
        assert prompts.conversation(turns).startswith(f"{date}\n")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_saved_conversation_is_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    base = base_of(tmp_path)
    saved = tmp_path / "saved.jsonl"
    mine = {"instruction": "넷?", "output": "다섯"}
    saved.write_text(json.dumps(mine), "utf-8")  # without a line break at the end
    typed = f"/save {saved}\n/system {SYSTEM}\n/system\n하나?\n둘?\n/save {saved}\n/reset\n"
    typed += f"/system -\n셋?\n/save {saved}\n/save\n/quit\n"
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    # A random model may answer nothing; what is kept of a conversation is not its matter.
    from kit19.chatting.answering import ChatModel

    heard: list[list[dict[str, str]]] = []

    def stream(_self: ChatModel, turns: list[dict[str, str]], **_: Any) -> Any:
        heard.append([*turns])
        yield "네, 그래요."

    monkeypatch.setattr(ChatModel, "stream", stream)
    cli(["chat", str(base)], standalone_mode=False)
    said = capsys.readouterr().out
    assert "there is no conversation to save" in said
    assert f"(5 turns saved to {saved})" in said
    assert f"(2 turns saved to {saved})" in said
    assert "(no system prompt)" in said
    assert "unknown command /save" in said
    assert [turn["role"] for turn in heard[1]] == ["system", "user", "assistant", "user"]
    assert heard[2] == [{"role": "user", "content": "셋?"}]
    lines = [json.loads(line) for line in saved.read_text("utf-8").splitlines()]
    assert lines[0] == mine
    assert [len(line["messages"]) for line in lines[1:]] == [5, 2]
    how = settings(base, **GIVEN, max_steps=1, validation=0)
    record = train(saved, tmp_path / "run", how).record
    assert (record.rows["train"], record.rows["conversations"], record.data.malformed) == (3, 1, {})


def test_a_system_prompt_without_a_place_is_refused(tmp_path: Path) -> None:
    ignoring = CHATML.replace("in messages", "in messages if m.role != 'system'")
    with pytest.raises(TrainError, match="the chat template leaves a system prompt out"):
        chat(base_of(tmp_path, ignoring), system=SYSTEM)
    done = invoke("chat", tmp_path / "base", "--system", SYSTEM, "--prompt", "가?")
    assert (done.code, "leaves a system prompt out" in done.err) == (1, True)
    talk = chat(tmp_path / "base", format="alpaca", system=SYSTEM)
    with pytest.raises(TrainError, match="the chat template leaves a system prompt out"):
        talk.use_format("chat")
    assert talk.format_name == "alpaca"
    talk.turns = [{"role": "user", "content": "가?"}, {"role": "assistant", "content": "나"}]
    with pytest.raises(OutputError, match="cannot be written"):
        talk.save(tmp_path)
    talk.turns[1]["content"] = "\n"
    with pytest.raises(TrainError, match="an answer is empty"):
        talk.save(tmp_path / "saved.jsonl")
    assert not (tmp_path / "saved.jsonl").exists()


def test_earlier_turns_go_before_the_system_prompt(tmp_path: Path) -> None:
    talk = chat(base_of(tmp_path), system=SYSTEM, max_new_tokens=8)
    talk.turns = [{"role": role, "content": "이야기 " * 40} for role in ("user", "assistant") * 3]
    model = talk._loaded()
    ids = model.fit_prompt([*talk.messages, {"role": "user", "content": "끝?"}], 8)
    text = model.prompts.tokenizer.decode(ids)
    assert len(ids) <= model.window - 8
    assert SYSTEM in text
    assert text.count("이야기") in (0, 40, 80, 120)
    assert "끝?" in text


@pytest.mark.parametrize(
    "text", ["한국어로 답해요.", "가\U0001f600나\n다 라", "하\u1112\u1161\u11ab글"]
)
def test_streaming_never_shows_a_part_of_a_syllable(text: str) -> None:
    import torch

    tokenizer = byte_level()
    streamer = SyllableStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(ids) > len(text)
    streamer.put(torch.tensor([1, 2, 3]))
    for number in ids:
        streamer.put(torch.tensor([number]))
    streamer.end()
    pieces = list(streamer)
    assert "".join(pieces) == text
    assert len(list(filter(None, pieces))) >= 2
    assert not any("\ufffd" in piece for piece in pieces)
    assert not any(piece.endswith(("\u1112", "\u1161")) for piece in pieces)
    # Generation that ends inside a syllable.
    streamer = SyllableStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
    streamer.put(torch.tensor([1]))
    part = tokenizer("한국", add_special_tokens=False)["input_ids"][:-1]
    for number in part:
        streamer.put(torch.tensor([number]))
    streamer.end()
    assert "".join(streamer) == "한"
