"""Random views of a batch, computed inside the training step for all its images at once."""

import math
from typing import Any

from ml_models.backend import tf
from ml_models.recipes.base import Augmentation


def augment(images: Any, seed: Any, how: Augmentation = Augmentation()) -> Any:  # noqa: B008  # immutable
    """uint8 [n, s, s, 3] -> float32 [n, s, s, 3] in 0..255. `seed` int32 [2] makes it repeatable.

    The picture's own quality is varied too (resolution, JPEG), since the sources differ in it and the
    network must not learn the source instead of the lesion.
    """
    seeds = tf.random.split(seed, num=4)
    images = _warp(tf.cast(images, tf.float32), seeds[0], how)
    images = _recolour(images, seeds[1], how)
    if how.soft_share:
        images = _soften(images, seeds[2], how.soft_share)
    images = tf.clip_by_value(images, 0.0, 255.0)
    return _jpeg(images, seeds[3], how.jpeg_share) if how.jpeg_share else images


def _uniform(shape: list[Any], seed: Any, low: float, high: float) -> Any:
    return tf.random.stateless_uniform(shape, seed, low, high)


def _around_one(shape: list[Any], seed: Any, width: float) -> Any:
    return _uniform(shape, seed, 1.0 - width, 1.0 + width)


def _some(n: Any, share: float) -> Any:
    """A share of n, rounded down, but at least one: the operations below cannot take none."""
    return tf.maximum(1, tf.cast(tf.cast(n, tf.float32) * share, tf.int32))


def _warp(images: Any, seed: Any, how: Augmentation) -> Any:
    """Random resized crop, flip, turn, shift and shear as one affine map with mirrored borders."""
    n, size = tf.shape(images)[0], tf.cast(tf.shape(images)[1], tf.float32)
    s = tf.random.split(seed, num=9)
    scale = tf.sqrt(_uniform([n], s[0], how.min_area, 1.0))
    stretch = tf.exp(_uniform([n], s[1], -how.stretch, how.stretch))
    tilt = math.radians(how.tilt)
    angle = _uniform([n], s[3], -tilt, tilt)
    if how.quarter_turns:
        turn = tf.random.stateless_uniform([n], s[2], 0, 4, dtype=tf.int32)
        angle += tf.cast(turn, tf.float32) * (math.pi / 2)
    one = tf.ones([n])
    # A flip in one direction and quarter turns make all eight; without turns both directions are drawn.
    flip_x = tf.where(_uniform([n], s[4], 0.0, 1.0) < 0.5, -one, one) if how.flips else one
    upright = how.quarter_turns or not how.flips
    flip_y = one if upright else tf.where(_uniform([n], s[6], 0.0, 1.0) < 0.5, -one, one)
    shift = _uniform([2, n], s[5], -0.5, 0.5) * (1.0 - scale) * size
    shift += _uniform([2, n], s[7], -how.shift, how.shift) * size
    shear = _uniform([n], s[8], -how.shear, how.shear)
    sx, sy = scale * stretch * flip_x, scale / stretch * flip_y
    a, c = tf.cos(angle) * sx, tf.sin(angle) * sx
    b, d = -tf.sin(angle) * sy + shear * a, tf.cos(angle) * sy + shear * c
    centre = (size - 1.0) / 2.0
    tx = centre - a * centre - b * centre + shift[0]
    ty = centre - c * centre - d * centre + shift[1]
    zero = tf.zeros([n])
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([a, b, tx, c, d, ty, zero, zero], axis=1),
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )


def _recolour(images: Any, seed: Any, how: Augmentation) -> Any:
    """Brightness, contrast, saturation and white balance, each image by its own amounts."""
    n = tf.shape(images)[0]
    s = tf.random.split(seed, num=4)
    gain = _around_one([n, 1, 1, 1], s[0], how.brightness) * _around_one(
        [n, 1, 1, 3], s[1], how.white_balance
    )
    contrast = _around_one([n, 1, 1, 1], s[2], how.contrast)
    saturation = _around_one([n, 1, 1, 1], s[3], how.saturation)
    images = images * gain
    mean = tf.reduce_mean(images, axis=[1, 2], keepdims=True)
    images = (images - mean) * contrast + mean
    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    return grey + (images - grey) * saturation


def _soften(images: Any, seed: Any, share: float) -> Any:
    """Some images lose resolution: down to one size drawn for the batch, and up again."""
    n, size = tf.shape(images)[0], tf.shape(images)[1]
    s = tf.random.split(seed, num=2)
    small = tf.cast(tf.cast(size, tf.float32) * _uniform([], s[0], 0.4, 0.9), tf.int32)
    count = _some(n, share)
    chosen = tf.image.resize(images[:count], [small, small], antialias=True)
    return tf.concat([tf.image.resize(chosen, [size, size]), images[count:]], axis=0)


def _jpeg(images: Any, seed: Any, share: float) -> Any:
    """Some images pass through a JPEG of random quality; batches are shuffled, so the last ones will do."""
    n = tf.shape(images)[0]
    count = _some(n, share)
    quality = tf.random.stateless_uniform([count], seed, 35, 96, dtype=tf.int32)

    def through(pair: tuple[Any, Any]) -> Any:
        encoded = tf.raw_ops.EncodeJpegVariableQuality(images=pair[0], quality=pair[1])
        return tf.io.decode_jpeg(encoded, channels=3)

    chosen = tf.cast(tf.round(images[n - count :]), tf.uint8)
    spoiled = tf.map_fn(through, (chosen, quality), fn_output_signature=tf.uint8)
    spoiled = tf.reshape(tf.cast(spoiled, tf.float32), tf.shape(chosen))
    return tf.concat([images[: n - count], spoiled], axis=0)
