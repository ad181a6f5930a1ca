"""The one door to TensorFlow and Keras. Importing this module loads them; both are untyped, hence Any."""

import contextlib
import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# TensorFlow turns oneDNN on by itself only on processors with AVX512_VNNI; on others, too, it is faster.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras as _keras
import tensorflow as _tensorflow

tf: Any = _tensorflow
keras: Any = _keras


def set_threads(count: int) -> None:
    """Limits TensorFlow's pools to `count` threads. Only the first call before any operation has effect."""
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(1 if count == 1 else 2)
