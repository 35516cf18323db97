"""Files of object stores: listed, downloaded whole over broken connections, named when they fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kit19.core.errors import FilesError
from kit19.fetching import remote
from kit19.fetching.remote import RemoteFile, download_remote, is_remote, list_remote
from tests.support.bucket import Wire


def put(direct: Any, name: str, data: bytes) -> None:
    direct.pipe_file(f"corpus/{name}", data)


def numbered(lines: int) -> bytes:
    return b"".join(b'{"text": "%d"}\n' % number for number in range(lines))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("s3://bucket/a.jsonl", True),
        ("gs://bucket", True),
        ("https://host/a.jsonl", True),
        ("hf://datasets/owner/name", True),
        ("file:///a.jsonl", False),
        ("owner/name", False),
        ("a.jsonl", False),
        ("C:\\data", False),
        ("s3://", False),
    ],
)
def test_addresses_have_a_protocol(name: str, expected: bool) -> None:
    assert is_remote(name) is expected


def test_a_folder_is_listed_with_sizes_and_versions(bucket: tuple[Wire, Any]) -> None:
    put(bucket[1], "listed/b/2.jsonl", numbered(3))
    put(bucket[1], "listed/1.jsonl", numbered(1))
    put(bucket[1], "elsewhere/3.jsonl", numbered(1))
    found = list_remote("s3://corpus/listed")
    assert [(one.name, one.url, one.size) for one in found] == [
        ("1.jsonl", "s3://corpus/listed/1.jsonl", len(numbered(1))),
        ("b/2.jsonl", "s3://corpus/listed/b/2.jsonl", len(numbered(3))),
    ]
    assert len({one.version for one in found}) == 2
    (one,) = list_remote("s3://corpus/listed/1.jsonl")
    assert (one.name, one.url) == ("1.jsonl", "s3://corpus/listed/1.jsonl")
    assert [one.name for one in list_remote("s3://corpus/listed/b/*.jsonl")] == ["2.jsonl"]


def test_a_download_goes_on_where_connections_broke(
    bucket: tuple[Wire, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, direct = bucket
    data = numbered(60_000)
    put(direct, "long.jsonl", data)
    (file,) = list_remote("s3://corpus/long.jsonl")
    monkeypatch.setattr(remote, "BLOCK", 200_000)
    wire.cuts[:] = [150_000, 1_000, 90_000, 10]
    download_remote(file, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == data
    assert wire.cut == [150_000, 1_000, 90_000, 10]


def test_a_server_that_never_answers_whole_is_named(
    bucket: tuple[Wire, Any], tmp_path: Path
) -> None:
    wire, direct = bucket
    put(direct, "broken.jsonl", numbered(10_000))
    (file,) = list_remote("s3://corpus/broken.jsonl")
    wire.every = 500
    with pytest.raises(FilesError) as raised:
        download_remote(file, tmp_path / "copy")
    (problem,) = raised.value.problems
    assert problem.where == "s3://corpus/broken.jsonl"
    assert f"({remote.ATTEMPTS} attempts)" in problem.what
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_changes_meanwhile_is_refused(bucket: tuple[Wire, Any], tmp_path: Path) -> None:
    put(bucket[1], "changing.jsonl", numbered(10))
    (file,) = list_remote("s3://corpus/changing.jsonl")
    put(bucket[1], "changing.jsonl", numbered(10)[::-1])
    with pytest.raises(FilesError, match="changed while it was downloaded"):
        download_remote(file, tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["nothing.jsonl", "nothing/", "no/*.jsonl"])
def test_what_is_missing_is_named(bucket: tuple[Wire, Any], name: str) -> None:
    with pytest.raises(FilesError, match=r"does not exist|has no files"):
        list_remote(f"s3://corpus/{name}")


def test_offline_and_unknown_protocols_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FilesError, match="nosuch"):
        list_remote("nosuch://bucket/a.jsonl")
    monkeypatch.setenv("KIT19_OFFLINE", "1")
    with pytest.raises(FilesError, match="offline"):
        download_remote(RemoteFile("s3://a/b", "b", 1, ""), Path("unused"))
