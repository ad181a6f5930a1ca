"""The same release in other engines, side by side: for measuring how fast each serves."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_models.release import SAVED_MODEL, read_card

Run = Callable[[NDArray[np.uint8]], NDArray[np.float64]]
_TFLITE = {"LiteRT float16": "tflite_float16", "LiteRT int8": "tflite_int8"}


def engines(path: Path) -> dict[str, Run]:
    """By name, functions from network inputs uint8 [n, s, s, 3] to probabilities [n, 8], each with all cores.

    The SavedModel is always there, as it is and frozen into one graph again; LiteRT where the release has
    the files and `ai-edge-litert` is installed.
    """
    card = read_card(path)
    from ml_models.backend import tf

    model = tf.saved_model.load(str(path / SAVED_MODEL))
    signature = model.signatures["serving_default"]

    def saved_model(inputs: NDArray[np.uint8]) -> NDArray[np.float64]:
        rows: NDArray[np.float64] = signature(images=tf.constant(inputs))["probabilities"].numpy()
        return rows.astype(np.float64)

    saved_model.keep_alive = model  # type: ignore[attr-defined]
    found: dict[str, Run] = {"SavedModel": saved_model, "frozen": _frozen(signature, tf)}
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        return found
    for name, kind in _TFLITE.items():
        entry = card.raw.get("formats", {}).get(kind)
        if entry is not None:
            # LiteRT takes one thread where it is told of none, TensorFlow all.
            interpreter = Interpreter(model_path=str(path / entry["file"]), num_threads=os.cpu_count())
            found[name] = _litert(interpreter)
    return found


def _frozen(signature: Any, tf: Any) -> Run:
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    graph = convert_variables_to_constants_v2(signature)
    position = sorted(signature.structured_outputs).index("probabilities")

    def run(inputs: NDArray[np.uint8]) -> NDArray[np.float64]:
        rows: NDArray[np.float64] = graph(images=tf.constant(inputs))[position].numpy()
        return rows.astype(np.float64)

    return run


def _litert(interpreter: Any) -> Run:
    runner = interpreter.get_signature_runner("serving_default")

    def run(inputs: NDArray[np.uint8]) -> NDArray[np.float64]:
        rows: NDArray[np.float64] = runner(images=inputs)["probabilities"]
        return rows.astype(np.float64)

    return run
