"""Results of Inspect, lighteval and HRET, next to the harness's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kit19 import ResultsError, compare, load_catalog
from kit19.comparing import check
from kit19.comparing.reading import read_results
from tests.support.graded import (
    harness,
    hret,
    inspect_document,
    lighteval,
    question,
    write_eval,
)

EM = "exact_match,none"
N = 40
BASE = (np.random.default_rng(0).random(N) < 0.5).tolist()
OTHER = (np.random.default_rng(1).random(N) < 0.7).tolist()
LETTERS = ["C" if right else "I" for right in OTHER]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return harness(tmp_path / "base", {"hrm8k": {EM: [float(right) for right in BASE]}})


@pytest.mark.parametrize("kind", ["json", "eval", "zstd"])
def test_logs_of_inspect_are_paired_by_their_texts(base: Path, tmp_path: Path, kind: str) -> None:
    document = inspect_document("other", [LETTERS])
    if kind == "json":
        log = tmp_path / "log.json"
        log.write_text(json.dumps(document), encoding="utf-8")
    else:
        log = write_eval(tmp_path / "log.eval", document, zstd=kind == "zstd")
    result = compare([base, log], replicates=100)
    assert [(one.name, one.writer) for one in result.models] == [
        ("base", "lm-evaluation-harness"),
        ("other", "Inspect"),
    ]
    (found,) = result.differences
    assert found.difference == pytest.approx(np.mean(OTHER) - np.mean(BASE))
    assert found.won == sum(b and not a for a, b in zip(BASE, OTHER, strict=True))
    assert found.test == "mcnemar"
    assert not any(one.stops for one in check([base, log]))


def test_large_samples_of_inspect_are_folders(base: Path, tmp_path: Path) -> None:
    log = write_eval(tmp_path / "log.eval", inspect_document("other", [LETTERS]), chunked={1, 7})
    assert compare([base, log], replicates=100).tasks[0].items == N


def test_items_are_paired_whatever_their_order(base: Path, tmp_path: Path) -> None:
    document = inspect_document("other", [LETTERS])
    order = np.random.default_rng(2).permutation(N)
    document["samples"] = [document["samples"][place] for place in order]
    log = write_eval(tmp_path / "log.eval", document)
    (found,) = compare([base, log], replicates=100).differences
    assert found.won == sum(b and not a for a, b in zip(BASE, OTHER, strict=True))


def test_numbers_alone_do_not_pair_items(tmp_path: Path) -> None:
    """Inspect numbers items from 1, the harness's data from 0: equal numbers are neighbors."""
    docs = [{"id": str(place), "question": question(place)} for place in range(N)]
    grades = {"hrm8k": {EM: [float(right) for right in BASE]}}
    base = harness(tmp_path / "base", grades, docs=docs)
    log = write_eval(tmp_path / "log.eval", inspect_document("other", [LETTERS]))
    (found,) = compare([base, log], replicates=100).differences
    assert found.won == sum(b and not a for a, b in zip(BASE, OTHER, strict=True))
    assert found.lost == sum(a and not b for a, b in zip(BASE, OTHER, strict=True))


def test_what_has_no_counterpart_is_left_out_and_named(base: Path, tmp_path: Path) -> None:
    document = inspect_document("other", [LETTERS])
    for place in range(5):
        document["samples"][place]["input"] = f"전혀 다른 {place}번째 질문입니다. 무엇일까요?"
    document["results"]["scores"] = []
    log = write_eval(tmp_path / "log.eval", document)
    result = compare([base, log], replicates=100)
    assert result.tasks[0].items == N - 5
    notes = {note.model: note.what for note in result.notes if "left out" in note.what}
    assert notes.keys() == {"base", "other"}
    assert notes["base"].startswith("5 of its 40 items are left out")


def test_no_counterpart_at_all_is_an_error(base: Path, tmp_path: Path) -> None:
    document = inspect_document("other", [LETTERS])
    for place, sample in enumerate(document["samples"]):
        sample["input"] = f"다른 질문 {place}: 대한민국의 수도는 어디입니까?"
    log = write_eval(tmp_path / "log.eval", document)
    with pytest.raises(ResultsError, match="hrm8k: no item of base, other is the same"):
        compare([base, log])


def test_epochs_are_repeats(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    epochs = [["C" if right else "I" for right in rng.random(N) < 0.6] for _ in range(4)]
    logs = [
        write_eval(
            tmp_path / f"{name}.eval", inspect_document(name, epochs[start:] + epochs[:start])
        )
        for start, name in enumerate(("one", "two"))
    ]
    result = compare(logs, replicates=100)
    cell = result.cells[0]
    assert (cell.repeats, cell.runs) == (4, 1)
    assert cell.score == pytest.approx(np.mean([[v == "C" for v in epoch] for epoch in epochs]))
    assert result.differences[0].difference == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": "error"}, "its status is 'error'"),
        ({"samples": []}, "has no samples"),
        ({"samples": [{"epoch": 1}]}, r"samples\[0\] has no id"),
    ],
)
def test_unfinished_logs_are_errors(
    base: Path, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    log = tmp_path / "log.json"
    log.write_text(json.dumps(inspect_document("other", [LETTERS], **change)), encoding="utf-8")
    with pytest.raises(ResultsError, match=message):
        compare([base, log])


def test_an_archive_of_something_else_is_an_error(tmp_path: Path) -> None:
    log = tmp_path / "log.eval"
    log.write_bytes(b"PK no archive")
    with pytest.raises(ResultsError, match="cannot be read: BadZipFile"):
        read_results(log, load_catalog().benchmarks)


def test_lighteval_and_hret_are_compared_with_the_harness(base: Path, tmp_path: Path) -> None:
    light = lighteval(tmp_path / "light", "lit", [float(right) for right in OTHER])
    result = compare([base, light], replicates=100)
    assert (result.models[1].name, result.models[1].writer) == ("lit", "lighteval")
    assert result.differences[0].difference == pytest.approx(np.mean(OTHER) - np.mean(BASE))
    # HRET calls it accuracy, so exact match of the others is another metric.
    other = [hret(tmp_path / f"{name}.json", right) for name, right in (("x", BASE), ("y", OTHER))]
    result = compare(other, replicates=100)
    assert {one.writer for one in result.models} == {"HRET"}
    assert result.tasks[0].name == "hrm8k"
    assert result.differences[0].difference == pytest.approx(np.mean(OTHER) - np.mean(BASE))


def test_missing_details_of_lighteval_are_an_error(tmp_path: Path) -> None:
    folder = lighteval(tmp_path / "light", "lit", [1.0, 0.0])
    for path in folder.rglob("*.parquet"):
        path.unlink()
    with pytest.raises(ResultsError, match="hrm8k: its items are missing"):
        read_results(folder, load_catalog().benchmarks)
