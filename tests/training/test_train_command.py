"""kit19 train, merge and chat, as a person calls them."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from kit19 import train
from kit19.cli import cli
from kit19.training.settings import Lora, Settings, Tiny
from tests.support.invoking import invoke
from tests.support.small_models import SAVE, rows, settings, write_rows


def call(*words: Any, text: str | None = None) -> str:
    done = invoke(*words, text=text)
    assert done.code == 0, done.err
    return done.out


def refused(*words: Any) -> str:
    done = invoke(*words)
    assert done.code == 1
    return done.err


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("commands")
    how = settings(max_steps=40, num_train_epochs=99, per_device_train_batch_size=8, validation=0)

    return train(data, place / "run", how, cache=place / "cache").folder


def test_train_writes_a_run_and_reports_it(data: Path, tokenizer: Any, tmp_path: Path) -> None:
    model = SAVE["llama"](tokenizer, tmp_path / "base")
    words = ["train", "--data", data, "--model", model, "--out", tmp_path / "run", "--quiet"]
    words += ["--set", "max_steps=2", "--set", "validation=8", "--format", "koalpaca"]
    words += ["--set", "method=lora", "--set", "lora.rank=4", "--merge"]
    said = call(*words)
    assert "base, lora: 2 steps" in said
    assert "unverified" in said
    assert (tmp_path / "run" / "model.safetensors").is_file()
    found = json.loads((tmp_path / "run" / "run.json").read_text())
    assert found["settings"]["lora"]["rank"] == 4


def test_rows_that_cannot_be_used_are_reported_and_listed(tmp_path: Path) -> None:
    turn = {"role": "user", "content": "안녕하세요"}
    write_rows(tmp_path / "rows" / "a.jsonl", [*rows(40), {"messages": [turn, turn]}])
    write_rows(tmp_path / "rows" / "b.jsonl", [{"text": "글"}, *rows(40)])
    words = ["train", "--data", tmp_path / "rows", "--model", "tiny", "--quiet"]
    note = "2 rows are malformed and not used (1 two in a row, 1 plain text); first "
    place = f"{tmp_path / 'rows' / 'a.jsonl'}:41: turn 2 has the role of the"
    planned = call(*words, "--dry-run", "--gpu-memory", 8)
    assert f"! {note}{place}" in planned
    assert "malformed 2" in planned
    files = [tmp_path / "rows" / name for name in ("a.jsonl", "b.jsonl")]
    words = ["train", "--data", files[0], "--data", files[1], "--model", "tiny", "--quiet"]
    words += ["--set", "max_steps=1", "--set", "validation=0", "--out", tmp_path / "run"]
    assert note in call(*words)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["data"]["malformed"] == {"two in a row": 1, "plain text": 1}
    assert (record["rows"]["read"], record["rows"]["malformed"]) == (80, 2)
    listed = (tmp_path / "run" / "quarantined.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in listed] == [
        {
            "file": "a.jsonl",
            "line": 41,
            "row": 40,
            "fault": "two in a row",
            "why": "turn 2 has the role of the turn before it",
        },
        {
            "file": "b.jsonl",
            "line": 1,
            "row": 0,
            "fault": "plain text",
            "why": "text: is text without a question and an answer",
        },
    ]


def test_a_build_is_trained_on_alone(sample_build: Path, tmp_path: Path) -> None:
    more = write_rows(tmp_path / "a.jsonl", rows(4))
    words = ["train", "--data", sample_build, "--data", more, "--model", "tiny", "--dry-run"]
    assert "is a build, and other rows are given too" in refused(*words)


def test_a_dry_run_shows_settings_and_memory(data: Path, tmp_path: Path) -> None:
    words = ["train", "--data", data, "--model", "tiny", "--dry-run", "--quiet"]
    said = call(*words, "--gpu-memory", 8)
    heading = next(line for line in said.splitlines() if "GiB on each GPU" in line)
    values = next(line for line in said.splitlines() if line.startswith("as set"))
    assert heading.split()[-5:] == ["weights", "gradients", "optimizer", "activations", "total"]
    planned = json.loads(call(*words, "--json", "--gpu-memory", 8))["memory"]
    total = f"{planned['total'] / 2**30:.1f}"
    assert (len(values.split()), values.split()[-1]) == (7, total)
    assert "it fits into the 8.0 GiB of one GPU" in said
    found = json.loads(call(*words, "--json", "--gpu-memory", "0.5"))
    assert found["changes"] is None
    assert found["memory"]["total"] > found["available"]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--model", "tiny"], "give --out, or --dry-run"),
        (["--model", "tiny", "--preset", "tiny", "--out", "x"], "is a preset already"),
    ],
)
def test_a_wrong_command_line_is_reported(words: list[str], told: str, data: Path) -> None:
    done = invoke("train", "--data", data, *words)
    assert done.code == 2
    assert told in done.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--model", "tinny"], "there is no preset 'tinny'\n    did you mean tiny?"),
        (["--model", "x", "--preset", "tinny"], "did you mean tiny?"),
        (["--model", "./gone"], "./gone: there is no such folder, and it is not a Hub id"),
        (["--set", "learnig_rate=1"], "no setting 'learnig_rate'\n    did you mean learning_rate"),
        (["--set", "tiny.layer=1"], "did you mean tiny.layers"),
        (
            ["--set", "optim=adam_torch"],
            "there is no 'adam_torch'\n    did you mean adamw_torch",
        ),
        (["--set", "lr_scheduler_type=cosin"], "there is no 'cosin'\n    did you mean cosine?"),
        (["--set", "report_to=wanb"], "there is no 'wanb'\n    did you mean wandb"),
        (["--set", "report_to=clearml"], "clearml cannot be used here: it is not installed"),
        (
            ["--set", "per_device_train_batch_size=0"],
            "per_device_train_batch_size: input should be greater than or equal to 1",
        ),
        (["--set", "layout=pack"], "layout: input should be 'packed', 'grouped' or 'padded'"),
        (["--set", "learning_rate=0"], "learning_rate: input should be greater than 0"),
        (
            ["--set", "max_overlong_fraction=1.5"],
            "max_overlong_fraction: input should be less than or equal to 1",
        ),
        (["--set", "pack_length=8"], "`pack_length` must not be below `max_length`"),
        (["--format", "kulm"], "did you mean kullm?"),
        (["--data", "gone.jsonl"], "gone.jsonl: does not exist"),
    ],
)
def test_a_wrong_name_or_value_is_reported_with_a_suggestion(
    words: list[str], told: str, data: Path, tmp_path: Path
) -> None:
    given = [
        "train",
        "--data",
        str(data),
        "--model",
        "tiny",
        "--out",
        str(tmp_path / "run"),
        *words,
    ]
    assert told in refused(*given)
    assert not (tmp_path / "run").exists()


def test_chat_answers_once_or_from_a_pipe(run: Path) -> None:
    asked = "이 평이 좋은 평인지 나쁜 평인지 말해 주세요."
    once = call("chat", run, "--prompt", asked)
    assert "평이에요" in once
    assert call("chat", run, text=asked) == once
    found = json.loads(call("chat", run, "--prompt", asked, "--json"))
    assert found == {"prompt": asked, "answer": once.rstrip("\n"), "format": "koalpaca"}


def test_a_conversation_has_commands_and_longer_texts(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    typed = '이 평이\\\n좋은가요?\n"""\n두 줄\n이에요\n"""\n/template\n/template alpaca\n'
    typed += "/template nope\n/what\n/help\n/reset\n/quit\n"
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    from kit19.chatting import chat as chatting

    asked: list[str] = []
    send = chatting.Chat.send

    def heard(self: chatting.Chat, text: str) -> Any:
        asked.append(text)
        return send(self, text)

    monkeypatch.setattr(chatting.Chat, "send", heard)
    cli(["chat", str(run)], standalone_mode=False)
    said = capsys.readouterr().out
    assert asked == ["이 평이\n좋은가요?", "두 줄\n이에요"]
    assert "trained on unverified data; prompt format koalpaca" in said
    assert "alpaca: Alpaca, in Korean" in said
    assert "there is no prompt format 'nope'" in said
    assert "unknown command /what" in said
    assert "(cleared)" in said


def test_a_model_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    assert "is not a model: it has no config.json" in refused(
        "chat", tmp_path, "--prompt", "안녕하세요"
    )
    assert "gone: there is no such folder" in refused(
        "chat", tmp_path / "gone", "--prompt", "안녕하세요"
    )
    assert "tiny: is a preset, not a model" in refused("chat", "tiny", "--prompt", "안녕하세요")
    assert "gone: there is no such folder" in refused(
        "merge", tmp_path / "gone", "--out", tmp_path / "merged"
    )


def test_earlier_turns_that_do_not_fit_are_dropped(run: Path) -> None:
    from kit19 import chat

    talk = chat(run, max_new_tokens=8)
    talk.turns = [
        {"role": role, "content": "영화 이야기 " * 200} for role in ("user", "assistant") * 3
    ]
    assert "".join(talk.send("좋은 평인가요?"))
    assert len(talk.turns) == 8


def test_the_help_names_every_setting() -> None:
    listed = set(
        call("train", "--help").partition("Settings for --set")[2].replace(",", "").split()
    )
    fields = {name for name in Settings.model_fields if name not in {"lora", "tiny"}}
    fields |= {f"lora.{name}" for name in Lora.model_fields}
    fields |= {f"tiny.{name}" for name in Tiny.model_fields}
    assert fields - listed == {"id", "title", "about", "model", "stated"} - listed
    known = r"[a-z]+(_[a-z]+)+|(lora|tiny)\.\w+"
    assert {name for name in listed if re.fullmatch(known, name)} <= fields
