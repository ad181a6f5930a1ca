"""The API at its edges: what no client means, and what a closed record no longer says."""

import datetime
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import AccessEvent, ApplicationStatus, DoctorApplication, Opened, User
from appointments import booking
from appointments.models import Appointment, Schedule, Status, WaitlistEntry, WaitStatus, WeeklyRule
from diagnosis import jobs
from diagnosis.models import Analysis
from ml_models.taxonomy import Urgency
from tests.appointments.conftest import first_free
from tests.appointments.test_api import VISITS, asked, code
from tests.conftest import assessment

App = Callable[[User], APIClient]
Visit = Callable[..., Appointment]
HOURS = "/api/v1/me/hours/"


def slots_of(schedule: Schedule) -> str:
    return f"/api/v1/doctors/{schedule.doctor.public_id}/slots/"


def finished(analysis: Analysis, urgency: Urgency) -> Analysis:
    claimed = jobs.claim(analysis.pk)
    assert claimed
    assert jobs.complete(claimed, assessment(urgency=urgency))
    return claimed


# Free times


@pytest.mark.parametrize(
    "days", [("0001-01-01", "0001-01-02"), ("9999-12-30", "9999-12-31"), ("1969-12-31", "1970-01-01")]
)
def test_days_without_end_are_no_failure(
    chen_open: Schedule, alice: User, app_of: App, days: tuple[str, str]
) -> None:
    alice.time_zone = "Pacific/Kiritimati"
    alice.save()
    for client in (APIClient(), app_of(alice)):
        answer = client.get(slots_of(chen_open), {"from": days[0], "to": days[1]})
        assert (answer.status_code, answer.json()) == (200, {"results": []})


def test_days_are_those_of_who_asks_and_both_ends_count(
    chen_open: Schedule, alice: User, app_of: App
) -> None:
    alice.time_zone = "Asia/Tokyo"
    alice.save()
    first = timezone.now().date() + timedelta(days=10)
    query: dict[str, Any] = {"from": first, "to": first + timedelta(days=1), "length": "30"}
    for client, zone in ((APIClient(), datetime.UTC), (app_of(alice), alice.zone)):
        found = client.get(slots_of(chen_open), query).json()["results"]
        days = {datetime.datetime.fromisoformat(one["start"]).astimezone(zone).date() for one in found}
        assert days == {first, first + timedelta(days=1)}


@pytest.mark.parametrize("urgency", [Urgency.URGENT, Urgency.ROUTINE])
def test_only_an_urgent_result_of_ones_own_opens_what_is_kept(
    *, chen_open: Schedule, alice: User, bob: User, app_of: App, submit: Any, urgency: Urgency
) -> None:
    WeeklyRule.objects.update(for_urgent=True)
    Schedule.objects.update(release_hours=0)
    analysis = finished(submit(alice), urgency)
    day = timezone.now().date() + timedelta(days=5)
    query: dict[str, Any] = {"from": day, "to": day, "length": 30}
    with_result = query | {"analysis": str(analysis.public_id)}
    opened = app_of(alice).get(slots_of(chen_open), with_result).json()["results"]
    assert bool(opened) == (urgency == Urgency.URGENT)
    closed = ((alice, query), (bob, with_result), (chen_open.doctor, with_result))
    for who, asks in closed:
        assert app_of(who).get(slots_of(chen_open), asks).json()["results"] == []
    assert APIClient().get(slots_of(chen_open), with_result).json()["results"] == []
    if opened:
        body = {"doctor": str(chen_open.doctor.public_id), "start": opened[0]["start"], "length": 30}
        refused = app_of(alice).post(VISITS, body, format="json")
        assert code(refused) == (400, "not_offered")
        body["analyses"] = [str(analysis.public_id)]
        booked = app_of(alice).post(VISITS, body, format="json")
        assert (booked.status_code, booked.json()["urgent"]) == (201, True)


def test_what_one_has_elsewhere_is_not_free(
    alice: User, chen_open: Schedule, diaz_open: Schedule, visit: Visit, app_of: App
) -> None:
    booked = visit(alice)
    day = booked.start.date()
    for client, free in ((APIClient(), True), (app_of(alice), False)):
        asked = {"from": str(day), "to": str(day), "length": "30"}
        found = client.get(slots_of(diaz_open), asked).json()["results"]
        starts = {datetime.datetime.fromisoformat(one["start"]) for one in found}
        assert (booked.start in starts) == free


# Booking


