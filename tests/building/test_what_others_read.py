"""Tests that datasets, mlcroissant, DuckDB, pandas, trainers and the Hub read a build."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pandas
import pytest
import yaml

from kit19 import Manifest, build, load_catalog
from kit19.core.manifest import read_manifest
from kit19.core.rows import ROW_SCHEMA
from tests.support.samples import dropped_of, rows_of, sample_of

FORMATS = ["jsonl", "alpaca", "messages", "sharegpt", "prompt-completion"]
SUBSETS = ["nsmc", "kobest_copa", "math", "hatescore", "lbox_summarization"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    out = tmp_path_factory.mktemp("exported") / "out"
    return out, sample_of(out, *SUBSETS, formats=FORMATS, cap=50)


def run_python(code: str, *arguments: str, home: Path) -> Any:
    """Run code in a fresh Python with an empty home and no network; parse its output as JSON."""
    # Ignore warnings of other libraries.
    environment = os.environ | {
        "HOME": str(home),
        "HF_HOME": str(home / "hf"),
        "HF_HUB_OFFLINE": "1",
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, env=environment, cwd=home)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


LOAD_DATASET = """
import json, sys
from datasets import load_dataset
loaded = load_dataset(sys.argv[1])
first = {name: part[0] for name, part in loaded.items()}
print(json.dumps({
    "rows": {name: part.num_rows for name, part in loaded.items()},
    "columns": {name: str(kind.dtype) for name, kind in loaded["train"].features.items()},
    "first": first,
    "ids": loaded["train"]["id"][:],
}))
"""


def test_datasets_loads_the_folder_as_it_is(
    exported: tuple[Path, Manifest], tmp_path: Path
) -> None:
    out, _ = exported
    loaded = run_python(LOAD_DATASET, str(out), home=tmp_path)
    train, validation = rows_of(out, "train"), rows_of(out, "validation")
    assert loaded["rows"] == {"train": train.height, "validation": validation.height}
    kinds = {name: kind.removeprefix("large_") for name, kind in loaded["columns"].items()}
    assert kinds == dict.fromkeys(ROW_SCHEMA, "string") | {"masked": "uint32"}
    assert len(kinds) == 13
    assert loaded["first"] == {
        "train": train.row(0, named=True),
        "validation": validation.row(0, named=True),
    }
    assert loaded["ids"] == train["id"].to_list()


READ_CROISSANT = """
import json, sys
import mlcroissant
dataset = mlcroissant.Dataset(jsonld=sys.argv[1])
issues = dataset.metadata.issues
rows = {
    part: [
        {key.partition("/")[2]: value.decode() if isinstance(value, bytes) else value
         for key, value in row.items()}
        for row in dataset.records(part)
    ]
    for part in ("train", "validation")
}
warnings, errors = sorted(issues.warnings), sorted(issues.errors)
print(json.dumps({"errors": errors, "warnings": warnings, "rows": rows}))
"""


def test_croissant_is_valid_and_gives_every_row(
    exported: tuple[Path, Manifest], tmp_path: Path
) -> None:
    out, _ = exported
    read = run_python(READ_CROISSANT, str(out / "croissant.json"), home=tmp_path)
    assert read["errors"] == []
    # A build has no clock, so it has no date either; nothing else is missed.
    assert [line for line in read["warnings"] if "datePublished" not in line] == []
    for split in ("train", "validation"):
        expected = [
            {key: value for key, value in row.items() if value is not None}
            for row in rows_of(out, split).to_dicts()
        ]
        given = [{k: v for k, v in row.items() if v is not None} for row in read["rows"][split]]
        assert given == expected


def test_duckdb_and_pandas_read_the_rows_of_a_build(exported: tuple[Path, Manifest]) -> None:
    out, _ = exported
    for split in ("train", "validation"):
        rows = rows_of(out, split)
        assert duckdb.read_parquet(f"{out}/data/{split}-*.parquet").fetchall() == rows.rows()
        paths = sorted((out / "data").glob(f"{split}-*.parquet"))
        frame = pandas.concat([pandas.read_parquet(path) for path in paths]).astype(object)
        assert list(frame.columns) == rows.columns
        assert frame.where(frame.notna(), None).to_dict("records") == rows.to_dicts()


def exported_rows(folder: Path, kind: str, split: str) -> list[dict[str, Any]]:
    text = (folder / "exports" / f"{kind}-{split}.jsonl").read_text(encoding="utf-8")
    assert "\\u" not in text  # Korean stays Korean
    return [json.loads(line) for line in text.removesuffix("\n").split("\n")]


def prompt(row: dict[str, Any]) -> str:
    return f"{row['instruction']}\n\n{row['input']}" if row["input"] else str(row["instruction"])


LOAD_EXPORT = """
import json, sys
from datasets import load_dataset
rows = load_dataset("json", data_files=sys.argv[1], split="train", chunksize=2_000)
print(json.dumps(sorted(set(rows["label"]))))
"""


def test_an_export_loads_where_early_rows_have_no_label(tmp_path: Path) -> None:
    extra = []
    for name, label in (("first", None), ("second", "side")):
        rows = [
            {"instruction": f"{name} {n}", "output": "답" * n, "side": "pos"} for n in range(1, 99)
        ]
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        (tmp_path / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
        own = {"name": name, "path": f"{name}.jsonl", "license": "MIT"}
        extra.append(own | ({"label": label} if label else {}))
    recipe = {"id": "mine", "title": "M", "data": "sample", "decontaminate": False, "dedup": "none",
              "shuffle": False, "formats": ["jsonl"], "extra": extra}  # fmt: skip
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    build(str(tmp_path / "mine.yaml"), tmp_path / "out")
    path = tmp_path / "out" / "exports" / "jsonl-train.jsonl"
    assert path.stat().st_size > 5 * 2_000
    assert run_python(LOAD_EXPORT, str(path), home=tmp_path) == ["", "pos"]


@pytest.mark.parametrize("split", ["train", "validation"])
def test_every_export_holds_the_same_texts_in_the_same_order(
    split: str, exported: tuple[Path, Manifest]
) -> None:
    out, manifest = exported
    rows = rows_of(out, split).to_dicts()
    assert any(row["input"] for row in rows)
    assert not all(row["input"] for row in rows)
    expected: dict[str, list[dict[str, Any]]] = {
        # A missing label is empty: see the test of early rows without one.
        "jsonl": [row | {"label": row["label"] or ""} for row in rows],
        "alpaca": [{name: r[name] for name in ("instruction", "input", "output")} for r in rows],
        "messages": [
            {
                "messages": [
                    {"role": "user", "content": prompt(row)},
                    {"role": "assistant", "content": row["output"]},
                ]
            }
            for row in rows
        ],
        "sharegpt": [
            {
                "conversations": [
                    {"from": "human", "value": prompt(row)},
                    {"from": "gpt", "value": row["output"]},
                ]
            }
            for row in rows
        ],
        "prompt-completion": [{"prompt": prompt(row), "completion": row["output"]} for row in rows],
    }
    assert sorted(expected) == sorted(FORMATS)
    counted = {output.path: output.rows for output in manifest.outputs}
    for kind, lines in expected.items():
        assert exported_rows(out, kind, split) == lines, kind
        assert counted[f"exports/{kind}-{split}.jsonl"] == len(rows), kind


def test_only_requested_formats_are_exported(tmp_path: Path) -> None:
    sample_of(tmp_path / "out", "nsmc", cap=5, validation=0, formats=["alpaca"])
    exports = [path.name for path in (tmp_path / "out" / "exports").iterdir()]
    assert exports == ["alpaca-train.jsonl"]
    sample_of(tmp_path / "none", "nsmc", cap=5)
    assert not (tmp_path / "none" / "exports").exists()


def front_matter(folder: Path) -> tuple[dict[str, Any], str]:
    _, head, body = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(head), body


def test_the_cards_front_matter_says_what_the_hub_asks(sample_build: Path) -> None:
    head, _ = front_matter(sample_build)
    assert head["configs"] == [
        {
            "config_name": "default",
            "data_files": [
                {"split": "train", "path": "data/train-*.parquet"},
                {"split": "validation", "path": "data/validation-*.parquet"},
            ],
        }
    ]
    assert head["language"] == ["ko"]
    assert {"cc0-1.0", "cc-by-sa-4.0", "other"} <= set(head["license"])
    assert "license_name" in head
    assert head["size_categories"] == ["1K<n<10K"]
    assert "text-generation" in head["task_categories"]


def test_one_license_is_named_as_the_hub_names_it(tmp_path: Path) -> None:
    sample_of(tmp_path / "out", "nsmc", "petitions", cap=5)
    head, _ = front_matter(tmp_path / "out")
    assert head["license"] == ["cc0-1.0"]
    assert "license_name" not in head


def test_the_card_tells_every_number_of_the_ledger(sample_build: Path) -> None:
    _, body = front_matter(sample_build)
    manifest = read_manifest(sample_build)
    assert "> **kit19's own sample, not the datasets.**" in body
    for name, entry in manifest.subsets.items():
        lines = [line for line in body.splitlines() if line.startswith(f"| `{name}` |")]
        assert len(lines) == 2 + bool(entry.ledger.dropped.get("contaminated")), name
        ledger = entry.ledger
        counts = [ledger.read, ledger.train, ledger.validation, ledger.surplus]
        assert f"| {' | '.join(f'{count:,}' for count in counts)} |" in lines[1]
        for count in ledger.dropped.values():
            assert f" {count:,} |" in lines[1]
    for reason in set(dropped_of(sample_build)["reason"]):
        assert f"- `{reason}`: " in body
    assert manifest.content_digest in body
    for name in manifest.decontaminated_against:
        assert name in body


def test_every_source_is_credited(sample_build: Path) -> None:
    notice = (sample_build / "NOTICE").read_text(encoding="utf-8")
    _, body = front_matter(sample_build)
    croissant = json.loads((sample_build / "croissant.json").read_text(encoding="utf-8"))
    catalog = load_catalog()
    sources = {entry.source for entry in read_manifest(sample_build).subsets.values()}
    assert len(sources) >= 15
    for name in sources:
        source = catalog.source(name)
        assert source.notice.strip() in notice, name
        assert f"License: {source.license.spdx} " in notice, name
        assert source.title in body, name
        assert source.citation.strip() in croissant["citeAs"], name
    assert "THIS BUILD IS A SAMPLE" in notice


def test_what_derivatives_are_forbidden_of_is_warned_about(tmp_path: Path) -> None:
    sample_of(tmp_path / "out", "unsmile", "nsmc", cap=5)
    _, body = front_matter(tmp_path / "out")
    assert "- **unsmile** forbids sharing adapted material" in body
    assert "- **nsmc** forbids" not in body
