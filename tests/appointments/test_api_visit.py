"""What is written and put to a visit, as apps do it: notes, files, ratings, requests for pictures."""

import datetime
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import AccessEvent, Opened, OutgoingMail, User
from appointments import booking, notes, photos, ratings, visit_files, visits
from appointments.models import Appointment, PhotoRequest, Place, Rating, VisitFile, VisitNote
from diagnosis.models import Analysis
from tests import images
from tests.accounts.licences import a_pdf
from tests.appointments.conftest import begin
from tests.appointments.test_api import VISITS, code
from tests.appointments.test_visit_after import rated
from tests.appointments.test_visit_page import suspend

App = Callable[[User], APIClient]
Visit = Callable[..., Appointment]
WORDS = {"diagnosis": "Actinic keratosis", "advice": "Sun cream", "private": "Anxious"}
PARTS = ("note", "files", "rating", "photo-requests")


pytestmark = pytest.mark.usefixtures("clock")


def url_of(appointment: Appointment, part: str) -> str:
    return f"{VISITS}{appointment.public_id}/{part}/"


def looks(doctor: User, opened: Opened = Opened.VISIT) -> int:
    return AccessEvent.objects.filter(actor=doctor, opened=opened).count()


def wrong(answer: Any) -> dict[str, str]:
    """The sentences of a refusal, by field."""
    assert answer.status_code == 400
    return {error["field"]: error["detail"] for error in answer.json()["errors"]}


# Whose visit it is


def test_to_others_nothing_of_it_is_there(
    *, visit: Visit, alice: User, bob: User, diaz: User, frey: User, eve: User, app_of: App
) -> None:
    booked = visit(alice)
    file = visit_files.add(appointment=booked, by=alice, upload=upload())
    for person in (bob, diaz, frey, eve):
        app = app_of(person)
        for part in PARTS:
            assert app.get(url_of(booked, part)).status_code == 404
        for part in ("note/sign", "rating", "photo-requests"):
            assert app.post(url_of(booked, part), {}, format="json").status_code == 404
        assert app.patch(url_of(booked, "note"), WORDS, format="json").status_code == 404
        assert app.post(url_of(booked, "files"), {"file": upload()}, format="multipart").status_code == 404
        assert app.get(url_of(booked, f"files/{file.public_id}")).status_code == 404
    assert not VisitNote.objects.exists()
    assert VisitFile.objects.count() == 1


def test_visitors_are_asked_to_sign_in(visit: Visit, alice: User) -> None:
    booked = visit(alice)
    for part in PARTS:
        for method in ("get", "post", "patch"):
            assert getattr(APIClient(), method)(url_of(booked, part)).status_code == 401


# Notes


def test_a_draft_is_private_and_a_signed_note_is_the_patient_s(
    going_on: Appointment, alice: User, chen: User, app_of: App
) -> None:
    doctor, patient, url = app_of(chen), app_of(alice), url_of(going_on, "note")
    assert doctor.get(url).json() == {"signed": [], "draft": None}
    draft = doctor.patch(url, WORDS, format="json")
    assert draft.status_code == 200
    assert (draft.json()["private"], draft.json()["signed_at"]) == ("Anxious", None)
    assert doctor.get(url).json()["draft"] == draft.json()
    assert patient.get(url).json() == {"signed": [], "draft": None}
    signed = doctor.post(url_of(going_on, "note/sign"), WORDS, format="json")
    assert (signed.status_code, signed.json()["id"]) == (201, draft.json()["id"])
    [read] = patient.get(url).json()["signed"]
    assert read == {**signed.json(), "private": ""}
    assert (read["diagnosis"], read["advice"], read["amends"]) == ("Actinic keratosis", "Sun cream", None)
    assert doctor.get(url).json() == {"signed": [signed.json()], "draft": None}
    assert OutgoingMail.objects.filter(kind="visit_summary", recipient=alice).count() == 1
    assert looks(chen) == 5
    assert not AccessEvent.objects.filter(actor=alice).exists()


def test_what_is_not_sent_stays_in_the_draft(visit: Visit, alice: User, chen: User, app_of: App) -> None:
    app, url = app_of(chen), url_of(visit(alice), "note")
    day = str(timezone.localdate() + timedelta(weeks=6))
    app.patch(url, {**WORDS, "follow_up_on": day}, format="json")
    changed = app.patch(url, {"advice": "Rest", "diagnosis": ""}, format="json").json()
    assert (changed["diagnosis"], changed["advice"], changed["private"]) == ("", "Rest", "Anxious")
    assert changed["follow_up_on"] == day
    assert app.patch(url, {"follow_up_on": None}, format="json").json()["follow_up_on"] is None
    assert VisitNote.objects.count() == 1


