"""Tests of the page in a browser: it loads nothing, cuts nothing off, and has Korean glyphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kit19.auditing import Audit
from tests.support.exams import SENTENCES, look, small_catalog

HOSTILE = "</td><script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)> \u202e"


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
    result.write(folder / "out")
    return result, folder / "out" / "report.html"


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_opens_and_nothing_is_cut_off(
    opened: Any, audited: tuple[Audit, Path], width: int
) -> None:
    result, report = audited
    page = opened(report, waits_for="section", width=width)
    assert page.locator("section tbody tr").count() == len(result.hits)
    assert page.locator("script, img").count() == 0
    assert page.get_by_text(SENTENCES[0]).first.is_visible()
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0
    # Rules and names of benchmarks are on one line.
    lines = """e => {
        const text = document.createRange();
        text.selectNodeContents(e);
        return text.getClientRects().length;
    }"""
    assert {cell.evaluate(lines) for cell in page.locator("td.whole").all()} == {1}
    assert page.evaluate("document.fonts.ready.then(() => document.fonts.size)") == 1
