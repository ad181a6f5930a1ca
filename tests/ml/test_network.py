"""The networks, and the Spatial Transformer against maps that are known."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml_models.data import DataError
from ml_models.recipes import RECIPES, Network

pytestmark = pytest.mark.tensorflow


def picture(side: int = 5, channels: int = 3) -> Any:
    return np.random.default_rng(1).normal(size=(2, side, side, channels)).astype(np.float32)


def seen_through(images: Any, theta: list[float]) -> Any:
    from ml_models.network.spatial_transformer import grid, sample

    _, height, width, channels = images.shape
    places = grid(np.tile(np.array(theta, np.float32), (len(images), 1)), height, width)
    return np.asarray(sample(images, places)).reshape(-1, height, width, channels)


def test_the_identity_shows_the_same() -> None:
    assert np.allclose(seen_through(picture(), [1, 0, 0, 0, 1, 0]), picture(), atol=1e-5)


def test_known_maps_turn_flip_and_shift() -> None:
    images = picture()
    assert np.allclose(seen_through(images, [-1, 0, 0, 0, 1, 0]), images[:, :, ::-1], atol=1e-5)
    assert np.allclose(seen_through(images, [0, 1, 0, 1, 0, 0]), images.transpose(0, 2, 1, 3), atol=1e-5)
    # 0.5 is one place of five: the picture moves to the left and zeros come in.
    moved = seen_through(images, [1, 0, 0.5, 0, 1, 0])
    assert np.allclose(moved[:, :, :-1], images[:, :, 1:], atol=1e-5)
    assert np.allclose(moved[:, :, -1], 0.0, atol=1e-6)


def test_between_two_places_lies_their_mean() -> None:
    images = picture()
    half = seen_through(images, [1, 0, 0.25, 0, 1, 0])
    assert np.allclose(half[:, :, :-1], (images[:, :, :-1] + images[:, :, 1:]) / 2, atol=1e-5)


def test_pictures_need_not_be_square() -> None:
    images = np.random.default_rng(2).normal(size=(1, 3, 6, 2)).astype(np.float32)
    assert np.allclose(seen_through(images, [1, 0, 0, 0, -1, 0]), images[:, ::-1], atol=1e-5)


def test_the_gradient_of_the_map_is_the_difference_quotient() -> None:
    from ml_models.backend import tf
    from ml_models.network.spatial_transformer import grid, sample

    images = picture(7)
    goal = np.random.default_rng(3).normal(size=(2, 49, 3)).astype(np.float32)

    def value(theta: Any) -> Any:
        return tf.reduce_sum(sample(images, grid(theta, 7, 7)) * goal)

    start = np.tile(np.array([0.83, 0.11, 0.07, -0.13, 0.71, -0.05], np.float32), (2, 1))
    theta = tf.Variable(start)
    with tf.GradientTape() as tape:
        total = value(theta)
    gradient = tape.gradient(total, theta).numpy()
    assert np.abs(gradient).min() > 0
    step = 1e-3
    for row in range(2):
        for column in range(6):
            moved = np.zeros_like(start)
            moved[row, column] = step
            slope = (float(value(start + moved)) - float(value(start - moved))) / (2 * step)
            assert gradient[row, column] == pytest.approx(slope, rel=0.05, abs=0.05)


def test_the_layer_starts_as_the_identity_and_learns() -> None:
    from ml_models.backend import tf
    from ml_models.network import SpatialTransformer

    layer = SpatialTransformer(penalty=0.001)
    images = picture(5, 16)
    assert np.allclose(layer(images), images, atol=1e-5)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((layer(images) - images[:, ::-1]) ** 2)
    gradients = dict(
        zip(
            [variable.path.split("/")[-2] for variable in layer.trainable_variables],
            tape.gradient(loss, layer.trainable_variables),
            strict=True,
        )
    )
    assert float(tf.reduce_sum(tf.abs(gradients["affine"]))) > 0
    assert layer.losses


def test_the_layer_is_saved_and_loaded(tmp_path: Path) -> None:
    from ml_models.backend import keras
    from ml_models.network import SpatialTransformer

    inputs = keras.Input((5, 5, 3))
    model = keras.Model(inputs, SpatialTransformer(penalty=0.01, dropout=0.1)(inputs))
    affine = model.layers[-1].steps[-1]
    affine.bias.assign([0.5, 0.1, 0.0, 0.0, 0.8, 0.2])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.layers[-1].get_config()["penalty"] == 0.01
    assert np.allclose(again(picture()), model(picture()), atol=1e-6)


@pytest.mark.parametrize("network", list(Network))
def test_every_network_takes_pixels_and_gives_logits(network: Network) -> None:
    from ml_models.network import build, set_trainable

    model = build(network, 5, 64)
    set_trainable(model, "all")
    pixels = np.random.default_rng(1).uniform(0, 255, size=(2, 64, 64, 3)).astype(np.float32)
    logits = np.asarray(model(pixels, training=False))
    assert logits.shape == (2, 5)
    assert model.count_params() <= 5_000_000


def test_five_blocks_have_about_143_000_parameters() -> None:
    from ml_models.network import build

    assert build(Network.FIVE_BLOCKS, 7, RECIPES["dermai"].size).count_params() == pytest.approx(
        143_000, rel=0.01
    )


@pytest.mark.parametrize("network", [network for network in Network if network.is_linear])
def test_an_activation_map_is_exact(network: Network) -> None:
    """The logit is the mean over the feature map of the same linear layer."""
    from ml_models.network import build, head, parts

    model = build(network, 8, 64)
    pixels = np.random.default_rng(1).uniform(0, 255, size=(2, 64, 64, 3)).astype(np.float32)
    logits, embedding, features = (np.asarray(each) for each in parts(model)(pixels, training=False))
    assert (logits.shape, embedding.shape, features.shape) == ((2, 8), (2, 1280), (2, 2, 2, 1280))
    kernel, bias = (np.asarray(weight) for weight in head(model).weights)
    assert np.allclose((features @ kernel).mean(axis=(1, 2)) + bias, logits, atol=1e-4)
    assert np.allclose(logits, model(pixels, training=False), atol=1e-5)


def test_eight_views_are_their_mean() -> None:
    from ml_models import network

    model = network.build(Network.MOBILENET, 3, 32)
    images = np.random.default_rng(1).integers(0, 256, size=(2, 32, 32, 3), dtype=np.uint8)
    once, eight = network.predictor(model, 1), network.predictor(model, 8)
    sides = [np.rot90(each, k, (1, 2)) for each in (images, images[:, :, ::-1]) for k in range(4)]
    expected = np.mean([once(np.ascontiguousarray(side)).numpy() for side in sides], axis=0)
    assert np.allclose(eight(images).numpy(), expected, atol=1e-4)
    many = np.concatenate([images] * 5)  # more than one batch of eight views
    assert np.allclose(network.logits(eight, many, 8), np.concatenate([expected] * 5), atol=1e-4)


def test_eight_views_keep_the_map_exact_and_in_place() -> None:
    from ml_models.network import build, head, parts, predictor

    model = build(Network.MOBILENET, 8, 64)
    pixels = np.random.default_rng(1).uniform(0, 255, size=(2, 64, 64, 3)).astype(np.float32)
    logits, embedding, features = (np.asarray(each) for each in parts(model, 8)(pixels, training=False))
    assert np.allclose(logits, predictor(model, 8)(pixels), atol=1e-4)
    kernel, bias = (np.asarray(weight) for weight in head(model).weights)
    assert np.allclose((features @ kernel).mean(axis=(1, 2)) + bias, logits, atol=1e-4)
    assert np.allclose(features.mean(axis=(1, 2)), embedding, atol=1e-4)
    # The same picture from another side: the same answer, and the map turned with it.
    other = np.ascontiguousarray(np.rot90(pixels, 1, (1, 2))[:, :, ::-1])
    again, _, turned = (np.asarray(each) for each in parts(model, 8)(other, training=False))
    assert np.allclose(again, logits, atol=1e-4)
    assert np.allclose(turned, np.rot90(features, 1, (1, 2))[:, :, ::-1], atol=1e-4)


def test_fused_batch_normalisation_is_keras_own() -> None:
    from ml_models.backend import keras, tf
    from ml_models.network.normalisation import FusedBatchNormalization

    maps = np.random.default_rng(2).normal(3.0, 2.0, size=(8, 9, 9, 5)).astype(np.float32)
    found = []
    for kind in (keras.layers.BatchNormalization, FusedBatchNormalization):
        layer = kind(momentum=0.9)
        layer.build(maps.shape)
        layer.set_weights([np.linspace(0.5, 1.5, 5), np.linspace(-1.0, 1.0, 5), np.zeros(5), np.ones(5)])
        given = tf.constant(maps)
        with tf.GradientTape() as tape:
            tape.watch(given)
            answer = layer(given, training=True)
            loss = tf.reduce_sum(answer**3)
        gradients = tape.gradient(loss, [given, *layer.trainable_variables])
        still = layer(given, training=False)
        layer.trainable = False
        frozen = layer(given, training=True)
        assert np.allclose(still, frozen, atol=1e-5)
        found.append([answer, *gradients, still, *layer.get_weights()])
    for plain, fused in zip(*found, strict=True):
        # TensorFlow keeps the unbiased variance: n / (n - 1) of 648 values.
        assert np.allclose(plain, fused, rtol=2e-3, atol=2e-3)


def test_a_phase_lets_train_what_it_names() -> None:
    from ml_models.backend import keras
    from ml_models.network import BATCH_NORM_MOMENTUM, build, set_trainable

    model = build(Network.MOBILENET, 8, 32)
    body = model.get_layer("body")
    set_trainable(model, "after block_2")
    assert not body.get_layer("block_2_project_BN").trainable
    assert body.get_layer("block_3_expand").trainable
    set_trainable(model, "last 50")
    assert [layer.trainable for layer in body.layers].count(True) == 50
    set_trainable(model, "head")
    assert {variable.path.split("/")[0] for variable in model.trainable_variables} == {"logits"}
    set_trainable(model, "all")
    assert all(layer.trainable for layer in body.layers)
    momenta = {layer.momentum for layer in body.layers if isinstance(layer, keras.layers.BatchNormalization)}
    assert momenta == {BATCH_NORM_MOMENTUM}
    for wrong in ("after block_99", "most", "last few"):
        with pytest.raises(DataError, match="A phase trains"):
            set_trainable(model, wrong)
    with pytest.raises(DataError, match="A phase trains"):
        set_trainable(build(Network.FIVE_BLOCKS, 7, 32), "head")


def test_missing_weights_are_told(tmp_path: Path) -> None:
    from ml_models.network import build

    with pytest.raises(DataError, match=r"weights .* missing"):
        build(Network.MOBILENET, 8, 32, weights=tmp_path / "none.h5")
