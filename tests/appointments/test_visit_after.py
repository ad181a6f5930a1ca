"""What is written and put to a visit: notes, files, requests for pictures, ratings."""

import datetime
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import erasure, registries
from accounts.models import AccessEvent, Opened, OutgoingMail, User
from accounts.sweeping import sweep_files
from appointments import booking, note_triggers, notes, photos, ratings, visit_files, visits
from appointments.models import Appointment, NoteGate, PhotoRequest, Rating, Status, VisitFile, VisitNote
from appointments.notes import Words
from diagnosis import erasing
from diagnosis.models import Analysis
from tests import images
from tests.accounts.licences import a_pdf
from tests.appointments.conftest import begin
from tests.appointments.test_visit_page import Booked, Browse, page_of, suspend, text_of

WORDS = Words(diagnosis="Actinic keratosis", advice="Sun cream", private="Anxious")


pytestmark = pytest.mark.usefixtures("clock")


# Notes


def test_a_draft_is_private_and_a_signed_note_is_the_patient_s(
    browse: Browse, going_on: Appointment, alice: User, chen: User
) -> None:
    doctor, patient = browse(chen), browse(alice)
    words = {"diagnosis": "Actinic keratosis", "private": "Anxious", "prescription": "A cream"}
    doctor.post(page_of(going_on, "note"), {**words, "draft": "yes"})
    assert "Actinic keratosis" not in text_of(patient.get(page_of(going_on)))
    assert "Actinic keratosis" in text_of(doctor.get(page_of(going_on, "note")))
    doctor.post(page_of(going_on, "note"), {**words, "sign": "yes"})
    shown = text_of(patient.get(page_of(going_on)))
    assert "Actinic keratosis" in shown
    assert "A cream" in shown
    assert "Anxious" not in shown
    assert "Anxious" in text_of(doctor.get(page_of(going_on)))
    assert VisitNote.objects.count() == 1
    mail = OutgoingMail.objects.get(kind="visit_summary")
    assert mail.recipient == alice
    assert "keratosis" not in mail.text + mail.html + mail.subject


def test_a_note_may_be_prepared_but_not_signed_before_the_visit(
    browse: Browse, visit: Booked, alice: User, chen: User
) -> None:
    booked = visit(alice)
    notes.save_draft(appointment=booked, by=chen, words=WORDS)
    answer = browse(chen).post(page_of(booked, "note"), {"diagnosis": "Mole", "sign": "yes"})
    assert answer.status_code == 422
    assert "once the patient has been checked in" in text_of(answer)
    booking.cancel(appointment=booked, by=alice)
    with pytest.raises(ValidationError, match="did not take place"):
        notes.save_draft(appointment=booked, by=chen, words=WORDS)
    assert browse(chen).get(page_of(booked, "note")).status_code == 302


def test_what_is_signed_says_something(browse: Browse, going_on: Appointment, chen: User) -> None:
    answer = browse(chen).post(page_of(going_on, "note"), {"private": "Anxious", "sign": "yes"})
    assert answer.status_code == 422
    assert "Write a diagnosis or some advice before you sign." in text_of(answer)
    over = {"diagnosis": "Mole", "follow_up_on": "2031-03-04", "sign": "yes"}
    assert "This day is over." in text_of(browse(chen).post(page_of(going_on, "note"), over))
    wrong = {"diagnosis": "Mole", "follow_up_on": "soon", "sign": "yes"}
    assert "Give the day as year" in text_of(browse(chen).post(page_of(going_on, "note"), wrong))
    assert not VisitNote.objects.exists()


def test_the_same_form_sent_twice_signs_once(browse: Browse, going_on: Appointment, chen: User) -> None:
    form = {"diagnosis": "Mole", "after": "", "sign": "yes"}
    browse(chen).post(page_of(going_on, "note"), form)
    answer = browse(chen).post(page_of(going_on, "note"), form)
    assert "has been signed in the meantime" in text_of(answer)
    assert VisitNote.objects.count() == 1


