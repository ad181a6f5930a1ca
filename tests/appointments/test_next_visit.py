"""A doctor books the next visit for the patient: who may, at which times, and who is told."""

import datetime
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import relations
from accounts.models import AccessEvent, CareRelation, Opened, User
from appointments import booking, next_visits, notes, visits
from appointments.models import (
    Actor,
    Appointment,
    Schedule,
    ScheduleException,
    Status,
    UrgentFollowUp,
)
from appointments.notes import Words
from appointments.picking import Wanted
from diagnosis.models import Analysis
from tests.appointments.conftest import begin, first_free
from tests.appointments.test_follow_up import done
from tests.appointments.test_notices import calendar_of, kinds, last_mail
from tests.appointments.test_visit_page import Booked, Browse, page_of, suspend, text_of

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


pytestmark = pytest.mark.usefixtures("clock")


def book(after: Appointment, by: User, start: datetime.datetime, length: int = 30) -> Appointment:
    return booking.book_next(after=after, by=by, start=start, length=length)


def post(
    client: Client, after: Appointment, start: datetime.datetime, *, length: int = 30, **more: Any
) -> Any:
    form = {"start": start.isoformat(), "length": length}
    return client.post(page_of(after, "next-visit"), form, **more)


def refused(code: str) -> Any:
    return pytest.raises(ValidationError, check=lambda error: error.code == code)


# In two clicks


def test_two_clicks_book_it(*, browse: Browse, going_on: Appointment, alice: User, chen: User) -> None:
    doctor = browse(chen)
    assert page_of(going_on, "next-visit") in text_of(doctor.get(page_of(going_on)))
    page = doctor.get(page_of(going_on, "next-visit"))
    start = page.context["picking"].slots[0].start
    answer = post(doctor, going_on, start, follow=True)
    assert answer.redirect_chain == [(going_on.get_absolute_url(), 302)]
    assert f"The next visit is booked: Wednesday, March 5, 2031, {start:%H:%M}. Your patient" in text_of(
        answer
    )
    booked = Appointment.objects.get(follows=going_on)
    assert (booked.status, booked.start, booked.patient, booked.doctor) == (
        Status.CONFIRMED,
        start,
        alice,
        chen,
    )
    assert booked.get_absolute_url() in text_of(answer)
    event = booked.events.get()
    assert (event.from_status, event.by, event.actor) == ("", chen, Actor.DOCTOR)
    assert booked.relation
    assert booked.relation.until == booked.end + timedelta(days=90)
    assert booked.relation.history.get().history_user == chen


def test_it_is_the_patient_s_to_move_and_to_cancel(
    browse: Browse, going_on: Appointment, alice: User, chen: User
) -> None:
    booked = book(going_on, chen, going_on.start + DAY)
    patient = browse(alice)
    shown = text_of(patient.get(booked.get_absolute_url()))
    assert "Your doctor booked this visit for you." in shown
    assert "Booked as the next visit, by Mei Chen" in shown
    assert "Your doctor booked this visit" not in text_of(browse(chen).get(booked.get_absolute_url()))
    assert booked.get_absolute_url() in text_of(patient.get(going_on.get_absolute_url()))
    booking.reschedule(appointment=booked, by=alice, start=booked.start + HOUR)
    booking.cancel(appointment=booked, by=alice)
    booked.refresh_from_db()
    assert (booked.status, booked.late) == (Status.CANCELLED_BY_PATIENT, False)
    assert booked.relation
    assert not booked.relation.is_in_force
    # What the visit before has opened stays open for as long as that says.
    assert visits.is_open_to(going_on, chen)


def test_one_s_own_booking_is_not_told_as_the_doctor_s(browse: Browse, visit: Booked, alice: User) -> None:
    assert "Your doctor booked" not in text_of(browse(alice).get(visit(alice).get_absolute_url()))


def test_both_are_told_and_it_stands_in_their_calendars(
    going_on: Appointment, alice: User, chen: User
) -> None:
    booked = book(going_on, chen, going_on.start + DAY)
    assert [people[-1] for people in (kinds(alice), kinds(chen))] == ["visit_booked_next"] * 2
    mail = last_mail(alice)
    assert mail.subject == "Your doctor has booked your next visit"
    assert "move or cancel it there" in mail.body
    assert "You have booked a patient's next visit on" in last_mail(chen).body
    event = calendar_of(mail).vevent
    assert (event.dtstart.value, event.status.value) == (booked.start, "CONFIRMED")


