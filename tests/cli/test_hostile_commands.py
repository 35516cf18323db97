"""Thousands of hostile command lines, each in this process, drawn by a seed.

Every option and argument of every command is given each hostile value. Whatever comes of it, the exit
code is one that the documents name, nothing is a traceback, and nothing printed acts on a terminal.
"""

from __future__ import annotations

import functools
import io
import json
import os
import random
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click
import pytest

from kit19 import build
from kit19.cli import cli
from kit19.demo import sample_build
from tests.support.effort import tries
from tests.support.invoking import Outcome, commands, invoke

SEED = 19
PARTS = 8  # so that processes can share the work
QUICK = 26  # command lines of a part
SLOWEST = 60  # seconds after which a command counts as hanging
NOT_OURS = {"lm-eval"}  # the harness's own command line behind ours

ACTS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff]"
)

# What a command is given besides the hostile value; {name} is a path of the world below.
BASES = {
    "sources": [],
    "fetch": ["nsmc", "--data-dir", "{data}"],
    "show": ["nsmc", "-n", "1"],
    "lint": ["math"],
    "build": ["sample", "--out", "{new}", "--set", "subsets=[math]", "--set", "cap=3"],
    "verify": ["{build}"],
    "explain": ["{build}", "math/train/1"],
    "audit": ["{rows}", "--against", "{rows}"],
    "diff": ["{build}", "{build}"],
    "stats": ["{build}"],
    "compare": ["{folder}", "{folder}"],
    "train": ["--data", "{rows}", "--model", "tiny", "--dry-run"],
    "chat": ["{folder}", "--prompt", "안녕"],
    "serve": ["{folder}", "--port", "0"],
    "view": ["{folder}", "--bundle", "{new}", "--bundle-pages", "1"],
    "judge": ["{folder}", "--model", "m", "--base-url", "http://127.0.0.1:9", "--dry-run"],
    "merge": ["{folder}", "--out", "{new}"],
    "export": ["{folder}", "--to", "vllm", "--out", "{new}"],
    "push": ["{build}", "me/mine", "--dry-run", "--accept-sample"],
    "eval": ["{folder}", "--out", "{new}", "--sample"],
    "tasks": [],
    "demo": ["--no-train", "--out", "{new}"],
}

