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


def test_the_adjustment_helps_a_network_that_forgot_the_rare_class() -> None:
    from ml_models.training.loop import ADJUSTMENTS, figures, fit_adjustment

    view = next(view for view in VIEWS if view.name == "3")
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], [20, 400, 40])
    counts = np.bincount(labels)
    evidence = np.eye(3)[labels] * 1.5 + rng.normal(size=(len(labels), 3))
    logits = evidence + np.log(counts / counts.sum())
    tau = fit_adjustment(view, logits, labels, counts)
    assert tau in ADJUSTMENTS
    assert tau > 0
    before = figures(view, logits, labels)
    after = figures(view, logits - tau * np.log(counts / counts.sum()), labels)
    assert after["val_balanced_accuracy"] > before["val_balanced_accuracy"]


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
