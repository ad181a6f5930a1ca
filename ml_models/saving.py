"""The SavedModel of a release: one frozen graph behind two signatures."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ml_models import network
from ml_models.backend import keras, tf
from ml_models.data import DataError
from ml_models.recipes.base import Network

OUTPUTS = ("probabilities", "embedding", "activation_map")
_HALVED = "/half"
_WORTH_HALVING = 1024  # numbers


def fold(model: Any) -> None:
    """Moves batch normalisation into the convolution before it, where nothing lies between the two."""
    for layer, following in itertools.pairwise(_layers(model)):
        if not isinstance(following, network.FusedBatchNormalization) or len(layer.weights) != 1:
            continue
        gamma, beta, mean, variance = (np.asarray(weight) for weight in following.get_weights())
        scale = gamma / np.sqrt(variance + following.epsilon)
        kernel = np.asarray(layer.get_weights()[0])
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        layer.set_weights([kernel * (scale[:, None] if depthwise else scale)])
        following.fold(beta - mean * scale)


def fold_and_round(model: Any) -> None:
    """Folds batch normalisation and rounds all weights to half precision.

    Done before anything is measured, so that the formats with half-precision weights hold the same network to
    the last bit: rounded on their own they would give another top class for some images, since the network's
    first depthwise convolutions subtract large numbers from each other.
    """
    fold(model)
    for layer in _layers(model):
        if isinstance(layer, network.FusedBatchNormalization) and layer.folded:
            layer.fold(_half(np.asarray(layer.beta)))
        elif layer.weights:
            layer.set_weights([_half(np.asarray(weight)) for weight in layer.get_weights()])


def _layers(model: Any) -> list[Any]:
    """Layers in order, those of models inside the model in their place."""
    found = []
    for layer in model.layers:
        found += _layers(layer) if isinstance(layer, keras.Model) else [layer]
    return found


def read_back(path: Path, kind: Network, size: int, classes: int) -> Any:
    """The Keras network, seen from one side, that `save_model` wrote the SavedModel in `path` from.

    Raises DataError for a graph of another network.
    """
    model = network.build(kind, classes, size)
    constants = _constants(path / "saved_model.pb")
    for layer in _layers(model):
        if not layer.weights:
            continue
        # Keras adds a counter to the name of a layer that it calls again.
        ours = re.compile(rf"/{layer.name}(_\d+)?/(.+)/ReadVariableOp/resource")
        found = {match[2]: value for name, value in constants.items() if (match := ours.search(name))}
        try:
            if isinstance(layer, network.FusedBatchNormalization):
                layer.fold(found["BiasAdd"] if "BiasAdd" in found else found[_OFFSET_BEFORE])
            else:
                layer.set_weights([found[name] for name in _READ_AS[type(layer)]])
        except (KeyError, ValueError) as error:
            raise DataError(f"The graph in {path} is not that of a {kind}.") from error
    return model


# What a layer's weights, in Keras's order, are called in the graph.
_READ_AS: dict[type, tuple[str, ...]] = {
    keras.layers.Conv2D: ("convolution",),
    keras.layers.DepthwiseConv2D: ("depthwise",),
    keras.layers.Dense: ("Cast", "BiasAdd"),
}
# The name of the offset of batch normalisation in `derma-4`, which has the operations of an unfolded one.
_OFFSET_BEFORE = "Cast_3"


def _constants(path: Path) -> dict[str, Any]:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    functions = SavedModel.FromString(path.read_bytes()).meta_graphs[0].graph_def.library.function
    nodes = (node for function in functions for node in function.node_def if node.op == "Const")
    return {node.name.removesuffix(_HALVED): tf.make_ndarray(node.attr["value"].tensor) for node in nodes}


def _half(weights: Any) -> Any:
    return weights.astype(np.float16).astype(np.float32)


def halve(path: Path) -> None:
    """Stores the large constants of the SavedModel in `path` in half precision, each with a cast behind it.

    For a network that `fold_and_round` has rounded this loses nothing. TensorFlow folds the casts when it
    loads, but not every converter to another format does, so it comes last.
    """
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
    from tensorflow.python.saved_model import fingerprinting_utils

    file = path / "saved_model.pb"
    saved = SavedModel.FromString(file.read_bytes())
    for function in saved.meta_graphs[0].graph_def.library.function:
        moved = {}
        for node in [node for node in function.node_def if node.op == "Const"]:
            value = tf.make_ndarray(node.attr["value"].tensor)
            if value.dtype != np.float32 or value.size < _WORTH_HALVING or not (value == _half(value)).all():
                continue
            name = node.name
            node.name = f"{name}{_HALVED}"
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value.astype(np.float16)))
            node.attr["dtype"].type = tf.float16.as_datatype_enum
            cast = function.node_def.add(op="Cast", name=name, device=node.device)
            cast.input.append(f"{node.name}:output:0")
            cast.attr["SrcT"].type = tf.float16.as_datatype_enum
            cast.attr["DstT"].type = tf.float32.as_datatype_enum
            moved[f"{name}:output:0"] = f"{name}:y:0"
        for node in function.node_def:
            node.input[:] = [moved.get(name, name) for name in node.input]
    file.write_bytes(saved.SerializeToString(deterministic=True))
    fingerprinting_utils.write_fingerprint(str(path))


def freeze(function: Callable[[Any], Any], given: Any) -> Callable[[Any], Any]:
    """The function of one tensor like `given`, a TensorSpec, with constants for its variables.

    What it gives becomes a list; a dictionary's values come in the order of its sorted names.
    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    traced = tf.function(function, input_signature=[given]).get_concrete_function()
    frozen: Callable[[Any], Any] = convert_variables_to_constants_v2(traced)
    return frozen


