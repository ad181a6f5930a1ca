"""The page of figures is what the default release's card says."""

import json
from pathlib import Path

import pytest

from ml_models import cli, description
from ml_models.release import default_release, read_card, release_path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "figures.md"


def test_the_page_is_that_of_the_default_release(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["describe"]) == 0
    written = capsys.readouterr().out
    assert PAGE.read_text(encoding="utf-8") == written, "python -m ml_models describe > docs/figures.md"
    figure = read_card(release_path(default_release())).metrics["test"]["views"]["7"]["accuracy"]
    assert "| accuracy, 7 classes | " in written
    assert f" | {figure:.3f} (" in written


def test_a_figure_that_could_not_be_measured_is_a_dash() -> None:
    assert description._with_interval(None, None) == "-"
    assert description._with_interval(0.5, None) == "0.500"
    assert description._with_interval(0.5, (0.4, 0.61)) == "0.500 (0.400-0.610)"


@pytest.mark.parametrize(("suspicious", "shown"), [(9, "| - |"), (10, "| 0.500 (0.400-0.600) |")])
def test_a_sensitivity_over_next_to_no_malignant_images_is_a_dash(suspicious: int, shown: str) -> None:
    group = {
        "n": 90,
        "accuracy": 0.9,
        "ci": {"accuracy": [0.8, 1.0]},
        "sensitivity_at_specificity": {"0.80": 0.5, "ci": {"0.80": [0.4, 0.6]}, "suspicious": suspicious},
        "refused": {"share": 0.1},
    }
    row = description._by_group({"age": {"0-29": group}}).splitlines()[-1]
    assert row == f"| age: 0-29 | 90 | 0.900 (0.800-1.000) {shown} 10.0 % |"


def test_a_card_without_figures_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = dict(read_card(release_path(default_release())).raw) | {"metrics": {}}
    (tmp_path / "card.json").write_text(json.dumps(raw), encoding="utf-8")
    assert cli.main(["describe", "--release", str(tmp_path)]) == 2
    assert f"{default_release()} has no" in capsys.readouterr().err
