"""Age, sex and site: their encoding, and that what is missing says nothing."""

import numpy as np
import pytest

from ml_models import metadata
from ml_models.taxonomy import CODES, LOCALIZATIONS


def test_every_answer_has_its_place() -> None:
    row = metadata.encode(47.0, "female", "back")
    assert [name for name, value in zip(metadata.NAMES, row, strict=True) if value] == [
        "age 40+",
        "sex female",
        "site back",
    ]
    assert metadata.encode(0.0, None, None)[0] == 1.0
    assert metadata.encode(200.0, None, None)[7] == 1.0
    for site in LOCALIZATIONS:
        assert metadata.encode(None, None, site).sum() == (site != "unknown")


@pytest.mark.parametrize("unknown", [(None, None, None), (-1.0, "unknown", "unknown"), (None, "", "moon")])
def test_what_is_unknown_is_nowhere(unknown: tuple[float | None, str | None, str | None]) -> None:
    assert not metadata.encode(*unknown).any()


def fitted() -> metadata.Adjustment:
    """Melanomas are on the back here, keratoses are old; nevi are neither."""
    people = [(75.0, None, None)] * 60 + [(30.0, "male", "back")] * 60 + [(30.0, "female", "foot")] * 200
    labels = np.repeat([CODES.index("bkl"), CODES.index("mel"), CODES.index("nv")], [60, 60, 200])
    return metadata.fit(metadata.encode_all(people), labels)


def test_answers_move_the_classes_they_speak_for() -> None:
    adjustment = fitted()
    even = np.array([[code in {"bkl", "mel", "nv"} for code in CODES]]) / 3
    for person, code in (((80.0, None, None), "bkl"), ((None, None, "back"), "mel")):
        after = adjustment.apply(even, metadata.encode_all([person]))
        assert CODES[int(after.argmax())] == code
        assert after.sum() == pytest.approx(1.0)


def test_nothing_known_leaves_the_images_answer() -> None:
    shares = np.random.default_rng(1).dirichlet(np.ones(8), size=5)
    nobody = metadata.encode_all([(None, None, None)] * 5)
    assert np.array_equal(fitted().apply(shares, nobody), shares / shares.sum(axis=1, keepdims=True))


def test_it_goes_through_json() -> None:
    adjustment = fitted()
    content = adjustment.to_json()
    again = metadata.Adjustment.from_json(content)
    assert np.allclose(again.weights, adjustment.weights, atol=1e-4)
    with pytest.raises(ValueError, match="another version"):
        metadata.Adjustment.from_json(content | {"classes": list(reversed(CODES))})


def test_the_fit_is_repeatable() -> None:
    assert np.array_equal(fitted().weights, fitted().weights)
