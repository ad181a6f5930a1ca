"""A release measured on a folder of images and a label file. Memory grows by a few numbers an image."""

import itertools
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ml_models import bootstrap, metadata, metrics
from ml_models.data import DataError
from ml_models.imaging import ImageError, canonicalise, model_input
from ml_models.labels import Labels, place
from ml_models.metrics import Scored
from ml_models.runtime import BATCH_SIZE, Card, Engine, ReleaseError
from ml_models.taxonomy import CODES, SUSPICIOUS, ImageType, Reason, View, view_named

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif")
SPECIFICITIES = (0.8, 0.9)
COVERAGES = tuple(round(0.05 * step, 2) for step in range(1, 21))
# Subgroups by age, in years: from the first number up to, not including, the next.
AGES = (0, 30, 45, 60, 75, 200)
_EIGHT, _TWO = view_named("8"), view_named("2")


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
    """`probabilities` [n, 8] of the readable images and why each was refused, if it was; `rows` are their
    places in the label file's rows; `unreadable` are {image, problem}; `seconds` were spent in the engine.
    """

    rows: list[int]
    probabilities: NDArray[np.float64]
    labels: list[str]
    reasons: list[tuple[Reason, ...]]
    unreadable: list[dict[str, str]]
    seconds: float


def run(engine: Engine, folder: Path, labels: Labels) -> Results:
    """Classifies every labelled image, batch by batch, with a progress bar on stderr."""
    index = index_images(folder)
    rows: list[int] = []
    unreadable: list[dict[str, str]] = []
    reasons: list[tuple[Reason, ...]] = []
    probabilities = np.zeros((len(labels.rows), len(CODES)))
    waiting: list[tuple[NDArray[np.uint8], int]] = []
    seconds = 0.0

    def examine() -> None:
        nonlocal seconds
        if not waiting:
            return
        began = time.perf_counter()
        found = engine.assess_inputs(
            np.stack([pixels for pixels, _ in waiting]),
            [side for _, side in waiting],
            [ImageType.DERMATOSCOPIC] * len(waiting),
        )
        seconds += time.perf_counter() - began
        for assessment in found:
            probabilities[len(reasons)] = [assessment.probabilities[code] for code in CODES]
            reasons.append(assessment.reasons)
        waiting.clear()

    for number, (image_id, _) in enumerate(
        tqdm(labels.rows, desc="evaluating", unit="image", mininterval=1.0)
    ):
        try:
            waiting.append(_read(index, image_id, engine.card.size))
        except _UnreadableError as error:
            unreadable.append({"image": image_id, "problem": str(error)})
            continue
        rows.append(number)
        if len(waiting) == BATCH_SIZE:
            examine()
    examine()
    chosen = [labels.rows[number][1] for number in rows]
    return Results(rows, probabilities[: len(rows)], chosen, reasons, unreadable, seconds)


class _UnreadableError(Exception):
    pass


def _read(index: dict[str, Path], image_id: str, size: int) -> tuple[NDArray[np.uint8], int]:
    """The network's input and the shorter side of the canonical image."""
    path = find(index, image_id)
    if path is None:
        raise _UnreadableError("no_file")
    try:
        image = canonicalise(path.read_bytes())
    except ImageError as error:
        raise _UnreadableError(error.problem) from error
    except OSError as error:
        raise _UnreadableError("no_file") from error
    return model_input(image, size), min(image.size)


def metadata_of(card: Card, labels: Labels) -> metadata.Adjustment:
    """What age, sex and site add to the release's answers.

    Raises ReleaseError if it makes no use of them, DataError if the label file has none of them.
    """
    if "metadata" not in card.raw:
        raise ReleaseError(f"The release {card.name} makes no use of age, sex and site.")
    if not labels.columns:
        raise DataError("The label file has no column age, age_approx, sex or localization.")
    try:
        return metadata.Adjustment.from_json(card.raw["metadata"])
    except (KeyError, TypeError, ValueError) as error:
        raise ReleaseError(f"The metadata of the release {card.name} are of another version.") from error


