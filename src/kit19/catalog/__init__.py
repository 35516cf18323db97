"""The catalog: what there is to build from, as cards that people edit, and their models."""

from kit19.catalog.benchmark import Benchmark
from kit19.catalog.load import BUILT_IN, Catalog, load_catalog
from kit19.catalog.recipe import Format, Recipe
from kit19.catalog.source import Source, Subset, Table
from kit19.catalog.templates import Template, TemplateFile

__all__ = [
    "BUILT_IN",
    "Benchmark",
    "Catalog",
    "Format",
    "Recipe",
    "Source",
    "Subset",
    "Table",
    "Template",
    "TemplateFile",
    "load_catalog",
]
