"""The pages of a build show what the build has."""

from __future__ import annotations

import itertools
import re
import shutil
import unicodedata
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kit19
from kit19.core.ledger import REASONS
from kit19.core.manifest import read_manifest
from kit19.viewing.data.filled import filled_parts
from kit19.viewing.data.row_table import RowTable
from kit19.viewing.data.searching import contains, find_all
from kit19.viewing.data.shared import shared_spans
from kit19.viewing.data.templates import render_alone
from kit19.viewing.data.upstream import Upstream
from kit19.viewing.visible import marked, visible
from kit19.viewing.wording import LANGUAGES, load_messages
from kit19.writing import read_splits
from tests.support.samples import sample_of
from tests.support.viewing import Client, viewing

HOME = "/o/once-sample/"


@pytest.fixture(scope="module")
def every(sample_build: Path) -> pl.DataFrame:
    return pl.concat(read_splits(sample_build))


@pytest.fixture(scope="module")
def table(sample_build: Path) -> RowTable:
    return RowTable(sample_build)


def count(answer: Any) -> int:
    found = re.search(r'role="status">([\d,]+)', answer.html)
    assert found, answer.text
    return int(found[1].replace(",", ""))


def test_the_overview_has_the_ledger_and_the_notes(client: Client, sample_build: Path) -> None:
    manifest = read_manifest(sample_build)
    text = client.get(HOME).text
    assert f"{manifest.rows:,}" in text
    assert f"{sum(one.ledger.read for one in manifest.subsets.values()):,}" in text
    for note in manifest.notes():
        assert note.what in text
    one = client.get(HOME, subset="nsmc").text
    assert re.search(r"Read from upstream 1,460 100", one)
    assert re.search(r"conflict the same record .*? −2 ", one)


def test_facets_count_what_choosing_them_gives(client: Client, every: pl.DataFrame) -> None:
    answer = client.get(HOME + "rows", subset="nsmc", label="positive")
    expected = every.filter(pl.col("subset") == "nsmc", pl.col("label") == "positive")
    assert count(answer) == expected.height
    links = [one for one in answer.links if "template=" in one and one.startswith(HOME + "rows")]
    for link in links[:3]:
        query = parse_qs(urlsplit(link).query)
        [template] = query["template"]
        assert query["subset"] == ["nsmc"]
        assert count(client.get(link)) == expected.filter(pl.col("template") == template).height
    other = next(one for one in answer.links if "label=negative" in one)
    assert count(client.get(other)) == every.filter(pl.col("subset") == "nsmc").height


@pytest.mark.parametrize(
    "words",
    [
        "영화",
        "KAKAO",
        "\u110b\u1167\u11bc\u1112\u116a",
        "nsmc/train/9",
        "없는말이다",
        "{",
        "\\d",
        "%",
    ],
)
def test_search_finds_the_rows_that_contain_the_words(
    table: RowTable, every: pl.DataFrame, words: str
) -> None:
    texts = every.select(pl.concat_str("id", "instruction", "input", "output", separator="\n"))
    wanted = unicodedata.normalize("NFC", words).casefold()
    expected = [wanted in text.casefold() for text in texts.to_series()]
    found = table.select({}, words).places
    assert found.tolist() == np.flatnonzero(expected).tolist()


@given(
    st.lists(st.text("가각ㄱㅏá́aA.Éeſ\u1100\u1161")),
    st.text("가각aAÉ.\u1100\u1161", min_size=1, max_size=3),
)
def test_every_page_searches_by_the_same_rules(texts: list[str], words: str) -> None:
    column = pl.Series("text", texts, dtype=pl.String)
    found = pl.select(contains([pl.lit(column)], words)).to_series() if texts else column
    assert found.to_list() == [bool(find_all(text, words)) for text in texts]


def test_search_finds_composed_and_decomposed_letters_in_any_case() -> None:
    rows = pl.DataFrame({"text": ["영화 É", "영화 é", None, "é"]})
    decomposed = rows.select(pl.col("text").str.normalize("NFD"))
    for frame in (rows, decomposed):
        for words, count in (("화", 2), ("\u1112\u116a", 2), ("É", 3), ("e\u0301", 3), ("소", 0)):
            assert frame.filter(contains([pl.col("text")], words)).height == count


