"""Tests that mutated recipes, cards and templates give a Kit19Error or a build."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from kit19 import Kit19Error, build, load_catalog
from kit19.catalog import BUILT_IN
from tests.support.effort import tries
from tests.support.shop import GOOD

COUNT = tries(200, 1_200)
GROUPS = 20
ODD: list[Any] = [
    None, True, 0, -1, 10**30, 1.5, float("nan"), float("inf"), "", " ", "\u3164", "a\x00b", "가" * 300,
    "../x", "/etc", "{text", "{}", "{text}{text}", "{을/를}", "{label.zz}", "9" * 5_000, [], [[]], {},
    {"a": {"b": []}}, ["x", 1, None], "2020-01-01", "!!python/name:os.system", "- a\n- b", "é\u0301",
    "\u202e", "no", "1:30", "0x1F", ".inf", "~", "=", "<<",
]  # fmt: skip
SIGNS = "{}[]:,-'\"#&*!|>%@`\t\n 가a0~?=<\\"
RECIPE = """\
id: street
title: A street
subsets: [cafe_reviews]
cap: 10
validation: 1
views: 2
weights: {cafe_reviews: 1.5}
formats: [alpaca, jsonl]
extra:
  - name: own
    path: own.jsonl
    license: {spdx: MIT, commercial: yes, redistribution: yes, derivatives: yes, stated_in: x}
    label: side
"""


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Yield the path of everything inside a value."""
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    below = [place for key, one in inner for place in places(one, (*path, key))]
    return [path, *below] if path else below


def changed(text: str, dice: random.Random) -> bytes:
    """Change one to three values, keys or characters of a YAML text."""
    if dice.random() < 0.5:  # in its characters
        raw = list(text)
        for _ in range(dice.randint(1, 3)):
            at = dice.randrange(len(raw))
            raw[at : at + dice.randint(0, 4)] = dice.choice(SIGNS) * dice.randint(0, 3)
        found = "".join(raw).encode()
        if dice.random() < 0.1:
            found = found[: dice.randrange(len(found) + 1)] + bytes([dice.randrange(256)])
        return found
    data = yaml.safe_load(text)
    for _ in range(dice.randint(1, 3)):
        *above, key = dice.choice(places(data))
        holder = data
        for one in above:
            holder = holder[one]
        roll = dice.random()
        if roll < 0.6:
            holder[key] = dice.choice(ODD)
        elif roll < 0.8:
            del holder[key]
        elif isinstance(holder, dict):
            holder[dice.choice(["id", "when", "zz", "가", 1, None, ""])] = holder.pop(key)
        else:
            holder.append(holder[key])
        if not places(data):
            break
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False).encode()


FILES = ("sources/cafe.yaml", "templates/cafe_reviews.yaml", "recipes/street.yaml", "mine.yaml")


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("street")
    shutil.copytree(GOOD, root / "catalog")
    (root / "catalog" / "recipes" / "street.yaml").write_text(RECIPE, encoding="utf-8")
    for folder in (root / "catalog", root / "catalog" / "recipes"):
        (folder / "own.jsonl").write_text(
            '{"instruction": "a", "output": "b", "side": "l"}\n', encoding="utf-8"
        )
    (root / "catalog" / "mine.yaml").write_text(RECIPE.replace("id: street", "id: mine"), "utf-8")
    cards = load_catalog(root / "catalog", only=True)
    build("street", root / "first", data_dir=GOOD / "data", catalog=cards)
    return root


@pytest.mark.parametrize("group", range(GROUPS))
def test_nothing_but_a_kit19_error_comes_of_a_mutated_card(street: Path, group: int) -> None:
    catalog, out = street / "catalog", street / "out"
    for number in range(group, COUNT, GROUPS):
        dice = random.Random(number)  # the same number is always the same mutation
        name = FILES[number % len(FILES)]
        whole = (catalog / name).read_bytes()
        (catalog / name).write_bytes(changed(whole.decode(), dice))
        recipe = str(catalog / name) if name == "mine.yaml" else "street"
        try:
            cards = load_catalog(catalog, only=True)
            build(recipe, out, data_dir=GOOD / "data", catalog=cards)
        except Kit19Error:
            continue
        except Exception as error:  # any other is what this test is for
            shown = (catalog / name).read_bytes()[:3_000]
            pytest.fail(f"mutation {number} of {name}: {error!r}\n{shown!r}")
        finally:
            (catalog / name).write_bytes(whole)
    assert load_catalog(BUILT_IN)
