"""The copy of one's visits, and their erasure."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zipfile import ZipFile

import pytest
import time_machine
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from accounts import erasure
from accounts.archive import write_archive
from accounts.erasure import ErasureRefused
from accounts.models import CareRelation, User
from appointments import booking, notes
from appointments.models import (
    Appointment,
    AppointmentEvent,
    CalendarFeed,
    IdempotencyKey,
    PhotoRequest,
    Rating,
    Reminder,
    Schedule,
    Status,
    UrgentFollowUp,
    VisitFile,
    VisitNote,
    WaitlistEntry,
    WaitStatus,
    WeeklyRule,
)
from diagnosis.models import Analysis
from tests import fhir as official
from tests.accounts.test_erasure import finished, traces

Visit = Callable[..., Appointment]
SECRET = "Quillaja"


def finish(visit: Appointment) -> None:
    """As if it had taken place."""
    with time_machine.travel(visit.start + timedelta(minutes=1), tick=False):
        booking.check_in(appointment=visit, by=visit.doctor)
        booking.complete(appointment=visit, by=visit.doctor)


@pytest.fixture
def full(alice: User, visit: Visit, submit: Callable[..., Analysis]) -> tuple[Appointment, Appointment]:
    """Alice's visits with something in every table: one that was signed, and one that is to come."""
    analysis = finished(submit(alice))
    past = visit(alice, number=4, reason=SECRET, analyses=[analysis.public_id])
    finish(past)
    with time_machine.travel(past.end, tick=False):
        words = notes.Words(diagnosis="Naevus", advice="Come again")
        notes.sign(appointment=past, by=past.doctor, words=words)
    coming = visit(alice, number=9, reason=f"Again {SECRET}", analyses=[analysis.public_id])
    doctor = past.doctor
    Rating.objects.create(appointment=past, stars=4, comment=f"{SECRET} was kind")
    now = timezone.now()
    AppointmentEvent.objects.filter(appointment=past).update(note=SECRET)
    for appointment in (past, coming):
        Reminder.objects.create(
            appointment=appointment, kind="day", start=now, recipient=alice, channel="email"
        )
        file = VisitFile(appointment=appointment, by=alice, title=SECRET, content_type="image/png")
        file.file.save("x.png", ContentFile(SECRET.encode()), save=True)
        PhotoRequest.objects.create(
            appointment=appointment, patient=alice, doctor=doctor, due_on=now.date(), analysis=analysis
        )
    IdempotencyKey.objects.create(user=alice, key=SECRET, digest="0" * 64, appointment=coming)
    WaitlistEntry.objects.create(
        patient=alice,
        doctor=doctor,
        appointment=coming,
        length=30,
        before=coming.start,
        status=WaitStatus.WAITING,
    )
    CalendarFeed.objects.create(user=alice, digest="1" * 64)
    UrgentFollowUp.objects.create(analysis=analysis, closed_at=now, appointment=coming, noticed_at=now)
    return past, coming


def test_the_copy_has_every_visit(alice: User, full: tuple[Appointment, Appointment], tmp_path: Any) -> None:
    with (tmp_path / "copy.zip").open("wb+") as file:
        write_archive(alice, file, lambda _: None)
        archive = ZipFile(file)
        bundle = json.loads(archive.read("bundle.json"))
        page = archive.read("index.html").decode()
        stored = [name for name in archive.namelist() if name.startswith("visits/")]
    assert official.errors(bundle) == []
    found = {
        entry["resource"]["id"]: entry["resource"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == "Appointment"
    }
    past, coming = full
    assert found[str(past.public_id)]["status"] == "fulfilled"
    assert found[str(coming.public_id)]["status"] == "booked"
    assert "Naevus" in page
    assert f"{SECRET} was kind" in page
    assert len(stored) == 2


def test_a_doctors_copy_does_not_say_whom_they_saw(
    chen: User, full: tuple[Appointment, Appointment], tmp_path: Any
) -> None:
    with (tmp_path / "copy.zip").open("wb+") as file:
        write_archive(chen, file, lambda _: None)
        archive = ZipFile(file)
        everything = b"".join(archive.read(name) for name in archive.namelist()).decode("latin-1")
    assert str(full[0].public_id) in everything
    for secret in (SECRET, "Alice", "Naevus"):
        assert secret not in everything


def test_what_was_signed_is_kept_without_the_patients_words(
    alice: User, full: tuple[Appointment, Appointment]
) -> None:
    past, coming = full
    shown = erasure.preview(alice)
    assert [row.what for row in shown.kept if row.what == "Visits"] == ["Visits"]
    secrets = (SECRET, alice.name, alice.email, alice.public_id)
    erasure.erase(person=alice)
    assert not Appointment.objects.filter(pk=coming.pk).exists()
    past.refresh_from_db()
    assert (past.reason, past.relation) == ("", None)
    assert VisitNote.objects.get().diagnosis == "Naevus"
    assert Analysis.objects.count() == 1  # a doctor has signed something about it
    assert not CareRelation.objects.exists()
    assert not WaitlistEntry.objects.exists()
    # Mails on their way are blanked when they are gone, files go after the commit: both have their own tests.
    assert [trace for trace in traces(*secrets) if "outgoingmail" not in trace and "/media/" not in trace] == []


def test_it_goes_when_its_time_is_over(alice: User, full: tuple[Appointment, Appointment]) -> None:
    erasure.erase(person=alice)
    with time_machine.travel(timezone.now() + timedelta(days=11 * 366), tick=False):
        erasure.erase_lapsed()
    assert not Appointment.objects.exists()
    assert not VisitNote.objects.exists()
    assert not Analysis.objects.exists()


def test_without_a_signature_everything_goes(alice: User, visit: Visit) -> None:
    visit(alice, reason=SECRET)
    erasure.erase(person=alice)
    assert not Appointment.objects.exists()
    assert traces(SECRET) == []


@pytest.mark.django_db(transaction=True)
def test_files_go_with_their_visits(alice: User, visit: Visit) -> None:
    file = VisitFile(appointment=visit(alice), by=alice, title="x", content_type="image/png")
    file.file.save("x.png", ContentFile(b"x"), save=True)
    name = str(file.file.name)
    assert default_storage.exists(name)
    erasure.erase(person=alice)
    assert not default_storage.exists(name)


def test_nobody_goes_out_of_a_visit(alice: User, chen: User, visit: Visit) -> None:
    booked = visit(alice)
    with time_machine.travel(booked.start, tick=False):
        booking.check_in(appointment=booked, by=chen)
        for person in (alice, chen):
            with pytest.raises(ErasureRefused, match="going on"):
                erasure.erase(person=person)


def test_a_doctor_who_leaves_calls_off_what_is_to_come(
    alice: User, chen: User, full: tuple[Appointment, Appointment]
) -> None:
    past, coming = full
    erasure.erase(person=chen)
    past.refresh_from_db()
    coming.refresh_from_db()
    assert (past.status, coming.status) == (Status.COMPLETED, Status.CANCELLED_BY_DOCTOR)
    assert not CareRelation.objects.in_force().filter(doctor=chen).exists()
    assert not Schedule.objects.exists()
    assert not WeeklyRule.objects.exists()
    assert VisitNote.objects.count() == 1  # it is the patient's
    assert [trace for trace in traces("Mei Chen") if "outgoingmail" not in trace] == []
