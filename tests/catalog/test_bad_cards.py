"""A broken card says what is wrong, where, and what to do.

Each folder of ``bad_cards/`` is a case: files that take the place of those in ``good/``, perhaps
``command.json`` (the recipe, values to set, files to remove), and ``expected.txt``, the message.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from kit19 import Kit19Error, build, load_catalog
from tests.support.golden import Golden

HERE = Path(__file__).parent / "bad_cards"
GOOD = HERE / "good"
CASES = sorted(p for p in HERE.iterdir() if p.is_dir() and p.name != "good")
NOT_CARDS = shutil.ignore_patterns("expected.txt", "command.json")


def try_to_build(catalog: Path, out: Path, command: dict[str, Any]) -> None:
    for name in command.get("remove", []):
        (catalog / name).unlink()
    recipe = command.get("recipe", "cafe").replace("<PATH>", str(catalog))
    data = catalog / "data"
    cards = load_catalog(catalog, only=True)
    build(recipe, out, data_dir=data, catalog=cards, changes=command.get("set"))


def test_the_good_cards_build(tmp_path: Path) -> None:
    shutil.copytree(GOOD, tmp_path / "catalog")
    try_to_build(tmp_path / "catalog", tmp_path / "out", {})
    assert (tmp_path / "out" / "manifest.json").is_file()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_card_gets_its_exact_message(case: Path, tmp_path: Path, golden: Golden) -> None:
    catalog = tmp_path / "catalog"
    shutil.copytree(GOOD, catalog)
    shutil.copytree(case, catalog, dirs_exist_ok=True, ignore=NOT_CARDS)
    told = case / "command.json"
    command = json.loads(told.read_text(encoding="utf-8")) if told.exists() else {}
    with pytest.raises(Kit19Error) as caught:
        try_to_build(catalog, tmp_path / "out", command)
    message = str(caught.value).replace(str(catalog), "<PATH>") + "\n"
    golden.check(case / "expected.txt", message)
    assert not (tmp_path / "out").exists()


def test_a_card_cannot_run_anything(tmp_path: Path) -> None:
    catalog, trace = tmp_path / "catalog", tmp_path / "trace"
    shutil.copytree(GOOD, catalog)
    card = catalog / "sources" / "cafe.yaml"
    tag = f'citation: !!python/object/apply:os.mkdir ["{trace}"]'
    card.write_text(card.read_text("utf-8").replace('citation: ""', tag), encoding="utf-8")
    with pytest.raises(Kit19Error, match="the tag"):
        try_to_build(catalog, tmp_path / "out", {})
    assert not trace.exists()


def test_a_file_larger_than_any_card_is_refused(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog"
    shutil.copytree(GOOD, catalog)
    with (catalog / "recipes" / "cafe.yaml").open("a", encoding="utf-8") as file:
        file.write("# more\n" * 300_000)
    with pytest.raises(Kit19Error, match=r"cafe\.yaml: is larger than 2,000,000 bytes"):
        try_to_build(catalog, tmp_path / "out", {})


def test_nesting_without_end_is_refused(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog"
    shutil.copytree(GOOD, catalog)
    nested = "id: cafe\ntitle: Café reviews\nsubsets: " + "[" * 2_000 + "]" * 2_000
    (catalog / "recipes" / "cafe.yaml").write_text(nested, encoding="utf-8")
    with pytest.raises(Kit19Error, match=r"cafe\.yaml"):
        try_to_build(catalog, tmp_path / "out", {})
