"""The ``kit19 eval`` command: its files, cautions and errors."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kit19.core.results import read_record, read_samples, samples_path
from kit19.evaluating import default_tasks
from kit19.evaluating.source import find_benchmark
from kit19.sample import SAMPLE
from tests.support.invoking import Outcome, invoke
from tests.support.warm import start

Models = Callable[..., Path]
ONE = ["--tasks", "klue_sts", "--sample"]


def _eval(model: Path | str, out: Path, *more: str) -> Outcome:
    return invoke("eval", str(model), "--out", str(out), "--device", "cpu", *more)


def test_a_results_folder_has_the_harness_s_content_and_more(
    model_of: Models, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    ran = _eval(model_of(), out, "--sample", "--json")
    assert ran.code == 0, ran.err
    document = json.loads((out / "results.json").read_text("utf-8"))
    assert document["results"]["klue_sts"]["acc,none"] == pytest.approx(
        json.loads(ran.out)["results"]["klue_sts"]["acc,none"]
    )
    assert "acc_norm,none" in document["results"]["kobest_hellaswag"]
    record = read_record(document, "results.json")
    assert record is not None
    assert record.sample
    assert sorted(record.tasks) == default_tasks()
    samples = list(read_samples(samples_path(out, "kobest_copa")))
    assert [sample.doc_id for sample in samples] == list(range(len(samples)))
    assert all(len(sample.choices) == 2 for sample in samples)
    right = sum(sample.prediction == sample.gold for sample in samples) / len(samples)
    assert document["results"]["kobest_copa"]["acc,none"] == pytest.approx(right)
    assert str(tmp_path) not in (out / "results.json").read_text("utf-8")


def test_doc_ids_are_rows_of_the_file_and_prompts_are_the_harness_s_to_the_blank(
    model_of: Models, tmp_path: Path, sample_dir: Path
) -> None:
    out = tmp_path / "results"
    assert _eval(model_of(), out, "--sample").code == 0
    lines = (sample_dir / "kobest/v1.0/COPA/test.tsv").read_text("utf-8").splitlines()
    header = lines[0].split("\t")
    for sample in read_samples(samples_path(out, "kobest_copa")):
        row = dict(zip(header, lines[1 + sample.doc_id].split("\t"), strict=False))
        connector = {"원인": "왜냐하면", "결과": "그래서"}[row["question"]]
        assert sample.prompt == f"{row['sentence']}  {connector}"
        assert sample.choices == [row["1"], row["2"]]
        assert sample.gold == int(row["Answer"]) - 1
        assert sample.item == f"test/{row['ID']}"
    boolq = next(read_samples(samples_path(out, "kobest_boolq")))
    assert " 질문: " in boolq.prompt
    assert boolq.prompt.endswith("? 답변: ") or boolq.prompt.endswith(" 답변: ")
    assert boolq.choices == ["아니오", "예"]


def test_the_same_run_gives_the_same_bytes_and_uses_the_cache(
    model_of: Models, tmp_path: Path, own_cache: Path
) -> None:
    moved = shutil.copytree(model_of(), tmp_path / "elsewhere" / model_of().name)
    assert _eval(model_of(), tmp_path / "a", *ONE).code == 0
    before = _batches(own_cache)
    assert _eval(moved, tmp_path / "b", *ONE).code == 0  # by content, never by path
    assert _batches(own_cache) == before > 0
    assert _eval(model_of(), tmp_path / "c", *ONE, "--no-cache").code == 0
    read = [(tmp_path / name / "results.json").read_bytes() for name in "abc"]
    assert read[0] == read[1] == read[2]


def _batches(cache: Path) -> int:
    base = sqlite3.connect(cache / "scores" / "scores.sqlite")
    try:
        return int(base.execute("SELECT count(*) FROM scores").fetchone()[0])
    except sqlite3.OperationalError:  # not made yet
        return 0
    finally:
        base.close()


# The command line, which goes no further than its 30th batch: it cannot end before it is killed.
HOLDS = """
import itertools, time
from kit19.__main__ import main
from kit19.evaluating.score_cache import ScoreCache

put, numbers = ScoreCache.put, itertools.count(1)

def hold(*arguments):
    put(*arguments)
    while next(numbers) >= 30:
        time.sleep(0.01)

