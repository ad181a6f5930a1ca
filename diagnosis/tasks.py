"""The two tasks of an analysis. A task takes a primary key, claims first and is safe to run twice."""

import time

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError

from dermaplatform.celery import default_task, inference_task
from diagnosis import jobs, selectors
from diagnosis.models import Analysis
from diagnosis.worker import NotReadyError, process_name, ready_worker
from ml_models import imaging
from ml_models.runtime import Engine
from ml_models.taxonomy import ImageType

log = structlog.get_logger(__name__)

# After these another attempt can help. Anything else ends the claim like a crash: when the lease runs out.
TRANSIENT = (OperationalError, InterfaceError, OSError, MemoryError, SoftTimeLimitExceeded)

PAUSE_SECONDS = 1.0  # of a process that is not fit, after each job that it has passed on


@inference_task()
def analyse(analysis_id: int) -> None:
    """Examine one image, if it is still waiting."""
    try:
        worker, engine = ready_worker()
    except (NotReadyError, SoftTimeLimitExceeded):
        _pass_on(analysis_id)
        return
    analysis = jobs.claim(analysis_id)
    if analysis is None:
        return
    try:
        with worker.holding(analysis):
            milliseconds = _examine(engine, analysis)
    except TRANSIENT as error:
        log.warning("analysis_interrupted", analysis=analysis.pk, error=type(error).__name__)
        jobs.give_back(analysis, error=f"{type(error).__name__}: {error}")
    else:
        if milliseconds is not None:
            worker.shadow.offer(analysis.pk, milliseconds)


def _pass_on(analysis_id: int) -> None:
    """Ring for a process that is fit. While none is, the row waits until the sweep rings.

    The pause keeps this process busy, or it would take the same message again before the others can.
    """
    if selectors.fit_workers().exclude(worker=process_name()).exists():
        jobs.leases.ring_again(analyse, analysis_id)
        time.sleep(PAUSE_SECONDS)


def _examine(engine: Engine, analysis: Analysis) -> float | None:
    """The milliseconds that the engine took for the result; None if none was written."""
    with analysis.image.open("rb") as file:
        data = file.read()
    try:
        image = imaging.canonicalise(data)
    except imaging.ImageError as error:
        # The clock strikes anywhere, and decoding takes whatever is raised in it for a fault of the file.
        if isinstance(error.__cause__, SoftTimeLimitExceeded):
            raise error.__cause__ from None
        jobs.reject(analysis, error=str(error))
        return None
    started = time.perf_counter()
    [assessment] = engine.assess([image], [ImageType(analysis.image_type)])
    milliseconds = 1000 * (time.perf_counter() - started)
    return milliseconds if jobs.complete(analysis, assessment) else None


@default_task()
def sweep_analyses() -> None:
    """Take back what was abandoned and ring again for what waits too long."""
    jobs.leases.take_back(jobs.give_back)
    jobs.leases.ring_overdue(analyse)
    jobs.forget_old_workers()
