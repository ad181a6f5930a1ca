"""From a finished run to a release folder."""

import datetime
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml_models import calibration, data, evaluation, metrics, network, release, synthetic
from ml_models.backend import tf
from ml_models.decision import Thresholds
from ml_models.imaging import model_input
from ml_models.labels import Labels, allowed_views
from ml_models.recipes import Recipe, command
from ml_models.runtime import Engine
from ml_models.taxonomy import CODES
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
TRAINED_ON = (
    "HAM10000 (Tschandl, Rosendahl, Kittler 2018, doi:10.1038/sdata.2018.161): dermatoscopic images, "
    "training split grouped by lesion; body of the network from ImageNet."
)
LICENCE = (
    "CC BY-NC 4.0 (weights trained on HAM10000, which is CC BY-NC 4.0; "
    "the ImageNet weights that training started from: Apache-2.0)"
)
LIMITS = (
    "Decision support for clinicians, not a diagnosis.",
    "Not validated on darker skin (Fitzpatrick IV-VI): skin type is unrecorded, nearly all is light.",
    "For dermatoscopic images only; phone photos are outside its domain.",
    "It does not recognise pictures that show no lesion, and knows no class but its eight.",
    "The data come from two clinics, in Austria and Australia.",
)


def export(folder: Path, out: Path, *, root: Path) -> Path:
    """Writes the release `out` from the run in `folder`, measured on `val` and `test` as released.

    Golden probabilities come from the Keras network. Raises RunError or DataError; leaves nothing half made.
    """
    run = Run(folder)
    if not (folder / "result.json").is_file():
        raise RunError(f"The run in {folder} is not finished.")
    if not release.NAME.fullmatch(out.name):
        raise RunError(
            f"A release name has small letters, digits, dots and hyphens only, unlike {out.name!r}."
        )
    if out.exists():
        raise RunError(f"{out} exists already; a release is never overwritten.")
    recipe, result = run.recipe(), run.read_json("result.json")
    model = network.build(recipe.network, len(recipe.classes), recipe.size)
    model.set_weights(run.read_arrays("best.npz"))
    logits, labels = run.read_arrays("best_val.npz")
    thresholds = calibration.fit_thresholds(metrics.softmax(logits / result["temperature"]), labels)
    made = out.with_name(f".{out.name}.{os.getpid()}")
    shutil.rmtree(made, ignore_errors=True)
    try:
        made.mkdir(parents=True)
        _save_model(model, recipe.size, result["temperature"], made / release.SAVED_MODEL)
        _write_json(made / release.GOLDEN, golden(model, recipe.size, result["temperature"]))
        card = _card(out.name, recipe, result, thresholds)
        card["files"] = release.list_files(made)
        _write_json(made / release.CARD, card)
        engine = Engine.load(made)
        engine.check_golden()
        card["metrics"] = {split: _measure(engine, root, split) for split in ("val", "test")}
        _write_json(made / release.CARD, card)
        made.rename(out)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return out


def _save_model(model: Any, size: int, temperature: float, path: Path) -> None:
    """SavedModel: images uint8 [n, size, size, 3] -> probabilities float32 [n, 8].

    The weights are constants of the graph, which lets TensorFlow fold batch normalisation into the
    convolutions when it loads: a quarter less time an image than with variables.
    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    signature = [tf.TensorSpec([None, size, size, 3], tf.uint8, name="images")]

    def forward(images: Any) -> Any:
        return tf.nn.softmax(model(tf.cast(images, tf.float32), training=False) / temperature)

    frozen = convert_variables_to_constants_v2(
        tf.function(forward, input_signature=signature).get_concrete_function()
    )

    def serve(images: Any) -> dict[str, Any]:
        return {"probabilities": frozen(images)[0]}

    module = tf.Module()
    module.serve = tf.function(serve, input_signature=signature)
    tf.saved_model.save(
        module, str(path), signatures={"serving_default": module.serve.get_concrete_function()}
    )


def golden(model: Any, size: int, temperature: float) -> dict[str, Any]:
    """Probabilities of generated images straight from the Keras network."""
    cases = []
    for seed, shape in GOLDEN_CASES:
        pixels = model_input(synthetic.lesion(seed, shape), size)[None].astype(np.float32)
        logits = np.asarray(model(pixels, training=False), dtype=np.float64)
        row = metrics.softmax(logits / temperature)[0]
        probabilities = {code: round(float(p), 6) for code, p in zip(CODES, row, strict=True)}
        cases.append({"seed": seed, "size": list(shape), "probabilities": probabilities})
    return {"tolerance": GOLDEN_TOLERANCE, "cases": cases}


def _card(name: str, recipe: Recipe, result: dict[str, Any], thresholds: Thresholds) -> dict[str, Any]:
    return {
        "format": release.FORMAT,
        "name": name,
        "created": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "network": "MobileNetV2 (alpha 1.0), global average pooling, one linear layer",
        "classes": list(CODES),
        "input": {
            "size": [recipe.size, recipe.size],
            "geometry": release.GEOMETRY,
            "scaling": release.SCALING,
        },
        "temperature": result["temperature"],
        "thresholds": {
            "urgent": {
                "value": thresholds.urgent,
                "rule": "least sum of malignant and pre-cancer probabilities with a specificity of at least "
                f"{calibration.URGENT_SPECIFICITY} on val",
            },
            "soon": {
                "value": thresholds.soon,
                "rule": "greatest sum of malignant and pre-cancer probabilities with a sensitivity "
                f"of at least {calibration.SOON_SENSITIVITY} on val",
            },
            "entropy": {
                "value": thresholds.entropy,
                "rule": "entropy in nats above which, where the sum is not urgent, the result is "
                f"cannot_assess; at most {calibration.REFUSED_SHARE} of val",
            },
        },
        "training": {
            "command": command(name, recipe),
            "seed": recipe.seed,
            "recipe": recipe.to_json(),
            "epoch": result["epoch"],
            "data_fingerprint": result["data_fingerprint"],
        },
        "trained_on": TRAINED_ON,
        "licence": LICENCE,
        "limits": list(LIMITS),
        "metrics": {},
    }


def _measure(engine: Engine, root: Path, split: str) -> dict[str, Any]:
    """Figures of one split through the SavedModel, with what the thresholds give."""
    records = data.read_records(root, split)
    rows = tuple((record.image_id, record.code) for record in records)
    labels = Labels(rows, allowed_views(set(CODES)))
    results = evaluation.run(engine, root / "ham10000" / "images", labels)
    content = evaluation.report(engine, labels, results)
    truth = np.array([CODES.index(label) for label in results.labels], dtype=np.int64)
    figures = {
        "n": content["n"],
        "unreadable": content["unreadable"],
        "views": content["views"],
        "urgency": calibration.describe(results.probabilities, truth, engine.card.thresholds),
        "ece": metrics.expected_calibration_error(results.probabilities, truth),
    }
    rounded: dict[str, Any] = _rounded(figures)
    return rounded


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value


def _write_json(path: Path, content: dict[str, Any] | Sequence[Any]) -> None:
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
