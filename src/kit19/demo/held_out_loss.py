"""The loss of a model on held-out rows, and the paired difference of two models."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from kit19.statistics.student import t_p_value, t_quantile
from kit19.training.model.losses import add_answer_losses, row_losses
from kit19.training.rows.batches import Collate
from kit19.training.rows.tokens import Tokens

_AT_ONCE = 32  # sequences


@dataclass(frozen=True)
class LossChange:
    """The mean loss per answer token of held-out records, before and after training.

    Records are independent and the rows of a record are not, so the difference is paired by record:
    its interval and its p-value are those of the paired t-test.

    Attributes:
        records: The number of records.
        before: The mean of the records' losses before, in nats.
        after: The mean after.
        interval: 95%, of ``after - before``.
        p: The p-value of no difference.
    """

    records: int
    before: float
    after: float
    interval: tuple[float, float]
    p: float

    @property
    def difference(self) -> float:
        """The mean loss after minus before; negative if the model became better."""
        return self.after - self.before

    def to_dict(self) -> dict[str, Any]:
        """Return losses, interval and p-value as a JSON-serializable dict."""
        return {
            "records": self.records,
            "before": round(self.before, 4),
            "after": round(self.after, 4),
            "interval": [round(one, 4) for one in self.interval],
            "p": self.p,
        }


def record_losses(model: Any, tokens: Tokens) -> pl.DataFrame:
    """The mean loss per answer token of each record: columns id, loss.

    Args:
        model: A causal language model of transformers, in evaluation mode; see ``add_answer_losses``.
        tokens: Held-out rows.
    """
    add_answer_losses(model, own_logits=True)
    sequences = [[int(number)] for number in np.argsort(tokens.lengths, kind="stable")]
    sums = row_losses(model, tokens, sequences, Collate(pad=0), at_once=_AT_ONCE, plain=True)
    rows_of_tokens = tokens.rows.select("id").with_columns(
        sum=pl.Series(sums), count=pl.Series(tokens.supervised)
    )
    return (
        rows_of_tokens.group_by("id", maintain_order=True)
        .agg(pl.col("sum", "count").sum())
        .select("id", loss=pl.col("sum") / pl.col("count"))
    )


def loss_change(before: pl.DataFrame, after: pl.DataFrame) -> LossChange | None:
    """The paired difference of the losses of two models; None with fewer than two records.

    Args:
        before: ``record_losses`` of the model before training.
        after: ``record_losses`` of the model after it, of the same records.
    """
    both = before.join(after, on="id", suffix="_after", validate="1:1")
    differences = (both["loss_after"] - both["loss"]).to_numpy()
    records = len(differences)
    if records < 2:
        return None
    mean = float(differences.mean())
    error = float(differences.std(ddof=1)) / math.sqrt(records)
    margin = t_quantile(0.975, records - 1) * error
    t = mean / error if error else math.copysign(math.inf, mean) if mean else 0.0
    return LossChange(
        records,
        float(both["loss"].to_numpy().mean()),
        float(both["loss_after"].to_numpy().mean()),
        (mean - margin, mean + margin),
        t_p_value(t, records - 1),
    )
