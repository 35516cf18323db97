"""``kit19 train --push-to``: checkpoints on the Hub while a run is trained, then the run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from kit19 import OutputError, RunPusher, build, push, read_run, train
from tests.support.hub_server import Blob, HubServer, Repo
from tests.support.invoking import Outcome, invoke
from tests.support.small_models import SAVE, settings

REPO = "me/model"
STATE = re.compile(r"optimizer|scheduler|scaler|rng_state|trainer_state|training_args|losses|plan")


@pytest.fixture(autouse=True)
def no_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # the command sets it; undone after


def trained(data: Path, out: Path, *more: Any, steps: int = 4) -> Outcome:
    sizes = {"layers": 1, "hidden": 16, "heads": 2, "vocabulary": 400}
    given = {f"tiny.{name}": value for name, value in sizes.items()}
    given |= {"max_steps": steps, "save_steps": 2, "logging_steps": 1, "validation": 0}
    words = [word for name, value in given.items() for word in ("--set", f"{name}={value}")]
    words += ["--set", "best=false", "--set", "max_length=64", "--quiet"]
    return invoke("train", "--data", data, "--model", "tiny", "--out", out, *words, *more)


def assert_no_local_path(hub: HubServer, *places: Path) -> None:
    """No file of any commit names a folder of this machine, and none is state of the training."""
    for files in hub.repos[REPO].commits.values():
        assert not [name for name in files if STATE.search(name) or "/" in name]
        for name, blob in files.items():
            for place in places:
                assert str(place).encode() not in blob.data, name


def test_each_checkpoint_is_a_commit_and_the_finished_run_the_last(
    data: Path, hub: HubServer, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    done = trained(data, run, "--push-to", REPO, "--private")
    assert done.code == 0, done.err
    repo = hub.repos[REPO]
    assert repo.private
    titles = repo.messages[1:]
    assert [title.rpartition(", ")[2] for title in titles] == [
        "step 2 of 4",
        "step 4 of 4",
        "unverified",
    ]
    assert f"{hub.url}/{REPO} (main) is published" in done.out
    assert_no_local_path(hub, tmp_path, data)
    assert push(run, REPO, private=True).outcome == "unchanged"  # the end was as `kit19 push`
    first = list(repo.commits.values())[1]
    loadable = {"model.safetensors", "config.json", "tokenizer.json", "generation_config.json"}
    assert loadable <= set(first)
    half = json.loads(first["run.json"].data)
    assert (half["settings"]["steps"], half["settings"]["unfinished"]) == (2, "after step 2 of 4")
    card = first["README.md"].data.decode()
    assert "**The training is not finished:** this is the state after step 2 of 4." in card
    assert "not finished" not in repo.files()["README.md"].data.decode()
    assert first["model.safetensors"].data != repo.files()["model.safetensors"].data


def test_a_push_that_fails_stops_nothing_and_is_repeated(
    data: Path, hub: HubServer, tmp_path: Path
) -> None:
    hub.fail(f"POST /api/models/{REPO}/commit", 409)
    done = trained(data, tmp_path / "run", "--push-to", REPO)
    assert done.code == 0
    (note,) = done.err.splitlines()
    assert "! the push after step 2 failed: me/model: another change to it is in" in note
    assert note in done.out  # the notes of the run
    assert ["step 4 of 4" in one for one in hub.repos[REPO].messages] == [False, True, False]
    trained(data, tmp_path / "alone")
    names = ("model.safetensors", "run.json", "curves.json")
    for name in names:  # the training is what it is without a Hub
        expected = (tmp_path / "alone" / name).read_bytes()
        assert (tmp_path / "run" / name).read_bytes() == expected


def test_a_last_push_that_fails_ends_with_one_and_the_command_that_repeats_it(
    data: Path, hub: HubServer, tmp_path: Path
) -> None:
    for _ in range(2):
        hub.fail(f"POST /api/models/{REPO}/(preupload|commit)", 403)
    run = tmp_path / "run"
    done = trained(data, run, "--push-to", REPO, "--private", steps=2)
    assert done.code == 1
    assert "the token does not give the permission" in done.err
    assert f"kit19 push {run} {REPO} --private" in done.err
    assert read_run(run) is not None
    assert push(run, REPO, private=True).outcome == "pushed"


@pytest.mark.parametrize(
    ("repo", "message"),
    [
        ("me", "'me' is not a valid repository name"),
        ("me/others", "has files that kit19 did not write (data.csv)"),
        ("me/away", "the Hub failed"),
    ],
)
def test_a_repository_that_cannot_be_pushed_to_is_refused_before_the_first_step(
    repo: str, message: str, data: Path, hub: HubServer, tmp_path: Path
) -> None:
    hub.repos["me/others"] = Repo(private=False)
    hub.repos["me/others"].commit({"data.csv": Blob(b"a")}, "theirs")
    hub.fail("GET /api/models/me/away", 500)
    done = trained(data, tmp_path / "run", "--push-to", repo)
    assert done.code == 1
    assert message in done.err
    assert not (tmp_path / "run").exists()
    assert hub.writes() == []


def test_terms_are_checked_before_the_first_step(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = tmp_path / "built"
    build("sample", built, changes={"subsets": ["unsmile"], "cap": 20})
    words = ["--set", "max_length=512", "--push-to", REPO]
    done = trained(built, tmp_path / "run", *words, "--accept-sample")
    assert done.code == 1
    assert "it was trained on unsmile, whose licenses forbid" in done.err
    done = trained(built, tmp_path / "run", *words, "--accept-unclear")
    assert done.code == 1
    assert "its training data is kit19's own sample" in done.err
    assert "--accept-sample" in done.err
    monkeypatch.delenv("HF_TOKEN")
    done = trained(built, tmp_path / "run", *words, "--accept-unclear", "--accept-sample")
    assert (done.code, "the Hub requires a token" in done.err) == (1, True)
    assert not (tmp_path / "run").exists()
    assert hub.writes() == []


def test_an_adapter_that_nobody_could_load_is_refused_before_the_first_step(
    data: Path, tokenizer: Any, hub: HubServer, tmp_path: Path
) -> None:
    how = settings(SAVE["llama"](tokenizer, tmp_path / "base"), method="lora", max_steps=2)
    with pytest.raises(OutputError, match="is an adapter for a local folder"):
        train(data, tmp_path / "run", how, callback=RunPusher(REPO))
    assert hub.writes() == []


def test_a_resumed_run_continues_to_push_without_paths_of_its_base(
    data: Path, tokenizer: Any, hub: HubServer, tmp_path: Path
) -> None:
    class StopError(Exception):
        pass

    def stop(what: str, step: int, _total: int) -> None:
        if what.startswith("training") and step == 3:
            raise StopError

    base = SAVE["llama"](tokenizer, tmp_path / "base")
    how = settings(base, max_steps=4, validation=0)
    with pytest.raises(StopError):
        train(data, tmp_path / "run", how, on_progress=stop, callback=RunPusher(REPO))
    pusher = RunPusher(REPO)
    done = train(data, tmp_path / "run", how, callback=pusher)
    assert (done.resumed, pusher.error, pusher.notes) == (2, None, [])
    steps = [re.findall(r"step (\d)", title) for title in hub.repos[REPO].messages[1:]]
    assert steps == [["2"], ["4"], []]
    assert_no_local_path(hub, tmp_path, data)
    pushed = hub.repos[REPO].files()["model.safetensors"].data
    assert pushed == (done.folder / "model.safetensors").read_bytes()


def test_of_an_adapter_for_other_weights_only_the_finished_run_is_pushed(
    data: Path, tokenizer: Any, model_hub: HubServer, tmp_path: Path
) -> None:
    base = SAVE["llama"](tokenizer, tmp_path / "base")
    files = {path.name: Blob(path.read_bytes()) for path in base.iterdir()}
    model_hub.repos["me/base"] = Repo(private=False)
    model_hub.repos["me/base"].commit(files, "base")
    how = settings(max_steps=2, validation=0, method="lora", tiny=None)
    how = how.model_copy(update={"model": "me/base"})
    plain, other = RunPusher("me/lora"), RunPusher("me/pissa")
    train(data, tmp_path / "lora", how, callback=plain)
    assert len(model_hub.repos["me/lora"].messages) == 3
    first = list(model_hub.repos["me/lora"].commits.values())[1]
    assert json.loads(first["adapter_config.json"].data)["base_model_name_or_path"] == "me/base"
    assert "generation_config.json" in first
    pissa = how.lora.model_copy(update={"variant": "pissa"})
    how = how.model_copy(update={"lora": pissa})
    done = train(data, tmp_path / "pissa", how, callback=other)
    assert len(model_hub.repos["me/pissa"].messages) == 2
    assert any("only the finished run is pushed" in note for note in done.notes)


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--private"], "--push-to, which is missing"), (["--push-to", REPO, "--dry-run"], "omit")],
)
def test_options_that_exclude_each_other_are_misuse(
    words: list[str], message: str, data: Path, tmp_path: Path
) -> None:
    done = trained(data, tmp_path / "run", *words)
    assert (done.code, message in done.err) == (2, True)
