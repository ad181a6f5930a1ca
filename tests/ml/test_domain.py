"""The score that tells strangers from the training images, and what of it is stored."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml_models import domain_fitting, synthetic
from ml_models.domain import Domain, colours
from ml_models.domain_fitting import LOOKS, Seen
from ml_models.imaging import model_input
from ml_models.taxonomy import Reason


def seen(seed: int, n: int, *, stranger: float = 0.0) -> Seen:
    """Embeddings in 40 dimensions, of which lesions fill twelve; the further a stranger, the further out."""
    rng = np.random.default_rng(seed)
    spread = np.where(np.arange(40) < 12, 1.0, 0.1)
    embeddings = rng.normal(size=(n, 40)) * spread + 3.0 + stranger * (np.arange(40) % 5 == 0)
    tones = rng.normal(size=(n, 14)) + stranger
    return Seen(rng.normal(size=(n, 8)), embeddings, tones)


OWN = seen(1, 200)
PHOTOS = seen(2, 40 * LOOKS, stranger=2.0)


@pytest.fixture(scope="module")
def fitted() -> Domain:
    return domain_fitting.fit(OWN, PHOTOS)


def scores(domain: Domain, of: Seen) -> np.ndarray:
    return domain.scores(of.embeddings, of.tones)


def test_strangers_that_were_not_learnt_from_score_higher(fitted: Domain) -> None:
    own, strange = scores(fitted, seen(3, 100)), scores(fitted, seen(4, 100, stranger=2.0))
    assert strange.min() > own.max()
    assert own.max() < 0.0 < strange.min()  # the odds, were there as many of the one as of the other


def test_a_photo_is_scored_by_a_regression_without_it(fitted: Domain) -> None:
    """One photo lies where lesions do: learnt from, it is found better than by those that do not know it."""
    odd = seen(5, LOOKS)
    photos = PHOTOS[: 9 * LOOKS] + odd
    unseen = domain_fitting.scores_unseen(OWN, photos)
    assert len(unseen) == 10
    knowing = scores(domain_fitting.fit(OWN, photos), odd)[0]
    assert unseen[-1] < knowing
    assert unseen[:-1].min() > 0.0


def test_the_limit_refuses_most_photos_and_few_lesions(fitted: Domain) -> None:
    val = np.concatenate([np.linspace(-5.0, 0.0, 398), [1.0, 2.0]])
    photos = np.linspace(0.5, 6.5, 200)
    limited = domain_fitting.with_limits(fitted, val, photos)
    assert (photos > limited.limit).mean() == pytest.approx(domain_fitting.FOUND, abs=0.01)
    assert (photos > limited.limit).mean() >= domain_fitting.FOUND
    assert limited.far == 2.0
    assert limited.reason(limited.limit) is None
    assert limited.reason((limited.limit + limited.far) / 2) is Reason.OUT_OF_DOMAIN
    assert limited.reason(limited.far + 0.1) is Reason.NOT_A_LESION


def test_where_photos_are_hard_to_tell_few_lesions_are_refused_all_the_same(fitted: Domain) -> None:
    val = np.linspace(-5.0, 1.0, 400)
    limited = domain_fitting.with_limits(fitted, val, val[:50])
    assert 0 < (val > limited.limit).mean() <= domain_fitting.REFUSED


def test_where_photos_are_far_away_other_dermatoscopes_have_the_room_between(fitted: Domain) -> None:
    val = np.linspace(-5.0, 1.0, 400)
    limited = domain_fitting.with_limits(fitted, val, np.linspace(3.0, 9.0, 50))
    assert limited.limit == limited.far == pytest.approx(3.0, abs=1e-3)


def test_what_is_stored_gives_the_same_scores(fitted: Domain, tmp_path: Path) -> None:
    path = tmp_path / "domain.npz"
    replace(fitted, limit=1.5, far=2.5).save(path)
    loaded = Domain.load(path)
    assert np.array_equal(scores(loaded, OWN), scores(fitted, OWN))
    assert (loaded.limit, loaded.far) == (1.5, 2.5)
    (tmp_path / "broken.npz").write_bytes(path.read_bytes()[:200])
    with pytest.raises((OSError, ValueError, KeyError)):
        Domain.load(tmp_path / "broken.npz")


def test_the_scores_that_were_compared_are_areas(fitted: Domain) -> None:
    labels = np.random.default_rng(5).integers(0, 4, size=len(OWN))
    areas = domain_fitting.compare(fitted, (OWN, labels), seen(6, 60), seen(7, 30, stranger=2.0))
    assert all(area is not None and 0.0 <= area <= 1.0 for area in areas.values())
    assert areas["learnt from photos (released)"] == 1.0
    assert areas["energy"] is not None
    assert areas["energy"] < 0.8  # the logits know nothing here


def test_a_photo_is_looked_at_from_near_and_far() -> None:
    photo = synthetic.lesion(1, (120, 90))
    looks = [*domain_fitting.looks(photo)]
    assert len(looks) == LOOKS
    assert looks[0] is photo
    assert {look.size for look in looks} == {(120, 90), (63, 63), (30, 30)}
    assert len({look.tobytes() for look in looks}) == LOOKS
    grey = np.asarray(looks[-1])
    assert (grey[..., 0] == grey[..., 2]).all()


def test_colours_of_a_picture_are_numbers_even_where_it_has_none() -> None:
    for pixels in (np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)):
        assert np.isfinite(colours(pixels)).all()
    lesion = colours(model_input(synthetic.lesion(1), 160))
    assert lesion.shape == (14,)
    assert lesion == pytest.approx(colours(model_input(synthetic.lesion(1), 224)), abs=0.15)
