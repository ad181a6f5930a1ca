"""The state of one inference process: the loaded network, its heartbeat, and the lease it holds.

TensorFlow is loaded here and nowhere else, after the fork, once a process. A release that is activated later
is loaded beside the present one, because a job may run on that, and takes its place before the next job.
"""

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import structlog
from celery import current_app
from celery.exceptions import SoftTimeLimitExceeded
from celery.signals import worker_process_init, worker_process_shutdown
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from diagnosis import jobs, releases, selectors, shadow
from diagnosis.models import Analysis, WorkerHeartbeat
from ml_models.runtime import Engine, ReleaseError, release_path

log = structlog.get_logger(__name__)


class NotReadyError(RuntimeError):
    """This process refuses to take jobs: its network is not the one that was released."""


def process_name() -> str:
    """This process in the table of heartbeats."""
    return f"{socket.gethostname()}:{os.getpid()}"


def beat_seconds() -> float:
    """Between two heartbeats: three fit into a lease, and into the age at which one no longer counts."""
    lease: int = settings.DERMA_LEASE_SECONDS
    return min(lease, selectors.HEARTBEAT_MAX_AGE.total_seconds()) / 3


class InferenceWorker:
    """Load, warm up, then beat: one row a process, renewed together with the lease of the running job."""

    def __init__(self) -> None:
        self.id = process_name()
        self.engine: Engine | None = None
        self.refusal = ""
        self.taken: str | None = None  # the release that was asked for last, refused or not
        self.shadow = shadow.Shadow(lambda: self.idle_for() >= shadow.QUIET_SECONDS)
        self._held: tuple[int, uuid.UUID] | None = None
        self._idle_since = time.monotonic()
        self._stop = threading.Event()
        self._taking = threading.Lock()
        self._taker: threading.Thread | None = None

    def start(self) -> None:
        """Load and verify the active release, run it once, begin to beat. A bad one refuses jobs, loudly.

        Without the database this process begins all the same, and takes the release when it is back.
        """
        try:
            self._take(releases.active_release())
        except ReleaseError as error:  # nothing names a release
            self._refuse("", error)
        except DatabaseError:
            self._refuse("", ReleaseError("The database did not say which release to take."))
        try:
            self._beat()
        except DatabaseError:
            log.warning("heartbeat_missed", exc_info=True)
        self.shadow.start()
        threading.Thread(target=self._beat_on, name="heartbeat", daemon=True).start()

    def follow(self) -> None:
        """Return when this process has taken the active release, or has refused it."""
        try:
            while self.taken is not None and (wanted := releases.active_release()) != self.taken:
                self._begin_to_take(wanted).join()
        except ReleaseError as error:
            self._refuse("", error)

    def _begin_to_take(self, wanted: str) -> threading.Thread:
        """A thread that loads it: a job's time limit must not end the loading half-way."""
        with self._taking:
            if self._taker is None or not self._taker.is_alive():
                self._taker = threading.Thread(target=self._take, args=(wanted,), name="taker", daemon=True)
                self._taker.start()
            return self._taker

    def _take(self, name: str) -> None:
        try:
            engine = Engine.load(release_path(name))
            releases.named(engine.card, name)
            engine.check_golden()
        except SoftTimeLimitExceeded:  # the clock of a job, which says nothing of the release
            raise
        except ReleaseError as error:
            self._refuse(name, error)
        except Exception as error:  # whatever a bad release does, it is refused once and not tried for ever
            log.exception("release_failed", release=name)
            self._refuse(name, ReleaseError(f"The release {name} failed: {type(error).__name__}."))
        else:
            self.engine, self.refusal, self.taken = engine, "", name
            log.info("worker_ready", release=engine.name)

    def _refuse(self, name: str, error: ReleaseError) -> None:
        """No jobs from now on: answers of the release before would not be what was chosen."""
        self.engine, self.refusal, self.taken = None, str(error), name
        log.error("release_refused", error=self.refusal)

    def stop(self) -> None:
        """Stop beating, and take the row away at once: health must not count a worker that has gone."""
        self._stop.set()
        self.shadow.stop()
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
            self._idle_since = time.monotonic()

    def idle_for(self) -> float:
        """Seconds since the last job ended; 0 during one."""
        return 0.0 if self._held else time.monotonic() - self._idle_since

    def _beat_on(self) -> None:
        while not self._stop.wait(beat_seconds()):
            try:
                self._beat()
                self._look_around()
            except DatabaseError:
                log.warning("heartbeat_missed", exc_info=True)
            finally:
                connection.close()

    def _beat(self) -> None:
        if held := self._held:
            jobs.leases.renew(*held)
        release = self.engine.name if self.engine else ""
        WorkerHeartbeat.objects.update_or_create(
            worker=self.id,
            defaults={
                "release": release,
                "refusal": self.refusal[:300],
                "shadow": self.shadow.release,
                "shadow_refusal": self.shadow.refusal[:300],
                "at": timezone.now(),
            },
        )

    def _look_around(self) -> None:
        """Begin to take what was chosen since, so that an idle process has it before a job needs it."""
        with suppress(ReleaseError):
            if (wanted := releases.active_release()) != self.taken:
                self._begin_to_take(wanted)
            self.shadow.want(releases.shadow_release())


_worker: InferenceWorker | None = None


def ready_worker() -> tuple[InferenceWorker, Engine]:
    """The worker of this process and the release that is active now; NotReadyError if that was refused."""
    global _worker  # noqa: PLW0603  (one network a process is the point)
    if _worker is None:
        starting = InferenceWorker()
        starting.start()
        _worker = starting
    _worker.follow()
    if (engine := _worker.engine) is None:
        raise NotReadyError(_worker.refusal)
    return _worker, engine


@worker_process_init.connect  # type: ignore[untyped-decorator]
def warm_up(**kwargs: Any) -> None:
    """In each new process of a worker that serves the inference queue, before its first job."""
    if "inference" in current_app.amqp.queues.consume_from:
        # A refusal is said in the log, in the heartbeat and by health; the process stays, and takes no job.
        # Neither does it without the database, until a heartbeat reaches that again.
        with suppress(NotReadyError, DatabaseError):
            ready_worker()


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def cool_down(**kwargs: Any) -> None:
    if _worker is not None:
        _worker.stop()
