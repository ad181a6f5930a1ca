"""Doctors set their hours: what is refused, and what becomes of visits that fall out of them."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import CareRelation, User
from appointments import availability, booking, hours
from appointments.hours import Decision, VisitsInTheWay
from appointments.models import (
    Appointment,
    Place,
    Schedule,
    ScheduleException,
    Status,
    WeeklyRule,
    schedule_of,
)
from appointments.signals import Happened, time_freed, visit_changed
from appointments.slots import Hours, Rule
from tests.appointments.conftest import open_hours

NOW = datetime(2026, 6, 1, 6, 0, tzinfo=UTC)  # a Monday, 8 o'clock in Zurich
TODAY = date(2026, 6, 1)
MONDAY_9 = datetime(2026, 6, 8, 7, 0, tzinfo=UTC)  # a week later, on Zurich's clock
Book = Callable[..., Appointment]


@pytest.fixture(autouse=True)
def _on_a_monday() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def rule(weekday: int = 0, begins: int = 540, ends: int = 720, place: str = "clinic", **others: Any) -> Rule:
    return Rule(weekday, Hours(begins, ends, place, others.pop("for_urgent", False)), **others)


def week_of(schedule: Schedule) -> list[Rule]:
    return hours.rules_of(Schedule.objects.get(pk=schedule.pk))


@pytest.fixture
def nine_to_noon(chen: User) -> Schedule:
    """Dr Chen sees patients on Mondays from 9 to 12, and for the whole of Tuesdays by video."""
    schedule = open_hours(chen)
    WeeklyRule.objects.all().delete()
    rules = [rule(), rule(1, 0, 1440, "video")]
    return hours.set_week(schedule=schedule, rules=rules, by=chen)


@pytest.fixture
def book(nine_to_noon: Schedule) -> Book:
    def booked(patient: User, start: datetime = MONDAY_9) -> Appointment:
        held = booking.hold(patient=patient, doctor=nine_to_noon.doctor, start=start, length=30)
        return booking.book(hold=held)

    return booked


def refused(code: str, change: Callable[..., object], **asked: Any) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        change(**asked)
    error = caught.value
    errors = (
        [one for many in error.error_dict.values() for one in many]
        if hasattr(error, "error_dict")
        else [error]
    )
    assert [one.code for one in errors] == [code]
    return error


# The week


def test_a_week_is_replaced_and_what_stays_keeps_its_row(chen: User, nine_to_noon: Schedule) -> None:
    monday = WeeklyRule.objects.get(weekday=0)
    new = [rule(), rule(0, 780, 900), rule(4, 60, 1440, "video", for_urgent=True)]
    hours.set_week(schedule=nine_to_noon, rules=new, by=chen)
    assert week_of(nine_to_noon) == new
    assert WeeklyRule.objects.get(weekday=0, begins=540) == monday
    hours.set_week(schedule=nine_to_noon, rules=[], by=chen)
    assert week_of(nine_to_noon) == []


@pytest.mark.parametrize(
    ("code", "rules", "sentence", "row"),
    [
        ("ends_before_begins", [rule(0, 720, 540)], "The end must lie after the beginning", 0),
        ("ends_before_begins", [rule(0, 540, 540)], "The end must lie after the beginning", 0),
        ("ends_before_begins", [rule(0, 540, 1441)], "Midnight is the latest end", 0),
        ("ends_before_begins", [rule(0, -1, 10)], "The end must lie after the beginning", 0),
        (
            "overlap",
            [rule(), rule(0, 700, 800)],
            "On Monday, 09:00\u201312:00 and 11:40\u201313:20 overlap.",
            1,
        ),
        (
            "overlap",
            [rule(), rule(1), rule(0, 600, 610)],
            "On Monday, 09:00\u201312:00 and 10:00\u201310:10",
            2,
        ),
        ("overlap", [rule(valid_until=TODAY), rule(valid_from=TODAY)], "overlap", 1),
        ("weekday", [rule(7)], "Choose a day of the week.", 0),
        ("place", [rule(place="pub")], "Choose a place from the list.", 0),
        (
            "validity",
            [rule(valid_from=TODAY, valid_until=TODAY - timedelta(days=1))],
            "The last day must not",
            0,
        ),
        ("too_many", [rule()] * 101, "These are more than 100 intervals.", None),
    ],
)
def test_a_week_that_cannot_be_is_refused(
    *, chen: User, nine_to_noon: Schedule, code: str, rules: list[Rule], sentence: str, row: int | None
) -> None:
    before = week_of(nine_to_noon)
    error = refused(code, hours.set_week, schedule=nine_to_noon, rules=rules, by=chen)
    assert sentence in error.messages[0]
    assert (error.params or {}).get("row") == row
    assert week_of(nine_to_noon) == before


def test_what_only_touches_does_not_overlap(chen: User, nine_to_noon: Schedule) -> None:
    rules = [
        rule(0, 540, 600),
        rule(0, 600, 660),
        rule(1, 540, 600, valid_until=TODAY),
        rule(1, 540, 600, valid_from=TODAY + timedelta(days=1)),
    ]
    hours.set_week(schedule=nine_to_noon, rules=rules, by=chen)
    assert len(week_of(nine_to_noon)) == 4


def test_rules_that_have_ended_are_not_shown(chen: User, nine_to_noon: Schedule) -> None:
    ended = rule(2, valid_until=TODAY - timedelta(days=1))
    holds = rule(2, valid_from=TODAY, valid_until=TODAY)
    hours.set_week(schedule=nine_to_noon, rules=[ended, holds], by=chen)
    assert week_of(nine_to_noon) == [holds]


def test_a_day_is_copied_to_others(chen: User, nine_to_noon: Schedule) -> None:
    hours.set_week(schedule=nine_to_noon, rules=[rule(), rule(0, 780, 900), rule(1, 0, 60), rule(5)], by=chen)
    hours.copy_day(schedule=nine_to_noon, source=0, to=[0, 1, 2], by=chen)
    expected = [one for day in (0, 1, 2) for one in (rule(day), rule(day, 780, 900))]
    assert week_of(nine_to_noon) == [*expected, rule(5)]
    hours.copy_day(schedule=nine_to_noon, source=6, to=[0], by=chen)  # closed, as Sundays are
    assert [one.weekday for one in week_of(nine_to_noon)] == [1, 1, 2, 2, 5]


def test_a_rule_comes_and_goes_by_itself(chen: User, nine_to_noon: Schedule) -> None:
    added = hours.add_rule(schedule=nine_to_noon, rule=rule(3), by=chen)
    assert added.weekday == 3
    refused("overlap", hours.add_rule, schedule=nine_to_noon, rule=rule(3, 600, 610), by=chen)
    hours.remove_rule(rule=added, by=chen)
    assert [one.weekday for one in week_of(nine_to_noon)] == [0, 1]


def test_nobody_sets_the_hours_of_somebody_else(
    alice: User, diaz: User, eve: User, nine_to_noon: Schedule
) -> None:
    exception = ScheduleException.objects.create(
        schedule=nine_to_noon, kind="off", first_day=TODAY, last_day=TODAY, begins=0, ends=1440
    )
    tuesday = WeeklyRule.objects.get(weekday=1)
    changes: list[Callable[..., object]] = [
        partial(hours.set_week, schedule=nine_to_noon, rules=[]),
        partial(hours.set_terms, schedule=nine_to_noon, notice_hours=1),
        partial(hours.remove_exception, exception=exception),
        partial(hours.remove_rule, rule=tuesday),
        partial(hours.add_exception, schedule=nine_to_noon, kind="off", first_day=TODAY, last_day=TODAY),
    ]
    for stranger in (alice, diaz, eve):
        for change in changes:
            with pytest.raises(PermissionDenied):
                change(by=stranger)
    assert len(week_of(nine_to_noon)) == 2


def test_a_doctor_prepares_hours_before_the_licence_is_verified(frey: User) -> None:
    schedule = schedule_of(frey)
    hours.set_week(schedule=schedule, rules=[rule()], by=frey)
    assert week_of(schedule) == [rule()]
    assert availability.bookable(frey) is None


def test_bookings_wait_while_hours_change(chen: User, nine_to_noon: Schedule) -> None:
    """The schedule is locked before anything is read that decides."""
    with CaptureQueriesContext(connection) as queries:
        hours.set_week(schedule=nine_to_noon, rules=[rule(2)], by=chen)
    locks = [number for number, query in enumerate(queries) if "FOR NO KEY UPDATE" in query["sql"]]
    reads = [number for number, query in enumerate(queries) if "appointments_weeklyrule" in query["sql"]]
    if connection.features.has_select_for_update:
        assert locks[0] < reads[0]


# Terms


def test_terms_are_changed_one_by_one(chen: User, nine_to_noon: Schedule) -> None:
    hours.set_terms(schedule=nine_to_noon, by=chen, lengths=[60, 15, 60], visits_a_day=4)
    hours.set_terms(schedule=nine_to_noon, by=chen, confirms_by_hand=True)
    assert (nine_to_noon.lengths, nine_to_noon.visits_a_day, nine_to_noon.confirms_by_hand) == (
        [15, 60],
        4,
        True,
    )


@pytest.mark.parametrize(
    ("code", "terms"),
    [
        ("lengths", {"lengths": []}),
        ("lengths", {"lengths": [20]}),
        ("lengths", {"lengths": [30, [15]]}),
        ("lengths", {"lengths": "30"}),
        ("lengths", {"lengths": None}),
        ("lengths", {"lengths": [30.0]}),
        ("time_zone", {"time_zone": "Europe/Atlantis"}),
        ("max_value", {"buffer_before": 121}),
        ("max_value", {"buffer_after": 121}),
        ("min_value", {"notice_hours": -1}),
        ("max_value", {"horizon_days": 366}),
        ("min_value", {"horizon_days": 0}),
        ("min_value", {"visits_a_day": 0}),
        ("invalid", {"release_hours": "soon"}),
    ],
)
def test_terms_that_cannot_be_are_refused(
    chen: User, nine_to_noon: Schedule, code: str, terms: dict[str, Any]
) -> None:
    error = refused(code, hours.set_terms, schedule=nine_to_noon, by=chen, **terms)
    assert list(error.message_dict) == list(terms)
    assert Schedule.objects.get().time_zone == "Europe/Zurich"


def test_what_is_no_term_is_a_mistake_of_the_programmer(chen: User, nine_to_noon: Schedule) -> None:
    with pytest.raises(TypeError, match="doctor"):
        hours.set_terms(schedule=nine_to_noon, by=chen, doctor=None)


# Exceptions


def days_off(schedule: Schedule, **others: Any) -> list[ScheduleException]:
    asked: dict[str, Any] = {
        "kind": "off",
        "first_day": date(2026, 6, 8),
        "last_day": date(2026, 6, 9),
        "by": schedule.doctor,
    }
    return hours.add_exception(schedule=schedule, **asked | others)


def test_days_off_are_closed_all_day(nine_to_noon: Schedule) -> None:
    (row,) = days_off(nine_to_noon, note="  Conference ")
    assert (row.begins, row.ends, row.note) == (0, 1440, "Conference")
    free = availability.next_free(Schedule.objects.get(), length=30, count=100)
    assert not {slot.start.date() for slot in free} & {date(2026, 6, 8), date(2026, 6, 9)}
    hours.remove_exception(exception=row, by=nine_to_noon.doctor)
    assert availability.next_free(Schedule.objects.get(), length=30, count=100)[-1].start < free[-1].start


def test_a_changed_day_has_several_intervals(nine_to_noon: Schedule) -> None:
    rows = days_off(nine_to_noon, kind="changed", hours=[Hours(480, 540, "video"), Hours(600, 660, "clinic")])
    assert [row.begins for row in rows] == [480, 600]
    free = availability.free_times(
        Schedule.objects.get(),
        length=60,
        since=MONDAY_9 - timedelta(hours=9),
        until=MONDAY_9 + timedelta(hours=9),
    )
    assert [slot.start for slot in free] == [MONDAY_9 - timedelta(hours=1), MONDAY_9 + timedelta(hours=1)]


def test_what_is_closed_may_be_closed_twice(nine_to_noon: Schedule) -> None:
    days_off(nine_to_noon)
    assert days_off(nine_to_noon)


@pytest.mark.parametrize(
    ("code", "asked", "sentence"),
    [
        ("kind", {"kind": "holiday"}, "Choose what is different."),
        ("days", {"last_day": date(2026, 6, 7)}, "The last day must not lie before the first."),
        ("past", {"first_day": date(2026, 5, 1), "last_day": date(2026, 5, 31)}, "These days are over."),
        ("too_far", {"last_day": date(9999, 12, 31)}, "at most three years"),
        ("no_hours", {"kind": "extra"}, "Say from when to when you are open."),
        ("no_hours", {"kind": "changed"}, "Say from when to when you are open."),
        ("ends_before_begins", {"hours": [Hours(600, 540, "clinic")]}, "The end must lie after"),
        ("place", {"kind": "extra", "hours": [Hours(0, 9, "pub")]}, "Choose a place"),
        (
            "overlap",
            {"kind": "changed", "hours": [Hours(0, 60, "clinic"), Hours(59, 90, "video")]},
            "00:00\u201301:00 and 00:59\u201301:30 overlap.",
        ),
        ("overlap", {"kind": "extra", "hours": [Hours(1000, 1010, "clinic")]}, "which you entered before"),
        ("too_many", {"kind": "extra", "hours": [Hours(0, 9, "clinic")] * 101}, "more than 100"),
        ("max_length", {"note": "x" * 201}, "at most 200"),
    ],
)
def test_an_exception_that_cannot_be_is_refused(
    nine_to_noon: Schedule, code: str, asked: dict[str, Any], sentence: str
) -> None:
    day = date(2026, 6, 9)
    days_off(nine_to_noon, kind="extra", first_day=day, hours=[Hours(990, 1020, "clinic")])
    error = refused(code, days_off, schedule=nine_to_noon, **asked)
    assert sentence in error.messages[0]
    assert ScheduleException.objects.count() == 1


def test_today_is_the_day_on_the_doctor_s_clock(nine_to_noon: Schedule) -> None:
    with time_machine.travel(datetime(2026, 6, 8, 22, 30, tzinfo=UTC), tick=False):
        assert hours.today_of(nine_to_noon) == date(2026, 6, 9)
        refused("past", days_off, schedule=nine_to_noon, last_day=date(2026, 6, 8))


# Visits in the way


@pytest.fixture
def told() -> Iterator[list[tuple[Happened, UUID]]]:
    """What the life of visits told to others."""
    heard: list[tuple[Happened, UUID]] = []

    def hear(*, appointment: Appointment, happened: Happened, **others: Any) -> None:
        heard.append((happened, appointment.public_id))

    visit_changed.connect(hear)
    yield heard
    visit_changed.disconnect(hear)


def changes(schedule: Schedule) -> dict[str, Callable[..., object]]:
    """Each leaves a visit on Monday at 9 outside of the hours."""
    doctor = schedule.doctor
    return {
        "day off": lambda **say: days_off(schedule, **say),
        "an hour off": lambda **say: days_off(schedule, hours=[Hours(560, 561, "clinic")], **say),
        "changed day": lambda **say: days_off(
            schedule, kind="changed", hours=[Hours(560, 1440, "clinic")], **say
        ),
        "week": lambda **say: hours.set_week(schedule=schedule, rules=[rule(0, 555, 720)], by=doctor, **say),
        "place": lambda **say: hours.set_week(
            schedule=schedule, rules=[rule(0, 540, 720, "video")], by=doctor, **say
        ),
        "rule": lambda **say: hours.remove_rule(rule=schedule.rules.get(weekday=0), by=doctor, **say),
        "zone": lambda **say: hours.set_terms(schedule=schedule, time_zone="Asia/Tokyo", by=doctor, **say),
    }


CHANGES = ("day off", "an hour off", "changed day", "week", "place", "rule", "zone")


@pytest.mark.parametrize("name", CHANGES)
def test_nothing_is_changed_before_it_is_said_what_becomes_of_visits(
    name: str, alice: User, nine_to_noon: Schedule, book: Book, told: list[tuple[Happened, UUID]]
) -> None:
    visit = book(alice)
    told.clear()
    with pytest.raises(VisitsInTheWay) as caught:
        changes(nine_to_noon)[name]()
    assert caught.value.visits == [visit]
    assert caught.value.messages == ["1 visit would lie outside of the new hours. Say what becomes of it."]
    assert not ScheduleException.objects.exists()
    assert week_of(nine_to_noon) == [rule(), rule(1, 0, 1440, "video")]
    visit.refresh_from_db()
    assert visit.status == Status.CONFIRMED
    assert told == []


@pytest.mark.parametrize("name", CHANGES)
def test_a_visit_is_kept_or_cancelled_as_decided(
    *,
    name: str,
    alice: User,
    bob: User,
    nine_to_noon: Schedule,
    book: Book,
    told: list[tuple[Happened, UUID]],
) -> None:
    keep = book(alice)
    cancel = (
        book(bob, MONDAY_9 + timedelta(minutes=30)) if name in ("day off", "rule", "place", "zone") else None
    )
    told.clear()
    decision = Decision(
        keep=frozenset({keep.public_id}),
        cancel=frozenset({cancel.public_id} if cancel else ()),
        reason="I am ill.",
    )
    changes(nine_to_noon)[name](decision=decision)
    keep.refresh_from_db()
    assert keep.status == Status.CONFIRMED
    if cancel:
        cancel.refresh_from_db()
        assert (cancel.status, cancel.ended_because) == (Status.CANCELLED_BY_DOCTOR, "I am ill.")
        assert told == [(Happened.CANCELLED, cancel.public_id)]
        assert not CareRelation.objects.in_force().filter(patient=bob).exists()


def test_a_visit_is_not_cancelled_without_a_reason(alice: User, nine_to_noon: Schedule, book: Book) -> None:
    visit = book(alice)
    with pytest.raises(ValidationError, match="Say why"):
        days_off(nine_to_noon, decision=Decision(cancel=frozenset({visit.public_id}), reason="  "))
    assert not ScheduleException.objects.exists()


def test_what_was_booked_in_the_meantime_is_asked_about_again(
    alice: User, bob: User, nine_to_noon: Schedule, book: Book
) -> None:
    first, second = book(alice), book(bob, MONDAY_9 + timedelta(hours=1))
    with pytest.raises(VisitsInTheWay) as caught:
        days_off(nine_to_noon, decision=Decision(cancel=frozenset({first.public_id}), reason="Ill"))
    assert caught.value.visits == [first, second]
    first.refresh_from_db()
    assert first.status == Status.CONFIRMED


def test_a_request_is_declined(alice: User, nine_to_noon: Schedule, book: Book) -> None:
    hours.set_terms(schedule=nine_to_noon, by=nine_to_noon.doctor, confirms_by_hand=True)
    request = book(alice)
    assert request.status == Status.REQUESTED
    days_off(nine_to_noon, decision=Decision(cancel=frozenset({request.public_id}), reason="Ill"))
    request.refresh_from_db()
    assert request.status == Status.DECLINED


def test_visits_that_still_fit_are_nobody_s_business(alice: User, nine_to_noon: Schedule, book: Book) -> None:
    book(alice)
    doctor = nine_to_noon.doctor
    hours.set_week(schedule=nine_to_noon, rules=[rule(0, 540, 570, for_urgent=True)], by=doctor)
    hours.set_terms(schedule=nine_to_noon, by=doctor, lengths=[60], buffer_before=30, notice_hours=300)
    days_off(nine_to_noon, first_day=date(2026, 6, 9))
    days_off(nine_to_noon, hours=[Hours(0, 540, "clinic"), Hours(570, 1440, "clinic")])


def test_a_visit_that_was_kept_is_not_asked_about_for_ever(
    alice: User, nine_to_noon: Schedule, book: Book
) -> None:
    visit = book(alice)
    doctor = nine_to_noon.doctor
    kept = Decision(keep=frozenset({visit.public_id}))
    hours.set_week(schedule=nine_to_noon, rules=[rule(1)], by=doctor, decision=kept)
    hours.set_week(schedule=nine_to_noon, rules=[rule(2)], by=doctor)
    with pytest.raises(VisitsInTheWay):
        days_off(nine_to_noon)  # who closes that very day by hand is


def test_what_is_over_is_not_asked_about(alice: User, nine_to_noon: Schedule, book: Book) -> None:
    visit = book(alice)
    with time_machine.travel(visit.start, tick=False):
        hours.set_week(schedule=nine_to_noon, rules=[], by=nine_to_noon.doctor)


def test_taking_extra_hours_back_asks_too(alice: User, nine_to_noon: Schedule, book: Book) -> None:
    day = date(2026, 6, 10)
    (row,) = days_off(
        nine_to_noon, kind="extra", first_day=day, last_day=day, hours=[Hours(540, 600, Place.CLINIC)]
    )
    visit = book(alice, MONDAY_9 + timedelta(days=2))
    with pytest.raises(VisitsInTheWay):
        hours.remove_exception(exception=row, by=nine_to_noon.doctor)
    kept = Decision(keep=frozenset({visit.public_id}))
    hours.remove_exception(exception=row, by=nine_to_noon.doctor, decision=kept)
    assert not ScheduleException.objects.exists()


def test_who_only_holds_a_time_chooses_anew(alice: User, nine_to_noon: Schedule) -> None:
    held = booking.hold(patient=alice, doctor=nine_to_noon.doctor, start=MONDAY_9, length=30)
    days_off(nine_to_noon)
    with pytest.raises(ValidationError, match="ran out"):
        booking.book(hold=held)


@pytest.mark.django_db(transaction=True)
def test_others_hear_that_time_is_free() -> None:
    """The waiting list looks again whenever hours change."""
    from tests.conftest import make_doctor

    freed: list[int] = []

    def hear(*, doctor_id: int, **others: Any) -> None:
        freed.append(doctor_id)

    time_freed.connect(hear)
    doctor = make_doctor("gray@example.org", "Ada Gray")
    hours.set_week(schedule=schedule_of(doctor), rules=[rule()], by=doctor)
    time_freed.disconnect(hear)
    assert freed == [doctor.pk]
