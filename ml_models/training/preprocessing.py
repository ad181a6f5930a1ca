"""Preprocessing of published systems, for comparison only: needs OpenCV (requirements-training.txt)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_models.data import DataError

Pixels = NDArray[np.uint8]
# Rows and columns at the edge that are darker than this on average belong to the frame of the lens.
BORDER = 20.0


def dermascan(pixels: Pixels) -> Pixels:
    """Border removal, CLAHE on L, brightness + 5 %, bilateral filter: uint8 [s, s, 3] -> the same shape."""
    cv2 = _opencv()
    side = pixels.shape[0]
    value = cv2.resize(remove_border(pixels), (side, side), interpolation=cv2.INTER_CUBIC)
    lab = cv2.cvtColor(value, cv2.COLOR_RGB2LAB)
    lab[:, :, 0] = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(lab[:, :, 0])
    value = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    value = cv2.convertScaleAbs(value, alpha=1.05)
    result: Pixels = cv2.bilateralFilter(value, 5, 50, 50)
    return result


def remove_border(pixels: Pixels) -> Pixels:
    """Without dark rows and columns at the edges; at least half of each side stays."""
    grey = pixels.mean(axis=2)
    rows, columns = (_inner(grey.mean(axis=axis)) for axis in (1, 0))
    return pixels[rows, columns]


def _inner(means: NDArray[np.floating[Any]]) -> slice:
    n = len(means)
    bright = np.flatnonzero(means >= BORDER)
    if not len(bright):
        return slice(0, n)
    return slice(min(int(bright[0]), n // 4), max(int(bright[-1]) + 1, n - n // 4))


def _opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise DataError("This recipe needs OpenCV: pip install -r requirements-training.txt.") from error
    return cv2


PREPARE: Mapping[str, Callable[[Pixels], Pixels]] = MappingProxyType({"dermascan": dermascan})
