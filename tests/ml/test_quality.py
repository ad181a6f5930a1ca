"""Each way to spoil a picture is found by its own measure, and what is fine is let through."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml_models import quality, spoiling, synthetic
from ml_models.imaging import encode, model_input
from ml_models.quality import Limits, Measures, measure
from ml_models.taxonomy import Reason

SIZE = 160
LIMITS = Limits(side=81.0, focus=-2.9, light=86.0, clipped=0.02, contrast=28.0, uniform=7.0)


def measures(image: Image.Image) -> Measures:
    return measure(model_input(image, SIZE), min(image.size))


def test_a_good_picture_has_no_reason_against_it() -> None:
    for seed in range(6):
        assert quality.reasons(measures(synthetic.lesion(seed, (300, 225))), LIMITS) == ()


@pytest.mark.parametrize("spoilage", spoiling.SPOILAGES, ids=lambda spoilage: spoilage.limit)
def test_each_spoilage_gets_its_reason(spoilage: spoiling.Spoilage) -> None:
    for seed in range(4):
        spoiled = spoilage.spoil(synthetic.lesion(seed, (300, 225)), SIZE)
        assert spoilage.reason in quality.reasons(measures(spoiled), LIMITS)


def test_nothing_but_one_colour_is_no_lesion() -> None:
    for level in (0, 90, 200):
        found = quality.reasons(measures(Image.new("RGB", (200, 200), (level, level, level))), LIMITS)
        assert Reason.NOT_A_LESION in found
    assert Reason.TOO_DARK in quality.reasons(measures(Image.new("RGB", (200, 200))), LIMITS)
    assert Reason.TOO_BRIGHT in quality.reasons(measures(Image.new("RGB", (200, 200), "white")), LIMITS)


def test_focus_depends_on_neither_light_nor_contrast() -> None:
    image = synthetic.lesion(2, (300, 225))
    pixels = np.asarray(image).astype(np.float64)
    as_it_is = measures(image).focus
    for other in (0.5 * pixels, 128 + 0.4 * (pixels - 128)):
        changed = measures(Image.fromarray(np.clip(np.rint(other), 0, 255).astype(np.uint8)))
        assert changed.focus == pytest.approx(as_it_is, abs=0.1)
    assert measures(spoiling.blur(image, SIZE)).focus < as_it_is - 0.5


def test_limits_find_spoilages_and_let_the_images_pass_that_they_were_fitted_on(tmp_path: Path) -> None:
    paths = [tmp_path / f"{seed}.png" for seed in range(40)]
    for seed, path in enumerate(paths):
        path.write_bytes(encode(synthetic.lesion(seed, (200, 150))))
    measured = spoiling.measure_all(paths, SIZE)
    limits = spoiling.fit(measured)
    figures = spoiling.figures(measured, limits)
    assert figures["refused"] <= spoiling.CEILING_REFUSED
    for found in figures["found"].values():
        assert found["by_any_reason"] >= spoiling.FLOOR_FOUND
    assert Limits.of(limits.values()) == limits
    assert "unspoiled refused" in spoiling.table(limits, figures)


def test_a_limit_finds_what_it_shall_also_where_it_falls_on_many_equal_measures() -> None:
    clean = [Measures(side=300.0, focus=-1.0, light=200.0, clipped=0.0, contrast=90.0)] * 100
    spoiled = [replace(clean[0], contrast=20.0)] * 90 + [replace(clean[0], contrast=28.0)] * 10
    measured = spoiling.Measured(clean, {each.limit: spoiled for each in spoiling.SPOILAGES})
    assert all(row.contrast < spoiling.fit(measured).contrast < 28.01 for row in spoiled)


@pytest.mark.real_images
def test_the_limits_of_real_images_keep_what_is_promised(real_data: Path) -> None:
    measured = spoiling.measure_all(spoiling.paths_of(real_data, "val", limit=60), SIZE)
    figures = spoiling.figures(measured, spoiling.fit(measured))
    assert figures["refused"] <= spoiling.CEILING_REFUSED
    assert all(found["by_any_reason"] >= spoiling.FLOOR_FOUND for found in figures["found"].values())
