"""The score that tells strangers from the training images, and what of it is stored."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml_models import domain_fitting, synthetic
from ml_models.domain import Domain, Floats, colours
from ml_models.imaging import model_input
from ml_models.taxonomy import Reason


def embeddings(seed: int, n: int, stranger: bool = False) -> Floats:
    """In 40 dimensions, of which training images fill twelve."""
    rng = np.random.default_rng(seed)
    spread = np.where(np.arange(40) < 12, 1.0, 1.0 if stranger else 0.1)
    return rng.normal(size=(n, 40)) * spread + 3.0


def tones(seed: int, n: int, stranger: bool = False) -> Floats:
    return np.random.default_rng(seed + 100).normal(size=(n, 14)) * (3.0 if stranger else 1.0)


@pytest.fixture
def fitted() -> Domain:
    # A quarter of the images at most become directions: twelve of forty-eight.
    return domain_fitting.fit(embeddings(1, 48), tones(1, 48))


def test_strangers_score_higher(fitted: Domain) -> None:
    own = fitted.scores(embeddings(2, 100), tones(2, 100))
    strange = fitted.scores(embeddings(3, 100, stranger=True), tones(3, 100, stranger=True))
    assert strange.min() > own.max()


def test_limits_refuse_a_small_share_of_val_and_most_photos(fitted: Domain) -> None:
    own = fitted.scores(embeddings(2, 400), tones(2, 400))
    strange = fitted.scores(embeddings(3, 50, stranger=True), tones(3, 50, stranger=True))
    limited, share = domain_fitting.with_limits(fitted, own, strange)
    assert share == min(domain_fitting.SHARES)
    assert (own > limited.limit).mean() <= share + 0.005
    assert (own > limited.far).sum() == 0
    assert domain_fitting.share_refused(limited, strange) == 1.0
    assert limited.reason(limited.limit - 0.1) is None
    between = (limited.limit + limited.far) / 2
    assert limited.reason(between) is Reason.OUT_OF_DOMAIN
    assert limited.reason(limited.far + 0.1) is Reason.NOT_A_LESION


def test_where_photos_are_hard_to_tell_more_of_val_is_refused_but_not_much(fitted: Domain) -> None:
    own = fitted.scores(embeddings(2, 400), tones(2, 400))
    limited, share = domain_fitting.with_limits(fitted, own, own[:50])
    assert share == max(domain_fitting.SHARES)
    nothing, share = domain_fitting.with_limits(fitted, own, own[:0])
    assert share == min(domain_fitting.SHARES)
    assert nothing.limit > limited.limit


def test_what_is_stored_gives_the_same_scores(fitted: Domain, tmp_path: Path) -> None:
    path = tmp_path / "domain.npz"
    replace(fitted, limit=1.5, far=2.5).save(path)
    loaded = Domain.load(path)
    some = embeddings(4, 20), tones(4, 20)
    assert loaded.scores(*some) == pytest.approx(fitted.scores(*some), abs=1e-3)
    assert (loaded.limit, loaded.far) == (1.5, 2.5)
    (tmp_path / "broken.npz").write_bytes(path.read_bytes()[:200])
    with pytest.raises((OSError, ValueError, KeyError)):
        Domain.load(tmp_path / "broken.npz")


def test_the_scores_that_were_compared_are_areas(fitted: Domain) -> None:
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 4, size=48)
    val = embeddings(2, 60), tones(2, 60), rng.normal(size=(60, 8))
    photos = embeddings(3, 30, stranger=True), tones(3, 30, stranger=True), rng.normal(size=(30, 8))
    areas = domain_fitting.compare(fitted, (embeddings(1, 48), labels), val, photos)
    assert all(area is not None and 0.0 <= area <= 1.0 for area in areas.values())
    assert areas["outside and colours (released)"] == 1.0


def test_colours_of_a_picture_are_numbers_even_where_it_has_none() -> None:
    for pixels in (np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)):
        assert np.isfinite(colours(pixels)).all()
    lesion = colours(model_input(synthetic.lesion(1), 160))
    assert lesion.shape == (14,)
    assert lesion == pytest.approx(colours(model_input(synthetic.lesion(1), 224)), abs=0.15)
