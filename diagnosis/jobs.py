"""The life of a job: claimed under a lease, renewed, finished once, taken back when its worker is gone."""

from datetime import timedelta

import structlog
from django.conf import settings
from django.utils import timezone

from dermaplatform.leases import Leases
from diagnosis.models import Analysis, Problem, Status, WorkerHeartbeat
from ml_models.runtime import Assessment

log = structlog.get_logger(__name__)

_FORGET_WORKERS_AFTER = timedelta(days=1)


leases = Leases(
    Analysis,
    waiting=Status.QUEUED,
    running=Status.RUNNING,
    length=lambda: timedelta(seconds=settings.DERMA_LEASE_SECONDS),
    rings=500,
)


def backoff(attempts: int) -> timedelta:
    """How long to wait after this many attempts: 2 s, 4 s, 8 s…"""
    return timedelta(seconds=2**attempts)


def claim(analysis_id: int) -> Analysis | None:
    """Take a due job under a new lease; None if it is not there, not due, or somebody else's."""
    analysis = leases.due().filter(pk=analysis_id).first()
    if analysis is None:
        return None
    claimed = analysis.move(
        Status.RUNNING,
        attempts=analysis.attempts + 1,
        started_at=timezone.now(),
        **leases.new_lease(),
    )
    return analysis if claimed else None


def complete(analysis: Analysis, assessment: Assessment) -> bool:
    """Write the result; False if the lease was lost meanwhile, and then nothing is written."""
    return analysis.move(
        Status.DONE,
        release=assessment.release,
        top=assessment.top,
        probabilities=assessment.probabilities,
        urgency=assessment.urgency,
        reasons=list(assessment.reasons),
        activation=assessment.maps,
    )


def reject(analysis: Analysis, *, error: str) -> bool:
    """The stored file cannot be decoded: trying again would not help."""
    return analysis.move(Status.REJECTED, problem=Problem.UNDECODABLE, log=error)


def give_back(analysis: Analysis, *, error: str) -> bool:
    """End a claim without a result: wait and try again, or give up after the last attempt."""
    note = error[:200]
    if analysis.attempts >= settings.DERMA_MAX_CLAIMS:
        return analysis.move(Status.FAILED, problem=Problem.GAVE_UP, log=error, note=note)
    not_before = timezone.now() + backoff(analysis.attempts)
    return analysis.move(Status.QUEUED, not_before=not_before, log=error, note=note)


def forget_old_workers() -> None:
    WorkerHeartbeat.objects.filter(at__lt=timezone.now() - _FORGET_WORKERS_AFTER).delete()
