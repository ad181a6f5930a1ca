"""Age, sex and body site as a second input: what they say about the classes is added to the logits.

Without TensorFlow, so that whoever serves may use it. What is not known adds nothing: with all three missing
the answer is the image's alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_models import metrics
from ml_models.taxonomy import CODES, LOCALIZATIONS

# Lower ends of the age groups in years; children are few in the data and belong to the first.
AGES = (0, 20, 30, 40, 50, 60, 70, 80)
SEXES = ("female", "male")
SITES = tuple(site for site in LOCALIZATIONS if site != "unknown")
NAMES: tuple[str, ...] = (
    *(f"age {age}+" for age in AGES),
    *(f"sex {sex}" for sex in SEXES),
    *(f"site {site}" for site in SITES),
)
COLUMNS: Mapping[str, slice] = {
    "age": slice(0, len(AGES)),
    "sex": slice(len(AGES), len(AGES) + len(SEXES)),
    "site": slice(len(AGES) + len(SEXES), len(NAMES)),
}


def encode(age: float | None, sex: str | None, site: str | None) -> NDArray[np.float64]:
    """Float [24]: a one in each of the three groups that is known, in the order of NAMES."""
    row = np.zeros(len(NAMES))
    if age is not None and age >= 0:
        row[sum(age >= low for low in AGES) - 1] = 1.0
    for name in (f"sex {sex}", f"site {site}"):
        if name in NAMES:
            row[NAMES.index(name)] = 1.0
    return row


@dataclass(frozen=True)
class Adjustment:
    """`weights` float [24, 8]: what each answer adds to the logarithms of the calibrated probabilities."""

    weights: NDArray[np.float64]

    def apply(self, probabilities: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities [n, 8] of the image alone and encoded answers [n, 24] -> probabilities [n, 8]."""
        result = probabilities * np.exp(rows @ self.weights)
        shares: NDArray[np.float64] = result / result.sum(axis=1, keepdims=True)
        return shares

    def to_json(self) -> dict[str, Any]:
        return {
            "classes": list(CODES),
            "weights": dict(zip(NAMES, self.weights.round(4).tolist(), strict=True)),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Adjustment":
        """Raises KeyError or ValueError where classes or answers are not ours."""
        if tuple(content["classes"]) != CODES or set(content["weights"]) != set(NAMES):
            raise ValueError("The metadata's classes or answers are of another version.")
        return cls(np.array([content["weights"][name] for name in NAMES], dtype=np.float64))


def fit(
    rows: NDArray[np.float64],
    labels: NDArray[np.int64],
    *,
    seed: int = 2026,
    steps: int = 600,
    rate: float = 0.5,
    dropped: float = 0.3,
    penalty: float = 2e-4,
) -> Adjustment:
    """What the answers alone say beyond how common each class is: a linear model on a training split.

    Each group of answers is dropped at random in every step, so that none leans on another being there.
    """
    rng = np.random.default_rng(seed)
    counts = np.bincount(labels, minlength=len(CODES)).astype(np.float64)
    prior = np.log(np.maximum(counts, 0.5) / counts.sum())
    target = np.eye(len(CODES))[labels]
    weights, velocity = np.zeros((len(NAMES), len(CODES))), np.zeros((len(NAMES), len(CODES)))
    for _ in range(steps):
        seen = rows.copy()
        for columns in COLUMNS.values():
            seen[:, columns] *= rng.random((len(rows), 1)) >= dropped
        error = metrics.softmax(prior + seen @ weights) - target
        velocity = 0.9 * velocity + seen.T @ error / len(rows) + penalty * weights
        weights -= rate * velocity
    return Adjustment(weights)


def scaled(adjustment: Adjustment, scale: float) -> Adjustment:
    """The adjustment with all its weights times `scale`: 0 is none."""
    return Adjustment(adjustment.weights * scale)


def encode_all(people: Sequence[tuple[float | None, str | None, str | None]]) -> NDArray[np.float64]:
    """Float [n, 24] of (age, sex, site), at least one."""
    return np.stack([encode(*person) for person in people])
