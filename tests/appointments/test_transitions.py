"""Whatever the two and the clock do, in whatever order: the rows stay true."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.models import CareRelation, Role, User
from appointments import booking
from appointments.models import (
    BEGINNINGS,
    BOOKED,
    OCCUPYING,
    PASSING,
    TRANSITIONS,
    Actor,
    Appointment,
    AppointmentEvent,
    Schedule,
    Status,
)
from tests.appointments.conftest import open_hours
from tests.appointments.test_constraints import row
from tests.conftest import make_doctor, make_user

MONDAY = datetime(2030, 5, 6, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
REFUSALS = (ValidationError, booking.SlotTaken, PermissionDenied)
MOVES: dict[str, Callable[..., object]] = {
    "confirm": lambda visit, who: booking.confirm(appointment=visit, by=who),
    "decline": lambda visit, who: booking.decline(appointment=visit, by=who, reason="No."),
    "cancel": lambda visit, who: booking.cancel(appointment=visit, by=who, reason="No."),
    "check_in": lambda visit, who: booking.check_in(appointment=visit, by=who),
    "complete": lambda visit, who: booking.complete(appointment=visit, by=who),
    "no_show": lambda visit, who: booking.no_show(appointment=visit, by=who),
    "release": lambda visit, who: booking.release(hold=visit),
    "book": lambda visit, who: booking.book(hold=visit, reason="A spot."),
    "book_next": lambda visit, who: booking.book_next(
        after=visit, by=who, start=visit.start + timedelta(hours=2), length=30
    ),
}

DOCTOR, PATIENT = 0, 1
LIKELY: dict[Status, list[tuple[str, int]]] = {
    Status.HELD: [("book", PATIENT)],
    Status.REQUESTED: [("confirm", DOCTOR), ("confirm", DOCTOR), ("decline", DOCTOR), ("cancel", PATIENT)],
    Status.CONFIRMED: [("check_in", DOCTOR), ("check_in", DOCTOR), ("cancel", DOCTOR), ("no_show", DOCTOR)],
    Status.CHECKED_IN: [
        ("complete", DOCTOR),
        ("complete", DOCTOR),
        ("no_show", DOCTOR),
        ("book_next", DOCTOR),
    ],
    Status.COMPLETED: [("book_next", DOCTOR)],
}
# People and visits (the newest is 0) by number; beginnings in half hours from now; waiting in minutes.
two, three, ahead = st.integers(0, 1), st.sampled_from([0, 0, 1, 2]), st.integers(0, 4)
time = st.tuples(two, two, ahead, st.sampled_from([30, 60]))
act = st.tuples(st.sampled_from(list(MOVES)), three, st.sampled_from([0, 0, 1, 2]))
step = st.one_of(
    st.tuples(st.just("hold"), time),
    st.tuples(st.just("take"), time),
    st.tuples(st.just("take"), time),
    st.tuples(st.just("act"), act),
    *[st.tuples(st.just("go_on"), st.tuples(three, st.integers(0, 3)))] * 4,
    st.tuples(st.just("move"), st.tuples(three, three, ahead, st.sampled_from([None, 30, 60]))),
    st.tuples(st.just("wait"), st.tuples(st.sampled_from([1, 6, 30, 61, 60 * 25, 60 * 24 * 91]))),
    st.tuples(st.just("sweep"), st.just(())),
    st.tuples(st.just("by_hand"), st.tuples(st.booleans())),
)


def test_the_table_leads_from_everywhere_to_an_end() -> None:
    assert set(TRANSITIONS) == set(Status)
    for source, ways in TRANSITIONS.items():
        assert source not in ways
        assert all(who and who <= set(Actor) for who in ways.values())
        assert Status.HELD not in ways
        # A visit never comes back from where it has ended.
        assert bool(ways) == (source in (Status.HELD, *BOOKED))


def test_what_the_table_of_beginnings_does_not_know_is_a_mistake_of_ours(alice: User, chen: User) -> None:
    for status in Status:
        for actor in Actor:
            visit = row(alice, chen, status=status)
            if actor in BEGINNINGS.get(status, ()):
                visit.begin(by=None, actor=actor)
                event = visit.events.get()
                assert (event.from_status, event.to_status, event.actor) == ("", status, actor)
                visit.events.all().delete()
                visit.delete()
            else:
                with pytest.raises(ValueError, match="never begins a visit"):
                    visit.begin(by=None, actor=actor)
                assert not Appointment.objects.exists()


def test_what_the_table_does_not_know_is_a_mistake_of_ours(alice: User, chen: User) -> None:
    for source in Status:
        for to in Status:
            for actor in Actor:
                visit = Appointment(pk=0, patient=alice, doctor=chen, status=source)
                if actor in TRANSITIONS[source].get(to, ()):
                    assert not visit.move(to, by=None, actor=actor)  # there is no such row
                else:
                    with pytest.raises(ValueError, match="never takes a visit"):
                        visit.move(to, by=None, actor=actor)


def test_who_comes_second_moves_nothing(alice: User, visit: Callable[..., Appointment]) -> None:
    first = visit(alice)
    second = Appointment.objects.get(pk=first.pk)
    assert first.move(Status.CANCELLED_BY_PATIENT, by=alice, actor=Actor.PATIENT)
    events = AppointmentEvent.objects.count()
    assert not second.move(Status.CANCELLED_BY_DOCTOR, by=None, actor=Actor.DOCTOR)
    assert (second.status, AppointmentEvent.objects.count()) == (Status.CONFIRMED, events)


class World:
    """Two patients, two doctors, and what they do."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.patients = [make_user(f"p{n}@example.org", f"P{n}") for n in range(2)]
        self.doctors = [make_doctor(f"d{n}@example.org", f"D{n}") for n in range(2)]
        open_hours(self.doctors[0], buffer_after=15)
        open_hours(self.doctors[1], confirms_by_hand=True)

    def do(self, what: str, how: tuple[Any, ...]) -> None:
        with self.refusals():
            getattr(self, f"_{what}")(*how)

    @staticmethod
    @contextmanager
    def refusals() -> Iterator[None]:
        """A refusal changes nothing; anything else that is raised is a mistake."""
        before = snapshot()
        try:
            yield
        except REFUSALS:
            assert snapshot() == before

    def _hold(self, patient: int, doctor: int, ahead: int, length: int) -> Appointment:
        now = timezone.now()
        start = now - (now - MONDAY) % (30 * MINUTE) + ahead * 30 * MINUTE
        return booking.hold(
            patient=self.patients[patient], doctor=self.doctors[doctor], start=start, length=length
        )

    def _take(self, *how: int) -> None:
        with transaction.atomic():
            booking.book(hold=self._hold(*how))

    def _go_on(self, which: int, way: int) -> None:
        """What may happen next to this visit; if need be it has begun first."""
        if not (visit := self._visit(which)) or not (ways := LIKELY.get(Status(visit.status))):
            return
        what, who = ways[way % len(ways)]
        if what in ("check_in", "complete", "no_show") and visit.start > timezone.now():
            self.clock.move_to(visit.start)
        self._act(what, which, who)

    def _act(self, what: str, which: int, who: int) -> None:
        if visit := self._visit(which):
            MOVES[what](visit, self._who(visit, who))

    def _move(self, which: int, who: int, ahead: int, length: int | None) -> None:
        if visit := self._visit(which):
            start = visit.start + (ahead - 1) * 30 * MINUTE
            booking.reschedule(appointment=visit, by=self._who(visit, who), start=start, length=length)

    @staticmethod
    def _visit(which: int) -> Appointment | None:
        """The newest first: what is long over is seldom interesting."""
        return Appointment.objects.order_by("-pk")[which : which + 1].first()

    def _who(self, visit: Appointment, who: int) -> User:
        strangers = [person for person in self.patients + self.doctors if person.pk not in people(visit)]
        return [visit.doctor, visit.patient, visit.doctor, strangers[0]][who]

    def _wait(self, minutes: int) -> None:
        self.clock.shift(minutes * MINUTE)

    @staticmethod
    def _sweep() -> None:
        booking.expire_stale()
        booking.complete_left()
        assert not Appointment.objects.stale().exists()

    def _by_hand(self, by_hand: bool) -> None:
        Schedule.objects.filter(doctor=self.doctors[0]).update(confirms_by_hand=by_hand)


