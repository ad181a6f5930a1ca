"""What is offered to a patient is what this patient can take, at a month's end too."""

import datetime
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.models import User
from appointments import availability, booking
from appointments.models import Appointment, Place, Schedule, Status, WeeklyRule
from appointments.picking import Picking, Wanted, free_for, pick
from tests.appointments.conftest import open_hours
from tests.conftest import make_doctor, make_user

UTC = ZoneInfo("UTC")
NOW = datetime.datetime(2026, 11, 28, 8, 29, tzinfo=datetime.UTC)
HALF = datetime.timedelta(minutes=30)
NOVEMBER, DECEMBER = datetime.date(2026, 11, 1), datetime.date(2026, 12, 1)


@pytest.fixture(autouse=True)
def _near_the_months_end() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def at(day: int, hour: int = 9, minute: int = 0, *, month: int = 11) -> datetime.datetime:
    return datetime.datetime(2026, month, day, hour, minute, tzinfo=datetime.UTC)


def book(patient: User, schedule: Schedule, start: datetime.datetime) -> Appointment:
    return booking.book(hold=booking.hold(patient=patient, doctor=schedule.doctor, start=start, length=30))


@pytest.fixture
def chens_hour(chen: User) -> Schedule:
    """Two times a day, 09:00 and 09:30; in November only on the 30th."""
    schedule = open_hours(chen, zone="UTC", begins=9 * 60, ends=10 * 60)
    WeeklyRule.objects.update(valid_from=datetime.date(2026, 11, 30))
    return schedule


@pytest.fixture
def busy(alice: User, diaz: User, chens_hour: Schedule) -> list[Appointment]:
    """On the last day of November Alice is with somebody else at both of Dr Chen's times."""
    diaz_all_day = open_hours(diaz, zone="UTC")
    return [book(alice, diaz_all_day, at(30)), book(alice, diaz_all_day, at(30, 9, 30))]


def shown(
    patient: User | None,
    schedule: Schedule,
    *,
    month: datetime.date | None = None,
    day: datetime.date | None = None,
) -> Picking:
    return pick(schedule, Wanted(month=month, day=day), patient=patient, zone=UTC)


def test_the_page_opens_at_the_first_day_that_this_patient_can_take(
    alice: User, bob: User, chens_hour: Schedule, busy: list[Appointment]
) -> None:
    for others in (bob, None):
        assert shown(others, chens_hour).day == datetime.date(2026, 11, 30)
    page = shown(alice, chens_hour)
    assert (page.month, page.day, page.next) == (DECEMBER, datetime.date(2026, 12, 1), None)


def test_an_empty_month_never_names_a_day_of_its_own_as_the_next(
    alice: User, chens_hour: Schedule, busy: list[Appointment]
) -> None:
    page = shown(alice, chens_hour, month=NOVEMBER)
    assert page.day is None
    assert page.next is not None
    assert page.next.start == at(1, month=12)
    assert "day=2026-12-01" in page.next_query


def test_a_day_of_a_month_without_times_leads_on(
    alice: User, chens_hour: Schedule, busy: list[Appointment]
) -> None:
    """It does not ask for a day with a number where there is none."""
    page = shown(alice, chens_hour, day=datetime.date(2026, 11, 30))
    assert (page.month, page.day) == (NOVEMBER, None)
    assert page.next is not None


def test_a_stale_hold_of_ones_own_is_in_nobodys_way(alice: User, chens_hour: Schedule, diaz: User) -> None:
    hold = booking.hold(patient=alice, doctor=open_hours(diaz, zone="UTC").doctor, start=at(30), length=30)
    assert shown(alice, chens_hour).slots[0].start == at(30, 9, 30)
    Appointment.objects.filter(pk=hold.pk).update(expires_at=NOW)
    assert shown(alice, chens_hour).slots[0].start == at(30)


