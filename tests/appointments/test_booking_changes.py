"""Moving a visit and calling it off, by the patient and by the doctor."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import NoReverseMatch, reverse

from accounts import erasure
from accounts.models import AccessEvent, DoctorApplication, User
from appointments import booking
from appointments.models import Appointment, Schedule, Status, WeeklyRule
from tests.appointments.conftest import first_free
from tests.test_pages import text

Browse = Callable[[User], Any]  # a Client; of its answers more is asked than its type knows
Book = Callable[..., Appointment]
NOW = datetime.datetime(2026, 11, 30, 8, 29, tzinfo=datetime.UTC)
SOON = datetime.timedelta(hours=1)


@pytest.fixture(autouse=True)
def _now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture(autouse=True)
def _visit_page() -> None:
    """These pages lead to the page of the visit."""
    try:
        reverse("appointments:visit", args=["00000000-0000-0000-0000-000000000000"])
    except NoReverseMatch:
        pytest.skip("There is no page of a visit here.")


@pytest.fixture
def booked(alice: User, visit: Book) -> Appointment:
    return visit(alice)


def page_of(name: str, visit: Appointment) -> str:
    return reverse(f"appointments:{name}", args=[visit.public_id])


def move(client: Client, visit: Appointment, start: datetime.datetime, length: int = 30) -> Any:
    return client.post(page_of("move", visit), {"start": start.isoformat(), "length": length})


# Who may


@pytest.mark.parametrize("name", ["move", "cancel"])
@pytest.mark.parametrize(
    ("who", "status"), [("alice", 200), ("chen", 200), ("bob", 404), ("diaz", 404), ("eve", 404)]
)
def test_the_two_who_meet_and_nobody_else(
    *, name: str, who: str, status: int, booked: Appointment, browse: Browse, request: pytest.FixtureRequest
) -> None:
    client = browse(request.getfixturevalue(who))
    assert client.get(page_of(name, booked)).status_code == status
    if status == 404:
        assert client.post(page_of(name, booked)).status_code == 404
    assert AccessEvent.objects.filter(patient=booked.patient).exists() == (who == "chen")


@pytest.mark.parametrize("name", ["move", "cancel"])
def test_a_visitor_signs_in_first(name: str, booked: Appointment) -> None:
    assert Client().get(page_of(name, booked)).status_code == 302
    assert Client().post(page_of(name, booked)).status_code == 302


@pytest.mark.parametrize("name", ["move", "cancel"])
def test_a_hold_is_booked_first(
    name: str, alice: User, chen: User, chen_open: Schedule, browse: Browse
) -> None:
    held = booking.hold(patient=alice, doctor=chen, start=first_free(chen_open), length=30)
    assert browse(alice).get(page_of(name, held)).url == page_of("book", held)
    assert browse(chen).get(page_of(name, held)).status_code == 404


# Moving


@pytest.mark.parametrize("who", ["alice", "chen"])
def test_both_move_a_visit(
    who: str, booked: Appointment, browse: Browse, request: pytest.FixtureRequest
) -> None:
    before = booked.start
    client = browse(request.getfixturevalue(who))
    page = client.get(page_of("move", booked))
    assert "Monday, Nov. 30, 2026" in text(page)
    assert ("Mei Chen" if who == "alice" else "Alice Sommer") in text(page)
    answer = move(client, booked, before + SOON)
    assert (answer.status_code, answer.url) == (302, booked.get_absolute_url())
    booked.refresh_from_db()
    assert (booked.start, booked.status, booked.sequence) == (before + SOON, Status.CONFIRMED, 1)


def test_onto_a_time_that_overlaps_its_own(alice: User, booked: Appointment, browse: Browse) -> None:
    client = browse(alice)
    page = client.get(page_of("move", booked) + "?length=60").content.decode()
    assert f'value="{booked.start.isoformat()}"' in page
    assert move(client, booked, booked.start, length=60).status_code == 302
    booked.refresh_from_db()
    assert booked.minutes == 60


def test_the_old_time_is_kept_when_the_new_one_is_gone(
    alice: User, bob: User, booked: Appointment, visit: Book, browse: Browse
) -> None:
    start = booked.start
    other = visit(bob, 8)
    answer = move(browse(alice), booked, other.start)
    assert answer.status_code == 409
    assert "This time has just been taken." in text(answer)
    assert "These are the next free times:" in text(answer)
    booked.refresh_from_db()
    assert (booked.start, booked.status) == (start, Status.CONFIRMED)


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"start": ""}, "Choose one of the times."),
        ({"start": "x"}, "This time cannot be read."),
        ({"start": "2026-11-29T10:00:00+00:00"}, "This time lies in the past."),
        ({"length": "45"}, "no visits of this length"),
    ],
)
def test_each_bad_time_has_its_sentence(
    sent: dict[str, str], sentence: str, alice: User, booked: Appointment, browse: Browse
) -> None:
    good = {"start": (booked.start + SOON).isoformat(), "length": "30"}
    answer = browse(alice).post(page_of("move", booked), good | sent)
    assert answer.status_code == 422
    assert sentence in text(answer)


def test_where_the_doctor_confirms_by_hand_a_patient_asks_anew(
    alice: User, chen: User, booked: Appointment, browse: Browse
) -> None:
    Schedule.objects.update(confirms_by_hand=True)
    assert "the new time is requested anew" in text(browse(alice).get(page_of("move", booked)))
    move(browse(chen), booked, booked.start + SOON)
    booked.refresh_from_db()
    assert booked.status == Status.CONFIRMED
    move(browse(alice), booked, booked.start + SOON)
    booked.refresh_from_db()
    assert booked.status == Status.REQUESTED


def test_a_doctor_may_use_what_is_kept_for_urgent_cases(
    alice: User, chen: User, booked: Appointment, browse: Browse
) -> None:
    tomorrow = datetime.datetime(2026, 12, 1, 12, tzinfo=datetime.UTC)
    WeeklyRule.objects.update(for_urgent=True)
    Schedule.objects.update(release_hours=0)
    assert move(browse(alice), booked, tomorrow).status_code == 422
    assert "kept for urgent cases" in text(browse(chen).get(page_of("move", booked) + "?day=2026-12-01"))
    assert move(browse(chen), booked, tomorrow).status_code == 302


def test_the_late_rule_is_told_before_moving(alice: User, booked: Appointment, browse: Browse) -> None:
    assert "If you cancel now, that is marked as late." in text(browse(alice).get(page_of("move", booked)))
    Schedule.objects.update(cancel_hours=1)
    assert "until Monday, Nov. 30, 2026, 09:30" in text(browse(alice).get(page_of("move", booked)))


def test_what_has_begun_stays(alice: User, booked: Appointment, browse: Browse) -> None:
    with time_machine.travel(booked.start + datetime.timedelta(minutes=1), tick=False):
        client = browse(alice)
        for name in ("move", "cancel"):
            assert "has begun and cannot be" in text(client.get(page_of(name, booked)))
        assert move(client, booked, booked.start + SOON).status_code == 422
        answer = client.post(page_of("cancel", booked), {"reason": ""})
        assert (answer.status_code, "has begun and cannot be cancelled" in text(answer)) == (422, True)


def test_what_is_called_off_is_not_moved(alice: User, booked: Appointment, browse: Browse) -> None:
    start = booked.start
    booking.cancel(appointment=booked, by=alice)
    page = text(browse(alice).get(page_of("move", booked)))
    assert "the visit is “Cancelled by the patient”" in page
    answer = move(browse(alice), booked, start + SOON)
    assert (answer.status_code, "Cancelled by the patient" in text(answer)) == (422, True)


def test_a_doctor_who_may_not_practise_is_not_moved_to(
    alice: User, booked: Appointment, browse: Browse
) -> None:
    DoctorApplication.objects.update(licence_expires_on=datetime.date(2026, 1, 1))
    page = browse(alice).get(page_of("move", booked))
    assert "cannot be booked at present" in text(page)
    assert move(browse(alice), booked, booked.start + SOON).status_code == 422


# Calling it off


def test_a_patient_cancels_without_a_reason(alice: User, booked: Appointment, browse: Browse) -> None:
    Schedule.objects.update(cancel_hours=1)
    client = browse(alice)
    assert "Until Monday, Nov. 30, 2026, 09:30 you can cancel without any mark." in text(
        client.get(page_of("cancel", booked))
    )
    answer = client.post(page_of("cancel", booked), {"reason": ""})
    assert (answer.status_code, answer.url) == (302, booked.get_absolute_url())
    booked.refresh_from_db()
    assert (booked.status, booked.late) == (Status.CANCELLED_BY_PATIENT, False)


def test_late_is_told_before_it_is_marked(alice: User, booked: Appointment, browse: Browse) -> None:
    client = browse(alice)
    page = text(client.get(page_of("cancel", booked)))
    assert "begins in less than 24 hours. If you cancel now, it is marked as cancelled late." in page
    client.post(page_of("cancel", booked), {"reason": "I am ill"})
    booked.refresh_from_db()
    assert (booked.late, booked.ended_because) == (True, "I am ill")


def test_a_doctor_says_why(chen: User, booked: Appointment, browse: Browse) -> None:
    client = browse(chen)
    page = text(client.get(page_of("cancel", booked)))
    assert "marked" not in page
    for reason in ("", "   "):
        answer = client.post(page_of("cancel", booked), {"reason": reason})
        assert answer.status_code == 422
        assert "Say why: the patient reads it." in text(answer)
    assert client.post(page_of("cancel", booked), {"reason": "Fire in the house"}).status_code == 302
    booked.refresh_from_db()
    assert booked.status == Status.CANCELLED_BY_DOCTOR
    assert (booked.late, booked.ended_because) == (False, "Fire in the house")


def test_a_request_is_declined_by_its_doctor(
    alice: User, chen: User, chen_open: Schedule, visit: Book, browse: Browse
) -> None:
    Schedule.objects.update(confirms_by_hand=True)
    requested = visit(alice)
    assert requested.status == Status.REQUESTED
    browse(chen).post(page_of("cancel", requested), {"reason": "Not my field"})
    requested.refresh_from_db()
    assert requested.status == Status.DECLINED


def test_cancelling_twice_is_a_sentence(alice: User, booked: Appointment, browse: Browse) -> None:
    client = browse(alice)
    client.post(page_of("cancel", booked), {"reason": ""})
    answer = client.post(page_of("cancel", booked), {"reason": ""})
    assert answer.status_code == 422
    assert "This cannot be done now: the visit is “Cancelled by the patient”." in text(answer)
    assert "This visit cannot be cancelled" in text(client.get(page_of("cancel", booked)))


# A doctor who has left


def test_the_visits_of_an_erased_doctor_can_be_looked_at(
    *, alice: User, chen: User, chen_open: Schedule, booked: Appointment, browse: Browse
) -> None:
    held = booking.hold(patient=alice, doctor=chen, start=first_free(chen_open, number=9), length=30)
    erasure.erase(person=User.objects.get(pk=chen.pk))
    client = browse(alice)
    for name in ("move", "cancel"):
        page = client.get(page_of(name, booked))
        assert (page.status_code, "Erased account" in text(page)) == (200, True)
        assert "the visit is “Cancelled by the doctor”" in text(page)
        assert client.post(page_of(name, booked)).status_code == 422
    page = client.get(page_of("book", held))
    assert (page.status_code, "Erased account" in text(page)) == (200, True)
    assert "This time is not kept for you any more" in text(page)
    answer = client.post(page_of("book", held), {"start": held.start.isoformat()})
    assert (answer.status_code, "cannot be booked at present" in text(answer)) == (422, True)
