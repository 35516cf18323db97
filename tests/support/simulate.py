"""Result folders of made-up models over the items of kit19's sample: test data, never shown as real."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, f1_score

from kit19 import load_catalog
from kit19.core.results import EvalRecord, Sample, ScoredModel, TaskEntry, sample_line, samples_path
from kit19.core.runs import BaseModelEntry, DataEntry, RunRecord
from kit19.reading import read_table
from kit19.sample import SAMPLE
from tests.support.reading import present_files

CLASSES = {
    "klue_sts": (["different", "similar"], [" 아니오", " 예"]),
    "klue_ynat": (
        ["it_science", "economy", "society", "life_culture", "world", "sports", "politics"],
        [" 과학", " 경제", " 사회", " 생활", " 세계", " 스포츠", " 정치"],
    ),
    "kobest_boolq": (["false", "true"], [" 아니오", " 예"]),
    "kobest_copa": (["1", "2"], []),
    "kobest_hellaswag": (["1", "2", "3", "4"], []),
    "kobest_sentineg": (["negative", "positive"], [" 부정", " 긍정"]),
    "kobest_wic": (["different", "same"], [" 아니오", " 예"]),
}
TASKS = tuple(CLASSES)
_ENDINGS = ("alternative_1", "alternative_2", "ending_1", "ending_2", "ending_3", "ending_4")


@functools.cache
def questions(task: str) -> list[dict[str, Any]]:
    """The sample's items of a benchmark as samples without answers."""
    card = load_catalog().benchmarks[task]
    source = load_catalog().source(card.source)
    rows = read_table(
        source, card.table, present_files(source, [card.table], [card.scored], SAMPLE)
    )
    labels, words = CLASSES[task]
    found = []
    for row in rows.iter_rows(named=True):
        endings = [f" {row[name]}" for name in _ENDINGS if row.get(name)]
        texts = [row[name] for name in card.texts if name not in _ENDINGS]
        found.append(
            {
                "item": f"{card.scored}/{row['#id']}",
                "prompt": "\n".join(texts),
                "choices": words or endings,
                "gold": labels.index(row[card.label]),
            }
        )
    return found


def model(  # noqa: PLR0913  a builder with defaults
    folder: Path,
    skill: float = 0.0,
    *,
    name: str = "",
    seed: int = 0,
    tasks: tuple[str, ...] = TASKS,
    constant: Mapping[str, int] | None = None,
    known: frozenset[str] = frozenset(),
    repeat: int = 1,
    data: DataEntry | None = None,
    **changes: Any,
) -> Path:
    """Write the results of a made-up model.

    Args:
        folder: Where.
        skill: How much it prefers right choices.
        name: What it is called; the folder's name by default.
        seed: Of its noise. Items are as hard for all models.
        tasks: What it was scored on.
        constant: Task → the choice that it always takes.
        known: Items that it has seen, and knows.
        repeat: How often the sample's items are repeated.
        data: What it was trained on.
        changes: Fields of the record, of its model (``dtype``) or of every task (``shots``).
    """
    folder.mkdir(parents=True)
    results, entries = {}, {}
    for task in tasks:
        samples = [
            _answer(task, place, question, (skill, seed), constant or {}, known)
            for place, question in enumerate(questions(task) * repeat)
        ]
        samples_path(folder, task).write_text("".join(map(sample_line, samples)), encoding="utf-8")
        results[task] = _scores(task, samples)
        card = load_catalog().benchmarks[task]
        entry: dict[str, Any] = {
            "version": "1.0",
            "split": card.scored,
            "shots": 0,
            "shots_from": "",
            "items": len(samples),
            "scored": len(samples),
            "files": {f"{task}.tsv": "0" * 64},
            "truncated": 0,
            "tokens_cut": 0,
        }
        entries[task] = TaskEntry(**entry | _only(changes, TaskEntry))
    document = {
        "results": results,
        "kit19": _record(name or folder.name, entries, data, changes).model_dump(mode="json"),
    }
    text = json.dumps(document, ensure_ascii=False, indent=1)
    (folder / "results.json").write_text(text, encoding="utf-8")
    return folder


def _only(changes: dict[str, Any], of: type[Any]) -> dict[str, Any]:
    return {key: value for key, value in changes.items() if key in of.model_fields}


def _answer(
    task: str,
    place: int,
    question: dict[str, Any],
    how: tuple[float, int],
    constant: Mapping[str, int],
    known: frozenset[str],
) -> Sample:
    skill, seed = how
    n = len(question["choices"])
    shared = np.random.default_rng([TASKS.index(task), place]).normal(size=n)
    own = np.random.default_rng([TASKS.index(task), place, 1 + seed]).normal(size=n)
    scores = -12 + 2 * shared + own
    scores[question["gold"]] += skill + (20 if question["item"] in known else 0)
    if task in constant:
        scores[np.arange(n) != constant[task]] -= 50
    loglikelihoods = [round(float(score), 6) for score in scores]
    best = int(np.argmax(loglikelihoods))
    # A repeated item needs an id of its own.
    item = question["item"] + ("" if place < len(questions(task)) else f"-{place}")
    values = question | {"item": item, "loglikelihoods": loglikelihoods}
    return Sample(doc_id=place, prediction=best, **values)


def _scores(task: str, samples: list[Sample]) -> dict[str, float]:
    """Scores by scikit-learn, and the harness's rule of lengths: not by what is tested."""
    gold, best = [s.gold for s in samples], [s.prediction for s in samples]
    lengths = [[len(text) - 1 for text in s.choices] for s in samples]
    normed = [
        int(np.argmax(np.array(s.loglikelihoods) / n))
        for s, n in zip(samples, lengths, strict=True)
    ]
    metrics = load_catalog().benchmarks[task].metrics
    found: dict[str, float] = {}
    for name in metrics:
        if name == "acc":
            found["acc,none"] = float(accuracy_score(gold, best))
        elif name == "acc_norm":
            found["acc_norm,none"] = float(accuracy_score(gold, normed))
        else:
            average = "macro" if name == "macro_f1" else "binary"
            found["f1,none"] = float(f1_score(gold, best, average=average, zero_division=0))
    return found


def _record(
    name: str, entries: dict[str, TaskEntry], data: DataEntry | None, changes: dict[str, Any]
) -> EvalRecord:
    scored: dict[str, Any] = {
        "name": name,
        "revision": "",
        "digest": "0" * 64,
        "adapter": "",
        "architecture": "GPTNeoXForCausalLM",
        "parameters": 1_000,
        "dtype": "float32",
        "context": 2_048,
        "run": run_record(data) if data else None,
    }
    record: dict[str, Any] = {
        "kit19_version": "0.1.0",
        "versions": {},
        "model": ScoredModel(**scored | _only(changes, ScoredModel)),
        "format": "raw",
        "format_id": "",
        "seed": 1234,
        "limit": None,
        "device": "cpu",
        "hardware": "a test",
        "sample": True,
        "tasks": entries,
        "cautions": [],
    }
    return EvalRecord(**record | _only(changes, EvalRecord))


def run_record(data: DataEntry | None = None) -> RunRecord:
    """The record of a made-up run; of unknown data by default."""
    return RunRecord(
        kit19_version="0.1.0",
        versions={},
        base=BaseModelEntry(name="base"),
        data=data or DataEntry(label="unverified", why="made up"),
        method="full",
        format={},
        seed=0,
        settings={},
        rows={},
        metrics={},
    )
