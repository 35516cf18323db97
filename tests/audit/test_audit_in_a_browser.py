"""The page of an audit in a browser: it asks for nothing, nothing is cut off, Korean has glyphs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from exams import SENTENCES, look, small_catalog

from kit19.auditing import Audit, write_audit

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HOSTILE = "</td><script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)> \u202e"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM:
        pytest.skip("no chromium to open the page in")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Audit, Path]:
    folder = tmp_path_factory.mktemp("audit")
    rows: list[object] = [
        SENTENCES[0],
        {"messages": [{"role": "user", "content": f"{HOSTILE} {SENTENCES[1]} {'가나다' * 500}"}]},
        {"x" * 300: SENTENCES[4], "칸": f"{'z' * 2_000} {SENTENCES[5]}"},
    ]
    result = look(small_catalog(folder / "cards"), rows)
    assert len(result.rows) == len(rows)
    write_audit(result, folder / "out")
    return result, folder / "out" / "report.html"


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_opens_and_nothing_is_cut_off(
    browser: Any, audited: tuple[Audit, Path], width: int
) -> None:
    result, report = audited
    page = browser.new_page(viewport={"width": width, "height": 900})
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    page.wait_for_selector("section")
    assert page.locator("section tbody tr").count() == len(result.hits)
    assert page.locator("script, img").count() == 0
    assert page.get_by_text(SENTENCES[0]).first.is_visible()
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0
    # Rules and names of benchmarks stand on one line.
    lines = """e => {
        const text = document.createRange();
        text.selectNodeContents(e);
        return text.getClientRects().length;
    }"""
    assert {cell.evaluate(lines) for cell in page.locator("td.whole").all()} == {1}
    assert page.evaluate("document.fonts.ready.then(() => document.fonts.size)") == 1
    page.close()
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
