"""Build the documentation site: gather the pages of the repository in a folder, then run mkdocs on it.

The documents link to each other as they lie in the repository, so that they can be read there too. On
the site they all lie in one folder, and their links are rewritten for it.

Usage: python docs/site.py [FOLDER]    (default: build/site)
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Pages that lie elsewhere in the repository → their names on the site.
OTHERS = {
    "README.md": "index.md",
    "README.ko.md": "index.ko.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "LICENSE": "license.txt",
    "benchmarks/README.md": "benchmarks.md",
    "benchmarks/results/README.md": "results.md",
}
GALLERY = ROOT / "build/gallery"
# What docs/gallery.py makes → what the gallery calls it, in English and Korean.
_SHOWN = {
    "card.html": ("The card of a build", "빌드 카드"),
    "comparison.html": ("A comparison", "비교"),
    "audit.html": ("An audit", "오염 검사"),
    "view/index.html": ("A view, in English", "뷰어, 영어"),
    "view-ko/index.html": ("A view, in Korean", "뷰어, 한국어"),
}
_LINK = re.compile(r"(?<=\]\()([^)\s:#]+)(?=[)#])")
_FENCE_OR_HEADING = re.compile(
    r"^ *```.*?^ *```$|^##+ (?P<title>[^\n]+)$", re.MULTILINE | re.DOTALL
)


def site_pages() -> dict[str, Path]:
    """Return the files of the site: names there, and where they lie in the repository."""
    pages = {
        path.relative_to(ROOT / "docs").as_posix(): path
        for pattern in ("**/*.md", "images/**/*.*")
        for path in (ROOT / "docs").glob(pattern)
    }
    return pages | {name: ROOT / path for path, name in OTHERS.items()}


def rewrite_links(text: str, name: str, pages: dict[str, Path]) -> str:
    """Rewrite the links of a page, from places in the repository to places on the site.

    Args:
        text: The page.
        name: Its name on the site.
        pages: What ``site_pages`` gives.

    Raises:
        SystemExit: A link leads to a file that is not on the site.
    """
    names = {path.resolve(): other for other, path in pages.items()}

    def on_site(match: re.Match[str]) -> str:
        target = (pages[name].parent / match[1]).resolve()
        if target not in names:
            raise SystemExit(f"{pages[name].relative_to(ROOT)}: {match[1]} is not on the site")
        # A Korean page is another language of its English one, with the same address.
        other = names[target].replace(".ko.md", ".md")
        return os.path.relpath(other, Path(name).parent)

    return _LINK.sub(on_site, text)


def add_english_anchors(korean: str, english: str) -> str:
    """Put the anchor of each English heading before the Korean heading of the same place.

    Where a page has no Korean one, the Korean site has the English page, and its links name these.
    """
    titles = iter([one["title"] for one in _FENCE_OR_HEADING.finditer(english) if one["title"]])

    def with_anchor(match: re.Match[str]) -> str:
        if not match["title"]:
            return match[0]
        name = re.sub(r"[^\w -]", "", next(titles)).lower().replace(" ", "-")
        return f'<a id="{name}"></a>\n\n{match[0]}'

    return _FENCE_OR_HEADING.sub(with_anchor, korean)


def gallery_links(name: str) -> str:
    """Links to what docs/gallery.py has made, for a page; nothing before it has run."""
    if not GALLERY.is_dir():
        return ""
    korean = name.endswith(".ko.md")
    up = "../../" if korean else "../"  # Korean pages are in a folder of their own
    links = (f'<a href="{up}shown/{path}">{titles[korean]}</a>' for path, titles in _SHOWN.items())
    return " · ".join(links)


def gather(folder: Path) -> None:
    """Write all pages into a folder, which is replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    pages = site_pages()
    for name, path in pages.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            text = rewrite_links(path.read_text("utf-8"), name, pages)
            if name.endswith(".ko.md"):
                english = pages[name.replace(".ko.md", ".md")].read_text("utf-8")
                text = add_english_anchors(text, english)
            text = text.replace("<!-- gallery -->", gallery_links(name))
            target.write_text(text, encoding="utf-8")
        else:
            shutil.copyfile(path, target)


def main() -> int:
    """Build the site; return the exit code of mkdocs, which fails at warnings."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/site").resolve()
    gather(ROOT / "build/pages")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(out)]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603
    if GALLERY.is_dir() and not code:
        shutil.copytree(GALLERY, out / "shown", dirs_exist_ok=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
