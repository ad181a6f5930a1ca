"""Batch normalisation that trains with TensorFlow's one operation for it.

Keras 3 composes it of means, variances and products, of which each reads and writes the whole feature map: on
two cores that was two fifths of a training step of MobileNetV2.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_models.backend import keras, tf


class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]  # Keras publishes no types
    """Keras's layer over channels-last maps float32 [n, h, w, c], with the same weights in the same order.

    Once `folded`, all it does is in the convolution before it but for an offset. TensorFlow then computes
    convolution, offset and activation as one; left as a scale of one and a difference of nothing, they went
    over each feature map again (docs/performance.md).
    """

    folded = False

    def fold(self, offset: NDArray[np.floating]) -> None:
        """Weights that change nothing but for `offset` [c]; the scale belongs into the convolution."""
        nothing = np.zeros(len(offset), dtype=np.float32)
        self.set_weights([nothing + 1.0, offset, nothing, nothing + (1.0 - self.epsilon)])
        self.folded = True

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if self.folded:
            return tf.nn.bias_add(inputs, keras.ops.convert_to_tensor(self.beta))
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
        )
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))
        return outputs


def fused(model: Any) -> Any:
    """A copy of a functional model and its weights, whose batch normalisation is fused."""

    def copy(layer: Any) -> Any:
        kind = type(layer)
        if kind is keras.layers.BatchNormalization:
            kind = FusedBatchNormalization
        return kind.from_config(layer.get_config())

    copied = keras.models.clone_model(model, clone_function=copy)
    copied.set_weights(model.get_weights())
    return copied
