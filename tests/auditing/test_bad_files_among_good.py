"""Tests that files that cannot be searched are named with their reason, and all others are searched."""

from __future__ import annotations

import gzip
import json
import os
import random
from pathlib import Path

import pytest

from kit19.auditing import audit, audit_files, merge_audit
from kit19.core.errors import ReadError
from tests.support.corpora import (
    TEXTS,
    encode,
    make_rows,
    search,
    write_corpus,
)
from tests.support.effort import tries
from tests.support.invoking import invoke

ROWS = make_rows(TEXTS)
LINES = encode(ROWS, "a.jsonl")
NOISE = random.Random(1).randbytes(3_000)  # less varied bytes could be cut without a trace
BAD = {
    "binary.jsonl": (NOISE, "is not text"),
    "cut.jsonl.gz": (gzip.compress(LINES + NOISE.hex().encode())[:-900], "is damaged"),
    "empty.json": (b"", "is not valid JSON"),
    "half.parquet": (encode(ROWS, "a.parquet")[:-50], "is not a readable parquet file"),
    "invalid.jsonl": (LINES + b'{"text": \n', f":{len(TEXTS) + 1}: is not valid JSON"),
    "wrong.jsonl.zst": (LINES, "cannot be "),  # without pyarrow, no such file can be read
    "wrong.jsonl.xz": (LINES, "is damaged"),
}


