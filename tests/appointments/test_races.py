"""At the same moment: each in a thread with a connection of its own, against the real database."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone

from accounts import relations, verification
from accounts.models import ApplicationStatus, CareRelation, DoctorApplication, User
from appointments import booking, waitlist
from appointments.models import (
    Appointment,
    IdempotencyKey,
    Schedule,
    Status,
    WaitlistEntry,
    WaitStatus,
    WeeklyRule,
)
from tests.appointments.conftest import first_free, open_hours
from tests.appointments.test_constraints import row
from tests.appointments.test_transitions import check, overlaps
from tests.conftest import make_user

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE = timedelta(minutes=1)
Offered = Callable[[], WaitlistEntry]


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What each gave or raised; all begin together."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            gate.wait(60)
            return call()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def crowd(count: int) -> list[User]:
    return [make_user(f"p{number}@example.org", f"P{number}") for number in range(count)]


def tomorrow(hours: int = 0) -> datetime:
    day = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return day + timedelta(hours=hours)


def held(patient: User, schedule: Schedule, start: datetime, length: int = 30) -> Appointment:
    return booking.hold(patient=patient, doctor=schedule.doctor, start=start, length=length)


def booked(patient: User, schedule: Schedule, start: datetime) -> Appointment:
    return booking.book(hold=held(patient, schedule, start))


def fresh(appointment: Appointment) -> Appointment:
    return Appointment.objects.get(pk=appointment.pk)


def test_one_of_many_gets_a_time(chen_open: Schedule) -> None:
    people = crowd(12)
    for round_ in range(3):
        start = tomorrow(round_ * 3)
        ways = [(start, 30), (start, 60), (start - 30 * MINUTE, 60)]  # each overlaps each
        answers = at_once(*[partial(held, who, chen_open, *ways[n % 3]) for n, who in enumerate(people)])
        assert sum(isinstance(answer, Appointment) for answer in answers) == 1
        late = [answer for answer in answers if isinstance(answer, booking.SlotTaken)]
        assert len(late) == len(people) - 1, answers
        assert all(len(answer.next_free) == booking.ALTERNATIVES for answer in late)
    assert overlaps() == 0


def test_the_database_alone_lets_one_through(chen: User) -> None:
    """No lock, no looking first. PostgreSQL may end a circle of waiting, and one of it still wins."""
    people = crowd(8)
    answers = at_once(*[row(who, chen).save for who in people])
    refusals = (IntegrityError, OperationalError)
    assert [answer for answer in answers if not isinstance(answer, refusals)] == [None], answers
    assert Appointment.objects.count() == 1


def test_one_key_at_the_same_moment_books_once(alice: User, chen_open: Schedule) -> None:
    start = tomorrow()

    def ask() -> Appointment:
        return booking.once(
            user=alice, key="k", asked={"start": start}, make=lambda: booked(alice, chen_open, start)
        )

    answers = at_once(*[ask] * 6)
    assert {answer.pk for answer in answers} == {Appointment.objects.get().pk}, answers
    assert (IdempotencyKey.objects.count(), CareRelation.objects.count()) == (1, 1)


def test_a_person_who_clicks_twice_holds_one_time(
    alice: User, chen_open: Schedule, diaz_open: Schedule
) -> None:
    at_once(
        *[
            partial(held, alice, schedule, tomorrow(n))
            for n, schedule in enumerate([chen_open, diaz_open] * 3)
        ]
    )
    assert Appointment.objects.filter(status=Status.HELD).count() == 1


def test_releasing_and_booking_at_the_same_moment(alice: User, chen_open: Schedule) -> None:
    for round_ in range(5):
        mine = held(alice, chen_open, tomorrow(round_))
        first, second = fresh(mine), fresh(mine)
        visit, released = at_once(partial(booking.book, hold=first), partial(booking.release, hold=second))
        mine.refresh_from_db()
        if released is True:
            assert isinstance(visit, ValidationError)
            assert (visit.code, mine.status, mine.relation) == ("hold_ran_out", Status.EXPIRED, None)
        else:
            assert (released, visit.status, mine.status) == (False, Status.CONFIRMED, Status.CONFIRMED)
    check()


def test_a_doctor_suspended_while_somebody_books(alice: User, chen_open: Schedule, eve: User) -> None:
    """Either the booking is refused, or the suspension has seen the visit and flagged it."""
    application = fresh_application()
    for round_ in range(5):
        mine = held(alice, chen_open, tomorrow(round_))
        seen = application.events.order_by("-pk").first()
        assert seen
        visit, suspended = at_once(
            partial(booking.book, hold=mine),
            partial(
                verification.decide,
                application=fresh_application(),
                admin=eve,
                to=ApplicationStatus.SUSPENDED,
                reason="A complaint.",
                seen=seen.pk,
            ),
        )
        assert suspended is None, suspended
        mine.refresh_from_db()
        if isinstance(visit, Appointment):
            assert (mine.status, mine.flagged) == (Status.CONFIRMED, "doctor_stopped")
        else:
            assert (visit.code, mine.status, mine.flagged) == ("not_bookable", Status.HELD, "")
        verification._step(fresh_application(), ApplicationStatus.VERIFIED, by=eve)
        mine.refresh_from_db()
        assert mine.flagged == ""


def fresh_application() -> DoctorApplication:
    return DoctorApplication.objects.get()


def test_whatever_happens_at_once_nobody_waits_in_a_circle(chen: User, diaz: User) -> None:
    """Two doctors, three patients and the clock, all at the same visits: refusals are sentences."""
    schedules = [open_hours(chen, confirms_by_hand=True), open_hours(diaz)]
    people = crowd(3)
    for round_ in range(3):
        hours = 72 * round_
        visits = [
            booked(who, schedules[n % 2], tomorrow(hours + 2 * n))
            for n, who in enumerate([*people, *people[::-1]])
        ]
        calls: list[Callable[[], Any]] = [
            booking.expire_stale,
            partial(both_in_one, visits[0], tomorrow(hours + 23)),
            *[partial(held, who, schedules[1], tomorrow(hours + 20)) for who in people],
        ]
        for n, visit in enumerate(visits):
            start = tomorrow(hours + 2 * n + 1)
            calls += [
                partial(booking.confirm, appointment=fresh(visit), by=visit.doctor),
                partial(booking.reschedule, appointment=fresh(visit), by=visit.patient, start=start),
            ]
            if n % 2:
                calls.append(partial(booking.cancel, appointment=fresh(visit), by=visit.doctor, reason="No."))
        wrong = [
            answer
            for answer in at_once(*calls)
            if isinstance(answer, Exception) and not isinstance(answer, ValidationError | booking.SlotTaken)
        ]
        assert wrong == []
        check()


def both_in_one(visit: Appointment, start: datetime) -> None:
    """As the waiting list does: an offer is given back and the visit moves there, or neither."""
    with transaction.atomic():
        offer = booking.hold(patient=visit.patient, doctor=visit.doctor, start=start, length=30, offered=True)
        booking.release(hold=offer)
        booking.reschedule(appointment=fresh(visit), by=visit.patient, start=start)


def test_sharing_while_a_visit_ends(alice: User, chen_open: Schedule) -> None:
    """Both change what the doctor may open."""
    for round_ in range(3):
        visit = booked(alice, chen_open, tomorrow(round_))
        answers = at_once(
            partial(booking.cancel, appointment=visit, by=alice),
            partial(relations.share, patient=alice, doctor=chen_open.doctor),
        )
        assert [type(answer) for answer in answers] == [Appointment, CareRelation], answers


def test_a_doctor_who_clicks_twice_books_one_next_visit(alice: User, chen_open: Schedule) -> None:
    doctor = chen_open.doctor
    now = booked(alice, chen_open, first_free(chen_open))
    booking.check_in(appointment=now, by=doctor)
    clicks = [
        partial(booking.book_next, after=fresh(now), by=doctor, start=tomorrow(), length=30) for _ in range(4)
    ]
    answers = at_once(*clicks)
    assert {answer.pk for answer in answers} == {Appointment.objects.get(follows=now).pk}, answers
    assert CareRelation.objects.count() == 2
    check()


def test_a_doctor_and_another_patient_want_one_time(alice: User, bob: User, chen_open: Schedule) -> None:
    doctor = chen_open.doctor
    now = booked(alice, chen_open, first_free(chen_open))
    booking.check_in(appointment=now, by=doctor)
    for round_ in range(3):
        start = tomorrow(round_)
        answers = at_once(
            partial(booking.book_next, after=fresh(now), by=doctor, start=start, length=30),
            partial(held, bob, chen_open, start),
        )
        assert sum(isinstance(answer, Appointment) for answer in answers) == 1, answers
        assert sum(isinstance(answer, booking.SlotTaken) for answer in answers) == 1, answers


# One offer of the waiting list


@pytest.fixture(params=["a first visit", "an earlier one"])
def offered(request: pytest.FixtureRequest, alice: User, bob: User, chen_open: Schedule) -> Offered:
    """Makes an offer to Alice: of a time before her visit, or of one before all that was free."""
    # One time a day, from tomorrow on.
    WeeklyRule.objects.update(begins=12 * 60, ends=12 * 60 + 30, valid_from=tomorrow().date())
    Schedule.objects.update(time_zone="UTC")

    def offer() -> WaitlistEntry:
        first, second = tomorrow(), tomorrow(24)
        in_the_way = booked(bob, chen_open, first)
        own = booked(alice, chen_open, second) if request.param == "an earlier one" else None
        entry = waitlist.join(patient=alice, doctor=chen_open.doctor, length=30, appointment=own)
        booking.cancel(appointment=in_the_way, by=bob)
        entry.refresh_from_db()
        assert entry.status == WaitStatus.OFFERED
        return entry

    return offer


def same(entry: WaitlistEntry) -> WaitlistEntry:
    return WaitlistEntry.objects.get(pk=entry.pk)


@pytest.mark.parametrize("other", [waitlist.decline, waitlist.leave])
def test_an_offer_taken_and_given_back_at_once(offered: Offered, other: Callable[..., bool]) -> None:
    entry = offered()
    offer = entry.offer
    assert offer
    visit, given_back = at_once(partial(waitlist.take, entry=same(entry)), partial(other, entry=same(entry)))
    entry.refresh_from_db()
    there = Appointment.objects.occupying().filter(patient=entry.patient, start=offer.start)
    if isinstance(visit, Appointment):
        assert (given_back, entry.status) == (False, WaitStatus.TAKEN)
        assert [(one.pk, one.status) for one in there] == [(visit.pk, Status.CONFIRMED)]
    else:
        assert isinstance(visit, ValidationError), visit
        assert (visit.code, given_back) == ("offer_ended", True)
        assert entry.status == (WaitStatus.LEFT if other is waitlist.leave else WaitStatus.WAITING)
        assert not there.exists()
        assert fresh(offer).status == Status.EXPIRED
        if entry.appointment:
            assert fresh(entry.appointment).start == tomorrow(24)
    check()


def test_an_offer_taken_twice_at_once(offered: Offered) -> None:
    entry = offered()
    answers = at_once(*[partial(waitlist.take, entry=same(entry)) for _ in range(4)])
    [visit] = [answer for answer in answers if isinstance(answer, Appointment)]
    late = [answer for answer in answers if not isinstance(answer, Appointment)]
    assert [getattr(answer, "code", answer) for answer in late] == ["offer_ended"] * 3
    assert same(entry).status == WaitStatus.TAKEN
    mine = Appointment.objects.occupying().filter(patient=entry.patient)
    assert [(one.pk, one.start, one.status) for one in mine] == [(visit.pk, tomorrow(), Status.CONFIRMED)]
    check()