def people(visit: Appointment) -> tuple[int, int]:
    return visit.patient_id, visit.doctor_id


def snapshot() -> list[Any]:
    tables: list[Any] = [Appointment, AppointmentEvent, CareRelation, CareRelation.history.model]
    return [list(table.objects.order_by("pk").values()) for table in tables]


def check() -> None:
    for visit in Appointment.objects.select_related("relation").prefetch_related("events__by"):
        _check_row(visit)
        _check_events(visit)
        _check_relation(visit)
    assert overlaps() == 0
    assert not Appointment.objects.filter(relation=None, booked_at__isnull=False).exists()
    held = Appointment.objects.filter(status=Status.HELD).values_list("patient", flat=True)
    assert len(held) == len(set(held))


def _check_row(visit: Appointment) -> None:
    assert visit.blocked_from <= visit.start < visit.end <= visit.blocked_until
    assert (visit.expires_at is not None) == (visit.status in PASSING)
    assert visit.late <= (visit.status == Status.CANCELLED_BY_PATIENT)


def _check_events(visit: Appointment) -> None:
    """From nothing to where it is now, each step where the last one ended, each by somebody who may."""
    events = sorted(visit.events.all(), key=lambda event: event.pk)
    assert [event.from_status for event in events] == ["", *(event.to_status for event in events[:-1])]
    assert events[-1].to_status == visit.status
    assert events[0].actor in BEGINNINGS[Status(events[0].to_status)]
    assert [event.at for event in events] == sorted(event.at for event in events)
    for event in events[1:]:
        moved = event.start_before is not None
        source, to = Status(event.from_status), Status(event.to_status)
        assert (moved and source == to) or event.actor in TRANSITIONS[source][to]
        assert (event.by is None) == (event.actor == Actor.CLOCK)
        if event.by:
            roles = {Actor.PATIENT: Role.PATIENT, Actor.DOCTOR: Role.DOCTOR}
            assert event.by.role == roles[Actor(event.actor)]
            assert event.by.pk in people(visit)
    answered = (Status.REQUESTED, Status.CONFIRMED)  # a calendar shows it as certain from then on
    changes = [
        event
        for event in events
        if event.start_before
        or event.to_status in ENDED_BEFORE
        or (event.from_status, event.to_status) == answered
    ]
    released = events[-1].from_status == Status.HELD and visit.status == Status.EXPIRED
    assert visit.sequence == (0 if released else len(changes))


