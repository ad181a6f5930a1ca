"""Maps as pictures, and the test that decides whether they are shown."""

import numpy as np
from numpy.typing import NDArray

from ml_models import deletion, explanation
from ml_models.runtime import Outputs


def test_the_overlay_shows_what_speaks_for_the_class_and_nothing_else() -> None:
    values = np.full((5, 5), -1.0)
    values[2, 3] = 2.0
    layer = np.asarray(explanation.overlay(values, 100))
    assert layer.shape == (100, 100, 4)
    assert layer[50, 70, 3] > 100  # the middle of that cell
    assert layer[10, 10, 3] == 0
    assert layer[50, 70, 0] > layer[50, 70, 2]


def test_a_map_without_anything_for_the_class_is_transparent() -> None:
    assert np.asarray(explanation.overlay([[-1.0, -2.0], [-0.5, 0.0]], 40))[..., 3].max() == 0


class Pointer:
    """Answers by how sharp one quarter of the picture is; its map points there, or elsewhere."""

    def __init__(self, honest: bool) -> None:
        self.honest = honest

    def outputs(self, inputs: NDArray[np.uint8]) -> Outputs:
        half = inputs.shape[1] // 2
        rows, maps = np.full((len(inputs), 8), 0.01), np.zeros((len(inputs), 4, 4, 8))
        for i, pixels in enumerate(inputs):
            # Which quarter matters stands in one corner pixel of the picture, so that it differs by picture.
            top = (pixels[0, 0, 0] // 64) % 2 * half
            quarter = pixels[top : top + half, :half].astype(np.float64)
            detail = np.abs(np.diff(quarter, axis=1)).mean()
            rows[i, 3] = 0.05 + 0.9 * min(detail / 60.0, 1.0)
            row = (2 if top else 0) if self.honest else (0 if top else 2)
            maps[i, row : row + 2, :2, 3] = 1.0
        return Outputs(rows, np.zeros((len(inputs), 1)), maps)


def pictures() -> NDArray[np.uint8]:
    rng = np.random.default_rng(3)
    inputs = rng.integers(0, 256, size=(40, 64, 64, 3)).astype(np.uint8)
    for i in range(40):
        inputs[i, :4, :4, 0] = 32 + 64 * (i % 2)
    return inputs


def test_a_map_that_points_at_what_matters_passes() -> None:
    result = deletion.deletion_test(Pointer(honest=True), pictures())
    assert result["passed"]
    assert result["loss_by_map"] > result["loss_by_random_places"]
    assert result == deletion.deletion_test(Pointer(honest=True), pictures())


def test_a_map_that_points_elsewhere_fails() -> None:
    result = deletion.deletion_test(Pointer(honest=False), pictures())
    assert not result["passed"]
