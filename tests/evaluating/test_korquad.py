"""KorQuAD 1.0: exact match and F1 of its official script."""

from __future__ import annotations

import json
import re
import string
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19.evaluating.korquad import character_f1, exact_match, normalize_answer
from tests.support.invoking import invoke


@pytest.mark.parametrize(
    ("prediction", "answer", "match", "f1"),
    [
        ("《태백산맥》", "태백산맥", 1, 1),
        ("‘A-1’ (호)", "a1 호", 1, 1),
        ("1997년", "1997년에", 0, 2 * 1 * (5 / 6) / (1 + 5 / 6)),
        ("서울 시", "서울시", 0, 1),
        ("부산", "서울", 0, 0),
        ("", "서울", 0, 0),
        ("“서울”", "서울", 0, 2 * 0.5 * 1 / 1.5),
    ],
)
def test_scores_of_an_answer(prediction: str, answer: str, match: float, f1: float) -> None:
    assert exact_match(prediction, answer) == match
    assert character_f1(prediction, answer) == pytest.approx(f1)


def _slow_f1(prediction: str, answer: str) -> float:
    """The definition, letter by letter."""

    def letters(text: str) -> list[str]:
        blanked = re.sub("['\"《》<>〈〉()‘’]", " ", text).lower()
        return [one for one in blanked if one not in string.punctuation and not one.isspace()]

    found, wanted = letters(prediction), letters(answer)
    shared = sum((Counter(found) & Counter(wanted)).values())
    return 2 * shared / (len(found) + len(wanted)) if shared else 0.0


TEXTS = st.text("가나다 aB1.,-'\"《》()‘’", max_size=12)


@given(TEXTS, TEXTS)
def test_f1_is_that_of_the_definition(prediction: str, answer: str) -> None:
    f1 = character_f1(prediction, answer)
    assert f1 == pytest.approx(_slow_f1(prediction, answer))
    assert f1 == character_f1(answer, prediction)
    assert normalize_answer(normalize_answer(answer)) == normalize_answer(answer)
    if exact_match(prediction, answer):
        assert f1 == 1 or not normalize_answer(answer)


def test_the_task_is_scored_on_the_sample(model_of: Callable[..., Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = invoke(
        *("eval", str(model_of()), "--out", str(out), "--tasks", "korquad", "--limit", "2"),
        *("--sample", "--device", "cpu", "--dtype", "float32"),
    )
    assert ran.code == 0, ran.err
    lines = (out / "samples_korquad.jsonl").read_text("utf-8").splitlines()
    samples = [json.loads(line) for line in lines]
    scores = json.loads((out / "results.json").read_text("utf-8"))["results"]["korquad"]
    assert len(samples) == 2
    for one in samples:
        assert one["arguments"][0][0].endswith(f"질문: {one['doc']['question']}\n답:")
        assert one["target"] == one["doc"]["answer"]
    found = [character_f1(one["resps"][0][0], one["target"]) for one in samples]
    assert scores["f1,none"] == pytest.approx(sum(found) / 2)
