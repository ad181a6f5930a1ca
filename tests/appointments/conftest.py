"""Two doctors with hours, in two time zones."""

import datetime
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from accounts.models import User
from appointments import availability, booking
from appointments.models import Appointment, Place, Schedule, WeeklyRule, schedule_of

NOON = datetime.datetime(2031, 3, 5, 12, 0, tzinfo=datetime.UTC)  # a Wednesday


@pytest.fixture
def clock(settings: Any) -> Iterator[time_machine.Traveller]:
    """It is noon, until the test moves it; asked for by the files whose tests need it."""
    settings.DERMA_IDLE_MINUTES = 10**6  # doctors stay signed in while the clock is moved
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def begin(appointment: Appointment, clock: time_machine.Traveller) -> Appointment:
    """Five minutes into the visit."""
    clock.move_to(appointment.start + timedelta(minutes=5))
    return appointment


def open_hours(
    doctor: User, *, zone: str = "Europe/Zurich", begins: int = 0, ends: int = 24 * 60, **terms: object
) -> Schedule:
    """Every day from `begins` to `ends` (minutes), without notice unless `terms` say otherwise."""
    schedule = schedule_of(doctor)
    values = {"time_zone": zone, "notice_hours": 0, "lengths": [30, 60], **terms}
    for name, value in values.items():
        setattr(schedule, name, value)
    schedule.full_clean()
    schedule.save()
    for weekday in range(7):
        WeeklyRule.objects.create(
            schedule=schedule, weekday=weekday, begins=begins, ends=ends, place=Place.CLINIC
        )
    return schedule


@pytest.fixture
def chen_open(chen: User) -> Schedule:
    return open_hours(chen)


@pytest.fixture
def diaz_open(diaz: User) -> Schedule:
    return open_hours(diaz, zone="America/New_York")


def first_free(schedule: Schedule, *, length: int = 30, number: int = 0) -> datetime.datetime:
    return availability.next_free(schedule, length=length, count=number + 1)[number].start


@pytest.fixture
def visit(chen_open: Schedule) -> Callable[..., Appointment]:
    """A booked visit of this patient with Dr Chen at the `number`-th free time from now."""

    def booked(patient: User, number: int = 4, **options: object) -> Appointment:
        held = booking.hold(
            patient=patient, doctor=chen_open.doctor, start=first_free(chen_open, number=number), length=30
        )
        return booking.book(hold=held, **options)  # type: ignore[arg-type]

    return booked


@pytest.fixture
def going_on(
    clock: time_machine.Traveller, visit: Callable[..., Appointment], alice: User, chen: User
) -> Appointment:
    """Alice's visit with Dr Chen has begun, and she is there."""
    return booking.check_in(appointment=begin(visit(alice), clock), by=chen)


@pytest.fixture
def completed(going_on: Appointment, chen: User) -> Appointment:
    return booking.complete(appointment=going_on, by=chen)
