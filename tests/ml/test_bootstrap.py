"""Intervals that hold what they promise, and figures that agree with scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics as reference

from ml_models import bootstrap, metrics
from ml_models.metrics import Scored


def random_scores(seed: int, n: int = 240) -> tuple[metrics.Floats, metrics.Ints]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, size=n)
    probabilities = np.round(metrics.softmax(rng.normal(size=(n, 3)) + 1.2 * np.eye(3)[labels]), 2) + 1e-6
    return probabilities / probabilities.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("seed", range(4))
def test_weighed_figures_agree_with_scikit_learn(seed: int) -> None:
    probabilities, labels = random_scores(seed)
    weight = np.random.default_rng(seed).integers(0, 4, size=len(labels)).astype(np.float64)
    positive = labels == 1
    ranking = bootstrap._Ranking.of(probabilities[:, 1], positive)
    assert ranking.auc(weight) == pytest.approx(
        reference.roc_auc_score(positive, probabilities[:, 1], sample_weight=weight)
    )
    false, true, _ = reference.roc_curve(positive, probabilities[:, 1], drop_intermediate=False)
    for specificity in (0.8, 0.9):
        expected = true[false <= 1.0 - specificity + 1e-12].max()
        found = bootstrap.sensitivity_at(probabilities[:, 1], positive, specificity)
        assert found == pytest.approx(expected)


def test_an_interval_holds_the_figure_and_is_repeatable() -> None:
    probabilities, labels = random_scores(1)
    scored = Scored(("a", "b", "c"), probabilities, labels)
    groups = np.arange(len(labels), dtype=np.int64)
    figures = metrics.summarise(scored, top3=False)
    once = bootstrap.view_intervals(scored, groups, resamples=300)
    assert once == bootstrap.view_intervals(scored, groups, resamples=300)
    for name in ("accuracy", "balanced_accuracy", "macro_auc"):
        low, high = once[name]
        assert low < figures[name] < high
    assert once["recall"]["b"][0] < figures["per_class"]["b"]["recall"] < once["recall"]["b"][1]


def test_groups_come_whole() -> None:
    groups = bootstrap.number(["x", "", "x", "y", ""])
    assert len(set(groups.tolist())) == 4
    assert groups[0] == groups[2]
    for weight in bootstrap.weights(groups, resamples=20):
        assert weight[0] == weight[2]
        assert weight.sum() >= 1


def test_nothing_has_no_interval() -> None:
    nothing = Scored(("a", "b"), np.zeros((0, 2)), np.zeros(0, dtype=np.int64))
    assert bootstrap.view_intervals(nothing, np.zeros(0, dtype=np.int64))["accuracy"] is None
    assert bootstrap.sensitivity_at(np.zeros(0), np.zeros(0, dtype=bool), 0.8) is None


def test_risk_falls_with_coverage_where_doubt_is_right() -> None:
    uncertainty = np.arange(100) / 100
    wrong = (np.arange(100) >= 80).astype(np.float64)
    curve = metrics.risk_coverage(uncertainty, wrong, (0.5, 0.8, 1.0))
    assert [point["risk"] for point in curve["points"]] == pytest.approx([0.0, 0.0, 0.2])
    even = metrics.risk_coverage(np.zeros(100), wrong, (0.1, 1.0))
    assert [point["risk"] for point in even["points"]] == pytest.approx([0.2, 0.2])
    assert even["area"] == pytest.approx(0.2)


def test_the_bins_of_reliability_make_the_calibration_error() -> None:
    probabilities, labels = random_scores(2)
    bins = metrics.reliability(probabilities, labels)
    gap = sum(row["n"] * abs(row["confidence"] - row["accuracy"]) for row in bins if row["n"])
    assert gap / len(labels) == pytest.approx(metrics.expected_calibration_error(probabilities, labels))