pytestmark = pytest.mark.usefixtures("pages")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A folder with as many good files as bad ones."""
    folder = write_corpus(tmp_path / "data", {f"good/{n}.jsonl": TEXTS for n in range(len(BAD))})
    for name, (data, _) in BAD.items():
        (folder / name).write_bytes(data)
    return folder


def test_each_is_named_and_the_rest_is_searched(tmp_path: Path, corpus: Path, exam: Path) -> None:
    out = tmp_path / "out"
    done = invoke("audit", corpus, "--against", exam, "--out", out, "--fail-on-hit", "-q")
    assert done.code == 1
    told = [json.loads(line) for line in (out / "failed.jsonl").read_text("utf-8").splitlines()]
    assert {one["file"] for one in told} == set(BAD)
    for one in told:
        reason = BAD[one["file"]][1]
        assert reason in f"{one['where']}: {one['what']}"
        assert one["what"] in done.out
        assert f"error: {one['where']}: {one['what']}" in done.err
    assert f"{len(BAD)} files could not be searched" in done.err
    document = json.loads((out / "audit.json").read_bytes())
    good = audit(corpus / "good", [exam])
    assert (document["rows_read"], document["rows"]) == (good.rows_read, good.rows)
    assert [one["where"].split(":")[0] for one in document["not_searched"]] == [
        one["file"] for one in told
    ]


def test_a_line_of_200_mb_does_not_stop_the_others(
    tmp_path: Path, corpus: Path, exam: Path
) -> None:
    good = tries(20, 1_000)
    for number in range(good):
        os.link(corpus / "good" / "0.jsonl", corpus / "good" / f"more-{number}.jsonl")
    million = b"a" * 1_000_000
    long = {"line.jsonl": b'{"text": "', "line.txt": b"", "line.csv": b'text\n"'}
    for name, begin in long.items():
        with (corpus / name).open("wb") as stream:
            stream.write(begin)
            stream.writelines([million] * 200)
    (corpus / "folder.jsonl").mkdir()
    out = tmp_path / "out"
    done = invoke("audit", corpus, "--against", exam, "--out", out, "-q")
    assert done.code == 1
    told = {}
    for line in (out / "failed.jsonl").read_text("utf-8").splitlines():
        one = json.loads(line)
        told[one["file"]] = f"{one['where']}: {one['what']}"
    assert set(told) == {*BAD, *long}
    for name in long:
        assert "is longer than 128" in told[name]
        assert f"error: {told[name]}" in done.err
    document = json.loads((out / "audit.json").read_bytes())
    assert document["rows_read"] == (good + len(BAD)) * len(TEXTS)


def test_they_are_tried_again_and_forgotten_once_they_are_good(
    tmp_path: Path, corpus: Path, exam: Path
) -> None:
    search(corpus, exam, tmp_path / "out")
    again = search(corpus, exam, tmp_path / "out")
    assert (again.reused, set(again.failures)) == (len(BAD), set(BAD))
    for name in BAD:
        (corpus / name).unlink()
    (corpus / "binary.jsonl").write_bytes(LINES)
    good = search(corpus, exam, tmp_path / "out")
    assert (good.reused, good.failures) == (len(BAD), {})
    assert not (tmp_path / "out" / "failed.jsonl").exists()


def test_the_first_of_them_stops_a_strict_run(tmp_path: Path, corpus: Path, exam: Path) -> None:
    out = tmp_path / "out"
    done = invoke("audit", corpus, "--against", exam, "--out", out, "--strict", "-q")
    assert done.code == 1
    assert (done.out, done.err.count("error: ")) == ("", 1)
    assert not (out / "audit.json").exists()
    with pytest.raises(ReadError):
        audit(corpus, [exam])  # which is always strict


def test_they_are_named_in_a_merge_of_shares(tmp_path: Path, corpus: Path, exam: Path) -> None:
    told = [
        set(search(corpus, exam, tmp_path / "out", shard=(number, 3)).failures)
        for number in (1, 2, 3)
    ]
    assert set().union(*told) == set(BAD)
    assert set(merge_audit(tmp_path / "out").failures) == set(BAD)


def test_without_any_good_file_there_is_no_result(tmp_path: Path, exam: Path) -> None:
    for name, (data, _) in BAD.items():
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / name).write_bytes(data)
    done = invoke("audit", tmp_path / "data", "--against", exam, "-q")
    assert (done.code, done.out) == (1, "")
    assert done.err.count("error: ") == len(BAD)


def test_a_span_that_cannot_be_read_is_a_file_that_cannot(tmp_path: Path, exam: Path) -> None:
    corpus = write_corpus(tmp_path / "data", {"good.jsonl": TEXTS})
    (corpus / "bad.jsonl").write_bytes(LINES * 3 + b'{"text": \n' + LINES)
    result = search(corpus, exam, span=300)
    assert result.failures["bad.jsonl"].where == f"{corpus}/bad.jsonl:{3 * len(TEXTS) + 1}"
    assert result.audit is not None
    assert result.audit.hits == audit(corpus / "good.jsonl", [exam]).hits


def test_a_file_that_vanishes_or_changes_is_named(tmp_path: Path, exam: Path) -> None:
    corpus = write_corpus(tmp_path / "data", {f"{n}.jsonl": TEXTS for n in range(4)})

    def vanish(what: str, done: int, _total: int) -> None:
        if what == "files read" and done == 1:
            (corpus / "2.jsonl").unlink()
        if what == "rows read":  # the first time, while 0.jsonl is searched
            (corpus / "0.jsonl").write_bytes(LINES + b"\n")

    result = search(corpus, exam, on_progress=vanish)
    assert {name: one.what for name, one in result.failures.items()} == {
        "0.jsonl": "changed while it was searched",
        "2.jsonl": "cannot be read: No such file or directory",
    }


def test_what_is_no_file_is_listed(tmp_path: Path, exam: Path) -> None:
    corpus = write_corpus(tmp_path / "data", {"good.jsonl": TEXTS, "folder.jsonl/a.jsonl": TEXTS})
    os.mkfifo(corpus / "pipe.jsonl")
    result = search(corpus, exam)
    assert result.failures == {}
    assert result.audit is not None
    assert [one.where for one in result.audit.not_searched] == ["pipe.jsonl"]
    assert {hit.file for hit in result.audit.hits} == {"good.jsonl", "folder.jsonl/a.jsonl"}


def test_a_missing_input_is_a_mistake(tmp_path: Path, exam: Path) -> None:
    corpus = write_corpus(tmp_path / "data", {"good.jsonl": TEXTS})
    with pytest.raises(ReadError, match="does not exist"):
        audit_files([corpus, tmp_path / "nowhere"], against=[exam])


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--merge", "out", "data"],
        ["--diff", "a"],
        ["--diff", "a", "b", "--out", "c"],
        ["data", "--shard", "1/2"],
        ["data", "--shard", "3/2", "--out", "out"],
        ["data", "--shard", "1/2", "--out", "out", "--clean", "copy"],
        ["data", "--mask", "found"],
        ["data", "--jobs", "0"],
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments: list[str]) -> None:
    done = invoke("audit", *arguments)
    assert (done.code, done.out) == (2, "")
