"""Appointments for apps: the contract of each endpoint, and everybody whom it is not for."""

import datetime
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import AccessEvent, User
from appointments.models import Appointment, Schedule, ScheduleException, Status, WaitlistEntry, WeeklyRule
from diagnosis.models import Analysis
from tests.appointments.conftest import first_free

App = Callable[[User], APIClient]
VISITS = "/api/v1/appointments/"


def asked(schedule: Schedule, number: int = 0, **more: Any) -> dict[str, Any]:
    start = first_free(schedule, number=number)
    doctor = str(schedule.doctor.public_id)
    return {"doctor": doctor, "start": start.isoformat(), "length": 30, **more}


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_free_times_are_public(chen_open: Schedule, client: Any) -> None:
    today = timezone.now().date()
    url = f"/api/v1/doctors/{chen_open.doctor.public_id}/slots/"
    answer = client.get(url, {"from": today, "to": today + datetime.timedelta(days=1), "length": 60})
    assert answer.status_code == 200
    slots = answer.json()["results"]
    assert slots
    assert set(slots[0]) == {"start", "end", "place"}
    start, end = (datetime.datetime.fromisoformat(slots[0][name]) for name in ("start", "end"))
    assert end - start == datetime.timedelta(hours=1)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"from": "2030-01-02", "to": "2030-01-01"},
        {"from": "2030-01-01", "to": "2030-03-04"},
        {"from": "x", "to": "2030-01-01"},
        {"from": "2030-01-01", "to": "2030-01-02", "length": "7"},
    ],
)
def test_days_that_make_no_sense_are_refused(chen_open: Schedule, client: Any, query: dict[str, str]) -> None:
    assert client.get(f"/api/v1/doctors/{chen_open.doctor.public_id}/slots/", query).status_code == 400


def test_who_is_not_verified_has_no_times(frey: User, client: Any) -> None:
    query = {"from": "2030-01-01", "to": "2030-01-02"}
    assert client.get(f"/api/v1/doctors/{frey.public_id}/slots/", query).status_code == 404
    assert client.get(f"/api/v1/doctors/{uuid4()}/slots/", query).status_code == 404


def test_the_directory_tells_the_next_free_time(chen_open: Schedule, client: Any) -> None:
    [doctor] = client.get("/api/v1/doctors/").json()["results"]
    assert datetime.datetime.fromisoformat(doctor["next_free"]) == first_free(chen_open)


def test_a_visit_is_booked_and_read_by_both(alice: User, chen_open: Schedule, app_of: App) -> None:
    answer = app_of(alice).post(VISITS, asked(chen_open, reason="A spot"), format="json")
    assert answer.status_code == 201
    booked = answer.json()
    assert (booked["status"], booked["length"], booked["reason"]) == ("confirmed", 30, "A spot")
    for person in (alice, chen_open.doctor):
        app = app_of(person)
        assert app.get(booked["url"]).json()["id"] == booked["id"]
        assert [visit["id"] for visit in app.get(VISITS).json()["results"]] == [booked["id"]]
    assert AccessEvent.objects.filter(actor=chen_open.doctor, patient=alice).count() == 2


def test_a_hold_is_booked_by_its_id(alice: User, chen_open: Schedule, app_of: App) -> None:
    app = app_of(alice)
    held = app.post(VISITS, asked(chen_open, hold=True), format="json").json()
    assert held["status"] == "held"
    assert held["expires_at"]
    booked = app.post(VISITS, {"appointment": held["id"], "reason": "A spot"}, format="json")
    assert booked.status_code == 201
    assert (booked.json()["id"], booked.json()["status"]) == (held["id"], "confirmed")
    assert code(app.post(VISITS, {"appointment": held["id"]}, format="json")) == (409, "booked")


def test_a_hold_that_ran_out_is_told(alice: User, chen_open: Schedule, app_of: App) -> None:
    app = app_of(alice)
    held = app.post(VISITS, asked(chen_open, number=9, hold=True), format="json").json()
    with time_machine.travel(timezone.now() + datetime.timedelta(minutes=6), tick=False):
        assert code(app.post(VISITS, {"appointment": held["id"]}, format="json")) == (409, "hold_ran_out")


def test_a_time_that_is_gone_is_409_with_the_next_ones(
    alice: User, bob: User, chen_open: Schedule, app_of: App
) -> None:
    wanted = asked(chen_open)
    assert app_of(alice).post(VISITS, wanted, format="json").status_code == 201
    answer = app_of(bob).post(VISITS, wanted, format="json")
    assert code(answer) == (409, "slot_taken")
    starts = [slot["start"] for slot in answer.json()["next_free"]]
    assert len(starts) == 3
    assert wanted["start"] not in starts


def test_the_same_key_books_once(alice: User, chen_open: Schedule, app_of: App) -> None:
    app, wanted = app_of(alice), asked(chen_open)
    first, again = (
        app.post(VISITS, wanted, format="json", headers={"Idempotency-Key": "one"}) for _ in range(2)
    )
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    other = wanted | {"reason": "other"}
    refused = app.post(VISITS, other, format="json", headers={"Idempotency-Key": "one"})
    assert code(refused) == (422, "idempotency_mismatch")
    assert Appointment.objects.count() == 1