def test_what_is_signed_is_what_was_sent_and_not_the_draft(
    going_on: Appointment, chen: User, app_of: App
) -> None:
    app = app_of(chen)
    app.patch(url_of(going_on, "note"), WORDS, format="json")
    signed = app.post(url_of(going_on, "note/sign"), {"diagnosis": "Mole"}, format="json").json()
    assert (signed["diagnosis"], signed["advice"], signed["private"]) == ("Mole", "", "")


def test_a_signed_note_is_amended_by_another_one(completed: Appointment, chen: User, app_of: App) -> None:
    app, url = app_of(chen), url_of(completed, "note/sign")
    first = app.post(url, WORDS, format="json").json()
    assert code(app.post(url, WORDS, format="json")) == (409, "changed")
    unknown = {**WORDS, "after": str(uuid4())}
    assert code(app.post(url, unknown, format="json")) == (409, "changed")
    second = app.post(url, {"diagnosis": "A mole", "after": first["id"]}, format="json").json()
    assert second["amends"] == first["id"]
    assert app.get(url_of(completed, "note")).json()["signed"] == [first, second]


def test_only_its_doctor_writes(going_on: Appointment, alice: User, chen: User, app_of: App) -> None:
    patient, doctor = app_of(alice), app_of(chen)
    assert patient.patch(url_of(going_on, "note"), WORDS, format="json").status_code == 403
    assert patient.post(url_of(going_on, "note/sign"), WORDS, format="json").status_code == 403
    notes.save_draft(appointment=going_on, by=chen, words=notes.Words(advice="Rest"))
    suspend(chen)
    for answer in (
        doctor.patch(url_of(going_on, "note"), WORDS, format="json"),
        doctor.post(url_of(going_on, "note/sign"), WORDS, format="json"),
    ):
        assert code(answer) == (403, "not_verified")
        assert answer.json()["detail"] == "Your licence is not in force at present."
    assert doctor.get(url_of(going_on, "note")).json()["draft"]["advice"] == "Rest"


def test_a_note_that_cannot_be_signed_is_told(
    visit: Visit, alice: User, chen: User, app_of: App, clock: time_machine.Traveller
) -> None:
    booked, app = visit(alice), app_of(chen)
    url = url_of(booked, "note/sign")
    early = app.post(url, WORDS, format="json")
    assert code(early) == (409, "wrong_state")
    assert "once the patient has been checked in" in early.json()["detail"]
    booking.check_in(appointment=begin(booked, clock), by=chen)
    empty = app.post(url, {"private": "Anxious", "diagnosis": "  "}, format="json")
    assert wrong(empty) == {"diagnosis": "Write a diagnosis or some advice before you sign."}
    over = app.post(url, {**WORDS, "follow_up_on": "2031-03-04"}, format="json")
    assert wrong(over) == {"follow_up_on": "This day is over. Choose a later one."}
    for body in ({"follow_up_on": "soon"}, {"after": "one"}, {"advice": "a" * 4001}, {"advice": "\0"}):
        assert wrong(app.post(url, {**WORDS, **body}, format="json")).keys() == body.keys()
    assert not VisitNote.objects.exists()


def test_about_what_did_not_take_place_nothing_is_written(
    visit: Visit, alice: User, chen: User, app_of: App
) -> None:
    booked = visit(alice)
    booking.cancel(appointment=booked, by=alice)
    answer = app_of(chen).patch(url_of(booked, "note"), WORDS, format="json")
    assert code(answer) == (409, "wrong_state")
    assert "did not take place" in answer.json()["detail"]


# Files


def upload(name: str = "letter.pdf", data: bytes | None = None) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, a_pdf() if data is None else data)


