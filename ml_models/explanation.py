"""Class-activation maps as a layer over the picture; `deletion` tests them.

A map is what each place of the centre square adds to the logit of a class; with global pooling and one linear
layer this is exact, and its mean is the logit. That does not make it a contour of the lesion, nor a reason.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float64]
_WEAK, _STRONG = np.array([255.0, 214.0, 10.0]), np.array([214.0, 20.0, 60.0])
_OPACITY = 0.6


def overlay(values: Sequence[Sequence[float]] | Floats, side: int) -> Image.Image:
    """What speaks for a class as a layer RGBA [side, side] for the centre square, from yellow to red.

    `values` are rows of an activation map. Only what lies above zero is shown, by its share of the largest
    value; the rest is transparent.
    """
    strength = np.maximum(np.asarray(values, dtype=np.float64), 0.0)
    strength = strength / max(float(strength.max()), 1e-9)
    small = Image.fromarray(strength.astype(np.float32))
    heat = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float64)
    heat = np.clip(heat, 0.0, 1.0)[..., None]
    layer = np.concatenate([_WEAK + (_STRONG - _WEAK) * heat, 255.0 * _OPACITY * heat], axis=2)
    return Image.fromarray(np.rint(layer).astype(np.uint8))
