"""Urgency from the sum, abstention from the entropy, and thresholds by stated rules."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_models import calibration, metrics
from ml_models.data import DataError
from ml_models.decision import Thresholds, decide, suspicion
from ml_models.taxonomy import CODES, SUSPICIOUS, ImageType, Reason, Urgency

THRESHOLDS = Thresholds(urgent=0.6, soon=0.1, entropy=1.4)
DERMATOSCOPIC = ImageType.DERMATOSCOPIC


def spread(**shares: float) -> dict[str, float]:
    return {code: shares.get(code, 0.0) for code in CODES}


def test_the_sum_decides_and_not_the_top_class() -> None:
    split = spread(mel=0.25, bcc=0.2, scc=0.1, ak=0.1, nv=0.35)
    assert max(split, key=lambda code: split[code]) == "nv"
    assert decide(split, DERMATOSCOPIC, THRESHOLDS) == (Urgency.URGENT, ())


@pytest.mark.parametrize(
    ("probabilities", "urgency"),
    [
        (spread(nv=0.95, mel=0.05), Urgency.ROUTINE),
        (spread(nv=0.9, mel=0.1), Urgency.SOON),
        (spread(nv=0.4, mel=0.6), Urgency.URGENT),
    ],
)
def test_levels_begin_at_their_thresholds(probabilities: dict[str, float], urgency: Urgency) -> None:
    assert decide(probabilities, DERMATOSCOPIC, THRESHOLDS) == (urgency, ())


def test_too_uncertain_cannot_be_assessed() -> None:
    flat = spread(nv=0.25, bkl=0.25, df=0.25, vasc=0.25 - 0.01, mel=0.01)
    loose, strict = Thresholds(0.6, 0.1, 1.5), Thresholds(0.6, 0.1, 1.3)
    assert decide(flat, DERMATOSCOPIC, loose) == (Urgency.ROUTINE, ())
    assert decide(flat, DERMATOSCOPIC, strict) == (Urgency.CANNOT_ASSESS, (Reason.UNCERTAIN,))


def test_uncertainty_never_takes_urgency_away() -> None:
    flat = dict.fromkeys(CODES, 1 / 8)
    assert decide(flat, DERMATOSCOPIC, Thresholds(urgent=0.5, soon=0.1, entropy=1.0))[0] is Urgency.URGENT


def test_a_phone_photo_is_out_of_the_domain_whatever_the_numbers() -> None:
    for probabilities in (spread(nv=1.0), spread(mel=1.0)):
        result = decide(probabilities, ImageType.PHONE, THRESHOLDS)
        assert result == (Urgency.CANNOT_ASSESS, (Reason.PHONE_PHOTO,))


@given(
    st.lists(st.floats(0.001, 1.0), min_size=8, max_size=8),
    st.sampled_from(sorted(SUSPICIOUS)),
    st.floats(0, 5),
)
def test_more_suspicion_never_lowers_the_level_to_routine(
    weights: list[float], code: str, more: float
) -> None:
    def level(values: dict[str, float]) -> Urgency:
        total = sum(values.values())
        return decide({key: value / total for key, value in values.items()}, DERMATOSCOPIC, THRESHOLDS)[0]

    before = dict(zip(CODES, weights, strict=True))
    after = before | {code: before[code] + more}
    if level(before) in {Urgency.SOON, Urgency.URGENT}:
        assert level(after) is not Urgency.ROUTINE
    if level(before) is Urgency.URGENT:
        assert level(after) is Urgency.URGENT


@pytest.mark.parametrize("seed", range(6))
def test_thresholds_keep_their_promises(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.choice(8, size=900, p=[0.02, 0.05, 0.1, 0.01, 0.12, 0.66, 0.02, 0.02])
    probabilities = metrics.softmax(rng.normal(size=(900, 8)) + 2.0 * np.eye(8)[labels])
    thresholds = calibration.fit_thresholds(probabilities, labels)
    figures = calibration.describe(probabilities, labels, thresholds)
    values = {key: value or 0.0 for key, value in figures.items()}
    assert values["soon_sensitivity"] >= calibration.SOON_SENSITIVITY
    assert values["urgent_specificity"] >= calibration.URGENT_SPECIFICITY
    assert values["share_cannot_assess"] <= calibration.REFUSED_SHARE
    assert thresholds.soon <= thresholds.urgent
    assert sum(values[f"share_{level}"] for level in Urgency) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("code", ["mel", "nv"])
def test_thresholds_need_both_kinds(code: str) -> None:
    labels = np.full(5, CODES.index(code))
    with pytest.raises(DataError, match="as well as others"):
        calibration.fit_thresholds(np.full((5, 8), 0.125), labels)


def test_perfect_separation_does_not_reverse_the_levels() -> None:
    labels = np.array([4] * 20 + [5] * 80)
    probabilities = np.full((100, 8), 0.01 / 7)
    probabilities[np.arange(100), labels] = 0.99
    thresholds = calibration.fit_thresholds(probabilities, labels)
    assert thresholds.soon <= thresholds.urgent
    assert suspicion(dict(zip(CODES, probabilities[0], strict=True))) >= thresholds.urgent
