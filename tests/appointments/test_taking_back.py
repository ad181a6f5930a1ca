"""What was put to a visit is taken back by whoever put it there: files, requests for pictures."""

import datetime
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts.models import AccessEvent, Opened, OutgoingMail, User
from accounts.registries import ExportSection
from appointments import booking, exporting, notes, photos, visit_files
from appointments.models import Appointment, PhotoRequest, VisitFile
from appointments.notes import Words
from diagnosis.models import Analysis
from tests.appointments.test_visit_after import upload
from tests.appointments.test_visit_page import Booked, Browse, page_of, suspend, text_of

WORDS = Words(diagnosis="Actinic keratosis")


pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def wanted(going_on: Appointment, chen: User) -> PhotoRequest:
    return photos.ask(appointment=going_on, by=chen, weeks=4, note="The left arm")


def added(appointment: Appointment, by: User) -> VisitFile:
    return visit_files.add(appointment=appointment, by=by, upload=upload())


def stored(file: VisitFile) -> bool:
    return default_storage.exists(str(file.file.name))


# Files


def test_each_removes_their_own_and_sees_no_button_at_the_other_s(
    *,
    browse: Browse,
    visit: Booked,
    alice: User,
    chen: User,
    django_capture_on_commit_callbacks: Any,
) -> None:
    booked = visit(alice)
    hers, theirs = added(booked, alice), added(booked, chen)
    for person, own, other in ((alice, hers, theirs), (chen, theirs, hers)):
        client = browse(person)
        shown = text_of(client.get(page_of(booked)))
        assert page_of(booked, "remove-file", own.public_id) in shown
        assert page_of(booked, "remove-file", other.public_id) not in shown
        assert client.post(page_of(booked, "remove-file", other.public_id)).status_code == 403
    for person, own in ((alice, hers), (chen, theirs)):
        with django_capture_on_commit_callbacks(execute=True):
            answer = browse(person).post(page_of(booked, "remove-file", own.public_id), follow=True)
        assert "The file is removed." in text_of(answer)
        assert browse(person).get(page_of(booked, "file", own.public_id)).status_code == 404
        assert not stored(own)
    assert not VisitFile.objects.exists()


def test_nobody_else_removes_a_file(
    *, browse: Browse, visit: Booked, alice: User, bob: User, diaz: User, frey: User, eve: User
) -> None:
    booked, others = visit(alice), visit(bob, number=9)
    file = added(booked, alice)
    for person in (bob, diaz, frey, eve):
        assert browse(person).post(page_of(booked, "remove-file", file.public_id)).status_code == 404
    assert browse(bob).post(page_of(others, "remove-file", file.public_id)).status_code == 404
    assert Client().post(page_of(booked, "remove-file", file.public_id)).status_code == 302
    for person in (bob, diaz):
        with pytest.raises(ValidationError, match="Only who added"):
            visit_files.remove(file=file, by=person)
    assert VisitFile.objects.get() == file


def test_the_bytes_stay_until_the_row_is_surely_gone(
    visit: Booked, alice: User, django_capture_on_commit_callbacks: Any
) -> None:
    file = added(visit(alice), alice)
    with django_capture_on_commit_callbacks(execute=True) as callbacks, transaction.atomic():
        visit_files.remove(file=file, by=alice)
        transaction.set_rollback(True)
    assert not callbacks
    assert stored(file)
    with django_capture_on_commit_callbacks(execute=True):
        visit_files.remove(file=file, by=alice)
        assert stored(file)
    assert not stored(file)
    visit_files.remove(file=file, by=alice)  # the other one of two clicks


def test_what_the_doctor_has_signed_about_stays(
    browse: Browse, going_on: Appointment, alice: User, chen: User, clock: time_machine.Traveller
) -> None:
    hers, theirs = added(going_on, alice), added(going_on, chen)
    notes.save_draft(appointment=going_on, by=chen, words=WORDS)
    assert visit_files.removable(going_on, alice) == {hers.pk}
    clock.shift(timedelta(minutes=1))
    notes.sign(appointment=going_on, by=chen, words=WORDS)
    patient = browse(alice)
    assert page_of(going_on, "remove-file", hers.public_id) not in text_of(patient.get(page_of(going_on)))
    answer = patient.post(page_of(going_on, "remove-file", hers.public_id), follow=True)
    assert "The doctor has signed a note since you added this file" in text_of(answer)
    clock.shift(timedelta(minutes=1))
    later = added(going_on, alice)
    assert visit_files.removable(going_on, alice) == {later.pk}
    visit_files.remove(file=later, by=alice)
    visit_files.remove(file=theirs, by=chen)  # it may be another patient's
    assert VisitFile.objects.get() == hers


def test_a_doctor_whom_the_record_is_closed_to_takes_back_their_own(
    browse: Browse, visit: Booked, alice: User, chen: User
) -> None:
    booked = visit(alice)
    hers, theirs = added(booked, alice), added(booked, chen)
    booking.cancel(appointment=booked, by=alice)
    doctor = browse(chen)
    assert doctor.post(page_of(booked, "remove-file", hers.public_id)).status_code == 404
    assert page_of(booked, "remove-file", theirs.public_id) in text_of(doctor.get(page_of(booked)))
    doctor.post(page_of(booked, "remove-file", theirs.public_id))
    assert VisitFile.objects.get() == hers


