"""The site: every page has its place, every link leads to a page of the site."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SITE = runpy.run_path(str(ROOT / "docs/site.py"))


def nav_pages() -> list[str]:
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    nav = yaml.safe_load(text[text.index("\nnav:") :])["nav"]

    def leaves(node: Any) -> list[str]:
        if isinstance(node, str):
            return [node]
        return [
            leaf
            for one in (node.values() if isinstance(node, dict) else node)
            for leaf in leaves(one)
        ]

    return leaves(nav)


def test_every_page_is_in_the_navigation() -> None:
    pages = {name for name in SITE["site_pages"]() if name.endswith(".md") and ".ko." not in name}
    assert sorted(nav_pages()) == sorted(pages)


def test_every_link_leads_to_a_page_of_the_site(tmp_path: Path) -> None:
    SITE["gather"](tmp_path)
    pages = sorted(tmp_path.rglob("*.md"))
    assert len(pages) > 30
    for page in pages:
        for link in re.findall(r"\]\(([^)\s:#]+)[)#]", page.read_text("utf-8")):
            assert (page.parent / link).exists(), (page.name, link)


def test_a_link_out_of_the_site_is_refused(tmp_path: Path) -> None:
    page = ROOT / "docs" / "audit.md"
    with pytest.raises(SystemExit, match=r"docs/audit.md: ../pyproject.toml is not on the site"):
        SITE["rewrite_links"]("[x](../pyproject.toml)", "audit.md", {"audit.md": page})


def test_a_korean_page_has_the_anchors_of_its_english_page(tmp_path: Path) -> None:
    SITE["gather"](tmp_path)
    text = (tmp_path / "tutorial.ko.md").read_text("utf-8")
    assert '<a id="3-train"></a>\n\n## 3. 학습\n' in text
    assert text.count("<a id=") == len(re.findall(r"^##+ ", text, re.MULTILINE))


def test_the_gallery_links_to_what_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "made"
    monkeypatch.setitem(SITE["gallery_links"].__globals__, "GALLERY", made)
    assert SITE["gallery_links"]("gallery.md") == ""
    made.mkdir()
    for name, up in (("gallery.md", "../"), ("gallery.ko.md", "../../")):
        SITE["gather"](tmp_path / "pages")
        text = (tmp_path / "pages" / name).read_text("utf-8")
        assert f'<a href="{up}shown/comparison.html">' in text
        assert "<!-- gallery -->" not in text


_FENCE = re.compile(r"^(?: {4,})?```.*?^ *```$", re.MULTILINE | re.DOTALL)
_SHALLOW = re.compile(r"^ {1,3}(?:[-*] |\d+\. |\||```).*|(?<=\n\n) {1,3}\S.*", re.MULTILINE)


@pytest.mark.parametrize(
    "path",
    sorted(path for path in SITE["site_pages"]().values() if path.suffix == ".md"),
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_blocks_in_lists_are_indented_by_four_spaces(path: Path) -> None:
    # With fewer, GitHub shows them in their item, but mkdocs ends the list there.
    assert _SHALLOW.findall(_FENCE.sub("", path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    "text", ["- a\n  - b\n", "1. a\n\n   | b |\n", "- a\n\n  b\n", "- a:\n\n  ```sh\n  b\n  ```\n"]
)
def test_a_block_that_is_indented_too_little_is_found(text: str) -> None:
    assert _SHALLOW.findall(_FENCE.sub("", text))
