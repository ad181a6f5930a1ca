"""Is the picture good enough to be assessed? Five numbers without a network, against a release's limits."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_models.taxonomy import Reason

_LUMINANCE = np.array([0.299, 0.587, 0.114])
# Periods along a side of the picture: what shapes a lesion, and what blur takes away first.
_COARSE = (3, 13)
_FINE = (32, 64)
_WHITE = 250


@dataclass(frozen=True)
class Measures:
    """Numbers of one picture; all but `side` at the network's size.

    `side` is the shorter side of the canonical image in pixels. `focus` is the decimal logarithm of the
    energy of fine detail over that of coarse structure, which neither exposure nor contrast changes. `light`
    is the luminance (0..255) that a tenth of the picture exceeds, `clipped` the share of pixels at full
    luminance, `contrast` the range between the 2nd and 98th percentile of the channel with the widest one.
    """

    side: float
    focus: float
    light: float
    clipped: float
    contrast: float


@dataclass(frozen=True)
class Limits:
    """A picture is refused below `side`, `focus`, `light`, `contrast` or `uniform` and above `clipped`.

    `uniform` is a contrast too: below it the picture shows nothing at all.
    """

    side: float
    focus: float
    light: float
    clipped: float
    contrast: float
    uniform: float

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Limits":
        """From the card of a release. Raises KeyError, TypeError or ValueError."""
        return cls(**{field.name: float(values[field.name]) for field in fields(cls)})

    def values(self) -> dict[str, float]:
        return asdict(self)


def measure(pixels: NDArray[np.uint8], side: int) -> Measures:
    """Measures of a network input uint8 [s, s, 3] whose canonical image has this shorter side."""
    luminance = pixels.astype(np.float64) @ _LUMINANCE
    low, high = np.percentile(pixels.reshape(-1, 3), [2, 98], axis=0)
    return Measures(
        side=float(side),
        focus=_focus(luminance),
        light=float(np.percentile(luminance, 90)),
        clipped=float((luminance >= _WHITE).mean()),
        contrast=float((high - low).max()),
    )


def _focus(luminance: NDArray[np.float64]) -> float:
    """Windowed, so that the frame's edges do not count as detail. A picture without structure is in focus."""
    size = len(luminance)
    window = np.hanning(size)
    spectrum = np.abs(np.fft.rfft2((luminance - luminance.mean()) * np.outer(window, window))) ** 2
    frequency = size * np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    coarse, fine = (
        float(spectrum[(frequency > low) & (frequency < high)].sum()) for low, high in (_COARSE, _FINE)
    )
    if coarse <= 1.0 * size:
        return 0.0
    return float(np.log10(max(fine, 1e-9) / coarse))


def reasons(measures: Measures, limits: Limits) -> tuple[Reason, ...]:
    """Why the picture cannot be assessed, in the order in which a person would mend it; empty if it can."""
    found = []
    if measures.side < limits.side:
        found.append(Reason.TOO_SMALL)
    if measures.light < limits.light:
        found.append(Reason.TOO_DARK)
    if measures.clipped > limits.clipped:
        found.append(Reason.TOO_BRIGHT)
    if measures.contrast < limits.uniform:
        found.append(Reason.NOT_A_LESION)
    elif measures.contrast < limits.contrast:
        found.append(Reason.LOW_CONTRAST)
    if measures.focus < limits.focus:
        found.append(Reason.BLURRED)
    return tuple(found)
