"""Reminders: each once, in time, for visits that take place, whatever happened to the worker."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts import notices
from accounts.models import Notice, OutgoingMail, User
from accounts.notifications import notify
from appointments import booking, clockwork, reminders
from appointments.models import Appointment, Channel, Reminder, ReminderKind, Schedule, Status
from tests.appointments.conftest import first_free, open_hours
from tests.appointments.test_races import at_once
from tests.conftest import make_doctor, make_user

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
NOW = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as machine:
        yield machine


@pytest.fixture
def coming(alice: User, chen_open: Schedule) -> Appointment:
    """A confirmed visit in three days, of which both were told already."""
    start = NOW + timedelta(days=3)
    hold = booking.hold(patient=alice, doctor=chen_open.doctor, start=start, length=30)
    visit = booking.book(hold=hold)
    OutgoingMail.objects.all().delete()
    Notice.objects.all().delete()
    return visit


def reminded(person: User) -> list[str]:
    return list(
        OutgoingMail.objects.filter(recipient=person, kind="visit_reminder").values_list("kind", flat=True)
    )


def sent_kinds() -> list[str]:
    return list(Reminder.objects.order_by("pk").values_list("kind", flat=True))


@pytest.mark.parametrize(
    ("left", "kind"),
    [
        (25 * HOUR, None),
        (24 * HOUR, ReminderKind.DAY),
        (HOUR + SECOND, ReminderKind.DAY),
        (HOUR, ReminderKind.HOUR),
        (SECOND, ReminderKind.HOUR),
        (timedelta(0), None),
        (-HOUR, None),
    ],
)
def test_which_reminder_is_due(left: timedelta, kind: ReminderKind | None) -> None:
    assert reminders.kind_due(NOW + left, NOW, NOW - 48 * HOUR) is kind


@pytest.mark.parametrize(
    ("ahead", "left", "kind"),
    [
        (24 * HOUR + SECOND, 24 * HOUR, ReminderKind.DAY),
        (24 * HOUR, 24 * HOUR - SECOND, None),
        (24 * HOUR - SECOND, 2 * HOUR, None),
        (2 * HOUR, HOUR + SECOND, None),
        (2 * HOUR, HOUR, ReminderKind.HOUR),
        (HOUR + SECOND, HOUR, ReminderKind.HOUR),
        (HOUR, HOUR - SECOND, None),
        (HOUR / 2, HOUR / 4, None),
    ],
)
def test_who_booked_just_now_is_not_reminded(
    ahead: timedelta, left: timedelta, kind: ReminderKind | None
) -> None:
    start = NOW + ahead
    assert reminders.kind_due(start, start - left, NOW) is kind


def test_both_are_reminded_a_day_and_an_hour_before_by_both_ways(
    alice: User, chen: User, coming: Appointment, clock: Any
) -> None:
    clock.move_to(coming.start - 24 * HOUR - timedelta(seconds=30))
    assert reminders.send_due() == 0
    for before in (24 * HOUR, 23 * HOUR, HOUR, timedelta(minutes=1)):
        clock.move_to(coming.start - before)
        reminders.send_due()
        reminders.send_due()
    for person in (alice, chen):
        assert len(reminded(person)) == 2
        assert Notice.objects.filter(recipient=person, kind="visit_reminder").count() == 2
    assert Reminder.objects.count() == 8


def test_the_words_say_when_in_the_zone_of_who_reads(alice: User, coming: Appointment, clock: Any) -> None:
    User.objects.filter(pk=alice.pk).update(time_zone="Asia/Tokyo")
    clock.move_to(coming.start - 20 * HOUR)
    reminders.send_due()
    mail = OutgoingMail.objects.get(recipient=alice)
    assert "Your visit begins on March 4, 2027, 18:00 (JST)." in mail.text
    assert f"/visits/{coming.public_id}/" in mail.text


def test_after_a_pause_only_the_nearer_is_sent(alice: User, coming: Appointment, clock: Any) -> None:
    clock.move_to(coming.start - timedelta(minutes=20))
    reminders.send_due()
    assert set(sent_kinds()) == {"hour"}
    assert len(reminded(alice)) == 1


def test_once_it_has_begun_nobody_is_reminded(coming: Appointment, clock: Any) -> None:
    clock.move_to(coming.start)
    assert reminders.send_due() == 0
    clock.move_to(coming.start + timedelta(minutes=5))
    assert reminders.send_due() == 0


def test_a_visit_that_is_off_is_not_brought_up(alice: User, coming: Appointment, clock: Any) -> None:
    booking.cancel(appointment=coming, by=alice)
    clock.move_to(coming.start - HOUR)
    assert reminders.send_due() == 0


def test_a_request_is_not_brought_up(alice: User, chen_open: Schedule) -> None:
    chen_open.confirms_by_hand = True
    chen_open.save()
    hold = booking.hold(patient=alice, doctor=chen_open.doctor, start=NOW + 20 * HOUR, length=30)
    assert booking.book(hold=hold).status == Status.REQUESTED
    assert reminders.send_due() == 0


def test_a_visit_that_is_moved_is_brought_up_again(
    alice: User, chen: User, coming: Appointment, clock: Any
) -> None:
    clock.move_to(coming.start - 24 * HOUR)
    assert reminders.send_due() == 4
    booking.reschedule(appointment=coming, by=alice, start=coming.start + timedelta(days=2))
    assert reminders.send_due() == 0
    clock.move_to(coming.start - 24 * HOUR)
    assert reminders.send_due() == 4
    assert len(reminded(alice)) == 2 == len(reminded(chen))


@pytest.fixture
def book_in(alice: User, chen_open: Schedule) -> Callable[[timedelta], Appointment]:
    """Books a visit so long before its start."""

    def booked(ahead: timedelta) -> Appointment:
        start = NOW + ahead
        return booking.book(hold=booking.hold(patient=alice, doctor=chen_open.doctor, start=start, length=30))

    return booked


def test_a_visit_of_the_same_day_has_the_reminder_of_the_hour_alone(
    alice: User, book_in: Callable[[timedelta], Appointment], clock: Any
) -> None:
    visit = book_in(20 * HOUR)
    for before in (20 * HOUR, 19 * HOUR, HOUR + SECOND):
        clock.move_to(visit.start - before)
        assert reminders.send_due() == 0
    clock.move_to(visit.start - HOUR)
    assert reminders.send_due() == 4
    assert set(sent_kinds()) == {"hour"}
    assert len(reminded(alice)) == 1


def test_a_visit_that_begins_within_the_hour_has_none(
    book_in: Callable[[timedelta], Appointment], clock: Any
) -> None:
    visit = book_in(HOUR)
    for minutes in (60, 59, 30, 1):
        clock.move_to(visit.start - timedelta(minutes=minutes))
        assert reminders.send_due() == 0


@pytest.mark.parametrize(("ahead", "kinds"), [(23, ["hour"]), (1, []), (25, ["day", "hour"])])
def test_a_visit_that_is_moved_close_counts_from_there(
    ahead: int, kinds: list[str], alice: User, coming: Appointment, clock: Any
) -> None:
    """It was booked three days before; what tells of its time is that it was moved."""
    start = NOW + ahead * HOUR
    booking.reschedule(appointment=coming, by=alice, start=start)
    for minutes in (24 * 60, 23 * 60, 61, 60, 30):
        clock.move_to(max(NOW, start - timedelta(minutes=minutes)))
        reminders.send_due()
    assert list(dict.fromkeys(sent_kinds())) == kinds
    assert len(reminded(alice)) == len(kinds)


def test_a_longer_visit_at_the_same_start_is_no_other(alice: User, coming: Appointment, clock: Any) -> None:
    clock.move_to(coming.start - 24 * HOUR)
    booking.reschedule(appointment=coming, by=alice, start=coming.start, length=60)
    assert reminders.send_due() == 4
    assert set(sent_kinds()) == {"day"}


def test_a_request_counts_from_when_it_is_confirmed(
    chen_open: Schedule, book_in: Callable[[timedelta], Appointment], clock: Any
) -> None:
    """Both are told then that it takes place."""
    Schedule.objects.filter(pk=chen_open.pk).update(confirms_by_hand=True)
    late, early = book_in(30 * HOUR), book_in(34 * HOUR)
    clock.move_to(late.start - 23 * HOUR)
    for visit in (late, early):
        booking.confirm(appointment=visit, by=chen_open.doctor)
    assert reminders.send_due() == 0
    clock.move_to(early.start - 24 * HOUR)
    assert reminders.send_due() == 4
    assert set(Reminder.objects.values_list("appointment", flat=True)) == {early.pk}


def test_the_clock_asks_for_all_events_at_once(
    coming: Appointment, bob: User, book_in: Callable[[timedelta], Appointment], clock: Any
) -> None:
    """Visits of the same day are the many; what is not due costs nothing more."""
    counts = []
    for ahead in (range(3, 4), range(5, 12)):
        for hours in ahead:
            book_in(hours * HOUR)
        with CaptureQueriesContext(connection) as queries:
            reminders.send_due()
        counts.append(len(queries))
    assert counts[0] == counts[1] == 2


def test_each_is_reminded_by_the_ways_they_chose(
    alice: User, chen: User, coming: Appointment, clock: Any
) -> None:
    notices.choose(user=alice, chosen={"reminders": ["in_app"]})
    notices.choose(user=chen, chosen={"reminders": []})
    clock.move_to(coming.start - HOUR)
    assert reminders.send_due() == 1
    assert reminders.send_due() == 0
    assert not OutgoingMail.objects.exists()
    assert [notice.recipient for notice in Notice.objects.all()] == [alice]


def test_a_way_that_is_switched_on_later_repeats_no_other(
    alice: User, coming: Appointment, clock: Any
) -> None:
    notices.choose(user=alice, chosen={"reminders": ["in_app"]})
    clock.move_to(coming.start - 23 * HOUR)
    reminders.send_due()
    notices.choose(user=alice, chosen={"reminders": ["in_app", "email"]})
    reminders.send_due()
    assert Notice.objects.filter(recipient=alice).count() == 1
    assert len(reminded(alice)) == 1


def test_somebody_who_is_switched_off_is_left_alone(alice: User, coming: Appointment, clock: Any) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    clock.move_to(coming.start - HOUR)
    assert reminders.send_due() == 2
    assert not reminded(alice)


def test_one_that_fails_stops_no_other_and_is_tried_again(
    alice: User, bob: User, coming: Appointment, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = coming.start + HOUR
    booking.book(hold=booking.hold(patient=bob, doctor=coming.doctor, start=later, length=30))
    clock.move_to(coming.start - 20 * HOUR)
    real = notify

    def fails_for_alice(person: User, *args: Any, **context: Any) -> Any:
        if person == alice:
            raise RuntimeError
        return real(person, *args, **context)

    monkeypatch.setattr(reminders, "notify", fails_for_alice)
    assert reminders.send_due() == 4
    assert not Reminder.objects.filter(appointment=coming).exists()
    monkeypatch.setattr(reminders, "notify", real)
    assert reminders.send_due() == 4


def test_the_clock_sends_them(coming: Appointment, clock: Any) -> None:
    clock.move_to(coming.start - HOUR)
    clockwork.tick()
    assert Reminder.objects.count() == 4


def test_the_database_takes_a_reminder_once(alice: User, coming: Appointment) -> None:
    row = {
        "appointment": coming,
        "kind": ReminderKind.DAY,
        "start": coming.start,
        "recipient": alice,
        "channel": Channel.EMAIL,
    }
    Reminder.objects.create(**row)
    with pytest.raises(IntegrityError), transaction.atomic():
        Reminder.objects.create(**row)
    for other in ({"kind": ReminderKind.HOUR}, {"channel": Channel.IN_APP}, {"start": NOW}):
        Reminder.objects.create(**row | other)


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_remind_once(clock: Any) -> None:
    doctor = make_doctor("chen@example.org", "Mei Chen")
    schedule = open_hours(doctor)
    visits = []
    for number in range(3):
        patient = make_user(f"p{number}@example.org", f"P{number}")
        start = first_free(schedule, number=2 * number + 60)  # tomorrow
        visits.append(booking.book(hold=booking.hold(patient=patient, doctor=doctor, start=start, length=30)))
    clock.move_to(visits[0].start - HOUR)
    answers = at_once(*[partial(reminders.send_due)] * 4)
    assert sum(answers) == 12, answers
    assert Reminder.objects.count() == 12
    assert OutgoingMail.objects.filter(kind="visit_reminder").count() == 6
