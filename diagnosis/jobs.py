"""The life of a job: claimed under a lease, renewed, finished once, taken back when its worker is gone."""

import uuid
from datetime import timedelta

import structlog
from celery import Task
from django.conf import settings
from django.utils import timezone

from dermaplatform.bell import ring_now
from diagnosis.models import Analysis, Problem, Status, WorkerHeartbeat
from ml_models.runtime import Assessment

log = structlog.get_logger(__name__)

_RINGS_A_SWEEP = 500
_FORGET_WORKERS_AFTER = timedelta(days=1)


def lease_length() -> timedelta:
    return timedelta(seconds=settings.DERMA_LEASE_SECONDS)


def backoff(attempts: int) -> timedelta:
    """How long to wait after this many attempts: 2 s, 4 s, 8 s…"""
    return timedelta(seconds=2**attempts)


def claim(analysis_id: int) -> Analysis | None:
    """Take a due job under a new lease; None if it is not there, not due, or somebody else's."""
    analysis = Analysis.objects.due().filter(pk=analysis_id).first()
    if analysis is None:
        return None
    now = timezone.now()
    claimed = analysis.move(
        Status.RUNNING,
        attempts=analysis.attempts + 1,
        lease_token=uuid.uuid4(),
        lease_expires_at=now + lease_length(),
        started_at=now,
    )
    return analysis if claimed else None


def renew(analysis_id: int, lease_token: uuid.UUID) -> bool:
    """Prolong a lease; False if it is no longer ours."""
    held = Analysis.objects.filter(pk=analysis_id, status=Status.RUNNING, lease_token=lease_token)
    return bool(held.update(lease_expires_at=timezone.now() + lease_length()))


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


def take_back_abandoned() -> int:
    """End the claims of workers that have gone; the number of them."""
    lost = [job for job in Analysis.objects.abandoned() if give_back(job, error="The worker went away.")]
    if lost:
        log.warning("leases_expired", analyses=[job.pk for job in lost])
    return len(lost)


def ring_overdue(task: Task) -> int:
    """Ring again for due jobs whose last ring nobody answered, oldest first; the number of rings.

    A ring expires when the next is due, so a stopped worker finds a short queue when it returns.
    """
    now = timezone.now()
    again_after = timedelta(seconds=settings.DERMA_RING_AGAIN_SECONDS)
    unanswered = Analysis.objects.due().filter(rung_at__lt=now - again_after).order_by("not_before")
    rung = []
    for pk in unanswered.values_list("pk", flat=True)[:_RINGS_A_SWEEP]:
        if not ring_now(task, pk, expires=again_after):
            break
        rung.append(pk)
    Analysis.objects.filter(pk__in=rung).update(rung_at=now)
    return len(rung)


def forget_old_workers() -> None:
    WorkerHeartbeat.objects.filter(at__lt=timezone.now() - _FORGET_WORKERS_AFTER).delete()
