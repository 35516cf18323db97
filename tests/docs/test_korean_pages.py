"""Korean pages hold what their English pages hold: parts, code, links, names and numbers.

Both have headings of the same levels. Below each, the code blocks are equal, links lead to the Korean
pages of what the English page links to, and names set as code and all numbers are on both.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KOREAN = [ROOT / "README.ko.md", *sorted((ROOT / "docs").rglob("*.ko.md"))]
_FENCE = re.compile(r"^ *```\w*\n.*?^ *```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`]+)`")
# Korean counts 만 (10,000), not millions.
_NUMBER = re.compile(r"(?<![A-Za-z\d])\d++(?:[.,]\d++)*+(?! million)")


@dataclass(frozen=True)
class Part:
    """A heading and what is below it, up to the next one."""

    level: int
    title: str
    blocks: list[str]
    text: str

    @property
    def links(self) -> list[str]:
        return _LINK.findall(self.text)

    @property
    def code(self) -> set[str]:
        return {" ".join(one.split()) for one in _CODE.findall(_LINK.sub("]", self.text))}

    @property
    def numbers(self) -> set[str]:
        return set(_NUMBER.findall(_LINK.sub("]", _CODE.sub("", self.title + self.text))))


def parts(text: str) -> list[Part]:
    """Divide a page by its headings; a ``#`` in a code block is none."""
    blocks = _FENCE.findall(text)
    stored = iter(range(len(blocks)))
    pieces = _HEADING.split(_FENCE.sub(lambda _: f"\0{next(stored)}\0", text))
    return [
        Part(
            len(level),
            title,
            [blocks[int(n)] for n in re.findall("\0(\\d+)\0", body)],
            re.sub("\0\\d+\0", "", body),
        )
        for level, title, body in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True)
    ]


def english_of(path: Path) -> Path:
    return path.with_name(path.name.replace(".ko.md", ".md"))


def anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title).lower().replace(" ", "-")


def in_korean(link: str, page: Path) -> str:
    """Where the Korean page links, if its English page links there."""
    name, _, at = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    twin = target.with_name(target.name.replace(".md", ".ko.md"))
    if ".ko." in target.name or not twin.exists():
        return link
    if not at:
        return name.replace(".md", ".ko.md")
    titles = [anchor(part.title) for part in parts(target.read_text("utf-8"))]
    korean = parts(twin.read_text("utf-8"))[titles.index(at)]
    return f"{name.replace('.md', '.ko.md')}#{anchor(korean.title)}"


def differences(english: str, korean: str, page: Path) -> list[str]:
    """What a Korean text lacks of an English one, and what it has besides; ``page``: the English."""
    found: list[str] = []
    for one, other in zip_longest(parts(english), parts(korean)):
        if one is None or other is None or one.level != other.level:
            return [*found, f"heading: {one and one.title!r}, but {other and other.title!r}"]
        if one.blocks != other.blocks:
            found.append(f"{one.title}: code blocks differ")
        # A README names its other language first.
        links = Counter(in_korean(link, page) for link in one.links if ".ko." not in link)
        shown = Counter(link for link in other.links if link != page.name)
        for name, ours, theirs in (
            ("links", links, shown),
            ("code", Counter(one.code), Counter(other.code)),
            ("numbers", Counter(one.numbers), Counter(one.numbers & other.numbers)),
        ):
            if ours != theirs:
                lacks, more = sorted(ours - theirs), sorted(theirs - ours)
                found.append(f"{one.title}: {name}: lacks {lacks}, has besides {more}")
    return found


@pytest.mark.parametrize("path", KOREAN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_korean_page_holds_what_its_english_page_holds(path: Path) -> None:
    page = english_of(path)
    found = differences(page.read_text("utf-8"), path.read_text("utf-8"), page)
    assert not found, "\n".join(found)


ENGLISH = (
    "# T\n\n## A\n\nSee [b](api.md) and `x`: 3 rows.\n\n```console\n# no heading\nkit19\n```\n"
)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("## A", "### A", "heading"),
        ("\n## A\n", "", "heading"),
        ("kit19", "kit19 audit", "code blocks differ"),
        ("api.md", "templates.md", "links"),
        ("`x`", "`y`", "code"),
        ("3 rows", "4 rows", "numbers"),
    ],
)
def test_a_difference_between_two_languages_is_found(old: str, new: str, found: str) -> None:
    page = ROOT / "docs" / "catalog.md"
    assert differences(ENGLISH, ENGLISH, page) == []
    assert found in "\n".join(differences(ENGLISH, ENGLISH.replace(old, new), page))


def test_links_lead_to_korean_pages_where_there_are_some() -> None:
    page = ROOT / "docs" / "catalog.md"
    assert in_korean("tutorial.md#3-train", page) == "tutorial.ko.md#3-학습"
    assert in_korean("tutorial.md", page) == "tutorial.ko.md"
    assert in_korean("templates.md#nsmc", page) == "templates.md#nsmc"
