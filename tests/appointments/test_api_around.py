"""What goes on around visits, for apps: the calendar address, urgent results left open, taking an offer."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import AccessEvent, Opened, User
from accounts.relations import share
from appointments import booking, feeds, follow_up
from appointments.models import (
    Appointment,
    CalendarFeed,
    Schedule,
    Status,
    UrgentFollowUp,
    WaitlistEntry,
    WaitStatus,
)
from diagnosis.models import Analysis
from tests.appointments.conftest import first_free
from tests.appointments.test_api import code
from tests.appointments.test_follow_up import done
from tests.appointments.test_visit_page import suspend
from tests.conftest import make_user

App = Callable[[User], APIClient]
Visit = Callable[..., Appointment]
Submit = Callable[..., Analysis]
CALENDAR = "/api/v1/me/calendar/"
FOLLOW_UPS = "/api/v1/follow-ups/"


# The calendar address


def read_at(address: str) -> tuple[int, str]:
    """What a calendar program that is not signed in is answered there."""
    answer = Client().get(urlsplit(address).path)
    return answer.status_code, answer.content.decode()


def test_an_address_is_told_once_and_another_takes_its_place(alice: User, visit: Visit, app_of: App) -> None:
    visit(alice)
    app = app_of(alice)
    assert app.get(CALENDAR).status_code == 404
    made = app.post(CALENDAR, format="json")
    assert made.status_code == 201
    first = made.json()["address"]
    assert "VEVENT" in read_at(first)[1]
    shown = app.get(CALENDAR).json()
    assert shown == {"with_names": False, "created_at": made.json()["created_at"]}
    second = app.post(CALENDAR, {}, format="json").json()["address"]
    assert (read_at(first)[0], read_at(second)[0]) == (404, 200)
    assert app.delete(CALENDAR).status_code == 204
    assert app.delete(CALENDAR).status_code == 204
    assert read_at(second)[0] == 404
    assert app.get(CALENDAR).status_code == 404


def test_a_doctor_chooses_whether_it_has_names(alice: User, chen: User, visit: Visit, app_of: App) -> None:
    visit(alice)
    app = app_of(chen)
    for with_names in (False, True, False):
        made = app.post(CALENDAR, {"with_names": with_names}, format="json").json()
        assert made["with_names"] == with_names
        assert (alice.name in read_at(made["address"])[1]) == with_names
        assert app.get(CALENDAR).json()["with_names"] == with_names
    named = app.post(CALENDAR, {"with_names": True}, format="json").json()["address"]
    suspend(chen)
    assert alice.name not in read_at(named)[1]


def test_names_are_for_doctors_alone(alice: User, app_of: App) -> None:
    assert app_of(alice).post(CALENDAR, {"with_names": True}, format="json").json()["with_names"] is False


def test_nobody_reaches_the_address_of_another(
    alice: User, bob: User, chen: User, eve: User, app_of: App
) -> None:
    address = feeds.make(user=alice)
    for person in (bob, chen):
        assert app_of(person).get(CALENDAR).status_code == 404
        assert app_of(person).delete(CALENDAR).status_code == 204
    for method in ("get", "post", "delete"):
        assert getattr(app_of(eve), method)(CALENDAR).status_code == 403
        assert getattr(APIClient(), method)(CALENDAR).status_code == 401
    assert read_at(address)[0] == 200
    for unsure in ("perhaps", 0, None):
        answer = app_of(bob).post(CALENDAR, {"with_names": unsure}, format="json")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "with_names")
    assert CalendarFeed.objects.count() == 1


# Urgent results that nothing has come of


@pytest.fixture
def open_loop(alice: User, submit: Submit) -> UrgentFollowUp:
    done(submit(alice))
    assert follow_up.sweep() == 1
    return UrgentFollowUp.objects.select_related("analysis").get()


@pytest.fixture
def shared(alice: User, chen: User) -> None:
    share(patient=alice, doctor=chen, items=None)


def close_url(loop: UrgentFollowUp) -> str:
    return f"{FOLLOW_UPS}{loop.analysis.public_id}/close/"


@pytest.mark.usefixtures("shared")
def test_a_doctor_reads_and_closes_what_is_open_to_them(
    open_loop: UrgentFollowUp, alice: User, chen: User, app_of: App
) -> None:
    app = app_of(chen)
    [row] = app.get(FOLLOW_UPS).json()["results"]
    assert row["patient"] == {"id": str(alice.public_id), "name": alice.name}
    assert row["analysis"] == str(open_loop.analysis.public_id)
    assert row["finished_at"] < row["noticed_at"]
    assert AccessEvent.objects.filter(actor=chen, patient=alice, opened=Opened.PATIENTS).count() == 1
    answer = app.post(close_url(open_loop), {"word": "Seen on Monday"}, format="json")
    assert answer.status_code == 204
    open_loop.refresh_from_db()
    assert (open_loop.word, open_loop.closed_by) == ("Seen on Monday", chen)
    assert app.get(FOLLOW_UPS).json()["results"] == []
    assert app.post(close_url(open_loop), {"word": "Again"}, format="json").status_code == 404


@pytest.mark.usefixtures("shared")
def test_a_word_has_to_say_something(open_loop: UrgentFollowUp, chen: User, app_of: App) -> None:
    app = app_of(chen)
    for body in ({}, {"word": ""}, {"word": "  "}):
        answer = app.post(close_url(open_loop), body, format="json")
        [error] = answer.json()["errors"]
        assert (answer.status_code, error["field"], error["code"]) == (400, "word", "word")
        assert error["detail"] == "Say why it needs no visit."
    long = app.post(close_url(open_loop), {"word": "a" * 501}, format="json")
    assert (long.status_code, long.json()["errors"][0]["field"]) == (400, "word")
    open_loop.refresh_from_db()
    assert open_loop.closed_at is None


@pytest.mark.usefixtures("shared")
def test_another_doctor_who_was_quicker_is_told(
    *, open_loop: UrgentFollowUp, alice: User, chen: User, diaz: User, app_of: App, monkeypatch: Any
) -> None:
    share(patient=alice, doctor=diaz, items=None)
    app = app_of(chen)
    follow_up.close(follow_up=open_loop, by=diaz, word="Seen")
    # As it was when the doctor's request looked.
    monkeypatch.setattr(follow_up, "open_for", lambda user: UrgentFollowUp.objects.all())
    assert code(app.post(close_url(open_loop), {"word": "Seen"}, format="json")) == (409, "closed")


def test_administrators_read_whose_it_is_and_no_result(
    open_loop: UrgentFollowUp, alice: User, eve: User, app_of: App
) -> None:
    app = app_of(eve)
    answer = app.get(FOLLOW_UPS)
    [row] = answer.json()["results"]
    assert (row["patient"]["name"], row["analysis"]) == (alice.name, None)
    assert str(open_loop.analysis.public_id) not in answer.content.decode()
    assert AccessEvent.objects.filter(actor=eve, patient=alice).count() == 1
    assert app.post(close_url(open_loop), {"word": "Seen"}, format="json").status_code == 403


def test_to_others_there_is_nothing_to_close(
    *, open_loop: UrgentFollowUp, alice: User, diaz: User, frey: User, chen: User, app_of: App
) -> None:
    for doctor in (diaz, frey, chen):
        app = app_of(doctor)
        assert app.get(FOLLOW_UPS).json()["results"] == []
        assert app.post(close_url(open_loop), {"word": "Seen"}, format="json").status_code == 404
        assert app.post(f"{FOLLOW_UPS}{uuid4()}/close/", {"word": "x"}, format="json").status_code == 404
    assert app_of(alice).get(FOLLOW_UPS).status_code == 403
    assert app_of(alice).post(close_url(open_loop), {"word": "x"}, format="json").status_code == 403
    assert APIClient().get(FOLLOW_UPS).status_code == 401
    assert APIClient().post(close_url(open_loop), {"word": "x"}, format="json").status_code == 401
    assert not AccessEvent.objects.exists()


def test_the_longest_waiting_come_first_in_pages_that_cost_the_same(
    submit: Submit, eve: User, app_of: App
) -> None:
    def wait(number: int) -> None:
        patient = make_user(f"p{number}@example.org", f"Patient {number}", consent=True)
        done(submit(patient, seed=number), days=4 + number)

    app = app_of(eve)
    wait(0)
    follow_up.sweep()
    app.get(FOLLOW_UPS)
    with CaptureQueriesContext(connection) as few:
        app.get(FOLLOW_UPS)
    for number in range(1, 22):
        wait(number)
    follow_up.sweep()
    with CaptureQueriesContext(connection) as many:
        first = app.get(FOLLOW_UPS).json()
    assert len(many) <= len(few)
    second = app.get(first["next"]).json()
    names = [row["patient"]["name"] for row in (*first["results"], *second["results"])]
    assert names == [f"Patient {number}" for number in reversed(range(22))]
    assert second["next"] is None


# Taking an offer


@pytest.fixture
def offered(alice: User, chen_open: Schedule) -> WaitlistEntry:
    """Alice waits for a first visit with Dr Chen, and a time is kept for her."""
    start = first_free(chen_open)
    held = booking.hold(patient=alice, doctor=chen_open.doctor, start=start, length=30, offered=True)
    return WaitlistEntry.objects.create(
        patient=alice,
        doctor=chen_open.doctor,
        length=30,
        before=held.end,
        status=WaitStatus.OFFERED,
        offer=held,
    )


def take_url(entry: WaitlistEntry) -> str:
    return f"/api/v1/me/waitlist/{entry.public_id}/take/"


def test_a_first_visit_is_taken_with_its_reason_and_analyses(
    offered: WaitlistEntry, alice: User, chen: User, submit: Submit, app_of: App
) -> None:
    analysis = submit(alice)
    body = {"reason": "It grows", "analyses": [str(analysis.public_id)]}
    answer = app_of(alice).post(take_url(offered), body, format="json")
    assert answer.status_code == 200
    booked = answer.json()
    assert (booked["status"], booked["reason"]) == ("confirmed", "It grows")
    assert booked["analyses"] == [str(analysis.public_id)]
    assert app_of(chen).get(booked["url"]).json()["analyses"] == booked["analyses"]


def test_analyses_of_others_are_refused_and_the_offer_stands(
    offered: WaitlistEntry, alice: User, bob: User, submit: Submit, app_of: App
) -> None:
    app = app_of(alice)
    theirs = {"analyses": [str(submit(bob).public_id)]}
    assert code(app.post(take_url(offered), theirs, format="json")) == (400, "not_yours")
    for body in ({"reason": "a" * 1001}, {"analyses": ["one"]}, {"analyses": [str(uuid4())] * 101}):
        answer = app.post(take_url(offered), body, format="json")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["field"].split(".")[0] in body
    offered.refresh_from_db()
    assert offered.status == WaitStatus.OFFERED
    assert app_of(bob).post(take_url(offered), {}, format="json").status_code == 404
    assert app.post(take_url(offered), format="json").status_code == 200
    assert code(app.post(take_url(offered), {"reason": "x"}, format="json")) == (409, "offer_ended")


def test_a_visit_that_moves_keeps_its_own_words(
    offered: WaitlistEntry, alice: User, visit: Visit, app_of: App
) -> None:
    booked = visit(alice, number=6, reason="A spot")
    WaitlistEntry.objects.filter(pk=offered.pk).update(appointment=booked, before=booked.start)
    answer = app_of(alice).post(take_url(offered), {"reason": "Another"}, format="json").json()
    assert (answer["id"], answer["reason"]) == (str(booked.public_id), "A spot")
    assert Appointment.objects.get(pk=booked.pk).status == Status.CONFIRMED
    assert timezone.now() - timedelta(days=1) < Appointment.objects.get(pk=booked.pk).start < booked.start


def test_an_offer_that_is_booked_by_its_id_is_taken(
    offered: WaitlistEntry, alice: User, visit: Visit, app_of: App
) -> None:
    app, booked = app_of(alice), visit(alice, number=6, reason="A spot")
    WaitlistEntry.objects.filter(pk=offered.pk).update(appointment=booked, before=booked.start)
    assert offered.offer
    body = {"appointment": str(offered.offer.public_id)}
    answer = app.post("/api/v1/appointments/", body, format="json")
    assert (answer.status_code, answer.json()["id"]) == (201, str(booked.public_id))
    assert Appointment.objects.occupying().get(patient=alice).start == offered.offer.start
    offered.refresh_from_db()
    assert offered.status == WaitStatus.TAKEN
    assert code(app.post("/api/v1/appointments/", body, format="json")) == (409, "hold_ran_out")
