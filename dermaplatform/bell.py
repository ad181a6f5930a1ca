"""Ringing the broker, best effort and quick: the row is the job, and the sweep finds what nobody heard."""

from datetime import timedelta
from functools import cache
from typing import Any

import structlog
from celery import Task, current_app
from django.conf import settings
from django.db import transaction
from kombu import Connection
from kombu.exceptions import KombuError, OperationalError
from kombu.pools import producers
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

# A person waits while this runs, so a broker that does not answer may cost about a second and no more.
_TIMEOUT = 0.8
_BROKER_ERRORS = (OperationalError, KombuError, RedisError, OSError)


@cache
def _connection() -> Connection:
    options: dict[str, float] = {"max_retries": 0, "interval_start": 0, "interval_max": 0}
    if settings.REDIS_URL:
        options |= {"socket_connect_timeout": _TIMEOUT, "socket_timeout": _TIMEOUT}
    return current_app.connection_for_write(connect_timeout=_TIMEOUT, transport_options=options)


def ring_now(task: Task, *args: Any, expires: timedelta | None = None) -> bool:
    """Publish `task`; False, and a line in the log, if the broker could not be reached in about a second."""
    try:
        with producers[_connection()].acquire(block=True, timeout=_TIMEOUT) as producer:
            task.apply_async(
                args, producer=producer, retry=False, expires=expires.total_seconds() if expires else None
            )
    except _BROKER_ERRORS as error:
        log.warning("bell_not_heard", task=task.name, error=type(error).__name__)
        return False
    return True


def ring(task: Task, *args: Any) -> None:
    """Publish `task` as soon as the current transaction has been committed."""
    transaction.on_commit(lambda: ring_now(task, *args))
