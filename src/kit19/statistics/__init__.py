"""What scores mean: metrics, intervals, paired tests, constant answers. Numbers in, numbers out."""

from kit19.statistics.bootstrap import (
    REPLICATES,
    Replicates,
    interval,
    paired_replicates,
    replicates,
    shift_p,
)
from kit19.statistics.constant import Answers, answers_of, explain_published
from kit19.statistics.intervals import wilson
from kit19.statistics.metrics import KEYS, confusion, constant_scores, metric
from kit19.statistics.paired import detectable, detectable_shift, holm, mcnemar

__all__ = [
    "KEYS",
    "REPLICATES",
    "Answers",
    "Replicates",
    "answers_of",
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
    "shift_p",
    "wilson",
]
