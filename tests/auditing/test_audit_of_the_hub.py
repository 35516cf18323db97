"""Tests of datasets on the Hub, with the real client and a local Hub."""

from __future__ import annotations

import builtins
import io
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit19.auditing import audit
from kit19.auditing.hub import is_on_hub
from kit19.core.errors import FilesError, Kit19Error, ReadError
from tests.support.exams import INNOCENT, SENTENCES, write_jsonl
from tests.support.hub_server import Blob, HubServer, Repo


@pytest.fixture
def hub(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """A Hub with one public dataset, used without a token."""
    monkeypatch.delenv("HF_TOKEN")
    hub.repos["some/rows"] = Repo(private=False)
    return hub


@pytest.fixture
def exam(tmp_path: Path) -> str:
    return str(write_jsonl(tmp_path / "exam.jsonl", list(SENTENCES)))


def commit(hub: HubServer, files: dict[str, bytes], branch: str = "main") -> None:
    blobs = {name: Blob(data, large=name.endswith(".parquet")) for name, data in files.items()}
    hub.repos["some/rows"].commit(blobs, f"as on {branch}", branch)


def parquet(texts: list[str]) -> bytes:
    stream = io.BytesIO()
    pl.DataFrame({"text": texts}).write_parquet(stream)
    return stream.getvalue()


def lines(texts: list[str]) -> bytes:
    return "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()


def test_only_data_files_are_downloaded_and_read(hub: HubServer, exam: str) -> None:
    files = {
        "README.md": SENTENCES[1].encode(),
        "model.bin": b"\0",
        "dataset_infos.json": json.dumps(SENTENCES).encode(),
        "more/all.jsonl": lines(SENTENCES[4:5]),
        "data/train-00000-of-00002.parquet": parquet([INNOCENT[0], SENTENCES[0]]),
        "data/train-00001-of-00002.parquet": parquet([SENTENCES[2]]),
    }
    commit(hub, files)
    result = audit("some/rows", [exam])
    assert (result.dataset, result.rows_read, result.rows) == ("some/rows", 4, [1, 2, 3])
    assert [one.where for one in result.not_searched] == ["model.bin"]
    assert [one.where for one in result.notes] == ["README.md", "dataset_infos.json"]
    brought = {call.path.partition("/resolve/")[2] for call in hub.requests("^GET .*/resolve/")}
    assert {name.split("/", 1)[1] for name in brought} == {
        name for name in files if name.startswith(("data/", "more/"))
    }


def test_items_may_be_a_dataset_on_the_hub_or_a_folder(hub: HubServer, tmp_path: Path) -> None:
    commit(hub, {"README.md": b"# exam", "model.bin": b"\0", "a.jsonl": lines(SENTENCES[:3])})
    rows = write_jsonl(tmp_path / "rows.jsonl", [INNOCENT[0], SENTENCES[1], SENTENCES[4]])
    write_jsonl(tmp_path / "exam" / "a.jsonl", list(SENTENCES[:2]))
    write_jsonl(tmp_path / "exam" / "b.jsonl", list(SENTENCES[4:6]))
    result = audit(rows, ["some/rows", tmp_path / "exam"])
    assert list(result.benchmarks) == ["rows", "exam"]
    assert result.benchmarks["rows"].ids == ["items/1"]
    assert result.benchmarks["exam"].ids == ["items/1", "items/2"]
    assert result.rows == [1, 2]
    assert [one.where for one in result.notes] == ["some/rows, model.bin", "some/rows, README.md"]
    assert result.not_searched == []


def test_files_named_like_patterns_are_downloaded(hub: HubServer, exam: str) -> None:
    commit(hub, {"b[1].jsonl": lines([SENTENCES[0]]), "a.csv": b"text\nnothing at all\n"})
    assert audit("some/rows", [exam]).rows == [1]


def test_a_revision_can_be_named(hub: HubServer, exam: str) -> None:
    commit(hub, {"a.jsonl": lines([INNOCENT[0]])})
    commit(hub, {"a.jsonl": lines([SENTENCES[0]])}, "leaky")
    assert audit("some/rows", [exam]).rows == []
    assert audit("some/rows@leaky", [exam]).rows == [0]


def test_a_downloaded_dataset_is_audited_offline(
    hub: HubServer, exam: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(hub, {"a.jsonl": lines([SENTENCES[0]])})
    first = audit("some/rows", [exam])
    hub.calls.clear()
    monkeypatch.setenv("KIT19_OFFLINE", "1")
    assert audit("some/rows", [exam]) == first
    assert not hub.calls
    with pytest.raises(FilesError, match=r"is not in the cache .* this is offline mode"):
        audit("some/others", [exam])


def test_a_dataset_without_data_files_is_an_error(hub: HubServer, exam: str) -> None:
    commit(hub, {"README.md": b"x", "rows.py": b"x"})
    with pytest.raises(ReadError, match="has no file that kit19 reads"):
        audit("some/rows", [exam])


@pytest.mark.usefixtures("hub")
def test_an_unknown_name_is_neither_on_the_hub_nor_a_file(exam: str) -> None:
    with pytest.raises(FilesError) as raised:
        audit("data/trian", [exam])
    assert "is not on the Hub" in str(raised.value) or "requires a token" in str(raised.value)
    assert "there is no file or folder 'data/trian' here" in str(raised.value)


def test_a_missing_client_is_reported_with_the_install_command(
    exam: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "huggingface_hub":
            raise ImportError(name)
        return found(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(Kit19Error, match=r"pip install 'kit19\[hub\]'"):
        audit("some/rows", [exam])


def test_what_lies_here_or_looks_like_a_file_is_not_sought_on_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "owner" / "name", [SENTENCES[0]])
    assert not is_on_hub("owner/name")
    assert is_on_hub("owner/other")
    assert is_on_hub("owner/other@refs/convert/parquet")
    for name in ("owner/other.jsonl", "rows.csv.gz", "a/b/c", "rows", "./owner/x/y", "a/b.json.gz"):
        assert not is_on_hub(name), name
