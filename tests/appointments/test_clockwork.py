"""Every half minute, whatever fails."""

from datetime import timedelta

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from structlog.testing import capture_logs

from accounts import registries
from accounts.models import User
from appointments import availability, booking, clockwork
from appointments.models import Appointment, Schedule, Status
from appointments.tasks import sweep_appointments
from tests.appointments.conftest import first_free


def test_a_sweep_ends_what_is_stale(alice: User, chen_open: Schedule) -> None:
    start = first_free(chen_open, number=2)
    held = booking.hold(patient=alice, doctor=chen_open.doctor, start=start, length=30)
    Appointment.objects.update(expires_at=held.created_at - timedelta(minutes=1))
    sweep_appointments()
    held.refresh_from_db()
    assert held.status == Status.EXPIRED


def test_one_that_fails_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []

    def fails() -> None:
        raise RuntimeError

    monkeypatch.setattr(clockwork, "EVERY", [fails, lambda: done.append(1)])
    with capture_logs() as lines:
        clockwork.tick()
    assert done == [1]
    [line] = [line for line in lines if line["event"] == "clockwork_failed"]
    assert (line["error"], line["step"].endswith("fails")) == ("RuntimeError", True)


def test_a_sweep_that_is_too_slow_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow() -> None:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(clockwork, "EVERY", [slow])
    with pytest.raises(SoftTimeLimitExceeded):
        clockwork.tick()


def test_the_clock_knows_the_sweep() -> None:
    entry = settings.CELERY_BEAT_SCHEDULE["sweep-appointments"]
    assert entry["task"] == sweep_appointments.name
    assert entry["options"]["expires"] == entry["schedule"] == 30


def test_the_directory_knows_free_times(chen_open: Schedule, diaz: User) -> None:
    assert availability.next_free_times in registries.next_free_times
    assert set(availability.next_free_times([chen_open.doctor_id, diaz.pk])) == {chen_open.doctor_id}
