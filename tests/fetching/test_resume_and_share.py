"""One cache, many fetches: killed, interrupted, at once, offline, on a full disk."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from kit19.core.errors import FilesError, OutputError
from kit19.fetching import Cache, FetchedFile, Progress, refuse_failures
from kit19.fetching.sources import fetch_sources, list_files, prune_cache, repair_cache
from tests.support.origins_server import Fault, Origins, later
from tests.support.small_origins import (
    ADDRESSES,
    BYTES,
    CARDS,
    PLACES,
    QUICK,
    RAW,
    TRUTH,
    environ,
    sha,
    write_catalog,
)

ALL = tuple(PLACES)
PATIENCE = 300  # seconds, for processes that would never end


def fetch(cards: Path, data: Path, *names: str, **more: Any) -> dict[str, FetchedFile]:
    results = fetch_sources(names or ALL, data_dir=data, http=QUICK, catalog=cards, **more)
    return {result.name: result for result in results}


def outcomes(results: dict[str, FetchedFile]) -> set[str]:
    return {result.outcome for result in results.values()}


def assert_all_there(data: Path, *names: str) -> None:
    for name in names or ALL:
        assert (data / PLACES[name]).read_bytes() == TRUTH[name]


def start(
    cards: Path,
    data: Path,
    environment: dict[str, str],
    *more: str,
    command: Sequence[str] = (sys.executable, "-m", "kit19"),
) -> Any:
    line = [*command, "fetch", *more, "--catalog", str(cards), "--data-dir", str(data)]
    return subprocess.Popen(
        line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for what a process does, however long it takes on a busy machine; it must not end before."""
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def big_source(origins: Origins, folder: Path, size: int) -> tuple[Path, str]:
    """A catalog with one large file, served slowly enough to be interrupted."""
    from tests.support.small_origins import _DELIMITED, _GITHUB, card

    data = b"id\n" + os.urandom(size // 2).hex().encode()
    origins.files[f"{RAW}/big.tsv"] = data
    origins.pace = 0.01
    file = f"{{path: big.tsv, sha256: {sha(data)}, bytes: {len(data)}}}"
    cards = write_catalog(
        folder / "big", {"big": card("big", _GITHUB, _DELIMITED, {"train": file})}
    )
    return cards, sha(data)


def parts(cache: Path) -> list[Path]:
    return sorted((cache / "partial").glob("*.part"))


def test_every_kind_of_file_is_fetched_with_its_own_proof(
    cards: Path, origins: Origins, tmp_path: Path
) -> None:
    results = fetch(cards, tmp_path / "data")
    assert_all_there(tmp_path / "data")
    assert {name: (one.outcome, one.why) for name, one in results.items()} == {
        PLACES["digest"]: ("fetched", "sha256"),
        PLACES["blob"]: ("fetched", "git blob"),
        PLACES["sized"]: ("fetched", "bytes"),
        PLACES["counted"]: ("fetched", "rows"),
        PLACES["release"]: ("fetched", "sha256"),
        PLACES["google"]: ("fetched", "bytes"),
        PLACES["amazon"]: ("fetched", "nothing: upstream published no digest"),
    }
    assert len(origins.settled()) == len(ALL) + 1  # an archive with two members is asked for once


def test_present_files_are_not_requested_again(
    cards: Path, origins: Origins, tmp_path: Path
) -> None:
    fetch(cards, tmp_path / "data")
    count = len(origins.settled())
    assert outcomes(fetch(cards, tmp_path / "data")) == {"present"}
    assert len(origins.settled()) == count


def test_two_data_folders_share_one_download_and_one_copy(
    cards: Path, origins: Origins, tmp_path: Path
) -> None:
    fetch(cards, tmp_path / "one")
    count = len(origins.settled())
    assert outcomes(fetch(cards, tmp_path / "two")) == {"cached"}
    assert len(origins.settled()) == count
    assert_all_there(tmp_path / "two")
    for place in PLACES.values():
        assert (tmp_path / "one" / place).samefile(tmp_path / "two" / place)


def test_a_file_system_without_hard_links_gets_copies(
    cards: Path, origins: Origins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    fetch(cards, tmp_path / "data")
    assert_all_there(tmp_path / "data")
    assert not list((tmp_path / "data").rglob("*.kit19-new*"))


def test_files_of_the_cache_cannot_be_changed_by_editing_them(
    cards: Path, origins: Origins, tmp_path: Path
) -> None:
    fetch(cards, tmp_path / "data", "digest")
    mode = (tmp_path / "data" / PLACES["digest"]).stat().st_mode
    assert not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)


@pytest.mark.parametrize("name", ["digest", "blob", "release", "counted"])
def test_a_file_damaged_everywhere_is_fetched_again(
    cards: Path, origins: Origins, tmp_path: Path, name: str
) -> None:
    fetch(cards, tmp_path / "data", name)
    place = tmp_path / "data" / PLACES[name]
    place.chmod(0o644)
    with place.open("r+b") as file:  # in place: the blob in the cache is the same file
        file.truncate(100)
    results = fetch(cards, tmp_path / "data", name)
    assert outcomes(results) == {"fetched"}
    assert_all_there(tmp_path / "data", name)


def test_a_file_damaged_in_a_data_folder_alone_comes_from_the_cache(
    cards: Path, origins: Origins, tmp_path: Path
) -> None:
    fetch(cards, tmp_path / "data")
    count = len(origins.settled())
    for name in ("digest", "blob", "sized", "counted"):
        place = tmp_path / "data" / PLACES[name]
        place.unlink()
        place.write_bytes(b"id\n")
    assert outcomes(fetch(cards, tmp_path / "data")) == {"cached", "present"}
    assert_all_there(tmp_path / "data")
    assert len(origins.settled()) == count


def test_check_finds_what_is_damaged_in_the_cache(
    cards: Path, origins: Origins, tmp_path: Path
) -> None:
    fetch(cards, tmp_path / "data", "digest", "blob")
    assert repair_cache() == []
    blob = tmp_path / "cache" / "blobs" / sha(TRUTH["digest"])
    blob.chmod(0o644)
    blob.write_bytes(later(TRUTH["digest"]))
    assert repair_cache() == [blob.name]
    assert not blob.exists()


def test_a_damaged_blob_is_never_linked(cards: Path, origins: Origins, tmp_path: Path) -> None:
    fetch(cards, tmp_path / "one", "digest")
    (tmp_path / "one" / PLACES["digest"]).unlink()
    blob = tmp_path / "cache" / "blobs" / sha(TRUTH["digest"])
    blob.chmod(0o644)
    blob.write_bytes(later(TRUTH["digest"]))
    assert outcomes(fetch(cards, tmp_path / "two", "digest")) == {"fetched"}
    assert_all_there(tmp_path / "two", "digest")


def test_a_member_that_is_missing_has_its_archive_fetched_though_another_is_there(
    cards: Path, origins: Origins, tmp_path: Path
) -> None:
    unpacked = tmp_path / "data" / "google" / "one.tsv"
    unpacked.parent.mkdir(parents=True)
    unpacked.write_bytes(b"id\n")  # nothing is known of it, so it counts as right
    assert outcomes(fetch(cards, tmp_path / "data", "google")) == {"fetched"}


def test_pruning_keeps_what_cards_name_or_data_folders_link_to(
    cards: Path, origins: Origins, tmp_path: Path
) -> None:
    fetch(cards, tmp_path / "data")
    blobs = tmp_path / "cache" / "blobs"
    stray = blobs / ("0" * 64)
    stray.write_bytes(b"of a card that is gone")
    for name in ("blob", "counted", "amazon"):  # cards without sha256: known by name alone
        (tmp_path / "data" / PLACES[name]).unlink()
    assert prune_cache(catalog=cards) == (1, len(b"of a card that is gone"))
    assert outcomes(fetch(cards, tmp_path / "two")) == {"cached"}


def test_pruning_keeps_a_twin_file(origins: Origins, tmp_path: Path) -> None:
    from tests.support.small_origins import _DELIMITED, _GITHUB, card

    twin = card("twin", _GITHUB, _DELIMITED, {"train": "{path: a.tsv}"})
    file = f"{{path: data/digest.tsv, sha256: {sha(TRUTH['digest'])}}}"
    twin += f"    beside: {{same: id, columns: {{}}, files: {{train: [{file}]}}}}\n"
    cards = write_catalog(tmp_path / "twins", {"twin": twin})
    origins.files[f"{RAW}/a.tsv"] = b"id\n1\n"
    fetch(cards, tmp_path / "data", "twin")
    (tmp_path / "data" / "twin" / "data" / "digest.tsv").unlink()
    assert prune_cache(catalog=cards) == (0, 0)


def test_pruning_removes_what_is_half_fetched_unless_someone_is_fetching_it(
    cards: Path, origins: Origins, tmp_path: Path
) -> None:
    for name in ("digest", "sized"):
        origins.script[ADDRESSES[name]].extend([Fault("cut")] * QUICK.attempts)
    assert outcomes(fetch(cards, tmp_path / "data", "digest", "sized")) == {"failed"}
    cache = Cache()
    assert len(parts(tmp_path / "cache")) == 2
    with cache.part(PLACES["digest"]) as held:
        count, freed = prune_cache(catalog=cards)
        assert held.exists()
    assert count == 2  # the other part and its note
    assert freed > 0
    assert len(parts(tmp_path / "cache")) == 1


def test_offline_mode_uses_the_cache_and_sends_no_request(
    cards: Path, origins: Origins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(cards, tmp_path / "one", "digest", "blob")
    count = len(origins.settled())
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    results = fetch(cards, tmp_path / "two", "digest", "blob", "sized")
    assert [one.outcome for one in results.values()] == ["cached", "cached", "failed"]
    assert len(origins.settled()) == count
    with pytest.raises(FilesError, match="unset KIT19_OFFLINE") as caught:
        refuse_failures(list(results.values()))
    assert "is not in the cache, and this is offline mode" in str(caught.value)


def test_a_manual_source_prints_its_steps_and_sends_no_request(
    cards: Path, origins: Origins, tmp_path: Path
) -> None:
    results = fetch(cards, tmp_path / "data", "person")
    assert outcomes(results) == {"needs a person"}
    with pytest.raises(FilesError) as caught:
        refuse_failures(list(results.values()))
    assert str(caught.value) == (
        "person/asked.jsonl: Sign the form at example.org, then save the file you are sent.\n"
        "    put it into the data folder under this name"
    )
    assert origins.settled() == []
    place = tmp_path / "data" / "person" / "asked.jsonl"
    place.parent.mkdir(parents=True)
    place.write_bytes(b'{"id": 1}\n')
    assert outcomes(fetch(cards, tmp_path / "data", "person")) == {"present"}


def test_one_file_that_cannot_be_had_stops_no_other(
    cards: Path, origins: Origins, tmp_path: Path
) -> None:
    del origins.files[ADDRESSES["sized"]]
    results = fetch(cards, tmp_path / "data")
    assert results[PLACES["sized"]].outcome == "failed"
    assert results[PLACES["sized"]].why == "127.0.0.1: the server answers 404"
    assert sum(one.outcome == "fetched" for one in results.values()) == len(ALL) - 1


def test_benchmarks_that_a_build_can_do_without_are_no_failure(
    origins: Origins, tmp_path: Path
) -> None:
    cards = write_catalog(tmp_path / "cards", {name: CARDS[name] for name in ("sized", "counted")})
    for name in ("sized", "counted"):
        card = f"{{id: exam_{name}, title: t, source: {name}, table: rows, splits: [train], "
        card += "scored: train, texts: [id]}"
        (cards / "benchmarks").mkdir(exist_ok=True)
        (cards / "benchmarks" / f"exam_{name}.yaml").write_text(card, "utf-8")
        del origins.files[ADDRESSES[name]]
    sets = "exams: {about: a, benchmarks: [exam_sized], if_present: [exam_counted]}"
    (cards / "benchmark_sets.yaml").write_text(sets, "utf-8")
    (cards / "recipes").mkdir()
    recipe = "{id: mine, title: t, subsets: [apeach], benchmarks: exams}"
    (cards / "recipes" / "mine.yaml").write_text(recipe, "utf-8")
    results = fetch_sources(recipe="mine", data_dir=tmp_path / "data", http=QUICK, catalog=cards)
    exams = [one for one in results if not one.name.startswith("apeach")]
    assert {one.name: (one.outcome, one.optional) for one in exams} == {
        PLACES["sized"]: ("failed", False),
        PLACES["counted"]: ("failed", True),
    }
    with pytest.raises(FilesError) as caught:
        refuse_failures(exams)
    assert [problem.where for problem in caught.value.problems] == [PLACES["sized"]]


def test_progress_of_many_files_at_once_ends_with_everything(
    cards: Path, origins: Origins, tmp_path: Path
) -> None:
    fetch(cards, tmp_path / "data", "release")
    del origins.files[ADDRESSES["counted"]]
    reports: list[Progress] = []
    fetch(cards, tmp_path / "data", on_progress=reports.append)
    downloaded = sum(len(TRUTH[name]) for name in ALL if name not in ("release", "counted"))
    assert reports[-1] == Progress(len(ALL), len(ALL), downloaded, downloaded)
    assert all(now.bytes <= now.bytes_total for now in reports)
    assert [now.files for now in reports] == sorted(now.files for now in reports)


def test_a_full_disk_is_one_clear_error_and_what_came_is_kept(
    cards: Path, origins: Origins, tmp_path: Path
) -> None:
    big, _ = big_source(origins, tmp_path, 2_000_000)
    origins.pace = 0
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, 700_000));"
        "from kit19.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "fetch", "big", "--catalog", str(big)]
    environment = environ(origins, tmp_path / "cache")
    done = subprocess.run(
        [*command, "--data-dir", str(tmp_path / "data")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "cannot be written: File too large" in done.stderr
    assert "name another folder: --data-dir" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data" / "big").exists()
    (part,) = parts(tmp_path / "cache")
    assert part.stat().st_size == 700_000
    fetch_sources(["big"], data_dir=tmp_path / "data", http=QUICK, catalog=big)
    assert origins.settled()[-1].range == "bytes=700000-"


def test_a_data_folder_that_cannot_be_written_is_named(
    cards: Path, origins: Origins, tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")
    with pytest.raises(OutputError, match="cannot be written") as caught:
        fetch(cards, tmp_path / "data", "digest")
    assert str(tmp_path / "data") in str(caught.value)


def test_two_fetches_at_once_download_once_and_both_are_right(
    origins: Origins, tmp_path: Path
) -> None:
    big, _ = big_source(origins, tmp_path, 3_000_000)
    environment = environ(origins, tmp_path / "cache")
    processes = [
        start(big, tmp_path / folder, environment, "big", "--json")
        for folder in ("one", "one", "two")
    ]
    output = [process.communicate(timeout=PATIENCE) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], output
    (request,) = origins.settled()
    assert request.sent == len(origins.files[f"{RAW}/big.tsv"])
    found = sorted(json.loads(out)[0]["outcome"] for out, _ in output)
    assert found.count("fetched") == 1
    for folder in ("one", "two"):
        assert (tmp_path / folder / "big" / "big.tsv").read_bytes() == origins.files[
            f"{RAW}/big.tsv"
        ]


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_fetch_leaves_no_name_and_the_next_goes_on(
    origins: Origins, tmp_path: Path, by: signal.Signals
) -> None:
    big, _ = big_source(origins, tmp_path, 6_000_000)
    whole = origins.files[f"{RAW}/big.tsv"]
    origins.script[f"{RAW}/big.tsv"].append(Fault("stall", 0.5))
    cache = tmp_path / "cache"
    process = start(big, tmp_path / "data", environ(origins, cache), "big")
    wait_for(lambda: any(part.stat().st_size > 500_000 for part in parts(cache)), process)
    process.send_signal(by)
    process.communicate(timeout=PATIENCE)
    assert not list((tmp_path / "data").rglob("*.tsv"))
    (part,) = parts(cache)
    there = part.stat().st_size
    assert whole.startswith(part.read_bytes())
    origins.pace = 0
    fetch_sources(["big"], data_dir=tmp_path / "data", http=QUICK, catalog=big)
    assert (tmp_path / "data" / "big" / "big.tsv").read_bytes() == whole
    (rest,) = [request for request in origins.settled() if request.range]
    assert (rest.range, rest.sent) == (f"bytes={there}-", len(whole) - there)


def test_a_fetch_killed_before_the_last_step_needs_no_bytes(
    cards: Path, origins: Origins, tmp_path: Path
) -> None:
    origins.script[ADDRESSES["digest"]].extend([Fault("cut", 0.9)] * QUICK.attempts)
    fetch(cards, tmp_path / "data", "digest")
    (part,) = parts(tmp_path / "cache")
    part.write_bytes(TRUTH["digest"])
    count = len(origins.settled())
    assert outcomes(fetch(cards, tmp_path / "data", "digest")) == {"fetched"}
    assert_all_there(tmp_path / "data", "digest")
    assert len(origins.settled()) == count


@pytest.mark.parametrize("damage", ["longer", "other bytes", "no note", "note of another address"])
def test_a_part_that_is_not_what_it_should_be_does_no_harm(
    cards: Path, origins: Origins, tmp_path: Path, damage: str
) -> None:
    origins.script[ADDRESSES["digest"]].extend([Fault("cut", 0.5)] * QUICK.attempts)
    fetch(cards, tmp_path / "data", "digest")
    (part,) = parts(tmp_path / "cache")
    note = part.with_suffix(".note")
    if damage == "longer":
        part.write_bytes(TRUTH["digest"] * 2)
    elif damage == "other bytes":
        part.write_bytes(later(TRUTH["digest"])[:1000])
    elif damage == "no note":
        note.unlink()
    else:
        note.write_text(json.dumps({"url": "https://example.org/", "validator": '"1"'}))
    assert outcomes(fetch(cards, tmp_path / "data", "digest")) == {"fetched"}
    assert_all_there(tmp_path / "data", "digest")


# polars installs a signal handler of its own.
WITH_POLARS = "import polars, runpy; runpy.run_module('kit19', run_name='__main__', alter_sys=True)"


@pytest.mark.parametrize(
    ("fault", "command"),
    [("stall", ("-m", "kit19")), ("429", ("-m", "kit19")), ("stall", ("-c", WITH_POLARS))],
)
def test_ctrl_c_ends_at_once_even_when_the_server_is_silent_and_what_came_is_kept(
    origins: Origins, tmp_path: Path, fault: str, command: tuple[str, ...]
) -> None:
    big, _ = big_source(origins, tmp_path, 2_000_000)
    say = "50" if fault == "429" else ""
    origins.script[f"{RAW}/big.tsv"].extend([Fault("cut", 0.4), Fault(fault, 0.5, say)])
    cache = tmp_path / "cache"
    line = [sys.executable, *command]
    process = start(big, tmp_path / "data", environ(origins, cache), "big", command=line)
    # The second request is being answered with silence, or was answered with how long to wait.
    wait_for(lambda: not origins.script[f"{RAW}/big.tsv"], process)
    wait_for(lambda: fault == "stall" or not origins.busy, process)
    process.send_signal(signal.SIGINT)
    _, output = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, output
    assert len(origins.settled()) == 2  # it has waited neither for the server nor to try again
    assert output.strip() == "Interrupted; nothing was left half-written."
    (part,) = parts(cache)
    assert origins.files[f"{RAW}/big.tsv"].startswith(part.read_bytes())
    assert part.stat().st_size > 500_000
    assert not list((tmp_path / "data").rglob("*.tsv"))


# The command line, with what filelock has to tell about waiting on stderr.
TELLS_OF_LOCKS = """
import logging, runpy
logging.basicConfig()
logging.getLogger("filelock").setLevel(logging.DEBUG)
runpy.run_module("kit19", run_name="__main__", alter_sys=True)
"""


def test_ctrl_c_does_not_wait_for_another_fetch(origins: Origins, tmp_path: Path) -> None:
    big, _ = big_source(origins, tmp_path, 2_000_000)
    cache = tmp_path / "cache"
    command = [sys.executable, "-c", TELLS_OF_LOCKS]
    with Cache(cache).part("big/big.tsv"):
        process = start(big, tmp_path / "data", environ(origins, cache), "big", command=command)
        output = iter(process.stderr.readline, "")
        assert any("not acquired" in line for line in output), "it never came to wait for the lock"
        process.send_signal(signal.SIGINT)
        # The lock is held until it has ended: a fetch that waits for it would never end.
        _, output = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, output
    assert origins.settled() == []


def test_what_the_command_prints(cards: Path, origins: Origins, tmp_path: Path) -> None:
    environment = environ(origins, tmp_path / "cache")
    process = start(cards, tmp_path / "data", environment, "digest", "sized")
    out, output = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output) == (0, "")
    assert out == (
        f"fetched  digest/data/digest.tsv  {len(TRUTH['digest']):,} bytes, by sha256\n"
        f"fetched  sized/sized.jsonl  {len(TRUTH['sized']):,} bytes, by bytes\n"
        "2 files: 2 fetched\n"
    )
    listed = start(cards, tmp_path / "data", environment, "digest", "counted", "--list", "--json")
    rows = json.loads(listed.communicate(timeout=PATIENCE)[0])
    assert [(row["file"], row["status"]) for row in rows] == [
        ("digest/data/digest.tsv", "verified"),
        ("counted/counted.jsonl", "missing"),
    ]
    blob = tmp_path / "cache" / "blobs" / sha(TRUTH["digest"])
    blob.chmod(0o644)
    blob.write_bytes(b"damaged, here and in the data folder, which is the same file")
    checked = start(cards, tmp_path / "data", environment, "digest", "--check")
    assert checked.communicate(timeout=PATIENCE)[0] == (
        "1 damaged files removed from the cache\n"
        f"fetched  digest/data/digest.tsv  {len(TRUTH['digest']):,} bytes, by sha256\n"
        "1 files: 1 fetched\n"
    )
    pruned = start(cards, tmp_path / "data", environment, "--prune")
    assert (
        pruned.communicate(timeout=PATIENCE)[0] == "0 files removed from the cache, 0 bytes freed\n"
    )
    both = start(cards, tmp_path / "data", environment, "--prune", "--list")
    assert "exclude each other" in both.communicate(timeout=PATIENCE)[1]
    assert both.returncode == 2


def test_listing_fetches_nothing(cards: Path, origins: Origins, tmp_path: Path) -> None:
    found = list_files(ALL, data_dir=tmp_path / "data", catalog=cards)
    assert {one.status for one in found} == {"missing"}
    assert origins.settled() == []
    assert len(BYTES) == len(ALL)
