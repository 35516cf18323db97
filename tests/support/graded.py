"""Results of made-up models with graded answers, in the layouts of the programs that write them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

TIME = "2026-11-30T08-00-00.000000"

Grades = Mapping[str, Sequence[Any]]


def question(place: int) -> str:
    return f"{place}번 문제: 다음 글을 읽고 물음에 답하십시오. 정답은 무엇입니까?"


def harness(
    folder: Path,
    tasks: Mapping[str, Grades],
    *,
    docs: Sequence[Mapping[str, Any]] | None = None,
    groups: Mapping[str, Any] | None = None,
    group_scores: Mapping[str, Mapping[str, float]] | None = None,
    stated: Mapping[str, float] | None = None,
) -> Path:
    """Write results of lm-evaluation-harness 0.4 of tasks with generated answers.

    Args:
        folder: Where.
        tasks: Task → metric with filter (``exact_match,none``) → a grade for each item.
        docs: The fields of each item.
        groups: The members of each group.
        group_scores: The scores of groups.
        stated: Scores to state in place of the mean.
    """
    folder.mkdir(parents=True)
    results: dict[str, Any] = {name: dict(scores) for name, scores in (group_scores or {}).items()}
    for task, grades in tasks.items():
        filters = dict.fromkeys(key.partition(",")[2] for key in grades)
        items = len(next(iter(grades.values())))
        lines = []
        for place in range(items):
            doc = dict(docs[place]) if docs else {"question": question(place)}
            for name in filters:
                line = {
                    "doc_id": place,
                    "doc": doc,
                    "target": f"답 {place}",
                    "arguments": {
                        "gen_args_0": {
                            "arg_0": f"질문: {question(place)}\n답:",
                            "arg_1": {"until": ["\n"]},
                        }
                    },
                    "resps": [[f"{folder.name}의 답 {place}"]],
                    "filtered_resps": [f"{folder.name}의 답 {place}"],
                    "filter": name,
                    "metrics": [
                        key.partition(",")[0] for key in grades if key.endswith(f",{name}")
                    ],
                }
                for key, values in grades.items():
                    if key.endswith(f",{name}"):
                        line[key.partition(",")[0]] = values[place]
                lines.append(json.dumps(line, ensure_ascii=False) + "\n")
        (folder / f"samples_{task}_{TIME}.jsonl").write_text("".join(lines), encoding="utf-8")
        scores = {key: (stated or {}).get(key, _mean(values)) for key, values in grades.items()}
        results[task] = {"alias": task} | scores
    document = {
        "results": results,
        "configs": {
            task: {"output_type": "generate_until", "test_split": "test"} for task in tasks
        },
        "versions": dict.fromkeys(tasks, 1.0),
        "n-shot": dict.fromkeys(tasks, 0),
        "group_subtasks": dict(groups or {}),
        "model_name": folder.name,
    }
    text = json.dumps(document, ensure_ascii=False)
    (folder / f"results_{TIME}.json").write_text(text, encoding="utf-8")
    return folder


def _mean(values: Sequence[Any]) -> float:
    flat = [part for value in values for part in (value if isinstance(value, list) else [value])]
    numbers = [float(one) for one in flat if isinstance(one, int | float)]
    return float(np.mean(numbers)) if numbers else 0.0


def inspect_document(name: str, epochs: Sequence[Sequence[str]], **changes: Any) -> dict[str, Any]:
    """A log of Inspect's scorer ``match``: for each epoch, ``C`` or ``I`` for each item."""
    samples = [
        {
            "id": place + 1,
            "epoch": epoch,
            "input": [{"role": "user", "content": question(place)}],
            "choices": None,
            "target": f"답 {place}",
            "messages": [],
            "output": {
                "model": name,
                "choices": [{"message": {"role": "assistant", "content": f"{name} {place}"}}],
            },
            "scores": {"match": {"value": grade, "answer": None, "explanation": None}},
            "metadata": {},
            "attachments": {},
        }
        for epoch, grades in enumerate(epochs, 1)
        for place, grade in enumerate(grades)
    ]
    right = np.mean([[grade == "C" for grade in grades] for grades in epochs])
    return {
        "version": 2,
        "status": "success",
        "eval": {"task": "local/hrm8k", "task_version": 0, "model": f"vllm/{name}", "config": {}},
        "results": {
            "total_samples": len(samples),
            "scores": [{"name": "match", "metrics": {"accuracy": {"value": float(right)}}}],
        },
        "samples": samples,
    } | changes