def with_metadata(
    adjustment: metadata.Adjustment, labels: Labels, results: Results
) -> tuple[Results, dict[str, int]]:
    """The results after age, sex and site of the label file have added to each answer, where known, and how
    many images had each of them.

    What was refused stays so: whether a picture can be assessed is a question to the picture.
    """
    rows = np.zeros((len(results.rows), len(metadata.NAMES)))
    for number, row in enumerate(results.rows):
        person = {name: values[row].lower() for name, values in labels.columns.items()}
        rows[number] = metadata.encode(
            _years(person.get("age", "")), person.get("sex"), person.get("localization")
        )
    known = {name: int(rows[:, columns].any(axis=1).sum()) for name, columns in metadata.COLUMNS.items()}
    return replace(results, probabilities=adjustment.apply(results.probabilities, rows)), known


def _years(text: str) -> float | None:
    try:
        years = float(text)
    except ValueError:
        return None
    return years if 0.0 <= years < AGES[-1] else None


def in_view(
    view: View, probabilities: NDArray[np.float64], labels: Sequence[str]
) -> tuple[Scored, list[int]]:
    """One view of the figures: rows outside it left out, probabilities summed and renormalised over it."""
    places = [place(view, label) for label in labels]
    kept = [i for i, target in enumerate(places) if target is not None]
    truth = np.array([view.classes.index(str(places[i])) for i in kept], dtype=np.int64)
    return Scored(view.classes, metrics.summed(probabilities[kept], _EIGHT, view), truth), kept


def summarise_view(
    view: View,
    probabilities: NDArray[np.float64],
    labels: Sequence[str],
    groups: NDArray[np.int64] | None = None,
) -> dict[str, Any]:
    """Figures of one view; intervals by resampling `groups` int [n], by image where there are none."""
    scored, kept = in_view(view, probabilities, labels)
    summary = metrics.summarise(scored, top3=view.name in {"8", "7"})
    summary["ece"] = metrics.expected_calibration_error(scored.probabilities, scored.labels)
    of = np.arange(len(labels), dtype=np.int64) if groups is None else groups
    chosen = np.unique(of[kept], return_inverse=True)[1].astype(np.int64)
    summary["ci"] = bootstrap.view_intervals(scored, chosen)
    return summary


def suspicion_scores(
    probabilities: NDArray[np.float64], labels: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], list[int]]:
    """Sum of malignant and pre-cancer probabilities, whether it is one, and which rows those are."""
    columns = [i for i, code in enumerate(CODES) if code in SUSPICIOUS]
    places = [place(_TWO, label) for label in labels]
    kept = [i for i, target in enumerate(places) if target is not None]
    positive = np.array([places[i] == "suspicious" for i in kept], dtype=bool)
    return probabilities[kept][:, columns].sum(axis=1), positive, kept


def sensitivity_at_specificity(
    probabilities: NDArray[np.float64], labels: Sequence[str], groups: NDArray[np.int64]
) -> dict[str, Any]:
    """Of malignant or pre-cancer, at each of SPECIFICITIES; intervals by resampling `groups` int [n]."""
    scores, positive, kept = suspicion_scores(probabilities, labels)
    chosen = np.unique(groups[kept], return_inverse=True)[1].astype(np.int64)
    intervals = bootstrap.sensitivity_intervals(scores, positive, SPECIFICITIES, chosen)
    names = [f"{each:.2f}" for each in SPECIFICITIES]
    content: dict[str, Any] = {
        name: bootstrap.sensitivity_at(scores, positive, each)
        for name, each in zip(names, SPECIFICITIES, strict=True)
    }
    content["ci"] = dict(zip(names, intervals, strict=True))
    content["suspicious"] = int(positive.sum())
    return content


def risk_coverage(view: View, probabilities: NDArray[np.float64], labels: Sequence[str]) -> dict[str, Any]:
    """Share of errors among the most confident images, those of low entropy, for several shares of all."""
    scored, kept = in_view(view, probabilities, labels)
    uncertainty = metrics.entropy(probabilities[kept])
    wrong = (scored.probabilities.argmax(axis=1) != scored.labels).astype(np.float64)
    return {"view": view.name, "by": "entropy", **metrics.risk_coverage(uncertainty, wrong, COVERAGES)}


def refused(reasons: Sequence[tuple[Reason, ...]]) -> dict[str, Any]:
    """Share of the readable images that the product would not assess, and how often each reason was given."""
    counts = Counter(reason.value for each in reasons for reason in each)
    number = sum(bool(each) for each in reasons)
    return {
        "share": number / len(reasons) if reasons else None,
        "n": number,
        "reasons": dict(sorted(counts.items())),
    }


