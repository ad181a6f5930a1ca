"""Our figures against scikit-learn's, and what happens where a figure is undefined."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from ml_models import calibration, metrics
from ml_models.metrics import Scored, summarise
from ml_models.taxonomy import CODES


def random_scores(seed: int, n: int = 300, k: int = 8) -> tuple[metrics.Floats, metrics.Ints]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, size=n)
    logits = rng.normal(size=(n, k)) + 1.5 * np.eye(k)[labels]
    # Two decimals make ties, which an area under a curve must count half.
    probabilities = np.round(metrics.softmax(logits), 2) + 1e-6
    return probabilities / probabilities.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("seed", range(5))
def test_figures_agree_with_scikit_learn(seed: int) -> None:
    probabilities, labels = random_scores(seed)
    predicted = probabilities.argmax(axis=1)
    summary = summarise(Scored(CODES, probabilities, labels), top3=True)
    assert summary["accuracy"] == pytest.approx(reference.accuracy_score(labels, predicted))
    assert summary["balanced_accuracy"] == pytest.approx(reference.balanced_accuracy_score(labels, predicted))
    assert summary["top3_accuracy"] == pytest.approx(
        reference.top_k_accuracy_score(labels, probabilities, k=3), abs=0.02
    )
    assert summary["macro_auc"] == pytest.approx(
        reference.roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    )
    assert summary["confusion"] == reference.confusion_matrix(labels, predicted).tolist()
    precision, recall, f1, support = reference.precision_recall_fscore_support(labels, predicted)
    for i, code in enumerate(CODES):
        figures = summary["per_class"][code]
        assert figures["precision"] == pytest.approx(precision[i])
        assert figures["recall"] == pytest.approx(recall[i])
        assert figures["f1"] == pytest.approx(f1[i])
        assert figures["support"] == support[i]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=60))
def test_auc_with_ties(pairs: list[tuple[int, bool]]) -> None:
    scores = np.array([score for score, _ in pairs], dtype=float)
    positive = np.array([flag for _, flag in pairs])
    ours = metrics.auc(scores, positive)
    if positive.all() or not positive.any():
        assert ours is None
    else:
        assert ours == pytest.approx(reference.roc_auc_score(positive, scores))


def test_averages_run_over_classes_with_support_and_undefined_is_null() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.2, 0.7], [0.9, 0.05, 0.05]])
    summary = summarise(Scored(("a", "b", "c"), probabilities, np.array([0, 2, 2])), top3=False)
    assert summary["balanced_accuracy"] == pytest.approx((1.0 + 0.5) / 2)
    absent = summary["per_class"]["b"]
    assert absent == {"recall": None, "precision": None, "f1": None, "auc": None, "support": 0}
    assert "top3_accuracy" not in summary


def test_nothing_at_all_gives_nulls_and_valid_json() -> None:
    summary = summarise(Scored(CODES, np.zeros((0, 8)), np.zeros(0, dtype=np.int64)), top3=True)
    assert summary["n"] == 0
    assert [summary[key] for key in ("accuracy", "balanced_accuracy", "top3_accuracy", "macro_auc")] == [
        None
    ] * 4
    json.dumps(summary, allow_nan=False)


def test_one_class_only_has_no_auc() -> None:
    summary = summarise(Scored(("a", "b"), np.array([[0.6, 0.4]]), np.array([0])), top3=False)
    assert summary["macro_auc"] is None
    assert summary["balanced_accuracy"] == 1.0


def test_the_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(4000, 8)) * 1.5
    labels = np.array([rng.choice(8, p=row) for row in metrics.softmax(logits)])
    assert calibration.fit_temperature(logits * 2.5, labels) == pytest.approx(2.5, rel=0.08)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    probabilities = np.tile([0.8, 0.2], (10, 1))
    labels = np.array([0] * 6 + [1] * 4)
    assert metrics.expected_calibration_error(probabilities, labels) == pytest.approx(0.2)
    assert metrics.expected_calibration_error(probabilities[:0], labels[:0]) is None