def test_what_a_doctor_removes_is_written_down(
    browse: Browse, visit: Booked, alice: User, chen: User
) -> None:
    booked = visit(alice)
    hers, theirs = added(booked, alice), added(booked, chen)
    browse(alice).post(page_of(booked, "remove-file", hers.public_id))
    assert not AccessEvent.objects.exists()
    browse(chen).post(page_of(booked, "remove-file", theirs.public_id))
    event = AccessEvent.objects.get()
    assert (event.actor, event.opened, event.item) == (chen, Opened.FILE, theirs.public_id)


def test_the_copy_of_one_s_data_has_what_is_left(visit: Booked, alice: User) -> None:
    booked = visit(alice)
    gone, kept = added(booked, alice), added(booked, alice)
    visit_files.remove(file=gone, by=alice)
    section = exporting.visits(alice)
    assert [file.path for file in section.files] == [exporting.path_of(kept)]


# Requests for pictures


def withdrawing(wanted: PhotoRequest) -> str:
    return page_of(wanted.appointment, "withdraw-photo", wanted.public_id)


def test_a_request_is_withdrawn_before_anybody_was_told(
    browse: Browse, going_on: Appointment, wanted: PhotoRequest, alice: User, chen: User
) -> None:
    doctor = browse(chen)
    assert withdrawing(wanted) in text_of(doctor.get(page_of(going_on)))
    assert withdrawing(wanted) not in text_of(browse(alice).get(page_of(going_on)))
    told = OutgoingMail.objects.count()
    answer = doctor.post(withdrawing(wanted), follow=True)
    assert "The request is withdrawn." in text_of(answer)
    assert "Withdrawn" in text_of(answer)
    assert withdrawing(wanted) not in text_of(answer)
    assert OutgoingMail.objects.count() == told
    assert not photos.open_requests(alice)
    assert "Send a new picture by" not in text_of(browse(alice).get(reverse("home")))
    photos.ask(appointment=going_on, by=chen, weeks=2)  # another one can be asked for


def test_whoever_was_reminded_is_told(
    going_on: Appointment, wanted: PhotoRequest, alice: User, chen: User, clock: time_machine.Traveller
) -> None:
    clock.move_to(datetime.datetime.combine(wanted.due_on, datetime.time(12), datetime.UTC))
    assert photos.remind_due() == 1
    photos.withdraw(request=wanted, by=chen)
    mail = OutgoingMail.objects.get(kind="photo_withdrawn")
    assert (mail.recipient, going_on.get_absolute_url() in mail.text) == (alice, True)
    assert "You can send one all the same" in mail.text
    assert "left arm" not in mail.subject + mail.text + mail.html


def test_who_has_withdrawn_it_reminds_nobody(
    wanted: PhotoRequest, chen: User, clock: time_machine.Traveller
) -> None:
    photos.withdraw(request=wanted, by=chen)
    clock.shift(timedelta(weeks=5))
    assert photos.remind_due() == 0


def test_what_was_answered_or_withdrawn_is_not_withdrawn_again(
    *,
    browse: Browse,
    going_on: Appointment,
    wanted: PhotoRequest,
    submit: Callable[..., Analysis],
    alice: User,
    chen: User,
) -> None:
    analysis = submit(alice)
    answer = browse(chen).post(withdrawing(wanted), follow=True)
    assert "The picture was sent in the meantime" in text_of(answer)
    wanted.refresh_from_db()
    assert wanted.analysis == analysis
    assert "Withdrawn" not in text_of(answer)
    again = photos.ask(appointment=going_on, by=chen, weeks=2)
    photos.withdraw(request=again, by=chen)
    with pytest.raises(ValidationError, match="withdrawn already"):
        photos.withdraw(request=again, by=chen)


def test_only_the_doctor_who_asked_withdraws(
    *,
    browse: Browse,
    visit: Booked,
    wanted: PhotoRequest,
    alice: User,
    bob: User,
    diaz: User,
    frey: User,
    eve: User,
    chen: User,
) -> None:
    for person in (bob, diaz, frey, eve):
        assert browse(person).post(withdrawing(wanted)).status_code == 404
    assert browse(alice).post(withdrawing(wanted)).status_code == 403
    assert Client().post(withdrawing(wanted)).status_code == 302
    others = visit(bob, number=9)
    assert browse(chen).post(page_of(others, "withdraw-photo", wanted.public_id)).status_code == 404
    for person in (alice, diaz):
        with pytest.raises(ValidationError, match="Only the doctor who asked"):
            photos.withdraw(request=wanted, by=person)
    wanted.refresh_from_db()
    assert wanted.closed_at is None
    suspend(chen)  # who may not practise may still ask less of people
    photos.withdraw(request=wanted, by=chen)


def test_the_copy_says_what_became_of_it(
    going_on: Appointment, wanted: PhotoRequest, submit: Callable[..., Analysis], alice: User, chen: User
) -> None:
    photos.withdraw(request=wanted, by=chen)
    photos.ask(appointment=going_on, by=chen, weeks=2)
    submit(alice)
    section: ExportSection = exporting.photo_requests(alice)
    answered, withdrawn = section.rows
    assert (bool(answered["Answered"]), bool(answered["Withdrawn"])) == (True, False)
    assert (bool(withdrawn["Answered"]), bool(withdrawn["Withdrawn"])) == (False, True)
