"""In one build each upstream file is hashed once and parsed once, and each output is hashed once."""

from __future__ import annotations

from collections import Counter
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from kit19 import build, load_catalog
from kit19.core.manifest import Manifest
from kit19.sample import SAMPLE
from tests.support.counting import Counts, counted
from tests.support.shop import CARD, Shop, open_shop

MIXTURES = [
    pytest.param({}, id="plain"),
    pytest.param({"weights": {"nsmc": 2}}, id="weights"),
    pytest.param({"per_task_cap": 8}, id="per_task_cap"),
    pytest.param({"dedup": "across", "weights": {"nsmc": 2}}, id="across"),
]


def check_once(counts: Counts, manifest: Manifest, data: Path) -> None:
    """Every input: one hash and one parse, and opened for nothing else. Every output: one hash."""
    digests = [one.sha256 for one in manifest.inputs] + [one.sha256 for one in manifest.outputs]
    assert {one: counts.hashes[one] for one in digests} == Counter(digests)
    assert counts.parses == {one.name: 1 for one in manifest.inputs}
    opens = {one.name: counts.opens[str(data / one.name)] for one in manifest.inputs}
    assert opens == {one.name: 2 for one in manifest.inputs}


@pytest.mark.parametrize("changes", MIXTURES)
def test_a_build_of_the_sample(changes: dict[str, Any], tmp_path: Path) -> None:
    formats = ["jsonl", "alpaca", "messages", "sharegpt", "prompt-completion"]
    with counted() as counts:
        given = {"formats": formats, "cap": 5, "validation": 1, **changes}
        manifest = build("sample", tmp_path / "out", changes=given)
    assert len(manifest.subsets) == 20  # two of them read the same files
    assert len(manifest.outputs) == 16
    check_once(counts, manifest, SAMPLE)


def test_a_benchmark_and_a_subset_that_read_the_same_files(tmp_path: Path) -> None:
    changes = {"subsets": ["kobest_copa", "kobest_wic", "nsmc"], "splits": "all"}
    with counted() as counts:
        manifest = build("sample", tmp_path / "out", changes=changes)
    assert {"kobest_copa", "kobest_wic"} <= {*manifest.decontaminated_against}
    check_once(counts, manifest, SAMPLE)


def build_shop(shop: Shop, out: Path) -> tuple[Counts, Manifest]:
    catalog = load_catalog(shop.root, only=True)
    with counted() as counts:
        manifest = build("cafe", out, data_dir=shop.root / "data", catalog=catalog)
    return counts, manifest


@pytest.mark.parametrize("known_by", ["bytes", "sha256", "git_blob", "rows", "nothing"])
def test_whatever_the_card_knows_the_file_by(known_by: str, tmp_path: Path) -> None:
    shop = open_shop(tmp_path / "shop")
    data = shop.train.read_bytes()
    blob = sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    known = {
        "bytes": f", bytes: {len(data)}",
        "sha256": f", sha256: {sha256(data).hexdigest()}",
        "git_blob": f", git_blob: {blob}",
        "rows": ", rows: 3",
        "nothing": "",
    }[known_by]
    shop.edit(CARD, "path: train.tsv, rows: 3", f"path: train.tsv{known}")
    counts, manifest = build_shop(shop, tmp_path / "out")
    by = {one.name: one.by for one in manifest.inputs}["cafe/train.tsv"]
    assert by == {"git_blob": "git blob", "nothing": "nothing: upstream published no digest"}.get(
        known_by, known_by
    )
    check_once(counts, manifest, shop.root / "data")


def test_the_members_of_an_archive(tmp_path: Path) -> None:
    """An archive is hashed once for all its members; each member is parsed once."""
    shop = open_shop(tmp_path / "shop")
    archive = shop.pack()
    with ZipFile(archive, "a") as bundle:
        bundle.write(shop.test, "cafe/test.tsv")
    shop.test.unlink()
    packed = "archive: {path: cafe.zip, member: cafe/test.tsv}"
    shop.edit(CARD, "path: test.tsv, rows: 1", f"path: test.tsv, {packed}")
    counts, manifest = build_shop(shop, tmp_path / "out")
    assert {one.packed for one in manifest.inputs} == {"cafe.zip"}
    assert counts.parses == {"cafe/train.tsv": 1, "cafe/test.tsv": 1}
    assert counts.hashes[manifest.inputs[0].sha256] == 1
    assert counts.opens[str(archive)] == 1 + 2


@pytest.mark.real
def test_a_weighted_build_of_the_real_files(real_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with counted() as counts:
        changes = {"weights": {"nsmc": 2}, "cap": 50, "validation": 5}
        manifest = build("kit19", out, data_dir=real_data, partial=True, changes=changes)
    assert len(manifest.inputs) > 30
    check_once(counts, manifest, real_data)