def test_a_doctor_who_confirms_by_hand_need_not_confirm_it(
    going_on: Appointment, chen: User, chen_open: Schedule
) -> None:
    Schedule.objects.filter(pk=chen_open.pk).update(confirms_by_hand=True)
    booked = book(going_on, chen, going_on.start + DAY)
    assert (booked.status, booked.expires_at) == (Status.CONFIRMED, None)


# Where it begins


def test_it_begins_at_the_free_day_nearest_to_the_signed_one(
    *, browse: Browse, going_on: Appointment, alice: User, chen: User, chen_open: Schedule
) -> None:
    day = timezone.localdate() + timedelta(weeks=4)
    assert day.weekday() == 2
    User.objects.filter(pk=chen.pk).update(time_zone="Europe/Zurich")
    chen_open.rules.filter(weekday__in=(2, 3)).delete()  # neither on that day nor on the day after
    words = Words(diagnosis="Mole", follow_up_on=day)
    notes.save_draft(appointment=going_on, by=chen, words=words)
    page = browse(chen).get(page_of(going_on, "next-visit"))
    assert page.context["picking"].day == timezone.localdate() + DAY * 2  # a draft says nothing yet
    notes.sign(appointment=going_on, by=chen, words=words)
    page = browse(chen).get(page_of(going_on, "next-visit"))
    assert (page.context["picking"].day, page.context["asked_for"]) == (day - DAY, day)
    assert "should be by Wednesday" in text_of(page)
    other = browse(chen).get(page_of(going_on, "next-visit"), {"day": (day + 2 * DAY).isoformat()})
    assert other.context["picking"].day == day + 2 * DAY
    book(going_on, chen, page.context["picking"].slots[0].start)
    assert visits.follow_ups(alice) == []


def test_a_day_beyond_the_horizon_is_told(browse: Browse, going_on: Appointment, chen: User) -> None:
    day = timezone.localdate() + timedelta(days=200)
    notes.sign(appointment=going_on, by=chen, words=Words(diagnosis="Mole", follow_up_on=day))
    page = browse(chen).get(page_of(going_on, "next-visit"))
    last = timezone.localdate() + timedelta(days=60)
    assert (page.context["picking"].day, page.context["last_day"]) == (last, last)
    assert "You can be booked until" in text_of(page)


def test_a_month_in_which_nothing_is_free_is_shown_as_such(
    going_on: Appointment, chen: User, chen_open: Schedule
) -> None:
    notes.sign(
        appointment=going_on,
        by=chen,
        words=Words(diagnosis="Mole", follow_up_on=timezone.localdate() + timedelta(weeks=6)),
    )
    chen_open.rules.update(valid_until=timezone.localdate() + timedelta(days=7))
    shown = next_visits.picking(going_on, chen_open, Wanted(), chen.zone)
    assert (shown.day, shown.slots, shown.next is not None) == (None, [], True)


def test_without_hours_there_is_nothing_to_choose(
    browse: Browse, going_on: Appointment, chen: User, chen_open: Schedule
) -> None:
    chen_open.rules.all().delete()
    assert "You have no hours yet" in text_of(browse(chen).get(page_of(going_on, "next-visit")))


def test_a_doctor_may_work_on_single_days_alone(
    browse: Browse, going_on: Appointment, chen: User, chen_open: Schedule
) -> None:
    chen_open.rules.all().delete()
    day = timezone.localdate() + 2 * DAY
    ScheduleException.objects.create(
        schedule=chen_open, kind="extra", first_day=day, last_day=day, begins=540, ends=600
    )
    page = browse(chen).get(page_of(going_on, "next-visit"))
    assert (page.context["picking"].day, len(page.context["picking"].slots)) == (day, 2)


# Who may


def test_another_doctor_and_other_patients_find_nothing(
    *, browse: Browse, going_on: Appointment, alice: User, bob: User, diaz: User, frey: User, eve: User
) -> None:
    relations.share(patient=alice, doctor=diaz)  # to read a record is not to book in another's name
    for person in (bob, diaz, frey, eve):
        assert browse(person).get(page_of(going_on, "next-visit")).status_code == 404
        assert post(browse(person), going_on, going_on.start + DAY).status_code == 404
    for method in ("get", "post"):
        assert getattr(browse(alice), method)(page_of(going_on, "next-visit")).status_code == 403
        answer = getattr(Client(), method)(page_of(going_on, "next-visit"))
        assert (answer.status_code, "/login/" in answer.headers["Location"]) == (302, True)
    for person in (alice, bob, diaz):
        with pytest.raises(PermissionDenied):
            book(going_on, person, going_on.start + DAY)
    assert not Appointment.objects.filter(follows=going_on).exists()


