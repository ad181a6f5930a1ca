"""A time is held, booked, moved and called off."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError
from django.utils import timezone

from accounts import verification
from accounts.models import ApplicationStatus, CareRelation, DoctorApplication, Role, User
from appointments import booking
from appointments.booking.times import first_come
from appointments.models import (
    Actor,
    Appointment,
    AppointmentEvent,
    IdempotencyKey,
    Schedule,
    ScheduleException,
    Status,
    WeeklyRule,
)
from appointments.signals import Happened, time_freed, visit_changed
from diagnosis.models import Analysis
from tests.appointments.conftest import first_free, open_hours

Visit = Callable[..., Appointment]
MONDAY = datetime(2030, 5, 6, 8, tzinfo=UTC)  # 10 in Zurich
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def _clock(request: pytest.FixtureRequest) -> Any:
    """A Monday morning; tests travel from there."""
    with time_machine.travel(MONDAY, tick=False) as clock:
        yield clock


@pytest.fixture
def clock(_clock: Any) -> Any:
    return _clock


@pytest.fixture
def told() -> Any:
    """What the rest of the app was told, in order."""
    heard: list[Happened] = []

    def hear(sender: Any, happened: Happened, **_: Any) -> None:
        heard.append(happened)

    visit_changed.connect(hear)
    yield heard
    visit_changed.disconnect(hear)


def code_of(error: ValidationError) -> str:
    """Also of a mistake in a field."""
    if hasattr(error, "error_dict"):
        return str(next(iter(error.error_dict.values()))[0].code)
    return str(error.code)


def refused(code: str, call: Callable[..., object], **asked: Any) -> str:
    """The sentence with which it was refused."""
    with pytest.raises(ValidationError) as caught:
        call(**asked)
    assert code_of(caught.value) == code
    return " ".join(caught.value.messages)


def in_force(patient: User) -> bool:
    return CareRelation.objects.in_force().filter(patient=patient).exists()


def suspend(doctor: User) -> DoctorApplication:
    application = DoctorApplication.objects.get(doctor=doctor)
    verification._step(application, ApplicationStatus.SUSPENDED, by=None, reason="A complaint.")
    return application


# Holding


def test_a_hold_becomes_a_visit_that_opens_the_record(alice: User, chen_open: Schedule) -> None:
    held = booking.hold(
        patient=alice, doctor=chen_open.doctor, start=first_free(chen_open, number=1), length=30
    )
    assert held.expires_at == MONDAY + 5 * MINUTE
    assert not CareRelation.objects.exists()
    visit = booking.book(hold=held, reason=" A spot ")
    assert (visit.status, visit.reason, visit.minutes) == (Status.CONFIRMED, "A spot", 30)
    assert in_force(alice)
    assert visit.relation
    assert visit.relation.until == visit.end + 90 * DAY
    assert [event.to_status for event in visit.events.all()] == [Status.HELD, Status.CONFIRMED]


def test_what_is_held_is_taken(alice: User, bob: User, chen_open: Schedule) -> None:
    start = first_free(chen_open)
    booking.hold(patient=alice, doctor=chen_open.doctor, start=start, length=30)
    with pytest.raises(booking.SlotTaken, match="just been taken") as caught:
        booking.hold(patient=bob, doctor=chen_open.doctor, start=start, length=60)
    assert len(caught.value.next_free) == booking.ALTERNATIVES
    assert start not in [slot.start for slot in caught.value.next_free]
    free = caught.value.next_free[0]
    assert booking.hold(patient=bob, doctor=chen_open.doctor, start=free.start, length=60).pk


def test_who_is_plainly_too_late_waits_for_nobody(
    alice: User, bob: User, chen_open: Schedule, django_assert_max_num_queries: Any
) -> None:
    start = first_free(chen_open, number=2)
    asked: dict[str, Any] = {"doctor": chen_open.doctor, "start": start, "length": 30}
    booking.hold(patient=alice, **asked)
    with django_assert_max_num_queries(8) as queries, pytest.raises(booking.SlotTaken):
        booking.hold(patient=bob, **asked)
    assert not [query for query in queries if "SAVEPOINT" in query["sql"]]  # no transaction was begun
    assert booking.hold(patient=alice, **asked).status == Status.HELD  # what she holds is hers to take anew


def test_a_person_holds_one_time(alice: User, bob: User, chen_open: Schedule, diaz_open: Schedule) -> None:
    start = first_free(chen_open, number=3)
    first = booking.hold(patient=alice, doctor=chen_open.doctor, start=start, length=30)
    second = booking.hold(patient=alice, doctor=diaz_open.doctor, start=start, length=30)
    first.refresh_from_db()
    assert (first.status, first.events.last().note) == (Status.EXPIRED, "released")  # type: ignore[union-attr]
    third = booking.hold(patient=alice, doctor=diaz_open.doctor, start=start + 30 * MINUTE, length=30)
    assert booking.hold(patient=bob, doctor=chen_open.doctor, start=start, length=30).pk
    assert [held.pk for held in Appointment.objects.filter(patient=alice, status=Status.HELD)] == [third.pk]
    assert second.pk != third.pk


def test_a_hold_that_could_not_be_had_costs_nothing(alice: User, bob: User, chen_open: Schedule) -> None:
    start = first_free(chen_open, number=3)
    booking.hold(patient=bob, doctor=chen_open.doctor, start=start, length=30)
    mine = booking.hold(patient=alice, doctor=chen_open.doctor, start=start + HOUR, length=30)
    with pytest.raises(booking.SlotTaken):
        booking.hold(patient=alice, doctor=chen_open.doctor, start=start, length=30)
    mine.refresh_from_db()
    assert mine.status == Status.HELD


def test_an_offer_lies_beside_what_a_person_holds(alice: User, chen_open: Schedule) -> None:
    start = first_free(chen_open, number=3)
    mine = booking.hold(patient=alice, doctor=chen_open.doctor, start=start + HOUR, length=30)
    offer = booking.hold(patient=alice, doctor=chen_open.doctor, start=start, length=30, offered=True)
    mine.refresh_from_db()
    assert (mine.status, offer.status, offer.expires_at) == (Status.HELD, Status.HELD, MONDAY + 30 * MINUTE)
    event = offer.events.get()
    assert (event.by, event.actor) == (None, Actor.CLOCK)
    assert booking.book(hold=offer).status == Status.CONFIRMED


@pytest.mark.parametrize(
    ("code", "terms", "begins", "length", "words"),
    [
        ("past", {}, -HOUR, 30, "lies in the past"),
        ("notice", {"notice_hours": 4}, 3 * HOUR, 30, "needs more notice"),
        ("horizon", {"horizon_days": 7}, 8 * DAY, 30, "that far ahead"),
        ("length", {}, 3 * HOUR, 45, "no visits of this length"),
        ("not_offered", {}, 3 * HOUR + MINUTE, 30, "no visits at this time"),
        ("not_offered", {"begins": 540, "ends": 600}, 3 * HOUR, 30, "no visits at this time"),
    ],
)
def test_what_is_no_free_time_is_refused(
    *, alice: User, chen: User, code: str, terms: Any, begins: timedelta, length: int, words: str
) -> None:
    open_hours(chen, **terms)
    said = refused(code, booking.hold, patient=alice, doctor=chen, start=MONDAY + begins, length=length)
    assert words in said
    assert not Appointment.objects.exists()


def test_who_cannot_be_booked_and_who_cannot_book(
    alice: User, chen: User, diaz: User, frey: User, chen_open: Schedule
) -> None:
    asked: dict[str, Any] = {"start": MONDAY + HOUR, "length": 30}
    open_hours(frey)
    assert "with yourself" in refused("oneself", booking.hold, patient=chen, doctor=chen, **asked)
    assert "Only patients" in refused("not_a_patient", booking.hold, patient=diaz, doctor=chen, **asked)
    unverified = refused("not_bookable", booking.hold, patient=alice, doctor=frey, **asked)
    assert "cannot be booked at present" in unverified
    refused("not_bookable", booking.hold, patient=alice, doctor=diaz, **asked)  # has said no hours
    nobody = User(role=Role.DOCTOR)
    refused("not_bookable", booking.hold, patient=alice, doctor=nobody, **asked)
    suspend(chen)
    refused("not_bookable", booking.hold, patient=alice, doctor=chen, **asked)


def test_what_was_read_before_counts_for_nothing(alice: User, chen_open: Schedule) -> None:
    """The account was switched off since the request began."""
    User.objects.filter(pk=alice.pk).update(is_active=False)
    asked: dict[str, Any] = {"start": MONDAY + HOUR, "length": 30}
    refused("not_a_patient", booking.hold, patient=alice, doctor=chen_open.doctor, **asked)
    User.objects.update(is_active=True)
    User.objects.filter(pk=chen_open.doctor.pk).update(is_active=False)
    refused("not_bookable", booking.hold, patient=alice, doctor=chen_open.doctor, **asked)


def test_a_patient_is_not_at_two_places(alice: User, visit: Visit, diaz_open: Schedule) -> None:
    booked = visit(alice)
    asked: dict[str, Any] = {"start": booked.start, "length": 60}
    assert "another visit" in refused(
        "patient_busy", booking.hold, patient=alice, doctor=diaz_open.doctor, **asked
    )


def test_stale_holds_and_requests_make_way(
    alice: User, bob: User, chen: User, diaz_open: Schedule, clock: Any
) -> None:
    schedule = open_hours(chen, confirms_by_hand=True)
    start = first_free(schedule, number=100)
    request = booking.book(hold=booking.hold(patient=alice, doctor=chen, start=start, length=30))
    held = booking.hold(patient=alice, doctor=diaz_open.doctor, start=start + HOUR, length=30)
    clock.shift(25 * HOUR)
    mine = booking.hold(patient=bob, doctor=chen, start=start, length=60)
    other = booking.hold(patient=alice, doctor=chen, start=start + HOUR, length=30)
    request.refresh_from_db()
    held.refresh_from_db()
    assert (request.status, held.status) == (Status.EXPIRED, Status.EXPIRED)
    assert not in_force(alice)
    assert mine.pk
    assert other.pk


def test_buffers_are_frozen(alice: User, bob: User, chen: User) -> None:
    schedule = open_hours(chen, buffer_before=15, buffer_after=30)
    start = first_free(schedule, number=4)
    held = booking.hold(patient=alice, doctor=chen, start=start, length=30)
    assert (held.blocked_from, held.blocked_until) == (start - 15 * MINUTE, start + HOUR)
    Schedule.objects.update(buffer_before=0, buffer_after=0)
    with pytest.raises(booking.SlotTaken):
        booking.hold(patient=bob, doctor=chen, start=start + 30 * MINUTE, length=30)
    assert booking.hold(patient=bob, doctor=chen, start=start + HOUR, length=30).pk


def test_the_limit_of_a_day_counts_holds(alice: User, bob: User, chen: User) -> None:
    open_hours(chen, visits_a_day=1)
    booking.hold(patient=alice, doctor=chen, start=MONDAY + HOUR, length=30)
    with pytest.raises(booking.SlotTaken) as caught:
        booking.hold(patient=bob, doctor=chen, start=MONDAY + 5 * HOUR, length=30)
    assert caught.value.next_free[0].start == datetime(2030, 5, 6, 22, tzinfo=UTC)  # midnight in Zurich


def test_the_limit_of_a_day_of_25_hours(alice: User, bob: User, chen: User, clock: Any) -> None:
    """From the first minute of the longest day to its last there are more than 24 hours."""
    clock.move_to(datetime(2030, 10, 26, 8, tzinfo=UTC))
    open_hours(chen, visits_a_day=1)
    last = datetime(2030, 10, 27, 22, 30, tzinfo=UTC)  # 23:30 in Zurich
    booking.book(hold=booking.hold(patient=alice, doctor=chen, start=last, length=30))
    with pytest.raises(booking.SlotTaken):
        booking.hold(patient=bob, doctor=chen, start=datetime(2030, 10, 26, 22, tzinfo=UTC), length=30)


def test_urgent_cases_get_what_is_kept_for_them(alice: User, bob: User, chen: User) -> None:
    schedule = open_hours(chen)
    WeeklyRule.objects.update(for_urgent=True)
    start = MONDAY + 3 * DAY
    asked: dict[str, Any] = {"doctor": chen, "start": start, "length": 30}
    refused("not_offered", booking.hold, patient=bob, **asked)
    held = booking.hold(patient=alice, urgent=True, **asked)
    assert booking.book(hold=held).urgent
    with pytest.raises(booking.SlotTaken) as caught:
        booking.hold(patient=bob, urgent=True, **asked)
    assert caught.value.next_free
    assert schedule.doctor == chen


def test_a_visit_follows_from_one_of_the_same_two(alice: User, bob: User, chen: User, visit: Visit) -> None:
    before = visit(alice)
    asked: dict[str, Any] = {"doctor": chen, "start": MONDAY + DAY, "length": 30, "follows": before}
    refused("not_yours", booking.hold, patient=bob, **asked)
    assert booking.hold(patient=alice, **asked).follows == before


# Booking


def test_a_hold_whose_time_ran_out_is_told(alice: User, chen_open: Schedule, clock: Any) -> None:
    held = booking.hold(patient=alice, doctor=chen_open.doctor, start=MONDAY + HOUR, length=30)
    clock.shift(5 * MINUTE)
    assert "ran out" in refused("hold_ran_out", booking.book, hold=held)
    assert not CareRelation.objects.exists()
    assert booking.expire_stale() == 1
    refused("hold_ran_out", booking.book, hold=held)
    released = booking.hold(patient=alice, doctor=chen_open.doctor, start=MONDAY + HOUR, length=30)
    stale = Appointment.objects.get(pk=released.pk)
    assert booking.release(hold=released)
    refused("hold_ran_out", booking.book, hold=stale)


def test_booking_twice_is_told(alice: User, chen_open: Schedule) -> None:
    held = booking.hold(patient=alice, doctor=chen_open.doctor, start=MONDAY + HOUR, length=30)
    again = Appointment.objects.get(pk=held.pk)
    booking.book(hold=held)
    assert "already" in refused("booked", booking.book, hold=again)
    assert CareRelation.objects.count() == 1


def test_what_is_booked_is_not_released(alice: User, chen_open: Schedule) -> None:
    held = booking.hold(patient=alice, doctor=chen_open.doctor, start=MONDAY + HOUR, length=30)
    seen_before = Appointment.objects.get(pk=held.pk)
    booking.book(hold=held)
    assert not booking.release(hold=seen_before)
    held.refresh_from_db()
    assert held.status == Status.CONFIRMED


def test_a_doctor_suspended_between_hold_and_booking(alice: User, chen: User, chen_open: Schedule) -> None:
    held = booking.hold(patient=alice, doctor=chen, start=MONDAY + HOUR, length=30)
    suspend(chen)
    refused("not_bookable", booking.book, hold=held)
    assert not CareRelation.objects.exists()


def test_hours_that_the_doctor_took_back_are_not_booked(
    alice: User, chen: User, chen_open: Schedule, clock: Any
) -> None:
    held = booking.hold(patient=alice, doctor=chen, start=MONDAY + HOUR, length=30)
    day = MONDAY.date()
    off = ScheduleException.objects.create(
        schedule=chen_open, kind="off", first_day=day, last_day=day, begins=0, ends=1440
    )
    refused("not_offered", booking.book, hold=held)
    off.delete()
    WeeklyRule.objects.update(place="video")
    refused("not_offered", booking.book, hold=held)
    WeeklyRule.objects.update(place="clinic")
    assert booking.book(hold=held).pk


def test_what_was_held_in_time_is_booked_though_the_notice_has_begun(
    alice: User, chen: User, clock: Any
) -> None:
    open_hours(chen, notice_hours=2)
    held = booking.hold(patient=alice, doctor=chen, start=MONDAY + 2 * HOUR, length=30)
    clock.shift(4 * MINUTE)
    assert booking.book(hold=held).status == Status.CONFIRMED


def test_a_time_that_has_begun_is_not_booked(
    alice: User, chen: User, chen_open: Schedule, clock: Any
) -> None:
    clock.move_to(MONDAY + 28 * MINUTE)
    held = booking.hold(patient=alice, doctor=chen, start=MONDAY + 30 * MINUTE, length=30)
    clock.shift(3 * MINUTE)
    refused("past", booking.book, hold=held)


def test_only_ones_own_analyses_are_attached(
    alice: User, bob: User, chen_open: Schedule, submit: Callable[..., Analysis]
) -> None:
    mine, his = submit(alice), submit(bob, seed=1)
    held = booking.hold(patient=alice, doctor=chen_open.doctor, start=MONDAY + HOUR, length=30)
    for wrong in (his.public_id, uuid4()):
        said = refused("not_yours", booking.book, hold=held, analyses=[mine.public_id, wrong])
        assert "not yours" in said
    booked = booking.book(hold=held, analyses=[mine.public_id, mine.public_id])
    assert [row.analysis for row in booked.attached.all()] == [mine]


def test_words_have_a_limit(alice: User, chen: User, visit: Visit, chen_open: Schedule) -> None:
    held = booking.hold(patient=alice, doctor=chen, start=MONDAY + HOUR, length=30)
    assert "1000" in refused("too_long", booking.book, hold=held, reason="x" * 1001)
    booked = booking.book(hold=held, reason="x" * 1000)
    refused("too_long", booking.cancel, appointment=booked, by=chen, reason="x" * 1001)
    booking.cancel(appointment=booked, by=chen, reason=f" {'x' * 1000} ")


# Requests


@pytest.mark.parametrize(
    ("notice", "ahead", "lasts"),
    [(12, 10 * DAY, DAY), (12, 30 * HOUR, 18 * HOUR), (2, 3 * HOUR, HOUR), (3, 3 * HOUR, MINUTE)],
)
def test_a_request_ends_after_a_day_or_at_the_notice(
    *,
    alice: User,
    chen: User,
    clock: Any,
    told: list[Happened],
    notice: int,
    ahead: timedelta,
    lasts: timedelta,
) -> None:
    open_hours(chen, notice_hours=notice, confirms_by_hand=True)
    held = booking.hold(patient=alice, doctor=chen, start=MONDAY + ahead, length=30)
    request = booking.book(hold=held)
    assert (request.status, request.expires_at) == (Status.REQUESTED, MONDAY + lasts)
    assert in_force(alice)
    clock.move_to(MONDAY + lasts - timedelta(seconds=1))
    assert booking.expire_stale() == 0
    clock.move_to(MONDAY + lasts)
    for call in (booking.confirm, booking.cancel):
        assert "not answered in time" in refused("ended", call, appointment=request, by=chen)
    refused("ended", booking.decline, appointment=request, by=chen, reason="Full.")
    refused("ended", booking.reschedule, appointment=request, by=alice, start=MONDAY + 5 * DAY)
    assert booking.expire_stale() == 1
    request.refresh_from_db()
    assert (request.status, request.sequence, in_force(alice)) == (Status.EXPIRED, 1, False)
    assert told == [Happened.REQUESTED, Happened.EXPIRED]
    assert booking.expire_stale() == 0


def test_a_doctor_answers_a_request(alice: User, bob: User, chen: User, told: list[Happened]) -> None:
    open_hours(chen, confirms_by_hand=True)
    mine, his = (
        booking.book(hold=booking.hold(patient=who, doctor=chen, start=MONDAY + DAY + lag, length=30))
        for who, lag in ((alice, HOUR), (bob, 2 * HOUR))
    )
    assert "Say why" in refused("reason", booking.decline, appointment=his, by=chen, reason=" ")
    booking.confirm(appointment=mine, by=chen)
    booking.cancel(appointment=his, by=chen, reason="I am away.")
    assert (mine.status, mine.expires_at, in_force(alice)) == (Status.CONFIRMED, None, True)
    assert (his.status, his.ended_because, in_force(bob)) == (Status.DECLINED, "I am away.", False)
    refused("wrong_state", booking.confirm, appointment=mine, by=chen)
    refused("wrong_state", booking.decline, appointment=mine, by=chen, reason="No.")
    assert told[2:] == [Happened.CONFIRMED, Happened.DECLINED]


def test_a_suspended_doctor_takes_nobody_on(alice: User, chen: User, clock: Any) -> None:
    open_hours(chen, confirms_by_hand=True)
    request = booking.book(hold=booking.hold(patient=alice, doctor=chen, start=MONDAY + DAY, length=30))
    suspend(chen)
    refused("not_verified", booking.confirm, appointment=request, by=chen)
    booking.decline(appointment=request, by=chen, reason="I cannot see you at present.")


def test_only_the_two_change_a_visit(alice: User, bob: User, chen: User, diaz: User, visit: Visit) -> None:
    booked = visit(alice)
    for who in (bob, diaz):
        with pytest.raises(PermissionDenied):
            booking.cancel(appointment=booked, by=who, reason="Mine now.")
        with pytest.raises(PermissionDenied):
            booking.reschedule(appointment=booked, by=who, start=MONDAY + DAY)
    for by_doctor in (booking.confirm, booking.check_in, booking.complete, booking.no_show):
        for who in (alice, diaz):
            with pytest.raises(PermissionDenied):
                by_doctor(appointment=booked, by=who)
    with pytest.raises(PermissionDenied):
        booking.decline(appointment=booked, by=alice, reason="No.")


# Calling off


def test_calling_off_twice_is_told(alice: User, visit: Visit) -> None:
    booked = visit(alice)
    seen_before = Appointment.objects.get(pk=booked.pk)
    booking.cancel(appointment=booked, by=alice)
    assert not in_force(alice)
    for again in (booked, seen_before):
        with pytest.raises(ValidationError, match="Cancelled by the patient"):
            booking.cancel(appointment=again, by=alice)
    assert booked.sequence == 1


@pytest.mark.parametrize(("before", "late"), [(24 * HOUR, False), (24 * HOUR - MINUTE, True), (MINUTE, True)])
def test_calling_off_late_is_marked(
    *, alice: User, bob: User, chen: User, chen_open: Schedule, clock: Any, before: timedelta, late: bool
) -> None:
    start = MONDAY + 3 * DAY
    mine = booking.book(hold=booking.hold(patient=alice, doctor=chen, start=start, length=30))
    theirs = booking.book(hold=booking.hold(patient=bob, doctor=chen, start=start + HOUR, length=30))
    clock.move_to(start - before)
    booking.cancel(appointment=mine, by=alice, reason="I am well.")
    booking.cancel(appointment=theirs, by=chen, reason="I am ill.")
    assert (mine.late, mine.ended_because) == (late, "I am well.")
    assert not theirs.late
    assert (mine.status, theirs.status) == (Status.CANCELLED_BY_PATIENT, Status.CANCELLED_BY_DOCTOR)


def test_a_request_is_never_called_off_late(alice: User, chen: User) -> None:
    open_hours(chen, confirms_by_hand=True)
    request = booking.book(hold=booking.hold(patient=alice, doctor=chen, start=MONDAY + HOUR, length=30))
    assert not booking.cancel(appointment=request, by=alice).late


def test_what_has_begun_is_neither_called_off_nor_moved(
    alice: User, chen: User, visit: Visit, clock: Any
) -> None:
    booked = visit(alice)
    clock.move_to(booked.start)
    for who in (alice, chen):
        assert "has begun" in refused("begun", booking.cancel, appointment=booked, by=who, reason="No.")
        refused("begun", booking.reschedule, appointment=booked, by=who, start=MONDAY + DAY)


def test_a_hold_that_is_called_off_is_released(alice: User, chen_open: Schedule) -> None:
    held = booking.hold(patient=alice, doctor=chen_open.doctor, start=MONDAY + HOUR, length=30)
    assert booking.cancel(appointment=held, by=alice).status == Status.EXPIRED


def test_free_time_is_told_after_the_commit(
    alice: User, chen: User, visit: Visit, django_capture_on_commit_callbacks: Any
) -> None:
    doctors: list[int] = []

    def hear(sender: Any, doctor_id: int, **_: Any) -> None:
        doctors.append(doctor_id)
        raise RuntimeError("What waits for time may fail.")

    booked = visit(alice)
    time_freed.connect(hear)
    try:
        with django_capture_on_commit_callbacks() as callbacks:
            booking.cancel(appointment=booked, by=alice)
        assert not doctors
        for callback in callbacks:
            with suppress(RuntimeError):  # others send mails
                callback()
    finally:
        time_freed.disconnect(hear)
    assert doctors == [chen.pk]


# Moving


def test_a_visit_moves_onto_a_time_that_overlaps_its_own(alice: User, visit: Visit) -> None:
    booked = visit(alice)
    before, identity = booked.start, (booked.pk, booked.public_id)
    moved = booking.reschedule(appointment=booked, by=alice, start=before, length=60)
    assert (moved.start, moved.minutes, moved.sequence) == (before, 60, 1)
    assert (moved.pk, moved.public_id) == identity
    moved = booking.reschedule(appointment=moved, by=alice, start=before + 30 * MINUTE, length=60)
    event = moved.events.last()
    assert event
    assert (event.from_status, event.to_status, event.start_before) == ("confirmed", "confirmed", before)
    assert moved.relation
    assert moved.relation.until == moved.end + 90 * DAY


def test_the_old_time_is_kept_until_the_new_one_is_sure(
    alice: User, bob: User, chen: User, visit: Visit, told: list[Happened]
) -> None:
    mine, his = visit(alice), visit(bob, 8)
    told.clear()
    old = (mine.start, mine.end, mine.sequence)
    with pytest.raises(booking.SlotTaken) as caught:
        booking.reschedule(appointment=mine, by=alice, start=his.start)
    assert len(caught.value.next_free) == booking.ALTERNATIVES
    refused("not_offered", booking.reschedule, appointment=mine, by=alice, start=mine.start + MINUTE)
    assert "already" in refused("same_time", booking.reschedule, appointment=mine, by=alice, start=mine.start)
    mine.refresh_from_db()
    assert ((mine.start, mine.end, mine.sequence), told) == (old, [])


def test_a_patient_who_moves_asks_anew_where_the_doctor_confirms(
    alice: User, chen: User, visit: Visit
) -> None:
    booked = visit(alice)
    Schedule.objects.update(confirms_by_hand=True)
    booking.reschedule(appointment=booked, by=chen, start=MONDAY + 2 * DAY)
    assert booked.status == Status.CONFIRMED
    booking.reschedule(appointment=booked, by=alice, start=MONDAY + 3 * DAY)
    assert (booked.status, booked.expires_at, in_force(alice)) == (Status.REQUESTED, MONDAY + DAY, True)
    booking.confirm(appointment=booked, by=chen)
    assert booked.status == Status.CONFIRMED


def test_a_visit_moves_only_where_the_patient_is_free(
    alice: User, chen: User, visit: Visit, diaz_open: Schedule
) -> None:
    booked = visit(alice)
    start = booked.start + 2 * HOUR
    booking.book(hold=booking.hold(patient=alice, doctor=diaz_open.doctor, start=start, length=30))
    refused("patient_busy", booking.reschedule, appointment=booked, by=chen, start=start)


def test_a_visit_with_a_doctor_who_stopped_stays_where_it_is(alice: User, chen: User, visit: Visit) -> None:
    booked = visit(alice)
    suspend(chen)
    refused("not_bookable", booking.reschedule, appointment=booked, by=alice, start=MONDAY + DAY)


# The visit


def test_a_visit_takes_place(alice: User, chen: User, visit: Visit, clock: Any) -> None:
    booked = visit(alice)
    assert "within the next hour" in refused("too_early", booking.check_in, appointment=booked, by=chen)
    for early in (booking.complete, booking.no_show):
        assert "not begun" in refused("not_begun", early, appointment=booked, by=chen)
    clock.move_to(booked.start - HOUR)
    booking.check_in(appointment=booked, by=chen)
    refused("wrong_state", booking.cancel, appointment=booked, by=alice)
    clock.move_to(booked.start)
    booking.complete(appointment=booked, by=chen)
    assert booked.relation
    assert booked.relation.until == timezone.now() + 90 * DAY
    for over in (booking.complete, booking.no_show, booking.check_in):
        refused("wrong_state", over, appointment=booked, by=chen)
    clock.shift(90 * DAY)
    assert not in_force(alice)


def test_who_is_not_checked_in_has_not_been_seen(alice: User, chen: User, visit: Visit, clock: Any) -> None:
    booked = visit(alice)
    clock.move_to(booked.end)
    refused("wrong_state", booking.complete, appointment=booked, by=chen)
    booking.no_show(appointment=booked, by=chen)
    assert not in_force(alice)


def test_late_paperwork_does_not_open_a_record_again(
    alice: User, chen: User, visit: Visit, clock: Any
) -> None:
    booked = visit(alice)
    clock.move_to(booked.end + 91 * DAY)
    booking.check_in(appointment=booked, by=chen)
    booking.complete(appointment=booked, by=chen)
    assert not in_force(alice)


# Time passes, people leave


def test_one_that_cannot_be_ended_stops_no_other(
    alice: User, bob: User, chen_open: Schedule, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, who in enumerate((alice, bob)):
        start = MONDAY + (number + 1) * HOUR
        booking.hold(patient=who, doctor=chen_open.doctor, start=start, length=30)
    clock.shift(HOUR)
    move = Appointment.move

    def fails_for_alice(self: Appointment, *args: Any, **options: Any) -> bool:
        if self.patient_id == alice.pk:
            raise RuntimeError
        return move(self, *args, **options)

    monkeypatch.setattr(Appointment, "move", fails_for_alice)
    assert booking.expire_stale() == 1
    assert Appointment.objects.get(status=Status.HELD).patient == alice


def test_visits_of_a_doctor_who_stops_are_flagged_until_the_doctor_is_back(
    *, alice: User, bob: User, chen: User, eve: User, visit: Visit, told: list[Happened]
) -> None:
    coming, called_off = visit(alice), visit(bob, 8)
    booking.cancel(appointment=called_off, by=bob)
    told.clear()
    application = suspend(chen)
    coming.refresh_from_db()
    called_off.refresh_from_db()
    assert (coming.flagged, called_off.flagged, told) == ("doctor_stopped", "", [Happened.FLAGGED])
    assert booking.flag_coming(chen) == 0
    verification._step(application, ApplicationStatus.VERIFIED, by=eve)
    coming.refresh_from_db()
    assert (coming.flagged, told) == ("", [Happened.FLAGGED, Happened.UNFLAGGED])
    assert booking.unflag_coming(chen) == 0


def test_an_account_switched_off_and_on_flags_as_well(
    alice: User, chen: User, eve: User, visit: Visit, browse: Callable[[User], Any]
) -> None:
    booked = visit(alice)
    page = f"/admin/accounts/user/{chen.pk}/change/"
    for switched, flagged in (({}, "doctor_stopped"), ({"is_active": "on"}, "")):
        answer = browse(eve).post(page, {"name": chen.name, "role": "doctor", **switched})
        assert answer.status_code == 302
        booked.refresh_from_db()
        assert booked.flagged == flagged


def test_everything_of_somebody_who_leaves_is_called_off(
    *, alice: User, bob: User, chen: User, diaz_open: Schedule, visit: Visit, clock: Any
) -> None:
    past = visit(alice, 2)
    clock.move_to(past.end + HOUR)
    coming, his = visit(alice, 8), visit(bob, 12)
    held = booking.hold(patient=alice, doctor=diaz_open.doctor, start=MONDAY + 3 * DAY, length=30)
    assert booking.end_all(person=alice, why="erased") == 2
    assert [Appointment.objects.get(pk=row.pk).status for row in (past, coming, his, held)] == [
        Status.CONFIRMED,
        Status.CANCELLED_BY_PATIENT,
        Status.CONFIRMED,
        Status.EXPIRED,
    ]
    Schedule.objects.update(confirms_by_hand=True)
    request = visit(alice, 20)
    assert booking.end_all(person=chen, why="erased") == 2
    request.refresh_from_db()
    his.refresh_from_db()
    assert (his.status, request.status) == (Status.CANCELLED_BY_DOCTOR, Status.EXPIRED)
    assert not in_force(bob)


# Sent twice


def test_the_same_key_books_once(alice: User, bob: User, chen_open: Schedule) -> None:
    asked: dict[str, Any] = {"start": MONDAY + HOUR, "length": 30}

    def make(patient: User = alice) -> Appointment:
        return booking.book(hold=booking.hold(patient=patient, doctor=chen_open.doctor, **asked))

    first = booking.once(user=alice, key="k", asked=asked, make=make)
    assert booking.once(user=alice, key="k", asked=dict(reversed(asked.items())), make=make) == first
    other = asked | {"length": 60}
    said = refused("idempotency_mismatch", booking.once, user=alice, key="k", asked=other, make=make)
    assert "another request" in said
    asked["start"] += HOUR
    assert booking.once(user=bob, key="k", asked=asked, make=lambda: make(bob)) != first
    assert Appointment.objects.count() == 2


def test_what_failed_may_be_tried_again(alice: User, bob: User, chen_open: Schedule) -> None:
    asked: dict[str, Any] = {"start": MONDAY + HOUR, "length": 30}
    his = booking.hold(patient=bob, doctor=chen_open.doctor, **asked)

    def make() -> Appointment:
        return booking.hold(patient=alice, doctor=chen_open.doctor, **asked)

    with pytest.raises(booking.SlotTaken):
        booking.once(user=alice, key="k", asked=asked, make=make)
    booking.release(hold=his)
    assert booking.once(user=alice, key="k", asked=asked, make=make).patient == alice


def test_a_request_that_came_in_between_was_first(alice: User, chen_open: Schedule) -> None:
    """As if the same request had been answered by another process after this one looked for the key."""
    asked: dict[str, Any] = {"start": MONDAY + HOUR, "length": 30}

    def make() -> Appointment:
        return booking.book(hold=booking.hold(patient=alice, doctor=chen_open.doctor, **asked))

    def make_late() -> Appointment:
        booking.once(user=alice, key="k", asked=asked, make=make)
        return make()

    with pytest.raises(ValidationError):  # all in one transaction here, so the other one is gone with it
        booking.once(user=alice, key="k", asked=asked, make=make_late)
    assert not Appointment.objects.exists()


def test_without_a_key_each_request_is_new(alice: User, chen_open: Schedule) -> None:
    number = iter(range(1, 9))

    def make() -> Appointment:
        start = MONDAY + next(number) * HOUR
        return booking.hold(patient=alice, doctor=chen_open.doctor, start=start, length=30)

    assert booking.once(user=alice, key="", asked={}, make=make) != booking.once(
        user=alice, key="", asked={}, make=make
    )
    assert "200" in refused("idempotency_key", booking.once, user=alice, key="k" * 201, asked={}, make=make)


def test_old_keys_are_forgotten(alice: User, chen_open: Schedule, clock: Any) -> None:
    def make() -> Appointment:
        return booking.hold(patient=alice, doctor=chen_open.doctor, start=MONDAY + HOUR, length=30)

    booking.once(user=alice, key="k", asked={}, make=make)
    clock.shift(6 * DAY)
    assert booking.forget_keys() == 0
    clock.shift(2 * DAY)
    assert booking.forget_keys() == 1
    assert not IdempotencyKey.objects.exists()


def test_every_step_has_its_event(alice: User, chen: User, visit: Visit, clock: Any) -> None:
    booked = visit(alice)
    booking.reschedule(appointment=booked, by=chen, start=MONDAY + DAY)
    clock.move_to(booked.start)
    booking.check_in(appointment=booked, by=chen)
    booking.complete(appointment=booked, by=chen)
    events = AppointmentEvent.objects.filter(appointment=booked).order_by("pk")
    assert [(event.to_status, event.by, event.actor) for event in events] == [
        ("held", alice, "patient"),
        ("confirmed", alice, "patient"),
        ("confirmed", chen, "doctor"),
        ("checked_in", chen, "doctor"),
        ("completed", chen, "doctor"),
    ]


def test_what_the_database_alone_refuses_is_a_sentence(
    alice: User, bob: User, visit: Visit, diaz_open: Schedule
) -> None:
    """Nobody gets that far past the locks; if somebody does, it is still no error of ours."""
    mine, his = visit(alice), visit(bob, 8)
    asked: dict[str, Any] = {"doctor": mine.doctor_id, "length": 30, "urgent": False}
    times = {name: getattr(mine, name) for name in ("start", "end", "blocked_from", "blocked_until")}
    rows = Appointment.objects.filter(pk=his.pk)
    with pytest.raises(booking.SlotTaken), first_come(**asked):
        rows.update(**times)
    with pytest.raises(ValidationError, match="another visit"), first_come(**asked):
        rows.update(**times, doctor=diaz_open.doctor, patient=alice)
    with pytest.raises(IntegrityError), first_come(**asked):
        rows.update(place="moon")
