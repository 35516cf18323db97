"""The catalog: sources, templates, benchmarks and recipes as YAML cards, and their models.

Models are imported on first use: they need pydantic, and listing the sources does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit19.core.loaded_on_use import load_on_use

if TYPE_CHECKING:
    from kit19.catalog.benchmark import Benchmark, benchmark_of_task
    from kit19.catalog.layers import BUILT_IN
    from kit19.catalog.load import Catalog, CatalogLike, load_catalog
    from kit19.catalog.prompt_format import PromptFormat
    from kit19.catalog.published import Published
    from kit19.catalog.recipe import Format, Recipe
    from kit19.catalog.source import Source, Subset
    from kit19.catalog.tables import Table
    from kit19.catalog.templates import Template, TemplateFile

__all__ = [
    "BUILT_IN",
    "Benchmark",
    "Catalog",
    "CatalogLike",
    "Format",
    "PromptFormat",
    "Published",
    "Recipe",
    "Source",
    "Subset",
    "Table",
    "Template",
    "TemplateFile",
    "benchmark_of_task",
    "load_catalog",
]


__getattr__ = load_on_use(
    __name__,
    {
        "benchmark": ["Benchmark", "benchmark_of_task"],
        "layers": ["BUILT_IN"],
        "load": ["Catalog", "CatalogLike", "load_catalog"],
        "prompt_format": ["PromptFormat"],
        "published": ["Published"],
        "recipe": ["Format", "Recipe"],
        "source": ["Source", "Subset"],
        "tables": ["Table"],
        "templates": ["Template", "TemplateFile"],
    },
)
