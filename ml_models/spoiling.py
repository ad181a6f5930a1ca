"""Limits of the quality gate from data: real images are spoiled, and each limit must find its spoilage.

`python -m ml_models degrade` prints what it finds; `export` stores limits and figures in the release.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from tqdm import tqdm

from ml_models import data, quality
from ml_models.imaging import model_input
from ml_models.quality import Limits, Measures
from ml_models.taxonomy import Reason

# A limit aims at finding this share of its spoilage; it stops earlier where it would refuse a larger share of
# the unspoiled images than the next number. Six limits then refuse at most 1.8 %.
FOUND = 0.95
REFUSED = 0.003
_GRAIN = 1e-4  # to which limits are rounded
FLOOR_FOUND = 0.80
CEILING_REFUSED = 0.02


def blur(image: Image.Image, size: int) -> Image.Image:
    """Out of focus: Gaussian blur with a radius of 1.5 % of the shorter side."""
    return image.filter(ImageFilter.GaussianBlur(0.015 * min(image.size)))


def darken(image: Image.Image, size: int) -> Image.Image:
    """Four tenths of the light. Not less of a loss, since darker skin must not count as a dark picture."""
    return _map(image, lambda pixels: 0.4 * pixels)


def overexpose(image: Image.Image, size: int) -> Image.Image:
    """1.8 times the light, cut off where the sensor is full."""
    return _map(image, lambda pixels: 1.8 * pixels)


def flatten(image: Image.Image, size: int) -> Image.Image:
    """15 % of the contrast, as behind a greasy lens."""
    return _map(image, lambda pixels: pixels.mean((0, 1)) + 0.15 * (pixels - pixels.mean((0, 1))))


def wipe(image: Image.Image, size: int) -> Image.Image:
    """Nothing but the mean colour and the noise of a sensor."""
    noise = np.random.default_rng(image.width * 7919 + image.height).normal(0.0, 1.5, (*image.size[::-1], 3))
    return _map(image, lambda pixels: pixels.mean((0, 1)) + noise)


def shrink(image: Image.Image, size: int) -> Image.Image:
    """Half of the network's side."""
    scale = size / 2 / min(image.size)
    width, height = (max(1, round(scale * side)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _map(image: Image.Image, change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Image.Image:
    pixels = change(np.asarray(image).astype(np.float64))
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


@dataclass(frozen=True)
class Spoilage:
    """One way to spoil a picture; `field` is the measure that tells, refused below the limit (or above)."""

    limit: str
    field: str
    reason: Reason
    spoil: Callable[[Image.Image, int], Image.Image]
    above: bool = False
    step: float = 0.0  # from a measure that is a whole number to a limit that lies beyond it


SPOILAGES: tuple[Spoilage, ...] = (
    Spoilage("side", "side", Reason.TOO_SMALL, shrink, step=1.0),
    Spoilage("focus", "focus", Reason.BLURRED, blur),
    Spoilage("light", "light", Reason.TOO_DARK, darken),
    Spoilage("clipped", "clipped", Reason.TOO_BRIGHT, overexpose, above=True),
    Spoilage("contrast", "contrast", Reason.LOW_CONTRAST, flatten),
    Spoilage("uniform", "contrast", Reason.NOT_A_LESION, wipe, step=1.0),
)


@dataclass(frozen=True)
class Measured:
    """Measures of the same images as they are and, by the name of the limit, spoiled."""

    clean: list[Measures]
    spoiled: Mapping[str, list[Measures]]


def measure_all(paths: Iterable[Path], size: int) -> Measured:
    """Reads and spoils one image after the other; only the measures stay in memory."""
    clean: list[Measures] = []
    spoiled: dict[str, list[Measures]] = {each.limit: [] for each in SPOILAGES}
    for path in tqdm(list(paths), desc="spoiling", unit="image", mininterval=1.0):
        image = data.read_image(path)
        clean.append(quality.measure(model_input(image, size), min(image.size)))
        for each in SPOILAGES:
            worse = each.spoil(image, size)
            spoiled[each.limit].append(quality.measure(model_input(worse, size), min(worse.size)))
    return Measured(clean, spoiled)


def fit(measured: Measured) -> Limits:
    """The limits by the rule of FOUND and REFUSED."""
    limits = {}
    for each in SPOILAGES:
        sign = -1.0 if each.above else 1.0
        clean = sign * np.array([getattr(row, each.field) for row in measured.clean])
        spoiled = sign * np.array([getattr(row, each.field) for row in measured.spoiled[each.limit]])
        # Refused is what lies below the limit, so that lies just above what shall be refused.
        wanted = _rounded(float(np.quantile(spoiled, FOUND, method="higher")) + each.step) + _GRAIN
        allowed = _rounded(float(np.quantile(clean, REFUSED, method="lower")))
        limits[each.limit] = sign * round(min(wanted, allowed), 4)
    return Limits(**limits)


def _rounded(value: float) -> float:
    return math.floor(value / _GRAIN) * _GRAIN


def figures(measured: Measured, limits: Limits) -> dict[str, Any]:
    """Share of unspoiled images refused, for any reason and for each, and share of each spoilage found."""
    found = [quality.reasons(row, limits) for row in measured.clean]
    content: dict[str, Any] = {
        "n": len(found),
        "refused": _share([bool(each) for each in found]),
        "refused_by_reason": {
            each.reason.value: _share([each.reason in row for row in found]) for each in SPOILAGES
        },
        "found": {},
    }
    for each in SPOILAGES:
        rows = [quality.reasons(row, limits) for row in measured.spoiled[each.limit]]
        content["found"][each.limit] = {
            "by_its_reason": _share([each.reason in row for row in rows]),
            "by_any_reason": _share([bool(row) for row in rows]),
            "spoilage": (each.spoil.__doc__ or each.spoil.__name__).strip().partition("\n")[0],
        }
    return content


def _share(flags: list[bool]) -> float:
    return round(float(np.mean(flags)), 4) if flags else 0.0


def table(limits: Limits, content: dict[str, Any]) -> str:
    """Limits and figures for reading, a line for each."""
    lines = [f"{content['n']} images, unspoiled refused: {content['refused']:.2%}"]
    lines.append(f"{'limit':>9} {'value':>10} {'found':>8} {'any reason':>11}")
    for name, value in limits.values().items():
        row = content["found"][name]
        lines.append(f"{name:>9} {value:>10.4g} {row['by_its_reason']:>8.1%} {row['by_any_reason']:>11.1%}")
    return "\n".join(lines)


def paths_of(root: Path, split: str, limit: int | None = None) -> list[Path]:
    """Image files of a split, at most `limit` of them spread over it."""
    paths = [record.path for record in data.read_records(root, split)]
    return paths if limit is None else data.spread(paths, limit)
