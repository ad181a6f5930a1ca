"""A square picture seen in its eight flips and quarter turns: which way is up means nothing on skin."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_models.backend import keras, tf

ops = keras.ops
VIEWS = 8
_BATCH = 64  # pictures at work at once, each view counted


def turned(images: Any, view: int) -> Any:
    """One of the eight views of images [n, s, s, c]: `view` % 4 quarter turns, then a flip from 4 on."""
    images = ops.rot90(images, view % 4, axes=(1, 2))
    return ops.flip(images, axis=2) if view >= 4 else images


def turned_back(maps: Any, view: int) -> Any:
    """The inverse of `turned`."""
    maps = ops.flip(maps, axis=2) if view >= 4 else maps
    return ops.rot90(maps, -view % 4, axes=(1, 2))


def all_views(images: Any) -> Any:
    """[n, s, s, c] -> [8 n, s, s, c], one view of all images after the other."""
    return ops.concatenate([turned(images, view) for view in range(VIEWS)], axis=0)


def each_view(values: Any) -> list[Any]:
    """The inverse of `all_views` for what a network made of them: [8 n, ...] -> eight of [n, ...]."""
    rows = ops.reshape(values, (VIEWS, -1, *values.shape[1:]))
    return [rows[view] for view in range(VIEWS)]


def predictor(model: Any, views: int) -> Any:
    """Uint8 [n, s, s, 3] -> logits [n, k] of any network; their mean over the eight where `views` is 8."""

    def forward(images: Any) -> Any:
        pixels = tf.cast(images, tf.float32)
        if views == 1:
            return model(pixels, training=False)
        return sum(each_view(model(all_views(pixels), training=False))) / VIEWS

    return tf.function(forward, reduce_retracing=True)


def logits(forward: Callable[[Any], Any], images: NDArray[np.uint8], views: int = 1) -> NDArray[np.float64]:
    """Logits [n, k] of images [n, s, s, 3], at least one, by a `forward` that looks at `views` of each."""
    batch = _BATCH // views
    parts = [forward(images[i : i + batch]).numpy() for i in range(0, len(images), batch)]
    return np.concatenate(parts).astype(np.float64)