def content_of(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def test_both_add_files_and_open_them(visit: Visit, alice: User, chen: User, app_of: App) -> None:
    booked, patient, doctor = visit(alice), app_of(alice), app_of(chen)
    url = url_of(booked, "files")
    letter = patient.post(url, {"file": upload(), "title": "A letter"}, format="multipart")
    picture = upload("spot.png", images.encoded(images.picture()))
    spot = doctor.post(url, {"file": picture}, format="multipart")
    assert (letter.status_code, spot.status_code) == (201, 201)
    for person, own in ((patient, letter), (doctor, spot)):
        both = [{**file.json(), "may_remove": file is own} for file in (letter, spot)]
        assert person.get(url).json() == both
    told = [(file["title"], file["content_type"], file["by"]["id"]) for file in doctor.get(url).json()]
    assert told == [
        ("A letter", "application/pdf", str(alice.public_id)),
        ("spot", "image/png", str(chen.public_id)),
    ]
    saved = doctor.get(letter.json()["url"])
    assert content_of(saved).startswith(b"%PDF-")
    assert saved.headers["Content-Disposition"] == 'attachment; filename="A letter.pdf"'
    assert (saved.headers["Cache-Control"], saved.headers["Content-Type"]) == ("no-store", "application/pdf")
    event = AccessEvent.objects.get(opened=Opened.FILE)
    assert (event.actor, str(event.item)) == (chen, letter.json()["id"])
    shown = patient.get(spot.json()["url"])
    assert (shown.headers["Content-Type"], bool(content_of(shown))) == ("image/png", True)
    assert looks(chen) == 2


def test_a_client_may_say_that_it_wants_a_file(visit: Visit, alice: User, app_of: App) -> None:
    booked = visit(alice)
    file = visit_files.add(appointment=booked, by=alice, upload=upload())
    url = url_of(booked, f"files/{file.public_id}")
    for accepted in ("application/pdf", "image/*", "*/*"):
        answer = app_of(alice).get(url, headers={"Accept": accepted})
        assert content_of(answer).startswith(b"%PDF-")
    missing = app_of(alice).get(url_of(booked, f"files/{uuid4()}"), headers={"Accept": "image/png"})
    assert code(missing) == (404, "not_found")


def test_a_file_of_another_visit_is_not_found_here(visit: Visit, alice: User, bob: User, app_of: App) -> None:
    mine, theirs = visit(alice), visit(bob, number=9)
    file = visit_files.add(appointment=theirs, by=bob, upload=upload())
    app = app_of(alice)
    for name in (file.public_id, uuid4()):
        assert app.get(url_of(mine, f"files/{name}")).status_code == 404


@pytest.mark.parametrize(
    ("data", "expected", "sentence"),
    [
        (b"", "empty", "This file is empty."),
        (b"MZ nothing", "unknown_kind", "This file is not a PDF, a JPEG or a PNG"),
        (b"%PDF-1.4 nothing", "damaged", "damaged or incomplete"),
        (a_pdf(pages=60), "too_many_pages", "Send it in parts."),
    ],
    ids=["empty", "no file of ours", "cut off", "long"],  # a made PDF names the moment, others not the same
)
def test_files_that_are_none_are_told(  # noqa: PLR0917
    data: bytes, expected: str, sentence: str, visit: Visit, alice: User, app_of: App
) -> None:
    url = url_of(visit(alice), "files")
    answer = app_of(alice).post(url, {"file": upload(data=data)}, format="multipart")
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["field"], error["code"]) == (400, "file", expected)
    assert sentence in error["detail"]
    assert not VisitFile.objects.exists()


def test_a_file_that_is_too_large_is_told(visit: Visit, alice: User, app_of: App) -> None:
    url = url_of(visit(alice), "files")
    for size in (10 * 1024**2 + 1, 16 * 1024**2):  # more than is kept, and more than is read
        answer = app_of(alice).post(url, {"file": upload(data=a_pdf(size=size))}, format="multipart")
        [error] = answer.json()["errors"]
        assert (answer.status_code, error["code"]) == (413, "too_large")
        assert "larger than 10 MB" in error["detail"]


