"""Journeys of a user in a real browser: no console message, no request to anybody else."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
import pytest

import kit19

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import expect

from tests.support.axe import SCRIPT
from tests.support.browsing import follow
from tests.support.viewing import Client, viewing
from tests.viewing.conftest import CURVES, Shown

Visit = Callable[..., Any]


def test_why_a_row_is_missing(visit: Visit, every: Client) -> None:
    page = visit(every, "/o/build/")
    follow(page.get_by_role("link", name="contaminated", exact=True))
    follow(page.get_by_role("link", name="kobest_boolq/train/61"))
    assert "equal kobest_boolq/test/37" in page.inner_text("main")
    assert page.locator("mark.shared").count() >= 2
    page.get_by_role("searchbox").fill("korsts/train/12")
    follow(page.get_by_role("button", name="Show"))
    assert "conflict" in page.inner_text("main")


def test_all_rows_by_a_template_and_a_label(visit: Visit, every: Client) -> None:
    page = visit(every, "/o/build/rows")
    facets = page.locator("#filters")
    follow(facets.get_by_role("link", name=re.compile("^nsmc")))
    follow(page.locator("#filters").get_by_role("link", name=re.compile("^negative")))
    follow(page.locator("#filters").get_by_role("link", name=re.compile("^view_request")))
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
    follow(page.get_by_role("button", name="Search"))
    total = int(page.inner_text(".count").split()[0].replace(",", ""))
    follow(page.get_by_role("link", name="Next →"))
    assert f"51 to {min(100, total)} shown" in page.inner_text(".count")


def test_two_models_on_contaminated_items(visit: Visit, every: Client) -> None:
    page = visit(every, "/o/tuned/")
    follow(page.get_by_role("link", name="against base").first)
    follow(page.locator("#filters").get_by_role("link", name=re.compile("^won")))
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
        follow(first.get_by_role("button"))
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


def test_from_a_row_to_its_record_license_and_file(visit: Visit, every: Client) -> None:
    page = visit(every, "/o/build/")
    follow(page.get_by_role("link", name="CC0-1.0"))
    follow(page.locator("#filters").get_by_role("link", name=re.compile("^nsmc")))
    page.get_by_role("searchbox").fill("사랑스러운 영화다")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=*")
    follow(page.locator(".rows .id").first)
    shown = page.inner_text("main")
    assert "nsmc/ratings_train.txt:646" in shown
    assert "CC0-1.0" in shown
    follow(page.get_by_role("link", name=re.compile("This template")))
    assert page.inner_text("h1") == "view_request"
    follow(page.get_by_role("link", name="31 rows"))
    assert "31 rows" in page.inner_text(".count")


def test_a_won_item_leads_to_the_leak_and_to_a_file_of_all(
    visit: Visit, every: Client, tmp_path: Path
) -> None:
    page = visit(every, "/o/tuned/items?task=kobest_boolq&against=base")
    follow(page.locator("#filters").get_by_role("link", name=re.compile("^won")))
    won = page.locator("article")
    items = [one.get_attribute("aria-label") for one in won.all()]
    with page.expect_download() as saved:
        page.get_by_role("link", name="JSON lines").click()
    saved.value.save_as(tmp_path / "won.jsonl")
    lines = (tmp_path / "won.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["item"] for line in lines] == items
    follow(won.first.get_by_role("link", name="see it in the data"))
    hits = page.locator("article")
    assert hits.first.get_attribute("aria-label") == f"kobest_boolq {items[0]}"
    assert "leaks.tsv row" in hits.first.inner_text()


def test_language_and_theme_are_remembered(visit: Visit, every: Client) -> None:
    page = visit(every, "/o/build/rows?subset=nsmc")
    follow(page.get_by_role("link", name="한국어"))
    assert page.inner_text("h1") == "행"
    assert page.url.endswith("rows?subset=nsmc")
    follow(page.get_by_role("link", name="어둡게"))
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
    for path in PAGES:
        page.goto(every.url + path)
        wider = page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
        assert not wider, path
        unnamed = page.evaluate(UNNAMED)
        assert not unnamed, path


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
    "가" * 1_000_000,
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
)


ACTIVE = """
[...document.querySelectorAll("*")].filter((one) =>
  one.matches("main img, script:not([src]), iframe, object, embed, [href^='javascript:']")
  || [...one.attributes].some((attribute) => /^on/i.test(attribute.name))
).map((one) => one.outerHTML.slice(0, 200))
"""
"""Elements that would run or load something."""


def evil(number: int, most: int = 1_000_000) -> str:
    return HOSTILE[number % len(HOSTILE)][:most]


def poison_build(folder: Path) -> None:
    path = next((folder / "data").glob("train-*"))
    rows = pl.read_parquet(path)
    long = ("input", "output")
    short = (
        "instruction", "label", "template", "task", "license", "id", "upstream_split", "subset",
    )  # fmt: skip
    rows.with_columns(
        pl.Series(
            name,
            [evil(n, 1_000_000 if name in long and n < 14 else 2_000) for n in range(rows.height)],
        )
        for name in (*long, *short)
    ).write_parquet(path)
    dropped = pl.read_parquet(folder / "dropped.parquet")
    texts = pl.Series([evil(n, 1_000_000 if n < 14 else 2_000) for n in range(dropped.height)])
    dropped.with_columns(id=texts, evidence=texts).write_parquet(folder / "dropped.parquet")


def poison_audit(folder: Path) -> None:
    hits = pl.read_parquet(folder / "hits.parquet")
    names = ("text", "item_text", "item", "id", "file", "column", "field")
    hits.with_columns(
        pl.Series(name, [evil(n + place) for n in range(hits.height)])
        for place, name in enumerate(names)
    ).write_parquet(folder / "hits.parquet")
    document = json.loads((folder / "audit.json").read_text("utf-8"))
    remarks = [{"where": text, "what": text} for text in HOSTILE]
    document |= {"dataset": HOSTILE[1], "notes": remarks, "not_searched": remarks}
    (folder / "audit.json").write_text(json.dumps(document), "utf-8")


def poison_results(folder: Path) -> None:
    for path in folder.glob("samples_kobest_boolq.jsonl"):
        lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for number, line in enumerate(lines):
            line["prompt"] = evil(number)
            line["choices"] = [f"{place}{evil(number)}" for place in range(len(line["choices"]))]
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    document = json.loads((folder / "results.json").read_text("utf-8"))
    document["kit19"]["model"]["name"] = HOSTILE[1] + HOSTILE[2]
    (folder / "results.json").write_text(json.dumps(document), "utf-8")


def renamed(document: Any, old: str, new: str) -> Any:
    """A JSON document with another text wherever it has one text, as a key or a value."""
    if isinstance(document, dict):
        return {renamed(k, old, new): renamed(v, old, new) for k, v in document.items()}
    if isinstance(document, list):
        return [renamed(one, old, new) for one in document]
    return new if document == old else document


def poison_comparison(folder: Path) -> None:
    text = (folder / "compare.json").read_text("utf-8")
    document = renamed(json.loads(text), "tuned", HOSTILE[0] + HOSTILE[2] + "가" * 500)
    (folder / "compare.json").write_text(json.dumps(document), "utf-8")


def poison_run(folder: Path) -> None:
    document = json.loads((folder / "run.json").read_text("utf-8"))
    document["base"]["name"] = document["data"]["why"] = HOSTILE[1] + HOSTILE[2]
    document |= {
        "notes": list(HOSTILE),
        "settings": {text[:300]: text for text in HOSTILE},
        "versions": dict.fromkeys(HOSTILE, "1"),
    }
    (folder / "run.json").write_text(json.dumps(document), "utf-8")
    curves = {f"eval_{text[:300]}_loss": [[1, 2.0], [2, 1.0]] for text in HOSTILE}
    (folder / "curves.json").write_text(json.dumps(CURVES | curves), "utf-8")


POISON: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "build": (
        poison_build,
        ("", "rows?size=25", "rows?q=%3Cscript%3E", "rows?label=%3Cscript%3Ealert(1)", "dropped",
         "record?id=" + quote(HOSTILE[1])),
    ),
    "audit": (poison_audit, ("", "hits?size=25", "hits?q=%3Cimg", "hits?file=" + quote(HOSTILE[0]))),
    "results/base": (poison_results, ("", "items?task=kobest_boolq&size=25", "items?q=alert")),
    "comparison": (poison_comparison, ("",)),
    "run": (poison_run, ("",)),
}  # fmt: skip
"""How to fill the fields of each kind of folder with hostile texts, and pages that show them."""


def test_hostile_texts_run_nothing_and_break_nothing(
    visit: Visit, shown: Shown, tmp_path: Path, loopback: None
) -> None:
    for name, (poison, _) in POISON.items():
        shutil.copytree(shown.root / name, tmp_path / name)
        poison(tmp_path / name)
    with viewing(*(tmp_path / name for name in POISON)) as client:
        page = visit(client, "/", width=400)
        for name, (_, pages) in POISON.items():
            for path in pages:
                address = f"/o/{Path(name).name}/{path}"
                answer = page.goto(client.url + address)
                assert answer.status == 200, address
                assert len(answer.body()) < 2_000_000, address
                assert page.evaluate(ACTIVE) == [], address
                wider = (
                    "document.documentElement.scrollWidth > document.documentElement.clientWidth"
                )
                assert not page.evaluate(wider), address
                shown_text = page.inner_text("main")
                assert not re.search("[\u202e\u2066\x00\x1b\u2028]", shown_text), address
                assert "49" not in page.inner_text("h1"), address
        for text in HOSTILE[:4]:
            found = client.get("/o/build/record", id=text)
            assert found.status in (200, 404)
            assert text not in found.html
        page.goto(client.url + "/o/build/rows?size=25")
        for link in page.locator(".rows .id").all()[:3]:
            assert (link.get_attribute("href") or "").startswith("/o/build/record?id=")
