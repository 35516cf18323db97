"""Control characters of other people's text: shown, never acted on, whichever command prints them."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19 import Chat, load_catalog
from kit19.cli.output import print_error, print_json, print_piece, print_table, print_text, progress
from kit19.cli.visible import visible, visible_json, visible_line
from kit19.core.errors import Problem
from kit19.drawing.safe_text import printable
from tests.support.invoking import Outcome, invoke, run_main

GOOD = Path(__file__).parents[1] / "catalog" / "bad_cards" / "good"
# Clears the screen, rings, sets the title, turns the line around; C1 does the same in one character.
EVIL = "\x1b[2J\x07\x1b]0;owned\x07\x9b31m\u202e\u2066"
SHOWN = r"\x1b[2J\x07\x1b]0;owned\x07\x9b31m<U+202E><U+2066>"
NAME = EVIL.replace("[", "")  # for folders, whose brackets are another matter
DIRECTIONS = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}


def acts(character: str) -> bool:
    """By Unicode's own tables: a control but tab and line feed, a separator, or a mark of direction."""
    return (
        unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} and character not in "\t\n"
    ) or unicodedata.bidirectional(character) in DIRECTIONS


hostile = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\x1b\x07\r\b\x00\x7f\x85\x9b\u2028\u202e\u2066\u200f\ud800\t\n한🙂[]:\\"),
    )
)


@given(hostile)
def test_no_text_of_a_page_acts_there_and_pages_replace_what_terminals_escape(text: str) -> None:
    replaced = printable(text)
    assert not any(map(acts, replaced))
    for character, one in zip(text, replaced, strict=True):
        assert one == (character if visible(character) == character else "\ufffd")


@given(hostile)
def test_no_text_acts_and_all_of_it_is_shown(text: str) -> None:
    shown = visible(text)
    assert not any(map(acts, shown))
    for character, one in zip(text, map(visible, text), strict=True):
        assert one == character or re.fullmatch(
            r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|<U\+[0-9A-F]{4}>", one
        )
    assert shown == "".join(
        map(visible, text)
    )  # so pieces of a stream are as safe as the complete text
    assert visible(shown) == shown
    assert "\n" not in visible_line(text)
    assert "\t" not in visible_line(text)


@given(st.dictionaries(hostile, hostile | st.integers() | st.lists(hostile)))
def test_json_is_as_safe_and_parses_to_the_same(document: object) -> None:
    text = visible_json(json.dumps(document, ensure_ascii=False, indent=1))
    assert not any(map(acts, text))
    assert json.loads(text) == document


@given(st.lists(st.tuples(hostile, hostile)), hostile)
def test_nothing_that_is_printed_acts(rows: list[tuple[str, str]], text: str) -> None:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        print_table(text, (text, "b"), rows, numbers=("b",))
        print_text(text)
        print_piece(text)
        print_json({text: rows})
        print_error([Problem(text, text, text)])
        with progress(quiet=False) as on_progress:
            on_progress(text, 0, 2)
    assert not any(map(acts, out.getvalue() + err.getvalue()))
    [step] = err.getvalue().splitlines()[-1:]
    assert step.startswith("[1/2] ")  # no line of its own for anything in a step's name


