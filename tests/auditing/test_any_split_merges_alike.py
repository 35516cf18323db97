"""Tests that the merged audit is the same to the byte, however the work was divided."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit19.auditing import audit, audit_files, merge_audit
from kit19.auditing.plan import Part, choose_parts
from kit19.core.errors import ReadError, UnknownNameError
from tests.support.corpora import (
    TEXTS,
    merged_bytes,
    search,
    write_corpus,
    write_exam,
)
from tests.support.invoking import invoke

ENDINGS = ("jsonl", "jsonl.gz", "json", "csv", "tsv", "parquet")
TEXT = st.sampled_from(TEXTS)


pytestmark = pytest.mark.usefixtures("pages")


@given(
    st.lists(
        st.tuples(st.sampled_from(ENDINGS), st.lists(TEXT, min_size=1, max_size=6)),
        min_size=1,
        max_size=6,
    ),
    st.integers(1, 4),
    st.integers(20, 2_000),
    st.randoms(),
)
@settings(max_examples=5)
def test_shards_in_any_order_give_what_one_process_gives(
    tmp_path_factory: pytest.TempPathFactory,
    exam: Path,
    files: list[tuple[str, list[str]]],
    shards: int,
    span: int,
    order: random.Random,
) -> None:
    folder = tmp_path_factory.mktemp("corpus")
    names = {f"{n % 2}/{n}.{ending}": texts for n, (ending, texts) in enumerate(files)}
    corpus = write_corpus(folder / "data", names)
    whole = audit(corpus, [exam])
    whole.write(folder / "whole")
    shares = [(number + 1, shards) for number in range(shards)]
    order.shuffle(shares)
    for share in shares:
        search(corpus, exam, folder / "out", shard=share, span=span)
    assert merge_audit(folder / "out").audit == whole
    assert merged_bytes(folder / "out") == merged_bytes(folder / "whole")
    again = search(corpus, exam, folder / "out", span=span)
    assert (again.reused, again.files) == (len(files), len(files))
    assert merged_bytes(folder / "out") == merged_bytes(folder / "whole")


@given(st.lists(TEXT, min_size=1, max_size=12), st.sets(st.integers(1, 11)))
@settings(max_examples=5)
def test_files_have_the_hits_of_their_rows_in_one_file(
    tmp_path_factory: pytest.TempPathFactory, exam: Path, texts: list[str], cuts: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("corpus")
    ends = [0, *sorted(cut for cut in cuts if cut < len(texts)), len(texts)]
    pieces = [texts[a:b] for a, b in itertools.pairwise(ends)]
    one = write_corpus(folder / "one", {"a.jsonl": texts})
    several = write_corpus(
        folder / "several", {f"{n:02}.{ENDINGS[n % 4]}": piece for n, piece in enumerate(pieces)}
    )
    whole, split = (audit(path, [exam]) for path in (one, several))
    place = ("file", "file_row")
    assert [hit.model_dump(exclude={*place}) for hit in split.hits] == [
        hit.model_dump(exclude={*place}) for hit in whole.hits
    ]
    assert (split.rows, split.benchmarks) == (whole.rows, whole.benchmarks)
    for hit in split.hits:
        assert hit.file_row is not None
        before = ends[int(hit.file[:2])]
        assert (hit.row, hit.id) == (before + hit.file_row, f"d{hit.row}")


def test_two_processes_give_what_one_gives(tmp_path: Path, exam: Path) -> None:
    corpus = write_corpus(tmp_path / "data", {f"{n}.jsonl": TEXTS[n:] for n in range(5)})
    told: list[tuple[str, int, int]] = []
    one = search(corpus, exam, tmp_path / "one", span=300)
    two = search(
        corpus,
        exam,
        tmp_path / "two",
        jobs=2,
        span=300,
        on_progress=lambda *what: told.append(what),
    )
    assert one == two
    assert merged_bytes(tmp_path / "one") == merged_bytes(tmp_path / "two")
    assert told[-2:] == [
        ("rows read", one.audit.rows_read if one.audit else 0, 0),
        ("files read", 5, 5),
    ]


@pytest.mark.parametrize("change", ["rows", "item", "column", "id", "removed"])
def test_only_what_changed_is_searched_again(change: str, tmp_path: Path) -> None:
    exam = write_exam(tmp_path / "exam.jsonl")
    corpus = write_corpus(tmp_path / "data", {f"{n}.jsonl": TEXTS[n:] for n in range(4)})
    options: dict[str, object] = {}
    search(corpus, exam, tmp_path / "out")
    reused = 0
    if change == "rows":  # of the same size, at the same time
        path, reused = corpus / "2.jsonl", 3
        path.write_text(path.read_text("utf-8").replace("모", "무"), "utf-8")
    elif change == "item":
        exam.write_text(exam.read_text("utf-8").replace("자정", "새벽"), "utf-8")
    elif change == "removed":
        (corpus / "1.jsonl").unlink()
        reused = 3
    else:
        options |= {"columns": "text"} if change == "column" else {"ids": "number"}
    result = search(corpus, exam, tmp_path / "out", **options)
    assert result.reused == reused
    search(corpus, exam, tmp_path / "fresh", **options)
    assert merged_bytes(tmp_path / "out") == merged_bytes(tmp_path / "fresh")
    names = {path.name for path in (tmp_path / "fresh" / "shards").iterdir()}
    assert {path.name for path in (tmp_path / "out" / "shards").iterdir()} == names


def test_a_damaged_result_is_made_again(tmp_path: Path, exam: Path) -> None:
    corpus = write_corpus(tmp_path / "data", {f"{n}.jsonl": TEXTS[n:] for n in range(3)})
    search(corpus, exam, tmp_path / "out")
    before = merged_bytes(tmp_path / "out")
    first = min((tmp_path / "out" / "shards").glob("*.parquet"))
    first.write_bytes(first.read_bytes()[:-20])
    assert search(corpus, exam, tmp_path / "out").reused == 2
    assert merged_bytes(tmp_path / "out") == before


def test_a_merge_names_the_files_without_a_result(tmp_path: Path, exam: Path) -> None:
    corpus = write_corpus(tmp_path / "data", {f"{n}.jsonl": TEXTS for n in range(6)})
    for number in (1, 3):
        search(corpus, exam, tmp_path / "out", shard=(number, 3))
    with pytest.raises(ReadError, match="has no result yet") as caught:
        merge_audit(tmp_path / "out")
    assert len(caught.value.problems) == 2
    # A run without a share does what is missing.
    assert search(corpus, exam, tmp_path / "out").reused == 4
    with pytest.raises(ReadError, match="has no results of an audit"):
        merge_audit(tmp_path / "data")


@given(st.lists(st.integers(0, 1_000), max_size=40), st.integers(1, 9))
def test_shares_are_all_parts_and_nearly_equal(sizes: list[int], count: int) -> None:
    parts = [Part(f"{n}", Path(f"{n}"), size) for n, size in enumerate(sizes)]
    shares = [choose_parts(parts, number + 1, count) for number in range(count)]
    assert sorted((one for share in shares for one in share), key=parts.index) == parts
    loads = [sum(max(1, part.size) for part in share) for share in shares]
    assert max(loads) - min(loads) <= max([1, *sizes])


def test_several_inputs_are_one_dataset_in_any_order(tmp_path: Path, exam: Path) -> None:
    write_corpus(tmp_path, {"a/x.jsonl": TEXTS[:4], "b/x.jsonl": TEXTS[4:], "b/y.csv": TEXTS[3:5]})
    inputs = [tmp_path / "a" / "x.jsonl", tmp_path / "b", tmp_path / "b" / "*.csv"]
    results = [audit_files(given, against=[exam]).audit for given in itertools.permutations(inputs)]
    assert all(one == results[0] for one in results)
    assert results[0] is not None
    files = {hit.file for hit in results[0].hits}
    assert files == {"a/x.jsonl", "b/x.jsonl", "b/y.csv"}
    assert [(one.where, one.what) for one in results[0].notes] == [
        ("b/y.csv", "is in several inputs, and searched once")
    ]
    assert results[0].dataset == f"{tmp_path}/a/x.jsonl and 2 more"


def test_a_hit_has_the_id_of_its_document(tmp_path: Path, exam: Path) -> None:
    pl.DataFrame({"guid": [7, 8], "text": TEXTS[3:5], "n": [1.5, 2.5]}).write_parquet(
        tmp_path / "a.parquet"
    )
    for ids, expected in (((), ["7", "8"]), ("text", TEXTS[3:5]), ("n", [None, None])):
        result = audit_files(tmp_path / "a.parquet", against=[exam], ids=ids).audit
        assert result is not None
        assert [hit.id for hit in result.hits] == expected


def test_remarks_of_spans_are_those_of_the_file(tmp_path: Path, exam: Path) -> None:
    lines = [text.encode() for text in TEXTS * 3]
    for place in (3, 20, 21):
        lines[place] += b" \xff\xfe"
    (tmp_path / "a.txt").write_bytes(b"\n".join(lines))
    whole = audit(tmp_path / "a.txt", [exam])
    assert whole.not_searched[0].what == "3 lines has bytes that are not text (first: line 4)"
    assert audit_files(tmp_path / "a.txt", against=[exam], span=400).audit == whole


def test_a_column_may_be_in_some_files_only(tmp_path: Path, exam: Path) -> None:
    corpus = write_corpus(tmp_path / "data", {"a.jsonl": TEXTS[:5], "b.txt": TEXTS[5:]})
    result = search(corpus, exam, columns=["text"]).audit
    assert result is not None
    assert {hit.file for hit in result.hits} == {"a.jsonl"}
    with pytest.raises(UnknownNameError, match="did you mean text"):
        search(corpus, exam, columns=["txet"])


def test_results_in_the_folder_of_the_dataset_are_no_part_of_it(tmp_path: Path, exam: Path) -> None:
    corpus = write_corpus(tmp_path / "data", {"a.jsonl": TEXTS, "shards/b.jsonl": TEXTS[:3]})
    (corpus / "bad.jsonl").write_text("{")
    first = search(corpus, exam, corpus / "results" / "audit")
    assert first.audit is not None
    assert first.audit.rows_read == len(TEXTS) + 3
    for _ in range(2):
        again = search(corpus, exam, corpus / "results" / "audit").audit
        assert again is not None
        told = sorted((one.where, one.what) for one in again.notes)
        assert told == [
            ("results/.audit.kit19-lock", "not searched: tools keep it here"),
            ("results/audit/shards", "not searched: results of an audit"),
        ]
        assert (again.rows, again.hits) == (first.audit.rows, first.audit.hits)
        assert again.not_searched == first.audit.not_searched


def test_large_files_that_have_no_parts_are_named(tmp_path: Path, exam: Path) -> None:
    corpus = write_corpus(tmp_path / "data", {f"a.{one}": TEXTS for one in ENDINGS})
    result = search(corpus, exam, span=100)
    expected = {"a.json": "is one JSON document", "a.jsonl.gz": "is compressed"}
    assert result.undivided == expected
    assert search(corpus, exam).undivided == {}
    (corpus / "b.csv").write_text('text\n"a"b\n' * 90)
    done = invoke("audit", corpus, "--against", exam, "--split-bytes", "100")
    assert done.code == 0
    for name, why in [*expected.items(), ("b.csv", "has misplaced quotes")]:
        assert f"{name} {why}" in " ".join(done.err.split())
