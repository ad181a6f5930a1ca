"""The state of one inference process: the loaded network, its heartbeat, and the lease it holds.

TensorFlow is loaded here and nowhere else, after the fork, once a process.
"""

import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import structlog
from celery import current_app
from celery.signals import worker_process_init, worker_process_shutdown
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from diagnosis import jobs
from diagnosis.models import Analysis, WorkerHeartbeat
from ml_models.runtime import Engine, ReleaseError, default_release, release_path

log = structlog.get_logger(__name__)


class NotReadyError(RuntimeError):
    """This process refuses to take jobs: its network is not the one that was released."""


class InferenceWorker:
    """Load, warm up, then beat: one row a process, renewed together with the lease of the running job."""

    def __init__(self) -> None:
        self.id = f"{socket.gethostname()}:{os.getpid()}"
        self.engine: Engine | None = None
        self.refusal = ""
        self._held: tuple[int, uuid.UUID] | None = None
        self._stop = threading.Event()

    def start(self) -> None:
        """Load and verify the release, run it once, and begin to beat. A bad release refuses jobs, loudly."""
        try:
            engine = Engine.load(release_path(settings.DERMA_RELEASE or default_release()))
            engine.check_golden()
        except ReleaseError as error:
            self.refusal = str(error)
            log.error("release_refused", error=self.refusal)
        else:
            self.engine = engine
            log.info("worker_ready", release=engine.name)
        self._beat()
        threading.Thread(target=self._beat_on, name="heartbeat", daemon=True).start()

    def stop(self) -> None:
        """Stop beating, and take the row away at once: health must not count a worker that has gone."""
        self._stop.set()
        with suppress(DatabaseError):
            WorkerHeartbeat.objects.filter(worker=self.id).delete()

    @contextmanager
    def holding(self, analysis: Analysis) -> Iterator[None]:
        """Keep the lease of this job alive while the block runs."""
        if analysis.lease_token is None:
            raise ValueError("Only a claimed analysis has a lease to hold.")
        self._held = (analysis.pk, analysis.lease_token)
        try:
            yield
        finally:
            self._held = None

    def _beat_on(self) -> None:
        while not self._stop.wait(settings.DERMA_LEASE_SECONDS / 3):
            try:
                self._beat()
            except DatabaseError:
                log.warning("heartbeat_missed", exc_info=True)
            finally:
                connection.close()

    def _beat(self) -> None:
        if held := self._held:
            jobs.renew(*held)
        release = self.engine.name if self.engine else ""
        WorkerHeartbeat.objects.update_or_create(
            worker=self.id,
            defaults={"release": release, "refusal": self.refusal[:300], "at": timezone.now()},
        )


_worker: InferenceWorker | None = None


def ready_worker() -> InferenceWorker:
    """The worker of this process, started if need be; NotReadyError if its release was refused."""
    global _worker  # noqa: PLW0603  (one network a process is the point)
    if _worker is None:
        _worker = InferenceWorker()
        _worker.start()
    if _worker.engine is None:
        raise NotReadyError(_worker.refusal)
    return _worker


@worker_process_init.connect  # type: ignore[untyped-decorator]
def warm_up(**kwargs: Any) -> None:
    """In each new process of a worker that serves the inference queue, before its first job."""
    if "inference" in current_app.amqp.queues.consume_from:
        # A refusal is said in the log, in the heartbeat and by health; the process stays, and takes no job.
        with suppress(NotReadyError):
            ready_worker()


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def cool_down(**kwargs: Any) -> None:
    if _worker is not None:
        _worker.stop()
