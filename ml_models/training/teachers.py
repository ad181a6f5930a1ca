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
    model = network.restore(recipe, weights, phase.size)
    saving.fold(model)
    return _frozen(model, phase.size)


def released(name: str, recipe: Recipe) -> Teacher:
    """A release of the same classes, which looks from one side like its student.

    Raises ReleaseError if it is not what was released, DataError if it has other classes.
    """
    path = release.release_path(name)
    card = release.verify(path)
    if card.classes != recipe.classes:
        raise DataError(f"The release {name} has other classes than the recipe {recipe.name}.")
    kind = Network(card.raw["training"]["recipe"]["network"])
    model = saving.read_back(path / release.SAVED_MODEL, kind, card.size, len(card.classes))
    return _frozen(model, card.size, card.temperature)


def _frozen(model: Any, size: int, temperature: float = 1.0) -> Teacher:
    """Its weights become constants, which TensorFlow arranges as the convolutions like them, once and for
    all: a good half of the time (docs/performance.md), and what teaches does not change anyway.
    """

    def answer(images: Any) -> Any:
        return tf.nn.softmax(model(images, training=False) / temperature)

    frozen = saving.freeze(answer, tf.TensorSpec([None, size, size, 3], tf.float32))
    return lambda images: frozen(_resized(tf.convert_to_tensor(images), size))[0]


def _resized(images: Any, size: int) -> Any:
    if images.shape[1] == size:
        return images
    return tf.clip_by_value(tf.image.resize(images, [size, size], antialias=True), 0.0, 255.0)
