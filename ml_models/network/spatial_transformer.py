"""A Spatial Transformer (Jaderberg et al. 2015, arXiv:1506.02025) for feature maps, on any Keras backend."""

from typing import Any

from ml_models.backend import keras

ops = keras.ops
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def grid(theta: Any, height: int, width: int) -> Any:
    """Where each output place looks: affine maps [n, 6] -> (x, y) in -1..1, float32 [n, height * width, 2].

    -1 and 1 are the centres of the outermost places; a side of one place is at 0.
    """
    y, x = ops.meshgrid(_line(height), _line(width), indexing="ij")
    places = ops.stack([ops.reshape(x, (-1,)), ops.reshape(y, (-1,)), ops.ones((height * width,))])
    return ops.transpose(ops.matmul(ops.reshape(theta, (-1, 2, 3)), places), (0, 2, 1))


def sample(images: Any, places: Any) -> Any:
    """Bilinear values of images [n, h, w, c] at places [n, m, 2] -> [n, m, c]; zero outside.

    The share of each input place in each output place is a product of a row's and a column's, so sampling is
    one product of matrices: no gathering, and a gradient by images and by places on every backend.
    """
    _, height, width, channels = images.shape
    wide = _shares(places[:, :, 0], width)[:, :, None, :]
    high = _shares(places[:, :, 1], height)[:, :, :, None]
    shares = ops.reshape(high * wide, (-1, places.shape[1], height * width))
    return ops.matmul(shares, ops.reshape(images, (-1, height * width, channels)))


def _line(count: int) -> Any:
    return ops.linspace(-1.0, 1.0, count) if count > 1 else ops.zeros((1,))


def _shares(coordinate: Any, count: int) -> Any:
    """Linear shares [n, m, count] of `count` places on a line in the coordinate [n, m].

    By the part behind the floor and not by a distance: on a place itself, where the identity starts, the
    gradient of a distance is 0, and no map would ever be learnt.
    """
    position = ((coordinate + 1.0) * ((count - 1) / 2.0))[:, :, None]
    floor = ops.stop_gradient(ops.floor(position))
    part = position - floor
    places = ops.arange(count, dtype="float32")
    here, next_one = (ops.cast(ops.equal(places, each), "float32") for each in (floor, floor + 1.0))
    return here * (1.0 - part) + next_one * part


@keras.saving.register_keras_serializable(package="ml_models")
class SpatialTransformer(keras.layers.Layer):  # type: ignore[misc]  # Keras publishes no types
    """Float32 [n, h, w, c] -> the same shape, seen through an affine map that it finds for each image.

    The map starts as the identity. `penalty` is an L2 penalty on the kernels that find it.
    """

    def __init__(self, *, penalty: float = 0.0, dropout: float = 0.3, **options: Any) -> None:
        super().__init__(**options)
        self.penalty, self.dropout = penalty, dropout
        layers, l2 = keras.layers, keras.regularizers.L2(penalty)
        # A feature map of 5 x 5 places survives two poolings only if they keep the border.
        self.steps = [
            layers.Conv2D(16, 5, padding="same", activation="relu", kernel_regularizer=l2, name="conv_16"),
            layers.MaxPooling2D(2, padding="same", name="pool_16"),
            layers.BatchNormalization(name="bn_16"),
            layers.Conv2D(32, 3, padding="same", activation="relu", kernel_regularizer=l2, name="conv_32"),
            layers.MaxPooling2D(2, padding="same", name="pool_32"),
            layers.BatchNormalization(name="bn_32"),
            layers.Flatten(name="flat"),
            layers.Dense(64, activation="relu", kernel_regularizer=l2, name="dense_64"),
            layers.Dropout(dropout, name="dropout"),
            layers.Dense(6, kernel_initializer="zeros", bias_initializer=_identity, name="affine"),
        ]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = input_shape
        for step in self.steps:
            step.build(shape)
            shape = step.compute_output_shape(shape)
        super().build(input_shape)

    def affine(self, images: Any, *, training: bool = False) -> Any:
        """The maps that it finds: float32 [n, 6], two rows of three."""
        value = images
        for step in self.steps:
            takes_mode = isinstance(step, keras.layers.BatchNormalization | keras.layers.Dropout)
            value = step(value, training=training) if takes_mode else step(value)
        return value

    def call(self, images: Any, training: bool = False) -> Any:
        _, height, width, channels = images.shape
        places = grid(self.affine(images, training=training), height, width)
        return ops.reshape(sample(images, places), (-1, height, width, channels))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "penalty": self.penalty, "dropout": self.dropout}


def _identity(shape: tuple[int, ...], dtype: Any = None) -> Any:
    return ops.convert_to_tensor(IDENTITY, dtype=dtype)
