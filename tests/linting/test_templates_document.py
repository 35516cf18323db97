"""docs/templates.md shows what the templates make now."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from kit19.catalog import load_catalog
from tests.support.golden import Golden
from tests.support.linting import view_of

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("templates_document", DOCS / "templates.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def document(generator: ModuleType) -> str:
    written: str = generator.document()
    return written


def test_the_document_is_fresh(document: str, golden: Golden) -> None:
    golden.check(DOCS / "templates.md", document)


def test_every_template_stands_in_the_document_once() -> None:
    written = (DOCS / "templates.md").read_text("utf-8")
    for subset in load_catalog().owners:
        section = written.split(f"\n## {subset}\n", maxsplit=1)[1].split("\n## ", maxsplit=1)[0]
        for template in view_of(subset).templates.templates:
            assert section.count(f"\n**{template.id}** (") == 1


def test_a_stale_document_is_told(
    generator: ModuleType,
    document: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(generator, "PATH", tmp_path / "templates.md")
    monkeypatch.setattr(generator, "document", lambda: document)
    assert generator.main(["--check"]) == 1
    assert "is stale" in capsys.readouterr().err
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0
