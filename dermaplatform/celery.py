"""The Celery application and one decorator for each workload.

The database row is the job and the broker only rings the bell: a task takes a primary key, claims first and
is safe to run twice. That is why a message may be delivered late, twice or never.
"""

import os
from collections.abc import Callable
from typing import Any

import celery
from celery import shared_task

from dermaplatform.broker import register

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dermaplatform.settings")

register()
app = celery.Celery("dermaplatform")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

_SURVIVES_A_KILLED_WORKER = {"acks_late": True, "reject_on_worker_lost": True}


def route(
    name: str, args: Any, kwargs: Any, options: Any, task: Any = None, **_: Any
) -> dict[str, str] | None:
    """Celery's router: a task goes to the queue of its workload."""
    workload = getattr(task or app.tasks.get(name), "workload", None)
    return {"queue": workload} if workload else None


Decorator = Callable[[Callable[..., None]], Any]


def inference_task(**options: Any) -> Decorator:
    """A task that runs the network: one image, in the worker that has TensorFlow loaded."""
    limits = {"soft_time_limit": 30, "time_limit": 45}
    decorator: Decorator = shared_task(workload="inference", **_SURVIVES_A_KILLED_WORKER, **limits, **options)
    return decorator


def default_task(**options: Any) -> Decorator:
    """A task of the house: sweeps, mail. Short, unless `options` give it longer limits."""
    options = {"soft_time_limit": 60, "time_limit": 90} | options
    decorator: Decorator = shared_task(workload="default", **_SURVIVES_A_KILLED_WORKER, **options)
    return decorator
