"""Conversations of users' rows go through a build: one form, every rule on every turn, every export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

import kit19
from kit19 import build, diff, explain, stats
from kit19.core.rows import CONVERSATION_SCHEMA, MESSAGES, all_messages
from tests.building.test_own_rows import a_benchmark_sentence
from tests.building.test_what_others_read import FORMATS, run_python
from tests.support.invoking import invoke
from tests.support.samples import dropped_of, rows_of

Row = dict[str, Any]

SYSTEM = "말을 아끼는 사서로서 답한다."
TALK = [
    "책을 빌리고 싶어요.",
    "어떤 책을 찾으세요?",
    "바다가 나오는 소설요.",
    "삼 층 왼쪽 서가에 있습니다.",
]
LONG = (
    "여름이면 마을 사람들이 다 함께 강가에 나와 돗자리를 펴고 수박을 나누어 먹던 그 저녁을 기억한다"
)


LOAD_DATASET = """
import json, sys
from datasets import load_dataset
print(json.dumps(load_dataset(sys.argv[1], split="train").to_list()))
"""


READ_CROISSANT = """
import json, sys
import mlcroissant
dataset = mlcroissant.Dataset(jsonld=sys.argv[1])
assert not dataset.metadata.issues.errors
print(json.dumps([
    [{key.rpartition("/")[2]: text.decode() for key, text in turn.items()}
     for turn in row["train/messages"] if turn["train/messages/role"]]
    for row in dataset.records("train")
]))
"""


def turns(*texts: str, system: str = "") -> list[Row]:
    roles = ("user", "assistant") * len(texts)
    spoken = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    return [{"role": "system", "content": system}, *spoken] if system else spoken


def sharegpt(messages: list[Row]) -> list[Row]:
    names = {"system": "system", "user": "human", "assistant": "gpt"}
    return [{"from": names[turn["role"]], "value": turn["content"]} for turn in messages]


PHONE = turns(
    "제 번호는 010-1234-5678이에요.", "알겠어요.", "다시 불러 주세요.", "010-1234-5678입니다."
)
ROWS: list[Row] = [
    {"messages": turns(*TALK, system=SYSTEM)},
    {"conversations": sharegpt(turns(*TALK))},
    {
        "instruction": TALK[2],
        "output": TALK[3],
        "history": [TALK[:2]],
    },  # a duplicate of the one before
    {"instruction": "수도를 말해 보세요.", "input": "프랑스", "output": "파리"},
    {"messages": PHONE},
    {"messages": turns(f"{LONG}.", "그랬군요.", "네.", "좋네요.")},
    {"messages": turns(f"{LONG}네!", "그랬군요!", "네.", "좋네요.")},
    {"messages": turns("안녕하세요?")},
    {"messages": turns("가?", "나.") + turns("다?", "라.")[1:]},
]


def recipe(place: Path, rows: list[Row], **changes: Any) -> Path:
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    (place / "talk.jsonl").write_text("".join(lines), "utf-8")
    own = {"name": "talk", "path": "talk.jsonl", "license": "MIT", **changes.pop("extra", {})}
    values = {"id": "mine", "title": "M", "data": "sample", "subsets": ["kobest_copa"], "cap": 30,
              "validation": 2, "extra": [own], "formats": FORMATS, **changes}  # fmt: skip
    (place / "mine.yaml").write_text(yaml.safe_dump(values), "utf-8")
    return place / "mine.yaml"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("talk")
    leak = turns(*TALK[:2], f"이 글을 봐 주세요. {a_benchmark_sentence()}", "읽었습니다.")
    build(recipe(place, [*ROWS, {"messages": leak}], validation=0), place / "out")
    return place / "out"


def talks(folder: Path) -> pl.DataFrame:
    return rows_of(folder).filter(subset="talk").sort("id")


def test_a_row_is_a_conversation_or_a_question_and_its_answer(built: Path) -> None:
    rows = rows_of(built)
    assert rows.schema == CONVERSATION_SCHEMA
    found = talks(built).select("id", "instruction", "input", "output", MESSAGES).rows()
    masked = [
        turn | {"content": turn["content"].replace("010-1234-5678", "[전화번호]")} for turn in PHONE
    ]
    kept_near = next(row for row in (5, 6) if f"talk/extra/{row}" in talks(built)["id"])
    kept_same = next(row for row in (1, 2) if f"talk/extra/{row}" in talks(built)["id"])
    assert found == [
        ("talk/extra/0", "", "", "", turns(*TALK, system=SYSTEM)),
        (f"talk/extra/{kept_same}", "", "", "", turns(*TALK)),
        ("talk/extra/3", "수도를 말해 보세요.", "프랑스", "파리", None),
        ("talk/extra/4", "", "", "", masked),
        (f"talk/extra/{kept_near}", "", "", "", ROWS[kept_near]["messages"]),
    ]
    assert dict(talks(built).select("id", "masked").iter_rows())["talk/extra/4"] == 2
    assert set(talks(built)["license"]) == {"MIT"}
    assert rows.filter(subset="kobest_copa")[MESSAGES].null_count() == rows.height - 5


def test_every_dropped_conversation_has_its_reason_and_turn(built: Path) -> None:
    dropped = dropped_of(built).filter(pl.col("id").str.starts_with("talk/"))
    reasons = {row["id"]: (row["reason"], row["evidence"]) for row in dropped.to_dicts()}
    assert sorted(reason for reason, _ in reasons.values()) == [
        "contaminated", "duplicate", "malformed", "malformed", "near_duplicate",
    ]  # fmt: skip
    reason, evidence = reasons["talk/extra/9"]
    assert reason == "contaminated"
    assert "kobest_copa/" in evidence
    assert evidence.endswith(", turn 3")
    assert reasons["talk/extra/talk:7"][1].endswith(
        "talk.jsonl:8: turn 1 is a question without an answer"
    )
    assert "turn 3 has the role of the turn before it" in reasons["talk/extra/talk:8"][1]
    manifest = kit19.verify(built)
    ledger = manifest.subsets["talk"].ledger
    assert (ledger.read, ledger.train, sum(ledger.dropped.values())) == (10, 5, 5)
    assert ledger.contaminated_by == {"kobest_copa": 1}
    assert explain(built, "talk/extra/9").evidence == evidence


def test_personal_data_in_any_turn_drops_the_conversation(tmp_path: Path) -> None:
    build(recipe(tmp_path, ROWS[:5], pii="drop"), tmp_path / "out")
    found = explain(tmp_path / "out", "talk/extra/4")
    assert (found.status, found.evidence) == ("dropped", "pieces: 2, turn 1")


def test_turns_are_joined_where_the_recipe_says_so(tmp_path: Path) -> None:
    build(recipe(tmp_path, ROWS, extra={"join_turns": True}), tmp_path / "out")
    (row,) = explain(tmp_path / "out", "talk/extra/8").rows
    assert (row["instruction"], row["output"], row[MESSAGES]) == ("가?", "나.\n\n라.", None)


def test_the_commands_show_conversations(built: Path, tmp_path: Path) -> None:
    one = {found.subset: found for found in stats(built)}["talk"]
    assert (one.rows, one.conversations, one.prompt_max) == (5, 4, max(
        sum(len(t["content"]) for t in row[MESSAGES] if t["role"] != "assistant")
        if row[MESSAGES] else len(row["instruction"] + row["input"])
        for row in talks(built).to_dicts()
    ))  # fmt: skip
    shown = invoke("explain", built, "talk/extra/0")
    assert shown.out.splitlines()[3:] == [
        f"  {turn['role']}: {turn['content']}" for turn in turns(*TALK, system=SYSTEM)
    ]
    changed = [
        ROWS[0] | {"messages": turns(*TALK[:3], "이 층에 있습니다.", system=SYSTEM)},
        *ROWS[1:],
    ]
    build(recipe(tmp_path, changed, validation=0), tmp_path / "out")
    found = diff(built, tmp_path / "out").subsets["talk"]
    assert (found.retold, found.same, found.only_left) == (1, 4, 0)
    assert diff(built, built).same_rows
    build(recipe(tmp_path, [ROWS[3]], validation=0), tmp_path / "plain")
    assert MESSAGES not in rows_of(tmp_path / "plain")
    assert diff(built, tmp_path / "plain").subsets.keys() == {"talk"}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_export_gives_the_same_turns_back(kind: str, built: Path) -> None:
    rows = rows_of(built, "train")
    expected = rows.select(all_messages(rows.columns)).to_series().to_list()
    found = kit19.load(built / "exports" / f"{kind}-train.jsonl")
    assert found.malformed is not None
    assert found.malformed.is_empty()
    again = found.polars().collect()
    if kind == "alpaca":  # its first row is the first with a history
        first = next(n for n, one in enumerate(expected) if len(one) > 3)
        expected.insert(0, expected.pop(first))
    assert again.select(all_messages(again.columns)).to_series().to_list() == expected


LOAD_EXPORT = """
import json, sys
from datasets import load_dataset
rows = load_dataset("json", data_files=sys.argv[1], split="train", chunksize=2_000)
print(json.dumps(rows.to_list()))
"""


def test_an_export_loads_where_early_rows_have_no_earlier_turns(tmp_path: Path) -> None:
    plain = [{"instruction": f"{n}번을 말해요.", "output": "네" * n} for n in range(1, 60)]
    rows: list[Row] = [
        *plain,
        {"messages": turns("가?", "나.", system=SYSTEM)},
        {"messages": turns(*TALK)},
    ]
    values = {"dedup": "none", "shuffle": False, "validation": 0, "subsets": [], "cap": None}
    build(recipe(tmp_path, rows, **values), tmp_path / "out")
    path = tmp_path / "out" / "exports" / "alpaca-train.jsonl"
    assert path.stat().st_size > 5 * 2_000
    loaded = run_python(LOAD_EXPORT, str(path), home=tmp_path)
    assert loaded[0] == {"instruction": TALK[2], "input": "", "output": TALK[3], "system": "",
                         "history": [TALK[:2]]}  # fmt: skip
    assert [row["history"] for row in loaded[1:]] == [[]] * 60
    assert sorted(row["output"] for row in loaded[1:]) == sorted(
        [*(row["output"] for row in plain), "나."]
    )


def test_loaders_know_the_column(built: Path, tmp_path: Path) -> None:
    loaded = run_python(LOAD_DATASET, str(built), home=tmp_path)
    assert loaded == rows_of(built, "train").to_dicts()
    assert kit19.load(built).datasets()[MESSAGES] == rows_of(built, "train")[MESSAGES].to_list()
    read = run_python(READ_CROISSANT, str(built / "croissant.json"), home=tmp_path)
    assert read == [turns or [] for turns in rows_of(built, "train")[MESSAGES].to_list()]
    card = (built / "README.md").read_text("utf-8")
    assert "Some rows are conversations" in card
    assert "field_messages: messages" in card