ScoreCache.put = hold
main()
"""


def test_resuming_after_a_kill_gives_the_same_bytes(
    model_of: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Many small batches.
    given = ["--tasks", "klue_ynat,kobest_copa", "--sample", "--quiet", "--batch-tokens", "64"]
    words: list[str | Path] = [
        "eval",
        model_of(),
        "--out",
        tmp_path / "out",
        "--device",
        "cpu",
        *given,
    ]
    environment = {"KIT19_CACHE": str(tmp_path / "killed"), "OMP_NUM_THREADS": "1"}
    killed = start(*words, folder=tmp_path, code=HOLDS, **environment)
    scores = tmp_path / "killed" / "scores" / "scores.sqlite"
    while killed.is_running and not (scores.exists() and _batches(tmp_path / "killed") >= 5):
        time.sleep(0.01)
    killed.send(signal.SIGKILL)
    assert killed.ended().code == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    known = _batches(tmp_path / "killed")
    for cache, out in (("killed", "out"), ("undisturbed", "whole")):
        monkeypatch.setenv("KIT19_CACHE", str(tmp_path / cache))
        ran = _eval(model_of(), tmp_path / out, *given)
        assert ran.code == 0, ran.err
    assert _batches(tmp_path / "killed") == _batches(tmp_path / "undisturbed") > known
    for path in sorted((tmp_path / "whole").iterdir()):
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("no/such/folder/here", "no such folder"),
        ("empty", "no config.json"),
        ("bare", "has no tokenizer"),
        ("pickled", "--allow-pickle"),
        ("weightless", "no weights"),
    ],
)
def test_an_invalid_model_is_refused_with_the_reason(
    model_of: Models, tmp_path: Path, model: str, message: str
) -> None:
    good = model_of()
    (tmp_path / "empty").mkdir()
    leave_out = {
        "bare": ("token*",),
        "pickled": ("*.safetensors",),
        "weightless": ("*.safetensors",),
    }
    for name, patterns in leave_out.items():
        shutil.copytree(good, tmp_path / name, ignore=shutil.ignore_patterns(*patterns))
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"")
    ran = _eval(model if "/" in model else tmp_path / model, tmp_path / "out", *ONE)
    assert ran.code == 1
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "out").exists()


def test_an_unknown_task_suggests_the_nearest_name(model_of: Models, tmp_path: Path) -> None:
    ran = _eval(model_of(), tmp_path / "out", "--tasks", "kobest_copaa", "--sample")
    assert ran.code == 1
    assert "there is no task 'kobest_copaa'" in ran.err
    assert "kobest_copa" in ran.err.partition("did you mean")[2]


def test_missing_and_altered_benchmark_files_are_listed_at_once(
    model_of: Models, tmp_path: Path, sample_dir: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(sample_dir / "kobest", data / "kobest")  # other bytes than the card's
    ran = _eval(model_of(), tmp_path / "out", "--data-dir", str(data))
    assert ran.code == 1
    assert "kobest/v1.0/COPA/test.tsv" in ran.err
    assert "klue-sts-v1.1_dev.json" in ran.err
    assert "kit19 fetch klue" in ran.err


def test_examples_from_the_scored_split_are_a_caution(model_of: Models, tmp_path: Path) -> None:
    ran = _eval(model_of(), tmp_path / "out", *ONE, "--shots", "2", "--json")
    assert ran.code == 0, ran.err
    codes = {one["code"] for one in json.loads(ran.out)["kit19"]["cautions"]}
    if find_benchmark("klue_sts", SAMPLE).shots:
        assert "shots_from_scored_split" not in codes
    else:
        assert "shots_from_scored_split" in codes
    for sample in read_samples(samples_path(tmp_path / "out", "klue_sts")):
        shown, _, asked = sample.prompt.rpartition("\n\n")
        assert asked not in shown


def test_an_instruction_format_wraps_the_question_and_scores_its_blank_with_the_answer(
    model_of: Models, tmp_path: Path
) -> None:
    given = ("--format", "instruction", "--prompt-format", "koalpaca")
    ran = _eval(model_of(), tmp_path / "out", "--tasks", "kobest_sentineg", "--sample", *given)
    assert ran.code == 0, ran.err
    sample = next(read_samples(samples_path(tmp_path / "out", "kobest_sentineg")))
    assert sample.prompt.startswith("### 질문: 문장: ")
    assert sample.prompt.endswith("긍부정:\n\n### 답변: ")
    assert "format instruction (koalpaca)" in ran.out


def test_impossible_formats_are_refused(model_of: Models, tmp_path: Path) -> None:
    chat = _eval(model_of(), tmp_path / "out", *ONE, "--format", "chat")
    assert chat.code == 1
    assert "no chat template" in chat.err
    unnamed = _eval(model_of(), tmp_path / "out", *ONE, "--format", "instruction")
    assert unnamed.code == 1
    assert "--prompt-format" in unnamed.err


def test_tasks_prints_the_folder_for_the_harness() -> None:
    folder = Path(invoke("tasks", "--path").out.strip())
    assert (folder / "klue_ynat.yaml").is_file()
    listed = json.loads(invoke("tasks", "--json").out)
    assert {one["id"] for one in listed} == {path.stem for path in folder.rglob("*.yaml")}
