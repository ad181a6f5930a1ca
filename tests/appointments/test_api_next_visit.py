"""The next visit, as apps book it: by the doctor for the patient, or by the patient."""

import datetime
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from rest_framework.test import APIClient

from accounts import relations
from accounts.models import AccessEvent, Opened, User
from appointments import booking
from appointments.models import Appointment, Schedule, Status
from tests.appointments.conftest import begin
from tests.appointments.test_api import VISITS, asked, code
from tests.appointments.test_notices import kinds
from tests.appointments.test_visit_page import suspend

App = Callable[[User], APIClient]
Visit = Callable[..., Appointment]
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


pytestmark = pytest.mark.usefixtures("clock")


def url_of(after: Appointment) -> str:
    return f"{VISITS}{after.public_id}/next/"


def book(
    app: APIClient, after: Appointment, start: datetime.datetime, length: int = 30, key: str = ""
) -> Any:
    body = {"start": start.isoformat(), "length": length}
    return app.post(url_of(after), body, format="json", headers={"Idempotency-Key": key} if key else {})


def days(start: datetime.datetime, last: datetime.datetime | None = None, **more: Any) -> dict[str, Any]:
    return {"from": str(start.date()), "to": str((last or start).date()), **more}


def free(app: APIClient, after: Appointment, **query: Any) -> list[datetime.datetime]:
    answer = app.get(url_of(after), query)
    assert answer.status_code == 200
    return [datetime.datetime.fromisoformat(slot["start"]) for slot in answer.json()["results"]]


def starts(slots: Any) -> list[datetime.datetime]:
    return [datetime.datetime.fromisoformat(slot["start"]) for slot in slots]


def wrong(answer: Any) -> set[str]:
    assert answer.status_code == 400
    return {error["field"] for error in answer.json()["errors"]}


# By the doctor


def test_a_doctor_chooses_a_time_and_books_it(
    going_on: Appointment, alice: User, chen: User, app_of: App
) -> None:
    doctor, day = app_of(chen), going_on.start + DAY
    start = free(doctor, going_on, **days(day))[0]
    answer = book(doctor, going_on, start)
    assert answer.status_code == 201
    booked = answer.json()
    assert (booked["status"], booked["length"], booked["reason"]) == ("confirmed", 30, "")
    assert (booked["follows"], booked["patient"]["id"]) == (str(going_on.public_id), str(alice.public_id))
    assert starts([booked]) == [start]
    for person in (alice, chen):
        shown = app_of(person).get(booked["url"]).json()
        assert (shown["id"], shown["follows"]) == (booked["id"], str(going_on.public_id))
        assert kinds(person)[-1] == "visit_booked_next"
    assert start not in free(doctor, going_on, **days(day))


def test_both_looks_are_written_down(going_on: Appointment, chen: User, app_of: App) -> None:
    doctor = app_of(chen)
    free(doctor, going_on, **days(going_on.start + DAY))
    booked = book(doctor, going_on, going_on.start + DAY).json()
    seen = AccessEvent.objects.filter(actor=chen, opened=Opened.VISIT).order_by("pk")
    assert [str(event.item) for event in seen] == [str(going_on.public_id), booked["id"]]


def test_times_are_those_that_the_doctor_can_give_this_patient(
    *,
    going_on: Appointment,
    alice: User,
    chen: User,
    chen_open: Schedule,
    diaz: User,
    diaz_open: Schedule,
    app_of: App,
) -> None:
    Schedule.objects.filter(pk=chen_open.pk).update(notice_hours=48)
    chen_open.rules.update(for_urgent=True)
    elsewhere = going_on.start + DAY
    booking.book(hold=booking.hold(patient=alice, doctor=diaz, start=elsewhere, length=60))
    doctor = app_of(chen)
    found = free(doctor, going_on, **days(going_on.start, going_on.start + 2 * DAY))
    tonight = going_on.start + 4 * HOUR
    assert {tonight, elsewhere - HOUR, elsewhere + HOUR} <= set(found)
    assert not {elsewhere, elsewhere + HOUR / 2} & set(found)
    assert book(doctor, going_on, tonight).status_code == 201
    assert code(book(doctor, going_on, elsewhere)) == (409, "patient_busy")


