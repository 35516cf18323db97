"""Every card's addresses, against ones derived from the survey of the sources and nothing else."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from urllib.parse import unquote

import pytest

from kit19.catalog import Catalog, Source, load_catalog
from kit19.catalog.tables import File
from kit19.fetching.origin import addresses
from tests.support.invoking import invoke

SOURCES = sorted(load_catalog().sources)
LATER = {("klue", "nli"), ("klue", "ner"), ("klue", "dp")}
"""Tables that were added to a source after the survey, from the same commit."""


def files_of(source: Source) -> Iterator[tuple[str, File]]:
    for name, table in source.tables.items():
        twins = table.beside.files if table.beside else {}
        for files in (table.files, twins):
            for group in files.values():
                yield from ((name, file) for file in group)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="module")
def surveyed(real_data: Path) -> dict[str, set[str]]:
    """For each source the addresses that SOURCES.md, section 1, gives its files.

    A commit stands there by its first twelve digits, so here too.
    """
    section = (real_data / "SOURCES.md").read_text("utf-8").split("## 1. Summary table")[1]
    table = section.split("### Licence table")[0]
    found: dict[str, set[str]] = {}
    repo, commit = "", ""
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        name = re.match(r"`(\w+)`", cells[0])
        if not name or len(cells) < 9:
            continue
        if reports := re.match(r"github:(\S+)(?: \([^)]*\))? @([0-9a-f]{12})", cells[2]):
            repo, commit = reports.groups()
        else:
            assert cells[2] == "same", cells[2]
        urls = set(_derived(cells[4], repo, commit, cells[8], real_data / name[1]))
        found.setdefault(name[1], set()).update(urls)
    return found


def _derived(where: str, repo: str, commit: str, rows: str, folder: Path) -> Iterator[str]:
    """Addresses of what a cell "original location" names in backticks."""
    if bucket := re.match(r"GCS bucket `([\w-]+)`: `([^`]+)`", where):
        yield f"https://storage.googleapis.com/{bucket[1]}/{bucket[2]}"
        return
    if bucket := re.match(r"S3 bucket `([\w-]+)` \(([\w-]+)\) `([^`]+)`", where):
        for path in _expanded(bucket[3]):
            yield f"https://{bucket[1]}.s3.{bucket[2]}.amazonaws.com/{path}"
        return
    if assets := re.match(r"release assets `([^`]+)`, tags (.+)", where):
        version = re.match(r"(v\d+):", rows)
        (tag,) = [
            tag for tag in re.findall(r"`([^`]+)`", assets[2]) if version and version[1] in tag
        ]
        for path in _expanded(assets[1]):
            yield f"https://github.com/{repo}/releases/download/{tag}/{path}"
        return
    yield from _raw(where, repo, commit, folder)


def _raw(where: str, repo: str, commit: str, folder: Path) -> Iterator[str]:
    """Addresses of files in a repository."""
    for part in where.split("; "):
        other = re.search(r"github:(\S+) `[^`]+` @([0-9a-f]{12})", part)
        owner, at = other.groups() if other else (repo, commit)
        for quoted in re.findall(r"`([^`]+)`", part):
            if quoted == "files":
                continue
            paths = _expanded(quoted)
            if "YYYY-MM" in quoted:
                paths = (folder / "files").read_text("utf-8").split()
            for path in paths:
                yield f"https://raw.githubusercontent.com/{owner}/{at}/{path}"


def _expanded(pattern: str) -> list[str]:
    """``{a,b}/c.{d,e}`` as a shell expands it; several patterns may be listed with ``, ``."""
    found = []
    for one in pattern.split(", "):
        pieces = re.split(r"\{([^}]*)\}", one)
        choices = [piece.split(",") if place % 2 else [piece] for place, piece in enumerate(pieces)]
        found += ["".join(chosen) for chosen in product(*choices)]
    return found


def _shortened(url: str) -> str:
    """An address with its commit cut to twelve digits; GitHub's names know no case."""
    parts = unquote(url).split("/")
    if parts[2] in ("raw.githubusercontent.com", "github.com"):
        parts[3:5] = [parts[3].casefold(), parts[4].casefold()]
    if parts[2] == "raw.githubusercontent.com":
        assert re.fullmatch(r"[0-9a-f]{12}|[0-9a-f]{40}", parts[5]), parts[5]
        parts[5] = parts[5][:12]
    return "/".join(parts)


