"""Two doctors with hours, in two time zones."""

import datetime
from collections.abc import Callable

import pytest

from accounts.models import User
from appointments import availability, booking
from appointments.models import Appointment, Place, Schedule, WeeklyRule, schedule_of


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