def report(engine: Engine, labels: Labels, results: Results, *, subgroups: bool = False) -> dict[str, Any]:
    """The content of report.json. `n` counts the readable images, `unreadable` the others."""
    groups = bootstrap.number([labels.lesions[row] if labels.lesions else "" for row in results.rows])
    milliseconds = 1000.0 * results.seconds / len(results.rows) if results.rows else None
    content: dict[str, Any] = {
        "release": engine.name,
        "n": len(results.labels),
        "unreadable": len(results.unreadable),
        "unreadable_images": results.unreadable,
        "views": {
            view.name: summarise_view(view, results.probabilities, results.labels, groups)
            for view in labels.views
        },
        "risk_coverage": risk_coverage(labels.views[0], results.probabilities, results.labels),
        "sensitivity_at_specificity": sensitivity_at_specificity(
            results.probabilities, results.labels, groups
        ),
        "refused": refused(results.reasons),
        "ms_per_image": milliseconds,
        "intervals": {
            "level": bootstrap.LEVEL,
            "resamples": bootstrap.RESAMPLES,
            "by": "lesion" if labels.lesions else "image",
        },
    }
    if subgroups:
        content["subgroups"] = _subgroups(labels, results, groups)
    return content


def _subgroups(labels: Labels, results: Results, groups: NDArray[np.int64]) -> dict[str, Any]:
    """By column and value: the finest view without its table, sensitivities and refusals."""
    content: dict[str, Any] = {}
    for column, texts in labels.columns.items():
        values = [_value(column, texts[row]) for row in results.rows]
        content[column] = {}
        for value in sorted(set(values)):
            chosen = np.array([i for i, each in enumerate(values) if each == value], dtype=np.int64)
            names = [results.labels[i] for i in chosen]
            view = summarise_view(labels.views[0], results.probabilities[chosen], names, groups[chosen])
            content[column][value] = {
                "n": len(chosen),
                "view": labels.views[0].name,
                **{name: view[name] for name in ("accuracy", "balanced_accuracy", "macro_auc", "ece", "ci")},
                "sensitivity_at_specificity": sensitivity_at_specificity(
                    results.probabilities[chosen], names, groups[chosen]
                ),
                "refused": refused([results.reasons[i] for i in chosen]),
            }
    return content


def _value(column: str, text: str) -> str:
    if column != "age":
        return text.lower() or "unknown"
    years = _years(text)
    if years is None:
        return "unknown"
    low, high = next(pair for pair in itertools.pairwise(AGES) if pair[0] <= years < pair[1])
    return f"{low}+" if high == AGES[-1] else f"{low}-{high - 1}"


def write_report(content: dict[str, Any] | list[dict[str, Any]], path: Path) -> None:
    """Writes a report as JSON. Raises DataError where that is impossible."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"The report {path} cannot be written: {error.strerror}.") from error


def table(content: dict[str, Any]) -> str:
    """The main figures of a report, a line for each view."""
    lines = [f"{content['n']} images, {content['unreadable']} unreadable, release {content['release']}"]
    lines.append(f"{'view':>4} {'n':>6} {'accuracy':>9} {'balanced':>9} {'AUC':>7} {'ECE':>7}")
    for name, view in content["views"].items():
        figures = [view["accuracy"], view["balanced_accuracy"], view["macro_auc"], view["ece"]]
        cells = [_number(value) for value in figures]
        lines.append(f"{name:>4} {view['n']:>6} {cells[0]:>9} {cells[1]:>9} {cells[2]:>7} {cells[3]:>7}")
    found = content["sensitivity_at_specificity"]
    lines.append(
        "malignant or pre-cancer: sensitivity "
        + ", ".join(f"{_number(found[f'{each:.2f}'])} at specificity {each:.2f}" for each in SPECIFICITIES)
    )
    counts = ", ".join(f"{name} {count}" for name, count in content["refused"]["reasons"].items())
    lines.append(
        f"refused {_number(content['refused']['share'])}{f' ({counts})' if counts else ''}; "
        f"{_number(content['ms_per_image'], 1)} ms an image in batches of {BATCH_SIZE}"
    )
    return "\n".join(lines)


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
