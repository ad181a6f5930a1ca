"""Does the picture look like those that the network learned from? A score on its embedding and its colours.

The embeddings of the training images fill a small part of the space that the network could reach: what of an
embedding lies outside of it (Wang et al. 2022) tells ordinary photos from lesions better than distances
inside. Colours do so on their own: through a dermatoscope, skin varies little. The score adds both.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml_models.taxonomy import Reason

Floats = NDArray[np.float64]
COLOUR_WEIGHT = 0.5
_SIDE = 32
_LUMINANCE = np.array([0.299, 0.587, 0.114])
_FIELDS = ("mean", "components", "residual", "colour_mean", "colour_precision", "limit", "far")


@dataclass(frozen=True)
class Domain:
    """`mean` [d] and orthonormal `components` [d, k] of training embeddings; `residual`, the mean square of
    what lies outside of them; `colour_mean` [c] and `colour_precision` [c, c] of training images.

    Above `limit` a picture is out of the domain, above `far` it shows something else altogether.
    """

    mean: Floats
    components: Floats
    residual: float
    colour_mean: Floats
    colour_precision: Floats
    limit: float
    far: float

    def scores(self, embeddings: Floats, tones: Floats) -> Floats:
        """Embeddings [n, d] and `colours` [n, c] of the same pictures -> [n]; about 0 is usual."""
        return self.embedding_scores(embeddings) + COLOUR_WEIGHT * self.colour_scores(tones)

    def embedding_scores(self, embeddings: Floats) -> Floats:
        centred = embeddings.astype(np.float64) - self.mean
        inside = ((centred @ self.components) ** 2).sum(axis=1)
        outside = np.maximum((centred**2).sum(axis=1) - inside, 1e-12)
        result: Floats = np.log(outside / self.residual)
        return result

    def colour_scores(self, tones: Floats) -> Floats:
        """`colours` of each picture [n, c] -> [n]."""
        centred = tones - self.colour_mean
        squares = np.einsum("ni,ij,nj->n", centred, self.colour_precision, centred)
        result: Floats = np.log(np.maximum(squares, 1e-12) / len(self.colour_mean))
        return result

    def reason(self, score: float) -> Reason | None:
        if score > self.far:
            return Reason.NOT_A_LESION
        return Reason.OUT_OF_DOMAIN if score > self.limit else None

    def save(self, path: Path) -> None:
        """An .npz; directions need no more than half precision."""
        arrays = {name: np.asarray(getattr(self, name)) for name in _FIELDS}
        arrays["components"] = arrays["components"].astype(np.float16)
        arrays["mean"] = arrays["mean"].astype(np.float32)
        np.savez(path, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Domain":
        """Raises OSError, KeyError or ValueError."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                values = {name: stored[name].astype(np.float64) for name in _FIELDS}
        except zipfile.BadZipFile as error:
            raise ValueError(f"{path.name} is damaged") from error
        scalars = {name: float(values[name]) for name in ("residual", "limit", "far")}
        return cls(**{**values, **scalars})


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
