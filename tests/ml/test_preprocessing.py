"""Published preprocessing, where OpenCV is installed."""

import numpy as np
import pytest

from ml_models.imaging import model_input
from ml_models.synthetic import lesion

cv2 = pytest.importorskip("cv2", reason="needs requirements-training.txt")


def test_a_dark_frame_is_cut_off_and_a_dark_picture_is_not() -> None:
    from ml_models.training.preprocessing import remove_border

    inner = np.full((80, 90, 3), 150, dtype=np.uint8)
    framed = np.zeros((100, 100, 3), dtype=np.uint8)
    framed[10:90, 5:95] = inner
    assert np.array_equal(remove_border(framed), inner)
    dark = np.zeros((40, 40, 3), dtype=np.uint8)
    assert remove_border(dark).shape == dark.shape
    spot = dark.copy()
    spot[18:22, 18:22] = 255
    assert min(remove_border(spot).shape[:2]) >= 20


def test_it_keeps_the_shape_and_raises_the_contrast() -> None:
    from ml_models.training.preprocessing import PREPARE

    pixels = model_input(lesion(1, (120, 120)), 96)
    result = PREPARE["dermascan"](pixels)
    assert result.shape == pixels.shape
    assert not np.array_equal(result, pixels)
    assert np.array_equal(result, PREPARE["dermascan"](pixels))
