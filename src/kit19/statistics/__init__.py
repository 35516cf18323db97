"""Metrics, confidence intervals, paired tests and constant answers. Numbers in, numbers out."""

from kit19.statistics.constant import AnswerSummary, explain_published, summarize_answers
from kit19.statistics.intervals import (
    REPLICATES,
    Replicates,
    bootstrap_p_value,
    interval,
    paired_replicates,
    replicates,
    wilson,
)
from kit19.statistics.metrics import KEYS, confusion, constant_scores, metric
from kit19.statistics.paired import detectable, detectable_shift, holm, mcnemar

__all__ = [
    "KEYS",
    "REPLICATES",
    "AnswerSummary",
    "Replicates",
    "bootstrap_p_value",
    "confusion",
    "constant_scores",
    "detectable",
    "detectable_shift",
    "explain_published",
    "holm",
    "interval",
    "mcnemar",
    "metric",
    "paired_replicates",
    "replicates",
    "summarize_answers",
    "wilson",
]