ENDED_BEFORE = (Status.CANCELLED_BY_PATIENT, Status.CANCELLED_BY_DOCTOR, Status.DECLINED, Status.EXPIRED)


def _check_relation(visit: Appointment) -> None:
    """The doctor may read the record from the request until the visit is off, or 90 days after it."""
    opens = visit.status in (*BOOKED, Status.COMPLETED)
    if visit.relation is None:
        assert visit.status in (Status.HELD, Status.EXPIRED)
        return
    assert (visit.relation.patient_id, visit.relation.doctor_id) == people(visit)
    assert (visit.relation.revoked_at is None) == opens
    if not opens:
        assert not visit.relation.is_in_force
        return
    until = visit.end
    if visit.status == Status.COMPLETED:
        [completed] = [event for event in visit.events.all() if event.to_status == Status.COMPLETED]
        in_time = completed.actor == Actor.DOCTOR and completed.at < visit.end + timedelta(days=90)
        until = completed.at if in_time else visit.end
    assert visit.relation.until == until + timedelta(days=90)
    assert visit.relation.is_in_force == (timezone.now() < visit.relation.until)


def overlaps() -> int:
    states = ", ".join(f"'{status}'" for status in OCCUPYING)
    sql = f"""
        SELECT count(*) FROM appointments_appointment a JOIN appointments_appointment b ON a.id < b.id
        WHERE a.status IN ({states}) AND b.status IN ({states}) AND (
            (a.doctor_id = b.doctor_id
             AND a.blocked_from < b.blocked_until AND a.blocked_until > b.blocked_from)
            OR (a.patient_id = b.patient_id AND a.start < b."end" AND a."end" > b.start))
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0])


class TestAnything(TestCase):
    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        derandomize=True,
    )
    @given(st.lists(step, min_size=24, max_size=32))
    def test_any_order_of_steps_keeps_the_rows_true(self, steps: list[tuple[Any, ...]]) -> None:
        with time_machine.travel(MONDAY, tick=False) as clock:
            world = World(clock)
            for each in steps:
                world.do(*each)
                check()
