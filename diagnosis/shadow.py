"""The release that runs along: it judges what was answered already, while its process has nothing to do.

It never changes or holds back a result. It begins only when its process has had no job for a moment, and
takes one step at a time: load its release, or judge one image. A job that arrives meanwhile, in this process
or in another one of the machine, shares the processor with that step until it ends. What is kept are two
judgements and two durations, but neither the image nor whose it was.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from django.db import connection

from diagnosis import releases
from diagnosis.models import Analysis, ShadowResult, Status
from ml_models import imaging
from ml_models.runtime import Assessment, Engine, ReleaseError, release_path
from ml_models.taxonomy import CODES, ImageType

log = structlog.get_logger(__name__)

QUIET_SECONDS = 0.1  # without a job, before an image is judged a second time
_LOOK_SECONDS = 0.05
_KEPT = 200  # jobs that wait for a quiet moment; of a longer row the oldest are not compared


@dataclass(frozen=True)
class Answered:
    """A job whose result is committed, and how long the engine took for it."""

    analysis_id: int
    milliseconds: float


class Shadow:
    """`is_quiet` says whether the process has had nothing to do for a moment."""

    def __init__(self, is_quiet: Callable[[], bool]) -> None:
        self.release = ""
        self.refusal = ""
        self._wanted = ""
        self._engine: Engine | None = None
        self._is_quiet = is_quiet
        self._answered: deque[Answered] = deque(maxlen=_KEPT)
        self._news = threading.Event()
        self._stopped = False

    def start(self) -> None:
        threading.Thread(target=self._run, name="shadow", daemon=True).start()

    def stop(self) -> None:
        self._stopped = True
        self._news.set()

    def want(self, release: str) -> None:
        """Run this release along from now on; an empty name ends it."""
        if release != self._wanted:
            self._wanted = release
            self._answered.clear()
            self._news.set()

    def offer(self, analysis_id: int, milliseconds: float) -> None:
        """Remember a committed result; costs nothing while no release runs along."""
        if self._wanted:
            self._answered.append(Answered(analysis_id, milliseconds))
            self._news.set()

    def _run(self) -> None:
        while not self._stopped:
            self._news.wait()
            self._news.clear()
            while not self._stopped and self._has_work():
                if self._is_quiet():
                    self.step()
                else:
                    time.sleep(_LOOK_SECONDS)
            connection.close()

    def _has_work(self) -> bool:
        return self._wanted != self.release or bool(self._answered)

    def step(self) -> None:
        """Take the release that is wanted, or judge one image. Whatever goes wrong is nobody's problem."""
        try:
            if self._wanted != self.release:
                self._take(self._wanted)
            elif self._engine is not None:
                compare(self._engine, self._answered.popleft())
            else:
                self._answered.clear()
        except Exception as error:  # a release that is only being tried must not end the worker
            log.warning("shadow_failed", release=self.release, error=type(error).__name__)
            connection.close()

    def _take(self, release: str) -> None:
        engine, refusal = None, ""
        try:
            if release:
                engine = Engine.load(release_path(release))
                releases.named(engine.card, release)
                engine.check_golden()
        except ReleaseError as error:
            engine, refusal = None, str(error)
        except Exception as error:  # whatever it does, it is refused once and not tried for ever
            engine, refusal = None, f"The release {release} failed: {type(error).__name__}."
        if refusal:
            log.error("shadow_refused", error=refusal)
        self._engine, self.refusal, self.release = engine, refusal, release


def compare(engine: Engine, answered: Answered) -> ShadowResult | None:
    """Judge an answered image again and keep both judgements; None if it is gone or was made by `engine`."""
    done = Analysis.objects.filter(pk=answered.analysis_id, status=Status.DONE).exclude(release=engine.name)
    analysis = done.first()
    if analysis is None or analysis.probabilities is None:
        return None
    try:
        with analysis.image.open("rb") as file:
            image = imaging.canonicalise(file.read())
    except FileNotFoundError:
        return None  # erased in the meantime
    started = time.perf_counter()
    [assessment] = engine.assess([image], [ImageType(analysis.image_type)])
    milliseconds = 1000 * (time.perf_counter() - started)
    return ShadowResult.objects.create(
        active=analysis.release,
        shadow=engine.name,
        top=analysis.top,
        shadow_top=assessment.top,
        urgency=analysis.urgency,
        shadow_urgency=assessment.urgency,
        largest_difference=_largest_difference(analysis.probabilities, assessment),
        milliseconds=answered.milliseconds,
        shadow_milliseconds=milliseconds,
    )


def _largest_difference(probabilities: dict[str, float], assessment: Assessment) -> float:
    return max(abs(probabilities[code] - assessment.probabilities[code]) for code in CODES)
