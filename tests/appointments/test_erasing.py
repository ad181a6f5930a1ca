"""Erasing somebody who has visits: what goes, what the law keeps, who is told."""

import datetime
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import timezone

from accounts import erasure
from accounts.models import (
    AccessEvent,
    CareRelation,
    DoctorApplication,
    DoctorProfile,
    Opened,
    Role,
    User,
)
from appointments import booking, erasing
from appointments.models import (
    Appointment,
    AppointmentEvent,
    AttachedAnalysis,
    CalendarFeed,
    IdempotencyKey,
    PhotoRequest,
    Rating,
    Reminder,
    Schedule,
    ScheduleException,
    Status,
    UrgentFollowUp,
    VisitFile,
    VisitNote,
    WaitlistEntry,
    WaitStatus,
    WeeklyRule,
)
from appointments.signals import Happened, visit_changed
from diagnosis.models import Analysis
from tests.accounts.test_erasure import CONFIRMED, ERASE, cells, files, finished, traces
from tests.appointments.conftest import open_hours
from tests.conftest import make_doctor, make_user
from tests.mails import sent

Visit = Callable[..., Appointment]
Submit = Callable[..., Analysis]
NOON = datetime.datetime(2031, 3, 5, 12, 0, tzinfo=datetime.UTC)
SECRET = "quill"


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def told() -> Iterator[list[tuple[Happened, int]]]:
    """What happened to whose visit."""
    heard: list[tuple[Happened, int]] = []

    def hear(appointment: Appointment, happened: Happened, **_: Any) -> None:
        heard.append((happened, appointment.patient_id))

    visit_changed.connect(hear)
    yield heard
    visit_changed.disconnect(hear)


@pytest.fixture
def quilla(db: None) -> User:
    return make_user("quilla.marchbanks@example.org", "Quilla Marchbanks", consent=True)


def complete(visit: Appointment, clock: time_machine.Traveller) -> Appointment:
    """It takes place; afterwards it is over."""
    clock.move_to(visit.start)
    booking.check_in(appointment=visit, by=visit.doctor)
    clock.move_to(visit.end)
    booking.complete(appointment=visit, by=visit.doctor)
    clock.shift(timedelta(hours=1))
    return visit


def surround(visit: Appointment, analysis: Analysis) -> None:
    """Something in every table that can hold anything of a visit."""
    patient, doctor = visit.patient, visit.doctor
    Rating.objects.create(appointment=visit, stars=4, comment="Quilla was content")
    for by in (patient, doctor):
        file = VisitFile(appointment=visit, by=by, title="Quill's letter", content_type="application/pdf")
        file.file.save("x", ContentFile(b"%PDF quill " + by.email.encode()))
    PhotoRequest.objects.create(
        appointment=visit,
        patient=patient,
        doctor=doctor,
        due_on=timezone.localdate(),
        note="Quilla's back",
        analysis=analysis,
    )
    Reminder.objects.create(
        appointment=visit, kind="day", start=visit.start, recipient=doctor, channel="email"
    )
    IdempotencyKey.objects.create(user=patient, key="quill-1", digest="0" * 64, appointment=visit)


def sign(visit: Appointment, **fields: Any) -> VisitNote:
    values = {"diagnosis": "A mole of Quilla's", "private": "Quilla is afraid", "signed_at": timezone.now()}
    return VisitNote.objects.create(appointment=visit, author=visit.doctor, **values | fields)


def draft(visit: Appointment) -> VisitNote:
    return sign(visit, signed_at=None)


@pytest.fixture
def past(quilla: User, visit: Visit, submit: Submit, clock: time_machine.Traveller) -> Appointment:
    """A visit of which no note was signed, with everything else around it."""
    analysis = finished(submit(quilla))
    done = complete(visit(quilla, reason="Quilla Marchbanks itches", analyses=[analysis.public_id]), clock)
    surround(done, analysis)
    draft(done)
    CalendarFeed.objects.create(user=quilla, digest="1" * 64)
    UrgentFollowUp.objects.create(
        analysis=analysis, closed_at=timezone.now(), closed_by=done.doctor, word="Quilla came"
    )
    return done


def erase(person: User, callbacks: Any) -> Any:
    with callbacks(execute=True):
        return erasure.erase(person=User.objects.get(pk=person.pk))


# A patient


