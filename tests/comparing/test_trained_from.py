"""A score is joined with the score of the model that its training started from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit19 import compare
from kit19.comparing import check
from kit19.core.runs import DataEntry
from tests.support.invoking import invoke
from tests.support.simulate import model

TASK = "kobest_copa"
BASE, OTHER = "model-v1:" + "a" * 64, "model-v1:" + "b" * 64


def written(folder: Path, digest: str, base: str | None = None) -> Path:
    """Simulated results of a model with a digest, perhaps trained from one with another."""
    data = None if base is None else DataEntry(label="clean")
    out = model(folder, 0.0 if base is None else 1.0, seed=1, tasks=(TASK,), data=data)
    document = json.loads((out / "results.json").read_text("utf-8"))
    scored = document["kit19"]["model"]
    scored["digest"] = digest
    if base is not None:
        scored["run"]["base"] = {"name": "owner/base", "digest": base}
    (out / "results.json").write_text(json.dumps(document), encoding="utf-8")
    return out


def test_the_base_and_what_was_trained_from_it_are_joined(tmp_path: Path) -> None:
    base, tuned = written(tmp_path / "base", BASE), written(tmp_path / "tuned", OTHER, BASE)
    further = written(tmp_path / "further", "model-v1:" + "c" * 64, OTHER)
    result = compare([base, tuned, further], replicates=200)
    assert [one.trained_from for one in result.models] == ["", "base", "tuned"]
    assert [one.digest[:10] for one in result.models] == [BASE[:10], OTHER[:10], "model-v1:c"]
    [note] = [one for one in result.notes if "digests differ" in one.what]
    assert (note.model, note.task) == ("further", "")
    assert "trained from owner/base, whose files are not those of base" in note.what
    said = invoke("compare", str(base), str(tuned), "--replicates", "200").out
    assert "trained from base, by the digest of its files: tuned" in said
    assert check([base, tuned]) == []


@pytest.mark.parametrize("digest", ["a" * 64, ""])
def test_results_without_this_digest_are_not_joined(digest: str, tmp_path: Path) -> None:
    base, tuned = written(tmp_path / "base", digest), written(tmp_path / "tuned", OTHER, digest)
    result = compare([base, tuned], replicates=200)
    assert [one.trained_from for one in result.models] == ["", ""]
    assert [one.digest for one in result.models] == ["", OTHER]
    assert not any("digests differ" in one.what for one in result.notes)
    [newer] = compare([base, written(tmp_path / "newer", OTHER, BASE)], replicates=200).models[1:]
    assert newer.trained_from == ""
    assert not compare([base, tmp_path / "newer"], replicates=200).notes


def test_real_runs_are_joined_with_the_evaluations_of_their_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("trl", reason="kit19[train] is not installed")
    pytest.importorskip("lm_eval", reason="kit19[eval] is not installed")
    from tests.support.small_models import rows, write_rows

    monkeypatch.setenv("KIT19_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "rows.jsonl", rows())

    def call(*words: str) -> str:
        done = invoke(*words)
        assert done.code == 0, done.err
        return done.out

    def train(name: str, model: str, *changes: str) -> None:
        given = ["max_steps=2", "validation=0", "best=false", "max_length=128", "learning_rate=0.1"]
        sets = [word for change in [*given, *changes] for word in ("--set", change)]
        call("train", "--data", "rows.jsonl", "--model", model, "--format", "koalpaca",
             "--out", name, *sets, "--quiet")  # fmt: skip

    small = ("tiny.layers=2", "tiny.hidden=32", "tiny.heads=2", "tiny.vocabulary=500")
    train("first", "tiny", *small)
    train("tuned", "first")
    train("adapted", "first", "method=lora")
    names = ("first", "tuned", "adapted")
    for name in names:
        call("eval", name, "--out", f"scores/{name}", "--tasks", "klue_sts", "--sample",
             "--device", "cpu", "--quiet")  # fmt: skip
    found = json.loads(call("compare", *(f"scores/{name}" for name in names), "--json"))
    models = {one["name"]: one for one in found["models"]}
    assert set(models) == {"first", "tuned", "first + adapted"}
    assert {name: one["trained_from"] for name, one in models.items()} == {
        "first": "",
        "tuned": "first",
        "first + adapted": "first",
    }
    assert len({one["digest"] for one in models.values()}) == 3
    record = json.loads((tmp_path / "tuned" / "run.json").read_text("utf-8"))
    scores = json.loads((tmp_path / "scores/first/results.json").read_text("utf-8"))
    assert record["base"]["digest"] == scores["kit19"]["model"]["digest"]
