"""Score a model's answers to held-out rows: their form, and whether they are correct.

Only rows whose template has a few possible answers (예/아니요, 긍정/부정 …) are scored: there the
form and the correct answer need no judge. This illustrates training and is not an evaluation; use
`kit19 eval` for benchmarks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from kit19.chatting.answering import ChatModel
from kit19.statistics import wilson
from kit19.training.rows.files import RowSource

_MAX_CHOICES = 6  # a template with more possible answers is not scored
_KEYS = ("subset", "template")


@dataclass(frozen=True)
class Score:
    """The score of answers to n rows.

    Attributes:
        name: A task, or ``all``.
        rows: The number of rows.
        form: Answers that are among the template's possible answers.
        right: Correct answers.
        majority: Rows whose correct answer is the most frequent training answer of their template.
    """

    name: str
    rows: int
    form: int
    right: int
    majority: int

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% Wilson interval of the share of correct answers; (0, 1) without rows."""
        return wilson(self.right, self.rows) if self.rows else (0.0, 1.0)

    @property
    def beats_majority(self) -> bool:
        """Whether the most frequent answer's share of correct answers is below the interval."""
        return self.interval[0] > self.majority / max(self.rows, 1)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts and the interval as a JSON-serializable dict."""
        low, high = self.interval
        return {
            "rows": self.rows,
            "form": self.form,
            "right": self.right,
            "interval": [round(low, 4), round(high, 4)],
            "majority": self.majority,
        }


def scorable_rows(train: RowSource, validation: RowSource, limit: int) -> pl.DataFrame:
    """Held-out rows that can be scored, one per record.

    ``choices`` are the answers of the row's template in training, ``commonest`` the most frequent of
    them.

    Args:
        train: Training rows, which show the possible answers of each template.
        validation: Held-out rows.
        limit: The most rows; the first in order are used.
    """
    counts = pl.concat(
        [b.filter(pl.col("label") != "").select(*_KEYS, "output") for b in train.batches()]
    ).group_by(*_KEYS, "output", maintain_order=True)
    by_count = counts.len().sort("len", descending=True, maintain_order=True)
    choices = by_count.group_by(_KEYS, maintain_order=True).agg(
        choices=pl.col("output"), commonest=pl.col("output").first()
    )
    scorable = choices.filter(pl.col("choices").list.len().is_between(2, _MAX_CHOICES))
    held_out = pl.concat(list(validation.batches()))
    joined = held_out.join(scorable, on=_KEYS, how="inner", maintain_order="left")
    scored = joined.filter(pl.col("output").is_in(pl.col("choices")))
    # Further views of a record add no information: counted, they would make the interval too narrow.
    return scored.unique("id", keep="first", maintain_order=True).head(limit)


def score(model: ChatModel, rows: pl.DataFrame) -> list[Score]:
    """Score a model on rows of ``scorable_rows``: each task, and ``all``."""
    prompts = [model.prompts.ask(*pair) for pair in rows.select("instruction", "input").iter_rows()]
    longest = max(map(len, model.prompts.encode([*rows["output"]])), default=1)
    answers = [answer.strip() for answer in model.answers(prompts, max_new_tokens=longest + 4)]
    marked = rows.with_columns(answer=pl.Series(answers, dtype=pl.String)).with_columns(
        form=pl.col("answer").is_in(pl.col("choices")),
        right=pl.col("answer") == pl.col("output"),
        majority=pl.col("commonest") == pl.col("output"),
    )
    tasks = sorted(set(rows["task"]))
    return [_score(task, marked.filter(pl.col("task") == task)) for task in tasks] + [
        _score("all", marked)
    ]


def _score(name: str, rows: pl.DataFrame) -> Score:
    sums: Sequence[int] = rows.select(pl.col("form", "right", "majority").sum()).row(0)
    return Score(name, rows.height, *sums)
