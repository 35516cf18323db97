"""Rows as tokens, and the cache."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from kit19 import TrainError
from kit19.core.manifest import read_manifest
from kit19.core.order import hash_order
from kit19.training.rows.conversations import rows_of
from kit19.training.rows.examples import TokenRules
from kit19.training.rows.files import load_build_rows, load_file_rows
from kit19.training.rows.tokens import tokenize
from tests.support.small_models import prompts_of, row_files, rows, write_rows


def test_only_the_answer_and_its_end_have_a_loss(
    data: Path, tokenizer: Any, tmp_path: Path
) -> None:
    prompts = prompts_of(tokenizer)
    tokens = tokenize(row_files(data), "k", prompts, TokenRules(128), tmp_path)
    assert len(tokens) == 64
    for number, row in enumerate(rows()):
        ids, labels = tokens.row(number)
        prompt = prompts.format.ask(row["instruction"], row["input"])
        assert tokenizer.decode(ids) == f"{prompt} {row['output']}<|endoftext|>"
        assert tokenizer.decode(labels[labels != -100]) == f" {row['output']}<|endoftext|>"
        assert tokenizer.decode(ids[labels == -100]) == prompt


def test_cached_tokens_are_not_computed_again(
    data: Path, tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = prompts_of(tokenizer)
    first = tokenize(row_files(data), "k", prompts, TokenRules(128), tmp_path)
    monkeypatch.setattr("kit19.training.rows.tokens._build", None)
    again = tokenize(row_files(data), "k", prompts, TokenRules(128), tmp_path)
    assert isinstance(again.ids, np.memmap)
    assert np.array_equal(first.ids, again.ids)
    assert first.stats == again.stats


@pytest.mark.parametrize("change", ["rows", "format", "length", "cut", "tokenizer"])
def test_anything_that_changes_tokens_changes_the_name(
    data: Path, tokenizer: Any, tmp_path: Path, change: str
) -> None:
    import copy

    key = tokenize(row_files(data), "k", prompts_of(tokenizer), TokenRules(128), tmp_path).key
    form, limit, rows_key = "koalpaca", TokenRules(128), "k"
    if change == "rows":
        rows_key = "other"
    elif change == "format":
        form = "alpaca"
    elif change == "length":
        limit = TokenRules(127)
    elif change == "cut":
        limit = TokenRules(128, "cut")
    else:
        tokenizer = copy.deepcopy(tokenizer)
        tokenizer.add_tokens(["영화"])
    other = tokenize(row_files(data), rows_key, prompts_of(tokenizer, form), limit, tmp_path).key
    assert other != key


@pytest.mark.parametrize("offline", [False, True])
def test_how_a_tokenizer_was_loaded_does_not_change_the_name(
    data: Path, tokenizer: Any, tmp_path: Path, offline: bool
) -> None:
    from transformers import AutoTokenizer

    tokenizer.save_pretrained(tmp_path / "tokenizer")
    loaded = AutoTokenizer.from_pretrained(tmp_path / "tokenizer", local_files_only=offline)
    keys = [
        tokenize(row_files(data), "k", prompts_of(one), TokenRules(128), tmp_path / "cache").key
        for one in (tokenizer, loaded)
    ]
    assert keys[0] == keys[1]


def test_a_cache_that_was_being_written_is_written_again(
    data: Path, tokenizer: Any, tmp_path: Path
) -> None:
    prompts = prompts_of(tokenizer)
    first = tokenize(row_files(data), "k", prompts, TokenRules(128), tmp_path)
    path = tmp_path / first.key / "tokens.bin"
    path.unlink()  # not written over: it is mapped
    path.write_bytes(b"half")
    again = tokenize(row_files(data), "k", prompts, TokenRules(128), tmp_path)
    assert np.array_equal(first.ids, again.ids)
    (tmp_path / first.key / "stats.json").unlink()
    again = tokenize(row_files(data), "k", prompts, TokenRules(128), tmp_path)
    assert np.array_equal(first.ids, again.ids)


def test_long_rows_are_left_out_or_cut_and_counted(
    data: Path, tokenizer: Any, tmp_path: Path
) -> None:
    prompts = prompts_of(tokenizer)
    whole = tokenize(row_files(data), "k", prompts, TokenRules(128), tmp_path)
    limit = int(np.median(whole.lengths))
    dropped = tokenize(row_files(data), "k", prompts, TokenRules(limit), tmp_path)
    long = int((whole.lengths > limit).sum())
    assert dropped.stats.too_long == dropped.stats.dropped == long > 0
    assert len(dropped) == 64 - long
    cut = tokenize(row_files(data), "k", prompts, TokenRules(limit, "cut"), tmp_path)
    lost = int((whole.lengths - whole.supervised >= limit).sum())
    assert cut.stats.too_long == long
    assert cut.stats.dropped == cut.stats.answers_lost == lost
    assert cut.lengths.max() == limit


LAYOUTS: dict[str, Callable[[dict[str, str]], dict[str, Any]]] = {
    "alpaca": lambda row: {k: row[k] for k in ("instruction", "input", "output")},
    "completion": lambda row: {"prompt": row["instruction"], "completion": row["output"]},
    "messages": lambda row: {
        "messages": [
            {"role": "user", "content": row["instruction"]},
            {"role": "assistant", "content": row["output"]},
        ]
    },
    "sharegpt": lambda row: {
        "conversations": [
            {"from": "human", "value": row["instruction"]},
            {"from": "gpt", "value": row["output"]},
        ]
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_every_layout_gives_the_same_rows(layout: str, kind: str, tmp_path: Path) -> None:
    made = [LAYOUTS[layout](row) for row in rows(12)]
    path = tmp_path / f"rows.{kind}"
    if kind == "parquet":
        pl.DataFrame(made).write_parquet(path)
    else:
        write_rows(path, made)
    found = pl.concat(list(row_files(path).batches()))
    assert found["instruction"].to_list() == [row["instruction"] for row in rows(12)]
    assert found["output"].to_list() == [row["output"] for row in rows(12)]
    assert found["id"].to_list() == [str(number) for number in range(12)]


def only_malformed_row(path: Path) -> str:
    """The place of the only row that is not used, and why; all others are."""
    data = load_file_rows(path, 0, 19)
    assert data.malformed.total == 1
    assert data.entry.malformed == data.malformed.counts
    return data.malformed.summary()


def test_a_conversation_whose_turns_do_not_alternate_is_not_used(tmp_path: Path) -> None:
    turn = {"role": "user", "content": "안녕하세요"}
    made = [LAYOUTS["messages"](rows(1)[0]), {"messages": [turn, turn]}]
    path = write_rows(tmp_path / "rows.jsonl", made)
    assert re.search(r"rows\.jsonl:2: turn 2 has the role of the", only_malformed_row(path))


def test_conversations_of_every_layout_are_the_same_rows(tmp_path: Path) -> None:
    said = [("user", "하나?"), ("assistant", "둘"), ("user", "셋?"), ("assistant", "넷")]
    roles = {"user": "human", "assistant": "gpt"}
    made: list[dict[str, Any]] = [
        {"messages": [{"role": role, "content": text} for role, text in said], "system": "짧게."},
        {
            "conversations": [{"from": roles[role], "value": t} for role, t in said],
            "system": "짧게.",
        },
        {"instruction": "셋?", "output": "넷", "history": [["하나?", "둘"]], "system": "짧게."},
        {"instruction": "하나?", "output": "둘"},
        {"messages": [{"role": role, "content": text} for role, text in said * 6]},
    ]
    [batch] = row_files(write_rows(tmp_path / "rows.jsonl", made)).batches()
    rows = rows_of(batch)
    expected = [{"role": "system", "content": "짧게."}]
    expected += [{"role": role, "content": text} for role, text in said]
    assert [row.turns for row in rows[:3]] == [expected] * 3
    assert rows[3].pair == ("하나?", "")
    found = load_file_rows(tmp_path / "rows.jsonl", 1, 19)
    assert found.validation is not None
    held_out = pl.concat(list(found.validation.batches()))
    rest = pl.concat(list(found.train.batches()))
    assert pl.concat([held_out, rest]).sort("id").equals(batch.sort("id"))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("key", ["context", "reasoning_content", "images"])
@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_keys_that_belong_to_a_question_are_never_dropped(
    layout: str, key: str, kind: str, tmp_path: Path
) -> None:
    made = [LAYOUTS[layout](row) | {key: None, "url": "a"} for row in rows(3)]
    path = tmp_path / f"rows.{kind}"

    def write() -> None:
        if kind == "parquet":
            pl.DataFrame(made, infer_schema_length=None).write_parquet(path)
        else:
            write_rows(path, made)

    write()
    assert sum(batch.height for batch in row_files(path).batches()) == 3  # no key is lost there
    made[1][key] = "너는 늙은 소나무다"
    write()
    place = "rows.jsonl:2" if kind == "jsonl" else "rows.parquet, row 1"
    assert re.search(rf"{place}: {key}: .* would be lost", only_malformed_row(path))
    assert sum(batch.height for batch in row_files(path).batches()) == 2


@pytest.mark.parametrize("key", ["reasoning_content", "weight"])
@pytest.mark.parametrize("layout", ["messages", "sharegpt"])
def test_further_keys_of_a_turn_are_never_dropped(layout: str, key: str, tmp_path: Path) -> None:
    made = [LAYOUTS[layout](row) for row in rows(2)]
    [name] = made[1]
    made[1][name][1] |= {key: None, "model": "gpt"}
    path = write_rows(tmp_path / "rows.jsonl", made)
    assert sum(batch.height for batch in row_files(path).batches()) == 2
    made[1][name][1][key] = 0
    write_rows(path, made)
    assert f":2: {name}[1].{key}: belongs to its turn, and would be lost" in only_malformed_row(
        path
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tool_calls_are_refused_and_named(layout: str, tmp_path: Path) -> None:
    row = LAYOUTS[layout](rows(1)[0])
    path = write_rows(tmp_path / "rows.jsonl", [row, row | {"tools": [{"name": "search"}]}])
    assert ":2: tools: tool calls are not supported" in only_malformed_row(path)
    if layout in ("messages", "sharegpt"):
        [name] = row
        row[name][1] |= {"tool_calls": [{"name": "search"}]}
        write_rows(path, [LAYOUTS[layout](rows(1)[0]), row])
        assert f":2: {name}[1]: tool calls are not supported" in only_malformed_row(path)


def test_two_layouts_in_a_row_must_agree(tmp_path: Path) -> None:
    row = rows(1)[0] | {"input": ""}
    path = tmp_path / "rows.jsonl"
    write_rows(path, [row | LAYOUTS["messages"](row)])
    [batch] = row_files(path).batches()
    empty = {"instruction": None, "input": None, "output": None}
    write_rows(path, [empty | LAYOUTS["messages"](row)])
    [other] = row_files(path).batches()
    assert batch["output"].to_list() == other["output"].to_list() == [row["output"]]
    write_rows(path, [row | LAYOUTS["messages"](rows(2)[1])])
    with pytest.raises(TrainError, match="two different questions in two layouts"):
        row_files(path)


def test_lists_of_turns_as_prompt_and_completion_are_read(tmp_path: Path) -> None:
    user, said = LAYOUTS["messages"](rows(1)[0])["messages"]
    path = write_rows(tmp_path / "rows.jsonl", [{"prompt": [user], "completion": [said]}])
    [batch] = row_files(path).batches()
    assert batch["instruction"].to_list() == [rows(1)[0]["instruction"]]
    assert batch["output"].to_list() == [rows(1)[0]["output"]]
    write_rows(path, [{"prompt": [said, user], "completion": [said]}])
    with pytest.raises(TrainError, match="turn 1 is an answer without a question"):
        row_files(path)


@pytest.mark.parametrize("value", [["가", "나"], {"text": "가"}, True, 0.5])
def test_a_value_that_is_not_text_is_not_converted_to_text(value: Any, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [*rows(1), rows(1)[0] | {"output": value}])
    assert "rows.jsonl:2: output: is not text" in only_malformed_row(path)


def test_a_file_of_another_layout_is_refused(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [{"text": "안녕"}])
    with pytest.raises(TrainError, match=r"rows\.jsonl:1: none of its 1 rows can be used; .* text"):
        row_files(path)
    path.write_text("{not json\n")
    with pytest.raises(TrainError, match="can be used; the first: is not valid JSON"):
        row_files(path)
    with pytest.raises(TrainError, match="no such file"):
        load_file_rows(tmp_path / "none", 0, 19)


def test_held_out_rows_are_not_trained_on(data: Path) -> None:
    found = load_file_rows(data, 8, 19)
    assert found.validation is not None
    train = set(pl.concat(list(found.train.batches()))["id"])
    held_out = set(pl.concat(list(found.validation.batches()))["id"])
    assert len(held_out) == 8
    assert not train & held_out
    assert len(train | held_out) == 64
    assert found.entry.label == "unverified"


@pytest.mark.parametrize("hold_out", [0, 7, 100, 5000])
def test_the_first_in_hash_order_are_held_out_with_all_their_views(
    hold_out: int, tmp_path: Path
) -> None:
    made = [{"id": f"r{n % 900}", "instruction": f"{n}", "output": "답"} for n in range(3000)]
    found = load_file_rows(write_rows(tmp_path / "rows.jsonl", made), hold_out, 3)
    ordered = pl.DataFrame(made).with_columns(h=hash_order(pl.col("id"), "validation", 3))
    limit = ordered["h"].sort()[min(hold_out, 600)]
    train = pl.concat(list(found.train.batches()))
    assert train["instruction"].equals(ordered.filter(pl.col("h") >= limit)["instruction"])
    held_out = pl.concat(list(found.validation.batches())) if found.validation else train.clear()
    assert held_out["instruction"].equals(ordered.filter(pl.col("h") < limit)["instruction"])


def test_the_label_of_a_build_is_recorded(sample_build: Path, tmp_path: Path) -> None:
    manifest = read_manifest(sample_build)
    entry = load_build_rows(sample_build, manifest, 0, 19).entry
    assert (entry.label, entry.why, entry.sample) == ("clean", "", True)
    assert sum(entry.subsets.values()) == sum(one.ledger.train for one in manifest.subsets.values())
    dirty = manifest.model_copy(update={"contaminated": True})
    assert load_build_rows(sample_build, dirty, 0, 19).entry.label == "contaminated"
    skipped = manifest.model_copy(update={"not_decontaminated_against": ["klue_sts"]})
    entry = load_build_rows(sample_build, skipped, 0, 19).entry
    assert (entry.label, entry.why) == ("unverified", "not decontaminated against klue_sts")
    assert json.loads(entry.model_dump_json())["decontaminated_against"]
