"""Wikitext dumps, both releases."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19.catalog.file_formats import Wikitext
from kit19.core.errors import ReadError
from kit19.reading.rows import Rows
from kit19.reading.wikitext import read_wikitext
from tests.support.reading import put, read, texts

TRAIN = "kowikitext/kowikitext_20200920.train"
V3 = """\
= 눈 (기상) =

눈은 얼음이다. 희다.
둘째 줄은 첫 문단이 아니다.

= = 종류 = =

가루눈이 있다.

= 하:위 제목 =

이름공간이 아닌 쌍점이다.

= 절만 있는 글 =

= = 절 = =

절의 글이다.

= 분류:나무 열매 =

분류:열매

= 틀 : 도구 =

글

= 끝 =

끝이다.
"""
TITLES = ["눈 (기상)", "하:위 제목", "절만 있는 글", "끝"]
LEADS = ["눈은 얼음이다. 희다.", "이름공간이 아닌 쌍점이다.", None, "끝이다."]


def articles(text: str | bytes, *namespaces: str) -> Rows:
    data = text if isinstance(text, bytes) else text.encode("utf-8")
    spec = Wikitext(format="wikitext", namespaces=list(namespaces))
    return read_wikitext(io.BytesIO(data), spec, ["title", "lead"], "file")


def older(text: str) -> str:
    """The layout of release v2: a blank before each title and section line."""
    return "".join(f" {line}" if line.startswith("= ") else line for line in text.splitlines(True))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("text", [V3, older(V3), "\ufeff" + V3])
def test_titles_and_leads_are_read_from_both_releases(text: str, end: str) -> None:
    rows = articles(text.replace("\n", end), "분류", "틀")
    assert rows.frame["title"].to_list() == TITLES
    assert rows.frame["lead"].to_list() == LEADS


def test_pages_of_a_namespace_are_excluded_with_line_and_reason() -> None:
    excluded = articles(V3, "분류", "틀").quarantined
    assert [(page.row, page.line, page.kind, page.why) for page in excluded] == [
        (3, 20, "excluded", "a page of the namespace 분류"),
        (4, 24, "excluded", "a page of the namespace 틀"),
    ]
    assert articles(V3).quarantined == []


def test_text_before_the_first_title_belongs_to_no_article() -> None:
    rows = articles("머리말\n\n= 가 =\n\n가이다.\n").frame.drop("#line").rows()
    assert rows == [(0, "가", "가이다.")]


def test_an_article_with_bytes_that_are_not_utf8_is_quarantined_alone() -> None:
    data = "= 가 =\n\n가이다.\n\n= 나 =\n\n".encode() + b"\xff\n" + "\n= 다 =\n\n다이다.\n".encode()
    rows = articles(data)
    assert rows.frame.drop("#line").rows() == [(0, "가", "가이다."), (2, "다", "다이다.")]
    assert [(b.row, b.line, b.why) for b in rows.quarantined] == [(1, 5, "line 7 is not UTF-8")]


def test_a_title_that_is_not_utf8_costs_the_article_before_it_nothing() -> None:
    data = "= 가 =\n\n가이다.\n\n".encode() + b"= \xff =\n" + "\n나이다.\n".encode()
    rows = articles(data)
    assert rows.frame.drop("#line").rows() == [(0, "가", "가이다.")]
    assert [bad.line for bad in rows.quarantined] == [5]


def test_a_dump_without_any_article_is_refused(tmp_path: Path) -> None:
    put(tmp_path, TRAIN, "글만 있다.\n")
    with pytest.raises(ReadError, match="has no rows"):
        read("kowiki_generation", tmp_path, "train")


def test_the_sample_reads_the_same_in_the_layout_of_either_release(
    sample_dir: Path, tmp_path: Path
) -> None:
    text = (sample_dir / TRAIN).read_text(encoding="utf-8")
    newer = "".join(line.lstrip(" ") for line in text.splitlines(True))
    put(tmp_path / "2", TRAIN, older(newer))
    put(tmp_path / "3", TRAIN, newer)
    fields = ("title", "lead", "first_sentence", "rest")
    two, three = (read("kowiki_closed_qa", tmp_path / v, "train") for v in "23")
    assert texts(two, *fields) == texts(three, *fields)
    assert two.bad == three.bad != []
    assert {bad.kind for bad in two.bad} == {"excluded"}
    assert len(two.frame) >= 60


def test_no_title_of_the_sample_is_of_a_namespace_and_no_lead_is_a_heading(
    sample_dir: Path,
) -> None:
    records = read("kowiki_generation", sample_dir)
    assert not any(title.startswith("분류:") for title in records.frame["title"])
    assert not any(lead.lstrip().startswith("=") for lead in records.frame["lead"].drop_nulls())


WORDS = st.text(st.sampled_from("가나다 123()·:"), min_size=1).map(lambda s: f"ㄱ{s}ㄴ")


@given(st.lists(st.tuples(WORDS, st.lists(WORDS), st.lists(WORDS))))
def test_any_dump_gives_back_its_titles_and_first_paragraphs(
    pages: list[tuple[str, list[str], list[str]]],
) -> None:
    dump = ""
    for title, lead, section in pages:
        dump += f"= {title} =\n\n" + "".join(f"{line}\n\n" for line in lead)
        dump += f"= = {title} = =\n\n" + "".join(f"{line}\n" for line in section) + "\n"
    rows = articles(dump)
    assert rows.frame["title"].to_list() == [title for title, _, _ in pages]
    assert rows.frame["lead"].to_list() == [lead[0] if lead else None for _, lead, _ in pages]
