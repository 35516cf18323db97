"""A user's folder of cards on top of kit19's own: what is added, what is replaced, what is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19 import ArgumentError, CatalogError, UnknownNameError, load_catalog, sources
from kit19.catalog import BUILT_IN
from kit19.catalog.layers import KINDS, Kind, Layers, layers_of
from kit19.catalog.yaml_file import read_yaml
from kit19.cli import cli
from kit19.rendering import load_templates
from tests.support.invoking import invoke
from tests.support.shop import GOOD

OURS = load_catalog()
NSMC = "sources/nsmc.yaml"


@pytest.fixture
def my(tmp_path: Path) -> Path:
    """A user's catalog with one source, its templates, a benchmark and a recipe."""
    root = tmp_path / "my"
    shutil.copytree(GOOD, root, ignore=shutil.ignore_patterns("data"))
    return root


def replace_card(root: Path, name: str, old: str = "", new: str = "") -> Path:
    """Put one of kit19's cards, with a change, into a user's catalog."""
    text = (BUILT_IN / name).read_text(encoding="utf-8")
    assert old in text
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def write(path: Path, **data: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # JSON is YAML, one key a line.
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


files = st.sets(st.tuples(st.sampled_from(KINDS), st.sampled_from("abc")))


@given(ours=files, theirs=files)
def test_a_later_card_replaces_the_one_of_its_kind_and_id(
    ours: set[tuple[Kind, str]],
    theirs: set[tuple[Kind, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("layers")
    for folder, found in ((root / "ours", ours), (root / "theirs", theirs)):
        for kind, name in found:
            (folder / kind).mkdir(parents=True, exist_ok=True)
            (folder / kind / f"{name}.yaml").touch()
            (folder / kind / f".{name}.yaml").touch()  # of an editor
    layers = Layers((root / "ours", root / "theirs"))
    for kind in KINDS:
        both = sorted(name for one, name in ours | theirs if one == kind)
        assert layers.cards(kind) == {
            name: root / ("theirs" if (kind, name) in theirs else "ours") / kind / f"{name}.yaml"
            for name in both
        }
        assert list(layers.cards(kind)) == both
    assert set(layers.own_cards()) == {f"{kind}/{name}" for kind, name in theirs}


def test_a_users_cards_add_to_kit19s_own(my: Path) -> None:
    cards = load_catalog(my)
    assert set(cards.sources) == {*OURS.sources, "cafe"}
    assert set(cards.benchmarks) == {*OURS.benchmarks, "cafe_test"}
    assert set(cards.recipe_names()) == {*OURS.recipe_names(), "cafe"}
    assert cards.recipe("kit19") == OURS.recipe("kit19")
    assert set(cards.layers.own_cards()) == {
        "sources/cafe",
        "templates/cafe_reviews",
        "benchmarks/cafe_test",
        "recipes/cafe",
    }
    assert not cards.layers.replaced_cards()
    only = load_catalog(my, only=True)
    assert (set(only.sources), set(only.recipe_names())) == ({"cafe"}, {"cafe"})


def test_a_card_with_the_id_of_one_of_kit19s_replaces_it(tmp_path: Path) -> None:
    my = tmp_path / "my"
    replace_card(my, NSMC, "title: ", "title: Another ")
    replace_card(my, "templates/nsmc.yaml", "이 영화평은", "다음 영화평은")
    write(my / "recipes" / "kit19.yaml", id="kit19", title="Mine", subsets=["nsmc"])
    cards = load_catalog(my)
    assert cards.source("nsmc").title.startswith("Another ")
    assert cards.template_path("nsmc") == my / "templates" / "nsmc.yaml"
    assert cards.recipe("full").subsets == ["nsmc"]  # it extends kit19
    assert {name: one for name, one in cards.sources.items() if name != "nsmc"} == {
        name: one for name, one in OURS.sources.items() if name != "nsmc"
    }
    replaced = {"sources/nsmc", "templates/nsmc", "recipes/kit19"}
    assert set(cards.layers.replaced_cards()) == set(cards.layers.own_cards()) == replaced
    assert load_catalog().source("nsmc") == OURS.source("nsmc")


def test_a_folder_may_have_templates_or_recipes_alone(tmp_path: Path) -> None:
    write(tmp_path / "my" / "recipes" / "two.yaml", id="two", title="Two", subsets=["nsmc", "math"])
    assert load_catalog(tmp_path / "my").recipe("two").subsets == ["nsmc", "math"]


def test_a_card_that_is_edited_is_read_again(my: Path) -> None:
    path = my / "sources" / "cafe.yaml"
    before = load_catalog(my).source("cafe").title
    path.write_text(path.read_text("utf-8").replace(before, "Bars"), encoding="utf-8")
    assert load_catalog(my).source("cafe").title == "Bars"


def test_a_loaded_catalog_is_taken_as_it_is(my: Path) -> None:
    only = load_catalog(my, only=True)
    assert load_catalog(only) is only
    assert [one.card.id for one in sources(catalog=only)] == ["cafe"]
    with pytest.raises(ArgumentError, match="loaded already"):
        load_catalog(only, only=True)
    assert load_catalog(BUILT_IN) is load_catalog()


def test_sources_say_where_their_cards_come_from(my: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    replace_card(my, NSMC)
    found = {one.card.id: (one.catalog, one.replaces) for one in sources(catalog=my)}
    assert found.pop("cafe") == (str(my), False)
    assert found.pop("nsmc") == (str(my), True)
    assert set(found.values()) == {("kit19", False)}
    table = invoke("sources", "--catalog", my).out.splitlines()
    by_id = {line.split()[0]: line.rstrip() for line in table if line.strip()}
    assert by_id["cafe"].endswith(str(my))
    assert by_id["nsmc"].endswith(f"{my}, in place of kit19's")
    assert by_id["klue"].endswith("kit19")
    assert f"Catalog: {my}\n" in invoke("sources", "cafe", "--catalog", my).out
    assert "Catalog: kit19\n" in invoke("sources", "nsmc").out
    assert "catalog" not in invoke("sources").out.splitlines()[0]


def test_every_command_with_cards_takes_both_options_from_one_definition(my: Path) -> None:
    context = click.Context(cli)
    commands = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    helps: dict[str, set[Any]] = {}
    for name, command in commands.items():
        assert command is not None
        for one in command.params:
            if "--catalog" in one.opts or "--catalog-only" in one.opts:
                helps.setdefault(name, set()).add((one.opts[0], getattr(one, "help", "")))
    assert {len(found) for found in helps.values()} == {2}
    assert len({frozenset(found) for found in helps.values()}) == 1
    assert set(helps) >= {"sources", "fetch", "show", "lint", "build", "explain", "audit", "push"}
    both = invoke("sources", "--catalog", my, "--catalog-only", my)
    assert both.code == 2
    assert "exclude each other" in both.err


class TestRecipes:
    def test_a_recipe_adds_to_what_it_extends(self, my: Path) -> None:
        path = write(
            my / "recipes" / "mine.yaml",
            id="mine",
            title="Mine",
            extends="kit19",
            add=["cafe_reviews"],
            exclude=["unsmile"],
        )
        kit19 = [name for name in OURS.recipe("kit19").subsets if name != "unsmile"]
        cards = load_catalog(my)
        for name in ("mine", str(path)):
            recipe = cards.recipe(name)
            assert recipe.subsets == [*kit19, "cafe_reviews"]
            assert (recipe.add, recipe.exclude, recipe.extends) == ([], [], None)
        assert cards.recipe("mine", {"exclude": ["nsmc"]}).subsets == [
            *(name for name in kit19 if name != "nsmc"),
            "cafe_reviews",  # and unsmile does not come back
        ]
        assert cards.recipe("mine", {"subsets": ["math"]}).subsets == ["math"]
        assert cards.recipe("mine", {"add": ["unsmile"]}).subsets[-1] == "unsmile"

    @given(data=st.data())
    def test_each_recipe_of_a_chain_replaces_adds_and_excludes_in_this_order(
        self, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        known = ["nsmc", "math", "apeach", "unsmile", "korsts"]
        some = st.lists(st.sampled_from(known), unique=True)
        folder = tmp_path_factory.mktemp("chain") / "recipes"
        expected: list[str] = []
        depth = data.draw(st.integers(1, 4))
        for number in range(depth):
            recipe: dict[str, Any] = {"id": f"r{number}", "title": "R"}
            if number:
                recipe["extends"] = f"r{number - 1}"
            if number == 0 or data.draw(st.booleans()):
                expected = recipe["subsets"] = data.draw(some.filter(bool))
            add = [name for name in data.draw(some) if name not in expected]
            exclude = data.draw(some)
            left = [name for name in [*expected, *add] if name not in exclude]
            if not left:
                exclude, left = [], [*expected, *add]
            expected = left
            write(folder / f"r{number}.yaml", **recipe, add=add, exclude=exclude)
        layers = Layers((BUILT_IN, folder.parent))
        resolved = replace(OURS, layers=layers).recipe(f"r{depth - 1}")
        assert resolved.subsets == expected

    def test_a_mistake_is_reported_where_it_was_written(self, tmp_path: Path) -> None:
        my = tmp_path / "my"
        base = write(my / "recipes" / "base.yaml", id="base", title="B", extends="kit19", capp=5)
        write(my / "recipes" / "child.yaml", id="child", title="C", extends="base")
        with pytest.raises(CatalogError) as caught:
            load_catalog(my).recipe("child")
        assert [one.where for one in caught.value.problems] == [f"{base}:5"]

    def test_a_recipe_does_not_extend_the_one_that_it_replaces(self, tmp_path: Path) -> None:
        my = tmp_path / "my"
        path = write(my / "recipes" / "kit19.yaml", id="kit19", title="K", extends="kit19")
        with pytest.raises(CatalogError, match="in a circle: kit19 → kit19") as caught:
            load_catalog(my).recipe("kit19")
        assert caught.value.problems[0].where == f"{path}:4"


def problems_of(my: Path) -> Sequence[tuple[str, str, str]]:
    with pytest.raises(CatalogError) as caught:
        load_catalog(my)
    return [(one.where, one.what, one.fix) for one in caught.value.problems]


class TestMistakes:
    def test_a_wrong_card_is_one_message_with_file_and_line(self, my: Path) -> None:
        card = my / "sources" / "cafe.yaml"
        card.write_text(card.read_text("utf-8").replace("    key: id", "    kye: id"), "utf-8")
        line = card.read_text("utf-8").splitlines().index("    kye: id") + 1
        ((where, what, _),) = problems_of(my)
        assert (where, what) == (f"{card}:{line}", "unknown key 'tables.reviews.kye'")

    def test_a_subset_of_kit19s_in_another_source(self, my: Path) -> None:
        card = my / "sources" / "cafe.yaml"
        card.write_text(card.read_text("utf-8").replace("cafe_reviews", "nsmc"), "utf-8")
        found = problems_of(my)
        assert found[0][0].startswith(f"{card}:")
        assert found[0][1] == "the subset 'nsmc' is also in nsmc"

    def test_a_replaced_source_without_a_subset_of_a_recipe(self, tmp_path: Path) -> None:
        my = tmp_path / "my"
        card = replace_card(my, NSMC, "\n  nsmc:\n", "\n  films:\n")
        cards = load_catalog(my)
        with pytest.raises(UnknownNameError) as caught:
            cards.recipe("kit19")
        (problem,) = caught.value.problems
        assert problem.what == "the recipe kit19 needs the subset 'nsmc', which is gone"
        assert "kit19.yaml:" in problem.where
        assert problem.fix.startswith(f"{card} replaces the card of kit19 that has it")
        with pytest.raises(UnknownNameError, match="replaces the card"):
            cards.subset("nsmc")

    def test_a_replaced_source_that_a_benchmark_cannot_use(self, tmp_path: Path) -> None:
        my = tmp_path / "my"
        text = read_yaml(BUILT_IN / "sources" / "kobest.yaml")[0]
        del text["tables"]["wic"], text["subsets"]["kobest_wic"]
        card = write(my / "sources" / "kobest.yaml", **text)
        ((where, what, fix),) = problems_of(my)
        assert where == str(card)
        assert what.startswith("the benchmark kobest_wic: there is no table")
        assert fix.startswith("it replaces kit19's card")

    def test_a_replaced_source_that_trains_on_a_benchmark(self, tmp_path: Path) -> None:
        my = tmp_path / "my"
        text = read_yaml(BUILT_IN / "sources" / "kobest.yaml")[0]
        text["subsets"]["kobest_copa"]["splits"] = ["train", "test"]
        card = write(my / "sources" / "kobest.yaml", **text)
        ((where, what, _),) = problems_of(my)
        assert where == str(card)
        assert "kobest_copa: subset kobest_copa trains on test" in what

    def test_a_replaced_source_that_kit19s_templates_do_not_fit(self, tmp_path: Path) -> None:
        my = tmp_path / "my"
        text = read_yaml(BUILT_IN / NSMC)[0]
        columns = text["tables"]["reviews"]["columns"]
        columns["body"] = columns.pop("text")
        text["tables"]["reviews"]["derive"]["series"]["matches"]["of"] = "body"
        subset = text["subsets"]["nsmc"]
        for use in ("require", "identity", "exposed"):
            subset[use] = ["body" if name == "text" else name for name in subset[use]]
        card = write(my / NSMC, **text)
        with pytest.raises(CatalogError) as caught:
            load_templates(load_catalog(my), "nsmc")
        (problem,) = caught.value.problems
        assert problem.where == str(card)
        assert problem.what.startswith("kit19's templates of nsmc do not fit: ")
        assert "templates/nsmc.yaml" in problem.fix

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("sources/bakery.yml", "is not read: the files of cards end in .yaml"),
            ("templates/nsmcc.yaml", "there is no subset 'nsmcc', so its templates"),
        ],
    )
    def test_a_file_that_would_never_be_used(self, my: Path, name: str, message: str) -> None:
        (my / name).write_text("id: x\n", encoding="utf-8")
        ((where, what, _),) = problems_of(my)
        assert where == str(my / name)
        assert what.startswith(message)

    def test_a_folder_that_is_no_catalog(self, tmp_path: Path) -> None:
        assert problems_of(tmp_path / "no")[0][1] == "there is no such folder of cards"
        (tmp_path / "empty").mkdir()
        assert problems_of(tmp_path / "empty")[0][1] == "contains no card"
        sources_of_one = tmp_path / "my" / "sources"
        shutil.copytree(GOOD / "sources", sources_of_one)
        assert problems_of(sources_of_one)[0][1] == "contains no card"
        with pytest.raises(CatalogError, match="no such folder"):
            layers_of(tmp_path / "no", only=True)
