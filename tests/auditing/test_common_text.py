"""Text of items that a dataset repeats is its own boilerplate: told apart, and no evidence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit19.auditing import audit, audit_files
from kit19.auditing.result import COMMON_ROWS, COMMON_SHARE
from tests.support.corpora import make_rows, merged_bytes, plain_pages
from tests.support.exams import INNOCENT, SENTENCES, write_jsonl
from tests.support.invoking import invoke

FOOTER, LEAK = SENTENCES[0], SENTENCES[1]


def write_reviews(folder: Path, footers: int, rows: int) -> Path:
    """Rows of which some end in the same sentence, and one has another of the exam."""
    texts = [f"{INNOCENT[n % len(INNOCENT)]} {FOOTER if n < footers else n}" for n in range(rows)]
    texts[7] = f"{INNOCENT[7 % len(INNOCENT)]} {LEAK}"
    half = rows // 2
    write_jsonl(folder / "a.jsonl", list[object](make_rows(texts[:half])))
    write_jsonl(folder / "b.jsonl", list[object](make_rows(texts[half:], half)))
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def test_what_a_corpus_repeats_is_told_apart(data: Path, exam: Path) -> None:
    result = audit(write_reviews(data, COMMON_ROWS + 2, 2 * COMMON_ROWS + 10), [exam])
    assert [(one.item, one.rows) for one in result.common] == [("items/q0", COMMON_ROWS + 1)]
    assert result.common[0].item_text == FOOTER
    assert {hit.item for hit in result.hits} == {"items/q1"}
    assert result.rows == [7]
    found = result.benchmarks["exam"]
    assert (found.ids, found.touched) == (["items/q1"], 1)


@pytest.mark.parametrize(
    ("footers", "rows"),
    [
        (COMMON_ROWS + 1, 2 * COMMON_ROWS),  # one row lost to the leak: exactly the number
        (COMMON_ROWS + 20, int((COMMON_ROWS + 20) / COMMON_SHARE)),  # many rows, but a small share
    ],
)
def test_a_text_in_few_rows_or_a_small_share_counts(
    data: Path, exam: Path, footers: int, rows: int
) -> None:
    result = audit(write_reviews(data, footers, rows), [exam])
    assert result.common == []
    assert result.benchmarks["exam"].ids == ["items/q0", "items/q1"]


def test_shares_agree_on_what_is_common(data: Path, exam: Path, tmp_path: Path) -> None:
    """Each half alone has too few rows of it; together they have enough."""
    write_reviews(data, COMMON_ROWS + 2, COMMON_ROWS + 20)
    with plain_pages():
        whole = audit_files(data, tmp_path / "whole", against=[exam])
        for share in (1, 2):
            audit_files(data, tmp_path / "out", against=[exam], shard=(share, 2))
        assert invoke("audit", "--merge", tmp_path / "out").code == 0
    assert whole.audit
    assert whole.audit.common
    assert merged_bytes(tmp_path / "out") == merged_bytes(tmp_path / "whole")


def test_the_command_and_the_page_show_it(data: Path, exam: Path, tmp_path: Path) -> None:
    write_reviews(data, COMMON_ROWS + 2, COMMON_ROWS + 20)
    clean, out = tmp_path / "clean", tmp_path / "out"
    done = invoke("audit", data, "--against", exam, "--out", out, "--clean", clean)
    assert done.code == 0, done.err
    assert "common text, not counted: 1 texts of items" in done.out
    assert FOOTER in done.out
    assert "<h2>Common text</h2>" in (out / "report.html").read_text("utf-8")
    kept = [line for path in clean.iterdir() for line in path.read_text("utf-8").splitlines()]
    assert len(kept) == COMMON_ROWS + 19  # only the leak is left out
    assert not any(LEAK in json.loads(line)["text"] for line in kept)
