"""Runs of different recipes measured in one way."""

from pathlib import Path

import numpy as np
import pytest

from ml_models import cli
from ml_models.data import DataError

pytestmark = pytest.mark.tensorflow

PAGE = Path(__file__).resolve().parents[2] / "docs" / "model-comparison.md"


def test_views_are_summed_only_where_no_class_is_torn_apart() -> None:
    from ml_models.metrics import summed
    from ml_models.taxonomy import VIEWS

    by_name = {view.name: view for view in VIEWS}
    allowed = {(a.name, b.name) for a in VIEWS for b in VIEWS if a.sums_into(b) and a.name != b.name}
    assert {("8", "7"), ("8", "4"), ("8", "3"), ("7", "4"), ("7", "3"), ("4", "3")} <= allowed
    assert not {("3", "4"), ("7", "8"), ("4", "7"), ("3", "7")} & allowed
    eight, seven = by_name["8"], by_name["7"]
    shares = np.arange(1.0, 9.0)[None] / 36.0
    akiec = summed(shares, eight, seven)[0, seven.index("ak")]
    assert akiec == pytest.approx(shares[0, eight.index("ak")] + shares[0, eight.index("scc")])
    with pytest.raises(ValueError, match="cannot be summed"):
        summed(shares, seven, eight)


def test_a_run_is_trained_kept_and_compared(small_data: Path, tmp_path: Path) -> None:
    """The least of all: five blocks, one epoch, on generated images."""
    from ml_models import comparison
    from ml_models.recipes import RECIPES
    from ml_models.training import train
    from ml_models.training.run import keep

    recipe = RECIPES["dermai"].changed(epochs=1, size=32)
    folder = tmp_path / "run"
    train(recipe, root=small_data, weights=tmp_path / "not-needed.h5", folder=folder)
    kept = keep(folder, tmp_path / "kept")
    assert sorted(path.name for path in kept.iterdir()) == ["curves.svg", "history.json", "recipe.json"]
    measured = comparison.measure(folder, root=small_data)
    assert set(measured["by_view"]) == {"7", "4", "3", "2"}
    assert measured["by_view"]["7"]["n"] == 24
    assert measured["ms_per_image"] > 0
    text = comparison.table([measured])
    assert "| `dermai` |" in text
    assert text.count("melanoma sensitivity") == 3
    assert "| 1 of 1 | 32 | 1 | `python -m ml_models train --recipe dermai --name run --epochs 1 " in text
    comparison.keep([folder], [measured], tmp_path / "kept")
    (stored,) = comparison.read_kept(tmp_path / "kept")
    assert stored["command"] == measured["command"].replace("--name run", "--name dermai")
    again = {"ms_per_image": 1, "command": ""}
    assert stored | again == measured | again
    assert stored["ms_per_image"] > 0
    leaking = comparison.table([measured, measured | {"split": "dermavision"}])
    assert leaking.startswith(text)
    assert leaking.count("melanoma sensitivity") == 6
    with pytest.raises(DataError, match="No figures of a run are kept"):
        comparison.read_kept(tmp_path / "elsewhere")


def test_the_page_has_the_figures_that_were_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare"]) == 0
    assert capsys.readouterr().out.strip() in PAGE.read_text(encoding="utf-8")
