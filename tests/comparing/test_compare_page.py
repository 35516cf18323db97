"""The page of a comparison in a browser: no requests, and no markup from data."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from kit19 import compare
from kit19.comparing.charts import to_png
from kit19.drawing.glyphs import outlined
from kit19.drawing.safe_text import json_in_script, plain, printable
from tests.support.simulate import model

HOSTILE = (
    "</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> ]]> \u202e\u2028 '\"&amp;"
)
ITEMS = "#list article"


def test_the_page_opens_without_an_error_or_a_request(
    opened: Any, comparison: SimpleNamespace, tmp_path: Path
) -> None:
    page = opened(comparison.out / "report.html", ITEMS)
    assert page.title() == "기준 · tuned · flat"
    assert page.locator("figure svg").count() == 3 + 2 * 7
    assert page.locator("mark").first.inner_text() == "C"
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert (tmp_path / "page.png").stat().st_size > 100_000
    # Every Korean character has a glyph, also where the machine has no Korean font.
    assert page.evaluate("document.fonts.ready.then(() => document.fonts.size)") == 1


def test_filters_show_matching_items(opened: Any, comparison: SimpleNamespace) -> None:
    page = opened(comparison.out / "report.html", ITEMS)
    everything = int(page.locator("#count").inner_text().split()[0])
    page.select_option("#task", "kobest_copa")
    page.select_option("#kind", "won")
    heads = page.locator("#list article h3").all_inner_texts()
    assert heads
    assert all(h.startswith("kobest_copa · row ") and h.endswith(" · won") for h in heads)
    assert page.locator("#list article:not(.won)").count() == 0
    page.select_option("#kind", "lost")
    assert page.locator("#list article.lost").count() == page.locator("#list article").count()
    page.select_option("#task", "")
    page.select_option("#kind", "")
    page.fill("#words", "마취 주사")
    assert 0 < int(page.locator("#count").inner_text().split()[0]) < everything
    assert "마취 주사" in page.locator("#list article .prompt").first.inner_text()
    page.fill("#words", "")
    shown = page.locator("#list article").count()
    page.click("#more")
    assert page.locator("#list article").count() > shown


def test_the_page_prints(opened: Any, comparison: SimpleNamespace, tmp_path: Path) -> None:
    page = opened(comparison.out / "report.html", ITEMS)
    page.pdf(path=tmp_path / "page.pdf")
    page.emulate_media(media="print")
    assert not page.locator(".filters").is_visible()
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


def test_text_from_data_stays_text(opened: Any, tmp_path: Path) -> None:
    pair = [tmp_path / "base", tmp_path / "other"]
    for seed, folder in enumerate(pair):
        model(folder, seed, name=f"{HOSTILE} {seed}", seed=seed, tasks=("kobest_copa",))
        file = folder / "samples_kobest_copa.jsonl"
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        for row in rows:
            row["prompt"] = row["item"] = HOSTILE
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        file.write_text(text, encoding="utf-8")
    compare(pair, replicates=100).write(tmp_path / "out")
    page = opened(tmp_path / "out" / "report.html", ITEMS)
    assert page.locator("script").count() == 2
    assert page.locator("img").count() == 0
    shown = page.locator("#list article .prompt").first.inner_text()
    assert shown.startswith("</script><script>alert(1)</script><!-- <img src=x")


def test_the_page_names_no_address(comparison: SimpleNamespace) -> None:
    text = (comparison.out / "report.html").read_text(encoding="utf-8")
    own = re.sub(r"base64,[\w+/=]+|<script type=.*?</script>", "", text, flags=re.DOTALL)
    addresses = set(re.findall(r"https?:[^\s\"']+", own))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"<(link|img|iframe|form)\b|@import|\ssrc=|\shref=|\son\w+=", own)
    assert "default-src 'none'" in own


@given(st.text(max_size=80))
def test_json_never_leaves_its_script(text: str) -> None:
    written = json_in_script({"text": text})
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == {"text": printable(text)}
    written.encode()


@given(st.text(max_size=80))
def test_plain_text_holds_no_markup(text: str) -> None:
    assert not set("<>\"'") & set(plain(text))
    ElementTree.fromstring(f"<a>{plain(text)}</a>")  # noqa: S314


@settings(max_examples=25)
@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn", "Co"]), max_size=12))
def test_any_text_of_a_drawing_becomes_outlines(text: str) -> None:
    body = f'<text font-size="11px" text-anchor="end">{plain(text)}</text>'
    found = outlined(f'<svg xmlns="http://www.w3.org/2000/svg">{body}</svg>')
    assert "<text" not in found
    root = ElementTree.fromstring(found)  # noqa: S314
    assert root[0].get("aria-label") == printable(text)


def test_charts_have_korean_glyphs_and_no_text_that_needs_a_font(
    comparison: SimpleNamespace,
) -> None:
    charts = comparison.out / "charts"
    names = {path.stem for path in charts.glob("*.svg")}
    assert len(names) == 17
    assert names == {path.stem for path in charts.glob("*.png")}
    for path in charts.glob("*.svg"):
        assert "<text" not in path.read_text(encoding="utf-8"), path.name
    drawn = (charts / "confusion_klue_ynat.svg").read_text(encoding="utf-8")
    assert 'aria-label="생활"' in drawn
    # The box that stands for a missing glyph is not what was drawn.
    glyphs = [
        re.search(r'd="([^"]+)"', outlined(_svg(text)))[1]  # type: ignore[index]
        for text in ("가", "쀍", "\ue000")
    ]
    assert len(set(glyphs)) == 3


def _svg(text: str) -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg"><text font-size="10px">{text}</text></svg>'


def test_outlines_and_pixels_are_of_the_same_drawing() -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20">'
    png = to_png(
        outlined(f'{svg}<text font-size="10px" transform="translate(5,15)">가</text></svg>')
    )
    assert png.startswith(b"\x89PNG")
    assert len(png) > len(to_png(f"{svg}</svg>"))


def test_the_same_comparison_writes_the_same_bytes(tmp_path: Path) -> None:
    pair = [model(tmp_path / f"m{n}", n, seed=n, tasks=("klue_sts",)) for n in range(2)]
    for name in ("one", "two"):
        compare(pair, replicates=100).write(tmp_path / name)
    for path in (tmp_path / "one").rglob("*"):
        if path.is_file():
            other = tmp_path / "two" / path.relative_to(tmp_path / "one")
            assert path.read_bytes() == other.read_bytes(), path.name
