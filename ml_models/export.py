"""From a finished run to a release folder. Every choice is made on `train` and `val`."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from ml_models import (
    calibration,
    card,
    data,
    deletion,
    domain_fitting,
    evaluation,
    figures,
    formats,
    metadata,
    metrics,
    network,
    recipes,
    release,
    saving,
    spoiling,
    synthetic,
)
from ml_models.backend import tf
from ml_models.domain import Domain, colours
from ml_models.domain_fitting import Seen
from ml_models.imaging import model_input
from ml_models.labels import read_labels
from ml_models.recipes import Recipe
from ml_models.runtime import BATCH_SIZE, Engine
from ml_models.taxonomy import CODES, ImageType
from ml_models.training import Run, RunError

GOLDEN_TOLERANCE = 1e-3
GOLDEN_CASES = (
    (1, (600, 450)),
    (2, (450, 600)),
    (3, (1024, 768)),
    (4, (224, 224)),
    (5, (320, 200)),
    (6, (640, 640)),
)
DOMAIN_IMAGES = 2500  # of HAM10000's training images, spread over them
DOMAIN_MORE = 1000  # of ISIC 2017's
FEWEST_PHOTOS = 10
EXPLAINED_IMAGES = 400  # of val
CALIBRATION_IMAGES = 200  # of train, for the ranges of int8
PHOTOS = ("*.jpg", "*.jpeg", "*.png")


def export(folder: Path, out: Path, *, root: Path, other_formats: bool = False) -> Path:
    """Writes the release `out` from the run in `folder`, measured on `val` and `test` as released.

    Golden probabilities come from the Keras network. `other_formats` adds TFLite and TensorFlow.js. Raises
    RunError, DataError or ReleaseError; leaves nothing half made.
    """
    run, recipe = _open(folder, out)
    photos = _photos(root)
    result = run.read_json("result.json")
    model = network.restore(recipe, run.read_arrays("final.npz"))
    saving.fold_and_round(model)
    val_records = data.read_records(root, "val")
    parts = network.parts(model, recipe.views)
    val = _see(parts, _images(record.path for record in val_records), recipe.size)
    labels = np.array([CODES.index(record.code) for record in val_records], dtype=np.int64)
    temperature = calibration.fit_temperature(val.logits, labels)
    probabilities = metrics.softmax(val.logits / temperature)
    content = card.make(
        out.name, recipe, result, temperature, calibration.fit_thresholds(probabilities, labels)
    )
    content["abstention"] = _rounded(calibration.compare_uncertainties(probabilities, labels))
    content["quality"] = _quality([record.path for record in val_records], recipe.size)
    domain, content["domain"] = _domain(parts, val, recipe.size, root, photos)
    made = out.with_name(f".{out.name}.{os.getpid()}")
    shutil.rmtree(made, ignore_errors=True)
    try:
        made.mkdir(parents=True)
        saved_model = made / release.SAVED_MODEL
        saving.save_model(model, recipe.size, temperature, saved_model, views=recipe.views)
        domain.save(made / release.DOMAIN)
        _write_json(made / release.GOLDEN, golden(parts, recipe.size, temperature, domain))
        content["explanation"] = {"shown": False}
        engine = _load(made, content)
        content["explanation"] = _explanation(engine, [record.path for record in val_records])
        if not content["explanation"]["shown"]:
            content["limits"].append(card.NO_MAP)
        inputs = _inputs(
            data.spread([record.path for record in val_records], formats.PARITY_IMAGES), recipe.size
        )
        reference = engine.probabilities(inputs)
        if other_formats:
            content["formats"] = _formats(made, inputs, reference, root)
        saving.halve(saved_model)
        engine = _load(made, content)
        _must_equal(engine.probabilities(inputs), reference)
        content["domain"] |= _rounded(_strangers(engine, photos[1::2], root))
        found, plots = _figures(engine, root, run)
        content |= found
        figures.write(plots, made / release.PLOTS)
        content["plots"] = card.plots()
        _load(made, content)
        made.rename(out)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return out


def _must_equal(halved: NDArray[np.float64], whole: NDArray[np.float64]) -> None:
    """What was compared with the other formats is what is shipped. Raises RunError."""
    if not np.array_equal(halved, whole):
        raise RunError("The SavedModel in half precision does not answer like the one that it was made of.")


def _open(folder: Path, out: Path) -> tuple[Run, Recipe]:
    run = Run(folder)
    if not run.finished:
        raise RunError(f"The run in {folder} is not finished.")
    recipe = run.recipe()
    if recipe.split is not recipes.Split.HONEST or recipe.classes != CODES:
        raise RunError("Only a run of the honest split over the eight classes becomes a release.")
    if not recipe.network.is_linear or recipe.preprocessing is not None:
        raise RunError("Only a network with one linear layer on plain pixels becomes a release.")
    if not release.NAME.fullmatch(out.name):
        raise RunError(
            f"A release name has small letters, digits, dots and hyphens only, unlike {out.name!r}."
        )
    if out.exists():
        raise RunError(f"{out} exists already; a release is never overwritten.")
    return run, recipe


def _load(made: Path, content: dict[str, Any]) -> Engine:
    """The release as it stands, its card written anew."""
    release.seal(made, content)
    engine = Engine.load(made)
    engine.check_golden()
    return engine


def _see(parts: Any, images: Iterable[Image.Image], size: int) -> Seen:
    """What the network says of canonical images; memory does not grow with their number but for that."""
    forward: Callable[[Any], Any] = tf.function(
        lambda pixels: parts(tf.cast(pixels, tf.float32), training=False)[:2],
        input_signature=[tf.TensorSpec([None, size, size, 3], tf.uint8)],
    )
    seen = [(np.zeros((0, len(CODES))), np.zeros((0, 1280)), np.zeros((0, 14)))]
    inputs = (model_input(image, size) for image in tqdm(images, "looking", unit="image", mininterval=5.0))
    while batch := list(islice(inputs, BATCH_SIZE)):
        pixels = np.stack(batch)
        logits, embeddings = (answer.numpy().astype(np.float64) for answer in forward(pixels))
        seen.append((logits, embeddings, np.stack([colours(each) for each in pixels])))
    return Seen(*(np.concatenate(part) for part in zip(*seen, strict=True)))


def _images(paths: Iterable[Path]) -> Iterator[Image.Image]:
    return (data.read_image(path) for path in paths)


def _inputs(paths: Sequence[Path], size: int) -> NDArray[np.uint8]:
    return np.stack([model_input(data.read_image(path), size) for path in paths])


def _quality(paths: Sequence[Path], size: int) -> dict[str, Any]:
    measured = spoiling.measure_all(paths, size)
    limits = spoiling.fit(measured)
    found = spoiling.figures(measured, limits)
    print(spoiling.table(limits, found), flush=True)
    return {
        "rule": f"each limit aims at {spoiling.FOUND} of its spoilage, unless it would refuse more than "
        f"{spoiling.REFUSED} of val",
        "limits": limits.values(),
        "figures": {"val": found},
    }


def _photos(root: Path) -> list[Path]:
    """Ordinary photos in the order of their names. Raises DataError where there are too few."""
    found = sorted(path for pattern in PHOTOS for path in (root / "ood").glob(pattern))
    if len(found) < FEWEST_PHOTOS:
        raise data.DataError(
            f"The domain of a release is learnt from at least {FEWEST_PHOTOS} ordinary photos: there are "
            f"{len(found)} in {root / 'ood'}."
        )
    return found


def _domain(
    parts: Any, val: Seen, size: int, root: Path, photos: Sequence[Path]
) -> tuple[Domain, dict[str, Any]]:
    """The score and its limits, and what a card says of them.

    Every second of the ordinary photos teaches the score and sets its limits, the others are for the report.
    """
    records = data.spread(data.read_records(root, "train"), DOMAIN_IMAGES)
    more = data.spread(data.read_isic2017(root, "train"), DOMAIN_MORE)
    train = _see(parts, _images(record.path for record in records), size)
    own = train + _see(parts, _images(record.path for record in more), size)
    looks = (look for photo in _images(photos[::2]) for look in domain_fitting.looks(photo))
    tuning = _see(parts, looks, size)
    others = _see(parts, _images(photos[1::2]), size)
    fitted = domain_fitting.fit(own, tuning)
    inner = fitted.scores(val.embeddings, val.tones)
    outer = fitted.scores(others.embeddings, others.tones)
    unseen = domain_fitting.scores_unseen(own, tuning)
    domain = domain_fitting.with_limits(fitted, inner, unseen)
    labels = np.array([CODES.index(record.code) for record in records], dtype=np.int64)
    return domain, {
        "score": "logistic regression on the embedding and the colours, of training images (HAM10000's and "
        "ISIC 2017's) against one half of the ordinary photos",
        "limit": {
            "value": domain.limit,
            "rule": f"the highest that refuses {domain_fitting.FOUND:g} of that half, each photo scored by a "
            f"regression without it, and at most {domain_fitting.REFUSED:g} of val",
        },
        "far": {"value": domain.far, "rule": "no image of val above it, nor below the other limit"},
        "val_refused": domain_fitting.share_refused(domain, inner),
        "auroc": domain_fitting.compare(domain, (train, labels), val, others),
        "photos_refused_tuning_half": domain_fitting.share_refused(domain, unseen),
        "photos_refused_other_half": domain_fitting.share_refused(domain, outer),
    }


def _strangers(engine: Engine, others: Sequence[Path], root: Path) -> dict[str, Any]:
    """Refusals for all reasons together: the other half of the ordinary photos; phone photos as counts."""
    content: dict[str, Any] = {}
    phone = sorted((root / "phone").glob("*.png"))
    for name, paths in (("photos_other_half", others), ("phone_photos", phone)):
        if paths:
            images = [data.read_image(path) for path in paths]
            results = engine.assess(images, [ImageType.DERMATOSCOPIC] * len(images))
            refused = evaluation.refused([result.reasons for result in results])
            content[name] = {"n": len(images), "refused": refused}
    if "phone_photos" in content:
        del content["phone_photos"]["refused"]["share"]  # eight pictures make no share
    return content


def _explanation(engine: Engine, paths: Sequence[Path]) -> dict[str, Any]:
    chosen = data.spread(paths, EXPLAINED_IMAGES)
    test = deletion.deletion_test(engine, _inputs(chosen, engine.card.size))
    print(f"deletion test: {json.dumps(test)}", flush=True)
    return {"shown": test["passed"], "test": {"val": _rounded(test)}}


def _formats(
    made: Path, inputs: NDArray[np.uint8], reference: NDArray[np.float64], root: Path
) -> dict[str, Any]:
    train = [record.path for record in data.read_records(root, "train")]
    samples = _inputs(data.spread(train, CALIBRATION_IMAGES), inputs.shape[1])
    return formats.export_formats(made, made / release.SAVED_MODEL, samples, inputs, reference)


def golden(parts: Any, size: int, temperature: float, domain: Domain) -> dict[str, Any]:
    """Probabilities and domain scores of generated images straight from the Keras network."""
    cases = []
    for seed, shape in GOLDEN_CASES:
        pixels = model_input(synthetic.lesion(seed, shape), size)
        logits, embedding, _ = parts(pixels[None].astype(np.float32), training=False)
        row = metrics.softmax(np.asarray(logits, dtype=np.float64) / temperature)[0]
        score = domain.scores(np.asarray(embedding, dtype=np.float64), colours(pixels)[None])[0]
        cases.append(
            {
                "seed": seed,
                "size": list(shape),
                "probabilities": {code: round(float(p), 6) for code, p in zip(CODES, row, strict=True)},
                "domain": round(float(score), 4),
            }
        )
    return {"tolerance": GOLDEN_TOLERANCE, "cases": cases}


def _figures(engine: Engine, root: Path, run: Run) -> tuple[dict[str, Any], dict[str, str]]:
    """What the card says that a release gives on `val` and `test`, and the plots of `test`."""
    answers = run.read_json("metadata.json") if (run.folder / "metadata.json").is_file() else None
    adjustment = metadata.Adjustment.from_json(answers) if answers and answers["better"] else None
    measured = {split: measure(engine, root, split, adjustment) for split in ("val", "test")}
    content: dict[str, Any] = {"metrics": {split: each.alone for split, each in measured.items()}}
    if answers and adjustment is not None:
        content["metadata"] = {key: answers[key] for key in ("classes", "weights", "scale")}
        content["metadata"]["metrics"] = {split: each.with_metadata for split, each in measured.items()}
    return content, measured["test"].plots


@dataclass(frozen=True)
class Measured:
    """A split through the SavedModel: its report, the main figures with age, sex and site, its plots."""

    alone: dict[str, Any]
    with_metadata: dict[str, Any] | None
    plots: dict[str, str]


def measure(engine: Engine, root: Path, split: str, adjustment: metadata.Adjustment | None) -> Measured:
    """What a release gives on `val` or `test`, its thresholds included; subgroups of `test` alone."""
    labels = read_labels(root / "ham10000" / "metadata.csv", [f"split={split}"])
    results = evaluation.run(engine, root / "ham10000" / "images", labels)
    report = evaluation.report(engine, labels, results, subgroups=split == "test")
    truth = np.array([CODES.index(label) for label in results.labels], dtype=np.int64)
    report["urgency"] = calibration.describe(results.probabilities, truth, engine.card.thresholds)
    plots = figures.draw(labels, results, report)
    for name in ("release", "unreadable_images"):
        del report[name]
    extended = None
    if adjustment is not None:
        people, known = evaluation.with_metadata(adjustment, labels, results)
        whole = evaluation.report(engine, labels, people)
        extended = {
            "n": whole["n"],
            "known": known,
            "views": {name: _main(view) for name, view in whole["views"].items()},
            "sensitivity_at_specificity": whole["sensitivity_at_specificity"],
        }
    return Measured(_rounded(report), _rounded(extended), plots)


def _main(view: dict[str, Any]) -> dict[str, Any]:
    """The figures of a view without its classes and its table."""
    names = ("accuracy", "balanced_accuracy", "macro_auc", "ece")
    return {name: view[name] for name in names} | {"ci": {name: view["ci"].get(name) for name in names}}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value


def _write_json(path: Path, content: dict[str, Any] | Sequence[Any]) -> None:
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
