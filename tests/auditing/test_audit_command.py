"""Tests of the command ``kit19 audit`` from a user's view."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.support.exams import INNOCENT, SENTENCES, small_catalog, write_jsonl
from tests.support.invoking import run_main

ANSI = "\x1b[31m\x1b]0;title\x07"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with cards, their data, a leaking dataset and a clean one."""
    small_catalog(tmp_path / "cards")
    write_jsonl(tmp_path / "leaks.jsonl", [INNOCENT[0], {"text": SENTENCES[5]}, SENTENCES[2]])
    write_jsonl(tmp_path / "clean.jsonl", list(INNOCENT))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KIT19_DATA_DIR", "cards/data")
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


def shown(
    capsys: pytest.CaptureFixture[str],
    *arguments: str,
    code: int = 0,
) -> tuple[str, str]:
    assert run_main("audit", "--catalog-only", "cards", *arguments) == code
    out, err = capsys.readouterr()
    return out, err


@pytest.mark.usefixtures("place")
def test_the_table_and_the_first_hits_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = shown(capsys, "leaks.jsonl")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0][:4] == ["benchmark", "items", "compromised", "share"]
    assert lines[1] == ["exam_pairs", "3", "0", "0.0%", "0", "0", "0", "1"]
    assert lines[2] == ["exam_sides", "3", "1", "33.3%", "1", "0", "0", "1"]
    assert "\n2 of 3 rows contain benchmark text\n" in out
    assert "row 1, column text: equal to exam_sides test/q0 (two)" in out
    assert "row 2: equal to exam_pairs test/q1 (one)" in out
    assert out.count(SENTENCES[5]) == 2
    assert "rows" in err


@pytest.mark.usefixtures("place")
def test_clean_data_is_reported_as_clean(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = shown(capsys, "clean.jsonl", "--fail-on-hit", "-q")
    assert "nothing found in 3 rows" in out
    assert err == ""


@pytest.mark.usefixtures("place")
def test_hits_fail_only_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    without, _ = shown(capsys, "leaks.jsonl")
    asked, _ = shown(capsys, "leaks.jsonl", "--fail-on-hit", code=3)
    assert asked == without
    # A benchmark that the dataset does not touch fails nothing.
    shown(capsys, "clean.jsonl", "--against", "exam_pairs", "--fail-on-hit")


@pytest.mark.usefixtures("place")
def test_json_is_one_document_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = shown(capsys, "leaks.jsonl", "--json", "--fail-on-hit", code=3)
    document = json.loads(out)
    fields = ["dataset", "rows_read", "rows", "hits", "benchmarks", "not_searched", "notes"]
    fields += ["not_searched_for", "common", "allowed"]
    assert list(document) == fields
    assert (document["dataset"], document["rows_read"], document["rows"]) == (
        "leaks.jsonl",
        3,
        [1, 2],
    )
    assert {"row", "benchmark", "item", "rule", "overlap"} < set(document["hits"][0])
    assert document["benchmarks"]["exam_sides"]["ids"] == ["test/q0"]
    assert SENTENCES[5] in out
    assert err == ""


def test_a_folder_of_results_is_written_and_written_again_alike(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = shown(capsys, "leaks.jsonl", "--out", "results/one", "--json")
    folder = place / "results" / "one"
    names = ["audit.json", "hits.parquet", "report.html"]
    assert sorted(path.name for path in folder.iterdir()) == [*names, "shards"]
    assert json.loads((folder / "audit.json").read_text("utf-8")) == json.loads(out)
    assert pl.read_parquet(folder / "hits.parquet").to_dicts() == json.loads(out)["hits"]
    before = [(folder / name).read_bytes() for name in names]
    shown(capsys, "leaks.jsonl", "--out", "results/one")
    assert [(folder / name).read_bytes() for name in names] == before
    shown(capsys, "clean.jsonl", "--out", "results/one")
    assert [(folder / name).read_bytes() for name in names] != before


def test_a_folder_of_somebody_else_is_left_alone(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "mine").mkdir()
    (place / "mine" / "thesis.txt").write_text("years of work")
    _, err = shown(capsys, "leaks.jsonl", "--out", "mine", "-q", code=1)
    assert "holds files that kit19 did not write" in err
    assert (place / "mine" / "thesis.txt").read_text() == "years of work"


def test_a_text_cannot_speak_to_the_terminal(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {f"{ANSI}a": f"{ANSI}{SENTENCES[5]}\n\u202e뒤집힌 말"}
    write_jsonl(place / "odd.jsonl", [row])
    out, _ = shown(capsys, "odd.jsonl")
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert SENTENCES[5] in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.jsonl"], "nowhere.jsonl: does not exist"),
        (["leaks.jsonl", "--against", "exam_pair"], "did you mean exam_pairs"),
        (["leaks.jsonl", "--column", "txet"], "did you mean text?"),
        (["leaks.jsonl", "--data-dir", "elsewhere"], "kit19 fetch"),
        (["bad.jsonl"], "bad.jsonl:2: is not valid JSON"),
    ],
)
def test_a_mistake_is_reported_without_a_traceback(
    arguments: list[str],
    message: str,
    place: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (place / "bad.jsonl").write_text('{"a": "b"}\n{"a": \n')
    out, err = shown(capsys, *arguments, "-q", code=1)
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert "Traceback" not in err


@pytest.mark.usefixtures("place")
def test_a_wrong_command_line_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    shown(capsys, code=2)
    shown(capsys, "leaks.jsonl", "--colum", "text", code=2)


_MEMORY = """
import resource, sys
from kit19.auditing import audit
result = audit(sys.argv[1], [sys.argv[2]])
print(result.rows_read, len(result.rows), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_follow_the_size_of_the_dataset(tmp_path: Path) -> None:
    exam = write_jsonl(tmp_path / "exam.jsonl", list(SENTENCES))
    texts = [f"{text} " * 12 for text in INNOCENT]
    peaks, sizes = [], []
    for name, size in (("small.jsonl", 12), ("large.jsonl", 72)):
        lines = [json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts]
        block = "".join(lines) * 2_000
        with (tmp_path / name).open("w", encoding="utf-8") as stream:
            for _ in range(size // 4):
                stream.write(block)
            stream.write(lines[0] + json.dumps({"text": SENTENCES[0]}) + "\n")
        done = subprocess.run(
            [sys.executable, "-c", _MEMORY, str(tmp_path / name), str(exam)],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "POLARS_MAX_THREADS": "2"},
        )
        rows, found, peak = map(int, done.stdout.split())
        assert (rows, found) == (6_000 * (size // 4) + 2, 1)
        peaks.append(peak / 1024)
        sizes.append((tmp_path / name).stat().st_size / 2**20)
    # If the file were held in memory, 80 MB more would need that much more; allocators keep less.
    assert peaks[1] - peaks[0] < (sizes[1] - sizes[0]) / 2, (peaks, sizes)
