"""Targets and losses, on soft targets [n, k] so that smoothing and mixing are the same thing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_models.backend import tf


def class_weights(
    classes: Sequence[str], labels: NDArray[np.int64], *, given: Mapping[str, float], balanced: bool
) -> NDArray[np.float32]:
    """Float32 [k]: the weights given (1 where not named), times n / (classes present * count) if balanced."""
    weights = np.array([given.get(name, 1.0) for name in classes])
    if balanced:
        counts = np.bincount(labels, minlength=len(classes))
        present = counts > 0
        weights = weights * np.where(present, counts.sum() / (present.sum() * np.maximum(counts, 1)), 1.0)
    return weights.astype(np.float32)


def mix(images: Any, targets: Any, seed: Any, alpha: float) -> tuple[Any, Any]:
    """Mixup (Zhang 2018) or CutMix (Yun 2019), drawn for the batch, each image with its neighbour.

    `images` float32 [n, s, s, 3], `targets` float32 [n, k]; the share kept is drawn from Beta(alpha, alpha).
    """
    s = tf.random.split(seed, num=3)
    n, size = tf.shape(images)[0], tf.shape(images)[1]
    # Gammas this small underflow to 0 together, and 0 / 0 would spoil the run.
    pair = tf.random.stateless_gamma([2], s[0], alpha) + 1e-6
    kept = pair[0] / (pair[0] + pair[1])
    other = tf.roll(tf.range(n), 1, axis=0)
    blended = kept * images + (1.0 - kept) * tf.gather(images, other)
    side = tf.cast(tf.sqrt(1.0 - kept) * tf.cast(size, tf.float32), tf.int32)
    corner = tf.cast(tf.random.stateless_uniform([2], s[1]) * tf.cast(size - side + 1, tf.float32), tf.int32)
    line = tf.range(size)
    inside = [(line >= corner[i]) & (line < corner[i] + side) for i in range(2)]
    patch = (inside[0][:, None] & inside[1][None, :])[None, :, :, None]
    cut = tf.where(patch, tf.gather(images, other), images)
    cutting = tf.random.stateless_uniform([], s[2]) < 0.5
    area = tf.cast(side * side, tf.float32) / tf.cast(size * size, tf.float32)
    share = tf.where(cutting, 1.0 - area, kept)
    mixed = share * targets + (1.0 - share) * tf.gather(targets, other)
    return tf.where(cutting, cut, blended), mixed


def cross_entropy(targets: Any, logits: Any, weights: Any, *, smoothing: float, gamma: float) -> Any:
    """Mean of the weighted cross-entropy, of the focal loss (Lin 2017) where `gamma` is not 0."""
    logs = tf.nn.log_softmax(logits)
    classes = tf.cast(tf.shape(logits)[1], tf.float32)
    smooth = targets * (1.0 - smoothing) + smoothing / classes
    terms = -smooth * logs * tf.pow(1.0 - tf.exp(logs), gamma) if gamma else -smooth * logs
    return tf.reduce_mean(tf.reduce_sum(terms, axis=1) * tf.reduce_sum(targets * weights, axis=1))
