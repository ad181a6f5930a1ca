"""Intervals by resampling groups of images whole: pictures of one lesion depend on each other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_models.metrics import Floats, Ints, Scored

RESAMPLES = 1000
LEVEL = 0.95
SEED = 20
Interval = list[float] | None


def weights(groups: Ints, resamples: int = RESAMPLES, seed: int = SEED) -> Iterator[Floats]:
    """For each resample, how often each image counts: groups int [n] in 0..k-1, drawn with replacement."""
    rng = np.random.default_rng(seed)
    count = int(groups.max()) + 1 if len(groups) else 0
    for _ in range(resamples if count else 0):
        drawn = np.bincount(rng.integers(count, size=count), minlength=count)
        yield drawn[groups].astype(np.float64)


def number(names: Sequence[str]) -> Ints:
    """Groups as numbers from 0 in the order of their names; an empty name is a group of its own."""
    unique = [name or f"\0{i}" for i, name in enumerate(names)]
    return np.unique(np.array(unique, dtype=object), return_inverse=True)[1].astype(np.int64)


def interval(values: Sequence[float | None]) -> Interval:
    """The middle 95 % of the resampled figures, None where no resample defines the figure."""
    known = [value for value in values if value is not None and np.isfinite(value)]
    if not known:
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return [float(low), float(high)]


@dataclass(frozen=True)
class _Ranking:
    """One score in order, ready to be weighed again and again; `starts` begin runs of equal scores."""

    order: Ints
    starts: Ints
    positive: NDArray[np.bool_]

    @classmethod
    def of(cls, scores: Floats, positive: NDArray[np.bool_]) -> "_Ranking":
        order = np.argsort(-scores, kind="stable")
        starts = np.flatnonzero(np.diff(scores[order], prepend=np.inf) != 0).astype(np.int64)
        return cls(order.astype(np.int64), starts, positive[order])

    def rates(self, weight: Floats) -> tuple[Floats, Floats] | None:
        """Weight of positives and of negatives in each run of equal scores, from the highest score down."""
        ordered = weight[self.order]
        hits = np.add.reduceat(np.where(self.positive, ordered, 0.0), self.starts)
        alarms = np.add.reduceat(np.where(self.positive, 0.0, ordered), self.starts)
        return (hits, alarms) if hits.sum() and alarms.sum() else None

    def auc(self, weight: Floats) -> float | None:
        rates = self.rates(weight)
        if rates is None:
            return None
        hits, alarms = rates
        below = alarms.sum() - np.cumsum(alarms)
        return float((hits * (below + alarms / 2.0)).sum() / (hits.sum() * alarms.sum()))

    def sensitivity(self, weight: Floats, specificity: float) -> float | None:
        rates = self.rates(weight)
        if rates is None:
            return None
        hits, alarms = rates
        allowed = (1.0 - specificity) * alarms.sum() + 1e-9
        found = np.where(np.cumsum(alarms) <= allowed, np.cumsum(hits), 0.0)
        return float(found.max() / hits.sum())


def sensitivity_at(
    scores: Floats, positive: NDArray[np.bool_], specificity: float, weight: Floats | None = None
) -> float | None:
    """The highest sensitivity of any threshold that spares at least this share of the negatives."""
    if not len(scores):
        return None
    return _Ranking.of(scores, positive).sensitivity(
        np.ones(len(scores)) if weight is None else weight, specificity
    )


def view_intervals(scored: Scored, groups: Ints, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Intervals of accuracy, balanced accuracy, macro AUC and each class's recall."""
    n, k = len(scored.labels), len(scored.classes)
    names = ("accuracy", "balanced_accuracy", "macro_auc")
    collected: dict[str, list[float | None]] = {name: [] for name in names}
    recalls: dict[str, list[float | None]] = {name: [] for name in scored.classes}
    if n:
        cells = scored.labels * k + scored.probabilities.argmax(axis=1)
        rankings = [
            _Ranking.of(scored.probabilities[:, i], scored.labels == i)
            for i in range(k)
            if (scored.labels == i).any()
        ]
        for weight in weights(groups, resamples):
            matrix = np.bincount(cells, weights=weight, minlength=k * k).reshape(k, k)
            support, hits = matrix.sum(axis=1), np.diag(matrix)
            each = [float(hits[i] / support[i]) if support[i] else None for i in range(k)]
            known = [value for value in each if value is not None]
            areas = [area for ranking in rankings if (area := ranking.auc(weight)) is not None]
            collected["accuracy"].append(float(hits.sum() / matrix.sum()))
            collected["balanced_accuracy"].append(float(np.mean(known)))
            collected["macro_auc"].append(float(np.mean(areas)) if areas else None)
            for name, value in zip(scored.classes, each, strict=True):
                recalls[name].append(value)
    result: dict[str, Any] = {name: interval(values) for name, values in collected.items()}
    result["recall"] = {name: interval(values) for name, values in recalls.items()}
    return result


def sensitivity_intervals(
    scores: Floats, positive: NDArray[np.bool_], specificities: Sequence[float], groups: Ints
) -> list[Interval]:
    if not len(scores):
        return [None for _ in specificities]
    ranking = _Ranking.of(scores, positive)
    rows = [[ranking.sensitivity(weight, each) for each in specificities] for weight in weights(groups)]
    return [interval([row[i] for row in rows]) for i in range(len(specificities))]


def mean_interval(values: Floats) -> Interval:
    """Interval of the mean of independent values [n]."""
    if not len(values):
        return None
    rng = np.random.default_rng(SEED)
    drawn = rng.integers(len(values), size=(RESAMPLES, len(values)))
    return interval(values[drawn].mean(axis=1).tolist())