def test_a_signed_note_is_amended_and_both_are_read(
    browse: Browse, completed: Appointment, alice: User, chen: User
) -> None:
    first = notes.sign(appointment=completed, by=chen, words=WORDS)
    page = browse(chen).get(page_of(completed, "note"))
    assert page.context["form"]["after"].value() == str(first.public_id)
    second = notes.sign(
        appointment=completed, by=chen, words=Words(diagnosis="A mole"), after=str(first.public_id)
    )
    assert second.amends == first
    shown = text_of(browse(alice).get(page_of(completed)))
    assert shown.index("A mole") < shown.index("Actinic keratosis")


def test_only_its_verified_doctor_writes(going_on: Appointment, alice: User, chen: User, diaz: User) -> None:
    for person in (alice, diaz):
        with pytest.raises(ValidationError, match="Only the doctor"):
            notes.sign(appointment=going_on, by=person, words=WORDS)
    suspend(chen)
    with pytest.raises(ValidationError, match="not in force"):
        notes.save_draft(appointment=going_on, by=chen, words=WORDS)


def refused() -> Any:
    return pytest.raises(IntegrityError, match=note_triggers._REFUSAL)


def test_the_database_refuses_to_change_a_signed_note(going_on: Appointment, chen: User) -> None:
    draft = notes.save_draft(appointment=going_on, by=chen, words=WORDS)
    VisitNote.objects.filter(pk=draft.pk).update(advice="Rest")  # a draft is free
    signed = notes.sign(appointment=going_on, by=chen, words=WORDS)
    for change in ({"diagnosis": "Nothing"}, {"signed_at": None}, {"private": ""}):
        with refused(), transaction.atomic():
            VisitNote.objects.filter(pk=signed.pk).update(**change)
    with refused(), transaction.atomic():
        VisitNote.objects.filter(pk=signed.pk).delete()
    gate = NoteGate.objects.create()
    with refused(), transaction.atomic():
        VisitNote.objects.filter(pk=signed.pk).update(diagnosis="Nothing")
    gate.delete()


def test_the_guard_comes_back_after_a_migration(going_on: Appointment, chen: User) -> None:
    signed = notes.sign(appointment=going_on, by=chen, words=WORDS)
    note_triggers.remove(connection)
    VisitNote.objects.filter(pk=signed.pk).update(advice="Changed")
    note_triggers.after_migrate()
    note_triggers.after_migrate()
    with refused(), transaction.atomic():
        VisitNote.objects.filter(pk=signed.pk).update(advice="Again")


def test_erasing_takes_signed_notes_too(completed: Appointment, chen: User) -> None:
    first = notes.sign(appointment=completed, by=chen, words=WORDS)
    notes.sign(appointment=completed, by=chen, words=WORDS, after=str(first.public_id))
    notes.save_draft(appointment=completed, by=chen, words=WORDS)
    assert notes.erase(Appointment.objects.all()) == 3
    assert not VisitNote.objects.exists()
    assert not NoteGate.objects.exists()


def test_a_signed_note_is_a_review_of_what_was_attached(
    visit: Booked, submit: Callable[..., Analysis], alice: User, chen: User, clock: time_machine.Traveller
) -> None:
    attached, other = submit(alice, seed=1), submit(alice, seed=2)
    booked = begin(visit(alice, analyses=[attached.public_id]), clock)
    booking.check_in(appointment=booked, by=chen)
    notes.save_draft(appointment=booked, by=chen, words=WORDS)
    keys = [attached.pk, other.pk]
    assert notes.review_times(keys) == {}
    signed = notes.sign(appointment=booked, by=chen, words=WORDS)
    assert notes.review_times(keys) == {attached.pk: signed.signed_at}
    assert notes.review_times in erasing.review_times


