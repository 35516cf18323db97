"""Small benchmarks, and datasets that contain some of their items."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from kit19.auditing import Audit, audit
from kit19.catalog import load_catalog

# Sentences that share no words, so that only the rules decide what is found.
SENTENCES = [
    "겨울이 오기 전에 창문 틈을 막아 두어야 난방비를 아낄 수 있다고 한다.",
    "도서관 열람실은 시험 기간에만 자정까지 문을 열어 둡니다.",
    "막내 고모가 보내 준 귤 상자에서 편지 한 통이 나왔다.",
    "소방차가 지나갈 길목에는 자전거를 세우지 말아 주세요.",
    "새로 산 믹서기는 소리가 커서 새벽에 쓰기 어렵더라고요.",
    "박물관 지하에 전시된 토기는 천오백 년 전에 구워진 것이다.",
]
INNOCENT = [
    "오늘은 날이 맑아서 빨래를 널고 산책을 다녀왔다.",
    "버스가 늦어 지각할 뻔했지만 다행히 회의 전에 도착했다.",
    "점심으로 먹은 칼국수가 생각보다 매워서 물을 많이 마셨다.",
]

_SOURCE = {
    "id": "exam",
    "title": "An exam",
    "about": "Written for these tests.",
    "license": {
        "spdx": "CC0-1.0",
        "commercial": "yes",
        "redistribution": "yes",
        "derivatives": "yes",
        "stated_in": "here",
    },
    "citation": "",
    "notice": "Written for these tests.",
    "origins": [{"kind": "github", "repo": "someone/exam", "revision": "0123abc"}],
}
_ITEMS = {
    "exam_pairs": [SENTENCES[0:2], SENTENCES[2:4], [SENTENCES[4], SENTENCES[0]]],
    "exam_sides": [SENTENCES[4:6], ["아주 좋아요", SENTENCES[1]], ["별로예요", "별로였어요"]],
}


def small_catalog(folder: Path) -> Path:
    """Write a catalog with two benchmarks. For ``exam_pairs``, both sides of a pair must be found."""
    tables = {}
    for name, items in _ITEMS.items():
        lines = [{"id": f"q{n}", "one": a, "two": b} for n, (a, b) in enumerate(items)]
        path = folder / "data" / "exam" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        path.write_text(text, encoding="utf-8")
        tables[name] = {
            "read": {"format": "jsonl"},
            "files": {"test": [{"path": path.name, "rows": len(lines)}]},
            "columns": {"one": "one", "two": "two", "label": "id"},
            "key": "id",
        }
        card = {
            "id": name,
            "title": name,
            "source": "exam",
            "table": name,
            "splits": ["test"],
            "scored": "test",
            "items": len(lines),
            "texts": ["one", "two"],
            "compromised": "all" if name == "exam_pairs" else "any",
            "label": "label",
            "metrics": ["acc"],
        }
        write_yaml(folder / "benchmarks" / f"{name}.yaml", card)
    write_yaml(folder / "sources" / "exam.yaml", {**_SOURCE, "tables": tables})
    for empty in ("templates", "recipes"):
        (folder / empty).mkdir()
    return folder


def write_yaml(path: Path, document: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")


def write_jsonl(path: Path, rows: list[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


def look(catalog: Path, rows: list[object], **options: object) -> Audit:
    """Audit rows against the small catalog."""
    path = write_jsonl(catalog / "rows.jsonl", rows)
    small = load_catalog(catalog, only=True)
    given: dict[str, object] = {"data_dir": catalog / "data", "catalog": small} | options
    return audit(path, **given)  # type: ignore[arg-type]