def test_nothing_of_a_patient_is_left(
    *,
    past: Appointment,
    quilla: User,
    visit: Visit,
    diaz_open: Schedule,
    django_capture_on_commit_callbacks: Any,
) -> None:
    coming = visit(quilla, 6, reason="Quilla again", analyses=[])
    draft(coming)
    booking.hold(patient=quilla, doctor=diaz_open.doctor, start=coming.start + timedelta(days=2), length=30)
    cancelled = visit(quilla, 60)
    booking.cancel(appointment=cancelled, by=quilla, reason="Quilla is away")
    WaitlistEntry.objects.create(
        patient=quilla, doctor=past.doctor, appointment=coming, length=30, before=coming.start
    )
    analysis = Analysis.objects.get()
    AccessEvent.objects.create(
        actor=past.doctor, patient=quilla, opened=Opened.VISIT, item=past.public_id, relation=past.relation
    )
    secrets = [
        SECRET,
        quilla.public_id,
        past.public_id,
        past.room,
        analysis.public_id,
        *VisitFile.objects.values_list("public_id", flat=True),
        *CareRelation.objects.values_list("public_id", flat=True),
    ]
    assert len(traces(*secrets)) > 20, "The test looks in the wrong places."
    promised = erasure.preview(quilla)
    assert promised.kept == []
    assert promised.erased["Visits"] == 3
    assert promised.erased["Places on waiting lists"] == 1
    assert promised.erased["Ratings of visits"] == 1
    receipt = erase(quilla, django_capture_on_commit_callbacks)
    assert {row["what"]: row["count"] for row in receipt.erased} == promised.erased
    sent()
    assert traces(*secrets) == []
    assert files() == []
    for model in (
        AttachedAnalysis, CalendarFeed, IdempotencyKey, PhotoRequest, Rating, Reminder, UrgentFollowUp,
        VisitFile, VisitNote, WaitlistEntry,
    ):  # fmt: skip
        assert not model._default_manager.exists(), model


def test_the_page_does_the_same(
    past: Appointment, quilla: User, django_capture_on_commit_callbacks: Any
) -> None:
    here = Client()
    here.force_login(quilla)
    assert "Visits" in here.get(ERASE).content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        assert here.post(ERASE, CONFIRMED).status_code == 302
    sent()
    assert traces(SECRET) == []
    assert not Appointment.objects.exists()


def test_a_coming_visit_is_called_off_and_the_doctor_told(
    quilla: User, visit: Visit, told: list[Any], clock: Any, django_capture_on_commit_callbacks: Any
) -> None:
    coming = visit(quilla, reason="Quilla")
    told.clear()
    erase(quilla, django_capture_on_commit_callbacks)
    assert told == [(Happened.CANCELLED, quilla.pk)]
    coming.refresh_from_db()
    assert (coming.status, coming.reason, coming.relation) == (Status.CANCELLED_BY_PATIENT, "", None)
    assert Appointment.objects.visible_to(coming.doctor).get() == coming
    # A bare row of it stays until its time is over.
    erasure.erase_lapsed()
    assert Appointment.objects.exists()
    clock.move_to(coming.end)
    erasure.erase_lapsed()
    assert not Appointment.objects.exists()
    assert not AppointmentEvent.objects.exists()


def test_the_time_is_free_again(
    quilla: User, bob: User, visit: Visit, django_capture_on_commit_callbacks: Any
) -> None:
    coming = visit(quilla)
    erase(quilla, django_capture_on_commit_callbacks)
    again = booking.hold(patient=bob, doctor=coming.doctor, start=coming.start, length=30)
    assert booking.book(hold=again).status == Status.CONFIRMED


def test_what_is_offered_to_somebody_who_leaves_goes_too(
    quilla: User, chen_open: Schedule, django_capture_on_commit_callbacks: Any
) -> None:
    offer = booking.hold(
        patient=quilla,
        doctor=chen_open.doctor,
        start=NOON + timedelta(days=1),
        length=30,
        offered=True,
    )
    WaitlistEntry.objects.create(
        patient=quilla,
        doctor=chen_open.doctor,
        length=30,
        before=offer.end,
        status=WaitStatus.OFFERED,
        offer=offer,
    )
    erase(quilla, django_capture_on_commit_callbacks)
    assert not Appointment.objects.exists()


def test_the_others_keep_everything(
    *,
    past: Appointment,
    quilla: User,
    bob: User,
    visit: Visit,
    submit: Submit,
    clock: Any,
    django_capture_on_commit_callbacks: Any,
) -> None:
    analysis = finished(submit(bob, seed=7))
    his = complete(visit(bob, 6, reason="Mine", analyses=[analysis.public_id]), clock)
    surround(his, analysis)
    note, waiting = draft(his), visit(bob, 9)
    before = {(table, str(cell)) for table, cell in cells() if table.startswith("appointments_")}
    erase(quilla, django_capture_on_commit_callbacks)
    after = {(table, str(cell)) for table, cell in cells() if table.startswith("appointments_")}
    assert after <= before
    his.refresh_from_db()
    waiting.refresh_from_db()
    assert (his.reason, his.rating.stars, his.attached.count()) == ("Mine", 4, 1)
    assert (his.files.count(), his.photo_requests.count(), his.notes.get()) == (2, 1, note)
    assert his.relation
    assert waiting.status == Status.CONFIRMED
    assert len(files()) == 4  # an analysis with its thumbnail, and two files


