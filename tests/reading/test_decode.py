"""Undoing what upstream did to its text."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19.reading.decode import csv_once, csv_twice

TEXT = st.text(st.sampled_from('가나 "')) | st.text(st.characters(exclude_categories=["Cs"]))


def escape(text: str) -> str:
    """What a CSV writer makes of a field that it has to quote."""
    return '"' + text.replace('"', '""') + '"'


def once(text: str) -> str:
    result: str = csv_once(pl.Series("text", [text]))[0]
    return result


def twice(text: str) -> str:
    result: str = csv_twice(pl.Series("text", [text]))[0]
    return result


@given(TEXT)
def test_csv_once_undoes_one_escaping(text: str) -> None:
    assert once(escape(text)) == text


@given(TEXT)
def test_csv_twice_undoes_two_escapings(text: str) -> None:
    assert twice(escape(escape(text))) == text


@given(TEXT)
def test_text_that_is_not_escaped_stays_unchanged(text: str) -> None:
    assert once(text) == text or escape(once(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", '"', "가", '"가" 그리고 "나"', '가 ""나""', '"가', '가"', '"가"나"', '"""', '"가" '],
)
def test_text_with_its_own_quotes_is_not_an_escaped_field(text: str) -> None:
    assert once(text) == text
    assert twice(text) == text


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('"""영화 ""재미"" 있다"""', '"영화 "재미" 있다"'),
        ('"""""', '"""""'),
        ('""""""', '""'),
        ('""', ""),
    ],
)
def test_one_escaping_is_undone_and_no_more(written: str, meant: str) -> None:
    assert once(written) == meant


def test_a_missing_text_stays_missing_and_its_neighbors_are_decoded() -> None:
    texts = pl.Series("text", [None, '"가"', None, "나", '"""다"""'], dtype=pl.String)
    assert csv_twice(texts).to_list() == [None, "가", None, "나", "다"]


def test_decoding_leaves_the_column_that_it_is_given_as_it_was() -> None:
    texts = pl.Series("text", ['"가"', "나"])
    csv_once(texts)
    assert texts.to_list() == ['"가"', "나"]
