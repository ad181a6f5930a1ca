"""A job is claimed once, finished once, and never lost."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings as django_settings
from django.db import OperationalError
from django.utils import timezone
from PIL import Image

from accounts.models import User
from dermaplatform import leases
from diagnosis import jobs, releases, tasks, worker
from diagnosis.models import Analysis, Status, WorkerHeartbeat
from diagnosis.selectors import inference_worker_state
from ml_models import imaging
from ml_models.runtime import Engine, ReleaseError
from tests.conftest import StandInEngine, assessment

Submit = Callable[..., Analysis]


def steps(analysis: Analysis) -> list[str]:
    return [event.to_status for event in analysis.events.all()]


def pass_time(analysis: Analysis, **fields: float) -> None:
    """Set times of the row back by so many seconds."""
    for field, seconds in fields.items():
        Analysis.objects.filter(pk=analysis.pk).update(**{field: timezone.now() - timedelta(seconds=seconds)})


def test_an_image_becomes_a_result(alice: User, submit: Submit, engine: StandInEngine) -> None:
    analysis = submit(alice)
    tasks.analyse(analysis.pk)
    analysis.refresh_from_db()
    assert (analysis.status, analysis.top, analysis.urgency) == (Status.DONE, "mel", "urgent")
    assert analysis.attempts == 1
    assert analysis.started_at
    assert analysis.finished_at
    assert steps(analysis) == ["queued", "running", "done"]


def test_a_message_delivered_twice_makes_one_result(
    alice: User, submit: Submit, engine: StandInEngine
) -> None:
    analysis = submit(alice)
    tasks.analyse(analysis.pk)
    tasks.analyse(analysis.pk)
    assert engine.calls == 1
    assert steps(analysis) == ["queued", "running", "done"]


def test_a_message_about_a_row_that_is_not_there_is_ignored(db: None, engine: StandInEngine) -> None:
    tasks.analyse(4711)
    assert engine.calls == 0


def test_a_stored_file_that_cannot_be_decoded_is_rejected(
    alice: User, submit: Submit, engine: StandInEngine
) -> None:
    analysis = submit(alice)
    Path(analysis.image.path).write_bytes(b"rotten")
    tasks.analyse(analysis.pk)
    analysis.refresh_from_db()
    assert (analysis.status, analysis.problem) == (Status.REJECTED, "undecodable")
    assert engine.calls == 0


def test_a_transient_error_waits_and_tries_again_and_gives_up_after_three_claims(
    alice: User, submit: Submit, engine: StandInEngine
) -> None:
    engine.answer = OperationalError("the database went away")
    analysis = submit(alice)
    for attempt in (1, 2):
        tasks.analyse(analysis.pk)
        analysis.refresh_from_db()
        assert (analysis.status, analysis.attempts) == (Status.QUEUED, attempt)
        assert analysis.not_before > timezone.now()
        assert jobs.claim(analysis.pk) is None  # not before its time
        pass_time(analysis, not_before=1)
    tasks.analyse(analysis.pk)
    analysis.refresh_from_db()
    assert (analysis.status, analysis.problem, analysis.attempts) == (Status.FAILED, "gave_up", 3)
    assert "the database went away" in analysis.log


@pytest.mark.parametrize("fault", [SoftTimeLimitExceeded(), MemoryError()], ids=repr)
@pytest.mark.parametrize("part", ["_to_rgb", "_open"])
def test_what_breaks_in_while_an_image_is_decoded_is_no_fault_of_the_image(
    alice: User,
    submit: Submit,
    engine: StandInEngine,
    monkeypatch: pytest.MonkeyPatch,
    *,
    fault: Exception,
    part: str,
) -> None:
    def breaks(*args: object, **kwargs: object) -> None:
        raise fault

    analysis = submit(alice)
    if part == "_open":
        monkeypatch.setattr(Image, "open", breaks)
    else:
        monkeypatch.setattr(imaging, part, breaks)
    tasks.analyse(analysis.pk)
    analysis.refresh_from_db()
    assert (analysis.status, analysis.problem, analysis.attempts) == (Status.QUEUED, "", 1)
    assert type(fault).__name__ in analysis.log


def test_an_unlisted_error_ends_like_a_crash(alice: User, submit: Submit, engine: StandInEngine) -> None:
    engine.answer = ZeroDivisionError("a bug")
    analysis = submit(alice)
    with pytest.raises(ZeroDivisionError):
        tasks.analyse(analysis.pk)
    analysis.refresh_from_db()
    assert analysis.status == Status.RUNNING  # until its lease runs out
    pass_time(analysis, lease_expires_at=1)
    assert jobs.leases.take_back(jobs.give_back) == 1
    analysis.refresh_from_db()
    assert analysis.status == Status.QUEUED


def test_a_worker_that_lost_its_lease_cannot_write(alice: User, submit: Submit) -> None:
    analysis = submit(alice)
    slow = jobs.claim(analysis.pk)
    assert slow is not None
    pass_time(analysis, lease_expires_at=1)
    jobs.leases.take_back(jobs.give_back)
    pass_time(analysis, not_before=1)
    second = jobs.claim(analysis.pk)
    assert second is not None
    assert not jobs.complete(slow, assessment("nv"))
    assert jobs.complete(second, assessment("mel"))
    analysis.refresh_from_db()
    assert analysis.top == "mel"
    assert steps(analysis).count("done") == 1


def test_a_lease_is_renewed_by_its_holder_only(alice: User, submit: Submit) -> None:
    analysis = jobs.claim(submit(alice).pk)
    assert analysis is not None
    assert analysis.lease_token is not None
    pass_time(analysis, lease_expires_at=1)
    assert not jobs.leases.renew(analysis.pk, uuid.uuid4())
    assert jobs.leases.renew(analysis.pk, analysis.lease_token)
    assert jobs.leases.take_back(jobs.give_back) == 0


def test_while_a_job_runs_the_heartbeat_renews_its_lease(
    alice: User, submit: Submit, engine: StandInEngine
) -> None:
    analysis = jobs.claim(submit(alice).pk)
    assert analysis is not None
    pass_time(analysis, lease_expires_at=1)
    standing, _ = worker.ready_worker()
    with standing.holding(analysis):
        standing._beat()
    assert not jobs.leases.abandoned().exists()


@pytest.mark.parametrize(("lease", "seconds"), [(6, 2.0), (15, 5.0), (300, 5.0)])
def test_three_heartbeats_fit_into_a_lease_and_into_the_patience_of_health(
    settings: Any, lease: int, seconds: float
) -> None:
    settings.DERMA_LEASE_SECONDS = lease
    assert worker.beat_seconds() == seconds


def test_the_sweep_rings_again_for_what_nobody_heard(
    alice: User, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[int] = []

    def heard(task: object, pk: int, *, expires: timedelta) -> bool:
        rung.append(pk)
        return True

    monkeypatch.setattr(leases, "ring_now", heard)
    old, fresh, held_back = submit(alice, 1), submit(alice, 2), submit(alice, 3)
    pass_time(old, rung_at=django_settings.DERMA_RING_AGAIN_SECONDS + 1)
    pass_time(held_back, rung_at=3600)
    Analysis.objects.filter(pk=held_back.pk).update(not_before=timezone.now() + timedelta(minutes=1))
    assert fresh.status == Status.QUEUED
    tasks.sweep_analyses()
    tasks.sweep_analyses()
    assert rung == [old.pk]  # once, until it has had its time


def test_a_sweep_with_the_broker_down_tries_again_later(
    alice: User, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "ring_now", lambda *args, **kwargs: False)
    analysis = submit(alice)
    pass_time(analysis, rung_at=3600)
    assert jobs.leases.ring_overdue(tasks.analyse) == 0
    analysis.refresh_from_db()
    assert analysis.rung_at < timezone.now() - timedelta(minutes=30)


def test_a_release_that_is_refused_takes_no_job(
    alice: User, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> None:
        raise ReleaseError("The golden probabilities are off.")

    monkeypatch.setattr(worker, "_worker", None)
    monkeypatch.setattr(worker, "release_path", Path)
    monkeypatch.setattr(releases, "active_release", lambda: "test")
    monkeypatch.setattr(Engine, "load", refused)
    monkeypatch.setattr(worker.InferenceWorker, "_beat_on", lambda self: None)
    analysis = submit(alice)
    tasks.analyse(analysis.pk)
    analysis.refresh_from_db()
    assert (analysis.status, analysis.attempts) == (Status.QUEUED, 0)
    assert inference_worker_state() == "The golden probabilities are off."
    worker.cool_down()


def test_the_state_of_the_worker_is_that_of_a_fresh_heartbeat(db: None) -> None:
    assert inference_worker_state() == "no worker is ready"
    beat = WorkerHeartbeat.objects.create(worker="a:1", release="r", at=timezone.now())
    assert inference_worker_state() == "ok"
    beat.at -= timedelta(seconds=16)
    beat.save()
    assert inference_worker_state() == "no worker is ready"
