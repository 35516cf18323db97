"""Documents of the real benchmarks equal the cells of their files, including spaces."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Literal

import pytest

pytest.importorskip("lm_eval")

from kit19.evaluating.source import load

COLUMNS = {
    ("kobest_boolq", "BoolQ"): {"paragraph": "Text", "question": "Question"},
    ("kobest_copa", "COPA"): {"premise": "sentence", "alternative_1": "1", "alternative_2": "2"},
    ("kobest_hellaswag", "HellaSwag"): {"context": "context"}
    | {f"ending_{n}": f"choice{n}" for n in (1, 2, 3, 4)},
    ("kobest_sentineg", "SentiNeg"): {"text": "Text"},
    ("kobest_wic", "WiC"): {"context_1": "SENTENCE1", "context_2": "SENTENCE2", "word": "Target"},
}


@pytest.mark.real
@pytest.mark.parametrize("case", COLUMNS, ids=lambda case: case[0])
@pytest.mark.parametrize("split", ["train", "test"])
def test_every_cell_is_the_file_s(real_data: Path, case: tuple[str, str], split: str) -> None:
    name, folder = case
    path = real_data / "kobest/v1.0" / folder / f"{split}.tsv"
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if folder == "HellaSwag" else csv.QUOTE_NONE
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=quoting))
    documents = load(name, str(real_data))[split]
    assert len(documents) == len(rows)
    for document, row in zip(documents, rows, strict=True):
        for field, column in COLUMNS[case].items():
            assert document[field] == row[column]


@pytest.mark.real
def test_klue_s_items_are_the_file_s(real_data: Path) -> None:
    folder = real_data / "klue/klue_benchmark"
    rows = json.loads((folder / "klue-sts-v1.1/klue-sts-v1.1_dev.json").read_text("utf-8"))
    documents = load("klue_sts", str(real_data))["dev"]
    assert [d["sentence1"] for d in documents] == [row["sentence1"] for row in rows]
    assert [d["sentence2"] for d in documents] == [row["sentence2"] for row in rows]
    assert [d["label"] for d in documents] == [row["labels"]["binary-label"] for row in rows]
    assert [d["item"] for d in documents] == [f"dev/{row['guid']}" for row in rows]
    titles = json.loads((folder / "ynat-v1.1/ynat-v1.1_dev.json").read_text("utf-8"))
    classes = ["IT과학", "경제", "사회", "생활문화", "세계", "스포츠", "정치"]
    documents = load("klue_ynat", str(real_data))["dev"]
    assert [d["title"] for d in documents] == [row["title"] for row in titles]
    assert [d["label"] for d in documents] == [classes.index(row["label"]) for row in titles]
