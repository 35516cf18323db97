"""Reading logs of Inspect (inspect_ai): ``.eval``, a zip archive, and ``.json``."""

from __future__ import annotations

import json
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kit19.catalog import Benchmark
from kit19.comparing.foreign import (
    ACCURACY,
    CORRECT,
    ForeignItem,
    choice_text,
    foreign_results,
    task_name,
)
from kit19.comparing.harness_schema import SkippedTaskError
from kit19.comparing.model_results import ModelResults
from kit19.core.errors import Problem, ResultsError

SUFFIX = ".eval"
_HEADER = "header.json"
# A sample is one file; a large one is a folder, with its events and messages in other files.
_SAMPLE = re.compile(r"samples/.+_epoch_\d+(?:\.json|/sample\.json)")
_RERUN = "run it again with `inspect eval`, or convert it with `inspect log convert --to json`"
_ZSTD = (
    93  # the method of zip archives that Inspect uses since 0.3.180; zipfile knows it since 3.14
)
_LOCAL_HEADER = 30
_ATTACHMENT = "attachment://"
_METRICS = {"choice": ACCURACY, "match": "exact_match", "exact": "exact_match"}
"""Scorers that are metrics of the harness by another name."""

Json = dict[str, Any]


def is_inspect_log(document: Json) -> bool:
    """Whether a JSON document is a log of Inspect."""
    return isinstance(document.get("eval"), dict) and "status" in document


def read_eval(path: Path) -> Json:
    """Read a ``.eval`` archive as the document of a ``.json`` log.

    Raises:
        ResultsError: It cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if _HEADER not in names:
                what = f"has no {_HEADER}: the evaluation did not end"
                raise ResultsError(Problem(what, str(path), _RERUN))
            document = json.loads(_member(path, archive, _HEADER))
            samples = [
                json.loads(_member(path, archive, name))
                for name in names
                if _SAMPLE.fullmatch(name)
            ]
    except (OSError, ValueError, RecursionError, zipfile.BadZipFile, NotImplementedError) as error:
        what = f"cannot be read: {type(error).__name__}: {error}"
        raise ResultsError(Problem(what, str(path), _RERUN)) from None
    if not isinstance(document, dict):
        raise ResultsError(Problem(f"{_HEADER} is not an object", str(path), _RERUN))
    return document | {"samples": samples}


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    found = archive.getinfo(name)
    if found.compress_type != _ZSTD:
        return archive.read(found)
    try:
        from pyarrow import (  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415
            BufferReader,
            CompressedInputStream,
        )
    except ImportError:
        fix = "pip install pyarrow, or convert it with `inspect log convert --to json`"
        what = "is compressed by zstd, which needs pyarrow"
        raise ResultsError(Problem(what, str(path), fix)) from None
    with path.open("rb") as raw:
        raw.seek(found.header_offset)
        header = raw.read(_LOCAL_HEADER)
        name_length, extra_length = struct.unpack("<HH", header[26:30])
        raw.seek(name_length + extra_length, 1)
        compressed = raw.read(found.compress_size)
    return bytes(CompressedInputStream(BufferReader(compressed), "zstd").read())


def inspect_results(
    path: Path, document: Json, benchmarks: Mapping[str, Benchmark]
) -> ModelResults:
    """The results in a log.

    Raises:
        ResultsError: The evaluation failed, has no samples, or an item has no id.
    """
    evaluation = document["eval"]
    if document.get("status") != "success":
        what = f"its status is {document.get('status')!r}, so that items are missing"
        raise ResultsError(Problem(what, str(path), _RERUN))
    samples = document.get("samples")
    if not isinstance(samples, list) or not samples:
        raise ResultsError(Problem("has no samples", str(path), _RERUN))
    name = task_name(str(evaluation.get("task", "")).rpartition("/")[2])
    tasks, skipped = {}, {}
    try:
        tasks[name] = foreign_results(
            name,
            list(_items(path, samples)),
            _stated(document),
            benchmarks,
            version=str(evaluation.get("task_version", "")),
        )
    except SkippedTaskError as why:
        skipped[name] = str(why)
    return ModelResults(
        name=str(evaluation.get("model") or "model").rpartition("/")[2],
        path=path,
        writer="Inspect",
        record=None,
        dtype="",
        prompting="",
        tasks=tasks,
        skipped=skipped,
    )


def _items(path: Path, samples: list[Any]) -> Iterator[ForeignItem]:
    """The items; the epochs of an item are its repeats."""
    items: dict[str, ForeignItem] = {}
    for number, sample in enumerate(samples):
        if not isinstance(sample, dict) or not isinstance(sample.get("id"), str | int):
            raise ResultsError(Problem(f"samples[{number}] has no id", str(path), _RERUN))
        if sample.get("error"):
            what = f"sample {sample['id']} ended with an error, so that it has no score"
            raise ResultsError(Problem(what, str(path), _RERUN))
        key = str(sample["id"])
        item = items.get(key)
        if item is None:
            item = items[key] = _new_item(key, sample)
        item.responses.append(_resolved(_text(_completion(sample)), sample))
        for metric, grade in _grades(sample.get("scores")):
            item.grades.setdefault(metric, []).append(grade)
    yield from items.values()


def _new_item(key: str, sample: Json) -> ForeignItem:
    choices = sample.get("choices")
    texts = [str(choice) for choice in choices] if isinstance(choices, list) else []
    target = sample.get("target")
    first = target[0] if isinstance(target, list) and target else target
    metadata = sample.get("metadata")
    return ForeignItem(
        key=key,
        prompt=_resolved(_text(sample.get("input")), sample),
        target=choice_text(texts, str(first or "")),
        choices=texts,
        fields=metadata if isinstance(metadata, dict) else {},
    )


def _completion(sample: Json) -> Any:
    output = sample.get("output")
    if not isinstance(output, dict):
        return ""
    if output.get("completion"):
        return output["completion"]
    choices = output.get("choices") or [{}]
    message = choices[0].get("message") if isinstance(choices[0], dict) else {}
    return message.get("content", "") if isinstance(message, dict) else ""


def _text(value: Any) -> str:
    """The text of an input or a message: a text, or parts with texts."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return _text(value.get("content", value.get("text", "")))
    if isinstance(value, list):
        return "\n".join(filter(None, map(_text, value)))
    return ""