def write_eval(
    path: Path,
    document: Mapping[str, Any],
    *,
    zstd: bool = False,
    chunked: Collection[int] = (),
) -> Path:
    """Write a log of Inspect as a ``.eval`` archive; samples with an id of ``chunked`` as folders."""
    members: dict[str, Any] = {
        "header.json": {key: value for key, value in document.items() if key != "samples"},
        "summaries.json": [],
        "reductions.json": [],
    }
    for one in document["samples"]:
        name = f"samples/{one['id']}_epoch_{one['epoch']}"
        if one["id"] in chunked:
            members |= {f"{name}/sample.json": one, f"{name}/messages/0.json": []}
        else:
            members[f"{name}.json"] = one
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, _packed(content) if zstd else json.dumps(content))
    if zstd:
        _mark_as_zstd(path)
    return path


def _packed(content: Any) -> bytes:
    from pyarrow import (  # type: ignore[import-untyped, unused-ignore]
        BufferOutputStream,
        CompressedOutputStream,
    )

    sink = BufferOutputStream()
    with CompressedOutputStream(sink, "zstd") as stream:
        stream.write(json.dumps(content, ensure_ascii=False).encode())
    return bytes(sink.getvalue())


def _mark_as_zstd(path: Path) -> None:
    """Set the method of all members: Python before 3.14 cannot write it."""
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        place = data.find(signature)
        while place >= 0:
            data[place + offset : place + offset + 2] = (93).to_bytes(2, "little")
            place = data.find(signature, place + 4)
    path.write_bytes(bytes(data))


def lighteval(folder: Path, name: str, grades: Sequence[float]) -> Path:
    """Write an output folder of lighteval 0.13 with one task."""
    key = "hrm8k|0"
    rows = [
        {
            "doc": {
                "query": f"문제를 푸십시오.\n{question(place)}",
                "choices": [f"답 {place}"],
                "gold_index": 0,
                "id": str(place),
                "specific": None,
                "original_query": question(place),
                "task_name": key,
            },
            "metric": {"em": float(grade)},
            "model_response": {"text": [f"{name} {place}"], "logprobs": [], "input": ""},
        }
        for place, grade in enumerate(grades)
    ]
    details = folder / "details" / "org" / name / TIME
    details.mkdir(parents=True)
    pl.DataFrame(rows).write_parquet(details / f"details_{key}_{TIME}.parquet")
    results = folder / "results" / "org" / name
    results.mkdir(parents=True)
    scores = {"em": float(np.mean(grades)), "em_stderr": 0.01}
    document = {
        "config_general": {"model_name": f"org/{name}", "lighteval_sha": "?"},
        "results": {key: scores, "all": scores},
        "versions": {key: 0},
    }
    (results / f"results_{TIME}.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def hret(path: Path, grades: Sequence[bool]) -> Path:
    """Write a result of HRET's string match."""
    samples = [
        {
            "input": f"문제: {question(place)}",
            "reference": f"답 {place}",
            "prediction": f"HRET {place}",
            "evaluation": {"is_correct": bool(grade), "options": None},
        }
        for place, grade in enumerate(grades)
    ]
    document = {
        "metrics": {"accuracy": float(np.mean(grades))},
        "samples": samples,
        "info": {"dataset_name": "HRM8K", "subset": None, "split": "test"},
    }
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return path
