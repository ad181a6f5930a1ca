"""Every half minute, whatever fails."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from structlog.testing import capture_logs

from accounts import registries
from accounts.models import User
from appointments import availability, booking, clockwork, ratings
from appointments.booking import clock
from appointments.models import Actor, Appointment, Schedule, Status
from appointments.tasks import sweep_appointments
from tests.appointments.conftest import first_free


def test_a_sweep_ends_what_is_stale(alice: User, chen_open: Schedule) -> None:
    start = first_free(chen_open, number=2)
    held = booking.hold(patient=alice, doctor=chen_open.doctor, start=start, length=30)
    Appointment.objects.update(expires_at=held.created_at - timedelta(minutes=1))
    sweep_appointments()
    held.refresh_from_db()
    assert held.status == Status.EXPIRED


def left(visit: Appointment, doctor: User) -> Appointment:
    with time_machine.travel(visit.start, tick=False):
        return booking.check_in(appointment=visit, by=doctor)


def test_a_sweep_completes_what_was_left_checked_in(
    *, alice: User, bob: User, chen: User, visit: Callable[..., Appointment], settings: Any
) -> None:
    there, never_came = left(visit(alice), chen), visit(bob, 8)
    assert there.relation
    until = there.relation.until
    with time_machine.travel(there.end + timedelta(hours=23, minutes=59), tick=False):
        assert booking.complete_left() == 0
    with time_machine.travel(there.end + timedelta(hours=24), tick=False):
        sweep_appointments()
        assert booking.complete_left() == 0
    there.refresh_from_db()
    event = there.events.last()
    assert event
    assert (there.status, event.actor, event.by) == (Status.COMPLETED, Actor.CLOCK, None)
    assert there.relation
    assert (there.relation.until, there.relation.revoked_at) == (until, None)
    ratings.rate(appointment=there, by=alice, stars=5)  # on the page, without being asked
    settings.DERMA_COMPLETE_HOURS = 0
    with time_machine.travel(never_came.end + timedelta(days=9), tick=False):
        assert booking.complete_left() == 0  # nobody said that the patient was there
    never_came.refresh_from_db()
    assert never_came.status == Status.CONFIRMED


def test_a_doctor_who_completes_it_at_the_same_moment_is_first(
    alice: User, chen: User, visit: Callable[..., Appointment]
) -> None:
    there = left(visit(alice), chen)
    with time_machine.travel(there.end + timedelta(days=2), tick=False):
        seen = Appointment.objects.get(pk=there.pk)
        booking.complete(appointment=there, by=chen)
        seen.refresh_from_db()
        assert not clock._complete(seen)
    assert [event.actor for event in there.events.filter(to_status=Status.COMPLETED)] == [Actor.DOCTOR]


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