def test_impossible_bookings_have_their_sentence(  # noqa: PLR0917
    alice: User, bob: User, chen: User, frey: User, chen_open: Schedule, app_of: App, submit: Any
) -> None:
    app, wanted = app_of(alice), asked(chen_open)
    now = timezone.now()
    later = {"start": (now + datetime.timedelta(days=400)).isoformat()}
    past = {"start": (now - datetime.timedelta(days=1)).isoformat()}
    theirs: Analysis = submit(bob)
    for change, expected in (
        (past, "past"),
        (later, "horizon"),
        ({"length": 45}, "length"),
        ({"doctor": str(frey.public_id)}, "not_bookable"),
        ({"doctor": str(uuid4())}, "not_bookable"),
        ({"doctor": str(bob.public_id)}, "not_bookable"),
        ({"doctor": str(alice.public_id)}, "oneself"),
        ({"analyses": [str(theirs.public_id)]}, "not_yours"),
    ):
        answer = app.post(VISITS, wanted | change, format="json")
        assert code(answer) == (400, expected), change
        assert answer.json()["detail"]
    for body in ({}, {"appointment": str(uuid4()), "hold": True}, wanted | {"start": "soon"}):
        assert app.post(VISITS, body, format="json").status_code == 400
    assert app.post(VISITS, {"appointment": str(uuid4())}, format="json").status_code == 404
    assert not Appointment.objects.exists()


def test_notice_is_told(alice: User, chen_open: Schedule, app_of: App) -> None:
    wanted = asked(chen_open)
    Schedule.objects.update(notice_hours=24)
    assert code(app_of(alice).post(VISITS, wanted, format="json")) == (400, "notice")


def test_only_patients_book(  # noqa: PLR0917
    chen: User, diaz_open: Schedule, eve: User, app_of: App, alice: User, client: Any
) -> None:
    wanted = asked(diaz_open)
    for person in (chen, eve):
        answer = app_of(person).post(VISITS, wanted, format="json")
        assert answer.status_code == 403
        assert "Only patients book visits" in answer.json()["detail"]
    assert client.post(VISITS, wanted, content_type="application/json").status_code == 401
    bad = APIClient()
    bad.credentials(HTTP_X_SESSION_TOKEN="none")
    assert bad.get(VISITS).status_code == 401


def test_others_do_not_find_it(  # noqa: PLR0917
    alice: User,
    bob: User,
    diaz: User,
    frey: User,
    eve: User,
    visit: Callable[..., Appointment],
    app_of: App,
) -> None:
    url = f"{VISITS}{visit(alice).public_id}/"
    for person in (bob, diaz, frey, eve):
        app = app_of(person)
        assert app.get(url).status_code == 404
        assert app.get(VISITS).json()["results"] == []
        for step in ("confirm", "decline", "cancel", "check-in", "complete", "no-show"):
            assert app.post(f"{url}{step}/", {"reason": "x"}, format="json").status_code == 404


def test_a_visit_takes_its_course(
    alice: User, visit: Callable[..., Appointment], app_of: App, chen_open: Schedule
) -> None:
    booked = visit(alice)
    url = f"{VISITS}{booked.public_id}/"
    patient, doctor = app_of(alice), app_of(booked.doctor)
    assert patient.post(f"{url}check-in/").status_code == 403
    assert code(doctor.post(f"{url}confirm/")) == (409, "wrong_state")
    assert code(doctor.post(f"{url}complete/"))[0] == 409
    moved = patient.post(
        f"{url}reschedule/", {"start": first_free(chen_open, number=8).isoformat()}, format="json"
    )
    assert moved.status_code == 200
    assert moved.json()["id"] == str(booked.public_id)
    booked.refresh_from_db()
    with time_machine.travel(booked.start + datetime.timedelta(minutes=1), tick=False):
        doctor = app_of(booked.doctor)
        assert doctor.post(f"{url}check-in/").json()["status"] == "checked_in"
        assert doctor.post(f"{url}complete/").json()["status"] == "completed"
        assert code(doctor.post(f"{url}complete/")) == (409, "wrong_state")


def test_a_doctor_says_why(alice: User, visit: Callable[..., Appointment], app_of: App) -> None:
    booked = visit(alice)
    app = app_of(booked.doctor)
    url = f"{VISITS}{booked.public_id}/cancel/"
    assert app.post(url, {}, format="json").status_code == 400
    assert app.post(url, {"reason": "Ill"}, format="json").json()["status"] == "cancelled_by_doctor"
    assert code(app.post(url, {"reason": "Ill"}, format="json")) == (409, "wrong_state")