def test_a_visit_is_as_long_as_the_one_before_unless_it_is_said(
    going_on: Appointment, chen: User, chen_open: Schedule, app_of: App
) -> None:
    doctor, query = app_of(chen), days(going_on.start + DAY)

    def lengths(**more: Any) -> set[timedelta]:
        slots = doctor.get(url_of(going_on), {**query, **more}).json()["results"]
        ends = [datetime.datetime.fromisoformat(slot["end"]) for slot in slots]
        return {end - start for start, end in zip(starts(slots), ends, strict=True)}

    assert (lengths(), lengths(length=60)) == ({HOUR / 2}, {HOUR})
    Schedule.objects.filter(pk=chen_open.pk).update(lengths=[60])
    assert lengths() == {HOUR}  # the other one is not offered any more


def test_a_time_that_is_gone_is_409_with_the_next_ones(
    going_on: Appointment, bob: User, chen: User, app_of: App
) -> None:
    start, half = going_on.start + 20 * DAY, HOUR / 2
    booking.book(hold=booking.hold(patient=bob, doctor=chen, start=start, length=30))
    for key in ("", "one"):
        answer = book(app_of(chen), going_on, start, key=key)
        assert code(answer) == (409, "slot_taken")
        assert starts(answer.json()["next_free"]) == [start + half, start + 2 * half, start + 3 * half]
    assert book(app_of(chen), going_on, start + half, key="one").status_code == 201


def test_twice_books_once_with_and_without_a_key(
    going_on: Appointment, alice: User, chen: User, app_of: App
) -> None:
    doctor, start = app_of(chen), going_on.start + DAY
    for when, key in ((start, ""), (start + DAY, "one")):
        first, again = (book(doctor, going_on, when, key=key) for _ in range(2))
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json() == again.json()
    assert code(book(doctor, going_on, start + 2 * DAY, key="one")) == (422, "idempotency_mismatch")
    assert code(book(doctor, going_on, start, key="k" * 201)) == (400, "idempotency_key")
    assert Appointment.objects.filter(follows=going_on).count() == 2
    assert kinds(alice).count("visit_booked_next") == 2


def test_a_key_is_for_one_visit(
    *,
    going_on: Appointment,
    visit: Visit,
    bob: User,
    chen: User,
    app_of: App,
    clock: time_machine.Traveller,
) -> None:
    doctor, start = app_of(chen), going_on.start + DAY
    assert book(doctor, going_on, start, key="one").status_code == 201
    other = booking.check_in(appointment=begin(visit(bob), clock), by=chen)
    assert code(book(doctor, other, start, key="one")) == (422, "idempotency_mismatch")


def test_others_find_nothing_and_the_patient_may_not(
    *,
    going_on: Appointment,
    alice: User,
    bob: User,
    diaz: User,
    frey: User,
    eve: User,
    app_of: App,
) -> None:
    relations.share(patient=alice, doctor=diaz)  # to read a record is not to book in another's name
    start = going_on.start + DAY
    people = [(person, 404) for person in (bob, diaz, frey, eve)]
    for person, status in (*people, (alice, 403)):
        app = app_of(person)
        assert app.get(url_of(going_on), days(start)).status_code == status
        assert book(app, going_on, start).status_code == status
    assert APIClient().get(url_of(going_on)).status_code == 401
    assert book(APIClient(), going_on, start).status_code == 401
    assert not Appointment.objects.filter(follows=going_on).exists()


def test_only_once_the_patient_was_there(visit: Visit, alice: User, chen: User, app_of: App) -> None:
    booked, doctor = visit(alice), app_of(chen)
    for answer in (doctor.get(url_of(booked), days(booked.start)), book(doctor, booked, booked.start + DAY)):
        assert code(answer) == (409, "wrong_state")


def test_not_once_the_record_has_closed(
    going_on: Appointment, chen: User, app_of: App, clock: time_machine.Traveller
) -> None:
    booking.complete(appointment=going_on, by=chen)
    clock.shift(timedelta(days=91))
    doctor, start = app_of(chen), going_on.start + timedelta(days=92)
    for answer in (doctor.get(url_of(going_on), days(start)), book(doctor, going_on, start)):
        assert code(answer) == (409, "closed")
        assert "the record is not open to you any more" in answer.json()["detail"]


