"""``kit19 push``, by the real client, against a Hub on this machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kit19.core.errors import Kit19Error, OutputError, VerifyError
from kit19.publishing.pushing import push
from tests.support.hub_server import READ, WRITE, Blob, Call, HubServer

SAMPLE: dict[str, Any] = {"accept": ["sample"]}


def files_of(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def files_there(hub: HubServer, repo: str = "me/rows", revision: str = "main") -> dict[str, bytes]:
    return {name: blob.data for name, blob in hub.repos[repo].files(revision).items()}


def refusal(folder: Path, repo: str = "me/rows", **options: Any) -> str:
    with pytest.raises(OutputError) as caught:
        push(folder, repo, **SAMPLE, **options)
    link: BaseException | None = caught.value
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    while link is not None:
        assert WRITE not in f"{link!r} {link}"
        link = link.__cause__
    return str(caught.value)


def test_a_build_is_pushed_byte_for_byte_in_one_commit(hub: HubServer, built: Path) -> None:
    pushed = push(built, "me/rows", **SAMPLE)
    there = files_there(hub)
    assert there.pop(".gitattributes")
    assert there == files_of(built)
    assert len(hub.repos["me/rows"].messages) == 2  # the first is the Hub's own
    assert pushed.outcome == "pushed"
    assert pushed.commit == hub.repos["me/rows"].branches["main"]
    assert pushed.bytes == sum(map(len, there.values()))
    assert not hub.repos["me/rows"].private


def test_the_same_build_pushed_again_changes_nothing(hub: HubServer, built: Path) -> None:
    first = push(built, "me/rows", **SAMPLE)
    hub.calls.clear()
    again = push(built, "me/rows", **SAMPLE)
    assert again.outcome == "unchanged"
    assert again.commit == first.commit
    assert hub.writes() == []


def test_another_build_is_one_commit_more_and_takes_the_old_files_along(
    hub: HubServer, built: Path, built_otherwise: Path
) -> None:
    push(built, "me/rows", **SAMPLE)
    pushed = push(built_otherwise, "me/rows", **SAMPLE, message="without exports")
    there = files_there(hub)
    assert there.pop(".gitattributes")
    assert there == files_of(built_otherwise)
    assert hub.repos["me/rows"].messages[2:] == ["without exports"]
    assert pushed.removed == ["exports/alpaca-train.jsonl", "exports/alpaca-validation.jsonl"]


def test_a_file_changed_there_by_hand_is_put_right_and_others_are_let_be(
    hub: HubServer, built: Path, built_otherwise: Path
) -> None:
    push(built, "me/rows", **SAMPLE)
    repo = hub.repos["me/rows"]
    changed = {"README.md": Blob(b"mine now"), "cover.png": Blob(b"a picture")}
    repo.commit(repo.files() | changed, "by hand")
    pushed = push(built, "me/rows", **SAMPLE)
    assert pushed.sent == ["README.md"]
    assert pushed.removed == []
    assert files_there(hub)["README.md"] == (built / "README.md").read_bytes()
    push(built_otherwise, "me/rows", **SAMPLE)
    assert files_there(hub)["cover.png"] == b"a picture"


def test_what_the_hub_remarks_about_the_card_is_passed_on(hub: HubServer, built: Path) -> None:
    hub.remarks.append("the card has no picture")
    about_the_sample, remark = push(built, "me/rows", **SAMPLE).notes
    assert "sample" in about_the_sample
    assert "the card has no picture" in remark


def test_a_private_dataset_is_private_from_its_first_moment(hub: HubServer, built: Path) -> None:
    push(built, "me/rows", **SAMPLE, private=True)
    assert hub.repos["me/rows"].private
    assert push(built, "me/rows", **SAMPLE, private=True).outcome == "unchanged"


def test_private_rows_are_not_shown_to_a_public_dataset(
    hub: HubServer, built: Path, built_otherwise: Path
) -> None:
    push(built, "me/rows", **SAMPLE)
    hub.calls.clear()
    assert "is already public" in refusal(built_otherwise, private=True)
    assert hub.writes() == []


def test_a_dry_run_lists_files_and_sends_nothing(hub: HubServer, built: Path) -> None:
    pushed = push(built, "me/rows", **SAMPLE, dry_run=True)
    assert pushed.outcome == "dry run"
    assert set(pushed.sent) == set(files_of(built))
    assert hub.writes() == []
    assert hub.repos == {}


def test_a_dry_run_needs_no_hub(
    hub: HubServer, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pushed = push(built, "me/rows", **SAMPLE, dry_run=True)
    assert "offline: not compared with the repository" in pushed.notes
    assert "offline mode" in refusal(built)
    assert hub.calls == []


def test_a_branch_is_made_and_the_main_one_stays(
    hub: HubServer, built: Path, built_otherwise: Path
) -> None:
    main = push(built, "me/rows", **SAMPLE).commit
    branch = {**SAMPLE, "revision": "v2"}
    pushed = push(built_otherwise, "me/rows", **branch)
    assert hub.repos["me/rows"].branches == {"main": main, "v2": pushed.commit}
    there = files_there(hub, revision="v2")
    assert there.pop(".gitattributes")
    assert there == files_of(built_otherwise)
    assert push(built_otherwise, "me/rows", **branch).outcome == "unchanged"


def test_a_branch_with_the_files_of_main_needs_no_commit(hub: HubServer, built: Path) -> None:
    main = push(built, "me/rows", **SAMPLE).commit
    pushed = push(built, "me/rows", **SAMPLE, revision="v1")
    assert pushed.outcome == "pushed"
    assert hub.repos["me/rows"].branches == {"main": main, "v1": main}
    assert pushed.commit == main


def test_a_new_dataset_may_begin_with_a_branch(hub: HubServer, built: Path) -> None:
    push(built, "me/rows", **SAMPLE, revision="draft")
    assert list(files_there(hub)) == [".gitattributes"]
    assert "manifest.json" in files_there(hub, revision="draft")


def test_somebody_elses_dataset_is_not_written_over(hub: HubServer, built: Path) -> None:
    push(built, "me/rows", **SAMPLE)
    hub.repos["me/rows"].commit({"train.csv": Blob(b"a,b")}, "other data")
    hub.calls.clear()
    assert "has files that kit19 did not write (train.csv)" in refusal(built)
    assert hub.writes() == []


def test_a_changed_build_is_not_published(hub: HubServer, built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(built, folder)
    (folder / "NOTICE").write_bytes(b"no licenses at all")
    with pytest.raises(VerifyError, match="NOTICE"):
        push(folder, "me/rows", **SAMPLE)
    (folder / "manifest.json").unlink()
    with pytest.raises(VerifyError, match=r"no manifest\.json"):
        push(folder, "me/rows", **SAMPLE)
    assert hub.calls == []


@pytest.mark.parametrize("name", ["rows", "me/", "/rows", "a/b/c", "me/ro ws", "me/a--b", "me/.b"])
def test_a_name_that_the_hub_cannot_have_is_refused_at_once(
    hub: HubServer, built: Path, name: str
) -> None:
    assert "is not a valid repository name" in refusal(built, name)
    assert hub.calls == []


def test_an_interrupted_push_shows_nothing_and_the_next_sends_the_rest(
    hub: HubServer, built: Path
) -> None:
    def stop_at_the_third(call: Call) -> None:
        if call.method == "PUT" and len(hub.large) == 2:
            hub.fail("PUT", 403, "the signature has expired")

    hub.before = stop_at_the_third
    assert "the signature has expired" in refusal(built)
    assert list(files_there(hub)) == [".gitattributes"]
    assert len(hub.large) == 2
    hub.before = lambda _call: None
    hub.calls.clear()
    push(built, "me/rows", **SAMPLE)
    assert len(hub.requests("^PUT")) == 1
    assert files_of(built).items() <= files_there(hub).items()


def test_a_push_killed_while_it_sends_can_be_done_again(
    hub: HubServer, built: Path, tmp_path: Path
) -> None:
    script = "import sys; from kit19.cli import main; sys.argv[0] = 'kit19'; main()"
    words = ["push", str(built), "me/rows", "--accept-sample"]
    environment = os.environ | {"HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", script, *words], env=environment)

    def kill(call: Call) -> None:
        if call.method == "PUT":
            process.kill()

    hub.before = kill
    assert process.wait() == -signal.SIGKILL
    assert list(files_there(hub)) == [".gitattributes"]
    hub.before = lambda _call: None
    push(built, "me/rows", **SAMPLE)
    assert files_of(built).items() <= files_there(hub).items()


@pytest.mark.parametrize(
    ("call", "status", "expected"),
    [
        ("POST /api/repos/create", 500, "the Hub failed (500"),
        ("POST /api/repos/create", 402, "the Hub refused (402"),
        ("POST .*/commit/", 404, "is not on the Hub"),
        ("POST .*/commit/", 409, "another change to it is in progress"),
        ("POST .*/commit/", 412, "was changed by someone else"),
        ("POST /api/validate-yaml", 400, "Invalid metadata in README.md"),
        ("GET /api/datasets/me/rows", 403, "does not give the permission"),
    ],
)
def test_errors_of_the_hub_are_clear(
    hub: HubServer, built: Path, call: str, status: int, expected: str
) -> None:
    hub.fail(call, status, f"whoever sent {WRITE} should know")
    message = refusal(built)
    assert expected in message
    assert WRITE not in message
    assert "manifest.json" not in files_there(hub) if hub.repos else True


def test_wrong_missing_and_read_only_tokens_have_different_errors(
    hub: HubServer, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_not_a_token")
    assert "does not accept the token (401" in refusal(built)
    monkeypatch.setenv("HF_TOKEN", READ)
    assert "does not give the permission (403: This token may only read)" in refusal(built)
    monkeypatch.delenv("HF_TOKEN")
    message = refusal(built)
    assert "the Hub requires a token (401: Log in first)" in message
    assert "hf auth login" in message


def test_a_commit_of_somebody_else_meanwhile_is_not_written_over(
    hub: HubServer, built: Path, built_otherwise: Path
) -> None:
    push(built, "me/rows", **SAMPLE)
    repo = hub.repos["me/rows"]

    def meanwhile(call: Call) -> None:
        if "/preupload/" in call.path:
            repo.commit(repo.files() | {"README.md": Blob(b"theirs")}, "meanwhile")

    hub.before = meanwhile
    assert "was changed by someone else meanwhile (412" in refusal(built_otherwise)
    assert files_there(hub)["README.md"] == b"theirs"


def test_a_file_that_the_hub_leaves_out_in_silence_is_noticed(hub: HubServer, built: Path) -> None:
    push(built, "me/rows", **SAMPLE)
    hub.repos["me/rows"].commit({".gitignore": Blob(b"*.parquet\n")}, "by hand")
    message = refusal(built)
    assert "differs from what was pushed: data/train-00000-of-00001.parquet" in message
    assert ".gitignore" in message


def test_an_unreachable_hub_is_a_clear_error(
    built: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert refusal(built).startswith("127.0.0.1: cannot be reached")


@pytest.mark.parametrize(
    "endpoint", ["http://hub.example", "https://me:secret@hub.example", "https://[secret"]
)
def test_a_token_is_not_sent_in_the_clear(
    built: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    message = refusal(built)
    assert message.startswith("HF_ENDPOINT must be https")
    assert "secret" not in message


def test_without_the_client_the_error_tells_how_to_install_it(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(Kit19Error, match=r"pip install 'kit19\[hub\]'"):
        push(built, "me/rows", **SAMPLE)
