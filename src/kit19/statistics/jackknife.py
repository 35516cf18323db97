"""Standard errors of scores of clustered items and of several runs, by the jackknife.

The unit is a cluster of items, or an item where items are independent. A score of G units has G
pseudo-values, ``G θ − (G − 1) θ₍₋g₎`` (Tukey 1958, Annals of Mathematical Statistics 29; for a mean of
single items they are the items' values), and their variance over G estimates the variance of the score.
With clusters as units this is the cluster-robust variance that deletes one cluster at a time (CV3),
which together with Student's t with G − 1 degrees of freedom is reliable for few clusters too
(MacKinnon, Nielsen and Webb 2023, Journal of Econometrics 232(2); Bell and McCaffrey 2002, Survey
Methodology 28(2)).

Runs of a model (training seeds) and units are crossed: a run affects every unit. The variance of the
mean over both is then that of two-way random effects: the variance over units, plus the variance over
runs, less the residual's, which is in both (Brennan 2001, Generalizability theory, chapter 3; Cameron,
Gelbach and Miller 2011, Journal of Business and Economic Statistics 29(2)). Repeated answers of one run
to an item are averaged first; their noise is in the variance over items (Miller 2024, Adding error bars
to evals, arXiv 2411.00640, section 3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kit19.statistics.intervals import wilson
from kit19.statistics.metrics import Counts, Floats, metric
from kit19.statistics.student import t_p_value, t_quantile


@dataclass(frozen=True)
class Part:
    """The pseudo-values of one model on one task.

    Attributes:
        values: (units, runs). Their mean is the score, exactly for means of items, and except for
            the jackknife's correction of its bias for other metrics.
        weight: The task's weight in the group whose score is computed; 1 for a task alone.
    """

    values: Floats
    weight: float = 1.0


@dataclass(frozen=True)
class Spread:
    """The variance of a score, or of a difference, and where it comes from.

    Attributes:
        units: Variance because other items (clusters) could have been drawn; the noise of single
            answers is included.
        runs: Variance because other runs could have been made; 0 for single runs.
        freedom: Degrees of freedom of their sum (Satterthwaite 1946, Biometrics Bulletin 2(6)).
    """

    units: float
    runs: float
    freedom: float

    @property
    def variance(self) -> float:
        """The variance."""
        return self.units + self.runs

    def interval(self, center: float, level: float = 0.95) -> tuple[float, float]:
        """Student's t interval around a score or difference."""
        half = t_quantile((1 + level) / 2, self.freedom) * math.sqrt(self.variance)
        return center - half, center + half

    def p_value(self, center: float) -> float:
        """Two-sided p-value of zero; 1 if the difference is 0 and does not vary."""
        if self.variance > 0:
            return t_p_value(center / math.sqrt(self.variance), self.freedom)
        return 1.0 if abs(center) < 1e-12 else 0.0


def mean_pseudo_values(sums: Floats, counts: Floats) -> Floats:
    """Pseudo-values of a mean over the items of all units.

    Args:
        sums: (units, runs) the sum of each unit's items.
        counts: (units,) the number of each unit's items.

    Returns:
        (units, runs). If every unit is one item, the items' values.
    """
    units, total = len(counts), counts.sum()
    complete = sums.sum(axis=0) / total
    if units == 1:
        return np.asarray(sums / total)
    without = (sums.sum(axis=0) - sums) / (total - counts)[:, None]
    return np.asarray(units * complete - (units - 1) * without)


def metric_pseudo_values(name: str, confusions: Counts) -> Floats:
    """Pseudo-values of a metric of confusion matrices.

    Args:
        name: See ``metric``.
        confusions: (units, classes, classes) the confusion matrix of each unit.

    Returns:
        (units,)
    """
    units, total = len(confusions), confusions.sum(axis=0)
    complete = float(metric(name, total))
    if units == 1:
        return np.array([complete])
    return np.asarray(units * complete - (units - 1) * metric(name, total - confusions))


def spread(model: Sequence[Part], base: Sequence[Part] | None = None) -> Spread:
    """The variance of a weighted sum of scores, or of its difference to another model's.

    Args:
        model: The tasks of the sum. Every task must have at least two units.
        base: The same tasks and units of the model to subtract; its number of runs may differ.
    """
    variances, freedoms = [], []
    for place, part in enumerate(model):
        each = part.values.mean(axis=1)
        if base is not None:
            each = each - base[place].values.mean(axis=1)
        variances.append(part.weight**2 * float(each.var(ddof=1)) / len(each))
        freedoms.append(len(each) - 1)
    runs = 0.0
    for parts in (model, base or ()):
        if parts and parts[0].values.shape[1] > 1:
            observed, beyond = _run_variance(parts)
            runs += beyond
            # The degrees of freedom are those of the observed variance, before the residual is taken
            # off.
            variances.append(observed)
            freedoms.append(parts[0].values.shape[1] - 1)
    units = sum(variances[: len(model)])
    total = units + runs
    denominator = sum(
        variance**2 / freedom for variance, freedom in zip(variances, freedoms, strict=True)
    )
    freedom = total**2 / denominator if denominator > 0 else float(max(freedoms))
    return Spread(units, runs, max(1.0, freedom))


def _run_variance(parts: Sequence[Part]) -> tuple[float, float]:
    """The variance of the mean over runs: as observed, and without the residual of units and runs."""
    runs = parts[0].values.shape[1]
    scores = sum(part.weight * part.values.mean(axis=0) for part in parts)
    observed = float(np.var(scores, ddof=1)) / runs
    residual = 0.0
    for part in parts:
        units = len(part.values)
        rest = (
            part.values
            - part.values.mean(axis=1, keepdims=True)
            - part.values.mean(axis=0)
            + part.values.mean()
        )
        mean_square = float((rest**2).sum()) / ((units - 1) * (runs - 1))
        residual += part.weight**2 * mean_square / (units * runs)
    return observed, max(0.0, observed - residual)


def share_interval(share: float, found: Spread, units: int) -> tuple[float, float]:
    """An interval of a share whose items are clustered, or of several runs.

    Wilson's interval with the effective number of items, ``share (1 − share) / variance``, and the t
    quantile (Dean and Pagano 2015, Journal of Survey Statistics and Methodology 3(4); Franco, Little,
    Louis and Slud 2019, ibid. 7(3)). If all items are right or wrong, the number of units is used.

    Args:
        share: From 0 to 1.
        found: The share's variance.
        units: Number of clusters, or of items.
    """
    apart = share * (1 - share)
    effective = apart / found.variance if found.variance > 0 and apart > 0 else float(units)
    return wilson(share * effective, effective, t_quantile(0.975, found.freedom))