def test_a_request_is_answered(alice: User, chen_open: Schedule, app_of: App) -> None:
    Schedule.objects.update(confirms_by_hand=True)
    start = first_free(chen_open, number=6).isoformat()
    body = {"doctor": str(chen_open.doctor.public_id), "start": start, "length": 30}
    booked = app_of(alice).post(VISITS, body, format="json").json()
    assert booked["status"] == "requested"
    doctor = app_of(chen_open.doctor)
    assert doctor.post(f"{VISITS}{booked['id']}/confirm/").json()["status"] == "confirmed"


# A doctor's own hours


def test_a_week_is_replaced(chen_open: Schedule, app_of: App) -> None:
    app = app_of(chen_open.doctor)
    rule = {"weekday": 0, "begins": "09:00", "ends": "24:00", "place": "video"}
    answer = app.patch("/api/v1/me/hours/", {"rules": [rule], "notice_hours": 3}, format="json")
    assert answer.status_code == 200
    assert answer.json()["notice_hours"] == 3
    [shown] = answer.json()["rules"]
    assert (shown["begins"], shown["ends"], shown["place"]) == ("09:00", "24:00", "video")
    assert WeeklyRule.objects.get().ends == 24 * 60
    assert app.get("/api/v1/me/hours/").json() == answer.json()


@pytest.mark.parametrize(
    "body",
    [
        {"rules": [{"weekday": 0, "begins": "10:00", "ends": "09:00"}]},
        {"rules": [{"weekday": 0, "begins": "9", "ends": "10:00"}]},
        {"rules": [{"weekday": 7, "begins": "09:00", "ends": "10:00"}]},
        {"rules": [{"weekday": 0, "begins": "09:00", "ends": "10:00"}] * 2},
        {"time_zone": "Mars/Olympus"},
        {"lengths": []},
        {"lengths": [20]},
        {"horizon_days": 0},
    ],
)
def test_hours_that_make_no_sense_are_refused(chen_open: Schedule, app_of: App, body: dict[str, Any]) -> None:
    answer = app_of(chen_open.doctor).patch("/api/v1/me/hours/", body, format="json")
    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert WeeklyRule.objects.count() == 7


def test_a_day_off_over_a_visit_asks_what_becomes_of_it(
    alice: User, visit: Callable[..., Appointment], app_of: App
) -> None:
    booked = visit(alice)
    app = app_of(booked.doctor)
    url = "/api/v1/me/hours/exceptions/"
    day = booked.start.astimezone(datetime.UTC).date()
    first, last = (day + datetime.timedelta(days=shift) for shift in (-1, 1))
    first = max(first, timezone.localdate(timezone=booked.doctor.zone))
    body: dict[str, Any] = {"kind": "off", "first_day": str(first), "last_day": str(last)}
    answer = app.post(url, body, format="json")
    assert code(answer) == (409, "visits_in_the_way")
    assert answer.json()["visits"] == [str(booked.public_id)]
    assert not ScheduleException.objects.exists()
    body["decision"] = {"cancel": [str(booked.public_id)], "reason": "Holiday"}
    [added] = app.post(url, body, format="json").json()
    booked.refresh_from_db()
    assert booked.status == Status.CANCELLED_BY_DOCTOR
    assert [row["id"] for row in app.get(url).json()] == [added["id"]]
    assert app.delete(f"{url}{added['id']}/").status_code == 204
    assert app.delete(f"{url}{added['id']}/").status_code == 404


def test_hours_are_the_doctors_own(
    alice: User, diaz: User, chen_open: Schedule, eve: User, app_of: App
) -> None:
    exception = ScheduleException.objects.create(
        schedule=chen_open, kind="off", first_day="2031-01-01", last_day="2031-01-01", begins=0, ends=1440
    )
    for person in (alice, eve):
        assert app_of(person).get("/api/v1/me/hours/").status_code == 403
        assert app_of(person).post("/api/v1/me/hours/exceptions/", {}, format="json").status_code == 403
    url = f"/api/v1/me/hours/exceptions/{exception.public_id}/"
    assert app_of(diaz).delete(url).status_code == 404


# Waiting


def test_waiting_for_something_earlier(
    alice: User, bob: User, visit: Callable[..., Appointment], app_of: App, chen_open: Schedule
) -> None:
    Schedule.objects.update(notice_hours=24 * 3)
    chen_open.refresh_from_db()
    booked = visit(alice, number=0)
    app = app_of(alice)
    url = "/api/v1/me/waitlist/"
    answer = app.post(url, {"appointment": str(booked.public_id)}, format="json")
    assert answer.status_code == 201
    assert answer.json()["appointment"] == str(booked.public_id)
    one = f"{url}{answer.json()['id']}/"
    assert code(app.post(f"{one}take/")) == (409, "offer_ended")
    assert app_of(bob).delete(one).status_code == 404
    assert len(app.get(url).json()) == 1
    assert app.delete(one).status_code == 204
    assert app.get(url).json() == []
    assert app.post(url, {}, format="json").status_code == 400
    assert app_of(bob).post(url, {"appointment": str(booked.public_id)}, format="json").status_code == 404
    assert WaitlistEntry.objects.count() == 1
