"""Metrics, confidence intervals, paired tests and constant answers. Numbers in, numbers out."""

from kit19.statistics.constant import AnswerSummary, explain_published, summarize_answers
from kit19.statistics.intervals import (
    REPLICATES,
    Replicates,
    bootstrap_p_value,
    interval,
    mean_replicates,
    paired_replicates,
    replicates,
    wilson,
)
from kit19.statistics.jackknife import (
    Part,
    Spread,
    mean_pseudo_values,
    metric_pseudo_values,
    share_interval,
    spread,
)
from kit19.statistics.metrics import KEYS, confusion, constant_scores, metric
from kit19.statistics.paired import detectable, detectable_shift, holm, mcnemar
from kit19.statistics.ranks import indistinguishable, rank_intervals
from kit19.statistics.sign_flip import FEW, sign_flip
from kit19.statistics.student import t_p_value, t_quantile

__all__ = [
    "FEW",
    "KEYS",
    "REPLICATES",
    "AnswerSummary",
    "Part",
    "Replicates",
    "Spread",
    "bootstrap_p_value",
    "confusion",
    "constant_scores",
    "detectable",
    "detectable_shift",
    "explain_published",
    "holm",
    "indistinguishable",
    "interval",
    "mcnemar",
    "mean_pseudo_values",
    "mean_replicates",
    "metric",
    "metric_pseudo_values",
    "paired_replicates",
    "rank_intervals",
    "replicates",
    "share_interval",
    "sign_flip",
    "spread",
    "summarize_answers",
    "t_p_value",
    "t_quantile",
    "wilson",
]