def _resolved(text: str, sample: Json) -> str:
    """The text; Inspect keeps long ones apart, as attachments."""
    attachments = sample.get("attachments")
    if text.startswith(_ATTACHMENT) and isinstance(attachments, dict):
        return str(attachments.get(text.removeprefix(_ATTACHMENT), text))
    return text


def _grades(scores: Any) -> Iterator[tuple[str, Any]]:
    for scorer, score in scores.items() if isinstance(scores, dict) else ():
        value = score.get("value") if isinstance(score, dict) else None
        name = _METRICS.get(str(scorer), str(scorer))
        if isinstance(value, dict):
            yield from ((f"{name}/{key}", _number(inner)) for key, inner in value.items())
        else:
            yield name, _number(value)


def _number(value: Any) -> Any:
    return CORRECT.get(value, value) if isinstance(value, str) else value


def _stated(document: Json) -> dict[str, float]:
    """The stated mean of each scorer."""
    found = {}
    results = document.get("results")
    scores = results.get("scores") if isinstance(results, dict) else None
    for score in scores if isinstance(scores, list) else []:
        metrics = score.get("metrics") if isinstance(score, dict) else None
        for metric in ("accuracy", "mean"):
            entry = metrics.get(metric) if isinstance(metrics, dict) else None
            value = entry.get("value") if isinstance(entry, dict) else None
            if isinstance(value, int | float):
                name = str(score.get("name"))
                found[_METRICS.get(name, name)] = float(value)
    return found
