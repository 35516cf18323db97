"""Convert text of SVG drawings to outlines, so they need no installed Korean font."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from kit19.core.cached import DIGEST, read_cached, write_cached
from kit19.core.errors import OutputError, Problem
from kit19.core.paths import cache_dir
from kit19.drawing.safe_text import printable

FAMILY = "Noto Sans KR"
_KEPT = 16  # fonts in the cache
_SVG = "http://www.w3.org/2000/svg"
_COPIED_ATTRIBUTES = ("transform", "fill", "opacity")


def font_path() -> Path:
    """Return the path of the Korean font of the extra ``report``.

    Raises:
        OutputError: The extra is not installed.
    """
    try:
        import pylopdf_fonts_ko  # noqa: PLC0415  only where something is drawn
    except ImportError:
        raise missing_layer() from None
    return Path(pylopdf_fonts_ko.sans_path())


def missing_layer() -> OutputError:
    """Return the error for a missing extra ``report``."""
    what = "charts and the page need packages that are not installed"
    return OutputError(Problem(what, fix="pip install 'kit19[report]'"))


def outlined(svg: str) -> str:
    """Replace every ``<text>`` of an SVG by a path, and keep the text as its label.

    Args:
        svg: Output of vl-convert: texts have an anchor, a size in pixels and a transform.
    """
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(svg)  # noqa: S314  created by kit19
    for parent in root.iter():
        for place, child in enumerate(list(parent)):
            if child.tag == f"{{{_SVG}}}text":
                parent[place] = _outline(child)
    return ElementTree.tostring(root, encoding="unicode")


def _outline(text: ElementTree.Element) -> ElementTree.Element:
    attributes = {name: text.attrib[name] for name in _COPIED_ATTRIBUTES if name in text.attrib}
    group = ElementTree.Element(f"{{{_SVG}}}g", attributes)
    lines = [text, *text] if len(text) else [text]
    texts = [printable(line.text or "") for line in lines]
    group.set("aria-label", " ".join(part for part in texts if part))
    size = float(text.attrib.get("font-size", "11").removesuffix("px"))
    anchor = {"middle": 0.5, "end": 1.0}.get(text.attrib.get("text-anchor", ""), 0.0)
    down = 0.0
    for line, words in zip(lines, texts, strict=True):
        down += float(line.attrib.get("dy", 0)) if line is not text else 0.0
        outline, width = _path(words)
        scale = size / _font()[1]
        move = (
            f"translate({-anchor * width * scale:.2f},{down:.2f}) scale({scale:.5f},{-scale:.5f})"
        )
        if outline:
            ElementTree.SubElement(group, f"{{{_SVG}}}path", {"d": outline, "transform": move})
    return group


def font_face(text: str) -> str:
    """Return a CSS rule with a font of the Korean characters in a text."""
    # Every system has Latin; the rest is Korean and its punctuation.
    codes = sorted({ord(character) for character in text if ord(character) > 0x2FFF})
    data = base64.b64encode(_cut_font(codes)).decode()
    source = f'url("data:font/woff;base64,{data}") format("woff")'
    # Only for these characters, and listed first: with the font as a last fallback, browsers keep the
    # boxes that they drew before it loaded.
    unicode_range = "unicode-range: U+3000-FFFF"
    return f'@font-face {{ font-family: "kit19 Korean"; {unicode_range}; src: {source}; }}\n'


def _cut_font(codes: list[int]) -> bytes:
    """Return a font of some characters: from the cache, since cutting it takes half a second of CPU."""
    try:
        versions = [version(name) for name in ("fonttools", "pylopdf-fonts-ko")]
    except PackageNotFoundError:
        raise missing_layer() from None
    key = hashlib.sha256(json.dumps([versions, codes]).encode()).hexdigest()
    path = cache_dir() / "fonts" / key
    if content := read_cached(path):
        return bytes(content[DIGEST:])
    from fontTools import subset  # noqa: PLC0415  only where something is drawn

    options = subset.Options(layout_features=[], hinting=False, desubroutinize=False, flavor="woff")
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=codes)
    packed = io.BytesIO()
    with subset.load_font(str(font_path()), options) as font:
        cutter.subset(font)
        font.flavor = "woff"
        font.save(packed)
    write_cached(path, packed.getvalue(), _KEPT)
    return packed.getvalue()


@functools.cache
def _font() -> tuple[Any, int]:
    """Return the font and its units per em."""
    try:
        from fontTools.ttLib import TTFont  # noqa: PLC0415  only where something is drawn
    except ImportError:
        raise missing_layer() from None
    font = TTFont(io.BytesIO(font_path().read_bytes()), lazy=True)  # no file stays open
    return font, font["head"].unitsPerEm


@functools.cache
def _path(text: str) -> tuple[str, float]:
    """Return the outline and width of a line in font units; missing glyphs become boxes."""
    from fontTools.pens.svgPathPen import SVGPathPen  # noqa: PLC0415
    from fontTools.pens.transformPen import TransformPen  # noqa: PLC0415

    font, _ = _font()
    names, glyphs = font.getBestCmap(), font.getGlyphSet()
    pen, at = SVGPathPen(glyphs), 0.0
    for character in text:
        glyph = glyphs[names.get(ord(character), ".notdef")]
        glyph.draw(TransformPen(pen, (1, 0, 0, 1, at, 0)))
        at += glyph.width
    return pen.getCommands(), at