def test_brackets_and_colons_in_a_table_are_text() -> None:
    cells = ["[red]x[/red]", "[/]", ":smile:", "a\\", "[link=http://x]y"]
    with redirect_stdout(io.StringIO()) as out:
        print_table("[b]title[/b]", cells, [cells])
    for cell in [*cells, "[b]title[/b]"]:
        assert cell in out.getvalue()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog whose every text that a command prints is hostile, and a build of it."""
    root = tmp_path_factory.mktemp("shop") / f"cards{NAME}"
    shutil.copytree(GOOD, root)
    quoted = json.dumps(EVIL)
    card = root / "sources" / "cafe.yaml"
    text = card.read_text(encoding="utf-8")
    for old in ("title: Café reviews", "about: Reviews of cafés, marked by the guests themselves."):
        assert old in text
        key, _, words = old.partition(": ")
        text = text.replace(old, f"{key}: {json.dumps(words + EVIL)}")
    text = text.replace("stated_in: README", f"stated_in: {quoted}, doubt: {quoted}")
    text = text.replace("repo: someone/cafe-reviews", f"repo: {quoted}, note: {quoted}")
    card.write_text(
        text.replace("    short: [cafe]", f"    short: [cafe]\n    note: {quoted}"), "utf-8"
    )
    benchmark = root / "benchmarks" / "cafe_test.yaml"
    text = benchmark.read_text(encoding="utf-8")
    benchmark.write_text(text.replace("title: Café reviews, held out", f"title: {quoted}"), "utf-8")
    data = root / "data" / "cafe"
    for name in ("train.tsv", "test.tsv"):
        lines = (data / name).read_text(encoding="utf-8").splitlines(keepends=True)
        fields = [line.rstrip("\n").split("\t") for line in lines]
        at = fields[0].index("review")
        for row in fields[1:]:
            row[at] += EVIL
        changed = "".join("\t".join(row) + "\n" for row in fields)
        (data / name).write_text(changed, encoding="utf-8", newline="\n")
    assert build_shop(root).code == 0
    return root


def where(root: Path) -> list[str]:
    return ["--catalog-only", str(root), "--data-dir", str(root / "data")]


def build_shop(root: Path) -> Outcome:
    return invoke("build", "cafe", *where(root), "--out", root / "out")


def printing(root: Path) -> Iterator[list[str | Path]]:
    """Every command that prints what data, cards, names and documents hold."""
    cards, out = ["--catalog-only", str(root)], root / "out"
    templates = root / "templates" / "cafe_reviews.yaml"
    rows = root / f"rows{NAME}.jsonl"
    row = {f"text{EVIL}": f"손님이 오래 머물다 간 조용한 카페라고 모두 말했다 {EVIL}"}
    rows.write_text(json.dumps(row) + "\n", encoding="utf-8")
    for more in ("", "--json"):
        yield ["sources", *cards, *more.split()]
        yield ["sources", "cafe", *cards, *more.split()]
        yield ["show", "cafe_reviews", *where(root), *more.split()]
        yield ["show", "cafe_reviews", "--from-file", templates, *where(root), *more.split()]
        yield ["lint", *where(root), *more.split()]
        yield ["fetch", "cafe", "--list", *where(root), *more.split()]
        yield ["build", "cafe", *where(root), "--out", root / f"out{NAME}", *more.split()]
        yield ["verify", out, *more.split()]
        yield ["stats", out, *more.split()]
        yield ["explain", out, "cafe_reviews/train/1", *cards, *more.split()]
        yield ["diff", out, root / f"out{NAME}", *more.split()]
        yield ["audit", rows, "--against", rows, *cards, *more.split()]
        yield [
            "audit",
            rows,
            "--against",
            rows,
            "--out",
            root / f"audit{NAME}",
            *cards,
            *more.split(),
        ]


def test_no_command_passes_on_what_others_wrote(shop: Path) -> None:
    shown = 0
    for line in printing(shop):
        result = invoke(*line)
        assert result.code in (0, 3), (line, result)
        acting = [character for character in result.out + result.err if acts(character)]
        assert acting == [], (line, acting)
        if "--json" in line:
            inside = json.dumps(result.document, ensure_ascii=False)
            shown += json.dumps(EVIL, ensure_ascii=False)[1:-1] in inside
        else:
            shown += SHOWN in result.out + result.err
    assert shown >= 10  # the words did come by


MISTAKES = [
    ["show", EVIL],
    ["show", "nsmc", "--template", EVIL],
    ["show", "nsmc", "--style", EVIL],
    ["sources", EVIL],
    ["explain", EVIL, EVIL],
    ["verify", EVIL],
    ["build", EVIL, "--out", "x"],
    ["build", f"{EVIL}.yaml", "--out", "x"],
    ["build", "sample", "--out", "x", "--set", f"{EVIL}=1"],
    ["build", "sample", "--out", "x", "--set", f"seed={EVIL}"],
    ["build", "sample", "--out", "x", "--format", EVIL],
    ["audit", EVIL, "--against", EVIL],
    ["audit", "x.jsonl", "--against", f"{EVIL}.jsonl"],
    ["compare", EVIL, EVIL],
    [EVIL],
    ["show", f"--{EVIL}"],
]


@pytest.mark.parametrize("line", MISTAKES, ids=lambda line: " ".join(line).replace(EVIL, "EVIL"))
def test_no_message_passes_on_what_it_names(
    line: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(*line)
    assert result.code in (1, 2)
    assert result.out == ""
    assert not any(map(acts, result.err))
    assert r"\x1b[2J" in result.err


def test_an_answer_is_shown_as_it_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    # A small model cannot produce these, so a stub streams them character by character.
    talk = SimpleNamespace(
        send=lambda _text: iter(f"안녕{EVIL}\n\t하세요"),
        format_name="alpaca",
        system="",
        name=EVIL,
        run=None,
    )
    monkeypatch.setattr("kit19.chatting.chat.chat", lambda *_, **__: talk)
    result = invoke("chat", "model", "--prompt", "안녕?")
    assert (result.code, result.out) == (0, f"안녕{SHOWN}\n\t하세요\n")
    document = invoke("chat", "model", "--prompt", "안녕?", "--json")
    assert document.document["answer"] == f"안녕{EVIL}\n\t하세요"
    assert not any(map(acts, document.out))


def test_a_mistake_of_ours_is_a_traceback_that_does_not_act() -> None:
    code = f"""
import kit19.__main__, kit19.cli
def main():
    raise ValueError({EVIL!r})
kit19.cli.main = main
kit19.__main__.main()
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert f"ValueError: {SHOWN}\n" in done.stderr
    assert not any(map(acts, done.stderr))


@pytest.mark.parametrize("typed", [b"\xff\xfe", "안녕".encode("cp949")])
def test_a_question_that_is_not_text_is_refused(
    typed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The model is never reached.
    prompts = SimpleNamespace(format=SimpleNamespace(id="alpaca"))
    talk = Chat("model", 9, 0.0, _model=SimpleNamespace(prompts=prompts), _catalog=load_catalog())  # type: ignore[arg-type]
    monkeypatch.setattr("kit19.chatting.chat.chat", lambda *_, **__: talk)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(typed), encoding="utf-8"))
    error = "error: the text is not UTF-8 at character 1\n    type or save it as UTF-8\n"
    for more in ([], ["--prompt", os.fsdecode(typed)], ["--prompt", os.fsdecode(typed), "--json"]):
        result = invoke("chat", "model", *more)
        assert (result.code, result.out, result.err) == (1, "", error)


def test_on_a_terminal_only_our_own_sequences_act(shop: Path) -> None:
    near, far = pty.openpty()
    with os.fdopen(far, "w", encoding="utf-8") as terminal:
        with redirect_stdout(terminal), redirect_stderr(terminal):
            assert run_main("sources", "cafe", "--catalog-only", shop) == 0
            assert run_main("lint", *where(shop)) in (0, 3)
        terminal.flush()
        result = os.read(near, 1 << 20).decode()
    os.close(near)
    assert "\x1b[1m" in result  # a heading is bold: it is a terminal
    assert SHOWN[:6] in result
    for evil in ("\x1b[2J", "\x07", "\x1b]0;", "\x9b", "\u202e", "\u2066"):
        assert evil not in result
