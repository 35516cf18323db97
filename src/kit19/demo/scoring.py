"""How a model answers held-out rows: whether in the right form, and whether right.

Only rows whose answer is one of a few that their template can give (예/아니요, 긍정/부정 …) are scored:
there the right form and the right answer are known without a judge. This is a look at training,
not an evaluation: benchmarks are `kit19 eval`'s.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from kit19.chatting.answering import ChatModel
from kit19.training.rows.files import RowFiles

_FEW = 6  # answers that a template may give and still be scored
_Z = 1.959964  # of a normal distribution, 95% two-sided
_BY = ("subset", "template")


@dataclass(frozen=True)
class Score:
    """Answers to n rows.

    Attributes:
        name: A task, or ``all``.
        rows: How many.
        form: Of these, answers that are one of those that the template can give.
        right: Of these, the right one.
        majority: How many would be right if each template's commonest training answer were given.
    """

    name: str
    rows: int
    form: int
    right: int
    majority: int

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% Wilson interval of the share that is right."""
        return wilson(self.right, self.rows)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95% Wilson interval of a share; (0, 1) without any row."""
    if not count:
        return 0.0, 1.0
    share, z2 = hits / count, _Z * _Z
    middle = share + z2 / (2 * count)
    wide = _Z * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    below = 1 + z2 / count
    return max(0.0, (middle - wide) / below), min(1.0, (middle + wide) / below)


def scorable_rows(train: RowFiles, validation: RowFiles, most: int) -> pl.DataFrame:
    """Held-out rows that can be scored, one a record.

    ``choices`` are the answers that the row's template gives in training, ``commonest`` the first.

    Args:
        train: Training rows; from them it is known which answers a template gives.
        validation: Held-out rows.
        most: Rows at most; the first in order.
    """
    counts = pl.concat(
        [b.filter(pl.col("label") != "").select(*_BY, "output") for b in train.batches()]
    ).group_by(*_BY, "output", maintain_order=True)
    by_count = counts.len().sort("len", descending=True, maintain_order=True)
    choices = by_count.group_by(_BY, maintain_order=True).agg(
        choices=pl.col("output"), commonest=pl.col("output").first()
    )
    few = choices.filter(pl.col("choices").list.len().is_between(2, _FEW))
    held_out = pl.concat(list(validation.batches()))
    joined = held_out.join(few, on=_BY, how="inner", maintain_order="left")
    scored = joined.filter(pl.col("output").is_in(pl.col("choices")))
    # Further views of a record say the same again: counted, they would narrow the interval for nothing.
    return scored.unique("id", keep="first", maintain_order=True).head(most)


def score(model: ChatModel, rows: pl.DataFrame) -> list[Score]:
    """Scores of each task and of ``all``, for rows of ``scorable_rows``."""
    asked = [model.prompts.ask(*pair) for pair in rows.select("instruction", "input").iter_rows()]
    longest = max(map(len, model.prompts.encode([*rows["output"]])), default=1)
    answers = [answer.strip() for answer in model.answers(asked, max_new_tokens=longest + 4)]
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
