"""What the demo reports: the change of the loss on held-out rows, and benchmarks that became better."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from scipy import stats

from kit19 import compare
from kit19.demo.gains import find_gains
from kit19.demo.held_out_loss import loss_change, record_losses
from kit19.training.model.tiny import make_config, make_model
from kit19.training.rows.examples import TokenRules
from kit19.training.rows.tokens import tokenize
from tests.support.simulate import model, questions
from tests.support.small_models import (
    TINY,
    make_small_tokenizer,
    prompts_of,
    row_files,
    rows,
    write_rows,
)

TASK = "kobest_sentineg"


def losses(*values: float) -> pl.DataFrame:
    return pl.DataFrame({"id": [f"a/{n}" for n in range(len(values))], "loss": values})


def test_the_change_of_the_loss_is_that_of_a_paired_t_test() -> None:
    before, after = (5.0, 4.5, 6.0, 5.5), (4.0, 4.4, 5.5, 3.0)
    found = loss_change(losses(*before), losses(*after).reverse())
    assert found is not None
    reference = stats.ttest_rel(after, before)
    low, high = reference.confidence_interval(0.95)
    assert found.p == pytest.approx(reference.pvalue)
    assert found.interval == pytest.approx((low, high))
    assert (found.before, found.after) == pytest.approx((5.25, 4.225))
    assert found.difference == pytest.approx(-1.025)


def test_equal_losses_are_no_change_and_one_record_is_too_few() -> None:
    same = loss_change(losses(1.0, 2.0), losses(1.0, 2.0))
    assert same is not None
    assert (same.p, same.interval) == (1.0, (0.0, 0.0))
    assert loss_change(losses(1.0), losses(2.0)) is None


def test_the_loss_of_a_record_is_that_of_its_answer_tokens_one_row_at_a_time(
    tmp_path: Path,
) -> None:
    # Two rows of each record, as with two templates.
    made = [{**row, "id": f"cafe/train/{n // 2}"} for n, row in enumerate(rows(38))]
    path = write_rows(tmp_path / "rows.jsonl", made)
    tokenizer = make_small_tokenizer(path)
    small = make_model(make_config(tokenizer, TINY), 1).eval()
    tokens = tokenize(
        row_files(path),
        "rows",
        prompts_of(tokenizer),
        TokenRules(128),
        tmp_path / "tokens",
    )
    expected: dict[str, list[float]] = {}
    for number, name in enumerate(tokens.rows["id"]):
        ids, labels = map(torch.from_numpy, tokens.row(number))
        with torch.inference_mode():
            likely = small(input_ids=ids[None]).logits[0].log_softmax(-1)
        expected.setdefault(name, []).extend(
            -likely[place - 1, label].item() for place, label in enumerate(labels) if label >= 0
        )
    found: dict[str, Any] = dict(record_losses(small, tokens).iter_rows())
    assert found == pytest.approx({k: math.fsum(v) / len(v) for k, v in expected.items()}, rel=1e-5)


def test_a_gain_is_significant_and_counts_items_that_share_words_with_a_row(tmp_path: Path) -> None:
    folders = [
        model(tmp_path / name, skill, tasks=(TASK,)) for name, skill in (("base", 0), ("after", 5))
    ]
    compared = compare(folders, replicates=200)
    first = questions(TASK)[0]["prompt"].splitlines()[0]
    seen = [{"instruction": "평을 옮겨 적으세요.", "input": "", "output": f"네: {first}"}]
    other = [{"instruction": "평을 옮겨 적으세요.", "input": "", "output": "본 적 없는 글입니다."}]
    for written, shared in ((seen, 1), (other, 0)):
        train = row_files(write_rows(tmp_path / f"{shared}.jsonl", written))
        (gain,) = find_gains(compared, folders[1], train)
        assert gain.shared == shared
    answers = {one.model: one.score * gain.items for one in compared.cells if one.metric == "acc"}
    assert [gain.before, gain.after] == pytest.approx([answers["base"], answers["after"]])
    assert gain.p < 0.05
    assert find_gains(compare(folders[::-1], replicates=200), folders[0], train) == []
