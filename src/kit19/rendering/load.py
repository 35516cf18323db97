"""Load, parse and check a subset's templates for rendering."""

from __future__ import annotations

from kit19.catalog.load import Catalog
from kit19.catalog.source import Source, Subset
from kit19.catalog.templates import TemplateFile
from kit19.catalog.yaml_file import Lines
from kit19.core.errors import CatalogError, Problem
from kit19.rendering.checker import Checker
from kit19.rendering.templates import TemplateSet


def load_templates(catalog: Catalog, subset: str) -> TemplateSet:
    """Load, parse and check a subset's templates.

    Raises:
        CatalogError: Every mistake found, with file, line, template and reason.
    """
    source, spec = catalog.subset(subset)
    file, lines = catalog.templates(subset)
    where = str(catalog.template_path(subset))
    try:
        return check_templates(file, lines, where, source, spec)
    except CatalogError as error:
        card = catalog.layers.origin("sources", source.id)
        if not card.replaces or catalog.layers.origin("templates", subset).catalog == card.catalog:
            raise
        # The mistake is not in kit19's templates, but in the card under them.
        what = f"kit19's templates of {subset} do not fit: {error.problems[0].what}"
        fix = f"it replaces kit19's card: keep what they need, or write templates/{subset}.yaml too"
        raise CatalogError(Problem(what, card.file, fix)) from None


def check_templates(
    file: TemplateFile, lines: Lines, where: str, source: Source, subset: Subset
) -> TemplateSet:
    """Parse and check templates that were already read.

    Raises:
        CatalogError: As :func:`load_templates`.
    """
    checker = Checker(lines, where, source, subset, file.words)
    parsed = checker.check(file.templates)
    conversations = checker.check_conversations(file.conversations)
    if checker.problems:
        raise CatalogError(checker.problems)
    return TemplateSet(
        file.subset,
        parsed,
        file.words,
        frozenset(source.multi_valued_fields(subset)),
        conversations,
    )
