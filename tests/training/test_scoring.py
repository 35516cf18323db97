"""Scores of held-out rows, loss curves and model cards."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19.chatting.generation import until_stop
from kit19.core.runs import BaseModelEntry, DataEntry, RunRecord
from kit19.demo.scoring import Score, scorable_rows, score
from kit19.training.run.curves import curves_of, draw
from kit19.training.run.model_card import model_card
from tests.support.small_models import row_files, write_rows


def labelled(number: int, output: str, template: str = "ask") -> dict[str, str]:
    return {
        "id": f"a/{number}",
        "task": "nli",
        "subset": "a",
        "template": template,
        "instruction": "물음",
        "input": str(number),
        "output": output,
        "label": "x",
    }


def test_rows_of_templates_with_few_answers_are_scored(tmp_path: Path) -> None:
    train = [labelled(n, "예" if n % 3 else "아니요") for n in range(9)]
    train += [labelled(n, f"글 {n}", "write") for n in range(9)]
    held_out = [labelled(20, "예"), labelled(20, "아니요"), labelled(21, "글", "write")]
    held_out += [labelled(22, "모름"), labelled(23, "아니요")]
    found = scorable_rows(
        row_files(write_rows(tmp_path / "train.jsonl", train)),
        row_files(write_rows(tmp_path / "held_out.jsonl", held_out)),
        10,
    )
    # One row per record, and only rows whose correct answer occurs in training.
    assert found["id"].to_list() == ["a/20", "a/23"]
    assert found["commonest"].to_list() == ["예", "예"]
    assert set(found["choices"][0]) == {"예", "아니요"}


class Parrot:
    """Returns given answers."""

    def __init__(self, answers: list[str]) -> None:
        self.said = answers
        self.prompts: Any = self

    def ask(self, instruction: str, text: str) -> str:
        return instruction + text

    def encode(self, texts: list[str]) -> list[list[int]]:
        return [[0] * len(text) for text in texts]

    def answers(self, _asked: list[str], **_: int) -> list[str]:
        return self.said


def test_form_and_correct_answers_are_counted() -> None:
    rows = pl.DataFrame([labelled(n, "예") for n in range(4)]).with_columns(
        choices=pl.lit(["예", "아니요"], dtype=pl.List(pl.String)), commonest=pl.lit("예")
    )
    model: Any = Parrot(["예", " 예 ", "아니요", "글쎄"])
    task, whole = score(model, rows)
    assert (task.name, whole.name) == ("nli", "all")
    assert (whole.rows, whole.form, whole.right, whole.majority) == (4, 3, 2, 4)


def test_wilson_intervals_equal_published_ones() -> None:
    # Newcombe 1998, table I: 81 of 263.
    low, high = Score("nli", 263, 263, 81, 0).interval
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert Score("nli", 0, 0, 0, 0).interval == (0, 1)


@given(st.integers(1, 500), st.data())
def test_an_interval_holds_its_share(count: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, count))
    low, high = Score("nli", count, count, hits, 0).interval
    assert 0 <= low <= hits / count + 1e-12
    assert hits / count - 1e-12 <= high <= 1


@given(st.text("ab#\n", max_size=12), st.data())
def test_streamed_text_stops_where_the_complete_text_does(text: str, data: st.DataObject) -> None:
    stops = ["\n\n#", "b#"]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    cut = min((text.find(stop) for stop in stops if stop in text), default=len(text))
    assert "".join(until_stop(pieces, stops, "")) == text[:cut]


def test_the_space_of_a_format_is_not_part_of_an_answer() -> None:
    assert list(until_stop([" ", "예"], [], " ")) == ["예"]
    assert "".join(until_stop([" 예", " 예"], ["###"], " ")) == "예 예"


def test_curves_keep_the_first_of_two_at_one_step() -> None:
    history = [
        {"step": 2, "loss": 2.0, "learning_rate": 0.1, "epoch": 1.0},
        {"step": 2, "eval_loss": 3.0, "eval_nli_loss": 4.0},
        {"step": 2, "eval_loss": 1.0, "train_runtime": 5.0},
    ]
    assert curves_of(history) == {
        "eval_loss": [(2, 3.0)],
        "eval_nli_loss": [(2, 4.0)],
        "learning_rate": [(2, 0.1)],
        "loss": [(2, 2.0)],
    }


@pytest.mark.parametrize(
    "series", [{}, {"training": [(1, 2.0), (5, 1.0)], "held <out>": [(5, 3.0)]}]
)
def test_a_curve_is_a_picture_with_a_title(series: dict[str, list[tuple[int, float]]]) -> None:
    root = ET.fromstring(draw(series, "a & b: loss"))  # noqa: S314  our own text
    assert root.findtext("{*}title") == "a & b: loss"
    lines = root.findall("{*}polyline")
    assert len(lines) == len(series)
    for line in lines:
        places = [pair.split(",") for pair in line.attrib["points"].split()]
        assert all(0 <= float(x) <= 640 and 0 <= float(y) <= 360 for x, y in places)


def record(**changes: Any) -> RunRecord:
    data = {"recipe": "paper", "subsets": {"nsmc": 5}, "licenses": ["CC-BY-NC-SA-4.0"]}
    given: dict[str, Any] = {
        "kit19_version": "1",
        "versions": {"torch": "2"},
        "base": BaseModelEntry(name="owner/name", revision="a" * 40, digest="d", architecture="X"),
        "data": DataEntry(**data, label="contaminated", why="on purpose"),
        "method": "lora",
        "format": {"id": "kullm", "prompt": "### 명령어:\n{instruction}"},
        "seed": 1,
        "settings": {"learning_rate": 0.1},
        "rows": {"read": 6, "train": 5},
        "metrics": {"eval_loss": math.pi},
    }
    return RunRecord(**{**given, **changes})


def test_a_card_names_contamination_and_licenses() -> None:
    import yaml

    card = model_card(record(), "mine")
    front = yaml.safe_load(card.split("---")[1])
    assert front["base_model"] == "owner/name"
    assert front["library_name"] == "peft"
    assert "kit19-contaminated" in front["tags"]
    assert "**CONTAMINATED**" in card
    assert "some forbid commercial use; some require that derived work" in card
    assert "| eval_loss | 3.142 |" in card
    assert "### 명령어:" in card
    assert "read 6, train 5" in card


def test_the_sample_is_never_taken_for_the_datasets() -> None:
    data = DataEntry(recipe="sample", sample=True, label="clean")
    card = model_card(record(data=data, base=BaseModelEntry(name="tiny")), "mine")
    assert "**kit19's own sample, not the datasets**" in card
    assert "trained from scratch" in card
