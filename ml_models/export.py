"""From a finished run to a release folder. Every choice is made on `train` and `val`."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
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
DOMAIN_MORE = 800  # of ISIC 2017's, for the colours
EXPLAINED_IMAGES = 400  # of val
CALIBRATION_IMAGES = 200  # of train, for the ranges of int8
PHOTOS = ("*.jpg", "*.jpeg", "*.png")


def export(folder: Path, out: Path, *, root: Path, other_formats: bool = False) -> Path:
    """Writes the release `out` from the run in `folder`, measured on `val` and `test` as released.

    Golden probabilities come from the Keras network. `other_formats` adds TFLite and TensorFlow.js. Raises
    RunError, DataError or ReleaseError; leaves nothing half made.
    """
    run, recipe = _open(folder, out)
    result = run.read_json("result.json")
    model = network.restore(recipe, run.read_arrays("final.npz"))
    saving.fold_and_round(model)
    val_records = data.read_records(root, "val")
    parts = network.parts(model, recipe.views)
    val = _see(parts, [record.path for record in val_records], recipe.size)
    labels = np.array([CODES.index(record.code) for record in val_records], dtype=np.int64)
    temperature = calibration.fit_temperature(val.logits, labels)
    probabilities = metrics.softmax(val.logits / temperature)
    content = card.make(
        out.name, recipe, result, temperature, calibration.fit_thresholds(probabilities, labels)
    )
    content["abstention"] = _rounded(calibration.compare_uncertainties(probabilities, labels))
    content["quality"] = _quality([record.path for record in val_records], recipe.size)
    domain, content["domain"] = _domain(parts, val, recipe, root)
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
        content["domain"] |= _rounded(_strangers(engine, root))
        answers = run.read_json("metadata.json") if (folder / "metadata.json").is_file() else None
        adjustment = metadata.Adjustment.from_json(answers) if answers and answers["better"] else None
        measured = {split: measure(engine, root, split, adjustment) for split in ("val", "test")}
        content["metrics"] = {split: each.alone for split, each in measured.items()}
        if answers and adjustment is not None:
            content["metadata"] = {key: answers[key] for key in ("classes", "weights", "scale")}
            content["metadata"]["metrics"] = {split: each.with_metadata for split, each in measured.items()}
        figures.write(measured["test"].plots, made / release.PLOTS)
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


@dataclass(frozen=True)
class Seen:
    """What the Keras network says of images: logits [n, 8], embeddings [n, d]; their colours [n, c]."""

    logits: NDArray[np.float64]
    embeddings: NDArray[np.float64]
    tones: NDArray[np.float64]


def _see(parts: Any, paths: Sequence[Path], size: int) -> Seen:
    forward: Callable[[Any], Any] = tf.function(
        lambda images: parts(tf.cast(images, tf.float32), training=False)[:2],
        input_signature=[tf.TensorSpec([None, size, size, 3], tf.uint8)],
    )
    logits, embeddings, tones = [np.zeros((0, len(CODES)))], [np.zeros((0, 1280))], [np.zeros((0, 14))]
    for start in tqdm(range(0, len(paths), BATCH_SIZE), desc="looking", unit="batch", mininterval=5.0):
        pixels = _inputs(paths[start : start + BATCH_SIZE], size)
        answers = forward(pixels)
        logits.append(answers[0].numpy().astype(np.float64))
        embeddings.append(answers[1].numpy().astype(np.float64))
        tones.append(np.stack([colours(each) for each in pixels]))
    return Seen(np.concatenate(logits), np.concatenate(embeddings), np.concatenate(tones))


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
    """Ordinary photos in the order of their names; none where the data have none."""
    return sorted(path for pattern in PHOTOS for path in (root / "ood").glob(pattern))


def _domain(parts: Any, val: Seen, recipe: Recipe, root: Path) -> tuple[Domain, dict[str, Any]]:
    """Every second photo sets the limits, the others are for the report.

    ISIC 2017 counts for the colours alone: with its embeddings, too, the training images fill so much of the
    space that fewer photos lie outside.
    """
    records = data.read_records(root, "train")
    chosen = data.spread([record.path for record in records], DOMAIN_IMAGES)
    codes = {record.path: CODES.index(record.code) for record in records}
    train = _see(parts, chosen, recipe.size)
    tones = train.tones
    if recipe.isic2017:
        more = data.spread([record.path for record in data.read_isic2017(root, "train")], DOMAIN_MORE)
        tones = np.concatenate([tones, [colours(_inputs([path], recipe.size)[0]) for path in more]])
    photos = _see(parts, _photos(root), recipe.size)
    fitted = domain_fitting.fit(train.embeddings, tones)
    inner = fitted.scores(val.embeddings, val.tones)
    outer = fitted.scores(photos.embeddings, photos.tones)
    domain, share = domain_fitting.with_limits(fitted, inner, outer[::2])
    content: dict[str, Any] = {
        "score": "logarithm of the part of the embedding outside of the training embeddings' "
        f"{domain.components.shape[1]} directions, plus half of that of the colours' Mahalanobis distance",
        "limit": {"value": domain.limit, "rule": f"the {1 - share:g} quantile of val"},
        "far": {"value": domain.far, "rule": "no image of val above it"},
        "val_refused": domain_fitting.share_refused(domain, inner),
    }
    if len(outer):
        labels = np.array([codes[path] for path in chosen], dtype=np.int64)
        content["auroc"] = domain_fitting.compare(
            domain,
            (train.embeddings, labels),
            (val.embeddings, val.tones, val.logits),
            (photos.embeddings, photos.tones, photos.logits),
        )
        content["photos_refused_tuning_half"] = domain_fitting.share_refused(domain, outer[::2])
        content["photos_refused_other_half"] = domain_fitting.share_refused(domain, outer[1::2])
    return domain, content


def _strangers(engine: Engine, root: Path) -> dict[str, Any]:
    """Refusals for all reasons together: the other half of the ordinary photos; phone photos as counts."""
    content: dict[str, Any] = {}
    others = _photos(root)[1::2]
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
