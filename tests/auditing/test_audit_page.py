"""Tests that the page is self-contained, and that no text of a dataset can change it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kit19.auditing.page import audit_page
from kit19.auditing.result import Audit, Compromised, Hit
from kit19.drawing.glyphs import font_face

VOID = {"meta", "br", "link", "img", "input", "hr"}
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=https://evil.example/x onerror=alert(1)>',
    "</style><style>@import url(//evil.example)</style>",
    "&lt;b&gt; & &#60;",
    "\u202eabc\u2066",
    "a\x00b\x1bc\x85",
    "{label} {{x}} {은/는}",
    "'><a href='javascript:alert(1)'>",
]


class Page(HTMLParser):
    """Parses elements and the text of cells, and checks that tags are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[list[str]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open or "th" in self.open:
            self.cells[-1][-1] += data

    def rows(self, benchmark: str = "") -> list[list[str]]:
        return [row for row in self.cells if benchmark in row]


def hit(row: int, text: str = "글", **values: object) -> Hit:
    plain = {"column": "text", "benchmark": "exam", "item": "test/q0", "field": "one"}
    rest = {"rule": "equal", "overlap": 1.0, "item_text": text}
    return Hit.model_validate({"row": row, "text": text, **plain, **rest, **values})


def result(hits: list[Hit], dataset: str = "rows.jsonl") -> Audit:
    by_rule = {"test": {"equal": 1, "contained": 3, "near": 8}}
    names = list(dict.fromkeys([*(one.benchmark for one in hits), "exam"]))
    one = Compromised(
        items=1_234, compromised=8, touched=9, share=0.006483, by_rule=by_rule, ids=[]
    )
    rows = sorted({one.row for one in hits})
    return Audit(
        dataset=dataset,
        rows_read=5_000,
        rows=rows,
        hits=hits,
        benchmarks=dict.fromkeys(names, one),
    )


def test_the_summary_has_a_row_and_a_bar_for_each_benchmark() -> None:
    page = Page(audit_page(result([hit(7), hit(8, benchmark="other")])))
    expected = ["1,234", "8", "1", "2", "5", "9", "0.65%", ""]
    assert page.rows("exam") == [["exam", *expected]]
    assert page.rows("other") == [["other", *expected]]
    bars = [attrs["style"] for tag, attrs in page.elements if tag == "i"]
    assert bars == ["width:0.65%"] * 2


def test_both_texts_of_a_hit_are_shown_side_by_side() -> None:
    near = hit(7, "여기 글", item_text="저기 글", rule="near", overlap=0.7512)
    (row,) = Page(audit_page(result([near]))).rows("near 75%")
    assert row == ["7", "text", "test/q0one", "near 75%", "여기 글", "저기 글"]


def test_a_hit_in_one_of_several_files_has_its_place_there() -> None:
    hits = [hit(7, file="a.jsonl", file_row=7), hit(9, file="b/<i>.jsonl", file_row=2)]
    page = Page(audit_page(result(hits)))
    (first,), (second,) = page.rows("7"), page.rows("9")[1:]
    assert (first[1], second[1]) == ("texta.jsonl, row 7", "textb/<i>.jsonl, row 2")
    (alone,) = Page(audit_page(result(hits[:1]))).rows("7")
    assert alone[1] == "text"


def test_the_surest_hits_are_shown_and_the_others_counted() -> None:
    hits = [hit(row, rule="near", overlap=0.5 + row / 100) for row in range(30)]
    hits += [hit(40), hit(50, rule="contained")]
    text = audit_page(result(hits), most=5)
    rows = [row[0] for row in Page(text).cells if len(row) == 6 and row[0] != "row"]
    assert rows == ["40", "50", "29", "28", "27"]
    assert "27 more are not shown here" in text
    assert "left out" not in audit_page(result(hits), most=32)


def test_an_audit_without_hits_says_so() -> None:
    text = audit_page(result([]))
    assert "No benchmark text in 5,000 rows" in text
    assert "<section>" not in text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_in_the_data_becomes_part_of_the_page(hostile: str) -> None:
    calm = Page(audit_page(result([hit(1)])))
    odd = hit(1, hostile, column=hostile, item=hostile, field=hostile, benchmark=hostile)
    audited = result([odd], dataset=hostile)
    audited = audited.model_copy(update={"benchmarks": {hostile: audited.benchmarks[hostile]}})
    page = Page(audit_page(audited))
    assert page.elements == calm.elements
    (row,) = [row for row in page.cells if len(row) == 6 and row[0] == "1"]
    if hostile.isprintable():
        assert row[4] == row[5] == hostile


@given(st.text(max_size=60), st.text(max_size=60))
@example("<!--", "-->")
@example("]]>", "<![CDATA[")
def test_any_text_leaves_the_elements_as_they_are(text: str, column: str) -> None:
    page = Page(audit_page(result([hit(1, text, column=column)])))
    assert page.elements == Page(audit_page(result([hit(1)]))).elements


def test_the_page_asks_for_nothing() -> None:
    text = audit_page(result([hit(row, one) for row, one in enumerate(HOSTILE)]))
    page = Page(text)
    attributes = [(name, value) for _, attrs in page.elements for name, value in attrs.items()]
    assert not [name for name, _ in attributes if name in ("src", "href", "srcset", "action")]
    assert not [name for name, _ in attributes if name.startswith("on")]
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "link", "img", "iframe", "form"})
    own = audit_page(result([hit(1)]))
    assert not re.search(r"https?:|//|@import|url\(|src=", own)
    policy = [a["content"] for _, a in page.elements if "http-equiv" in a]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_the_page_is_the_same_again() -> None:
    audited = result([hit(row, one) for row, one in enumerate(HOSTILE)])
    assert audit_page(audited) == audit_page(audited)


def test_the_font_of_a_page_is_cut_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT19_CACHE", str(tmp_path))
    new = font_face("가나다, ab")
    (path,) = (tmp_path / "fonts").iterdir()
    before = path.stat().st_ino
    assert font_face("다가나가") == new  # the same Korean characters
    assert path.stat().st_ino == before
    path.write_bytes(b"damaged")
    assert font_face("가나다") == new
