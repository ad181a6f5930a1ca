"""Figures from probabilities, in NumPy. Undefined is None."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_models.taxonomy import View

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def softmax(logits: Floats) -> Floats:
    """Logits [n, k] -> probabilities [n, k]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    result: Floats = powers / powers.sum(axis=1, keepdims=True)
    return result


def log_loss(probabilities: Floats, labels: Ints) -> float:
    """Mean negative logarithm, in nats, of what `probabilities` [n, k] give the right classes [n]."""
    chosen = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.clip(chosen, 1e-12, 1.0)).mean())


def entropy(probabilities: Floats) -> Floats:
    """Shannon entropy of each row in nats."""
    result: Floats = -(probabilities * np.log(np.clip(probabilities, 1e-12, 1.0))).sum(axis=-1)
    return result


def auc(scores: Floats, positive: NDArray[np.bool_]) -> float | None:
    """Area under the ROC curve by ranks, ties counted half. None when one of the sides is empty."""
    n, p = len(scores), int(positive.sum())
    if p in {0, n}:
        return None
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2.0)[inverse]
    return float((ranks[positive].sum() - p * (p + 1) / 2.0) / (p * (n - p)))


@dataclass(frozen=True)
class Scored:
    """`probabilities` float [n, k] over `classes`, `labels` int [n] into them."""

    classes: tuple[str, ...]
    probabilities: Floats
    labels: Ints


def members(view: View, other: View) -> Floats:
    """Matrix [k, m] of ones where a class of `view` lies within one of `other`, which it `sums_into`."""
    matrix = np.zeros((len(view.classes), len(other.classes)))
    for code, place in view.of.items():
        if place is not None and other.of[code] is not None:
            matrix[view.index(code), other.index(code)] = 1.0
    return matrix


def summed(probabilities: Floats, view: View, other: View) -> Floats:
    """Probabilities [n, k] over the classes of `other`, renormalised; even where nothing of them is left.

    Raises ValueError where a class would have to be torn apart.
    """
    if not view.sums_into(other):
        raise ValueError(f"The view {view.name} cannot be summed into the view {other.name}.")
    sums = probabilities @ members(view, other)
    totals = sums.sum(axis=1, keepdims=True)
    even = np.full_like(sums, 1.0 / len(other.classes))
    result: Floats = np.divide(sums, totals, out=even, where=totals > 0)
    return result


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def confusion_matrix(scored: Scored) -> Ints:
    """Rows are labels, columns are predictions by argmax: int [k, k]."""
    k = len(scored.classes)
    cells = scored.labels * k + scored.probabilities.argmax(axis=1)
    return np.bincount(cells, minlength=k * k).reshape(k, k).astype(np.int64)


def summarise(scored: Scored, *, top3: bool) -> dict[str, Any]:
    """One view of the report. Averages run over the classes with support."""
    n, k = len(scored.labels), len(scored.classes)
    if n == 0:
        scored = Scored(scored.classes, np.zeros((0, k)), np.zeros(0, dtype=np.int64))
    matrix = confusion_matrix(scored)
    support, predicted, hits = matrix.sum(axis=1), matrix.sum(axis=0), np.diag(matrix)
    per_class: dict[str, dict[str, float | int | None]] = {}
    for i, name in enumerate(scored.classes):
        per_class[name] = {
            "recall": _ratio(hits[i], support[i]),
            "precision": _ratio(hits[i], predicted[i]),
            "f1": _ratio(2 * hits[i], support[i] + predicted[i]) if support[i] else None,
            "auc": auc(scored.probabilities[:, i], scored.labels == i),
            "support": int(support[i]),
        }
    supported = [figures for figures in per_class.values() if figures["support"]]
    summary: dict[str, Any] = {
        "n": n,
        "classes": list(scored.classes),
        "accuracy": _ratio(hits.sum(), n),
        "balanced_accuracy": _mean([figures["recall"] for figures in supported]),
    }
    if top3:
        summary["top3_accuracy"] = _top_accuracy(scored, 3)
    summary["macro_auc"] = _mean([figures["auc"] for figures in supported])
    summary["per_class"] = per_class
    summary["confusion"] = matrix.tolist()
    return summary


def _top_accuracy(scored: Scored, k: int) -> float | None:
    best = np.argsort(-scored.probabilities, axis=1, kind="stable")[:, :k]
    return _ratio(int((best == scored.labels[:, None]).any(axis=1).sum()), len(scored.labels))


def expected_calibration_error(probabilities: Floats, labels: Ints, bins: int = 15) -> float | None:
    """Mean gap between the top class's probability and its accuracy over equally wide bins."""
    filled = [row for row in reliability(probabilities, labels, bins) if row["n"]] if len(labels) else []
    if not filled:
        return None
    return float(sum(row["n"] * abs(row["accuracy"] - row["confidence"]) for row in filled) / len(labels))


def risk_coverage(uncertainty: Floats, wrong: Floats, coverages: Sequence[float]) -> dict[str, Any]:
    """Risk among the most confident images, for each coverage, and the mean over all coverages (`area`).

    Images of equal uncertainty count with their mean risk, whichever comes first.
    """
    n = len(uncertainty)
    if not n:
        return {"points": [], "area": None}
    order = np.argsort(uncertainty, kind="stable")
    _, inverse, counts = np.unique(uncertainty[order], return_inverse=True, return_counts=True)
    even = (np.bincount(inverse, weights=wrong[order]) / counts)[inverse]
    risks = np.cumsum(even) / np.arange(1, n + 1)
    points = [
        {"coverage": float(share), "risk": float(risks[max(1, round(share * n)) - 1])} for share in coverages
    ]
    return {"points": points, "area": float(risks.mean())}


def reliability(probabilities: Floats, labels: Ints, bins: int = 15) -> list[dict[str, Any]]:
    """Each bin of the top probability: its bounds, images, mean probability and accuracy.

    `probabilities` [n, k] and `labels` [n], n at least 1.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    members = np.minimum((confidence * bins).astype(int), bins - 1)
    rows = []
    for i in range(bins):
        chosen = members == i
        count = int(chosen.sum())
        rows.append(
            {
                "low": i / bins,
                "high": (i + 1) / bins,
                "n": count,
                "confidence": float(confidence[chosen].mean()) if count else None,
                "accuracy": float(right[chosen].mean()) if count else None,
            }
        )
    return rows


def roc(scores: Floats, positive: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """(1 - specificity, sensitivity) at each distinct score, from the highest down."""
    if not positive.any() or positive.all():
        return []
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.diff(scores[order], append=-np.inf) != 0)
    hits, alarms = np.cumsum(positive[order])[last], np.cumsum(~positive[order])[last]
    pairs = zip((alarms / alarms[-1]).tolist(), (hits / hits[-1]).tolist(), strict=True)
    return [(0.0, 0.0), *pairs]
