"""Is the picture of the kind that the network learned from? A linear score on its embedding and its colours.

The score is the logarithm of the odds that a picture is an ordinary photo rather than a dermatoscopic image,
were there as many of the one as of the other. It is learnt from both, with a few photos standing for
everything else there is (outlier exposure, Hendrycks et al. 2019).
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml_models.taxonomy import Reason

Floats = NDArray[np.float64]
_SIDE = 32
_LUMINANCE = np.array([0.299, 0.587, 0.114])
_WEIGHTS = ("embedding_weights", "colour_weights")
_SCALARS = ("bias", "limit", "far")


@dataclass(frozen=True)
class Domain:
    """The score's weights for an embedding [d] and for `colours` [c], and its bias.

    Above `limit` a picture is out of the domain, above `far` it shows something else altogether.
    """

    embedding_weights: Floats
    colour_weights: Floats
    bias: float
    limit: float
    far: float

    def scores(self, embeddings: Floats, tones: Floats) -> Floats:
        """Embeddings [n, d] and `colours` [n, c] of the same pictures -> log odds [n]."""
        result: Floats = embeddings @ self.embedding_weights + tones @ self.colour_weights + self.bias
        return result

    def reason(self, score: float) -> Reason | None:
        if score > self.far:
            return Reason.NOT_A_LESION
        return Reason.OUT_OF_DOMAIN if score > self.limit else None

    def save(self, path: Path) -> None:
        np.savez(path, allow_pickle=False, **{name: getattr(self, name) for name in (*_WEIGHTS, *_SCALARS)})

    @classmethod
    def load(cls, path: Path) -> "Domain":
        """Raises OSError, KeyError or ValueError."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                weights = {name: stored[name].astype(np.float64) for name in _WEIGHTS}
                scalars = {name: float(stored[name]) for name in _SCALARS}
        except zipfile.BadZipFile as error:
            raise ValueError(f"{path.name} is damaged") from error
        return cls(**{**weights, **scalars})


def colours(pixels: NDArray[np.uint8]) -> Floats:
    """Fourteen numbers of one network input uint8 [s, s, 3], at 32 px: level, spread and tails of brightness
    and of two colour ratios (logarithms), the centre against the whole, and how much neighbours differ.
    """
    small = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BOX)
    image = np.asarray(small, dtype=np.float64) + 4.0
    luminance = image @ _LUMINANCE
    light = np.log(luminance)
    numbers: list[float] = []
    for plane in (light, np.log(image[..., 0] / image[..., 1]), np.log(image[..., 1] / image[..., 2])):
        mean = plane.mean()
        low, high = np.percentile(plane, [5, 95]) - mean
        numbers += [mean, np.log(plane.std() + 0.02), low, high]
    middle = slice(_SIDE * 3 // 8, _SIDE * 5 // 8)
    numbers.append(luminance[middle, middle].mean() / luminance.mean())
    numbers.append(np.log(np.abs(np.diff(light, axis=1)).mean() + 0.005))
    return np.array(numbers)
