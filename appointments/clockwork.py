"""What time does to visits, a little at a time. Everything here is safe to run twice, also at once."""

from collections.abc import Callable

import structlog
from celery.exceptions import SoftTimeLimitExceeded

from appointments import booking, follow_up, photos, reminders, waitlist

log = structlog.get_logger(__name__)

# In this order, every half minute. What is slow looks for itself whether it is its turn.
EVERY: list[Callable[[], object]] = [
    booking.expire_stale,
    booking.complete_left,
    booking.forget_keys,
    waitlist.sweep,
    photos.remind_due,
    reminders.send_due,
    follow_up.sweep,
]


def tick() -> None:
    """Run everything; what fails is logged and stops nothing else."""
    for step in EVERY:
        try:
            step()
        except SoftTimeLimitExceeded:
            raise  # the rest waits for the next time
        except Exception as error:
            log.exception("clockwork_failed", step=step.__qualname__, error=type(error).__name__)
