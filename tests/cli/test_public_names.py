"""What is public, and what Python may not know: the name of any dataset."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import kit19
from kit19 import load_catalog
from tests.support.warm import start

PACKAGE = Path(kit19.__file__).parent
# The demo shows three subsets of the sample, which it must name somewhere.
ALLOWED = {"demo/sample_build.py"}


def promised() -> dict[str, str]:
    """Public name → its module, as type checkers see it."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    [block] = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
    ]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def test_all_public_names_are_those_that_type_checkers_see() -> None:
    assert sorted(kit19.__all__) == sorted(promised())
    assert kit19.__all__ == sorted(kit19.__all__, key=lambda name: (name.islower(), name))


@pytest.mark.parametrize("name", kit19.__all__)
def test_a_public_name_is_there_and_explains_itself(name: str) -> None:
    value = getattr(kit19, name)
    assert not inspect.ismodule(value)
    assert inspect.getdoc(value)
    assert name in dir(kit19)


def test_a_public_name_stays_what_it_is_whatever_was_imported_before(tmp_path: Path) -> None:
    # A submodule named like a function would take its place once anything imports it.
    code = """
import importlib, pkgutil, types, kit19
for module in pkgutil.walk_packages(kit19.__path__, "kit19."):
    if module.name != "kit19.__main__":
        importlib.import_module(module.name)
print([name for name in kit19.__all__ if isinstance(getattr(kit19, name), types.ModuleType)])
"""
    done = start(folder=tmp_path, code=code).ended()
    assert done.code == 0, done.err
    assert done.out == "[]\n"


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'kit19' has no attribute 'bild'"):
        kit19.bild  # noqa: B018


def test_every_error_is_a_kit19_error() -> None:
    errors = [name for name in kit19.__all__ if name.endswith("Error")]
    assert len(errors) >= 8
    for name in errors:
        assert issubclass(getattr(kit19, name), kit19.Kit19Error)


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Every string of a module that is not a docstring, with its line."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in documents:
            continue
        if isinstance(node.value, str):
            yield node.lineno, node.value


def test_no_source_subset_or_benchmark_is_named_in_python() -> None:
    catalog = load_catalog()
    names = {*catalog.sources, *catalog.owners, *catalog.benchmarks}
    # An English word that is also the name of a subset does not refer to it.
    assert "math" in names
    files = [
        path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] != "sample"
    ]
    assert len(files) > 50
    # Whole strings only: `nsmc` within a help text is an example.
    found = {
        f"{path.relative_to(PACKAGE).as_posix()}:{line}: {text!r}"
        for path in files
        if path.relative_to(PACKAGE).as_posix() not in ALLOWED
        for line, text in strings(path)
        if text in names - {"math"}
    }
    assert found == set()
    # The check above can fail.
    demo = {text for _, text in strings(PACKAGE / "demo" / "sample_build.py")}
    assert demo & names