def save_model(model: Any, size: int, temperature: float, path: Path, *, views: int = 1) -> None:
    """Writes the SavedModel.

    `serving_default`: images uint8 [n, size, size, 3] -> probabilities float32 [n, 8], embedding [n, d] and
    activation_map [n, h, w, 8], whose mean over h and w is the calibrated logit; each the mean over `views`
    flips and quarter turns (1 or 8). `serve_bytes`: data string [n], the files of canonical images -> the
    same; the centre square is cut and resized inside the graph.

    The weights are constants of the graph, which lets TensorFlow fold batch normalisation into the
    convolutions when it loads: a quarter less time an image than with variables.
    """
    images = tf.TensorSpec([None, size, size, 3], tf.uint8, name="images")
    parts, head = network.parts(model, views), network.head(model)
    kernel, bias = (tf.constant(weight.numpy()) for weight in (head.kernel, head.bias))

    def forward(images: Any) -> Any:
        logits, embedding, features = parts(tf.cast(images, tf.float32), training=False)
        contributions = tf.nn.conv2d(features, (kernel / temperature)[None, None], strides=1, padding="SAME")
        probabilities = tf.nn.softmax(logits / temperature)
        return {
            "probabilities": probabilities,
            "embedding": embedding,
            "activation_map": contributions + bias / temperature,
        }

    frozen = freeze(forward, images)
    names = sorted(OUTPUTS)

    def serve(images: Any) -> dict[str, Any]:
        return dict(zip(names, frozen(images), strict=True))

    def serve_bytes(data: Any) -> dict[str, Any]:
        spec = tf.TensorSpec([size, size, 3], tf.uint8)
        return serve(tf.map_fn(lambda each: _input(each, size), data, fn_output_signature=spec))

    module = tf.Module()
    module.serve = tf.function(serve, input_signature=[images])
    module.serve_bytes = tf.function(
        serve_bytes, input_signature=[tf.TensorSpec([None], tf.string, name="data")]
    )
    signatures = {
        "serving_default": module.serve.get_concrete_function(),
        "serve_bytes": module.serve_bytes.get_concrete_function(),
    }
    tf.saved_model.save(module, str(path), signatures=signatures)


def _input(data: Any, size: int) -> Any:
    """The same as `imaging.model_input` of the decoded file: uint8 [size, size, 3].

    Pillow resizes along the width, rounds, and then resizes along the height.
    """
    image = tf.cast(tf.io.decode_image(data, channels=3, expand_animations=False), tf.float32)
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    side = tf.minimum(height, width)
    scale = tf.cast(size, tf.float32) / tf.cast(side, tf.float32)

    def resize(image: Any, shape: Any, scales: Any, offset: Any) -> Any:
        resized = tf.raw_ops.ScaleAndTranslate(
            images=image[None],
            size=tf.stack(shape),
            scale=tf.stack(scales),
            translation=tf.stack(offset),
            kernel_type="keyscubic",
            antialias=True,
        )[0]
        return tf.clip_by_value(tf.floor(resized + 0.5), 0.0, 255.0)

    left, top = (tf.cast((length - side) // 2, tf.float32) for length in (width, height))
    narrow = resize(image, [height, size], [1.0, scale], [0.0, -left * scale])
    return tf.cast(resize(narrow, [size, size], [scale, 1.0], [-top * scale, 0.0]), tf.uint8)
