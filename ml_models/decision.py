"""From calibrated probabilities to an urgency level: pure, and the only place where it is decided."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ml_models.taxonomy import CODES, SUSPICIOUS, ImageType, Reason, Urgency


@dataclass(frozen=True)
class Thresholds:
    """`urgent` and `soon` apply to the suspicious sum (0..1), `entropy` (nats) to all eight probabilities."""

    urgent: float
    soon: float
    entropy: float


def suspicion(probabilities: Mapping[str, float]) -> float:
    """Sum of the malignant and pre-cancer probabilities."""
    return math.fsum(probabilities[code] for code in CODES if code in SUSPICIOUS)


def entropy(probabilities: Mapping[str, float]) -> float:
    return -math.fsum(p * math.log(p) for p in probabilities.values() if p > 0.0)


def decide(
    probabilities: Mapping[str, float],
    image_type: ImageType,
    thresholds: Thresholds,
    refusals: Sequence[Reason] = (),
) -> tuple[Urgency, tuple[Reason, ...]]:
    """Level and reasons for one image.

    A phone photo is outside the model's domain, and `refusals` say why a picture cannot be assessed: in both
    cases the numbers mean nothing, whatever they are. Otherwise urgent comes before uncertain: probabilities
    spread over melanoma, carcinoma and keratosis have a high entropy and yet all point the same way, and
    "cannot assess" must not hold back a person whom the sum would send at once.
    """
    if image_type is ImageType.PHONE:
        return Urgency.CANNOT_ASSESS, (Reason.PHONE_PHOTO,)
    if refusals:
        return Urgency.CANNOT_ASSESS, tuple(refusals)
    sum_of_suspicious = suspicion(probabilities)
    if sum_of_suspicious >= thresholds.urgent:
        return Urgency.URGENT, ()
    if entropy(probabilities) > thresholds.entropy:
        return Urgency.CANNOT_ASSESS, (Reason.UNCERTAIN,)
    if sum_of_suspicious >= thresholds.soon:
        return Urgency.SOON, ()
    return Urgency.ROUTINE, ()
