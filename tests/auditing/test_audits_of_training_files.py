"""Audits of files that people train on, against the benchmarks of today."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from kit19.auditing import audit
from kit19.curating import bare

pytestmark = pytest.mark.real


def test_every_question_of_korquad_is_found_in_kochatgpt(real_data: Path) -> None:
    path = real_data / "audit_inputs/kochatgpt/kochatgpt_seed_data.txt"
    result = audit(path, "korquad", data_dir=real_data)
    document = json.loads((real_data / "korquad/KorQuAD_v1.0_dev.json").read_text("utf-8"))
    questions = [
        qa["question"]
        for article in document["data"]
        for p in article["paragraphs"]
        for qa in p["qas"]
    ]
    known = set(bare(pl.Series(questions)))
    lines = pl.Series(path.read_text("utf-8-sig").split("\n")[:-1])
    expected = {row for row, text in enumerate(bare(lines)) if text in known}
    assert len(expected) == 2993
    assert expected <= set(result.rows)
    assert len(result.rows) < 3000
    # The file has no answers: a short question alone touches its item, and no more.
    short = {row for row in expected if len(bare(lines[[row]])[0]) < 15}
    compromised = {
        hit.row for hit in result.hits if hit.item in set(result.benchmarks["korquad"].ids)
    }
    assert len(short) > 200
    assert expected - short <= compromised


def test_short_questions_of_a_chatbot_are_hardly_ever_hit(real_data: Path) -> None:
    path = real_data / "audit_inputs/chatbot_data/ChatbotData.csv"
    result = audit(path, "today", data_dir=real_data)
    assert result.rows_read == 11823
    assert len(result.rows) <= 10
    assert {remark.where for remark in result.not_searched_for} >= {"kmmlu", "hrm8k", "kite"}
    assert "korquad" in result.benchmarks