def test_no_file_and_too_many_files_are_told(
    visit: Visit, alice: User, app_of: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    booked, app = visit(alice), app_of(alice)
    url = url_of(booked, "files")
    assert wrong(app.post(url, {}, format="multipart")) == {"file": "Choose a file first."}
    assert wrong(app.post(url, {"file": "letter"}, format="multipart")).keys() == {"file"}
    long = app.post(url, {"file": upload(), "title": "a" * 151}, format="multipart")
    assert wrong(long).keys() == {"title"}
    assert app.post(url, {"file": "letter"}, format="json").status_code == 415
    monkeypatch.setattr(visit_files, "MOST", 1)
    visit_files.add(appointment=booked, by=alice, upload=upload())
    answer = app.post(url, {"file": upload()}, format="multipart")
    assert code(answer) == (400, "too_many")
    assert "1 files already" in answer.json()["detail"]


def test_files_are_counted_like_images(visit: Visit, alice: User, app_of: App, settings: Any) -> None:
    settings.DERMA_RATES = {"upload": {"account": "1/10m"}}
    app, url = app_of(alice), url_of(visit(alice), "files")
    assert app.post(url, {"file": upload()}, format="multipart").status_code == 201
    refused = app.post(url, {"file": upload()}, format="multipart")
    assert (refused.status_code, int(refused.headers["Retry-After"]) > 0) == (429, True)
    assert app.get(url).status_code == 200


def test_a_closed_record_shows_the_doctor_only_what_they_added(
    visit: Visit, alice: User, chen: User, app_of: App
) -> None:
    booked, doctor = visit(alice), app_of(chen)
    file = visit_files.add(appointment=booked, by=alice, upload=upload())
    own = visit_files.add(appointment=booked, by=chen, upload=upload())
    booking.cancel(appointment=booked, by=alice)
    url = url_of(booked, "files")
    assert [shown["id"] for shown in doctor.get(url).json()] == [str(own.public_id)]
    assert len(app_of(alice).get(url).json()) == 2
    assert doctor.get(url_of(booked, f"files/{file.public_id}")).status_code == 404
    assert content_of(doctor.get(url_of(booked, f"files/{own.public_id}")))
    for app in (doctor, app_of(alice)):
        answer = app.post(url, {"file": upload()}, format="multipart")
        assert code(answer) == (409, "closed")
        assert answer.json()["detail"] == "Nothing can be added to this visit."


# Ratings


def test_a_completed_visit_is_rated_once(
    completed: Appointment, alice: User, chen: User, app_of: App
) -> None:
    patient, doctor, url = app_of(alice), app_of(chen), url_of(completed, "rating")
    for app in (patient, doctor):
        assert app.get(url).status_code == 404
    given = patient.post(url, {"stars": 5, "comment": " Kind "}, format="json")
    assert given.status_code == 201
    assert (given.json()["stars"], given.json()["comment"]) == (5, "Kind")
    for app in (patient, doctor):
        assert app.get(url).json() == given.json()
    again = patient.post(url, {"stars": 1}, format="json")
    assert code(again) == (409, "rated")
    assert "You have rated this visit already." in again.json()["detail"]
    assert doctor.post(url, {"stars": 5}, format="json").status_code == 403
    assert Rating.objects.get().stars == 5
    assert looks(chen) == 1


@pytest.mark.parametrize("stars", [None, 0, 6, -1, 4.5, "many", "", [], 10**30])
def test_stars_that_there_are_not_are_told(
    stars: Any, completed: Appointment, alice: User, app_of: App
) -> None:
    body = {} if stars is None else {"stars": stars}
    answer = app_of(alice).post(url_of(completed, "rating"), body, format="json")
    assert wrong(answer) == {"stars": "Choose between one and five stars."}
    assert not Rating.objects.exists()


def test_before_it_is_completed_a_visit_is_not_rated(going_on: Appointment, alice: User, app_of: App) -> None:
    answer = app_of(alice).post(url_of(going_on, "rating"), {"stars": 5}, format="json")
    assert code(answer) == (409, "wrong_state")
    assert answer.json()["detail"] == "A visit is rated once it is completed."


def test_the_directory_tells_averages_from_five_ratings_on(
    visit: Visit, alice: User, chen: User, diaz: User
) -> None:
    def told() -> dict[str, Any]:
        rows = APIClient().get("/api/v1/doctors/").json()["results"]
        return {row["id"]: row["rating"] for row in rows}

    for number, stars in enumerate((5, 5, 4, 4)):
        rated(visit, alice, 4 + number, stars)
    assert set(told().values()) == {None}
    rated(visit, alice, 10, 3)
    average = {"average": 4.2, "count": 5}
    assert told() == {str(chen.public_id): average, str(diaz.public_id): None}
    assert APIClient().get(f"/api/v1/doctors/{chen.public_id}/").json()["rating"] == average
    assert ratings.averages([diaz.pk]) == {}


# Requests for pictures

MINE = "/api/v1/me/photo-requests/"


def test_a_picture_is_asked_for_and_the_next_one_answers(
    completed: Appointment, submit: Callable[..., Analysis], alice: User, chen: User, app_of: App
) -> None:
    patient, doctor, url = app_of(alice), app_of(chen), url_of(completed, "photo-requests")
    answer = doctor.post(url, {"weeks": 4, "note": "The left arm"}, format="json")
    assert answer.status_code == 201
    asked = answer.json()
    assert asked["due_on"] == str(timezone.localdate() + timedelta(weeks=4))
    assert (asked["note"], asked["state"], asked["analysis"]) == ("The left arm", "open", None)
    assert asked["appointment"] == str(completed.public_id)
    assert patient.get(MINE).json()["results"] == [asked]
    assert patient.get(url).json() == doctor.get(url).json() == [asked]
    again = doctor.post(url, {"weeks": 4}, format="json")
    assert code(again) == (409, "asked")
    assert again.json()["detail"] == "You have asked for a picture already."
    analysis = submit(alice)
    [shown] = patient.get(MINE).json()["results"]
    assert (shown["state"], shown["analysis"]) == ("answered", str(analysis.public_id))
    assert shown["closed_at"]
    assert doctor.get(url).json() == [shown]
    assert doctor.post(url, {"weeks": 8}, format="json").status_code == 201
    assert looks(chen) == 2


def test_a_closed_record_does_not_tell_what_answered(
    *,
    completed: Appointment,
    submit: Callable[..., Analysis],
    alice: User,
    chen: User,
    app_of: App,
    clock: time_machine.Traveller,
) -> None:
    photos.ask(appointment=completed, by=chen, weeks=1)
    submit(alice)
    clock.move_to(completed.end + timedelta(days=91))
    [shown] = app_of(chen).get(url_of(completed, "photo-requests")).json()
    assert (shown["state"], shown["analysis"]) == ("answered", None)
    [own] = app_of(alice).get(MINE).json()["results"]
    assert own["analysis"]


@pytest.mark.parametrize("weeks", [None, 0, 53, "", "some", 1.5, -4, 10**30])
def test_a_picture_in_no_number_of_weeks_is_told(
    weeks: Any, completed: Appointment, chen: User, app_of: App
) -> None:
    body = {} if weeks is None else {"weeks": weeks}
    answer = app_of(chen).post(url_of(completed, "photo-requests"), body, format="json")
    assert wrong(answer) == {"weeks": "Choose between 1 and 52 weeks."}
    assert not PhotoRequest.objects.exists()


def test_who_asks_for_pictures_and_when(
    *, visit: Visit, alice: User, bob: User, chen: User, app_of: App, clock: time_machine.Traveller
) -> None:
    booked, doctor = visit(alice), app_of(chen)
    url = url_of(booked, "photo-requests")
    early = doctor.post(url, {"weeks": 4}, format="json")
    assert code(early) == (409, "wrong_state")
    assert "once the patient has been checked in" in early.json()["detail"]
    booking.check_in(appointment=begin(booked, clock), by=chen)
    assert app_of(alice).post(url, {"weeks": 4}, format="json").status_code == 403
    assert wrong(doctor.post(url, {"weeks": 4, "note": "a" * 301}, format="json")).keys() == {"note"}
    photos.ask(appointment=booked, by=chen, weeks=4)
    assert app_of(bob).get(MINE).json()["results"] == []
    assert doctor.get(MINE).status_code == 403
    assert APIClient().get(MINE).status_code == 401
    suspend(chen)
    assert code(doctor.post(url, {"weeks": 4}, format="json")) == (403, "not_verified")


# The room of a video visit


def test_the_room_opens_for_the_two_before_a_video_visit(
    *,
    visit: Visit,
    alice: User,
    bob: User,
    chen: User,
    diaz: User,
    app_of: App,
    clock: time_machine.Traveller,
) -> None:
    booked = visit(alice)
    url = url_of(booked, "room")
    assert app_of(alice).get(url).status_code == 404  # at the clinic
    Appointment.objects.update(place=Place.VIDEO)
    opens_at = booked.start - timedelta(minutes=10)
    clock.move_to(opens_at - timedelta(seconds=1))
    for person in (alice, chen):
        shut = app_of(person).get(url).json()
        assert (datetime.datetime.fromisoformat(shut["opens_at"]), shut["url"]) == (opens_at, "")
    clock.move_to(opens_at)
    assert {app_of(person).get(url).json()["url"] for person in (alice, chen)} == {
        getattr(visits.room(Appointment.objects.get()), "url", None)
    }
    for person in (bob, diaz):
        assert app_of(person).get(url).status_code == 404
    assert APIClient().get(url).status_code == 401
    assert looks(chen) == 2
    booking.cancel(appointment=booked, by=alice)
    for person in (alice, chen):
        assert app_of(person).get(url).status_code == 404


def test_days_are_those_of_the_doctor(completed: Appointment, chen: User, app_of: App) -> None:
    today = timezone.localdate()
    User.objects.filter(pk=chen.pk).update(time_zone="Pacific/Auckland")  # where it is tomorrow already
    app = app_of(chen)
    answer = app.post(url_of(completed, "photo-requests"), {"weeks": 4}, format="json")
    assert answer.json()["due_on"] == str(today + timedelta(weeks=4, days=1))
    signed = app.post(url_of(completed, "note/sign"), {**WORDS, "follow_up_on": str(today)}, format="json")
    assert wrong(signed) == {"follow_up_on": "This day is over. Choose a later one."}
