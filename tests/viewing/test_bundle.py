"""A static site has the same pages, and asks nobody for anything."""

from __future__ import annotations

import json
import re
import shutil
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl
import pytest

import kit19
from kit19.writing import read_splits
from tests.support.browsing import follow, open_tab
from tests.support.invoking import invoke
from tests.support.viewing import viewing
from tests.viewing.conftest import Shown


@pytest.fixture(scope="module")
def site(shown: Shown, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundle") / "site"
    folders = [shown.audit, shown.root / "comparison", shown.root / "run", shown.root / "results"]
    written = kit19.bundle_view(folders, out, data_dir="sample", most=60)
    assert written.pages == len(list(out.glob("*.html"))) == 60
    assert written.left_out > 0
    return out


def test_every_link_leads_to_a_page_that_is_there(site: Path) -> None:
    targets = set()
    for path in site.glob("*.html"):
        html = path.read_text("utf-8")
        assert "http://" not in html.replace("http://www.w3.org/", "")
        assert "https://" not in html
        for found in re.findall(r'\b(?:href|src)="([^"]*)"', html):
            address = unescape(found).partition("#")[0]
            assert not address.startswith("/"), found
            targets |= {unquote(address)} if address else set()
    missing = {one for one in targets if not (site / one).is_file()}
    assert missing <= {"assets/korean.font"}
    assert {"index.html", "assets/view.css"} <= targets


def test_pages_are_those_of_the_server(site: Path, shown: Shown) -> None:
    hits = json.loads((shown.audit / "audit.json").read_text("utf-8"))["hits"]
    page = next(path for path in site.glob("o-audit-hits-*.html") if "?" not in path.name)
    text = page.read_text("utf-8")
    assert f"{len(hits)} hits" in text
    assert "data-bundle" in text
    assert 'http-equiv="Content-Security-Policy"' in text


def test_one_folder_is_the_first_page_and_korean_is_korean(shown: Shown, tmp_path: Path) -> None:
    ran = invoke(
        "view",
        shown.root / "run",
        "--bundle",
        tmp_path / "site",
        "--bundle-language",
        "ko",
        "--json",
    )
    assert ran.document == {"folder": str(tmp_path / "site"), "pages": 1, "left_out": 0}
    assert "학습 손실" in (tmp_path / "site" / "index.html").read_text("utf-8")


def test_lengths_are_in_tokens_too(sample_build: Path, tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="kit19[eval] is not installed")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"?": 0}, unk_token="?"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    (tmp_path / "words").mkdir()
    words.save(str(tmp_path / "words" / "tokenizer.json"))
    options = ("--bundle-pages", "1", "--tokenizer")
    ran = invoke("view", sample_build, "--bundle", tmp_path / "s", *options, tmp_path / "words")
    assert ran.code == 0
    rows = pl.concat(read_splits(sample_build))
    texts = rows.select(pl.concat_str("instruction", "input", "output", separator=" "))
    short = sum(len(text.split()) < 25 for text in texts.to_series())
    page = re.sub(r"<[^>]*>|\s", "", (tmp_path / "s" / "index.html").read_text("utf-8"))
    assert f"bywords({rows.height:,}rowscounted)" in page
    assert f"0–24{short:,}" in page.partition("bywords")[2]
    wrong = invoke("view", sample_build, "--bundle", tmp_path / "t", *options, tmp_path)
    assert wrong.code == 1
    assert "is no tokenizer" in wrong.err


def test_a_site_says_nothing_of_the_machine_and_takes_nothing_from_outside(
    shown: Shown, tmp_path: Path, loopback: None
) -> None:
    for name in ("comparison", "audit", "run"):
        shutil.copytree(shown.root / name, tmp_path / "private" / name)
    charts = tmp_path / "private" / "comparison" / "charts"
    charts.mkdir(exist_ok=True)
    (charts / "own.svg").write_text("<svg/>")
    (tmp_path / "secret").write_text("secret")
    (charts / "secret.svg").symlink_to(tmp_path / "secret")
    out = tmp_path / "site"
    kit19.bundle_view(tmp_path / "private", out, data_dir="sample", most=6)
    files = {path.name: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert "own.svg" in files
    assert "secret.svg" not in files
    assert [name for name, text in files.items() if str(tmp_path).encode() in text] == []
    with viewing(tmp_path / "private") as client:
        assert client.get("/o/comparison/charts/own.svg").status == 200
        assert client.get("/o/comparison/charts/secret.svg").status == 404


def test_a_folder_with_other_files_is_left_alone(shown: Shown, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    ran = invoke("view", shown.root / "run", "--bundle", tmp_path)
    assert ran.code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_browser_shows_it_without_a_server(site: Path, browser: Any) -> None:
    page = open_tab(browser)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("requestfailed", lambda request: said.append(request.url))
    page.goto((site / "index.html").as_uri())
    follow(page.get_by_role("link", name=re.compile("^audit")).first)
    follow(page.get_by_role("link", name="kobest_boolq"))
    assert page.locator("article").count() > 10
    assert not page.get_by_role("button").filter(visible=True).count()
    item = page.locator("article .mono").nth(5).inner_text()
    page.get_by_label("Filter the entries of this page").fill(item.upper())
    shown = page.locator("article").filter(visible=True)
    assert 1 <= shown.count() < page.locator("article").count()
    assert all(item in text for text in shown.all_inner_texts())
    assert page.evaluate("getComputedStyle(document.querySelector('.panel')).borderRadius") != "0px"
    page.close()
    assert said == []