@pytest.mark.parametrize("start", ["2031-01-01T10:00", "2031-01-01", "0001-01-01T00:00:00", "soon", 5, None])
def test_a_time_without_its_zone_is_refused(
    alice: User, chen_open: Schedule, app_of: App, start: object
) -> None:
    answer = app_of(alice).post(VISITS, {**asked(chen_open), "start": start}, format="json")
    assert code(answer) == (400, "invalid")
    assert [error["field"] for error in answer.json()["errors"]] == ["start"]
    assert not Appointment.objects.exists()


@pytest.mark.parametrize(
    "start", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z"]
)
def test_a_time_that_no_calendar_has_is_refused(
    alice: User, chen_open: Schedule, visit: Visit, app_of: App, start: str
) -> None:
    app = app_of(alice)
    assert app.post(VISITS, {**asked(chen_open), "start": start}, format="json").status_code == 400
    booked = visit(alice)
    moved = app.post(f"{VISITS}{booked.public_id}/reschedule/", {"start": start}, format="json")
    assert moved.status_code == 400


def test_the_same_key_answers_alike_even_later(alice: User, chen_open: Schedule, app_of: App) -> None:
    app, body = app_of(alice), asked(chen_open, reason="A spot")
    first = app.post(VISITS, body, format="json", headers={"Idempotency-Key": "k"})
    again = app.post(VISITS, body, format="json", headers={"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    other = app.post(VISITS, {**body, "reason": "Two"}, format="json", headers={"Idempotency-Key": "k"})
    assert code(other) == (422, "idempotency_mismatch")
    long = app.post(VISITS, body, format="json", headers={"Idempotency-Key": "k" * 201})
    assert code(long) == (400, "idempotency_key")
    assert Appointment.objects.count() == 1


def test_the_key_of_somebody_else_is_another(
    alice: User, bob: User, chen_open: Schedule, app_of: App
) -> None:
    for number, who in enumerate((alice, bob)):
        body = asked(chen_open, number)
        answer = app_of(who).post(VISITS, body, format="json", headers={"Idempotency-Key": "k"})
        assert answer.status_code == 201
    assert Appointment.objects.count() == 2


def test_nobody_books_the_hold_of_somebody_else(
    alice: User, bob: User, chen_open: Schedule, app_of: App
) -> None:
    held = app_of(alice).post(VISITS, asked(chen_open, hold=True), format="json").json()
    for who in (bob, chen_open.doctor):
        answer = app_of(who).post(VISITS, {"appointment": held["id"]}, format="json")
        assert answer.status_code == (404 if who == bob else 403)
    assert app_of(chen_open.doctor).get(held["url"]).status_code == 404
    assert Appointment.objects.get().status == Status.HELD


# What a doctor reads


@pytest.fixture
def attached(alice: User, visit: Visit, submit: Any) -> Appointment:
    analysis = finished(submit(alice), Urgency.ROUTINE)
    return visit(alice, reason="It bleeds", analyses=[analysis.public_id])


def test_a_closed_record_says_nothing_to_the_doctor(attached: Appointment, alice: User, app_of: App) -> None:
    app, url = app_of(attached.doctor), f"{VISITS}{attached.public_id}/"
    [item] = app.get(url).json()["analyses"]
    assert app.get(url).json()["reason"] == "It bleeds"
    assert AccessEvent.objects.filter(opened=Opened.VISIT, item=attached.public_id).count() == 2
    booking.cancel(appointment=attached, by=alice, reason="")
    for shown in (app.get(url).json(), app.get(VISITS).json()["results"][0]):
        assert (shown["status"], shown["reason"], shown["analyses"]) == ("cancelled_by_patient", "", [])
    mine = app_of(alice).get(url).json()
    assert (mine["reason"], mine["analyses"]) == ("It bleeds", [item])


def test_after_the_last_day_of_the_record_too(attached: Appointment, app_of: App) -> None:
    url = f"{VISITS}{attached.public_id}/"
    with time_machine.travel(attached.end + timedelta(days=91), tick=False):
        assert app_of(attached.doctor).get(url).json()["reason"] == ""


def test_a_doctor_who_may_not_practise_reads_nothing_of_it(attached: Appointment, app_of: App) -> None:
    application = DoctorApplication.objects.get(doctor=attached.doctor)
    assert application.move(ApplicationStatus.SUSPENDED, by=None, reason="Asked for")
    app = app_of(attached.doctor)
    answer = app.get(f"{VISITS}{attached.public_id}/")
    assert answer.status_code in {200, 403, 404}
    assert "bleeds" not in answer.content.decode()
    for step in ("confirm", "check-in", "complete", "no-show"):
        assert app.post(f"{VISITS}{attached.public_id}/{step}/").status_code in {403, 404}
    attached.refresh_from_db()
    assert attached.status == Status.CONFIRMED


def test_a_list_costs_the_same_however_long(
    alice: User, bob: User, visit: Visit, submit: Any, app_of: App
) -> None:
    app = app_of(visit(alice, 0).doctor)
    app.get(VISITS)
    with CaptureQueriesContext(
        connection,
    ) as few:
        app.get(VISITS)
    for number, who in enumerate((alice, bob) * 4, start=1):
        analysis = finished(submit(who, seed=number), Urgency.ROUTINE)
        visit(who, number, analyses=[analysis.public_id])
    with CaptureQueriesContext(connection) as many:
        assert len(app.get(VISITS).json()["results"]) == 9
    assert len(many) <= len(few) + 1


# Hours


def test_terms_and_week_change_together_or_not_at_all(chen_open: Schedule, app_of: App) -> None:
    app = app_of(chen_open.doctor)
    rule = {"weekday": 0, "begins": "09:00", "ends": "10:00"}
    wrong = {"buffer_after": 30, "rules": [rule, {**rule, "begins": "09:30", "ends": "11:00"}]}
    assert code(app.patch(HOURS, wrong, format="json")) == (400, "overlap")
    chen_open.refresh_from_db()
    assert chen_open.buffer_after == 0
    assert chen_open.rules.count() == 7
    right = {"buffer_after": 30, "rules": [rule]}
    assert app.patch(HOURS, right, format="json").json()["buffer_after"] == 30
    assert chen_open.rules.count() == 1


def test_visits_in_the_way_of_both_are_decided_once(
    alice: User, chen_open: Schedule, visit: Visit, app_of: App
) -> None:
    booked = visit(alice)
    app = app_of(chen_open.doctor)
    change: dict[str, Any] = {"notice_hours": 3, "rules": []}
    answer = app.patch(HOURS, change, format="json")
    assert code(answer) == (409, "visits_in_the_way")
    assert answer.json()["visits"] == [str(booked.public_id)]
    chen_open.refresh_from_db()
    assert chen_open.notice_hours == 0
    change["decision"] = {"cancel": answer.json()["visits"], "reason": "I am away"}
    assert app.patch(HOURS, change, format="json").status_code == 200
    booked.refresh_from_db()
    assert (booked.status, booked.ended_because) == (Status.CANCELLED_BY_DOCTOR, "I am away")


def test_extra_hours_with_a_visit_in_them_can_be_taken_away(
    alice: User, chen_open: Schedule, app_of: App
) -> None:
    day = timezone.now().date() + timedelta(days=3)
    WeeklyRule.objects.all().delete()
    app = app_of(chen_open.doctor)
    extra = {
        "kind": "extra",
        "first_day": day,
        "last_day": day,
        "hours": [{"begins": "09:00", "ends": "12:00"}],
    }
    [row] = app.post(f"{HOURS}exceptions/", extra, format="json").json()
    fresh = Schedule.objects.get(pk=chen_open.pk)
    held = booking.hold(patient=alice, doctor=chen_open.doctor, start=first_free(fresh), length=30)
    booked = booking.book(hold=held)
    url = f"{HOURS}exceptions/{row['id']}/"
    assert code(app.delete(url)) == (409, "visits_in_the_way")
    assert fresh.exceptions.exists()
    assert app.delete(f"{url}?keep={booked.public_id}").status_code == 204
    assert not fresh.exceptions.exists()
    booked.refresh_from_db()
    assert booked.status == Status.CONFIRMED


# Waiting


def test_an_offer_can_be_declined(alice: User, bob: User, chen_open: Schedule, app_of: App) -> None:
    offer = booking.hold(
        patient=alice, doctor=chen_open.doctor, start=first_free(chen_open), length=30, offered=True
    )
    entry = WaitlistEntry.objects.create(
        patient=alice,
        doctor=chen_open.doctor,
        length=30,
        before=offer.end,
        status=WaitStatus.OFFERED,
        offer=offer,
    )
    url = f"/api/v1/me/waitlist/{entry.public_id}/"
    assert app_of(bob).post(f"{url}decline/").status_code == 404
    assert app_of(chen_open.doctor).post(f"{url}decline/").status_code == 403
    app = app_of(alice)
    [shown] = app.get("/api/v1/me/waitlist/").json()
    assert shown["offer"]["id"] == str(offer.public_id)
    assert app.post(f"{url}decline/").status_code == 204
    assert code(app.post(f"{url}decline/")) == (409, "offer_ended")
    entry.refresh_from_db()
    assert entry.status == WaitStatus.WAITING
