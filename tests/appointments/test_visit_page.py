"""The page of a visit: who sees what on it, and what they can do."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AccessEvent, ApplicationStatus, DoctorApplication, Opened, User
from appointments import booking, visits
from appointments.models import Appointment, Place, Schedule, Status
from diagnosis.models import Analysis
from tests.appointments.conftest import begin

Browse = Callable[[User], Client]
Booked = Callable[..., Appointment]


pytestmark = pytest.mark.usefixtures("clock")


def page_of(appointment: Appointment, name: str = "visit", *more: object) -> str:
    return reverse(f"appointments:{name}", args=[appointment.public_id, *more])


def text_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


def suspend(doctor: User) -> None:
    application = DoctorApplication.objects.get(doctor=doctor)
    assert application.move(ApplicationStatus.SUSPENDED, by=None, reason="Asked for")


# Who sees it


def test_nobody_but_the_two_sees_a_visit(
    *, browse: Browse, visit: Booked, alice: User, bob: User, chen: User, diaz: User, frey: User, eve: User
) -> None:
    booked = visit(alice, reason="It itches")
    address = page_of(booked)
    for person in (alice, chen):
        assert "It itches" in text_of(browse(person).get(address))
    for person in (bob, diaz, frey, eve):
        assert browse(person).get(address).status_code == 404
    answer = Client().get(address)
    assert (answer.status_code, "/login/" in answer.headers["Location"]) == (302, True)


POSTS = ("confirm", "decline", "check-in", "complete", "no-show", "note", "files", "rating", "photo")


@pytest.mark.parametrize("name", POSTS)
def test_nobody_else_does_anything_with_it(
    *,
    name: str,
    browse: Browse,
    visit: Booked,
    alice: User,
    bob: User,
    diaz: User,
    frey: User,
    eve: User,
    chen: User,
) -> None:
    address = page_of(visit(alice), name)
    for person in (bob, diaz, frey):
        assert browse(person).post(address).status_code == 404
    assert browse(eve).post(address).status_code == (403 if name == "files" else 404)
    assert Client().post(address).status_code == 302
    own = {"files", "rating"}
    assert browse(alice).post(address).status_code == (403 if name not in own else 422)
    if name == "rating":
        assert browse(chen).post(address).status_code == 403


def test_a_look_of_the_doctor_is_written_down(browse: Browse, visit: Booked, alice: User, chen: User) -> None:
    booked = visit(alice)
    browse(alice).get(page_of(booked))
    assert not AccessEvent.objects.exists()
    browse(chen).get(page_of(booked))
    event = AccessEvent.objects.get()
    assert (event.actor, event.patient, event.opened, event.item, event.relation) == (
        chen,
        alice,
        Opened.VISIT,
        booked.public_id,
        booked.relation,
    )
    assert "a visit" in text_of(browse(alice).get(reverse("accounts:accesses")))


def test_the_doctor_sees_the_pictures_and_the_record(
    browse: Browse, visit: Booked, submit: Callable[..., Analysis], alice: User, chen: User
) -> None:
    analysis = submit(alice)
    booked = visit(alice, analyses=[analysis.public_id])
    shown = text_of(browse(chen).get(page_of(booked)))
    assert reverse("diagnosis:image", args=[analysis.public_id]) in shown
    assert reverse("diagnosis:patient", args=[alice.public_id]) in shown
    image = browse(chen).get(reverse("diagnosis:image", args=[analysis.public_id]))
    assert image.getvalue().startswith(b"\x89PNG")


def test_what_is_called_off_closes_words_and_pictures(
    browse: Browse, visit: Booked, submit: Callable[..., Analysis], alice: User, chen: User
) -> None:
    analysis = submit(alice)
    booked = visit(alice, reason="It itches", analyses=[analysis.public_id])
    booking.cancel(appointment=booked, by=alice)
    shown = text_of(browse(chen).get(page_of(booked)))
    assert "It itches" not in shown
    assert str(analysis.public_id) not in shown
    assert "not open to you now" in shown
    assert "It itches" in text_of(browse(alice).get(page_of(booked)))


def test_of_a_suspended_doctor_both_are_told(browse: Browse, visit: Booked, alice: User, chen: User) -> None:
    booked = visit(alice, reason="It itches")
    suspend(chen)
    Appointment.objects.filter(pk=booked.pk).update(flagged="doctor_stopped")
    assert "This visit may not take place" in text_of(browse(alice).get(page_of(booked)))
    shown = text_of(browse(chen).get(page_of(booked)))
    assert "You may not practise at present" in shown
    assert "move it" not in shown  # moving is refused
    assert "It itches" not in shown


# When and where


def test_times_are_shown_on_both_clocks(browse: Browse, visit: Booked, alice: User, chen: User) -> None:
    User.objects.filter(pk=chen.pk).update(time_zone="America/New_York")
    booked = visit(alice)  # Alice reads UTC
    shown = text_of(browse(alice).get(page_of(booked)))
    assert f"{booked.start:%H:%M}&ndash;{booked.end:%H:%M}" in shown
    there = booked.start.astimezone(User.objects.get(pk=chen.pk).zone)
    assert f"{there:%H:%M} where " in shown
    assert "America/New York" in shown


def test_one_clock_is_shown_once(browse: Browse, visit: Booked, alice: User) -> None:
    assert " where " not in text_of(browse(alice).get(page_of(visit(alice))))


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (timedelta(days=2, hours=3), "in 2\xa0days, 3\xa0hours"),
        (timedelta(minutes=25), "in 25\xa0minutes"),
        (timedelta(seconds=20), "in less than a minute"),
        (timedelta(minutes=-5), "going on now"),
        (timedelta(minutes=-90), "1\xa0hour ago"),
    ],
)
def test_the_countdown_is_in_words(
    before: timedelta, words: str, visit: Booked, alice: User, clock: time_machine.Traveller
) -> None:
    booked = visit(alice)
    clock.move_to(booked.start - before)
    assert visits.countdown(booked) == words


def by_video(appointment: Appointment) -> Appointment:
    Appointment.objects.filter(pk=appointment.pk).update(place=Place.VIDEO)
    appointment.refresh_from_db()
    return appointment


def test_the_video_room_opens_ten_minutes_before(
    *, browse: Browse, visit: Booked, alice: User, chen: User, clock: time_machine.Traveller, settings: Any
) -> None:
    settings.DERMA_VIDEO_BASE = "https://video.example.org/rooms"
    booked = by_video(visit(alice))
    link = f"https://video.example.org/rooms/derma-{booked.room.hex}"
    moments = {
        timedelta(minutes=-11): False,
        timedelta(minutes=-10): True,
        timedelta(minutes=29): True,
        timedelta(minutes=30): False,
    }
    for person in (alice, chen):
        for moment, is_open in moments.items():
            clock.move_to(booked.start + moment)
            shown = text_of(browse(person).get(page_of(booked)))
            assert (link in shown) == is_open
            assert booked.room.hex not in shown or is_open
    clock.move_to(booked.start - timedelta(hours=2))
    opens = booked.start - timedelta(minutes=10)
    assert f"The video room opens at {opens:%H:%M}" in text_of(browse(alice).get(page_of(booked)))


def test_a_request_has_no_room_yet(
    browse: Browse, visit: Booked, alice: User, chen_open: Schedule, clock: time_machine.Traveller
) -> None:
    by_hand(chen_open)
    booked = by_video(visit(alice, number=1))
    clock.move_to(booked.start - timedelta(minutes=5))
    shown = text_of(browse(alice).get(page_of(booked)))
    assert "once the visit is confirmed" in shown
    assert booked.room.hex not in shown


def test_the_page_says_when_the_room_opens_to_scripts_and_to_people(
    browse: Browse, visit: Booked, alice: User, clock: time_machine.Traveller
) -> None:
    booked = by_video(visit(alice))
    clock.move_to(booked.start - timedelta(minutes=30))
    shown = text_of(browse(alice).get(page_of(booked)))
    assert 'data-opens="1200"' in shown
    assert f'data-room="{page_of(booked)}"' in shown
    assert "Load this page again then, and its link stands here." in shown
    assert ('data-begins="1800"' in shown, 'data-ends="3600"' in shown) == (True, True)
    clock.move_to(booked.start + timedelta(minutes=1))
    shown = text_of(browse(alice).get(page_of(booked)))
    assert ("data-opens" in shown, 'data-begins="-60"' in shown) == (False, True)


# What comes next


NOTE = re.compile(r'<a class="button (button--quiet)?" href="[^"]*/note/">')


def test_the_note_is_the_next_thing_only_when_there_is_something_to_write(
    browse: Browse, visit: Booked, alice: User, chen: User, clock: time_machine.Traveller
) -> None:
    booked = visit(alice)
    doctor = browse(chen)

    def quiet() -> bool:
        found = NOTE.search(text_of(doctor.get(page_of(booked))))
        assert found
        return bool(found[1])

    assert quiet()  # days before
    clock.move_to(booked.start - timedelta(minutes=30))
    assert quiet()
    booking.check_in(appointment=booked, by=chen)
    assert not quiet()
    begin(booked, clock)
    assert quiet()  # the visit is completed first
    booking.complete(appointment=booked, by=chen)
    assert not quiet()


# Steps


def by_hand(schedule: Schedule) -> None:
    schedule.confirms_by_hand = True
    schedule.save()


def test_a_request_is_confirmed_by_a_button(
    browse: Browse, visit: Booked, alice: User, chen: User, chen_open: Schedule
) -> None:
    by_hand(chen_open)
    booked = visit(alice)
    assert page_of(booked, "confirm") in text_of(browse(chen).get(page_of(booked)))
    assert page_of(booked, "confirm") not in text_of(browse(alice).get(page_of(booked)))
    answer = browse(chen).post(page_of(booked, "confirm"), {"next": "/day/"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/day/")
    booked.refresh_from_db()
    assert booked.status == Status.CONFIRMED


def test_nobody_is_led_elsewhere_afterwards(
    browse: Browse, visit: Booked, alice: User, chen: User, chen_open: Schedule
) -> None:
    by_hand(chen_open)
    booked = visit(alice)
    answer = browse(chen).post(page_of(booked, "confirm"), {"next": "https://elsewhere.example/"})
    assert answer.headers["Location"] == page_of(booked)


def test_declining_needs_a_reason_that_the_patient_reads(
    browse: Browse, visit: Booked, alice: User, chen: User, chen_open: Schedule
) -> None:
    by_hand(chen_open)
    booked = visit(alice)
    answer = browse(chen).post(page_of(booked, "decline"), {"reason": " "})
    assert answer.status_code == 422
    assert "Say why: the patient reads it." in text_of(answer)
    browse(chen).post(page_of(booked, "decline"), {"reason": "I am away"})
    booked.refresh_from_db()
    assert booked.status == Status.DECLINED
    shown = text_of(browse(alice).get(page_of(booked)))
    assert "I am away" in shown
    assert "Declined, by" in shown


def test_check_in_complete_and_what_happened(
    browse: Browse, visit: Booked, alice: User, chen: User, clock: time_machine.Traveller
) -> None:
    booked = visit(alice)
    clock.move_to(booked.start - timedelta(minutes=20))
    doctor = browse(chen)
    doctor.post(page_of(booked, "check-in"))
    answer = doctor.post(page_of(booked, "complete"), follow=True)
    assert "This visit has not begun yet." in text_of(answer)
    begin(booked, clock)
    doctor.post(page_of(booked, "complete"))
    booked.refresh_from_db()
    assert booked.status == Status.COMPLETED
    told = [step.words for step in visits.history(booked, alice)]
    assert [words.split(",")[0] for words in told] == ["Confirmed", "Checked in", "Completed"]
    assert told[0].endswith("by you")
    answer = doctor.post(page_of(booked, "no-show"), follow=True)
    assert "This cannot be done now" in text_of(answer)


def test_who_did_not_come_closes_the_record(
    browse: Browse, visit: Booked, alice: User, chen: User, clock: time_machine.Traveller
) -> None:
    booked = begin(visit(alice), clock)
    browse(chen).post(page_of(booked, "no-show"))
    booked.refresh_from_db()
    assert booked.status == Status.NO_SHOW
    assert not visits.is_open_to(booked, chen)


def test_a_suspended_doctor_declines_and_nothing_else(
    browse: Browse, visit: Booked, alice: User, chen: User, chen_open: Schedule
) -> None:
    by_hand(chen_open)
    booked = visit(alice)
    suspend(chen)
    doctor = browse(chen)
    answer = doctor.post(page_of(booked, "confirm"), follow=True)
    assert "Your licence is not in force at present." in text_of(answer)
    shown = text_of(doctor.get(page_of(booked)))
    assert page_of(booked, "confirm") not in shown
    doctor.post(page_of(booked, "decline"), {"reason": "My licence ran out"})
    booked.refresh_from_db()
    assert booked.status == Status.DECLINED


def test_a_move_is_told_with_the_time_before(visit: Booked, alice: User) -> None:
    booked = visit(alice)
    before = booked.start
    booking.reschedule(appointment=booked, by=alice, start=before + timedelta(hours=3))
    told = visits.history(booked, alice)[-1].words
    assert told.startswith("Moved; it was")
    assert f"{before:%H:%M}" in told


# The patient's list


def test_the_list_has_what_comes_and_what_was(
    *, browse: Browse, visit: Booked, alice: User, bob: User, chen: User, eve: User
) -> None:
    coming, gone, others = visit(alice), visit(alice, number=8), visit(bob, number=12)
    booking.cancel(appointment=gone, by=alice)
    answer = browse(alice).get(reverse("appointments:visits"))
    assert list(answer.context["coming"]) == [coming]
    assert list(answer.context["page"]) == [gone]
    assert str(others.public_id) not in text_of(answer)
    assert browse(chen).get(reverse("appointments:visits")).headers["Location"] == "/day/"
    assert browse(eve).get(reverse("appointments:visits")).status_code == 403
    assert Client().get(reverse("appointments:visits")).status_code == 302


def test_a_held_time_stands_in_the_list_until_it_runs_out(
    browse: Browse, alice: User, chen: User, chen_open: Schedule, clock: time_machine.Traveller
) -> None:
    start = timezone.now() + timedelta(days=1)
    held = booking.hold(patient=alice, doctor=chen, start=start, length=30)
    assert list(visits.coming(alice)) == [held]
    assert "It is not booked yet" in text_of(browse(alice).get(page_of(held)))
    assert browse(chen).get(page_of(held)).status_code == 404
    clock.shift(timedelta(minutes=6))
    assert not visits.coming(alice)
    assert not visits.past(alice)


def test_past_visits_come_in_pages_and_a_constant_number_of_queries(
    browse: Browse, visit: Booked, alice: User, django_assert_max_num_queries: Any
) -> None:
    client = browse(alice)
    for number in range(25):
        booked = visit(alice, number=4 + number)
        booking.cancel(appointment=booked, by=alice)
        if number == 0:
            with django_assert_max_num_queries(14) as few:
                client.get(reverse("appointments:visits"))
    with django_assert_max_num_queries(len(few)):
        answer = client.get(reverse("appointments:visits"))
    assert len(answer.context["page"]) == 20
    assert len(client.get(reverse("appointments:visits"), {"page": 2}).context["page"]) == 5
