"""Networks that teach another one: what they answer for a random view is a part of its target."""

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from ml_models import network, release, saving
from ml_models.backend import tf
from ml_models.data import DataError
from ml_models.recipes import Network, Phase, Recipe
from ml_models.training.trainer import Teacher


def earlier(recipe: Recipe, phase: Phase, weights: Sequence[NDArray[Any]]) -> Teacher:
    """The network of an earlier phase, at its own input side."""
    model = network.build(recipe.network, len(recipe.classes), phase.size)
    model.set_weights(weights)
    model.trainable = False
    return lambda images: tf.nn.softmax(model(_resized(images, phase.size), training=False))


def released(name: str, recipe: Recipe) -> Teacher:
    """A release of the same classes, which looks from one side like its student."""
    path = release.release_path(name)
    card = release.read_card(path)
    if card.classes != recipe.classes:
        raise DataError(f"The release {name} has other classes than the recipe {recipe.name}.")
    kind = Network(card.raw["training"]["recipe"]["network"])
    model = saving.read_back(path / release.SAVED_MODEL, kind, card.size, len(card.classes))
    model.trainable = False

    def teach(images: Any) -> Any:
        logits = model(_resized(images, card.size), training=False)
        return tf.nn.softmax(logits / card.temperature)

    return teach


def _resized(images: Any, size: int) -> Any:
    return tf.clip_by_value(tf.image.resize(images, [size, size], antialias=True), 0.0, 255.0)
