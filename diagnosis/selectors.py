"""What pages, API and health read."""

from datetime import timedelta

from django.utils import timezone

from diagnosis.models import WorkerHeartbeat

HEARTBEAT_MAX_AGE = timedelta(seconds=15)


def inference_worker_state() -> str:
    """`ok` if a warmed-up worker has shown itself in the last 15 s, else what is wrong."""
    alive = WorkerHeartbeat.objects.filter(at__gte=timezone.now() - HEARTBEAT_MAX_AGE)
    refusals = list(alive.values_list("refusal", flat=True))
    if "" in refusals:
        return "ok"
    return refusals[0] if refusals else "no worker is ready"