def test_orders_and_pages_give_every_row_once(table: RowTable, every: pl.DataFrame) -> None:
    lengths = every.select(
        pl.sum_horizontal(pl.col("instruction", "input", "output").str.len_chars())
    )
    by = {
        "longest": (-lengths.to_series().cast(pl.Int64)).arg_sort().to_list(),
        "id": every["id"].arg_sort().to_list(),
        "build": list(range(every.height)),
    }
    for order, expected in by.items():
        places = table.select({}, order=order).places
        assert sorted(places.tolist()) == list(range(every.height))
        key = every["id"] if order == "id" else lengths.to_series()
        assert [key[p] for p in places.tolist()] == [key[p] for p in expected]
    places = np.array([2919, 3, 0, 2801, 3], dtype=np.uint32)
    assert table.rows(places)["id"].to_list() == every["id"].gather(places).to_list()
    assert table.rows(places)["split"].to_list() == [
        "validation",
        "train",
        "train",
        "validation",
        "train",
    ]
    pages = [table.rows(table.select({}).places[n : n + 500]) for n in range(0, 3000, 500)]
    assert pl.concat(pages)["id"].to_list() == every["id"].to_list()


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=99999",
        "page=-1",
        "page=x",
        "size=7",
        "sort=no",
        "subset=no",
        "label=%E2%80%93",
        "page=%C2%B2",
    ],
)
def test_any_address_is_answered(client: Client, query: str) -> None:
    assert client.get(f"{HOME}rows?{query}").status == 200


def test_a_row_shows_its_upstream_record_file_and_line(client: Client) -> None:
    answer = client.get(HOME + "record", id="nsmc/train/9016314")
    assert "nsmc/ratings_train.txt:646" in answer.text
    assert '<mark class="field" title="text of the record">사랑스러운 영화다' in answer.html
    assert "{label.view}" in answer.text
    build = client.site.build(client.site.opened[0])
    view, frame = build.views["nsmc"], build.upstream.record("nsmc/train/9016314").frame
    names = {one.id for one in view.templates.of_one_record.templates}
    others = len(render_alone(view, frame, names)) - 1
    assert f"{others} other templates on this record" in answer.text
    assert f"{others - 12} more" in answer.text


def test_a_conversation_shows_what_its_turns_have_filled_in(tmp_path: Path, loopback: None) -> None:
    sample_of(tmp_path / "b", "kobest_wic", recipe="kit19-chat", conversations=0.2, validation=6)
    rows = pl.read_parquet(next((tmp_path / "b" / "data").glob("train-*")))
    row = rows.filter(pl.col("messages").is_not_null()).row(0, named=True)
    with viewing(tmp_path / "b") as client:
        page = client.get("/o/b/record", id=row["id"], template=row["template"])
        assert "Turn 2" in page.text
        assert "no_source" not in page.text
        for message in row["messages"]:
            assert message["content"].split()[0] in page.text
        assert '<mark class="field"' in page.html
        [conversation] = [
            one
            for one in client.site.build(client.site.find("b"))
            .views["kobest_wic"]
            .templates.conversations
            if one.id == row["template"]
        ]
        listed = client.get("/o/b/templates", subset="kobest_wic").text
        assert f"{conversation.id} {conversation.card.style}" in listed


def test_a_record_counts_all_its_rows_and_templates(
    sample_build: Path, tmp_path: Path, loopback: None
) -> None:
    shutil.copytree(sample_build, tmp_path / "b")
    [path] = (tmp_path / "b" / "data").glob("train-*")
    rows = pl.read_parquet(path)
    name = rows.filter(subset="nsmc")["id"][0]
    of_nsmc = pl.when(subset="nsmc").then(pl.lit(name)).otherwise("id")
    rows.with_columns(id=of_nsmc).write_parquet(path)
    with viewing(tmp_path / "b") as client:
        places = RowTable(tmp_path / "b").find(name)
        assert len(places) > 50
        answer = client.get("/o/b/record", id=name)
        assert f"All {len(places)} rows with this record" in answer.text
        assert f"{len(places) - 50} more" in answer.text


def test_filled_parts_are_the_whole_text_and_the_fields_of_the_record(
    client: Client, every: pl.DataFrame
) -> None:
    build = client.site.build(client.site.opened[0])
    upstream = build.upstream
    one_each = every.group_by("subset", "template", maintain_order=True).first()
    exact = 0
    for row in one_each.sample(60, seed=1).to_dicts():
        view = build.views[row["subset"]]
        template = next(one for one in view.templates.templates if one.id == row["template"])
        record = upstream.record(row["id"])
        for frame in (record.frame, None):
            parts = filled_parts(template, view.templates, row, frame)
            if parts is None:
                assert frame is None
                continue
            for name, pieces in parts.items():
                assert "".join(text for text, _ in pieces) == row[name]
        if not (template.card.batch or template.card.shots):
            filled = filled_parts(template, view.templates, row, record.frame)
            assert filled
            fields = [
                text for pieces in filled.values() for text, kind in pieces if kind == "field"
            ]
            assert all(any(v in text for v in record.fields.values()) for text in fields)
            exact += 1
    assert exact > 30


def test_every_dropped_record_is_listed_with_its_evidence(
    client: Client, sample_build: Path
) -> None:
    dropped = pl.read_parquet(sample_build / "dropped.parquet")
    assert count(client.get(HOME + "dropped")) == dropped.height
    for reason, expected in dropped["reason"].value_counts().rows():
        answer = client.get(HOME + "dropped", reason=reason, size=25)
        assert count(answer) == expected
    conflict = dropped.filter(pl.col("reason") == "conflict").row(0, named=True)
    answer = client.get(HOME + "dropped", q=conflict["id"])
    assert f"id={conflict['evidence'].replace('/', '%2F')}" in answer.html