def test_looking_for_the_patient_costs_two_queries(
    alice: User, chens_hour: Schedule, busy: list[Appointment]
) -> None:
    counts = []
    for patient in (None, alice):
        with CaptureQueriesContext(connection) as queries:
            shown(patient, chens_hour, month=DECEMBER)
        counts.append(len(queries))
    assert counts[1] == counts[0] + 2


def test_who_comes_too_late_is_offered_what_they_can_take(
    alice: User, bob: User, chens_hour: Schedule, diaz: User
) -> None:
    diaz_all_day = open_hours(diaz, zone="UTC")
    book(alice, diaz_all_day, at(30, 9, 30))
    book(bob, chens_hour, at(30))
    with pytest.raises(booking.SlotTaken) as late:
        booking.hold(patient=alice, doctor=chens_hour.doctor, start=at(30), length=30)
    assert [slot.start for slot in late.value.next_free] == [
        at(1, month=12),
        at(1, 9, 30, month=12),
        at(2, month=12),
    ]


def test_what_one_holds_is_offered_again_to_who_comes_too_late(
    alice: User, bob: User, chens_hour: Schedule
) -> None:
    """It is given back for whatever is chosen instead, and can be chosen itself."""
    booking.hold(patient=alice, doctor=chens_hour.doctor, start=at(30), length=30)
    book(bob, chens_hour, at(30, 9, 30))
    with pytest.raises(booking.SlotTaken) as late:
        booking.hold(patient=alice, doctor=chens_hour.doctor, start=at(30, 9, 30), length=30)
    assert late.value.next_free[0].start == at(30)


def test_a_visit_that_moves_is_in_its_own_way_no_more_than_on_its_page(
    alice: User, bob: User, chens_hour: Schedule
) -> None:
    chens_hour.lengths = [30, 60]
    chens_hour.save()
    visit = book(alice, chens_hour, at(30))
    book(bob, chens_hour, at(1, month=12))
    with pytest.raises(booking.SlotTaken) as late:
        booking.reschedule(appointment=visit, by=alice, start=at(1, month=12), length=60)
    assert late.value.next_free[0].start == at(30)  # an hour, over the visit itself


class TestTheEarliestIsThePatients(TestCase):
    """Against all times of the horizon, whatever the patient has elsewhere."""

    alice: User
    schedule: Schedule
    doctor: User

    @classmethod
    def setUpTestData(cls) -> None:
        cls.alice = make_user("alice@example.org", "Alice Sommer")
        cls.schedule = open_hours(
            make_doctor("chen@example.org", "Mei Chen"), zone="UTC", begins=540, ends=600, horizon_days=8
        )
        cls.doctor = make_doctor("diaz@example.org", "Rafael Díaz")

    @given(taken=st.sets(st.integers(0, 17)), month=st.sampled_from([None, NOVEMBER, DECEMBER]))
    @example(taken=set(range(6)), month=NOVEMBER)
    @example(taken=set(range(18)), month=None)
    @hypothesis_settings(max_examples=60, deadline=None)
    def test_the_earliest(self, taken: set[int], month: datetime.date | None) -> None:
        with time_machine.travel(NOW, tick=False):
            Appointment.objects.bulk_create(
                Appointment(
                    patient=self.alice,
                    doctor=self.doctor,
                    start=(start := at(28) + datetime.timedelta(days=number // 2) + number % 2 * HALF),
                    end=start + HALF,
                    blocked_from=start,
                    blocked_until=start + HALF,
                    place=Place.CLINIC,
                    status=Status.CONFIRMED,
                    booked_at=NOW,
                )
                for number in taken
            )
            now = timezone.now()
            until = now + datetime.timedelta(days=30)
            free = free_for(self.alice, self.schedule, length=30, since=now, until=until)
            first = availability.next_free(self.schedule, length=30, patient=self.alice)
            page = shown(self.alice, self.schedule, month=month)
        assert first == free[:3]
        if page.next is not None:
            assert page.next == free[0]
            assert page.next.start.date().replace(day=1) != page.month
        if month is None and free:
            assert page.slots[0] == free[0]
