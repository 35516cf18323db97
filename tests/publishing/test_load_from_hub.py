"""Published builds, loaded again by the real client."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from polars.testing import assert_frame_equal

import kit19
from kit19.core.errors import FilesError, Kit19Error, UnknownNameError, VerifyError
from tests.support.hub_server import READ, Blob, HubServer

SAMPLE: dict[str, Any] = {"accept": ["sample"]}


@pytest.fixture
def published(hub: HubServer, built: Path) -> HubServer:
    """A Hub that holds the small build as me/rows."""
    kit19.push(built, "me/rows", **SAMPLE)
    hub.calls.clear()
    return hub


def rows(loaded: kit19.Loaded) -> list[dict[str, object]]:
    return loaded.polars().collect().to_dicts()


def test_a_published_build_has_the_rows_of_its_folder(published: HubServer, built: Path) -> None:
    for split in ("train", "validation"):
        loaded = kit19.load("me/rows", split)
        assert_frame_equal(loaded.polars().collect(), kit19.load(built, split).polars().collect())
        assert loaded.revision == published.repos["me/rows"].branches["main"]
        assert loaded.manifest == kit19.load(built).manifest


def test_only_the_requested_split_is_downloaded(published: HubServer) -> None:
    kit19.load("me/rows", "validation")
    downloaded = [call.path.split("/main/")[-1] for call in published.requests("^GET .*/resolve/")]
    names = {path.rsplit("/resolve/", 1)[-1].split("/", 1)[1] for path in downloaded}
    assert names == {"manifest.json", "data/validation-00000-of-00001.parquet"}


def test_a_pinned_revision_keeps_its_rows(
    published: HubServer, built: Path, built_otherwise: Path
) -> None:
    old = kit19.load("me/rows")
    kit19.push(built_otherwise, "me/rows", **SAMPLE)
    assert rows(kit19.load("me/rows", revision=old.revision)) == rows(kit19.load(built))
    assert rows(kit19.load("me/rows")) == rows(kit19.load(built_otherwise))
    assert rows(kit19.load(built)) != rows(kit19.load(built_otherwise))


def test_cached_files_are_not_downloaded_again(published: HubServer) -> None:
    pinned = kit19.load("me/rows").revision
    published.calls.clear()
    kit19.load("me/rows", revision=pinned)
    assert published.calls == []


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "KIT19_OFFLINE"])
def test_offline_the_cache_serves_what_was_loaded_once(
    published: HubServer, built: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    commit = kit19.load("me/rows").revision
    published.calls.clear()
    monkeypatch.setenv(variable, "1")
    for revision in (None, "main", commit):
        loaded = kit19.load("me/rows", revision=revision)
        assert rows(loaded) == rows(kit19.load(built))
        assert loaded.revision == commit
    for name, split in (("me/other", "train"), ("me/rows", "validation")):
        with pytest.raises(FilesError, match="offline mode"):
            kit19.load(name, split)
    assert published.calls == []


def test_a_cached_build_loads_while_the_hub_is_unreachable(
    published: HubServer, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit19.load("me/rows")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert rows(kit19.load("me/rows")) == rows(kit19.load(built))
    with pytest.raises(FilesError, match=r"127\.0\.0\.1: cannot be reached"):
        kit19.load("me/other")


def test_a_private_build_is_for_those_who_may_see_it(
    hub: HubServer, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit19.push(built, "me/rows", private=True, accept=["sample"])
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(FilesError, match="the Hub requires a token"):
        kit19.load("me/rows")
    monkeypatch.setenv("HF_TOKEN", READ)
    assert rows(kit19.load("me/rows")) == rows(kit19.load(built))


def test_missing_names_and_revisions_are_clear_errors(published: HubServer) -> None:
    with pytest.raises(FilesError, match="is not on the Hub"):
        kit19.load("me/nothing")
    with pytest.raises(FilesError, match="is not on the Hub"):
        kit19.load("me/rows", revision="v9")
    with pytest.raises(UnknownNameError, match="did you mean train"):
        kit19.load("me/rows", "trian")
    with pytest.raises(Kit19Error, match="data_dir has no meaning"):
        kit19.load("me/rows", data_dir="sample")


def test_a_missing_split_is_an_error(published: HubServer) -> None:
    repo = published.repos["me/rows"]
    manifest = repo.files()["manifest.json"].data.replace(b"data/validation-", b"data/v-")
    repo.commit(repo.files() | {"manifest.json": Blob(manifest)}, "without")
    with pytest.raises(UnknownNameError, match="known: train"):
        kit19.load("me/rows", "validation")


def test_files_that_differ_from_the_manifest_are_refused(published: HubServer, built: Path) -> None:
    repo = published.repos["me/rows"]
    name = "data/train-00000-of-00001.parquet"
    other = (built / "data/validation-00000-of-00001.parquet").read_bytes()
    repo.commit(repo.files() | {name: Blob(other, large=True)}, "by hand")
    with pytest.raises(VerifyError, match="does not match the digest in its manifest"):
        kit19.load("me/rows")


def test_a_dataset_of_somebody_else_is_recognized(published: HubServer) -> None:
    repo = published.repos["me/rows"]
    repo.commit({"train.csv": Blob(b"a,b")}, "other data")
    with pytest.raises(VerifyError, match="is not a build of kit19"):
        kit19.load("me/rows")


SCRIPT = """
import os, sys
import kit19
rows = kit19.load("me/rows").arrow()
print(rows.num_rows, rows.column("id")[0])
if "HF_HUB_OFFLINE" not in os.environ:
    from datasets import load_dataset
    parts = load_dataset("me/rows")
    print(sorted(parts), parts["train"].num_rows, parts["train"][0]["id"])
"""


def test_the_environment_of_the_hub_is_obeyed_and_load_dataset_reads_a_published_build(
    published: HubServer, built: Path, tmp_path: Path
) -> None:
    """In a process of its own: both libraries read their environment when they are loaded."""
    first = kit19.load(built).polars().select("id").collect()
    expected = f"{first.height} {first.item(0, 0)}"
    environment = os.environ | {"HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}
    words = [sys.executable, "-c", SCRIPT]
    online = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert online.stdout.splitlines() == [expected, f"['train', 'validation'] {expected}"]
    published.calls.clear()
    environment["HF_HUB_OFFLINE"] = "1"
    offline = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert offline.stdout.splitlines() == [expected]
    assert published.calls == []
