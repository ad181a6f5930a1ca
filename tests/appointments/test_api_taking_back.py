"""What was put to a visit is taken back, as apps do it: files, requests for pictures."""

import datetime
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.core.files.storage import default_storage
from rest_framework.test import APIClient

from accounts.models import AccessEvent, Opened, OutgoingMail, User
from appointments import booking, notes, photos
from appointments.models import Appointment, PhotoRequest, VisitFile
from appointments.notes import Words
from diagnosis.models import Analysis
from tests.appointments.test_api import VISITS, code
from tests.appointments.test_taking_back import added, stored
from tests.appointments.test_visit_after import upload
from tests.appointments.test_visit_page import suspend

App = Callable[[User], APIClient]
Visit = Callable[..., Appointment]
MINE = "/api/v1/me/photo-requests/"


pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def wanted(going_on: Appointment, chen: User) -> PhotoRequest:
    return photos.ask(appointment=going_on, by=chen, weeks=4, note="The left arm")


def files_url(appointment: Appointment) -> str:
    return f"{VISITS}{appointment.public_id}/files/"


def url_of(file: VisitFile, of: Appointment | None = None) -> str:
    return f"{files_url(of or file.appointment)}{file.public_id}/"


def request_url(wanted: PhotoRequest, of: Appointment | None = None) -> str:
    return f"{VISITS}{(of or wanted.appointment).public_id}/photo-requests/{wanted.public_id}/"


# Files


def test_each_removes_their_own_and_not_the_other_s(
    *, visit: Visit, alice: User, chen: User, app_of: App, django_capture_on_commit_callbacks: Any
) -> None:
    booked = visit(alice)
    hers, theirs = added(booked, alice), added(booked, chen)
    for person, own, other in ((alice, hers, theirs), (chen, theirs, hers)):
        app = app_of(person)
        may = {file["id"]: file["may_remove"] for file in app.get(files_url(booked)).json()}
        assert may[str(own.public_id)]
        assert not may.get(str(other.public_id))
        if person == alice:
            assert app.delete(url_of(other)).status_code == 403
        with django_capture_on_commit_callbacks(execute=True):
            answer = app.delete(url_of(own))
        assert (answer.status_code, answer.content, stored(own)) == (204, b"", False)
        for method in ("get", "delete"):
            assert getattr(app, method)(url_of(own)).status_code == 404
    assert not VisitFile.objects.exists()


def test_a_doctor_does_not_remove_what_the_patient_added(
    visit: Visit, alice: User, chen: User, app_of: App
) -> None:
    file = added(visit(alice), alice)
    assert app_of(chen).delete(url_of(file)).status_code == 403
    assert (VisitFile.objects.get(), stored(file)) == (file, True)


def test_to_others_no_file_is_there_to_remove(
    *, visit: Visit, alice: User, bob: User, diaz: User, frey: User, eve: User, app_of: App
) -> None:
    booked, others = visit(alice), visit(bob, number=9)
    file = added(booked, alice)
    for person in (bob, diaz, frey, eve):
        assert app_of(person).delete(url_of(file)).status_code == 404
    assert app_of(bob).delete(url_of(file, others)).status_code == 404
    assert app_of(alice).delete(f"{files_url(booked)}{uuid4()}/").status_code == 404
    assert APIClient().delete(url_of(file)).status_code == 401
    assert VisitFile.objects.get() == file
    assert default_storage.exists(str(file.file.name))


def test_what_was_signed_about_stays(
    going_on: Appointment, alice: User, chen: User, app_of: App, clock: time_machine.Traveller
) -> None:
    patient, doctor = app_of(alice), app_of(chen)
    hers, theirs = added(going_on, alice), added(going_on, chen)
    clock.shift(timedelta(minutes=1))
    notes.sign(appointment=going_on, by=chen, words=Words(diagnosis="Mole"))
    clock.shift(timedelta(minutes=1))
    later = patient.post(files_url(going_on), {"file": upload()}, format="multipart").json()
    assert later["may_remove"]
    shown = {file["id"]: file["may_remove"] for file in patient.get(files_url(going_on)).json()}
    assert shown == {str(hers.public_id): False, str(theirs.public_id): False, later["id"]: True}
    refused = patient.delete(url_of(hers))
    assert code(refused) == (409, "signed")
    assert "has signed a note since you added this file" in refused.json()["detail"]
    assert patient.delete(later["url"]).status_code == 204
    assert doctor.delete(url_of(theirs)).status_code == 204  # it may be another patient's
    assert VisitFile.objects.get() == hers