def test_only_after_a_visit_to_which_the_patient_came(
    browse: Browse, visit: Booked, alice: User, chen: User, clock: time_machine.Traveller
) -> None:
    booked = visit(alice)
    doctor = browse(chen)
    assert page_of(booked, "next-visit") not in text_of(doctor.get(page_of(booked)))
    answer = post(doctor, booked, booked.start + DAY, follow=True)
    assert "This cannot be done now: the visit is “Confirmed”." in text_of(answer)
    begin(booked, clock)
    booking.no_show(appointment=booked, by=chen)
    with refused("wrong_state"):
        book(booked, chen, booked.start + DAY)


def test_not_once_the_record_has_closed(
    browse: Browse, going_on: Appointment, alice: User, chen: User, clock: time_machine.Traveller
) -> None:
    booking.complete(appointment=going_on, by=chen)
    relations.share(patient=alice, doctor=chen)  # opens the record, and is no visit
    clock.shift(timedelta(days=89))
    book(going_on, chen, going_on.start + timedelta(days=90))
    clock.shift(timedelta(days=2))
    doctor = browse(chen)
    assert page_of(going_on, "next-visit") not in text_of(doctor.get(page_of(going_on)))
    answer = doctor.get(page_of(going_on, "next-visit"), follow=True)
    assert "the record is not open to you any more" in text_of(answer)
    with refused("closed"):
        book(going_on, chen, timezone.now() + DAY)


def test_not_while_the_licence_is_not_in_force(browse: Browse, going_on: Appointment, chen: User) -> None:
    suspend(chen)
    with refused("not_verified"):
        book(going_on, chen, going_on.start + DAY)
    answer = post(browse(chen), going_on, going_on.start + DAY, follow=True)
    assert "Your licence is not in force" in text_of(answer)
    assert not Appointment.objects.filter(follows=going_on).exists()


