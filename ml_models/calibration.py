"""Temperature and decision thresholds, fitted on validation figures and stored in the release."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ml_models import metrics
from ml_models.data import DataError
from ml_models.decision import Thresholds, decide
from ml_models.taxonomy import CODES, SUSPICIOUS, ImageType, Urgency

SOON_SENSITIVITY = 0.95
URGENT_SPECIFICITY = 0.95
REFUSED_SHARE = 0.015
_SUSPICIOUS_COLUMNS = [i for i, code in enumerate(CODES) if code in SUSPICIOUS]


def fit_temperature(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The temperature in [0.25, 4] with the least log loss, by golden section on its logarithm."""
    low, high = np.log(0.25), np.log(4.0)
    ratio = (np.sqrt(5.0) - 1.0) / 2.0

    def loss(log_temperature: float) -> float:
        return metrics.log_loss(metrics.softmax(logits / np.exp(log_temperature)), labels)

    while high - low > 1e-4:
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        if loss(a) < loss(b):
            high = b
        else:
            low = a
    return round(float(np.exp((low + high) / 2.0)), 4)


def threshold_for_sensitivity(
    scores: NDArray[np.float64], positive: NDArray[np.bool_], sensitivity: float
) -> float:
    """The highest threshold t at which `scores >= t` finds at least this share of the positives."""
    ordered = np.sort(scores[positive])[::-1]
    needed = int(np.ceil(sensitivity * len(ordered) - 1e-9))
    return float(ordered[max(needed, 1) - 1])


def threshold_for_specificity(
    scores: NDArray[np.float64], positive: NDArray[np.bool_], specificity: float
) -> float:
    """The lowest threshold t at which `scores >= t` spares at least this share of the negatives."""
    ordered = np.sort(scores[~positive])
    spared = int(np.ceil(specificity * len(ordered) - 1e-9))
    return float(np.nextafter(ordered[max(spared, 1) - 1], np.inf))


def fit_thresholds(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> Thresholds:
    """Thresholds by the three rules above, on calibrated validation probabilities [n, 8] in CODES order.

    Rounded to the safe side: `soon` down, `entropy` up. `urgent` never lies below `soon`. Raises DataError
    unless there are both malignant or pre-cancer images and others.
    """
    sums = probabilities[:, _SUSPICIOUS_COLUMNS].sum(axis=1)
    positive = np.isin(labels, _SUSPICIOUS_COLUMNS)
    if positive.all() or not positive.any():
        raise DataError("Thresholds need malignant or pre-cancer images as well as others.")
    soon = _round(threshold_for_sensitivity(sums, positive, SOON_SENSITIVITY), math.floor)
    urgent = _round(threshold_for_specificity(sums, positive, URGENT_SPECIFICITY), math.ceil)
    urgent = max(urgent, soon)
    refusable = np.sort(metrics.entropy(probabilities)[sums < urgent])[::-1]
    allowed = int(REFUSED_SHARE * len(labels))
    limit = float(refusable[allowed]) if allowed < len(refusable) else math.log(len(CODES))
    return Thresholds(urgent=urgent, soon=soon, entropy=_round(limit, math.ceil))


def _round(value: float, how: Callable[[float], int]) -> float:
    return how(value * 10_000) / 10_000


def describe(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], thresholds: Thresholds
) -> dict[str, float | int | None]:
    """What the thresholds give on a split: share of each level, sensitivity and specificity of the two."""
    sums = probabilities[:, _SUSPICIOUS_COLUMNS].sum(axis=1)
    positive = np.isin(labels, _SUSPICIOUS_COLUMNS)
    levels = [
        decide(dict(zip(CODES, row, strict=True)), ImageType.DERMATOSCOPIC, thresholds)[0]
        for row in probabilities.tolist()
    ]
    figures: dict[str, float | int | None] = {"n": len(labels)}
    for level in Urgency:
        figures[f"share_{level}"] = _share(np.array([each is level for each in levels]))
    figures["soon_sensitivity"] = _share(sums[positive] >= thresholds.soon)
    figures["soon_specificity"] = _share(sums[~positive] < thresholds.soon)
    figures["urgent_sensitivity"] = _share(sums[positive] >= thresholds.urgent)
    figures["urgent_specificity"] = _share(sums[~positive] < thresholds.urgent)
    return figures


def _share(chosen: NDArray[np.bool_]) -> float | None:
    return round(float(chosen.mean()), 4) if len(chosen) else None


CONFORMAL_COVERAGE = 0.9


def set_sizes(
    probabilities: NDArray[np.float64], calibration_rows: NDArray[np.float64], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Sizes of the conformal sets of `probabilities` [n, 8]: the likeliest classes until their sum reaches
    what nine tenths of the labelled `calibration_rows` need to hold the right class (Romano et al. 2020).
    """
    ordered = np.sort(calibration_rows, axis=1)[:, ::-1].cumsum(axis=1)
    ranks = (-calibration_rows).argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    needed = np.sort(ordered[np.arange(len(labels)), ranks[np.arange(len(labels)), labels]])
    level = needed[min(len(needed) - 1, math.ceil(CONFORMAL_COVERAGE * (len(needed) + 1)) - 1)]
    sums = np.sort(probabilities, axis=1)[:, ::-1].cumsum(axis=1)
    sizes: NDArray[np.float64] = 1.0 + (sums < level - 1e-12).sum(axis=1).astype(np.float64)
    return sizes


def compare_uncertainties(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64]
) -> dict[str, float | None]:
    """Mean risk over all coverages (less is better) if the most uncertain images are left out first.

    Of `val`; the conformal level comes from its even images and the sizes of the odd ones from that, so every
    measure is compared on the odd images.
    """
    even, odd = slice(0, None, 2), slice(1, None, 2)
    wrong = (probabilities[odd].argmax(axis=1) != labels[odd]).astype(np.float64)
    uncertainties = {
        "entropy (released)": metrics.entropy(probabilities[odd]),
        "1 - top probability": 1.0 - probabilities[odd].max(axis=1),
        "conformal set size": set_sizes(probabilities[odd], probabilities[even], labels[even]),
    }
    return {
        name: metrics.risk_coverage(uncertainty, wrong, (1.0,))["area"]
        for name, uncertainty in uncertainties.items()
    }
