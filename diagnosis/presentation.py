"""What the pages show of an analysis, put in order for reading."""

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, When
from django.utils import timezone

from diagnosis import releases, wording
from diagnosis.models import WITHOUT_RESULT, Analysis
from ml_models.release import Card, ReleaseError, read_card, release_path
from ml_models.taxonomy import Urgency

# From this age of an analysis on, in seconds: how long a waiting page pauses between two looks.
_PACES = ((60, 10), (15, 3), (0, 1))
_LONG_WAIT = 60  # s
_TODO_DAYS = 30
_TODOS = 5
_TO_ACT_ON = (Urgency.URGENT.value, Urgency.SOON.value, Urgency.CANNOT_ASSESS.value)

# The invented result on the page for visitors.
SAMPLE = {"nv": 0.52, "mel": 0.22, "bkl": 0.15, "bcc": 0.06}


@dataclass(frozen=True)
class Bar:
    """One class in the chart: `width` is in per cent of the chart, as SVG reads it."""

    code: str
    name: str
    meaning: str
    value: str
    match: str
    width: str


@dataclass(frozen=True)
class ReasonText:
    """One reason in words; `remedy` is empty where a better picture would not help."""

    code: str
    sentence: str
    remedy: str


@dataclass(frozen=True)
class Wait:
    """How a waiting page behaves now. `step` changes whenever the page should look different."""

    step: str
    seconds: int
    takes_long: bool


@dataclass(frozen=True)
class Todo:
    analysis: Analysis
    again: bool


def bars(probabilities: dict[str, float]) -> list[Bar]:
    """All classes by probability, the likeliest first."""
    return [
        Bar(
            code=code,
            name=wording.class_name(code),
            meaning=wording.class_sentence(code),
            value=wording.percent(probability),
            match=wording.match_word(probability),
            width=f"{100 * probability:.1f}",
        )
        for code, probability in sorted(probabilities.items(), key=lambda item: -item[1])
    ]


def reasons(analysis: Analysis) -> list[ReasonText]:
    return [
        ReasonText(reason, wording.reason_sentence(reason), wording.reason_remedy(reason))
        for reason in analysis.reasons
    ]


def wait(analysis: Analysis) -> Wait:
    age = (timezone.now() - analysis.created_at).total_seconds()
    seconds = next(pause for least, pause in _PACES if age >= least or least == 0)
    return Wait(step=f"{analysis.status}-{seconds}", seconds=seconds, takes_long=age >= _LONG_WAIT)


def todos(analyses: "QuerySet[Analysis]") -> list[Todo]:
    """What a patient should do because of the latest analyses: the most urgent first, then the newest."""
    newer = Analysis.objects.filter(
        Q(created_at__gt=OuterRef("created_at"))
        | Q(created_at=OuterRef("created_at"), pk__gt=OuterRef("pk")),
        patient=OuterRef("patient"),
        body_site=OuterRef("body_site"),
    )
    # One without a result is settled by a newer picture of the same place.
    to_send_again = Q(status__in=WITHOUT_RESULT) & ~Exists(newer)
    order = Case(
        When(urgency=Urgency.URGENT.value, then=0), When(urgency=Urgency.SOON.value, then=1), default=2
    )
    found = analyses.filter(
        Q(urgency__in=_TO_ACT_ON) | to_send_again,
        created_at__gte=timezone.now() - timedelta(days=_TODO_DAYS),
    ).order_by(order, "-created_at", "-pk")
    return [Todo(analysis, again=analysis.status in WITHOUT_RESULT) for analysis in found[:_TODOS]]


def card(release: str) -> Card | None:
    """What a result says of the release that made it; None where that is no longer installed or readable."""
    try:
        return _card(release)
    except ReleaseError:
        return None


# What fails is never kept: a release may be installed, or put back in order, while this process runs.
@lru_cache(maxsize=8)
def _card(release: str) -> Card:
    return read_card(release_path(release))


@lru_cache(maxsize=8)
def verified_card(release: str) -> Card:
    """The card of a release whose files are what was measured, hashed once a process. Raises ReleaseError."""
    return releases.verified(release)