def test_not_for_somebody_who_has_gone(going_on: Appointment, alice: User, chen: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    with refused("not_a_patient"):
        book(going_on, chen, going_on.start + DAY)


def test_a_look_at_the_page_is_written_down(browse: Browse, going_on: Appointment, chen: User) -> None:
    browse(chen).get(page_of(going_on, "next-visit"))
    event = AccessEvent.objects.get()
    assert (event.opened, event.item) == (Opened.VISIT, going_on.public_id)


# At which times


def test_notice_binds_patients_and_not_the_doctor(
    going_on: Appointment, alice: User, chen: User, chen_open: Schedule
) -> None:
    Schedule.objects.filter(pk=chen_open.pk).update(notice_hours=48)
    tonight = going_on.start + 4 * HOUR
    with refused("notice"):
        booking.hold(patient=alice, doctor=chen, start=tonight, length=30)
    assert book(going_on, chen, tonight).start == tonight
    assert Schedule.objects.get(pk=chen_open.pk).notice_hours == 48


def test_times_kept_for_urgent_cases_are_the_doctor_s_to_give(
    going_on: Appointment, chen: User, chen_open: Schedule
) -> None:
    chen_open.rules.update(for_urgent=True)
    booked = book(going_on, chen, going_on.start + 3 * DAY)
    assert not booked.urgent  # it comes from no urgent result


def test_the_rest_of_the_terms_binds_the_doctor_too(
    going_on: Appointment, chen: User, chen_open: Schedule
) -> None:
    start = going_on.start + DAY
    for code, when, length in (
        ("past", going_on.start - HOUR, 30),
        ("length", start, 45),
        ("horizon", going_on.start + timedelta(days=61), 30),
        ("not_offered", start + timedelta(minutes=7), 30),
    ):
        with refused(code):
            book(going_on, chen, when, length)
    Schedule.objects.filter(pk=chen_open.pk).update(visits_a_day=1)
    book(going_on, chen, start)
    with pytest.raises(booking.SlotTaken):
        book(going_on, chen, start + HOUR)


def test_a_time_that_somebody_else_has_is_refused_with_the_next_ones(
    *, browse: Browse, going_on: Appointment, bob: User, chen: User
) -> None:
    start = going_on.start + 20 * DAY
    booking.book(hold=booking.hold(patient=bob, doctor=chen, start=start, length=30))
    answer = post(browse(chen), going_on, start)
    assert answer.status_code == 409
    assert "This time has just been taken." in text_of(answer)
    half = timedelta(minutes=30)
    offered = [slot.start for slot in answer.context["alternatives"]]
    assert offered == [start + half, start + 2 * half, start + 3 * half]
    assert answer.context["picking"].day == start.date()
    assert post(browse(chen), going_on, offered[0]).status_code == 302


@pytest.mark.parametrize(
    ("start", "length", "sentence"),
    [
        ("noon", 30, "This time cannot be read"),
        ("0001-01-01T00:00:00+14:00", 30, "This time is too far away"),
        ("9999-12-31T23:59:00-14:00", 60, "This time is too far away"),
        ("2031-03-06T12:00:00+00:00", 10**12, "no visits of this length"),
    ],
)
def test_what_cannot_be_read_is_told(
    *, start: str, length: int, sentence: str, browse: Browse, going_on: Appointment, chen: User
) -> None:
    answer = browse(chen).post(page_of(going_on, "next-visit"), {"start": start, "length": length})
    assert (answer.status_code, sentence in text_of(answer)) == (422, True)


def test_a_patient_who_is_elsewhere_then_is_told_in_a_clear_sentence(
    *,
    browse: Browse,
    going_on: Appointment,
    alice: User,
    chen: User,
    diaz: User,
    diaz_open: Schedule,
) -> None:
    start = going_on.start + DAY
    booking.book(hold=booking.hold(patient=alice, doctor=diaz, start=start, length=60))
    page = browse(chen).get(page_of(going_on, "next-visit"), {"day": start.date().isoformat()})
    assert start not in [slot.start for slot in page.context["picking"].slots]
    answer = post(browse(chen), going_on, start)
    assert answer.status_code == 422
    shown = text_of(answer)
    assert "Your patient has another visit at this time. Choose another one." in shown
    assert "Díaz" not in shown
    assert not Appointment.objects.filter(follows=going_on).exists()
    assert CareRelation.objects.filter(doctor=chen).count() == 1


def test_moving_says_whose_time_is_taken(
    *, going_on: Appointment, alice: User, chen: User, diaz: User, diaz_open: Schedule
) -> None:
    start = going_on.start + DAY
    booking.book(hold=booking.hold(patient=alice, doctor=diaz, start=start, length=60))
    booked = book(going_on, chen, start + 3 * HOUR)
    for person, sentence in ((chen, "Your patient has another visit"), (alice, "You have another visit")):
        with pytest.raises(ValidationError, match=sentence):
            booking.reschedule(appointment=booked, by=person, start=start)


def test_what_the_patient_holds_stays_theirs(
    going_on: Appointment, alice: User, chen: User, diaz: User, diaz_open: Schedule
) -> None:
    held = booking.hold(patient=alice, doctor=diaz, start=going_on.start + DAY, length=30)
    mine = book(going_on, chen, going_on.start + 2 * DAY)
    held.refresh_from_db()
    assert (held.status, mine.status) == (Status.HELD, Status.CONFIRMED)
    with pytest.raises(ValidationError, match="Your patient has another visit"):
        book(going_on, chen, held.start)
    assert booking.book(hold=held).status == Status.CONFIRMED


def test_a_hold_that_ran_out_stands_in_nobody_s_way(
    *, going_on: Appointment, alice: User, chen: User, diaz_open: Schedule, clock: time_machine.Traveller
) -> None:
    held = booking.hold(
        patient=alice, doctor=diaz_open.doctor, start=first_free(diaz_open, number=9), length=30
    )
    clock.shift(timedelta(minutes=6))
    assert book(going_on, chen, held.start).start == held.start


def test_the_same_click_twice_books_once(
    browse: Browse, going_on: Appointment, alice: User, chen: User
) -> None:
    doctor = browse(chen)
    for _click in range(2):
        assert post(doctor, going_on, going_on.start + DAY).status_code == 302
    assert Appointment.objects.filter(follows=going_on).count() == 1
    assert kinds(alice).count("visit_booked_next") == 1


def test_it_answers_an_urgent_result(
    going_on: Appointment, chen: User, alice: User, submit: Callable[..., Analysis]
) -> None:
    follow_up = UrgentFollowUp.objects.create(analysis=done(submit(alice)), noticed_at=going_on.start - DAY)
    booked = book(going_on, chen, going_on.start + DAY)
    follow_up.refresh_from_db()
    assert follow_up.appointment == booked


def test_the_list_of_the_patient_has_it(
    browse: Browse, going_on: Appointment, alice: User, chen: User
) -> None:
    booked = book(going_on, chen, going_on.start + DAY)
    assert booked in list(browse(alice).get(reverse("appointments:visits")).context["coming"])
