"""Cards say what upstream means by each label, and where it is stated."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from kit19.catalog import Source, load_catalog
from kit19.catalog.source import UNKNOWN
from kit19.catalog.yaml_file import read_yaml
from kit19.rendering import load_templates

SUBSETS = sorted(load_catalog().owners)


def nsmc(field: str, values: dict[str, str]) -> Source:
    catalog = load_catalog()
    data: dict[str, Any]
    data, _ = read_yaml(catalog.layers.cards("sources")["nsmc"])
    definitions = {field: {"where": "README", "values": values}}
    data["subsets"]["nsmc"] = {**data["subsets"]["nsmc"], "definitions": definitions}
    return Source.model_validate(data)


@pytest.mark.parametrize("subset", SUBSETS)
def test_every_field_that_templates_have_words_for_is_defined(subset: str) -> None:
    catalog = load_catalog()
    _, card = catalog.subset(subset)
    assert set(load_templates(catalog, subset).words) <= set(card.definitions)


@pytest.mark.parametrize("subset", SUBSETS)
def test_a_card_says_where_a_missing_definition_was_searched(subset: str) -> None:
    _, card = load_catalog().subset(subset)
    for definitions in card.definitions.values():
        if UNKNOWN in definitions.values.values():
            assert "nowhere" in definitions.where or "none" in definitions.where


def test_all_values_have_to_be_defined_and_no_others() -> None:
    assert nsmc("label", {"negative": "1–4", "positive": "9–10"})
    with pytest.raises(ValidationError, match="definitions of label lack or add positive"):
        nsmc("label", {"negative": "1–4"})
    with pytest.raises(ValidationError, match="definitions of label lack or add neutral"):
        nsmc("label", {"negative": "1–4", "positive": "9–10", "neutral": "5–8"})


def test_only_a_categorical_field_has_definitions() -> None:
    with pytest.raises(
        ValidationError, match=r"names text, which is not a categorical .*\(label, series\)"
    ):
        nsmc("text", {"a": "b"})
