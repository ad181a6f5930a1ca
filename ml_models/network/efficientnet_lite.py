"""EfficientNet-Lite0: EfficientNet-B0 (Tan & Le, arXiv:1905.11946) but ReLU6 and no squeeze-and-excitation.

Keras brings only the full EfficientNets, which integers and browsers compute badly.
"""

from typing import Any, NamedTuple

from ml_models.backend import keras


class Stage(NamedTuple):
    repeats: int
    kernel: int
    stride: int  # of the first block; the others have 1
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
STEM, HEAD = 32, 1280
EPSILON = 1e-3


def efficientnet_lite0(size: int) -> Any:
    """Keras model: float32 [n, size, size, 3] in -1..1 -> feature map [n, size / 32, size / 32, 1280].

    The weights are random.
    """
    layers = keras.layers

    def normalised(value: Any, name: str, *, active: bool = True) -> Any:
        value = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_bn")(value)
        return layers.ReLU(6.0, name=f"{name}_relu")(value) if active else value

    def convolved(value: Any, channels: int, name: str, *, kernel: int = 1, stride: int = 1) -> Any:
        return layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False, name=name)(value)

    inputs = keras.Input((size, size, 3))
    value = normalised(convolved(inputs, STEM, "stem", kernel=3, stride=2), "stem")
    block = 0
    for stage in STAGES:
        for repeat in range(stage.repeats):
            entered, name = value, f"block_{block}"
            stride = 1 if repeat else stage.stride
            if stage.expansion > 1:
                wide = entered.shape[-1] * stage.expansion
                value = normalised(convolved(value, wide, f"{name}_expand"), f"{name}_expand")
            value = layers.DepthwiseConv2D(
                stage.kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise"
            )(value)
            value = normalised(value, f"{name}_depthwise")
            value = convolved(value, stage.channels, f"{name}_project")
            value = normalised(value, f"{name}_project", active=False)
            if repeat:
                value = layers.Add(name=f"{name}_add")([entered, value])
            block += 1
    value = normalised(convolved(value, HEAD, "top"), "top")
    return keras.Model(inputs, value, name="body")