def test_a_signed_note_outlives_its_doctor_s_account(
    browse: Browse, completed: Appointment, alice: User, chen: User
) -> None:
    notes.sign(appointment=completed, by=chen, words=WORDS)
    assert "Signed by Mei Chen on" in text_of(browse(alice).get(page_of(completed)))
    erasure.erase(person=User.objects.get(pk=chen.pk))
    assert "Signed by Erased account on" in text_of(browse(alice).get(page_of(completed)))


# The next visit


def test_a_next_visit_is_asked_for_until_it_is_booked(
    browse: Browse, completed: Appointment, visit: Booked, alice: User, chen: User
) -> None:
    day = timezone.localdate() + timedelta(weeks=6)
    signed = notes.sign(appointment=completed, by=chen, words=Words(diagnosis="Mole", follow_up_on=day))
    assert visits.follow_ups(alice) == [signed]
    home = text_of(browse(alice).get(reverse("home")))
    assert "Book your next visit with" in home
    assert str(completed.public_id) in home
    visit(alice, number=20)
    assert visits.follow_ups(alice) == []


def test_a_next_visit_that_took_place_is_asked_for_no_more(
    completed: Appointment, visit: Booked, alice: User, chen: User
) -> None:
    day = timezone.localdate() + timedelta(weeks=6)
    signed = notes.sign(appointment=completed, by=chen, words=Words(diagnosis="Mole", follow_up_on=day))
    visit(alice, number=20)
    Appointment.objects.update(status=Status.COMPLETED)
    assert (visits.follow_ups(alice), visits.follow_up(signed)) == ([], None)


def test_what_is_booked_hides_no_other_and_no_link_leads_nowhere(
    completed: Appointment, visit: Booked, alice: User, chen: User
) -> None:
    day = timezone.localdate() + timedelta(weeks=6)
    notes_of = [
        VisitNote.objects.create(
            appointment=booked,
            author=chen,
            diagnosis="Mole",
            signed_at=timezone.now(),
            follow_up_on=day + timedelta(days=number),
        )
        for number, booked in enumerate([completed, *(visit(alice, number=10 * n) for n in range(1, 6))])
    ]
    assert visits.follow_ups(alice) == notes_of[-1:]
    suspend(chen)  # there is no page on which to book
    assert visits.follow_ups(alice) == []


# Files


def upload(name: str = "letter.pdf", data: bytes | None = None) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, a_pdf() if data is None else data)


def test_both_add_files_and_open_them(
    *, browse: Browse, visit: Booked, alice: User, chen: User, bob: User, diaz: User
) -> None:
    booked = visit(alice)
    picture = upload("spot.png", images.encoded(images.picture()))
    browse(alice).post(page_of(booked, "files"), {"file": upload(), "title": "A letter"})
    browse(chen).post(page_of(booked, "files"), {"file": picture})
    letter, spot = VisitFile.objects.order_by("pk")
    assert [(file.title, file.by) for file in (letter, spot)] == [("A letter", alice), ("spot", chen)]
    answer = browse(chen).get(page_of(booked, "file", letter.public_id))
    assert answer.getvalue().startswith(b"%PDF-")
    assert (answer.headers["Cache-Control"], "A%20letter.pdf" in answer.headers["Content-Disposition"]) == (
        "no-store",
        False,
    )
    assert 'attachment; filename="A letter.pdf"' in answer.headers["Content-Disposition"]
    event = AccessEvent.objects.get(opened=Opened.FILE)
    assert (event.actor, event.item) == (chen, letter.public_id)
    assert browse(alice).get(page_of(booked, "file", spot.public_id)).getvalue()
    for person in (bob, diaz):
        assert browse(person).get(page_of(booked, "file", letter.public_id)).status_code == 404
    assert Client().get(page_of(booked, "file", letter.public_id)).status_code == 302


