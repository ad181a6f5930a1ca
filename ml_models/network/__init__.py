"""The networks that recipes name. Pixels in, logits out; scaling is part of the network."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ml_models.backend import keras
from ml_models.data import DataError
from ml_models.network import imagenet
from ml_models.network.efficientnet_lite import efficientnet_lite0
from ml_models.network.normalisation import FusedBatchNormalization, fused
from ml_models.network.spatial_transformer import SpatialTransformer
from ml_models.network.views import VIEWS, all_views, each_view, logits, predictor, turned_back
from ml_models.recipes.base import Network, Recipe

__all__ = [
    "FusedBatchNormalization",
    "SpatialTransformer",
    "build",
    "head",
    "logits",
    "parts",
    "predictor",
    "restore",
    "set_trainable",
]

# Keras's 0.999 lags behind in a fine-tuning of a few thousand steps, and validation then measures the lag.
BATCH_NORM_MOMENTUM = 0.97
# An L2 penalty of DermaVision's transformer and head.
TRANSFORMER_PENALTY = 0.001
HEAD_PENALTY = 0.01


def build(
    network: Network, classes: int, size: int, *, dropout: float = 0.0, weights: Path | None = None
) -> Any:
    """Keras model: float32 [n, size, size, 3] in 0..255 -> logits float32 [n, classes].

    `weights` is a file of ImageNet weights for the body of those that have one.
    """
    inputs = keras.Input((size, size, 3), name="pixels")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(inputs)
    if network is Network.FIVE_BLOCKS:
        return keras.Model(inputs, _five_blocks(scaled, classes), name=network.value)
    body = _body(network, size, weights)
    outputs = _HEADS[network](body(scaled), classes, dropout)
    return keras.Model(inputs, outputs, name=network.value)


def restore(recipe: Recipe, weights: Sequence[NDArray[Any]], size: int | None = None) -> Any:
    """The Keras model of a recipe with the weights of a run, at the side that it serves at or at `size`."""
    model = build(recipe.network, len(recipe.classes), size or recipe.size)
    model.set_weights(weights)
    return model


def _body(network: Network, size: int, weights: Path | None) -> Any:
    """Keras model: float32 [n, size, size, 3] in -1..1 -> feature map; without `weights` they are random."""
    if network is Network.LITE:
        body = efficientnet_lite0(size)
    else:
        body = keras.applications.MobileNetV2(
            input_shape=(size, size, 3), alpha=1.0, include_top=False, weights=None, name="body"
        )
    if weights is not None:
        imagenet.load(body, weights)
    body = fused(body)
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM
    return body


def _linear_head(features: Any, classes: int, dropout: float) -> Any:
    """Global pooling and one linear layer, which makes a class-activation map exact."""
    embedding = keras.layers.GlobalAveragePooling2D(name="embedding")(features)
    dropped = keras.layers.Dropout(dropout, name="dropout")(embedding)
    return keras.layers.Dense(classes, name="logits")(dropped)


def _transformer_head(features: Any, classes: int, dropout: float) -> Any:
    l2 = keras.regularizers.L2
    moved = SpatialTransformer(penalty=TRANSFORMER_PENALTY, name="spatial_transformer")(features)
    pooled = keras.layers.GlobalAveragePooling2D(name="embedding")(moved)
    normal = keras.layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name="head_bn")(pooled)
    dropped = keras.layers.Dropout(dropout, name="dropout")(normal)
    return keras.layers.Dense(classes, kernel_regularizer=l2(HEAD_PENALTY), name="logits")(dropped)


def _deep_head(features: Any, classes: int, dropout: float) -> Any:
    """512, then 256 units; the second dropout is a tenth weaker (0.4, then 0.3)."""
    value = keras.layers.GlobalAveragePooling2D(name="embedding")(features)
    for units, rate in ((512, dropout), (256, max(0.0, dropout - 0.1))):
        value = keras.layers.Dense(units, activation="relu", name=f"dense_{units}")(value)
        value = keras.layers.Dropout(rate, name=f"dropout_{units}")(value)
    return keras.layers.Dense(classes, name="logits")(value)


_HEADS: dict[Network, Callable[[Any, int, float], Any]] = {
    Network.LITE: _linear_head,
    Network.MOBILENET: _linear_head,
    Network.TRANSFORMER: _transformer_head,
    Network.DEEP_HEAD: _deep_head,
}


def _five_blocks(value: Any, classes: int) -> Any:
    for block, channels in enumerate((8, 16, 32, 64, 128), start=1):
        value = keras.layers.Conv2D(channels, 3, padding="same", activation="relu", name=f"conv_{block}")(
            value
        )
        value = FusedBatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"bn_{block}")(value)
        value = keras.layers.MaxPooling2D(name=f"pool_{block}")(value)
    return keras.layers.Dense(classes, name="logits")(keras.layers.Flatten(name="embedding")(value))


def set_trainable(model: Any, what: str) -> None:
    """Lets train what a phase's `trainable` names; frozen batch normalisation keeps its statistics.

    Raises DataError for a name that the network does not know, so also where it has no body.
    """
    body = next((layer for layer in model.layers if layer.name == "body"), None)
    if body is not None:
        # Keras does not pass it on to all that an earlier phase has frozen.
        for layer in (body, *body.layers):
            layer.trainable = True
    if what == "all":
        return
    how, _, where = what.partition(" ")
    if body is not None and what == "head":
        body.trainable = False
        return
    if body is not None and how == "last" and where.isdigit():
        frozen = len(body.layers) - int(where)
    elif body is not None and how == "after" and (last := _last_of(body, where)) is not None:
        frozen = 1 + last
    else:
        raise DataError(f"A phase trains 'all', 'head', 'last N' or 'after BLOCK' of a body, not {what!r}.")
    for layer in body.layers[:frozen]:
        layer.trainable = False


def _last_of(body: Any, block: str) -> int | None:
    """Where the last layer of a block lies; None if there is no such block."""
    places = [i for i, layer in enumerate(body.layers) if layer.name.startswith(f"{block}_")]
    return places[-1] if places else None


def head(model: Any) -> Any:
    """The last linear layer: kernel [d, classes], bias [classes]."""
    return model.get_layer("logits")


def parts(model: Any, views: int = 1) -> Any:
    """Keras model of a network with a linear head, in one pass: the same input ->
    (logits [n, classes], embedding after global pooling [n, d], feature map before it [n, h, w, d]).

    With eight `views` the feature map is the mean of those of all flips and quarter turns, each turned back,
    and the logits are then the mean of theirs: a class-activation map stays exact.
    """
    pool, inputs = model.get_layer("embedding"), model.inputs[0]
    if views == 1:
        return keras.Model(inputs, [model.outputs[0], pool.output, pool.input], name="parts")
    body = keras.Model(inputs, pool.input, name="features")
    maps = each_view(body(all_views(inputs)))
    mean = sum(turned_back(each, view) for view, each in enumerate(maps)) / VIEWS
    embedding = pool(mean)
    return keras.Model(inputs, [head(model)(embedding), embedding, mean], name="parts")
