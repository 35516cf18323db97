"""Tests of compromised items, of benchmarks and of users' own items."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kit19
from kit19.auditing import audit, to_frame
from kit19.auditing.run import READING_BENCHMARKS, READING_ROWS
from kit19.core.errors import FilesError, Kit19Error, ReadError, UnknownNameError
from tests.support.exams import INNOCENT, SENTENCES, look, small_catalog, write_jsonl


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_catalog(tmp_path_factory.mktemp("catalog") / "cards")


def test_a_pair_is_compromised_only_when_both_sides_occur(catalog: Path) -> None:
    result = look(catalog, [SENTENCES[2]])
    pairs = result.benchmarks["exam_pairs"]
    assert (pairs.compromised, pairs.touched, pairs.ids) == (0, 1, [])
    assert result.rows == [0]
    both = look(catalog, [f"{SENTENCES[2]} {SENTENCES[3]}"]).benchmarks["exam_pairs"]
    assert (both.compromised, both.ids) == (1, ["test/q1"])


def test_the_sides_of_a_pair_may_be_in_any_rows_and_columns(catalog: Path) -> None:
    rows: list[object] = [{"a": SENTENCES[3]}, *INNOCENT, {"b": [INNOCENT[0], SENTENCES[2]]}]
    pairs = look(catalog, rows).benchmarks["exam_pairs"]
    assert (pairs.items, pairs.compromised, pairs.touched) == (3, 1, 1)
    assert (pairs.share, pairs.ids) == (0.333333, ["test/q1"])


def test_a_side_that_two_pairs_share_touches_both(catalog: Path) -> None:
    pairs = look(catalog, [SENTENCES[0]]).benchmarks["exam_pairs"]
    assert (pairs.compromised, pairs.touched) == (0, 2)


def test_one_side_is_enough_where_the_card_says_so(catalog: Path) -> None:
    sides = look(catalog, [SENTENCES[5]]).benchmarks["exam_sides"]
    assert (sides.compromised, sides.touched, sides.ids) == (1, 1, ["test/q0"])


def test_short_items_are_found_only_if_they_are_the_complete_text(catalog: Path) -> None:
    inside: list[object] = [
        "정말 아주 좋아요!",
        f"{INNOCENT[0]} 별로예요.",
        "아주 좋아요 아주 좋아요",
        {"messages": [{"content": "아주 좋아요, 다음에 또 올게요"}]},
    ]
    assert look(catalog, inside).rows == []
    whole: list[object] = ["  아주좋아요~~!", {"a": ["별로예요…", INNOCENT[0]]}, "아주 좋아요\n"]
    result = look(catalog, whole)
    assert result.rows == [0, 1, 2]
    assert {hit.rule for hit in result.hits} == {"equal"}
    assert result.benchmarks["exam_sides"].ids == ["test/q1", "test/q2"]


def test_rules_add_up_from_the_strictest(catalog: Path) -> None:
    changed = SENTENCES[5].replace("토기는", "도자기는")
    rows: list[object] = [SENTENCES[1], f"{INNOCENT[0]} {changed}"]
    sides = look(catalog, rows).benchmarks["exam_sides"]
    assert sides.by_rule == {"test": {"equal": 1, "contained": 1, "near": 2}}
    assert sides.added_by_rule() == {"equal": 1, "contained": 0, "near": 1}


@pytest.mark.parametrize("alone", SENTENCES)
def test_the_rule_of_a_hit_does_not_depend_on_what_else_is_read(catalog: Path, alone: str) -> None:
    texts = [f"{INNOCENT[0]} {sentence}" for sentence in SENTENCES]
    together = look(catalog, list(texts))
    expected = {hit.rule for hit in together.hits}
    assert expected == {"contained"}
    assert {hit.rule for hit in look(catalog, [f"{INNOCENT[0]} {alone}"]).hits} == expected


def test_a_column_with_many_texts_tells_an_item_once_by_its_strictest_rule(catalog: Path) -> None:
    texts = [f"{INNOCENT[0]} {SENTENCES[5]}", SENTENCES[5], SENTENCES[5].replace("지하", "안")]
    hits = look(catalog, [{"m": [{"content": text} for text in texts]}]).hits
    assert [(hit.column, hit.rule, hit.overlap) for hit in hits] == [("m.content", "equal", 1.0)]
    assert hits[0].text == SENTENCES[5]


@given(st.lists(st.sampled_from([*SENTENCES, *INNOCENT]), min_size=1, max_size=12))
def test_rows_are_those_that_hold_an_item(catalog: Path, texts: list[str]) -> None:
    result = look(catalog, list(texts))
    assert result.rows == [row for row, text in enumerate(texts) if text in SENTENCES]
    assert result.rows_read == len(texts)
    pairs = [SENTENCES[0:2], SENTENCES[2:4], [SENTENCES[4], SENTENCES[0]]]
    ids = [f"test/q{n}" for n, pair in enumerate(pairs) if set(pair) <= set(texts)]
    assert result.benchmarks["exam_pairs"].ids == ids
    assert [hit.row for hit in result.hits] == sorted(hit.row for hit in result.hits)


def test_only_the_named_benchmarks_are_looked_for(catalog: Path) -> None:
    result = look(catalog, [SENTENCES[2]], against=["exam_sides"])
    assert list(result.benchmarks) == ["exam_sides"]
    assert result.rows == []
    assert list(look(catalog, [SENTENCES[2]]).benchmarks) == ["exam_pairs", "exam_sides"]


def test_an_audit_says_the_same_again_and_counts_as_it_reads(catalog: Path) -> None:
    told: list[tuple[str, int]] = []
    rows: list[object] = [*SENTENCES, *INNOCENT]
    first = look(catalog, rows, on_progress=lambda what, done, _: told.append((what, done)))
    assert first == look(catalog, rows)
    assert told == [(READING_BENCHMARKS, 0), (READING_ROWS, len(rows))]
    assert isinstance(first, kit19.Audit)
    assert kit19.audit is audit


def test_the_table_has_a_row_for_each_hit(catalog: Path) -> None:
    result = look(catalog, [*SENTENCES])
    frame = to_frame(result)
    assert frame.height == len(result.hits) == 9
    assert frame.row(0, named=True) == result.hits[0].model_dump()
    assert to_frame(look(catalog, [*INNOCENT])).schema == frame.schema


# Users' own items.


def own(
    folder: Path, items: list[object], rows: list[object], name: str = "my.jsonl"
) -> kit19.Audit:
    against = write_jsonl(folder / name, items)
    return audit(write_jsonl(folder / "rows" / "rows.jsonl", rows), [str(against)])


def test_own_items_are_reported_by_their_ids(tmp_path: Path) -> None:
    items = [{"id": f"Q/{n}", "question": text, "answer": "네"} for n, text in enumerate(SENTENCES)]
    result = own(tmp_path, list(items), [SENTENCES[4], INNOCENT[0], SENTENCES[1]])
    assert result.rows == [0, 2]
    assert result.benchmarks["my"].ids == ["items/Q/1", "items/Q/4"]
    assert [(hit.item, hit.field) for hit in result.hits] == [
        ("items/Q/4", "question"),
        ("items/Q/1", "question"),
    ]


def test_own_items_without_ids_are_reported_by_their_rows(tmp_path: Path) -> None:
    twice = [{"id": "same", "text": text} for text in SENTENCES]
    assert own(tmp_path, list(twice), [SENTENCES[2]]).benchmarks["my"].ids == ["items/2"]


def test_answers_and_labels_of_a_question_are_not_items(tmp_path: Path) -> None:
    items: list[object] = [{"question": SENTENCES[0], "answer": "네", "options": ["하나", "둘"]}]
    rows: list[object] = [{"a": "네"}, {"a": "하나"}, {"a": SENTENCES[0]}]
    assert own(tmp_path, items, rows).rows == [2]


def test_an_item_of_short_texts_is_known_by_its_longest(tmp_path: Path) -> None:
    items: list[object] = [{"review": "진짜 최고예요", "label": "긍정"}, {"review": "별로"}]
    result = own(tmp_path, items, ["긍정", "진짜 최고예요!", "별로.", "진짜 최고예요 여러분"])
    assert (result.rows, result.benchmarks["my"].items) == ([1, 2], 2)


def test_every_long_text_of_an_own_item_counts(tmp_path: Path) -> None:
    items: list[object] = [{"turns": [{"say": SENTENCES[0]}, {"say": SENTENCES[1]}]}]
    result = own(tmp_path, items, [SENTENCES[1], SENTENCES[0]])
    assert [hit.field for hit in result.hits] == ["turns.say#2", "turns.say"]
    assert result.benchmarks["my"].compromised == 1


def test_own_items_and_benchmarks_go_together(catalog: Path, tmp_path: Path) -> None:
    files = [
        str(write_jsonl(tmp_path / folder / "exam_sides.jsonl", [SENTENCES[0]]))
        for folder in ("a", "b")
    ]
    result = look(catalog, [SENTENCES[0]], against=["exam_sides", *files])
    assert list(result.benchmarks) == ["exam_sides", "exam_sides-2", "exam_sides-3"]
    assert [one.compromised for one in result.benchmarks.values()] == [0, 1, 1]


def test_own_items_may_be_of_any_format(tmp_path: Path) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", [SENTENCES[0], SENTENCES[1]])
    pl.DataFrame({"q": SENTENCES[:1]}).write_parquet(tmp_path / "a.parquet")
    (tmp_path / "b.txt").write_text(f"{SENTENCES[1]}\n{SENTENCES[2]}\n", "utf-8")
    result = audit(rows, [str(tmp_path / "a.parquet"), str(tmp_path / "b.txt")])
    assert {name: one.ids for name, one in result.benchmarks.items()} == {
        "a": ["items/0"],
        "b": ["items/0"],
    }


# Errors.


def test_an_unknown_benchmark_is_reported_with_the_nearest(catalog: Path) -> None:
    with pytest.raises(UnknownNameError) as raised:
        look(catalog, [SENTENCES[0]], against=["exam_pair"])
    assert str(raised.value) == (
        "'exam_pair' is neither a benchmark nor a file\n    did you mean exam_pairs, exam_sides?"
    )


def test_missing_and_differing_files_of_benchmarks_are_reported_together(
    tmp_path: Path, catalog: Path
) -> None:
    (tmp_path / "exam").mkdir()
    cut = (catalog / "data" / "exam" / "exam_sides.jsonl").read_bytes().split(b"\n")[0]
    (tmp_path / "exam" / "exam_sides.jsonl").write_bytes(cut)
    with pytest.raises(FilesError) as raised:
        look(catalog, [SENTENCES[0]], data_dir=tmp_path, against=["exam_pairs", "exam_sides"])
    told = str(raised.value)
    assert "exam_pairs.jsonl" in told
    assert "exam_sides.jsonl" in told
    assert told.count("kit19 fetch") == 1
    # Files of benchmarks that are not requested may be missing.
    with pytest.raises(FilesError) as one:
        look(catalog, [SENTENCES[0]], data_dir=tmp_path, against=["exam_pairs"])
    assert "exam_sides" not in str(one.value)


def test_benchmarks_that_were_not_named_may_lack_files(tmp_path: Path, catalog: Path) -> None:
    (tmp_path / "exam").mkdir()
    with pytest.raises(FilesError, match=r"(?s)exam_pairs.jsonl.*exam_sides.jsonl"):
        look(catalog, [SENTENCES[0]], data_dir=tmp_path)  # but not all
    shutil.copy(catalog / "data" / "exam" / "exam_sides.jsonl", tmp_path / "exam")
    result = look(catalog, [SENTENCES[4]], data_dir=tmp_path)
    assert list(result.benchmarks) == ["exam_sides"]
    assert result.benchmarks["exam_sides"].ids == ["test/q0"]
    (missing,) = result.not_searched_for
    assert (missing.where, missing.what) == (
        "exam_pairs",
        "a file is missing: run `kit19 fetch exam`",
    )


@pytest.mark.parametrize("items", [[], [{"n": 1}], [{"a": "!!!"}]])
def test_a_file_without_items_is_refused(tmp_path: Path, items: list[object]) -> None:
    with pytest.raises(ReadError, match=r"my\.jsonl: has no"):
        own(tmp_path, items, [SENTENCES[0]])


def test_no_mistake_shows_a_traceback_of_another_library(tmp_path: Path, catalog: Path) -> None:
    odd: list[object] = [None, [], {}, 1, {"a": None}]
    for row in odd:
        with pytest.raises(Kit19Error, match=r"rows\.jsonl: has no text"):
            look(catalog, [row])
