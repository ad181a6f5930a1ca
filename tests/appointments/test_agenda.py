"""A doctor's day and week, and what the home pages say of visits."""

import datetime
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AccessEvent, Opened, User
from appointments import agenda, booking
from appointments.models import Appointment, Schedule, Status
from tests.appointments.conftest import NOON
from tests.appointments.test_visit_page import Booked, Browse, by_hand, page_of, suspend, text_of

DAY, WEEK = "/day/", "/week/"


pytestmark = pytest.mark.usefixtures("clock")


@pytest.mark.parametrize("address", [DAY, WEEK])
def test_days_are_for_doctors(
    *, address: str, browse: Browse, alice: User, chen: User, frey: User, eve: User
) -> None:
    for person, status in ((alice, 403), (eve, 403), (chen, 200), (frey, 200)):
        assert browse(person).get(address).status_code == status
    assert Client().get(address).status_code == 302


@pytest.mark.parametrize("address", [DAY, WEEK])
def test_a_doctor_sees_own_visits_and_each_look_is_logged(
    *, address: str, browse: Browse, visit: Booked, alice: User, chen: User, diaz: User
) -> None:
    booked = visit(alice)
    assert booked.get_absolute_url() in text_of(browse(chen).get(address))
    assert AccessEvent.objects.filter(actor=chen, patient=alice, opened=Opened.PATIENTS).count() == 1
    assert alice.name not in text_of(browse(diaz).get(address))
    assert not AccessEvent.objects.filter(actor=diaz).exists()


def test_the_next_visit_stands_open_and_is_logged_as_a_look(
    *, browse: Browse, visit: Booked, alice: User, bob: User, chen: User, clock: time_machine.Traveller
) -> None:
    first, second = visit(alice, number=2, reason="It itches"), visit(bob, number=6, reason="It grows")
    answer = browse(chen).get(DAY)
    assert answer.context["next"] == first
    assert "It itches" in text_of(answer)
    assert "It grows" not in text_of(answer)
    assert AccessEvent.objects.get(opened=Opened.VISIT).item == first.public_id
    clock.move_to(first.end)
    answer = browse(chen).get(DAY)
    assert (answer.context["next"], "It itches" in text_of(answer)) == (second, False)


def test_requests_wait_beside_the_day_and_are_confirmed_there(
    browse: Browse, visit: Booked, alice: User, chen: User, chen_open: Schedule
) -> None:
    by_hand(chen_open)
    booked = visit(alice, number=60)  # on another day
    doctor = browse(chen)
    assert page_of(booked, "confirm") in text_of(doctor.get(DAY))
    assert page_of(booked, "confirm") in text_of(doctor.get(reverse("home")))
    doctor.post(page_of(booked, "confirm"), {"next": DAY})
    assert "Nobody waits for your answer." in text_of(doctor.get(DAY))


def test_an_empty_day_leads_to_the_next_visit(
    browse: Browse, visit: Booked, alice: User, chen: User, diaz: User
) -> None:
    booked = visit(alice, number=60)  # on another day
    address = f"?day={timezone.localdate(booked.start, chen.zone)}"
    answer = browse(chen).get(DAY)
    assert address in text_of(answer)
    assert alice.name not in text_of(answer)
    assert "The next visit is on" not in text_of(browse(diaz).get(DAY))
    booking.cancel(appointment=booked, by=alice)
    assert "The next visit is on" not in text_of(browse(chen).get(DAY))


def test_what_was_called_off_is_not_planned_with(visit: Booked, alice: User, chen: User) -> None:
    booked = visit(alice)
    day = NOON.date()
    assert [shown.visits for shown in agenda.days(chen, day, 1)] == [[booked]]
    booking.cancel(appointment=booked, by=alice)
    assert [shown.visits for shown in agenda.days(chen, day, 1)] == [[]]


def test_a_day_is_one_of_the_doctor_s_clock(visit: Booked, alice: User, chen: User) -> None:
    booked = visit(alice)
    start = datetime.datetime(2031, 3, 6, 2, 0, tzinfo=datetime.UTC)  # the evening before in New York
    Appointment.objects.filter(pk=booked.pk).update(
        start=start,
        end=start + timedelta(minutes=30),
        blocked_from=start,
        blocked_until=start + timedelta(hours=1),
    )
    chen.time_zone = "America/New_York"
    days = agenda.days(chen, datetime.date(2031, 3, 5), 2)
    assert [len(shown.visits) for shown in days] == [1, 0]


def test_a_suspended_doctor_reads_no_reason(browse: Browse, visit: Booked, alice: User, chen: User) -> None:
    visit(alice, reason="It itches")
    suspend(chen)
    shown = text_of(browse(chen).get(DAY))
    assert "Your licence comes first" in shown
    assert "It itches" not in shown


@pytest.mark.parametrize("asked", ["", "nonsense", "2031-02-30", "9999-12-31", "0001-01-01"])
def test_a_day_that_does_not_exist_is_today(asked: str, browse: Browse, chen: User) -> None:
    for address in (DAY, WEEK):
        assert browse(chen).get(address, {"day": asked}).status_code == 200
    assert browse(chen).get(DAY, {"day": asked}).context["day"].day == NOON.date()


def test_a_week_runs_from_monday_to_sunday(browse: Browse, chen: User) -> None:
    days = browse(chen).get(WEEK, {"day": "2031-03-05"}).context["days"]
    assert (days[0].day, days[-1].day) == (datetime.date(2031, 3, 3), datetime.date(2031, 3, 9))


@pytest.mark.parametrize("address", [DAY, WEEK, "/"])
def test_the_number_of_queries_does_not_grow(
    *,
    address: str,
    browse: Browse,
    visit: Booked,
    alice: User,
    bob: User,
    chen: User,
    django_assert_max_num_queries: Any,
) -> None:
    client = browse(chen)
    visit(alice, number=2)
    client.get(address)
    with django_assert_max_num_queries(40) as few:
        client.get(address)
    for number in range(6):
        visit(bob if number % 2 else alice, number=3 + number)
    with django_assert_max_num_queries(len(few)):
        client.get(address)


# Home


def test_the_patient_s_home_has_the_next_visit(browse: Browse, visit: Booked, alice: User) -> None:
    visit(alice, number=9)
    following = visit(alice, number=4)
    answer = browse(alice).get(reverse("home"))
    assert answer.context["next"] == following
    assert "Your next visit" in text_of(answer)


def test_the_doctor_s_home_has_today(browse: Browse, visit: Booked, alice: User, chen: User) -> None:
    booked = visit(alice)
    assert booked.get_absolute_url() in text_of(browse(chen).get(reverse("home")))


def test_places_lead_to_visits_and_to_the_day(browse: Browse, alice: User, chen: User, eve: User) -> None:
    for person, address, there in ((alice, "/visits/", True), (chen, DAY, True), (eve, DAY, False)):
        shown = text_of(browse(person).get(reverse("home")))
        assert (f'href="{address}"' in shown) == there
        places = shown.split('class="places"')[1].split("</nav>")[0]
        assert 3 <= places.count("<li>") <= 5


def test_statuses_that_are_shown_are_those_that_occupy_time() -> None:
    assert set(agenda.SHOWN) < set(Status)
    assert Status.HELD not in agenda.SHOWN