def test_a_file_of_another_visit_is_not_found_here(
    browse: Browse, visit: Booked, alice: User, bob: User
) -> None:
    mine, theirs = visit(alice), visit(bob, number=9)
    file = visit_files.add(appointment=theirs, by=bob, upload=upload())
    assert browse(alice).get(page_of(mine, "file", file.public_id)).status_code == 404


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "This file is empty."),
        (b"MZ nothing", "This file is not a PDF, a JPEG or a PNG"),
        (b"%PDF-1.4 nothing", "damaged or incomplete"),
    ],
)
def test_files_that_are_none_are_told(
    data: bytes, sentence: str, browse: Browse, visit: Booked, alice: User
) -> None:
    answer = browse(alice).post(page_of(visit(alice), "files"), {"file": upload(data=data)})
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert not VisitFile.objects.exists()


def test_no_file_and_too_many_files_are_told(
    browse: Browse, visit: Booked, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    booked = visit(alice)
    assert "Choose a file first." in text_of(browse(alice).post(page_of(booked, "files")))
    monkeypatch.setattr(visit_files, "MOST", 1)
    visit_files.add(appointment=booked, by=alice, upload=upload())
    answer = browse(alice).post(page_of(booked, "files"), {"file": upload()})
    assert "1 files already" in text_of(answer)


def test_what_is_called_off_takes_no_files_and_shows_none_of_the_patient(
    browse: Browse, visit: Booked, alice: User, chen: User
) -> None:
    booked = visit(alice)
    file = visit_files.add(appointment=booked, by=alice, upload=upload())
    own = visit_files.add(appointment=booked, by=chen, upload=upload())
    booking.cancel(appointment=booked, by=alice)
    for person in (alice, chen):
        with pytest.raises(ValidationError, match="Nothing can be added"):
            visit_files.add(appointment=booked, by=person, upload=upload())
    assert browse(chen).get(page_of(booked, "file", file.public_id)).status_code == 404
    assert browse(chen).get(page_of(booked, "file", own.public_id)).getvalue()


def test_the_sweep_leaves_named_files(visit: Booked, alice: User, clock: time_machine.Traveller) -> None:
    assert visit_files.NAMED_FILES in registries.named_files
    file = visit_files.add(appointment=visit(alice), by=alice, upload=upload())
    clock.move_to(datetime.datetime.now(datetime.UTC) + timedelta(days=3650))
    assert sweep_files() == 0
    assert visit_files.erase(Appointment.objects.all()) == [file.file.name]
    assert not VisitFile.objects.exists()
    assert sweep_files() == 1


# Requests for pictures


def test_a_picture_is_asked_for_and_the_next_one_answers(
    browse: Browse, completed: Appointment, submit: Callable[..., Analysis], alice: User, chen: User
) -> None:
    submit(alice, seed=5)  # an earlier one answers nothing
    browse(chen).post(page_of(completed, "photo"), {"weeks": "4", "note": "The left arm"})
    wanted = PhotoRequest.objects.get()
    assert (wanted.due_on, wanted.closed_at) == (timezone.localdate() + timedelta(weeks=4), None)
    home = text_of(browse(alice).get(reverse("home")))
    assert "Send a new picture by" in home
    assert "The left arm" in home
    answer = browse(chen).post(page_of(completed, "photo"), {"weeks": "4"}, follow=True)
    assert "You have asked for a picture already." in text_of(answer)
    analysis = submit(alice, seed=6)
    wanted.refresh_from_db()
    assert wanted.analysis == analysis
    assert wanted.closed_at is not None
    assert not photos.open_requests(alice)


@pytest.mark.parametrize("weeks", ["0", "53", "", "some"])
def test_a_picture_in_no_number_of_weeks_is_told(
    weeks: str, browse: Browse, completed: Appointment, chen: User
) -> None:
    answer = browse(chen).post(page_of(completed, "photo"), {"weeks": weeks})
    assert answer.status_code == 422
    assert "Choose between 1 and 52 weeks." in text_of(answer)


def test_before_the_visit_no_picture_is_asked_for(visit: Booked, alice: User, chen: User) -> None:
    booked = visit(alice)
    with pytest.raises(ValidationError, match="once the patient has been checked in"):
        photos.ask(appointment=booked, by=chen, weeks=4)
    with pytest.raises(ValidationError, match="Only the doctor"):
        photos.ask(appointment=booked, by=alice, weeks=4)


def test_the_patient_is_reminded_once_on_the_day(
    completed: Appointment, alice: User, chen: User, clock: time_machine.Traveller
) -> None:
    User.objects.filter(pk=alice.pk).update(time_zone="Pacific/Honolulu")  # UTC-10
    photos.ask(appointment=completed, by=chen, weeks=1)
    due = datetime.datetime.combine(PhotoRequest.objects.get().due_on, datetime.time.min, datetime.UTC)
    clock.move_to(due + timedelta(hours=9))  # still the day before in Honolulu
    assert photos.remind_due() == 0
    clock.move_to(due + timedelta(hours=11))
    assert photos.remind_due() == 1
    assert photos.remind_due() == 0
    mail = OutgoingMail.objects.get(kind="photo_due")
    assert (mail.recipient, "/analyses/new/" in mail.text) == (alice, True)


def test_who_has_answered_is_not_reminded(
    completed: Appointment,
    submit: Callable[..., Analysis],
    alice: User,
    chen: User,
    clock: time_machine.Traveller,
) -> None:
    photos.ask(appointment=completed, by=chen, weeks=1)
    submit(alice)
    clock.shift(timedelta(days=8))
    assert photos.remind_due() == 0


# Ratings


def test_a_completed_visit_is_rated_once(
    browse: Browse, completed: Appointment, alice: User, chen: User
) -> None:
    answer = browse(alice).post(page_of(completed, "rating"), {"comment": "Kind"})
    assert answer.status_code == 422
    assert "Choose between one and five stars." in text_of(answer)
    browse(alice).post(page_of(completed, "rating"), {"stars": "5", "comment": "Kind"})
    assert "Kind" in text_of(browse(chen).get(page_of(completed)))
    answer = browse(alice).post(page_of(completed, "rating"), {"stars": "1"}, follow=True)
    assert "You have rated this visit already." in text_of(answer)
    assert Rating.objects.get().stars == 5


def test_only_what_was_completed_is_rated_and_only_by_the_patient(
    going_on: Appointment, alice: User, chen: User
) -> None:
    with pytest.raises(ValidationError, match="once it is completed"):
        ratings.rate(appointment=going_on, by=alice, stars=5)
    with pytest.raises(ValidationError, match="Only the patient"):
        ratings.rate(appointment=going_on, by=chen, stars=5)
    booking.complete(appointment=going_on, by=chen)
    with pytest.raises(ValidationError, match="between one and five"):
        ratings.rate(appointment=going_on, by=alice, stars=6)


def rated(visit: Booked, patient: User, number: int, stars: int) -> None:
    booked = visit(patient, number=number)
    Appointment.objects.filter(pk=booked.pk).update(status=Status.COMPLETED)
    Rating.objects.create(appointment=booked, stars=stars)


def test_averages_are_shown_from_five_ratings_on(visit: Booked, alice: User, chen: User) -> None:
    for number, stars in enumerate((5, 5, 4, 4)):
        rated(visit, alice, 4 + number, stars)
    assert ratings.averages([chen.pk]) == {}
    profile = reverse("accounts:doctor", args=[chen.public_id])
    assert "of 5 stars" not in text_of(Client().get(profile))
    rated(visit, alice, 10, 3)
    assert ratings.averages([chen.pk]) == {chen.pk: (4.2, 5)}
    for address in (profile, reverse("accounts:doctors")):
        assert "4.2 of 5 stars, from 5 patients" in text_of(Client().get(address))
