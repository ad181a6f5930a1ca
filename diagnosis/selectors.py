"""What pages, API and health read."""

from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from diagnosis.models import WorkerHeartbeat

HEARTBEAT_MAX_AGE = timedelta(seconds=15)


def living_workers() -> QuerySet[WorkerHeartbeat]:
    """Inference processes that have shown themselves in the last 15 s."""
    return WorkerHeartbeat.objects.filter(at__gte=timezone.now() - HEARTBEAT_MAX_AGE).order_by("worker")


def inference_worker_state() -> str:
    """`ok` if one of them is warmed up and takes jobs, else what is wrong."""
    refusals = list(living_workers().values_list("refusal", flat=True))
    if "" in refusals:
        return "ok"
    return refusals[0] if refusals else "no worker is ready"
