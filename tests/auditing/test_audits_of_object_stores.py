"""Audits of files in an object store: what is found, read again, and named when it fails."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit19.auditing import FilesAudit, audit, audit_files
from kit19.auditing.clean import require_clean_folder
from kit19.auditing.plan import make_plan
from kit19.core.errors import FilesError, OutputError, ReadError
from kit19.fetching.remote import RemoteFile, download_remote
from kit19.reading import Remarks
from tests.support.bucket import Wire, google_server
from tests.support.corpora import TEXTS, merged_bytes, search, write_corpus
from tests.support.invoking import invoke

FILES = {"a.jsonl": TEXTS, "b/c.parquet": TEXTS[2:], "b/d.jsonl.gz": TEXTS[4:]}
Bucket = tuple[Wire, Any]


pytestmark = pytest.mark.usefixtures("pages")


@pytest.fixture
def corpus(bucket: Bucket, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, str]:
    """The same files in a folder and in the bucket."""
    folder = write_corpus(tmp_path / "data", FILES)
    name = f"corpus/{request.node.name}"
    for file in FILES:
        bucket[1].pipe_file(f"{name}/{file}", (folder / file).read_bytes())
    bucket[1].pipe_file(f"{name}/README.md", b"# about")
    return folder, f"s3://{name}"


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []

    def noted(file: RemoteFile, *rest: Any) -> None:
        names.append(file.name)
        download_remote(file, *rest)

    monkeypatch.setattr("kit19.auditing.remote.download_remote", noted)
    return names


def run(url: str, exam: Path, out: Path | None = None, **options: Any) -> FilesAudit:
    return audit_files(url, out, against=[exam], **options)


def hits(result: FilesAudit) -> list[dict[str, Any]]:
    assert result.audit
    return [hit.model_dump() for hit in result.audit.hits]


def test_what_is_found_is_what_a_folder_of_these_files_gives(
    bucket: Bucket, corpus: tuple[Path, str], exam: Path, tmp_path: Path
) -> None:
    folder, url = corpus
    bucket[0].cuts[:] = [700, 100]  # in the listing, or in a file
    there = run(url, exam, tmp_path / "out")
    here = search(folder, exam)
    assert here.audit
    assert there.audit
    assert len(bucket[0].cut) == 2
    assert hits(there) == hits(here)
    assert there.audit.rows == here.audit.rows
    assert there.audit.notes[0].where == "README.md"
    assert not any(tmp_path.glob("kit19-audit-*"))
    assert audit(url, [exam]) == there.audit


def test_only_what_changed_is_downloaded_again(
    bucket: Bucket, corpus: tuple[Path, str], exam: Path, tmp_path: Path, downloads: list[str]
) -> None:
    url = corpus[1]
    first = run(url, exam, tmp_path / "out")
    assert sorted(downloads) == sorted(FILES)
    downloads.clear()
    again = run(url, exam, tmp_path / "out")
    assert downloads == []
    assert (again.reused, again.audit) == (3, first.audit)
    bucket[1].pipe_file(url.removeprefix("s3://") + "/a.jsonl", b'{"text": "new"}\n')
    changed = run(url, exam, tmp_path / "out")
    assert downloads == ["a.jsonl"]
    assert changed.reused == 2
    assert changed.audit
    assert changed.audit.rows_read == len(FILES["b/c.parquet"]) + len(FILES["b/d.jsonl.gz"]) + 1


def test_shares_of_a_store_meet_in_one_folder(
    corpus: tuple[Path, str], exam: Path, tmp_path: Path
) -> None:
    url = corpus[1]
    whole = run(url, exam, tmp_path / "whole")
    for share in (2, 1):
        run(url, exam, tmp_path / "out", shard=(share, 2))
    done = invoke("audit", "--merge", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    assert whole.audit
    assert done.document == json.loads(json.dumps(whole.audit.to_dict()))
    assert merged_bytes(tmp_path / "out") == merged_bytes(tmp_path / "whole")


def test_a_bad_file_is_named_by_its_address(
    bucket: Bucket, corpus: tuple[Path, str], exam: Path, tmp_path: Path
) -> None:
    url = corpus[1]
    bucket[1].pipe_file(f"{url.removeprefix('s3://')}/b/bad.parquet", b"PAR1 no parquet")
    done = invoke("audit", url, "--against", exam, "--out", tmp_path / "out")
    assert done.code == 1
    assert f"{url}/b/bad.parquet" in done.err
    assert "/kit19-audit-" not in done.err + done.out
    failed = (tmp_path / "out" / "failed.jsonl").read_text("utf-8").splitlines()
    assert len(failed) == 1
    assert "/kit19-audit-" not in failed[0]


def test_a_full_disk_is_named_with_the_file(
    corpus: tuple[Path, str], exam: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(_file: RemoteFile, path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("kit19.auditing.remote.download_remote", fill)
    done = invoke("audit", corpus[1], "--against", exam, "--out", tmp_path / "out")
    assert done.code == 1
    assert f"{corpus[1]}/a.jsonl: cannot be downloaded: No space left on device" in done.err
    assert "set TMPDIR" in done.err


def test_copies_are_those_of_a_folder_of_these_files(
    corpus: tuple[Path, str], exam: Path, tmp_path: Path, downloads: list[str]
) -> None:
    folder, url = corpus
    search(folder, exam, clean=tmp_path / "local")
    run(url, exam, tmp_path / "out", clean=tmp_path / "remote")
    both = audit_files([str(folder), url], against=[exam], clean=tmp_path / "both")
    assert both.cleaned is not None
    assert all(one.problem is None for one in both.cleaned)
    assert len(downloads) == 4 * len(FILES)
    for name in FILES:
        copy = (tmp_path / "local" / name).read_bytes()
        assert (tmp_path / "remote" / name).read_bytes() == copy
        for place in (name, f"{url.replace('://', '/')}/{name}"):
            assert (tmp_path / "both" / place).read_bytes() == copy


def test_a_file_that_is_gone_has_no_copy(
    bucket: Bucket, corpus: tuple[Path, str], exam: Path, tmp_path: Path
) -> None:
    url = corpus[1]

    def remove(what: str, done: int, total: int) -> None:
        if what == "files read" and done == total:
            bucket[1].rm(f"{url.removeprefix('s3://')}/a.jsonl")

    done = run(url, exam, tmp_path / "out", clean=tmp_path / "copy", on_progress=remove)
    assert done.cleaned is not None
    problems = {one.file: one.problem for one in done.cleaned if one.problem}
    assert list(problems) == ["a.jsonl"]
    assert f"{url}/a.jsonl" in str(problems["a.jsonl"])
    assert not (tmp_path / "copy" / "a.jsonl").exists()


def test_a_name_that_leads_out_of_the_folder_has_no_copy(
    corpus: tuple[Path, str], tmp_path: Path
) -> None:
    plan = make_plan([corpus[1]], Remarks())
    part = replace(plan.parts[0], file="../../a.jsonl")
    with pytest.raises(OutputError, match="leads out of the folder"):
        require_clean_folder(tmp_path / "copy", replace(plan, parts=[part]))


def test_empty_folders_are_refused(bucket: Bucket, exam: Path) -> None:
    bucket[1].pipe_file("corpus/pictures/a.png", b"png")
    bucket[1].pipe_file("corpus/pictures/b.png", b"png")
    with pytest.raises(ReadError, match="has no dataset files"):
        run("s3://corpus/pictures", exam)


def test_local_and_remote_files_are_one_dataset(
    corpus: tuple[Path, str], exam: Path, tmp_path: Path
) -> None:
    folder, url = corpus
    both = audit_files([str(folder), url], against=[exam])
    alone = search(folder, exam)
    assert both.audit
    assert alone.audit
    assert both.audit.rows_read == 2 * alone.audit.rows_read
    assert {hit.file for hit in both.audit.hits} == {
        *(hit.file for hit in alone.audit.hits),
        *(f"{url}/{hit.file}" for hit in alone.audit.hits),
    }


@pytest.fixture
def google(loopback: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of a server of Google's storage, which is that of ``gs://``."""
    # Read when gcsfs is loaded: without it, gcsfs has no question that this server cannot answer.
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # for credentials of the machine
    for package in ("gcsfs", "gcp_storage_emulator"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    with google_server() as (address, direct):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        yield direct


def test_files_of_google_are_searched_and_read_again_if_they_changed(
    google: Any, exam: Path, tmp_path: Path, downloads: list[str]
) -> None:
    folder = write_corpus(tmp_path / "data", FILES)
    for file in FILES:
        google.pipe_file(f"corpus/mine/{file}", (folder / file).read_bytes())
    here, there = search(folder, exam), run("gs://corpus/mine", exam, tmp_path / "out")
    assert hits(there) == hits(here)
    assert sorted(downloads) == sorted(FILES)
    google.pipe_file("corpus/mine/a.jsonl", b'{"text": "new"}\n')
    again = run("gs://corpus/mine", exam, tmp_path / "out", clean=tmp_path / "copy")
    assert again.reused == 2
    assert (tmp_path / "copy" / "a.jsonl").read_bytes() == b'{"text": "new"}\n'
    assert run("gs://corpus/*/b/*.parquet", exam).files == 1
    with pytest.raises(FilesError, match="gs://corpus/other"):
        run("gs://corpus/other", exam)
