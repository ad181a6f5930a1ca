"""A running worker has the active release before its next job; one that is refused takes none."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import OperationalError
from django.utils import timezone

from accounts.models import User
from dermaplatform import leases
from diagnosis import releases, tasks, worker
from diagnosis.models import Analysis, Status, WorkerHeartbeat
from diagnosis.selectors import inference_worker_state
from ml_models.runtime import Engine, GoldenMismatchError, ReleaseError
from tests.conftest import StandInEngine, assessment

Submit = Callable[..., Analysis]


class Shelf:
    """Stand-ins for the releases of the tree, and the name of the active one."""

    def __init__(self) -> None:
        self.active = "old-1"
        self.loaded: list[str] = []
        self.faults: dict[str, Exception] = {}

    def load(self, name: str) -> Engine:
        self.loaded.append(name)
        engine = StandInEngine()
        engine.name = name
        engine.answer = assessment(release=name)
        engine.card = engine  # type: ignore[attr-defined]
        engine.check_golden = lambda: self.check(name)  # type: ignore[attr-defined]
        return engine  # type: ignore[return-value]

    def check(self, name: str) -> None:
        if name in self.faults:
            raise self.faults[name]


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """A started worker over these releases, without its threads."""
    shelf = Shelf()
    monkeypatch.setattr(worker, "_worker", None)
    monkeypatch.setattr(worker, "release_path", str)
    monkeypatch.setattr(releases, "active_release", lambda: shelf.active)
    monkeypatch.setattr(Engine, "load", shelf.load)
    monkeypatch.setattr(worker.InferenceWorker, "_beat_on", lambda self: None)
    yield shelf
    worker.cool_down()


def examined(analysis: Analysis) -> Analysis:
    tasks.analyse(analysis.pk)
    analysis.refresh_from_db()
    return analysis


def test_the_next_job_is_done_by_the_release_activated_meanwhile(
    alice: User, submit: Submit, shelf: Shelf
) -> None:
    assert examined(submit(alice, 1)).release == "old-1"
    assert examined(submit(alice, 2)).release == "old-1"
    shelf.active = "new-2"
    assert examined(submit(alice, 3)).release == "new-2"
    shelf.active = "old-1"  # rolled back
    assert examined(submit(alice, 4)).release == "old-1"
    assert shelf.loaded == ["old-1", "new-2", "old-1"]


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (GoldenMismatchError("The golden probabilities are off."), "The golden probabilities are off."),
        (ReleaseError("A file is another."), "A file is another."),
        (MemoryError(), "The release new-2 failed: MemoryError."),
    ],
)
def test_a_new_release_that_fails_takes_no_job_until_it_is_rolled_back(
    alice: User, submit: Submit, shelf: Shelf, fault: Exception, sentence: str
) -> None:
    examined(submit(alice, 1))
    shelf.active, shelf.faults["new-2"] = "new-2", fault
    waiting = submit(alice, 2)
    for _ in range(2):
        examined(waiting)
        assert (waiting.status, waiting.attempts) == (Status.QUEUED, 0)
    assert shelf.loaded.count("new-2") == 1  # refused once, not tried for ever
    standing = worker._worker
    assert standing is not None
    standing._beat()
    assert inference_worker_state() == sentence
    shelf.active = "old-1"
    assert examined(waiting).release == "old-1"
    standing._beat()
    assert inference_worker_state() == "ok"


def test_a_process_that_is_not_fit_passes_a_job_on_and_pauses(
    alice: User, submit: Submit, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[int] = []
    slept: list[float] = []

    def heard(task: object, pk: int, *, expires: timedelta) -> bool:
        rung.append(pk)
        return True

    monkeypatch.setattr(leases, "ring_now", heard)
    monkeypatch.setattr("time.sleep", slept.append)
    shelf.faults["old-1"] = ReleaseError("A file is another.")
    waiting = submit(alice)
    waiting.rung_at -= timedelta(minutes=1)
    waiting.save()
    examined(waiting)
    assert (rung, slept) == ([], [])  # nobody is fit: the sweep rings
    WorkerHeartbeat.objects.create(worker="other:1", release="old-1", at=timezone.now())
    examined(waiting)
    assert (rung, slept) == ([waiting.pk], [1.0])
    assert waiting.status == Status.QUEUED
    assert waiting.rung_at > timezone.now() - timedelta(seconds=30)  # and not again by the sweep
    Analysis.objects.filter(pk=waiting.pk).update(not_before=timezone.now() + timedelta(minutes=1))
    examined(waiting)
    assert rung == [waiting.pk]  # not due: nothing to ring for
    WorkerHeartbeat.objects.filter(worker="other:1").update(refusal="This one neither.")
    examined(waiting)
    assert len(slept) == 2


def test_a_folder_with_another_release_in_it_is_refused(
    alice: User, submit: Submit, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "load", lambda name: shelf.load("stranger-9"))
    analysis = examined(submit(alice))
    assert analysis.status == Status.QUEUED
    assert inference_worker_state() == "The folder old-1 holds the release stranger-9."


def test_without_any_release_no_job_is_taken(
    alice: User, submit: Submit, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    examined(submit(alice, 1))

    def none() -> str:
        raise ReleaseError("There is no default release.")

    monkeypatch.setattr(releases, "active_release", none)
    assert examined(submit(alice, 2)).status == Status.QUEUED


def test_an_idle_worker_takes_it_before_a_job_needs_it(
    alice: User, submit: Submit, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releases, "shadow_release", lambda: "other-3")
    examined(submit(alice))
    standing = worker._worker
    assert standing is not None
    shelf.active = "new-2"
    standing._look_around()
    assert standing._taker is not None
    standing._taker.join()
    assert standing.engine is not None
    assert standing.engine.name == "new-2"
    assert standing.shadow._wanted == "other-3"
    standing._beat()
    assert WorkerHeartbeat.objects.get().release == "new-2"


def test_a_process_that_starts_without_the_database_beats_and_takes_the_release_by_itself(
    db: None, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_down(*args: object) -> str:
        raise OperationalError

    with monkeypatch.context() as outage:
        outage.setattr(releases, "active_release", is_down)
        outage.setattr(worker.InferenceWorker, "_beat", is_down)
        with pytest.raises(OperationalError):
            worker.ready_worker()
    standing = worker._worker
    assert standing is not None
    standing._beat()
    assert inference_worker_state() == "The database did not say which release to take."
    standing._look_around()
    assert standing._taker is not None
    standing._taker.join()
    standing._beat()
    assert inference_worker_state() == "ok"
    assert shelf.loaded == ["old-1"]


def test_a_time_limit_in_the_middle_of_loading_refuses_no_release(
    alice: User, submit: Submit, shelf: Shelf
) -> None:
    shelf.faults["old-1"] = SoftTimeLimitExceeded()
    waiting = examined(submit(alice))
    assert (waiting.status, waiting.attempts) == (Status.QUEUED, 0)
    shelf.faults.clear()
    assert examined(waiting).release == "old-1"


def test_a_time_limit_that_ends_the_waiting_ends_neither_the_loading_nor_the_job(
    alice: User, submit: Submit, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_long(self: worker.InferenceWorker) -> None:
        raise SoftTimeLimitExceeded

    examined(submit(alice, 1))
    monkeypatch.setattr(worker.InferenceWorker, "follow", too_long)
    waiting = examined(submit(alice, 2))
    assert (waiting.status, waiting.attempts) == (Status.QUEUED, 0)