def test_not_while_the_licence_is_not_in_force(going_on: Appointment, chen: User, app_of: App) -> None:
    doctor, start = app_of(chen), going_on.start + DAY
    suspend(chen)
    for answer in (doctor.get(url_of(going_on), days(start)), book(doctor, going_on, start)):
        assert code(answer) == (403, "not_verified")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"start": "2031-03-04T12:00:00Z"}, "past"),
        ({"start": "2032-03-04T12:00:00Z"}, "horizon"),
        ({"start": "2031-03-06T12:07:00Z"}, "not_offered"),
        ({"length": 45}, "length"),
    ],
)
def test_what_the_doctor_does_not_offer_is_told(
    going_on: Appointment, chen: User, app_of: App, change: dict[str, Any], expected: str
) -> None:
    body = {"start": "2031-03-06T12:00:00Z", "length": 30, **change}
    assert code(app_of(chen).post(url_of(going_on), body, format="json")) == (400, expected)
    assert not Appointment.objects.filter(follows=going_on).exists()


def test_what_cannot_be_read_is_told(going_on: Appointment, chen: User, app_of: App) -> None:
    doctor, start = app_of(chen), (going_on.start + DAY).isoformat()
    for body, fields in (
        ({}, {"start", "length"}),
        ({"start": start[:19], "length": 30}, {"start"}),
        ({"start": start, "length": 7}, {"length"}),
    ):
        assert wrong(doctor.post(url_of(going_on), body, format="json")) == fields
    for query, fields in (
        ({}, {"from", "to"}),
        (days(going_on.start, going_on.start - DAY), {"to"}),
        (days(going_on.start, going_on.start + 62 * DAY), {"to"}),
        (days(going_on.start, length=7), {"length"}),
    ):
        assert wrong(doctor.get(url_of(going_on), query)) == fields


def test_on_days_that_are_over_or_too_far_nothing_is_free(
    going_on: Appointment, chen: User, chen_open: Schedule, app_of: App
) -> None:
    doctor = app_of(chen)
    for day in ("0001-01-01", "2031-03-04", "2031-09-01", "9999-12-31"):
        assert free(doctor, going_on, **{"from": day, "to": day}) == []
    chen_open.rules.all().delete()
    assert free(doctor, going_on, **days(going_on.start + DAY)) == []


def test_the_ends_of_the_calendar_are_refused(going_on: Appointment, chen: User, app_of: App) -> None:
    doctor = app_of(chen)
    for start, why in (("9999-12-31T23:59:00Z", "horizon"), ("0001-01-01T00:00:00Z", "past")):
        answer = doctor.post(url_of(going_on), {"start": start, "length": 60}, format="json")
        assert code(answer) == (400, why)


# By the patient


def test_a_patient_books_what_follows_a_visit(
    *, going_on: Appointment, alice: User, chen: User, chen_open: Schedule, app_of: App
) -> None:
    app, follows = app_of(alice), str(going_on.public_id)
    booked = app.post(VISITS, asked(chen_open, 4, follows=follows), format="json")
    assert (booked.status_code, booked.json()["follows"]) == (201, follows)
    held = app.post(VISITS, asked(chen_open, 9, hold=True, follows=follows), format="json").json()
    assert (held["status"], held["follows"]) == ("held", follows)
    later = app.post(VISITS, {"appointment": held["id"]}, format="json").json()
    assert (later["status"], later["follows"]) == ("confirmed", follows)
    alone = app.post(VISITS, asked(chen_open, 14), format="json").json()
    assert alone["follows"] is None
    assert app_of(chen).get(later["url"]).json()["follows"] == follows
    assert Appointment.objects.filter(follows=going_on, status=Status.CONFIRMED).count() == 2


def test_a_visit_follows_one_of_one_s_own_with_that_doctor(
    *,
    going_on: Appointment,
    visit: Visit,
    alice: User,
    bob: User,
    chen_open: Schedule,
    diaz_open: Schedule,
    app_of: App,
) -> None:
    app, theirs = app_of(alice), visit(bob, number=9)
    for schedule, follows in (
        (chen_open, theirs.public_id),
        (chen_open, uuid4()),
        (diaz_open, going_on.public_id),
    ):
        answer = app.post(VISITS, asked(schedule, 4, follows=str(follows)), format="json")
        assert code(answer) == (400, "not_yours")
        assert answer.json()["detail"] == "This visit does not follow from one of yours here."
    for name in ("one", None):
        assert wrong(app.post(VISITS, asked(chen_open, 4, follows=name), format="json")) == {"follows"}
    held = app.post(VISITS, asked(chen_open, 4, hold=True), format="json").json()
    both = {"appointment": held["id"], "follows": str(going_on.public_id)}
    assert wrong(app.post(VISITS, both, format="json")) == {"appointment"}
    assert not Appointment.objects.filter(follows__isnull=False).exists()
