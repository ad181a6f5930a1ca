"""What a run chooses on `val`, without training anything."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml_models.recipes import RECIPES, Split
from ml_models.taxonomy import VIEWS

pytestmark = pytest.mark.tensorflow


def rows(*areas: float) -> list[dict[str, Any]]:
    """Epochs with these macro AUCs; the accuracy would choose the first."""
    return [
        {"epoch": i, "val_accuracy": 1.0 / i, "val_macro_auc": area} for i, area in enumerate(areas, start=1)
    ]


def test_the_best_epoch_is_one_of_the_last_phase() -> None:
    """Weights of a phase at another size would not be what serves."""
    from ml_models.training.loop import _best

    recipe = RECIPES["dermascan-ios"]
    history = rows(0.9, 0.5, 0.5, 0.7, 0.75)
    assert _best(history[:2], recipe)["epoch"] == 1
    assert _best(history[:4], recipe)["epoch"] == 4
    assert _best(history, recipe)["epoch"] == 5


def test_of_epochs_as_good_as_each_other_the_last_is_kept() -> None:
    from ml_models.training.loop import _best

    recipe = RECIPES["dermai"]
    assert _best(rows(0.9, 0.9545, 0.953, 0.94), recipe)["epoch"] == 3
    assert _best(rows(0.9, 0.9555, 0.953, 0.94), recipe)["epoch"] == 2


def test_patience_counts_epochs_without_a_better_one() -> None:
    from ml_models.training.loop import _exhausted

    recipe = replace(RECIPES["dermavisionapp"], patience=3)
    history = rows(0.6, 0.5, 0.5)
    assert not _exhausted([], recipe)
    assert not _exhausted(history, recipe)
    assert _exhausted([*history, *[{**history[-1], "epoch": 4}]], recipe)
    assert not _exhausted([{"epoch": 1}] * 9, recipe)
    assert not _exhausted(history * 3, replace(recipe, patience=None))


def test_eight_classes_are_judged_as_seven() -> None:
    """ak taken for scc is no mistake among HAM10000's seven classes."""
    from ml_models.training.loop import figures

    eight = VIEWS[0]
    labels = np.arange(8)
    answers = labels.copy()
    answers[eight.classes.index("ak")] = eight.classes.index("scc")
    found = figures(eight, np.eye(8)[answers] * 9.0, labels)
    assert found["val_accuracy"] == found["val_balanced_accuracy"] == 1.0


def drawn(counts: list[int], prior: list[float], seed: int = 1) -> tuple[Any, Any]:
    """Logits [n, 3] and labels [n] of a network that is as sure as it should be under `prior`."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), counts)
    # The log likelihoods of unit normals around the corners of a triangle.
    seen = np.eye(3)[labels] * 2.0 + rng.normal(size=(len(labels), 3))
    return 2.0 * seen + np.log(prior), labels


def test_the_adjustment_finds_the_prior_that_training_did_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trained on classes drawn equally often, the prior is all that is missing."""
    from ml_models.training import loop

    view, counts = next(view for view in VIEWS if view.name == "3"), [600, 12000, 1400]
    logits, labels = drawn(counts, [1.0, 1.0, 1.0])
    monkeypatch.setattr(loop, "BALANCE", 0.0)
    monkeypatch.setattr(loop, "ADJUSTMENTS", (-1.5, -1.25, -1.0, -0.75, -0.5, 0.0))
    shift = loop.fit_adjustment(view, logits, labels, np.array(counts))
    assert shift == pytest.approx(np.log(np.array(counts) / sum(counts)))


@pytest.mark.parametrize("balance", [0.5, 2.0])
def test_the_weights_are_best_for_what_they_are_meant_for(
    monkeypatch: pytest.MonkeyPatch, balance: float
) -> None:
    """On other images than those it was fitted on, neither far smaller nor far larger weights do better."""
    from ml_models.training import loop

    view, counts = next(view for view in VIEWS if view.name == "3"), np.array([600, 12000, 1400])
    logits, labels = drawn(list(counts), list(counts / counts.sum()))
    others, truth = drawn(list(counts * 10), list(counts / counts.sum()), seed=2)
    monkeypatch.setattr(loop, "BALANCE", balance)
    shift = loop.fit_adjustment(view, logits, labels, counts)

    def reached(share: float) -> float:
        found = loop.figures(view, others + share * shift, truth)
        return found["val_accuracy"] + balance * found["val_balanced_accuracy"]

    assert reached(1.0) > max(reached(0.0), reached(0.4), reached(2.5))


def test_keratoses_and_carcinomas_are_weighed_as_the_one_class_they_are_judged_as() -> None:
    from ml_models.training.loop import fit_adjustment

    rng = np.random.default_rng(1)
    counts = np.array([10, 40, 80, 10, 80, 500, 30, 10])  # ak is the first, scc the seventh
    labels = np.repeat(np.arange(8), counts)
    logits = 3.0 * np.eye(8)[labels] + rng.normal(size=(len(labels), 8)) + np.log(counts / counts.sum())
    shift = fit_adjustment(VIEWS[0], logits, labels, counts)
    # As rare as ak are df and vasc, which have a class of their own.
    assert shift[3] == pytest.approx(shift[7])
    assert shift[0] < shift[3]


def test_the_leaking_split_is_trained_without_looking_at_its_other_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ml_models import data
    from ml_models.training.loop import Sources

    asked: list[tuple[str, str]] = []

    def read(root: Path, split: str, *, column: str = "split") -> list[data.Record]:
        asked.append((split, column))
        return [data.Record("a", "a", "nv", split, root, None)]

    monkeypatch.setattr(data, "read_records", read)
    recipe = RECIPES["dermavision"].changed(split=Split.DERMAVISION)
    sources = Sources.read(tmp_path, recipe)
    assert asked == [("train", "dermavision_split")]
    assert sources.val == []
    asked.clear()
    Sources.read(tmp_path, RECIPES["dermavision"])
    assert asked == [("train", "split"), ("val", "split")]
