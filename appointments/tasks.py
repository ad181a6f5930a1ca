"""The task about visits."""

from appointments import clockwork
from dermaplatform.celery import default_task


@default_task()
def sweep_appointments() -> None:
    """End what was not answered in time, and whatever else time does to visits."""
    clockwork.tick()
