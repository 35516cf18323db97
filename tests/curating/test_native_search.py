"""Tests that the search in native code finds what a search with joins of tables finds."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal, assert_series_equal

from kit19.curating import ItemIndex, contamination, find_items, load_index, lookup
from kit19.curating.decoding import ANY, SPACED, decode
from kit19.curating.grams import bare, spaced, without_blanks
from kit19.curating.letters import letters_of
from tests.support import slow_search
from tests.support.small_items import benchmark

ITEMS = [
    "겨울이 오기 전에 창문 틈을 막아 두어야 난방비를 아낄 수 있다고 한다.",
    "제20대 국회는 2016년 5월 30일부터 4년간 3만5천 건의 법안을 다뤘다.",
    "도서관 열람실은 시험 기간에만 자정까지 문을 열어 둡니다.",
    "도서관 열람실은 시험 기간에도 저녁까지만 문을 열어 둡니다.",
    "ㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋ",
    "KTX를 타고 GTX-A로 3번 갈아타면 1조 2,000억 원짜리 역에 내린다!",
    "가 가 가 가 가 나 나 나 나 다 다 다 다 라 라 라 라 마 마 마",
    "ﬁnal ① ㎡ ½ Σίσυφος Straße İstanbul 漢字かなカナｶﾞ 끝났다",
    "아주 좋아요",
    "",
]
ODD = [
    *"가각힣ㄱㄳㅋㅎㅏㅠㅣㆍㆎﾡￂ１Ａａ!.~· \t\n\u3000\u00a0\u200b\u200d\ufeff\u00ad\u3164\uffa0\u2800",
    *"éÅßſΣσς½²①⑩㎡㎏㈜㉠㉮ﬁﷺﾞゞ漢\uf900\U0002f800\U00020000ÀK",
    *"\u0301\u0327\u20e3\ufe0f\u1100\u1161\u11a8\u119e\ua960\ud7b0\u302e\u0591\u093c",
    *"😀👍🏽𝐀\U000f0855\U000e0101\U0010ffff\x00\x1f\x7f\x85",
    *["만", "억", "20만원", "제3회", "1234567890123456789", "3.14", "에서는", "습니다"],
]


def disguised(text: str, how: int) -> str:
    ways: list[Callable[[str], str]] = [
        lambda one: one,
        lambda one: unicodedata.normalize("NFD", one),
        lambda one: one.replace(" ", ""),
        "\u200b".join,
        lambda one: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in one),
        lambda one: one.upper(),
        lambda one: one.replace("은", "도").replace("을", "이").replace("에", "로"),
        lambda one: one.replace(" ", " \n\u3164"),
    ]
    return ways[how % len(ways)](text)


odd = st.lists(st.sampled_from(ODD), max_size=12).map("".join)
anything = st.one_of(odd, st.text(max_size=12))


@st.composite
def pieces(draw: st.DrawFn) -> str:
    """A piece of an item, perhaps disguised, between other text."""
    item = draw(st.sampled_from(ITEMS))
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(item))] * 2)))
    whole = item if draw(st.booleans()) else item[start:end]
    return draw(anything) + disguised(whole, draw(st.integers(0, 7))) + draw(anything)


texts = st.one_of(
    st.none(), anything, pieces(), st.lists(pieces(), min_size=2, max_size=4).map(" ".join)
)


@lru_cache(1)
def indexes(*known: str) -> tuple[ItemIndex, slow_search.ItemIndex]:
    given_items = benchmark(*known)
    return contamination.build_index(given_items), slow_search.build_index(given_items)


def compare(known: list[str], searched: list[str | None]) -> None:
    mine, reference = indexes(*known)
    series = pl.Series(searched, dtype=pl.String)
    assert_frame_equal(find_items(series, mine), slow_search.find_items(series, reference))


@settings(max_examples=60, deadline=None)
@given(st.lists(texts, max_size=8))
@example([*ITEMS, None, *map(str.lower, ITEMS)])
@example([" ".join(ITEMS) * 40])
@example([unicodedata.normalize("NFD", " ".join(ITEMS)) * 3, "가" * 5_000, "가 " * 5_000])
def test_the_same_hits_as_a_search_by_joins(searched: list[str | None]) -> None:
    compare(ITEMS, searched)


@settings(max_examples=25, deadline=None)
@given(st.lists(pieces(), max_size=5), st.lists(texts, max_size=5))
def test_the_same_hits_for_any_items(known: list[str], searched: list[str | None]) -> None:
    compare(known, [*searched, *known, " ".join(known)])


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(ITEMS[:4]), st.data())
def test_no_order_of_keys_changes_what_is_found(item: str, data: st.DataObject) -> None:
    letters = bare(pl.Series([item])).item()
    grams = list(dict.fromkeys(letters[at : at + 3] for at in range(len(letters) - 2)))
    order = data.draw(st.permutations(grams))
    cut = data.draw(st.integers(2, len(order)))
    # The texts have the most common trigrams only, which are keys last: around half of the item.
    half = len(order) // 2
    searched = pl.Series(["".join(order[:held]) for held in range(half - 3, half + 4)])
    with pytest.MonkeyPatch.context() as patch:
        levels = ("".join(order[: cut // 2]), "".join(order[cut // 2 : cut]))
        patch.setattr(lookup, "common_trigrams", lambda: levels)
        mine = contamination.build_index(benchmark(*ITEMS))
    _, reference = indexes(*ITEMS)
    assert_frame_equal(find_items(searched, mine), slow_search.find_items(searched, reference))


def letters_and_words(text: str) -> tuple[str, list[int]]:
    starts, letters = [], ""
    for word in text.split(" "):
        if word:
            starts.append(len(letters))
            letters += word
    return letters, starts


def decoded(some: list[str], form: int) -> list[tuple[str, list[int]] | None]:
    """Return letters and word starts of each text, and None for texts of the slow path."""
    found = decode(pl.Series(some, dtype=pl.String), form)
    words = np.split(found.words, found.word_ends[:-1])
    slow = set(found.slow.tolist())
    return [
        None if place in slow else (found.text(place), words[place].tolist())
        for place in range(len(some))
    ]


@settings(max_examples=100, deadline=None)
@given(st.lists(anything, min_size=1, max_size=8))
def test_decoding_gives_the_bare_form_and_where_words_begin(some: list[str]) -> None:
    words = spaced(pl.Series(some, dtype=pl.String)).to_list()
    expected = [letters_and_words(one) for one in words]
    for mine, right in zip(decoded(some, ANY), expected, strict=True):
        assert mine in (None, right)
    assert decoded(words, SPACED) == expected
    texts = pl.Series("text", some)
    assert_series_equal(letters_of(texts), bare(texts))


@pytest.mark.parametrize("context", ["{}", "가{}나", "ㅋ{}ㅠ", "e{}ㄱ", "Σ{}ㅏ", "ㄱ{}", "あ{} 1"])
def test_every_character_is_decoded_as_polars_does(context: str) -> None:
    codes = [one for one in range(0x2_0000) if not 0xD800 <= one < 0xE000]
    codes += [*range(0xE_0000, 0xE_1000), 0xF_0000, 0x10_FFFF]
    some = pl.Series([context.format(chr(one)) for one in codes])
    found = decode(some)
    slow = set(found.slow.tolist())
    fast = [place for place in range(len(codes)) if place not in slow]
    expected = without_blanks(spaced(some.gather(fast)))
    mine = pl.Series([found.text(place) for place in fast])
    assert (mine == expected).all()
    assert_series_equal(letters_of(some), bare(some))
    if context == "{}":  # the slow path is for rare characters
        assert len(fast) > 60_000


def test_slices_and_threads_do_not_change_what_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    index = contamination.build_index(benchmark(*ITEMS))
    searched = pl.Series([f"{item} {other}" for item in ITEMS for other in ITEMS] * 3)
    expected = find_items(searched, index)
    assert expected.height > 300
    monkeypatch.setattr(contamination, "_BYTES", 100)
    assert_frame_equal(find_items(searched, index), expected)


def run(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
    )


def test_numba_is_loaded_only_to_compile_and_to_create_an_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIT19_CACHE", str(tmp_path))
    found = find_items(pl.Series(ITEMS), load_index(benchmark(*ITEMS)))
    done = run(
        "import sys, kit19, kit19.cli, kit19.auditing, kit19.building.pipeline\n"
        "import polars as pl\n"
        "from kit19.curating import find_items, load_index\n"
        "from tests.support.small_items import benchmark\n"
        f"items = {ITEMS!r}\n"
        "found = find_items(pl.Series(items), load_index(benchmark(*items)))\n"
        "print(found.height, 'numba' in sys.modules)"
    )
    assert done.stdout.strip() == f"{found.height} False", done.stderr


def test_without_a_folder_for_native_code_a_warning_names_the_remedy() -> None:
    done = run(  # code without a file has no folder beside it
        "from kit19.core.native import native\n"
        "double = native(lambda one: 2 * one)\n"
        "twice = native(lambda one: double(one))\n"
        "print(twice(21))"
    )
    assert done.stdout == "42\n", done.stderr
    assert "set NUMBA_CACHE_DIR to a folder that can be written" in done.stderr
