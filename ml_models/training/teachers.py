"""Networks that teach another one: what they answer for a random view is a part of its target."""

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from ml_models import network, release
from ml_models.backend import tf
from ml_models.data import DataError
from ml_models.recipes import Phase, Recipe
from ml_models.training.trainer import Teacher


def earlier(recipe: Recipe, phase: Phase, weights: Sequence[NDArray[Any]]) -> Teacher:
    """The network of an earlier phase, at its own input side."""
    model = network.build(recipe.network, len(recipe.classes), phase.size)
    model.set_weights(weights)
    model.trainable = False
    return lambda images: tf.nn.softmax(model(_resized(images, phase.size), training=False))


def released(name: str, recipe: Recipe) -> Teacher:
    """A release of the same classes, by its SavedModel."""
    path = release.release_path(name)
    card = release.read_card(path)
    if card.classes != recipe.classes:
        raise DataError(f"The release {name} has other classes than the recipe {recipe.name}.")
    loaded = tf.saved_model.load(str(path / release.SAVED_MODEL))
    forward = loaded.signatures["serving_default"]

    def teach(images: Any) -> Any:
        pixels = tf.cast(tf.round(_resized(images, card.size)), tf.uint8)
        return forward(images=pixels)["probabilities"]

    # The loaded object owns what the function needs.
    teach.loaded = loaded  # type: ignore[attr-defined]
    return teach


def _resized(images: Any, size: int) -> Any:
    return tf.clip_by_value(tf.image.resize(images, [size, size], antialias=True), 0.0, 255.0)
