"""What pages, API and health read."""

from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from diagnosis.models import WorkerHeartbeat

HEARTBEAT_MAX_AGE = timedelta(seconds=15)


def living_workers() -> QuerySet[WorkerHeartbeat]:
    """Inference processes that have shown themselves in the last 15 s."""
    return WorkerHeartbeat.objects.filter(at__gte=timezone.now() - HEARTBEAT_MAX_AGE).order_by("worker")


def fit_workers() -> QuerySet[WorkerHeartbeat]:
    """Those of them that are warmed up and take jobs."""
    return living_workers().filter(refusal="")


def refusals() -> list[str]:
    """Why the others take none: one sentence a process."""
    return list(living_workers().exclude(refusal="").values_list("refusal", flat=True))


def inference_worker_state() -> str:
    """`ok` if one of them is fit, else what is wrong."""
    return "ok" if fit_workers().exists() else next(iter(refusals()), "no worker is ready")
