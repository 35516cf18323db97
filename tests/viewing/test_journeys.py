"""Journeys of a user in a real browser: no console message, no request to anybody else."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import kit19

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import expect

from tests.support.axe import SCRIPT
from tests.support.viewing import Client, viewing
from tests.viewing.conftest import Shown

Visit = Callable[..., Any]
SHOTS = os.environ.get("VIEW_SCREENSHOTS")


def test_why_a_row_is_missing(visit: Visit, every: Client) -> None:
    page = visit(every, "/o/build/")
    page.get_by_role("link", name="contaminated", exact=True).click()
    page.get_by_role("link", name="kobest_boolq/train/61").click()
    assert "equal kobest_boolq/test/37" in page.inner_text("main")
    assert page.locator("mark.shared").count() >= 2
    page.get_by_role("searchbox").fill("korsts/train/12")
    page.get_by_role("button", name="Show").click()
    assert "conflict" in page.inner_text("main")


def test_all_rows_by_a_template_and_a_label(visit: Visit, every: Client) -> None:
    page = visit(every, "/o/build/rows")
    facets = page.locator("#filters")
    facets.get_by_role("link", name=re.compile("^nsmc")).click()
    page.locator("#filters").get_by_role("link", name=re.compile("^negative")).click()
    page.locator("#filters").get_by_role("link", name=re.compile("^view_request")).click()
    assert "subset=nsmc&label=negative&template=view_request" in page.url
    assert page.locator(".rows > li").count() == int(page.inner_text(".count").split()[0])
    page.go_back()
    assert "template=" not in page.url


def test_the_keyboard_is_enough(visit: Visit, every: Client) -> None:
    page = visit(every, "/o/build/rows")
    page.keyboard.press("/")
    page.keyboard.type("영화")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=*")
    assert page.locator("mark.hit").count() > 10
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1.mono")
    assert page.inner_text("h1") == second


def test_pages_work_without_javascript(visit: Visit, every: Client) -> None:
    page = visit(every, "/o/build/rows", java_script_enabled=False)
    page.get_by_role("searchbox").fill("영화")
    page.get_by_role("button", name="Search").click()
    total = int(page.inner_text(".count").split()[0].replace(",", ""))
    page.get_by_role("link", name="Next →").click()
    assert f"51 to {min(100, total)} shown" in page.inner_text(".count")


def test_two_models_on_contaminated_items(visit: Visit, every: Client) -> None:
    page = visit(every, "/o/tuned/")
    page.get_by_role("link", name="against base").first.click()
    page.locator("#filters").get_by_role("link", name=re.compile("^won")).click()
    assert "outcome=won" in page.url
    assert page.locator("article.won").count() == int(page.inner_text(".count").split()[0])
    assert page.locator("td.chosen").count() >= 2


def test_a_false_hit_is_marked_and_the_audit_made_again(
    visit: Visit, shown: Shown, tmp_path: Path, loopback: None
) -> None:
    shutil.copytree(shown.audit, tmp_path / "audit")
    with viewing(tmp_path / "audit") as client:
        page = visit(client, "/o/audit/hits")
        first = page.locator("article").first
        first.get_by_role("textbox").fill("아는 문장")
        first.get_by_role("button").click()
        assert "marked as false" in page.locator("article").first.inner_text()
    again = kit19.audit(
        shown.root / "data",
        ["kobest_boolq"],
        data_dir="sample",
        allow=tmp_path / "audit.allow.yaml",
    )
    assert [one.why for one in again.allowed] == ["아는 문장"]


def test_a_template_is_tried_while_one_types(visit: Visit, every: Client) -> None:
    page = visit(every, "/o/build/template?subset=nsmc&id=view_request&record=nsmc/train/9016314")
    shown = page.locator("[data-text=output]")
    expect(shown).to_have_text("영화를 좋게 본 것 같아요.")
    page.get_by_label("Output").fill("{label.view} 봤다")
    expect(shown).to_have_text("좋게 봤다")
    page.get_by_label("Output").fill("{label.")
    expect(page.locator("[data-problems]")).to_contain_text("brace")


def test_language_and_theme_are_remembered(visit: Visit, every: Client) -> None:
    page = visit(every, "/o/build/rows?subset=nsmc")
    page.get_by_role("link", name="한국어").click()
    assert page.inner_text("h1") == "행"
    assert page.url.endswith("rows?subset=nsmc")
    page.get_by_role("link", name="어둡게").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.goto(every.url + "/o/run/")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    assert page.get_attribute("html", "lang") == "ko"


UNNAMED = """
[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea")]
  .filter((one) => !(one.textContent.trim() || one.ariaLabel || one.labels?.length))
  .map((one) => one.outerHTML)
"""
"""What a reader of the screen has no name for."""

PAGES = (
    "/", "/o/build/", "/o/build/rows", "/o/build/record?id=nsmc/train/9016314", "/o/build/dropped",
    "/o/build/record?id=kobest_boolq/train/61", "/o/build/templates?subset=nsmc",
    "/o/build/template?subset=nsmc&id=view_request", "/o/audit/", "/o/audit/hits", "/o/base/",
    "/o/tuned/items?task=kobest_boolq&against=base", "/o/comparison/", "/o/run/",
)  # fmt: skip


@pytest.mark.parametrize(
    ("width", "language", "theme"), [(360, "ko", "light"), (2560, "en", "dark")]
)
def test_no_page_is_wider_than_the_screen(
    visit: Visit, every: Client, width: int, language: str, theme: str
) -> None:
    page = visit(every, f"/set?theme={theme}&language={language}&back=/", width=width)
    for number, path in enumerate(PAGES):
        page.goto(every.url + path)
        wider = page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
        assert not wider, path
        unnamed = page.evaluate(UNNAMED)
        assert not unnamed, path
        if SHOTS:
            name = f"{number:02}-{width}-{language}-{theme}.png"
            page.screenshot(path=Path(SHOTS) / name, full_page=True)


AXE = """
async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
  .filter((one) => ["serious", "critical"].includes(one.impact))
  .map((one) => one.id + ": " + one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200)))
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit: Visit, every: Client, theme: str) -> None:
    if not SCRIPT.is_file():
        pytest.skip("axe-core is not here: make axe")
    page = visit(every, f"/set?theme={theme}&back=/")
    for path in PAGES:
        page.goto(every.url + path)
        page.evaluate(SCRIPT.read_text("utf-8"))
        assert page.evaluate(AXE) == [], path


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202e뒤집힘\u2066",
    "\x00\x1b[31m\u2028",
    "가" * 100_000,
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
)


