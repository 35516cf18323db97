"""Results with two-turn answers, as ``kit19 eval`` writes them, and judges that follow a rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CATEGORIES = ("글쓰기(Writing)", "수학(Math)")


def question(number: int, turn: int) -> str:
    return f"{number}번 항목의 {turn}번째 질문입니다. {{question}} [[9]]"


def answer(number: int, turn: int, mark: str = "") -> str:
    return f"{number}번 항목의 {turn}번째 답변입니다.{mark}"


def sample(number: int, mark: str = "") -> dict[str, Any]:
    references = [f"{number}번 정답" if number % 2 else "", ""]
    doc = {
        "item": f"test/{number}",
        "category": CATEGORIES[number % 2],
        "turn_1": question(number, 1),
        "turn_2": question(number, 2),
        "reference_1": references[0],
        "reference_2": references[1],
    }
    answers = [answer(number, turn, mark) for turn in (1, 2)]
    return {
        "doc_id": number,
        "doc": doc,
        "target": references[0],
        "arguments": [["<p>", {}], ["<p>", {}]],
        "resps": [[one] for one in answers],
        "filtered_resps": answers,
        "filter": "none",
        "metrics": ["answered"],
        "answered": 1.0,
    }


def write_results(folder: Path, items: int = 4, mark: str = "", task: str = "logickor") -> Path:
    folder.mkdir()
    metadata = {
        "turns": ["turn_1", "turn_2"],
        "references": ["reference_1", "reference_2"],
        "version": 1.0,
    }
    document = {
        "results": {task: {"alias": task, "answered,none": 1.0}, "klue_sts": {"acc,none": 0.5}},
        "versions": {task: 1.0, "klue_sts": 1.0},
        "n-shot": {task: 0, "klue_sts": 0},
        "n-samples": {task: {"original": items, "effective": items}},
        "configs": {
            task: {"task": task, "output_type": "generate_until", "metadata": metadata},
            "klue_sts": {"task": "klue_sts", "output_type": "multiple_choice"},
        },
        "groups": {},
        "kit19": {
            "model": {"name": folder.name, "adapter": ""},
            "tasks": {task: {"items": items, "scored": items}, "klue_sts": {}},
            "cautions": [{"code": "constant", "task": "klue_sts", "what": "…"}],
        },
    }
    (folder / "results.json").write_text(json.dumps(document), encoding="utf-8")
    lines = [json.dumps(sample(number, mark), ensure_ascii=False) for number in range(items)]
    (folder / f"samples_{task}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def part(prompt: str, name: str) -> str:
    """The text of a prompt between ``[name 시작]`` and ``[name 끝]``."""
    return prompt.split(f"[{name} 시작]\n")[1].split(f"\n[{name} 끝]", maxsplit=1)[0]


def judged_answer(body: dict[str, Any]) -> str:
    """The answer that a request asks a score for."""
    prompt = body["messages"][1]["content"]
    return part(prompt, "마지막 답변" if "[마지막 답변 시작]" in prompt else "답변")


def rule(text: str) -> int:
    """A score of an answer that only its text decides."""
    return 1 + sum(text.encode()) % 10
