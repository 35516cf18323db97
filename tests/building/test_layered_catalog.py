"""A recipe of the user's that extends kit19's by a source of the user's, without a fork."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from kit19 import (
    Kit19Error,
    Manifest,
    UnknownNameError,
    build,
    diff,
    explain,
    lint,
    load,
    load_catalog,
    show,
    verify,
)
from kit19.catalog import BUILT_IN
from kit19.core.manifest import read_manifest
from kit19.fetching.sources import list_files
from kit19.publishing.pushing import push
from kit19.publishing.terms import rebuild_command
from kit19.sample import SAMPLE
from tests.support.samples import dropped_of, rows_of, told
from tests.support.shop import GOOD

OURS = load_catalog()
KEPT_OUT = sorted(OURS.kept_out(OURS.recipe("kit19")).names)
RECIPE = {"id": "mine", "title": "KIT-19 and mine", "extends": "kit19", "add": ["cafe_reviews"]}
CAP = {"cap": 20, "validation": 2}


def a_benchmark_sentence() -> str:
    text = (SAMPLE / "kobest" / "v1.0" / "COPA" / "test.tsv").read_text(encoding="utf-8")
    return max((line.split("\t")[1] for line in text.splitlines()[1:]), key=len)


class World:
    """A user's catalog, a data folder with the sample and the user's data, and builds."""

    def __init__(self, root: Path) -> None:
        self.root, self.my, self.data = root, root / "my", root / "data"
        shutil.copytree(GOOD, self.my, ignore=shutil.ignore_patterns("data", "benchmarks"))
        card = self.my / "sources" / "cafe.yaml"
        card.write_text(card.read_text("utf-8").replace("rows: 3", "rows: 4"), encoding="utf-8")
        (self.my / "recipes" / "mine.yaml").write_text(yaml.safe_dump(RECIPE), encoding="utf-8")
        self.data.mkdir()
        for source in SAMPLE.iterdir():
            if source.is_dir() and not source.name.startswith("__"):
                (self.data / source.name).symlink_to(source)
        shutil.copytree(GOOD / "data" / "cafe", self.data / "cafe")
        with (self.data / "cafe" / "train.tsv").open("a", encoding="utf-8") as file:
            file.write(f"4\t다락\t{a_benchmark_sentence()}\t0\n")

    def build(self, name: str, recipe: str = "mine", catalog: Any = "", **changes: Any) -> Manifest:
        """The sample stands in for the datasets, so its files differ from their cards."""
        return build(
            recipe,
            self.root / name,
            data_dir=self.data,
            partial=True,
            unverified=True,
            changes=CAP | changes,
            catalog=self.my if catalog == "" else catalog,
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("world"))
    world.build("mine")
    world.build("kit19", "kit19", None)
    return world


@pytest.fixture(scope="module")
def out(world: World) -> Path:
    return world.root / "mine"


def test_the_build_is_kit19_and_the_users_source(world: World, out: Path) -> None:
    manifest = verify(out)
    assert list(manifest.subsets) == [*OURS.recipe("kit19").subsets, "cafe_reviews"]
    mine, ours = told(rows_of(out)), told(rows_of(world.root / "kit19"))
    added = {place: row for place, row in mine.items() if place not in ours}
    assert {place: row for place, row in mine.items() if place in ours} == ours
    assert {name for name, _ in added} == {f"cafe_reviews/train/{n}" for n in (1, 2, 3)}


def test_the_users_source_is_decontaminated_against_every_benchmark(out: Path) -> None:
    manifest = read_manifest(out)
    assert manifest.decontaminated_against == KEPT_OUT
    assert manifest.not_decontaminated_against == []
    gone = dropped_of(out).filter(id="cafe_reviews/train/4").row(0, named=True)
    assert gone["reason"] == "contaminated"
    assert "kobest_copa/test/" in gone["evidence"]


def test_the_manifest_names_the_users_cards_with_their_digests(world: World, out: Path) -> None:
    manifest = read_manifest(out)
    assert manifest.catalog is not None
    files = {
        f"{path.parent.name}/{path.stem}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in world.my.rglob("*.yaml")
    }
    assert (manifest.catalog.only, manifest.catalog.replaced) == (False, {})
    assert manifest.catalog.added == files
    assert manifest.cards["cafe"] == files["sources/cafe"]
    assert {f"benchmarks/{name}" for name in KEPT_OUT} <= set(manifest.cards)
    assert read_manifest(world.root / "kit19").catalog is None
    assert str(world.root) not in (out / "manifest.json").read_text(encoding="utf-8")
    causes = set(diff(world.root / "kit19", out).causes)
    assert {"card cafe", "card templates/cafe_reviews", "recipe subsets"} <= causes


def test_card_notice_and_croissant_have_the_users_source(out: Path) -> None:
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "| cafe | CC0-1.0 | yes | yes | yes | no |" in card
    assert "- **Café reviews** (github:someone/cafe-reviews @ 0123abc)" in card
    assert "`sources/cafe`" in card
    assert "Café reviews, written for these tests" in (out / "NOTICE").read_text(encoding="utf-8")
    croissant = json.loads((out / "croissant.json").read_text(encoding="utf-8"))
    assert "CC0-1.0" in croissant["license"]


def test_what_explains_or_publishes_the_build_needs_its_catalog(world: World, out: Path) -> None:
    found = explain(out, "cafe_reviews/train/4", catalog=world.my)
    assert (found.status, found.why[:13]) == ("dropped", "contaminated:")
    message = "made with a user's catalog that has sources/cafe"
    with pytest.raises(UnknownNameError, match=message) as caught:
        explain(out, "cafe_reviews/train/4")
    assert caught.value.problems[0].fix == "give the folder of that catalog: --catalog"
    with pytest.raises(UnknownNameError, match=message):
        push(out, "me/mine", dry_run=True)
    assert explain(world.root / "kit19", "nsmc/test/1").status == "not taken"


def test_every_function_with_cards_knows_the_users_subset(world: World) -> None:
    where: dict[str, Any] = {"data_dir": world.data, "catalog": world.my}
    assert load("cafe_reviews", **where).polars().collect().height == 4
    (example,) = show("cafe_reviews", n=1, **where)
    assert (example.card.catalog, example.templates.catalog) == (str(world.my), str(world.my))
    assert example.templates.file == str(world.my / "templates" / "cafe_reviews.yaml")
    assert lint("cafe_reviews", **where).subsets["cafe_reviews"].records == 5
    assert {one.name for one in list_files(["cafe"], **where)} == {
        "cafe/train.tsv",
        "cafe/test.tsv",
    }
    assert "cafe/train.tsv" in {one.name for one in list_files(recipe="mine", **where)}


def test_a_license_policy_covers_the_users_source(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.my, tmp_path / "my")
    card = tmp_path / "my" / "sources" / "cafe.yaml"
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace("commercial: yes", "commercial: no"), encoding="utf-8")
    changes: dict[str, Any] = {"license": "commercial", "subsets": ["nsmc", "cafe_reviews"]}
    manifest = world.build("commercial", catalog=tmp_path / "my", **changes)
    assert list(manifest.subsets) == ["nsmc"]
    assert "does not allow commercial use" in manifest.not_built["cafe_reviews"][0].why
    found = explain(world.root / "commercial", "cafe_reviews/train/1", catalog=tmp_path / "my")
    assert found.status == "not built"
    with pytest.raises(UnknownNameError, match="catalog that has cafe_reviews"):
        explain(world.root / "commercial", "cafe_reviews/train/1")


def test_a_recipe_in_a_file_of_its_own_finds_the_users_subsets(
    world: World, tmp_path: Path
) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump(RECIPE | {"id": "other"}), encoding="utf-8")
    manifest = world.build("other", str(path), subsets=["cafe_reviews"])
    assert list(manifest.subsets) == ["cafe_reviews"]
    with pytest.raises(Kit19Error, match="there is no subset 'cafe_reviews'") as caught:
        world.build("other", str(path), None)
    line = path.read_text("utf-8").splitlines().index("- cafe_reviews") + 1
    assert caught.value.problems[0].where == f"{path}:{line}"


def test_replaced_templates_change_the_rows_of_their_subset_alone(
    world: World, tmp_path: Path
) -> None:
    my = tmp_path / "my"
    (my / "templates").mkdir(parents=True)
    text = (BUILT_IN / "templates" / "nsmc.yaml").read_text(encoding="utf-8")
    changed = text.replace("관객이 남긴", "관객이 쓴")
    (my / "templates" / "nsmc.yaml").write_text(changed, encoding="utf-8")
    manifest = world.build("replaced", "kit19", my)
    assert manifest.catalog is not None
    assert list(manifest.catalog.replaced) == ["templates/nsmc"]
    assert manifest.catalog.added == {}
    (note,) = [note.what for note in manifest.notes() if note.kind == "replaced"]
    assert note.endswith("in place of kit19's: templates/nsmc")
    found = diff(world.root / "kit19", world.root / "replaced")
    assert set(found.subsets) == {"nsmc"}
    assert set(found.causes) == {"card templates/nsmc"}
    card = (world.root / "replaced" / "README.md").read_text(encoding="utf-8")
    assert "in place of kit19's: `templates/nsmc`." in card
    # Nothing but the templates is theirs, so the build is explained without them.
    assert explain(world.root / "replaced", "nsmc/test/1").status == "not taken"


@pytest.mark.parametrize("only", [False, True])
def test_the_command_that_repeats_a_build_has_its_catalog(
    world: World, out: Path, only: bool
) -> None:
    catalog = load_catalog(world.my, only=only)
    manifest = read_manifest(out)
    if only:
        recipe = manifest.recipe | {"id": "cafe", "subsets": ["cafe_reviews"]}
        manifest = manifest.model_copy(update={"recipe": recipe})
    words = shlex.split(rebuild_command(manifest, out, catalog, ["cafe_reviews"]))
    option = "--catalog-only" if only else "--catalog"
    assert words[words.index(option) + 1] == str(world.my)
    assert words[2] == ("cafe" if only else "mine")
    assert words[words.index("--exclude") + 1] == "cafe_reviews"
