"""Fits what age, sex and site add to a finished run: weights on `train`, their scale on `val`."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_models import data, metadata, metrics
from ml_models.taxonomy import CODES, view_named
from ml_models.training.loop import figures
from ml_models.training.run import Run, RunError

SCALES = tuple(step / 20 for step in range(31))


def fit_answers(folder: Path, *, root: Path) -> dict[str, Any]:
    """Writes metadata.json into the run's folder: the weights and what they change on `val`. Raises RunError.

    The weights are fitted without the image, so they do not lean on how sure the network is of pictures it
    has learnt from; the scale, chosen by the log loss on `val`, allows for what the picture tells as well.
    """
    run = Run(folder)
    if not run.finished or run.recipe().classes != CODES or not (folder / "final_val.npz").is_file():
        raise RunError(f"{folder} is no finished run of all eight classes.")
    train, val = data.read_records(root, "train"), data.read_records(root, "val")
    logits, labels = run.read_arrays("final_val.npz")
    if not np.array_equal(labels, [CODES.index(record.code) for record in val]):
        raise RunError(f"The run in {folder} was validated on other images.")
    image = metrics.softmax(logits / run.read_json("result.json")["temperature"])
    alone = metadata.fit(_answers(train), np.array([CODES.index(record.code) for record in train]))
    rows = _answers(val)
    losses = [metrics.log_loss(metadata.scaled(alone, scale).apply(image, rows), labels) for scale in SCALES]
    scale = SCALES[int(np.argmin(losses))]
    chosen = metadata.scaled(alone, scale)
    without = figures(view_named("8"), np.log(image), labels)
    extended = figures(view_named("8"), np.log(chosen.apply(image, rows)), labels)
    found = {
        "scale": scale,
        **chosen.to_json(),
        "val": {"without": without, "with": extended},
        # A release takes them along only if none of these figures is the worse for it.
        "better": extended["val_loss"] < without["val_loss"]
        and all(extended[name] >= without[name] for name in without if name != "val_loss"),
    }
    run.write_json("metadata.json", found)
    return found


def _answers(records: list[data.Record]) -> NDArray[np.float64]:
    return metadata.encode_all([(record.age, record.sex, record.site) for record in records])