@pytest.mark.parametrize("name", SOURCES)
def test_every_address_is_the_one_that_the_survey_gives(
    surveyed: dict[str, set[str]], catalog: Catalog, name: str
) -> None:
    if name not in surveyed:
        pytest.skip("it was added after the survey")
    expected = {_shortened(url) for url in surveyed[name]}
    for table, file in files_of(catalog.source(name)):
        path = file.archive.path if file.archive else file.path
        first = _shortened(addresses(catalog.source(name), table, file)[0])
        if (name, table) in LATER:
            assert first.split("/")[:6] in [url.split("/")[:6] for url in expected]
            continue
        assert first in expected
        assert first.endswith(path.removeprefix("beep_train_for_hf"))


def test_the_survey_is_read_completely(surveyed: dict[str, set[str]]) -> None:
    assert len(surveyed) == 17
    assert set(surveyed) <= set(SOURCES)
    counts = {name: len(urls) for name, urls in surveyed.items()}
    assert counts["kobest"] == 15
    assert counts["petitions"] == 25
    assert counts["stylekqc"] == 9
    assert counts["apeach"] == 2


@pytest.mark.parametrize("name", SOURCES)
def test_sizes_and_digests_are_those_of_the_files_at_hand(
    real_data: Path, catalog: Catalog, name: str
) -> None:
    with (real_data / "MANIFEST.tsv").open(encoding="utf-8", newline="") as stream:
        manifest = {row["path"]: row for row in csv.DictReader(stream, delimiter="\t")}
    for _, file in files_of(catalog.source(name)):
        row = manifest.get(f"{name}/{file.path}")
        if row and row["status"].startswith("FULL"):
            assert (file.bytes, file.sha256) == (int(row["bytes"]), row["sha256"])


@pytest.mark.parametrize("name", SOURCES)
def test_every_file_has_an_address_with_a_pinned_revision(catalog: Catalog, name: str) -> None:
    source = catalog.source(name)
    for table, file in files_of(source):
        assert addresses(source, table, file)
    for origin in source.origins:
        if origin.kind == "github" and "abbreviated commit" not in origin.note:
            assert re.fullmatch(r"[0-9a-f]{40}", origin.revision)


@pytest.mark.parametrize("name", SOURCES)
def test_what_nobody_here_has_tried_is_said_to_be_untried(catalog: Catalog, name: str) -> None:
    shown = invoke("sources", name).out
    told = [line for line in shown.splitlines() if line.startswith("Origin: ")]
    assert len(told) == len(catalog.source(name).origins)
    for line, origin in zip(told, catalog.source(name).origins, strict=True):
        assert ("not tried online" in line) == (not origin.tried)
        assert origin.revision in line


def test_two_files_never_share_an_address(catalog: Catalog) -> None:
    places: dict[str, str] = {}
    for source in catalog.sources.values():
        for table, file in files_of(source):
            place = f"{source.id}/{file.archive.path if file.archive else file.path}"
            for url in addresses(source, table, file):
                assert places.setdefault(url, place) == place


def test_the_revision_of_a_hub_origin_may_have_slashes() -> None:
    source = load_catalog().source("kmmlu_hard")
    file = source.tables["questions"].files["test"][0]
    (address,) = addresses(source, "questions", file)
    assert "/resolve/refs%2Fconvert%2Fparquet/accounting/test/0000.parquet" in address
