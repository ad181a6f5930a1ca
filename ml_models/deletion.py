"""The test that decides whether activation maps are shown: what they point at is covered."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from ml_models import bootstrap
from ml_models.runtime import Outputs

Floats = NDArray[np.float64]
COVERED = 0.2  # share of the map's places that the test blurs
RANDOM_MASKS = 5
SEED = 41
_BLUR, _SOFT = 0.06, 0.02  # of the picture's side


class Runs(Protocol):
    """What the test needs of an engine."""

    def outputs(self, inputs: NDArray[np.uint8]) -> Outputs: ...


def deletion_test(engine: Runs, inputs: NDArray[np.uint8]) -> dict[str, Any]:
    """How much the likeliest class loses when a fifth of the picture is blurred beyond recognition.

    Blurred are the places that the map points at, places drawn at random, and those that the map of another
    picture points at: the last tells whether the map knows more than that lesions lie in the middle. `inputs`
    are uint8 [n, s, s, 3], n at least 2. The map passes where both differences are above zero by their 95 %
    intervals.
    """
    rng = np.random.default_rng(SEED)
    outputs = engine.outputs(inputs)
    top = outputs.probabilities.argmax(axis=1)
    each = np.arange(len(inputs))
    before = outputs.probabilities[each, top]
    chosen = outputs.maps[each, :, :, top]
    places = chosen.shape[1] * chosen.shape[2]
    count = max(1, round(COVERED * places))
    order = np.argsort(-chosen.reshape(len(inputs), places), axis=1, kind="stable")

    def loss(covered: NDArray[np.int64]) -> Floats:
        spoiled = _cover(inputs, covered, chosen.shape[1:])
        lost: Floats = before - engine.outputs(spoiled).probabilities[each, top]
        return lost

    pointed = loss(order[:, :count])
    drawn = [np.stack([rng.permutation(places)[:count] for _ in inputs]) for _ in range(RANDOM_MASKS)]
    random = np.mean([loss(covered) for covered in drawn], axis=0)
    borrowed = loss(np.roll(order[:, :count], 1, axis=0))
    intervals = [bootstrap.mean_interval(pointed - random), bootstrap.mean_interval(pointed - borrowed)]
    return {
        "n": len(inputs),
        "covered": round(count / places, 4),
        "loss_by_map": float(pointed.mean()),
        "loss_by_random_places": float(random.mean()),
        "loss_by_map_of_another_picture": float(borrowed.mean()),
        "difference_to_random_ci": intervals[0],
        "difference_to_another_ci": intervals[1],
        "map_loses_more_than_random": float((pointed > random).mean()),
        "passed": all(interval is not None and interval[0] > 0.0 for interval in intervals),
    }


def _cover(inputs: NDArray[np.uint8], covered: NDArray[np.int64], shape: Sequence[int]) -> NDArray[np.uint8]:
    """Blurs cells [n, k] of a grid of `shape` over each picture.

    A patch of one colour with hard edges would be a structure that the network has never seen, and its answer
    would change because of that: so the cells keep their colours, and their borders are soft.
    """
    size = inputs.shape[1]
    rows = np.arange(size) * shape[0] // size
    columns = np.arange(size) * shape[1] // size
    cells = rows[:, None] * shape[1] + columns[None]
    spoiled = np.empty_like(inputs)
    for i, (pixels, chosen) in enumerate(zip(inputs, covered, strict=True)):
        picture = Image.fromarray(pixels)
        mask = Image.fromarray((np.isin(cells, chosen) * 255).astype(np.uint8))
        blurred = picture.filter(ImageFilter.GaussianBlur(_BLUR * size))
        spoiled[i] = np.asarray(
            Image.composite(blurred, picture, mask.filter(ImageFilter.GaussianBlur(_SOFT * size)))
        )
    return spoiled
