"""Generated lesion-like images for tests, golden probabilities, benchmarks and demo data."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field = NDArray[np.float64]

_SKINS = ((226, 182, 164), (208, 164, 144), (233, 198, 186), (198, 152, 130))
_PIGMENTS = ((98, 60, 46), (124, 76, 54), (70, 46, 46), (164, 84, 78), (146, 104, 74))


def lesion(seed: int, size: tuple[int, int] = (600, 450)) -> Image.Image:
    """RGB image of `size` (width, height): skin, an irregular pigmented spot, a few hairs. Deterministic."""
    rng = np.random.default_rng(seed)
    width, height = size
    scale = float(min(size))
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    u = (x - width / 2) / scale - rng.uniform(-0.06, 0.06)
    v = (y - height / 2) / scale - rng.uniform(-0.06, 0.06)
    skin = np.array(_SKINS[rng.integers(len(_SKINS))], dtype=np.float64)
    pigment = np.array(_PIGMENTS[rng.integers(len(_PIGMENTS))], dtype=np.float64)
    image = skin + 12.0 * _clouds(rng, size, 3)[..., None] + 5.0 * _clouds(rng, size, 30)[..., None]
    radius = rng.uniform(0.17, 0.3) * _outline(rng, np.arctan2(v, u))
    distance = np.hypot(u, v * rng.uniform(0.8, 1.25)) - radius + 0.018 * _clouds(rng, size, 14)
    inside = 1.0 / (1.0 + np.exp(np.clip(distance / rng.uniform(0.006, 0.02), -60.0, 60.0)))
    tone = 1.0 + 0.3 * _clouds(rng, size, 6) + 0.16 * _clouds(rng, size, 40)
    image += inside[..., None] * (pigment * tone[..., None] - image) * 0.94
    for _ in range(int(rng.integers(0, 4))):
        image *= 1.0 - 0.5 * _hair(rng, u, v)[..., None]
    image += rng.normal(0.0, 2.0, size=(height, width, 1))
    shade = 1.0 - 0.16 * (u**2 + v**2)
    return Image.fromarray(np.clip(np.rint(image * shade[..., None]), 0, 255).astype(np.uint8))


def _clouds(rng: np.random.Generator, size: tuple[int, int], cells: int) -> Field:
    """A smooth random field [height, width] of about unit variance: two octaves of enlarged noise."""
    total = np.zeros((size[1], size[0]))
    for octave, weight in ((cells, 0.85), (2 * cells, 0.5)):
        shape = [max(2, round(octave * side / min(size))) + 2 for side in size]
        noise = rng.normal(size=(shape[1], shape[0])).astype(np.float32)
        total += weight * np.asarray(Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC))
    return 1.3 * total


def _outline(rng: np.random.Generator, angle: Field) -> Field:
    edge = np.ones_like(angle)
    for order in range(2, 8):
        edge += rng.uniform(0.0, 0.3 / order) * np.cos(order * angle + rng.uniform(0.0, 2 * np.pi))
    return edge


def _hair(rng: np.random.Generator, u: Field, v: Field) -> Field:
    angle, offset, bend = rng.uniform(0.0, np.pi), rng.uniform(-0.4, 0.4), rng.uniform(-0.6, 0.6)
    along = np.cos(angle) * u + np.sin(angle) * v
    across = -np.sin(angle) * u + np.cos(angle) * v - offset - bend * along**2
    thickness: Field = np.exp(-((across / 0.0035) ** 2))
    return thickness
