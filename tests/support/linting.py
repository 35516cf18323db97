"""Subsets to lint, from the catalog, with templates changed on the way."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import polars as pl

from kit19.catalog import TemplateFile, load_catalog
from kit19.catalog.yaml_file import read_yaml
from kit19.curating import find_empty
from kit19.linting import View
from kit19.reading import read_subset
from kit19.rendering.load import check_templates
from kit19.sample import SAMPLE
from tests.support.reading import present_files

Change = Callable[[dict[str, Any]], None]
"""Changes a templates file, as it stands in YAML, in place."""


def view_of(subset: str, change: Change = lambda _file: None) -> View:
    """A subset's own templates, changed."""
    catalog = load_catalog()
    data, _ = read_yaml(catalog.template_path(subset))
    data = copy.deepcopy(data)
    change(data)
    source, card = catalog.subset(subset)
    file = TemplateFile.model_validate(data)
    return View(check_templates(file, {}, "test", source, card), source, card)


def template_in(data: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in data["templates"] if one["id"] == name)
    return found


def records_of(subset: str) -> pl.DataFrame:
    """The sample's records, all splits."""
    source, card = load_catalog().subset(subset)
    there = present_files(source, card.tables, source.splits_of(card), SAMPLE)
    frame = read_subset(subset, source, card, there).frame
    return frame.join(find_empty(frame, card), on="id", how="anti", maintain_order="left")
