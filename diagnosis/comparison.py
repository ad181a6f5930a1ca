"""What running along has shown: how often two releases agree, where they differ, and how long each takes."""

import datetime
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.db.models import Avg, Count, F, Max, Min, Q, QuerySet

from diagnosis.models import ShadowResult
from ml_models.taxonomy import Urgency

LEVELS = tuple(Urgency)
_RANK = {Urgency.URGENT: 3, Urgency.SOON: 2, Urgency.ROUTINE: 1}
_TIMED = 2000  # the newest images, for the times


@dataclass(frozen=True)
class Times:
    """Milliseconds in the engine for one image."""

    median: float
    slow: float  # 95 of 100 are quicker


@dataclass(frozen=True)
class Comparison:
    """Two releases on the same live images; `urgencies[level of the active one][level of the other]`."""

    active: str
    shadow: str
    images: int
    first_day: datetime.date
    last_day: datetime.date
    same_top: int
    same_urgency: int
    difference: float  # mean of the largest difference between two probabilities of one class
    urgencies: Mapping[Urgency, Mapping[Urgency, int]]
    active_times: Times
    shadow_times: Times

    @property
    def more_urgent(self) -> int:
        """Images for which the shadow would have called people sooner."""
        return self._where(lambda active, shadow: shadow > active)

    @property
    def less_urgent(self) -> int:
        return self._where(lambda active, shadow: shadow < active)

    @property
    def assessed_by_one(self) -> int:
        """Images that one of them could not assess."""
        return self.images - self.same_urgency - self.more_urgent - self.less_urgent

    def _where(self, holds: Callable[[int, int], bool]) -> int:
        return sum(
            count
            for active, row in self.urgencies.items()
            for shadow, count in row.items()
            if active in _RANK and shadow in _RANK and holds(_RANK[active], _RANK[shadow])
        )


def comparisons() -> list[Comparison]:
    """Every pair of releases that was compared, the latest first."""
    pairs = ShadowResult.objects.values("active", "shadow").annotate(
        images=Count("pk"),
        first_day=Min("day"),
        last_day=Max("day"),
        same_top=Count("pk", filter=Q(top=F("shadow_top"))),
        same_urgency=Count("pk", filter=Q(urgency=F("shadow_urgency"))),
        difference=Avg("largest_difference"),
    )
    found = []
    for pair in pairs.order_by("-last_day", "active", "shadow"):
        rows = ShadowResult.objects.filter(active=pair["active"], shadow=pair["shadow"])
        timed = rows.order_by("-pk").values_list("milliseconds", "shadow_milliseconds")[:_TIMED]
        active, shadow = zip(*timed, strict=True)
        found.append(
            Comparison(
                **pair,
                urgencies=_urgencies(rows),
                active_times=_times(active),
                shadow_times=_times(shadow),
            )
        )
    return found


def _urgencies(rows: "QuerySet[ShadowResult]") -> dict[Urgency, dict[Urgency, int]]:
    table = {level: dict.fromkeys(LEVELS, 0) for level in LEVELS}
    counted = rows.values_list("urgency", "shadow_urgency").annotate(images=Count("pk"))
    for active, shadow, images in counted:
        table[Urgency(active)][Urgency(shadow)] = images
    return table


def _times(values: tuple[float, ...]) -> Times:
    slow = statistics.quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]
    return Times(median=statistics.median(values), slow=slow)