def test_a_contaminated_record_is_beside_its_benchmark_item(client: Client) -> None:
    answer = client.get(HOME + "record", id="kobest_boolq/train/61")
    assert "kobest_boolq/test/37" in answer.text
    assert answer.html.count('<mark class="shared"') >= 2
    assert "kobest/v1.0/BoolQ/train.tsv:62" in answer.text


@pytest.mark.parametrize(
    ("record", "status"),
    [("korsts/train/12", "Dropped"), ("stylekqc/train/0-1", ""), ("nsmc/test/1", "Not taken")],
)
def test_the_id_of_any_record_tells_why_it_is_missing(
    client: Client, record: str, status: str
) -> None:
    answer = client.get(HOME + "record", id=record)
    assert status in answer.text


def test_an_unknown_record_is_not_there(client: Client) -> None:
    for name in ("nothing", "korsts/train/none", "a/b/c", ""):
        answer = client.get(HOME + "record", id=name)
        assert answer.status == 404
        assert "cannot contain it" in answer.text
    assert client.get("/o/nothing/").status == 404
    assert client.get(HOME + "nothing").status == 404


def test_pages_say_what_is_missing_without_upstream_files(
    sample_build: Path, tmp_path: Path
) -> None:
    manifest = (
        (sample_build / "manifest.json")
        .read_text("utf-8")
        .replace('"sample": true', '"sample": false')
    )
    shutil.copytree(sample_build, tmp_path / "b")
    (tmp_path / "b" / "manifest.json").write_text(manifest, "utf-8")
    with viewing(tmp_path / "b", data_dir=tmp_path) as other:
        row = other.get("/o/b/record", id="nsmc/train/9016314")
        assert "It cannot be shown:" in row.text
        assert '<mark class="word"' in row.html  # by the template's own text
        assert "It cannot be shown:" in other.get("/o/b/record", id="kobest_boolq/train/61").text


test_pages_say_what_is_missing_without_upstream_files = pytest.mark.usefixtures("loopback")(
    test_pages_say_what_is_missing_without_upstream_files
)


def test_both_languages_have_every_message() -> None:
    english, korean = map(load_messages, LANGUAGES)
    assert english.keys() == korean.keys()
    for key, text in english.items():
        assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", korean[key])), key
        assert re.search("[가-힣]", korean[key]) or key.startswith(("value.–", "export.")), key
    assert {f"reason.{one}" for one in REASONS} | {
        f"why.{one}" for one in REASONS
    } <= english.keys()


def test_pages_are_in_the_language_of_the_browser(client: Client) -> None:
    for accepted, word in (
        ("ko-KR,ko;q=0.9", "제외된 레코드"),
        ("fr,en;q=0.5", "Dropped"),
        ("", "Dropped"),
    ):
        cookie = client.raw(client.entry.removeprefix(client.url), {}).headers["set-cookie"]
        headers = {"Cookie": cookie.partition(";")[0], "Accept-Language": accepted}
        assert word in client.raw(HOME, headers).text


HOSTILE = "<script>alert(1)</script>\u202e\x00\x1b[31m\u2028'\"&"


def test_hidden_characters_are_shown_and_markup_is_escaped() -> None:
    shown = str(visible(HOSTILE))
    assert "<script" not in shown
    for code in ("U+202E", "U+0000", "U+001B", "U+2028"):
        assert code in shown
    assert not re.search("[\u202e\x00\x1b\u2028]", shown)
    assert str(visible("가" * 300_000)).endswith('<span class="more">… +100,000</span>')


@given(st.text(), st.text(min_size=1, max_size=3))
def test_marks_change_no_text(text: str, words: str) -> None:
    shown = str(marked(text, find_all(text, words)))
    assert re.sub(r"</?mark[^>]*>", "", shown) == str(visible(text))


@given(st.text("가나다라 마.A1"), st.text("가나다라 마.A1"))
def test_shared_parts_are_in_both_texts(left: str, right: str) -> None:
    def bare(text: str) -> str:
        return "".join(one for one in text.casefold() if one.isalnum())

    ours, theirs = shared_spans(left, right)
    for text, other, spans in ((left, right, ours), (right, left, theirs)):
        size = min(4, len(bare(left)), len(bare(right)))
        for begin, end in spans:
            assert len(bare(text[begin:end])) >= size
            letters = bare(text[begin:end])
            starts = range(len(letters) - size + 1)
            shared = [n for n in starts if letters[n : n + size] in bare(other)]
            assert {n + place for n in shared for place in range(size)} == set(range(len(letters)))
        assert spans == sorted(spans)
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
    grams = {bare(left)[n : n + 4] for n in range(len(bare(left)) - 3)}
    if any(gram in bare(right) for gram in grams):
        assert ours
        assert theirs


def test_the_public_function_is_there() -> None:
    assert callable(kit19.view)
    assert Upstream.__doc__
