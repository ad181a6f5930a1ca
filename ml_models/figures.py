"""The plots of a report: what was measured, drawn."""

from pathlib import Path
from typing import Any

from ml_models import metrics, plots
from ml_models.data import DataError
from ml_models.evaluation import SPECIFICITIES, Results, in_view, suspicion_scores
from ml_models.labels import Labels

NAMES = ("reliability.svg", "roc.svg", "confusion.svg", "risk-coverage.svg")


def draw(labels: Labels, results: Results, content: dict[str, Any]) -> dict[str, str]:
    """SVG text by file name, of the finest view that the labels allow and of suspicious against benign."""
    view = labels.views[0]
    scored, _ = in_view(view, results.probabilities, results.labels)
    bins = metrics.reliability(scored.probabilities, scored.labels) if len(scored.labels) else []
    scores, positive, _ = suspicion_scores(results.probabilities, results.labels)
    found = content["sensitivity_at_specificity"]
    marks = [
        (1.0 - each, found[f"{each:.2f}"], f"{found[f'{each:.2f}']:.3f} at specificity {each:.2f}")
        for each in SPECIFICITIES
        if found[f"{each:.2f}"] is not None
    ]
    points = [(point["coverage"], point["risk"]) for point in content["risk_coverage"]["points"]]
    summary = content["views"][view.name]
    texts = (
        plots.reliability(bins, summary["ece"]),
        plots.roc(metrics.roc(scores, positive), metrics.auc(scores, positive), marks),
        plots.confusion(view.classes, summary["confusion"]),
        plots.risk_coverage(points),
    )
    return dict(zip(NAMES, texts, strict=True))


def write(texts: dict[str, str], folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"The plots cannot be written to {folder}: {error.strerror}.") from error