def test_a_closed_record_leaves_the_doctor_their_own(
    visit: Visit, alice: User, chen: User, app_of: App
) -> None:
    booked, doctor = visit(alice), app_of(chen)
    hers, theirs = added(booked, alice), added(booked, chen)
    booking.cancel(appointment=booked, by=alice)
    assert doctor.delete(url_of(hers)).status_code == 404
    assert doctor.delete(url_of(theirs)).status_code == 204
    assert VisitFile.objects.get() == hers


def test_what_a_doctor_removes_is_written_down(visit: Visit, alice: User, chen: User, app_of: App) -> None:
    booked = visit(alice)
    hers, theirs = added(booked, alice), added(booked, chen)
    assert app_of(alice).delete(url_of(hers)).status_code == 204
    assert not AccessEvent.objects.exists()
    assert app_of(chen).delete(url_of(theirs)).status_code == 204
    event = AccessEvent.objects.get()
    assert (event.actor, event.opened, event.item) == (chen, Opened.FILE, theirs.public_id)


def test_a_list_of_files_costs_the_same_however_long(
    visit: Visit, alice: User, app_of: App, django_assert_max_num_queries: Any
) -> None:
    booked, app = visit(alice), app_of(alice)
    added(booked, alice)
    with django_assert_max_num_queries(50) as few:
        app.get(files_url(booked))
    for _number in range(5):
        added(booked, alice)
    with django_assert_max_num_queries(len(few)):
        assert len(app.get(files_url(booked)).json()) == 6


# Requests for pictures


def test_a_request_is_withdrawn_once(
    *, going_on: Appointment, wanted: PhotoRequest, alice: User, chen: User, app_of: App
) -> None:
    doctor, told = app_of(chen), OutgoingMail.objects.count()
    answer = doctor.delete(request_url(wanted))
    assert (answer.status_code, answer.content) == (204, b"")
    [shown] = app_of(alice).get(MINE).json()["results"]
    assert (shown["state"], shown["analysis"], bool(shown["closed_at"])) == ("withdrawn", None, True)
    again = doctor.delete(request_url(wanted))
    assert code(again) == (409, "closed")
    assert "is withdrawn already" in again.json()["detail"]
    assert OutgoingMail.objects.count() == told
    url = f"{VISITS}{going_on.public_id}/photo-requests/"
    assert doctor.post(url, {"weeks": 2}, format="json").json()["state"] == "open"
    assert [request["state"] for request in doctor.get(url).json()] == ["open", "withdrawn"]


def test_what_was_answered_is_not_withdrawn(
    wanted: PhotoRequest, submit: Callable[..., Analysis], alice: User, chen: User, app_of: App
) -> None:
    submit(alice)
    assert code(app_of(chen).delete(request_url(wanted))) == (409, "closed")
    [shown] = app_of(alice).get(MINE).json()["results"]
    assert shown["state"] == "answered"


def test_whoever_was_reminded_is_told(
    wanted: PhotoRequest, alice: User, chen: User, app_of: App, clock: time_machine.Traveller
) -> None:
    clock.move_to(datetime.datetime.combine(wanted.due_on, datetime.time(12), datetime.UTC))
    assert photos.remind_due() == 1
    assert app_of(chen).delete(request_url(wanted)).status_code == 204
    assert OutgoingMail.objects.get(kind="photo_withdrawn").recipient == alice


def test_only_the_doctor_who_asked_withdraws(
    *,
    visit: Visit,
    wanted: PhotoRequest,
    alice: User,
    bob: User,
    diaz: User,
    frey: User,
    eve: User,
    chen: User,
    app_of: App,
) -> None:
    others = visit(bob, number=9)
    for person in (bob, diaz, frey, eve):
        assert app_of(person).delete(request_url(wanted)).status_code == 404
    assert app_of(alice).delete(request_url(wanted)).status_code == 403
    assert APIClient().delete(request_url(wanted)).status_code == 401
    doctor = app_of(chen)
    assert doctor.delete(request_url(wanted, others)).status_code == 404
    wanted.refresh_from_db()
    assert wanted.closed_at is None
    suspend(chen)  # who may not practise may still ask less of people
    assert doctor.delete(request_url(wanted)).status_code == 204
