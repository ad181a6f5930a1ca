"""MobileNetV2 with global pooling and one linear layer."""

from pathlib import Path
from typing import Any

from ml_models.backend import keras
from ml_models.data import DataError
from ml_models.taxonomy import CODES

# Keras's 0.999 lags behind in a fine-tuning of a few thousand steps, and validation then measures the lag.
BATCH_NORM_MOMENTUM = 0.97


def build(
    size: int, *, dropout: float = 0.0, frozen_up_to: str | None = None, weights: Path | None = None
) -> Any:
    """Keras model: float32 [n, size, size, 3] in 0..255 -> logits float32 [n, 8].

    `weights` is an ImageNet `.weights.h5` for the body; layers up to the block `frozen_up_to` (a prefix such
    as "block_2") do not train and keep their batch-norm statistics.
    """
    body = keras.applications.MobileNetV2(
        input_shape=(size, size, 3), alpha=1.0, include_top=False, weights=None
    )
    if weights is not None:
        if not weights.is_file():
            raise DataError(f"The ImageNet weights {weights} are missing.")
        body.load_weights(weights)
    _freeze(body, frozen_up_to)
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM
    inputs = keras.Input((size, size, 3), name="pixels")
    features = body(keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(inputs))
    embedding = keras.layers.GlobalAveragePooling2D(name="embedding")(features)
    dropped = keras.layers.Dropout(dropout, name="dropout")(embedding)
    logits = keras.layers.Dense(len(CODES), name="logits")(dropped)
    return keras.Model(inputs, logits, name="derma")


def _freeze(body: Any, frozen_up_to: str | None) -> None:
    if frozen_up_to is None:
        return
    last = max(i for i, layer in enumerate(body.layers) if layer.name.startswith(f"{frozen_up_to}_"))
    for layer in body.layers[: last + 1]:
        layer.trainable = False
