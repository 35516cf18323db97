"""What readers of a build must know is stated in the same words everywhere."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit19.catalog import load_catalog
from kit19.cli.build import print_summary
from kit19.core.ledger import Ledger
from kit19.core.manifest import NAME, Manifest, SharedText, SkippedFile, UserCatalog, read_manifest
from kit19.core.notes import NoteKind
from kit19.publishing.terms import check_terms
from kit19.training.rows.files import load_build_rows
from kit19.writing.card import dataset_card
from kit19.writing.tables import Tables
from kit19.writing.verification import read_rows

MISSING = SkippedFile(name="dmath/train.json", status="missing", why="it is not there")
TWO = SharedText(subset="nsmc", earlier="apeach", records=3, other_label=0, examples=[("a", "b")])
MALFORMED = Ledger(
    upstream_rows=603,
    read=603,
    train=600,
    validation=0,
    surplus=0,
    dropped={"malformed": 3},
    malformed_by={"two in a row": 2, "empty turn": 1},
    examples=600,
)

CASES: list[tuple[NoteKind, str, dict[str, Any]]] = [
    ("sample", "kit19's own sample, not the datasets", {}),
    ("contaminated", "benchmark splits are included on purpose", {"contaminated": True}),
    (
        "not_decontaminated",
        "not decontaminated against klue_sts, klue_ynat",
        {"not_decontaminated_against": ["klue_sts", "klue_ynat"]},
    ),
    (
        "not_decontaminated",
        "not decontaminated against any benchmark",
        {"decontaminated_against": []},
    ),
    (
        "replaced",
        "cards of a user's catalog are in place of kit19's: benchmarks/klue_sts",
        {"catalog": UserCatalog(only=False, added={}, replaced={"benchmarks/klue_sts": "0" * 64})},
    ),
    ("shared", "records whose text is in two subsets: nsmc/apeach 3", {"shared": [TWO]}),
    (
        "entangled",
        "excluding a subset may change rows of the others: weights",
        {"entangled_by": ["weights"]},
    ),
    ("short", "rows with all templates: nsmc 590", {"nsmc": {"short": 10}}),
    ("incomplete", "nsmc is incomplete: 1 of 2 files", {"nsmc": {"files": (1, 2)}}),
    (
        "unverified",
        "nsmc has rows of unverified files: nsmc/ratings_train.txt",
        {"nsmc": {"unverified": ["nsmc/ratings_train.txt"]}},
    ),
    (
        "malformed",
        "nsmc lacks 3 malformed rows: 2 two in a row, 1 empty turn",
        {"nsmc": {"ledger": MALFORMED}},
    ),
    (
        "not_built",
        "dmath is not built: dmath/train.json: it is not there",
        {"not_built": {"dmath": [MISSING]}},
    ),
]
LABELS = {
    "contaminated": "contaminated",
    "not_decontaminated": "unverified",
    "unverified": "unverified",
}
PUBLISHED = {
    "sample",
    "contaminated",
    "not_decontaminated",
    "replaced",
    "incomplete",
    "unverified",
    "not_built",
}


def changed(manifest: Manifest, change: dict[str, Any]) -> Manifest:
    change = dict(change)
    entry = change.pop("nsmc", {})
    subsets = {**manifest.subsets, "nsmc": manifest.subsets["nsmc"].model_copy(update=entry)}
    del subsets["unsmile"]  # its license forbids publishing
    return manifest.model_copy(update={**change, "subsets": subsets})


def tables_of(folder: Path) -> Tables:
    train, validation = (read_rows(folder, part) for part in ("train", "validation"))
    return Tables(train, validation, pl.DataFrame())


@pytest.mark.parametrize(("kind", "what", "change"), CASES)
def test_a_fact_is_stated_in_the_same_words_everywhere(
    kind: NoteKind,
    what: str,
    change: dict[str, Any],
    sample_build: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    manifest = changed(read_manifest(sample_build), change)
    (note,) = (note for note in manifest.notes() if note.kind == kind)
    assert what in note.what
    print_summary(manifest, tmp_path)
    assert f"  ! {note.headline}\n" in capsys.readouterr().out
    card = dataset_card(manifest, tables_of(sample_build), load_catalog()).replace("`", "")
    assert (f"{note.headline[1:]}.**" in card) == (kind != "shared")
    published = check_terms(
        manifest, tmp_path, load_catalog(), ["sample", "contaminated", "unclear"]
    )
    assert (note.what in published) == (kind in PUBLISHED)
    folder = shutil.copytree(sample_build, tmp_path / "build")
    (folder / NAME).write_text(manifest.to_json(), "utf-8")
    entry = load_build_rows(folder, manifest, 0, 19).entry
    assert entry.label == LABELS.get(kind, "clean")
    assert entry.why == (note.what if kind in LABELS else "")
    caution = f"its training data is {LABELS[kind]}: {note.what}" if kind in LABELS else ""
    assert entry.caution == caution


def test_every_kind_is_among_the_cases() -> None:
    assert {kind for kind, _, _ in CASES} == set(NoteKind.__args__)  # type: ignore[attr-defined]


def test_all_reasons_for_a_label_are_recorded(sample_build: Path) -> None:
    change = {"not_decontaminated_against": ["klue_sts"], "nsmc": {"unverified": ["nsmc/a"]}}
    manifest = changed(read_manifest(sample_build), change)
    entry = load_build_rows(sample_build, manifest, 0, 19).entry
    assert entry.why == (
        "not decontaminated against klue_sts; nsmc has rows of unverified files: nsmc/a"
    )
