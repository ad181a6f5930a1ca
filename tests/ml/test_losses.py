"""Losses against what can be worked out by hand, and mixing."""

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow

LOGITS = np.array([[2.0, 0.0, -1.0], [0.5, 0.5, 0.0]], np.float32)
TARGETS = np.eye(3, dtype=np.float32)[[0, 2]]
ONES = np.ones(3, np.float32)


def shares() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    powers = np.exp(LOGITS.astype(np.float64))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def test_cross_entropy_is_the_mean_logarithm_of_the_right_share() -> None:
    from ml_models.training.losses import cross_entropy

    expected = -np.log(shares()[[0, 1], [0, 2]]).mean()
    assert float(cross_entropy(TARGETS, LOGITS, ONES, smoothing=0.0, gamma=0.0)) == pytest.approx(expected)


def test_weights_multiply_the_terms_of_their_class() -> None:
    from ml_models.training.losses import cross_entropy

    terms = -np.log(shares()[[0, 1], [0, 2]])
    weighted = cross_entropy(TARGETS, LOGITS, np.array([1, 1, 3], np.float32), smoothing=0.0, gamma=0.0)
    assert float(weighted) == pytest.approx((terms[0] + 3 * terms[1]) / 2)


def test_the_focal_loss_spares_what_is_sure() -> None:
    from ml_models.training.losses import cross_entropy

    right = shares()[[0, 1], [0, 2]]
    expected = (-((1 - right) ** 2) * np.log(right)).mean()
    assert float(cross_entropy(TARGETS, LOGITS, ONES, smoothing=0.0, gamma=2.0)) == pytest.approx(expected)


def test_smoothing_gives_every_class_a_part() -> None:
    from ml_models.training.losses import cross_entropy

    smooth = TARGETS * 0.9 + 0.1 / 3
    expected = -(smooth * np.log(shares())).sum(axis=1).mean()
    assert float(cross_entropy(TARGETS, LOGITS, ONES, smoothing=0.1, gamma=0.0)) == pytest.approx(expected)


def test_balanced_weights_make_every_class_count_the_same() -> None:
    from ml_models.training.losses import class_weights

    labels = np.repeat([0, 1, 2], [10, 30, 60])
    weights = class_weights(("a", "b", "c"), labels, given={}, balanced=True)
    assert np.allclose(weights * np.bincount(labels), 100 / 3)
    given = class_weights(("a", "b", "c"), labels, given={"b": 1.5}, balanced=False)
    assert list(given) == [1.0, 1.5, 1.0]


def test_mixing_keeps_pictures_and_targets_in_step() -> None:
    """Each picture is of its class's colour, so the mean colour tells the share of each class."""
    from ml_models.backend import tf
    from ml_models.training.losses import mix

    targets = np.eye(4, dtype=np.float32)
    images = np.tile(targets[:, None, None, :3] * 255.0, (1, 32, 32, 1)).astype(np.float32)
    kinds = set()
    for number in range(40):
        mixed, soft = (each.numpy() for each in mix(images, targets, tf.constant([7, number]), 0.4))
        assert np.allclose(soft.sum(axis=1), 1.0, atol=1e-5)
        assert np.allclose(mixed.mean(axis=(1, 2)) / 255.0, soft[:, :3], atol=1e-4)
        kinds.add(bool(np.isclose(mixed, np.rint(mixed / 255.0) * 255.0, atol=1e-2).all()))
    assert kinds == {True, False}
