"""Tests of the differences between two audits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kit19.auditing import audit
from kit19.auditing.difference import diff_audits
from kit19.core.errors import ReadError
from tests.support.corpora import plain_pages
from tests.support.exams import INNOCENT, SENTENCES, look, small_catalog, write_jsonl
from tests.support.invoking import invoke


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with plain_pages():
        yield small_catalog(tmp_path_factory.mktemp("catalog") / "cards")


@given(st.sets(st.sampled_from(SENTENCES)), st.sets(st.sampled_from(SENTENCES)))
@example({SENTENCES[2]}, {SENTENCES[3]})
@settings(max_examples=10)
def test_items_are_new_gone_or_the_same(catalog: Path, before: set[str], after: set[str]) -> None:
    one, other = (look(catalog, [*sorted(texts), *INNOCENT]) for texts in (before, after))
    diff = diff_audits(one, other)
    assert (diff.rows, diff.only_in_one) == ((len(before), len(after)), [])
    for name, change in diff.benchmarks.items():
        old, new = set(one.benchmarks[name].ids), set(other.benchmarks[name].ids)
        compromised = change.compromised
        assert set(compromised.new) == new - old
        assert set(compromised.gone) == old - new
        assert compromised.same == len(old & new)
        touched = change.touched
        assert touched.same + len(touched.new) == other.benchmarks[name].touched
        assert touched.same + len(touched.gone) == one.benchmarks[name].touched
    # Two sentences may be the sides of one item, so other texts can find the same items.
    found = [
        (
            {(hit.benchmark, hit.item) for hit in side.hits},
            {name: set(part.ids) for name, part in side.benchmarks.items()},
        )
        for side in (one, other)
    ]
    assert diff.is_same == diff_audits(other, one).is_same == (found[0] == found[1])
    assert diff.is_same or before != after


def test_two_folders_are_compared(catalog: Path, tmp_path: Path) -> None:
    look(catalog, [SENTENCES[2], SENTENCES[5]]).write(tmp_path / "a")
    look(catalog, [SENTENCES[2], SENTENCES[3], INNOCENT[0]]).write(tmp_path / "b")
    done = invoke("audit", "--diff", tmp_path / "a", tmp_path / "b" / "audit.json")
    assert done.code == 0
    lines = [line.split() for line in done.out.splitlines()]
    assert lines[0] == ["benchmark", "items", "same", "gone", "new"]
    assert lines[1] == ["exam_pairs", "compromised", "0", "0", "1"]
    assert lines[2] == ["exam_pairs", "touched", "1", "0", "0"]
    assert lines[3] == ["exam_sides", "compromised", "0", "1", "0"]
    assert "2 rows contained benchmark text, now 2" in done.out
    assert "gone  exam_sides test/q0" in done.out
    document = invoke("audit", "--diff", tmp_path / "a", tmp_path / "b", "--json").document
    assert document == diff_audits(tmp_path / "a", tmp_path / "b").to_dict()
    assert document["benchmarks"]["exam_pairs"]["compromised"] == {
        "new": ["test/q1"],
        "gone": [],
        "same": 0,
    }


def test_benchmarks_of_one_audit_alone_are_told(catalog: Path, tmp_path: Path) -> None:
    exam = write_jsonl(tmp_path / "mine.jsonl", list(SENTENCES))
    look(catalog, [SENTENCES[0]]).write(tmp_path / "a")
    audit(exam, [exam]).write(tmp_path / "b")
    assert diff_audits(tmp_path / "a", tmp_path / "b").only_in_one == [
        "exam_pairs",
        "exam_sides",
        "mine",
    ]


@pytest.mark.parametrize("content", [None, "", "{}", '{"hits": 3}', "\udcff"])
def test_what_is_no_audit_is_named(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "audit.json"
    if content is not None:
        path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ReadError, match=r"audit\.json"):
        diff_audits(path, path)
