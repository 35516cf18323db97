"""The tree is what docs/design.md says: its rule, its rooms, and where to look for what."""

import re
import tomllib
from pathlib import Path

import kit19
from tests.support.slow import SLOW

ROOT = Path(__file__).parents[2]
HOUSE = ROOT / "src" / "kit19"
DESIGN = (ROOT / "docs" / "design.md").read_text("utf-8")
MATERIALS = {"catalog", "cli", "core", "demo", "korean", "sample", "statistics"}
MOST_LINES = 400  # of a module


def rooms() -> set[str]:
    return {path.parent.name for path in HOUSE.glob("*/__init__.py")}


def test_materials_are_nouns_and_activities_are_gerunds() -> None:
    assert {room for room in rooms() if not room.endswith("ing")} == MATERIALS
    assert {path.name for path in HOUSE.glob("*.py")} == {"__init__.py", "__main__.py"}


def test_no_room_has_the_name_of_a_public_function() -> None:
    assert not rooms() & set(kit19.__all__)


def test_the_design_names_every_room_on_the_floor_that_the_contract_gives_it() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    layers = config["tool"]["importlinter"]["contracts"][0]["layers"]
    floors = {
        room.strip().removeprefix("kit19."): len(layers) - number
        for number, layer in enumerate(layers)
        for room in layer.split("|")
    }
    told = {name: int(floor) for floor, name in re.findall(r"^\| (\d) \| `(\w+)/`", DESIGN, re.M)}
    assert told == floors
    assert set(floors) == rooms()


def test_what_one_looks_for_is_where_the_design_says() -> None:
    table = re.findall(r"^\| (.+) \| `(src/\S+)` \|$", DESIGN, re.M)
    assert len(table) == 22
    assert all((ROOT / path).is_file() for _, path in table)


def test_every_module_that_the_design_names_is_there() -> None:
    for name in re.findall(r"`(\w+/\w+\.py)(?:::\w+)?`", DESIGN):
        assert (HOUSE / name).is_file(), name


def test_no_module_is_too_long_to_be_read() -> None:
    long = {
        path.relative_to(ROOT).as_posix(): lines
        for folder in ("src", "benchmarks", "studies")
        for path in (ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text("utf-8").splitlines())) > MOST_LINES
    }
    assert not long


def test_the_tests_are_laid_out_like_the_code() -> None:
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/*.py")}
    assert folders <= rooms() | {"api", "docs", "support"}
    support = (ROOT / "tests" / "support").glob("test_*.py")
    assert not list(support)


def test_every_slow_test_is_there() -> None:
    for name in SLOW:
        path, _, test = name.partition("::")
        found = list((ROOT / "tests").glob(f"{path.rstrip('/')}*"))
        assert found, name
        assert not test or f"def {test}" in found[0].read_text("utf-8"), name