def test_not_during_a_visit(quilla: User, visit: Visit, browse: Any, clock: Any) -> None:
    booked = visit(quilla)
    clock.move_to(booked.start - timedelta(minutes=1))
    assert erasure.preview(quilla).obstacles == []
    booking.check_in(appointment=booked, by=booked.doctor)
    for person in (quilla, booked.doctor):
        for moment in (booked.start - timedelta(minutes=1), booked.start, booked.end - timedelta(seconds=1)):
            clock.move_to(moment)
            with pytest.raises(erasure.ErasureRefused, match="visit right now"):
                erasure.erase(person=person)
    assert "visit right now" in browse(quilla).get(ERASE).content.decode()
    clock.move_to(booked.end)
    for person in (quilla, booked.doctor):
        assert erasure.preview(person).obstacles == []
    Appointment.objects.update(status=Status.CONFIRMED)  # nobody checked anybody in
    clock.move_to(booked.start)
    assert erasing.ERASURE.obstacle(quilla)


# The retention rule


def test_a_signed_note_keeps_its_visit_and_what_it_is_about(
    *,
    past: Appointment,
    quilla: User,
    visit: Visit,
    submit: Submit,
    clock: Any,
    django_capture_on_commit_callbacks: Any,
) -> None:
    VisitNote.objects.all().delete()
    first = sign(past)
    sign(past, amends=first, advice="More cream")
    draft(past)
    other = complete(visit(quilla, 6, analyses=[finished(submit(quilla, seed=2)).public_id]), clock)
    Appointment.objects.filter(pk=past.pk).update(follows=other)
    promised = erasure.preview(quilla)
    [kept, analyses] = sorted(promised.kept, key=lambda row: row.what, reverse=True)
    assert (kept.what, kept.count, kept.until.year) == ("Visits with their notes", 1, NOON.year + 10)
    assert "kept for 10 years, without your name" in kept.why
    assert (analyses.what, analyses.count) == ("Analyses with their images", 1)
    assert promised.erased["Visits"] == 1
    receipt = erase(quilla, django_capture_on_commit_callbacks)
    assert {row["what"]: row["count"] for row in receipt.erased} == promised.erased
    left = Appointment.objects.get()
    assert left == past
    assert (left.reason, left.follows, left.relation) == ("Quilla Marchbanks itches", None, None)
    assert left.patient.name == "Erased account"
    assert (left.notes.count(), left.files.count(), left.attached.count()) == (2, 2, 1)
    assert not Rating.objects.exists()
    assert Analysis.objects.get() == left.attached.get().analysis
    clock.move_to(NOON + timedelta(days=365 * 9))
    with django_capture_on_commit_callbacks(execute=True):
        erasure.erase_lapsed()
    assert Appointment.objects.exists()
    clock.move_to(NOON + timedelta(days=366 * 10 + 7))
    with django_capture_on_commit_callbacks(execute=True):
        erasure.erase_lapsed()
    assert not Appointment.objects.exists()
    assert not VisitNote.objects.exists()
    assert not Analysis.objects.exists()
    assert files() == []


def test_the_number_of_years_is_a_setting(past: Appointment, quilla: User, settings: Any, clock: Any) -> None:
    VisitNote.objects.all().delete()
    sign(past)
    clock.shift(timedelta(days=2 * 365))
    assert [row.count for row in erasing.ERASURE.preview(quilla)[1]] == [1]
    settings.DERMA_RETENTION_YEARS = 1
    assert erasing.ERASURE.preview(quilla)[1] == []


# A doctor