def test_hostile_texts_run_nothing_and_break_nothing(
    visit: Visit, sample_build: Path, tmp_path: Path, loopback: None
) -> None:
    shutil.copytree(sample_build, tmp_path / "b")
    path = next((tmp_path / "b" / "data").glob("train-*"))
    rows = pl.read_parquet(path)
    texts = [HOSTILE[n % len(HOSTILE)] for n in range(rows.height)]
    columns = (
        "instruction",
        "input",
        "output",
        "label",
        "template",
        "task",
        "license",
        "id",
        "upstream_split",
    )
    short = [text[:2_000] for text in texts]
    rows.with_columns(
        pl.Series(name, texts if name in ("input", "output") else short) for name in columns
    ).write_parquet(path)
    dropped = pl.read_parquet(tmp_path / "b" / "dropped.parquet")
    evil = pl.Series([HOSTILE[n % len(HOSTILE)] for n in range(dropped.height)])
    dropped.with_columns(id=evil, evidence=evil).write_parquet(tmp_path / "b" / "dropped.parquet")
    with viewing(tmp_path / "b") as client:
        page = visit(client, "/o/b/", width=400)
        for path_ in ("/o/b/", "/o/b/rows?size=25", "/o/b/dropped", "/o/b/rows?q=<script>"):
            page.goto(client.url + path_)
            assert page.evaluate("document.querySelectorAll('img, script:not([src])').length") == 0
            assert not page.evaluate(
                "document.documentElement.scrollWidth > document.documentElement.clientWidth"
            )
        for link in page.locator(".rows .id").all()[:3]:
            address = link.get_attribute("href")
            assert address
            assert address.startswith("/o/b/record?id=")
        for text in HOSTILE[:4]:
            answer = client.get("/o/b/record", id=text)
            assert text not in answer.html
            page.goto(client.url + "/o/b/rows?label=" + "%3Cscript%3Ealert(1)%3C%2Fscript%3E")
