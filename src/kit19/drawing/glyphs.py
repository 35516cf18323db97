"""Text of a drawing as outlines, so that it reads the same where no Korean font is installed."""

from __future__ import annotations

import base64
import functools
import io
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from kit19.core.errors import OutputError, Problem
from kit19.drawing.safe_text import printable

FAMILY = "Noto Sans KR"
_SVG = "http://www.w3.org/2000/svg"
_KEPT = ("transform", "fill", "opacity")


def font_path() -> Path:
    """The Korean font file that the layer ``report`` brings.

    Raises:
        OutputError: The layer is not installed.
    """
    try:
        import pylopdf_fonts_ko  # noqa: PLC0415  only where something is drawn
    except ImportError:
        raise missing_layer() from None
    return Path(pylopdf_fonts_ko.sans_path())


def missing_layer() -> OutputError:
    """What to say where the layer ``report`` is not installed."""
    what = "charts and the page need packages that are not installed"
    return OutputError(Problem(what, fix="pip install 'kit19[report]'"))


def outlined(svg: str) -> str:
    """An SVG with every ``<text>`` turned into a path; what it said stays as its label.

    Args:
        svg: As vl-convert writes it: texts have an anchor, a size in pixels and a transform.
    """
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(svg)  # noqa: S314  our own drawing, just made
    for parent in root.iter():
        for place, child in enumerate(list(parent)):
            if child.tag == f"{{{_SVG}}}text":
                parent[place] = _outline(child)
    return ElementTree.tostring(root, encoding="unicode")


def _outline(text: ElementTree.Element) -> ElementTree.Element:
    kept = {name: text.attrib[name] for name in _KEPT if name in text.attrib}
    group = ElementTree.Element(f"{{{_SVG}}}g", kept)
    lines = [text, *text] if len(text) else [text]
    said = [printable(line.text or "") for line in lines]
    group.set("aria-label", " ".join(part for part in said if part))
    size = float(text.attrib.get("font-size", "11").removesuffix("px"))
    anchor = {"middle": 0.5, "end": 1.0}.get(text.attrib.get("text-anchor", ""), 0.0)
    down = 0.0
    for line, words in zip(lines, said, strict=True):
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
    """A CSS rule that brings the Korean characters of a text, for readers without a Korean font."""
    _font()  # refuses where the layer is missing
    from fontTools import subset  # noqa: PLC0415  only where something is drawn

    options = subset.Options(layout_features=[], hinting=False, desubroutinize=False, flavor="woff")
    cutter = subset.Subsetter(options)
    # Latin is everywhere; the rest is Korean and what Korean text is written with.
    cutter.populate(unicodes={ord(character) for character in text if ord(character) > 0x2FFF})
    packed = io.BytesIO()
    with subset.load_font(str(font_path()), options) as font:
        cutter.subset(font)
        font.flavor = "woff"
        font.save(packed)
    data = base64.b64encode(packed.getvalue()).decode()
    source = f'url("data:font/woff;base64,{data}") format("woff")'
    # Only for these characters, and first in line: as a last resort, browsers keep boxes that they drew
    # before it was there.
    only = "unicode-range: U+3000-FFFF"
    return f'@font-face {{ font-family: "kit19 Korean"; {only}; src: {source}; }}\n'


@functools.cache
def _font() -> tuple[Any, int]:
    """The font, and its units in an em."""
    try:
        from fontTools.ttLib import TTFont  # noqa: PLC0415  only where something is drawn
    except ImportError:
        raise missing_layer() from None
    font = TTFont(io.BytesIO(font_path().read_bytes()), lazy=True)  # no file stays open
    return font, font["head"].unitsPerEm


@functools.cache
def _path(text: str) -> tuple[str, float]:
    """The outline of a line, and its width, in font units; what the font lacks is a box."""
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
