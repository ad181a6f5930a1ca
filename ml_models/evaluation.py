"""A release measured on a folder of images and a label file. Memory grows by eight numbers an image."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ml_models import metrics
from ml_models.data import DataError
from ml_models.imaging import ImageError, canonicalise, model_input
from ml_models.labels import Labels, place
from ml_models.runtime import Engine
from ml_models.taxonomy import CODES, View

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif")
BATCH = 32


def index_images(folder: Path) -> dict[str, Path]:
    """Image files of a folder by lower-case name without extension. Raises DataError if there are none."""
    if not folder.is_dir():
        raise DataError(f"The image folder {folder} does not exist.")
    files = [path for path in folder.iterdir() if path.suffix.lower() in EXTENSIONS and path.is_file()]
    if not files:
        raise DataError(f"The image folder {folder} has no image ({', '.join(EXTENSIONS)}).")
    files.sort(key=lambda path: (EXTENSIONS.index(path.suffix.lower()), path.name))
    index: dict[str, Path] = {}
    for path in files:
        index.setdefault(path.stem.lower(), path)
    return index


def find(index: dict[str, Path], image_id: str) -> Path | None:
    """The file of an image id, which may or may not carry an extension of its own."""
    key = image_id.lower()
    if key not in index and key.endswith(EXTENSIONS):
        key = key.rpartition(".")[0]
    return index.get(key)


@dataclass(frozen=True)
class Results:
    """`probabilities` [n, 8] and `labels` of the readable images; `unreadable` are {image, problem}."""

    images: list[str]
    probabilities: NDArray[np.float64]
    labels: list[str]
    unreadable: list[dict[str, str]]


def run(engine: Engine, folder: Path, labels: Labels) -> Results:
    """Classifies every labelled image, batch by batch, with a progress bar on stderr."""
    index = index_images(folder)
    read: list[tuple[str, str]] = []
    unreadable: list[dict[str, str]] = []
    parts: list[NDArray[np.float64]] = []
    batch: list[NDArray[np.uint8]] = []
    for image_id, label in tqdm(labels.rows, desc="evaluating", unit="image", mininterval=1.0):
        try:
            batch.append(_read(index, image_id, engine.card.size))
        except _UnreadableError as error:
            unreadable.append({"image": image_id, "problem": str(error)})
            continue
        read.append((image_id, label))
        if len(batch) == BATCH:
            parts.append(engine.probabilities(np.stack(batch)))
            batch = []
    if batch:
        parts.append(engine.probabilities(np.stack(batch)))
    probabilities = np.concatenate(parts) if parts else np.zeros((0, len(CODES)))
    return Results([each for each, _ in read], probabilities, [label for _, label in read], unreadable)


class _UnreadableError(Exception):
    pass


def _read(index: dict[str, Path], image_id: str, size: int) -> NDArray[np.uint8]:
    path = find(index, image_id)
    if path is None:
        raise _UnreadableError("no_file")
    try:
        return model_input(canonicalise(path.read_bytes()), size)
    except ImageError as error:
        raise _UnreadableError(error.problem) from error
    except OSError as error:
        raise _UnreadableError("no_file") from error


def summarise_view(view: View, probabilities: NDArray[np.float64], labels: Sequence[str]) -> dict[str, Any]:
    """Figures of one view: rows outside it left out, probabilities summed and renormalised over it."""
    places = [place(view, label) for label in labels]
    kept = [i for i, target in enumerate(places) if target is not None]
    sums = np.zeros((len(kept), len(view.classes)))
    for column, code in enumerate(CODES):
        target = view.of[code]
        if target is not None:
            sums[:, view.classes.index(target)] += probabilities[kept, column]
    totals = sums.sum(axis=1, keepdims=True)
    even = np.full_like(sums, 1.0 / len(view.classes))
    shares = np.divide(sums, totals, out=even, where=totals > 0)
    truth = np.array([view.classes.index(str(places[i])) for i in kept], dtype=np.int64)
    return metrics.summarise(metrics.Scored(view.classes, shares, truth), top3=view.name in {"8", "7"})


def report(engine: Engine, labels: Labels, results: Results) -> dict[str, Any]:
    """The content of report.json. `n` counts the readable images, `unreadable` the others."""
    return {
        "release": engine.name,
        "n": len(results.labels),
        "unreadable": len(results.unreadable),
        "unreadable_images": results.unreadable,
        "views": {
            view.name: summarise_view(view, results.probabilities, results.labels) for view in labels.views
        },
    }


def write_report(content: dict[str, Any], path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"The report {path} cannot be written: {error.strerror}.") from error


def table(content: dict[str, Any]) -> str:
    """The main figures of a report, a line for each view."""
    lines = [f"{content['n']} images, {content['unreadable']} unreadable, release {content['release']}"]
    lines.append(f"{'view':>4} {'n':>6} {'accuracy':>9} {'balanced':>9} {'AUC':>7}")
    for name, view in content["views"].items():
        figures = [view["accuracy"], view["balanced_accuracy"], view["macro_auc"]]
        cells = ["-" if value is None else f"{value:.3f}" for value in figures]
        lines.append(f"{name:>4} {view['n']:>6} {cells[0]:>9} {cells[1]:>9} {cells[2]:>7}")
    return "\n".join(lines)