WORDS = [
    *(
        "",
        " ",
        ".",
        "..",
        "/",
        "~",
        "-",
        "--",
        "*",
        "[0]",
        "%s%n",
        "{}",
        "{0}",
        "$(id)",
        "=",
        "a=b",
        "@",
    ),
    *(
        "\x1b[31mred\x07",
        "\x9b31m",
        "\u202egnp.exe",
        "two\nlines",
        "tab\tbed",
        "\r",
        "\udcff\udc80",
    ),
    *(
        "[red]x[/red]",
        "[/]",
        ":smile:",
        "😀",
        "ㅤ",
        "가" * 100,
        "a" * 300,
        "b/" * 3000,
        "c" * 100_000,
    ),
    *(
        "../../etc/passwd",
        "C:\\x",
        "a:b",
        "a@b",
        "file:///etc/passwd",
        "hf://a/b",
        "a/b",
        "a/b@c",
        "a/b/c",
    ),
    *(
        "-1",
        "0",
        "1",
        "1.5",
        "9" * 24,
        "9" * 4301,
        "-" + "9" * 4301,
        "1e999",
        "nan",
        "inf",
        "-inf",
        "٣",
    ),
    *("true", "null", "[]", "{}", "a,b", ",", ",,", "nsmc", "kit19", "sample", "x.yaml", ".yaml"),
]
SETTINGS = [
    "cap",
    "seed",
    "views",
    "validation",
    "subsets",
    "exclude",
    "weights",
    "extra",
    "formats",
]
SETTINGS += [
    "extends",
    "id",
    "title",
    "splits",
    "dedup",
    "license",
    "epochs",
    "batch",
    "max_length",
]
SETTINGS += [
    "lora",
    "lora.rank",
    "lora.targets",
    "tiny",
    "tiny.layers",
    "method",
    "optimizer",
    "model",
]
SETTINGS += [
    "learning_rate",
    "schedule",
    "report_to",
    "stated",
    "threads",
    "save_every",
    "nothing",
    "a.b",
]
VALUES = [
    "",
    "0",
    "-1",
    "1",
    "1.5",
    "9" * 19,
    "9" * 24,
    "9" * 4301,
    "1.0e999",
    "-0.0",
    ".nan",
    "true",
]
VALUES += [
    "null",
    "~",
    "[]",
    "{}",
    "[1]",
    "[[]]",
    "{a: b}",
    "[null]",
    "x",
    "'",
    "&a [*a]",
    "!!set {a}",
]
VALUES += [
    "!!python/object/apply:os.system [id]",
    "[" * 50_000,
    "- " * 50_000 + "a",
    "\x1b[31m",
    "\u202e",
]
VALUES += [
    '"\\u202e\\e[31m"',
    '"\\0"',
    "\udcff",
    "[nsmc, nsmc]",
    "[math]",
    "{math: 1.0e300}",
    "a: b: c",
]
VALUES += [
    "[{name: mine, path: x, license: MIT}]",
    '[{name: mine, path: "\\0", license: MIT}]',
    "none",
]
TEXTS = {
    "empty": "",
    "nul": "\0" * 100,
    "binary.jsonl": "\x89PNG\r\n\x1a\n\0\0",
    "deep.yaml": "- " * 50_000 + "a",
    "brackets.yaml": "[" * 50_000,
    "laughs.yaml": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "digits.yaml": "id: own\ntitle: t\ncap: " + "9" * 4301 + "\nsubsets: [math]\n",
    "controls.yaml": 'id: own\ntitle: "\\e[31m\\a\\u202e"\nsubsets: ["\\e[31m"]\n',
    "list.yaml": "[1, 2]",
    "text.yaml": "text",
    "own.yaml": "id: own\ntitle: t\nextra: [{name: mine, path: fifo, license: MIT}]\n",
    "nul.yaml": 'id: own\ntitle: t\nextra: [{name: mine, path: "a\\0b", license: MIT}]\n',
    "deep.json": "[" * 50_000,
    "digits.json": "9" * 4301,
    "controls.jsonl": json.dumps(
        {"\x1b[31m\x9b\u202e": "\x1b]0;owned\x07\u2066 그 사람은 정말 그랬다"}
    ),
    "surrogate.jsonl": '{"text": "\\ud800 그 사람은 정말로 그랬다고 한다"}\n',
    "bad\x1b[31m\u202e.yaml": "id: [",
}
PIPES = [
    "fifo",
    "fifo.yaml",
    "fifo.jsonl",
    *(f"fifo-{name}/{name}.json" for name in ("manifest", "run")),
]
LINKS = {"loop": "loop", "broken.yaml": "nowhere"}
# Folders like a build, a run, results, a model or an adapter, but for the document that makes them so.
DOCUMENTS = {"deep": "[" * 50_000, "list": "[]", "controls": '{"a": "\x1b[31m"}'}
_KNOWN = ("manifest", "run", "results", "config", "adapter_config")
FOLDERS = [
    "folder.yaml",
    "folder.jsonl",
    *(f"{kind}-{name}" for kind in DOCUMENTS for name in _KNOWN),
]
ODD = ["latin.yaml", "fifo-manifest", "fifo-run", "rows.jsonl/x", "fifo/x", "loop/x"]
ODD += ["/dev/null", "/dev/full", "/dev/zero", "/proc/self/mem"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a build, rows, and files, folders and pipes that no command likes."""
    root = tmp_path_factory.mktemp("hostile") / "a" / "b" / "world"
    root.mkdir(parents=True)
    build("sample", root / "build", changes={"subsets": ["math"], "cap": 3})
    (root / "folder").mkdir()
    (root / "data").mkdir()
    rows = [
        {"instruction": f"{n} 더하기 {n}은 얼마인가요?", "output": f"{n + n}입니다."}
        for n in range(9)
    ]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (root / "rows.jsonl").write_text(text, encoding="utf-8")
    for name, content in TEXTS.items():
        (root / name).write_text(content, encoding="utf-8")
    (root / "latin.yaml").write_bytes(b"id: \xff\xfe")
    for name, to in LINKS.items():
        (root / name).symlink_to(to)
    for name in FOLDERS:
        (root / name).mkdir()
        kind, _, document = name.partition("-")
        if kind in DOCUMENTS:
            (root / name / f"{document}.json").write_text(DOCUMENTS[kind], encoding="utf-8")
    for name in PIPES:
        (root / name).parent.mkdir(exist_ok=True)
        os.mkfifo(root / name)
    return root


def lines() -> list[list[str]]:
    """Every command with every hostile value in every place that takes one."""
    found = []
    values = [*WORDS, *TEXTS, *PIPES, *LINKS, *FOLDERS, *ODD]
    settings = [f"{key}={value}" for key in SETTINGS for value in VALUES]
    for name in commands():
        if name in NOT_OURS:
            continue
        command = cli.get_command(click.Context(cli), name)
        assert command
        base = BASES[name]
        for place in range(len(base)):
            found += [[name, *base[:place], value, *base[place + 1 :]] for value in values]
        for option in command.params:
            if not isinstance(option, click.Option) or option.is_flag:
                continue
            given = settings if option.name == "settings" else values
            found += [[name, *base, f"{option.opts[-1]}={value}"] for value in given]
        found += [[name, *base, value] for value in values]
    # Auditing the complete file system is valid, and slow.
    return [line for line in found if line[0] != "audit" or not {"/", "--against=/"} & set(line)]


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """Fail with the place if a command hangs."""

    def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, stop)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def judge(result: Outcome) -> str:
    """What is wrong with what a command left; empty if nothing is."""
    if result.code not in {0, 1, 2, 3, 130}:
        return f"exit code {result.code}"
    if "Traceback" in result.err + result.out:
        return "a traceback"
    if acting := ACTS.search(result.out + result.err):
        return f"prints {acting[0]!r}"
    if (
        result.code == 1
        and not result.err.startswith(("error: ", "[", "\n"))
        and "error: " not in result.err
    ):
        return "fails without a word"
    return ""


@pytest.mark.parametrize("part", range(PARTS))
def test_hostile_command_lines_end_with_a_message(
    part: int, world: Path, harness_files: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(world)
    monkeypatch.setenv("KIT19_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    # The demo shows three subsets; what it builds besides makes no line more hostile.
    few = {"subsets": ["nsmc", "kobest_copa", "kowiki_closed_qa"], "cap": 3}
    monkeypatch.setattr(sample_build, "build", functools.partial(build, changes=few))
    everything = lines()
    random.Random(SEED).shuffle(everything)
    mine = everything[part::PARTS][: tries(QUICK, len(everything))]
    wrong = []
    for number, line in enumerate(mine):
        new = tmp_path / str(number) / "new"
        paths = {
            "new": new,
            "build": "build",
            "rows": "rows.jsonl",
            "folder": "folder",
            "data": "data",
        }
        words = [str(paths[word[1:-1]]) if word[1:-1] in paths else word for word in line]
        shown = [word if len(word) < 60 else f"{word[:40]}… ({len(word)})" for word in words]
        signal.setitimer(signal.ITIMER_REAL, SLOWEST)
        try:
            fault = judge(invoke(*words))
        except BaseException as error:
            fault = f"raises {type(error).__name__}: {error}"[:300]
        signal.setitimer(signal.ITIMER_REAL, 0)
        if fault:
            wrong.append(f"{shown}: {fault}")
    assert wrong == [], "\n".join(wrong)
