"""Free times from the rows: of one doctor, and of a whole directory at once."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import ApplicationStatus, DoctorApplication, Role, User
from appointments import availability, booking
from appointments.models import Appointment, Place, Schedule, ScheduleException, Status, WeeklyRule
from tests.appointments.conftest import first_free

NOW = datetime(2026, 6, 1, 8, 1, tzinfo=UTC)  # a Monday
ZONES = ("Europe/Zurich", "America/New_York", "Asia/Tokyo", "Australia/Sydney", "America/Lima")
HALF_HOUR = timedelta(minutes=30)


@pytest.fixture(autouse=True)
def _on_a_monday() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def people(role: Role, count: int) -> list[User]:
    return User.objects.bulk_create(
        User(email=f"{role}{number}@example.org", name=f"Person {number}", role=role)
        for number in range(count)
    )


def many_doctors(count: int, *, visits: int = 20, closed_days: int = 0) -> list[int]:
    """Doctors with two intervals a day, exceptions and visits; the last one is away for so many days."""
    doctors, patients = people(Role.DOCTOR, count), people(Role.PATIENT, count)
    schedules = Schedule.objects.bulk_create(
        Schedule(doctor=doctor, time_zone=ZONES[number % 5], lengths=[15, 30], notice_hours=0)
        for number, doctor in enumerate(doctors)
    )
    WeeklyRule.objects.bulk_create(
        WeeklyRule(schedule=schedule, weekday=weekday, begins=begins, ends=begins + 240, place=Place.CLINIC)
        for schedule in schedules
        for weekday in range(7)
        for begins in (480, 780)
    )
    today = NOW.date()
    away = [(schedule, today + timedelta(days=day), 0) for schedule in schedules for day in (-30, 0, 10, 20)]
    if closed_days:
        away.append((schedules[-1], today, closed_days))
    ScheduleException.objects.bulk_create(
        ScheduleException(
            schedule=schedule,
            kind="off",
            begins=0,
            ends=1440,
            first_day=day,
            last_day=day + timedelta(days=days),
        )
        for schedule, day, days in away
    )
    starts = [NOW + timedelta(hours=6 * number) for number in range(visits)]
    Appointment.objects.bulk_create(
        Appointment(
            patient=patient,
            doctor=doctor,
            start=start,
            end=start + HALF_HOUR,
            blocked_from=start,
            blocked_until=start + HALF_HOUR,
            place=Place.CLINIC,
            status=Status.CONFIRMED,
            booked_at=NOW,
        )
        for doctor, patient in zip(doctors, patients, strict=True)
        for start in starts
    )
    return [doctor.pk for doctor in doctors]


# The directory


def queries_for(doctors: list[int]) -> int:
    with CaptureQueriesContext(connection) as queries:
        availability.next_free_times(doctors)
    return len(queries)


@pytest.mark.django_db
def test_the_number_of_queries_does_not_depend_on_the_number_of_doctors() -> None:
    doctors = many_doctors(12, visits=3, closed_days=30)
    assert queries_for(doctors[:2]) == queries_for(doctors[:-1]) == 4
    assert queries_for(doctors) == 5  # one of them has nothing within a week
    assert queries_for([]) <= 1


@pytest.mark.django_db
def test_200_doctors_take_under_300_ms() -> None:
    """Of the processor's time, the best of some: others may be at work on this machine."""
    doctors = many_doctors(200, closed_days=30)
    best = 10.0
    for _ in range(5):
        before = time.process_time()
        found = availability.next_free_times(doctors)
        best = min(best, time.process_time() - before)
    assert len(found) == 200
    assert best < 0.3


@pytest.mark.django_db
def test_what_is_told_of_many_is_what_each_offers() -> None:
    doctors = many_doctors(10, closed_days=40)
    found = availability.next_free_times(doctors)
    for schedule in Schedule.objects.prefetch_related("rules", "exceptions"):
        (first,) = availability.next_free(schedule, length=15, count=1)
        assert found[schedule.doctor_id] == first.start
    assert found[doctors[-1]] > NOW + timedelta(days=39)


def test_who_has_nothing_free_is_missing(chen_open: Schedule, diaz_open: Schedule, frey: User) -> None:
    WeeklyRule.objects.filter(schedule=diaz_open).delete()
    asked = [chen_open.doctor_id, diaz_open.doctor_id, frey.pk]
    assert list(availability.next_free_times(asked)) == [chen_open.doctor_id]


def test_who_has_left_is_missing(chen_open: Schedule) -> None:
    User.objects.filter(pk=chen_open.doctor_id).update(is_active=False)
    assert availability.next_free_times([chen_open.doctor_id]) == {}


# One doctor


def test_only_a_verified_doctor_with_hours_can_be_booked(chen_open: Schedule, frey: User) -> None:
    chen = chen_open.doctor
    assert availability.bookable(chen) == chen_open
    Schedule.objects.create(doctor=frey, time_zone="UTC")
    assert availability.bookable(frey) is None
    application = DoctorApplication.objects.get(doctor=chen)
    application.move(ApplicationStatus.SUSPENDED, by=None, reason="A complaint")
    assert availability.bookable(chen) is None


def test_a_held_time_is_free_again_when_the_hold_runs_out(alice: User, chen_open: Schedule) -> None:
    start = first_free(chen_open)
    held = booking.hold(patient=alice, doctor=chen_open.doctor, start=start, length=30)
    assert first_free(chen_open) == start + HALF_HOUR
    assert held.expires_at is not None
    with time_machine.travel(held.expires_at, tick=False):
        free = availability.free_times(
            chen_open, length=30, since=timezone.now(), until=NOW + timedelta(hours=1)
        )
    assert start + HALF_HOUR in [slot.start for slot in free]
    Schedule.objects.update(horizon_days=1)
    assert availability.taken_from([chen_open.doctor_id], NOW, NOW)[chen_open.doctor_id]


def test_a_visit_does_not_stand_in_its_own_way(
    alice: User, chen_open: Schedule, visit: Callable[..., Appointment]
) -> None:
    booked = visit(alice)
    asked = {"length": 30, "since": booked.start, "until": booked.end}
    assert availability.free_times(chen_open, **asked) == []  # type: ignore[arg-type]
    (slot,) = availability.free_times(chen_open, **asked, except_for=booked)  # type: ignore[arg-type]
    assert slot.start == booked.start


def test_a_full_day_of_25_hours_counts_its_first_visit(alice: User, chen_open: Schedule) -> None:
    """What began in the first minutes of such a day lies more than a day before its last."""
    Schedule.objects.update(visits_a_day=1, horizon_days=200)
    midnight = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)  # in Zurich
    booking.hold(patient=alice, doctor=chen_open.doctor, start=midnight, length=30)
    chen_open.refresh_from_db()
    last = midnight + timedelta(hours=24, minutes=30)
    with time_machine.travel(midnight - timedelta(minutes=2), tick=False):
        Appointment.objects.update(expires_at=midnight + timedelta(hours=1))
        free = availability.free_times(chen_open, length=30, since=last, until=last + timedelta(hours=1))
    assert [slot.start for slot in free] == [last + HALF_HOUR]