def test_an_erased_doctor_calls_off_what_is_coming_and_leaves_the_records_of_others(
    *,
    alice: User,
    bob: User,
    told: list[Any],
    clock: Any,
    visit: Visit,
    diaz_open: Schedule,
    django_capture_on_commit_callbacks: Any,
) -> None:
    doctor = make_doctor("quillon@example.org", "Quillon Frost")
    schedule = Schedule.objects.create(doctor=doctor, time_zone="Europe/Zurich", notice_hours=0)
    WeeklyRule.objects.bulk_create(
        WeeklyRule(schedule=schedule, weekday=day, begins=0, ends=1440) for day in range(7)
    )
    ScheduleException.objects.create(
        schedule=schedule,
        kind="off",
        first_day=NOON.date() + timedelta(days=30),
        last_day=NOON.date() + timedelta(days=30),
        begins=0,
        ends=1440,
        note="Quillon's wedding",
    )

    def booked(patient: User, start: datetime.datetime) -> Appointment:
        return booking.book(hold=booking.hold(patient=patient, doctor=doctor, start=start, length=30))

    done = complete(booked(alice, NOON + timedelta(hours=1)), clock)
    note = sign(done, diagnosis="A mole", private="")
    draft(done)
    elsewhere = visit(bob)
    coming = [booked(who, NOON + timedelta(days=day)) for day, who in enumerate((alice, bob), start=1)]
    offer = booking.hold(patient=bob, doctor=doctor, start=NOON + timedelta(days=4), length=30, offered=True)
    entry = WaitlistEntry.objects.create(
        patient=bob, doctor=doctor, length=30, before=offer.end, status=WaitStatus.OFFERED, offer=offer
    )
    PhotoRequest.objects.create(
        appointment=done, patient=alice, doctor=doctor, due_on=NOON.date() + timedelta(days=9)
    )
    CalendarFeed.objects.create(user=doctor, digest="2" * 64)
    told.clear()
    promised = erasure.preview(doctor).erased
    assert promised["Coming visits, which are called off"] == 2
    assert promised["Drafts of notes"] == 1
    assert promised["Hours and terms of a doctor"] == 1
    receipt = erase(doctor, django_capture_on_commit_callbacks)
    assert {row["what"]: row["count"] for row in receipt.erased} == promised
    assert told == [(Happened.CANCELLED, alice.pk), (Happened.CANCELLED, bob.pk)]
    sent()
    assert traces(SECRET, doctor.public_id) == []
    for visit_with_doctor in coming:
        visit_with_doctor.refresh_from_db()
        assert visit_with_doctor.status == Status.CANCELLED_BY_DOCTOR
        assert Appointment.objects.visible_to(visit_with_doctor.patient).filter(pk=visit_with_doctor.pk)
    entry.refresh_from_db()
    assert entry.status == WaitStatus.LEFT
    assert VisitNote.objects.get() == note
    assert PhotoRequest.objects.get().closed_at == timezone.now()
    elsewhere.refresh_from_db()
    assert elsewhere.status == Status.CONFIRMED
    assert Schedule.objects.filter(doctor=diaz_open.doctor).exists()
    assert not WeeklyRule.objects.filter(schedule=schedule.pk).exists()
    assert done.notes.get().author.name == "Erased account"


def test_who_has_no_visits_is_promised_nothing(alice: User, chen: User, eve: User) -> None:
    for person in (alice, chen, eve):
        erased, kept = erasing.ERASURE.preview(person)
        assert (sum(erased.values()), kept, erasing.ERASURE.obstacle(person)) == (0, [], "")
    assert erasing.erase_lapsed() == []


# Who was the one and is the other


def test_who_became_a_doctor_is_erased_as_a_patient_too(
    past: Appointment, quilla: User, django_capture_on_commit_callbacks: Any
) -> None:
    User.objects.filter(pk=quilla.pk).update(role=Role.DOCTOR)
    promised = erasure.preview(User.objects.get(pk=quilla.pk)).erased
    assert (promised["Visits"], promised["Private addresses of your calendar"]) == (1, 1)
    receipt = erase(quilla, django_capture_on_commit_callbacks)
    assert {row["what"]: row["count"] for row in receipt.erased} == promised
    sent()
    assert traces(SECRET) == []
    assert files() == []
    assert not Appointment.objects.exists()


@pytest.mark.parametrize("role", [Role.PATIENT, Role.ADMIN])
def test_who_was_a_doctor_is_erased_as_one(
    role: Role, bob: User, eve: User, django_capture_on_commit_callbacks: Any
) -> None:
    doctor = make_doctor("quillon@example.org", "Quillon Frost")
    application = DoctorApplication.objects.get(doctor=doctor)
    application.document.save("x.pdf", ContentFile(b"%PDF quill"))
    doctor.doctor_profile.photo.save("p.jpg", ContentFile(b"quill"))
    open_hours(doctor)
    entry = WaitlistEntry.objects.create(
        patient=bob, doctor=doctor, length=30, before=NOON + timedelta(days=1)
    )
    User.objects.filter(pk=doctor.pk).update(role=role)
    promised = erasure.preview(User.objects.get(pk=doctor.pk)).erased
    assert (promised["Hours and terms of a doctor"], promised["Licences, with their documents"]) == (1, 1)
    receipt = erase(doctor, django_capture_on_commit_callbacks)
    assert {row["what"]: row["count"] for row in receipt.erased} == promised
    sent()
    assert traces(SECRET) == []
    assert files() == []
    for model in (DoctorApplication, DoctorProfile, Schedule, WeeklyRule):
        assert not model._default_manager.exists(), model
    entry.refresh_from_db()
    assert entry.status == WaitStatus.LEFT
