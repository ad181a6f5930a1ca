"""The way of a licence: handing in, deciding, suspending, running out, and what everybody is told."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import verification
from accounts.documents import ReceivedDocument
from accounts.models import (
    ApplicationEvent,
    ApplicationStatus,
    DoctorApplication,
    LicenceReminder,
    OutgoingMail,
    Role,
    User,
)
from accounts.models.verification import NEED_A_REASON, PENDING, TRANSITIONS
from accounts.registries import doctor_stopped
from accounts.selectors import is_verified_doctor
from accounts.tasks import watch_licences
from tests.accounts.licences import a_pdf, decide, hand_in, licence
from tests.conftest import make_user
from tests.mails import sent

Browse = Callable[[User], Client]
S = ApplicationStatus
QUEUE = "/admin/accounts/doctorapplication/"


@pytest.fixture
def stopped() -> Iterator[list[tuple[User, str]]]:
    """Doctors whom an app above would have been told of, with the reason."""
    told: list[tuple[User, str]] = []

    def tell(doctor: User, reason: str) -> None:
        told.append((doctor, reason))

    doctor_stopped.append(tell)
    yield told
    doctor_stopped.remove(tell)


@pytest.fixture
def adam(db: None) -> User:
    """A second administrator."""
    return make_user("adam@example.org", "Adam Lind", Role.ADMIN)


def steps(application: DoctorApplication) -> list[tuple[str, str, int | None]]:
    return list(application.events.values_list("from_status", "to_status", "by"))


def subjects(to: User) -> list[str]:
    return [str(message.subject) for message in sent() if message.to == [to.email]]


def form(**fields: Any) -> dict[str, Any]:
    """What a browser sends from the page of the licence."""
    return {
        "licence_number": "GMC 12345",
        "licence_authority": "Medical Council",
        "licence_country": "CH",
        "licence_expires_on": (timezone.now().date() + timedelta(days=400)).isoformat(),
        "document": SimpleUploadedFile("licence.pdf", a_pdf()),
    } | fields


# Handing in


def test_a_licence_goes_from_the_page_into_the_queue(browse: Browse, frey: User, eve: User) -> None:
    client = browse(frey)
    assert "Show us your licence" in client.get("/settings/licence/").content.decode()
    assert client.post("/settings/licence/apply/", form()).headers["Location"] == "/settings/licence/"
    application = DoctorApplication.objects.get()
    assert (application.doctor, application.status) == (frey, S.SUBMITTED)
    assert steps(application) == [("", S.SUBMITTED, frey.pk)]
    assert "Your licence is with us" in client.get("/settings/licence/").content.decode()
    assert frey.name in browse(eve).get(QUEUE).content.decode()
    assert verification.waiting_count() == 1
    assert subjects(frey) == ["We have your licence"]
    assert not is_verified_doctor(frey)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"licence_expires_on": "2020-01-31"}, "This licence has expired already."),
        ({"licence_expires_on": "soon"}, "Write the date as year-month-day"),
        ({"licence_number": "  "}, "Write the number of your licence."),
        ({"licence_country": "ZZ"}, "Select a valid choice."),
        ({"document": SimpleUploadedFile("licence.pdf", b"no PDF")}, "This file is not a PDF"),
        ({"document": ""}, "Choose the file with your licence."),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_said_and_nothing_else_is_lost(
    browse: Browse, frey: User, wrong: dict[str, Any], sentence: str
) -> None:
    response = browse(frey).post("/settings/licence/apply/", form(**wrong))
    page = response.content.decode()
    assert response.status_code == 422
    assert page.count(sentence) == 2  # at the field, and in the summary that receives the focus
    assert 'value="Medical Council"' in page
    assert not DoctorApplication.objects.exists()
    if "document" not in wrong:
        assert "Choose this file again" in page


def test_one_application_at_a_time(browse: Browse, frey: User) -> None:
    hand_in(frey)
    with pytest.raises(ValidationError, match="under way already"):
        hand_in(frey)
    assert browse(frey).get("/settings/licence/apply/").headers["Location"] == "/settings/licence/"


def test_the_database_knows_it_too(frey: User) -> None:
    first = hand_in(frey)
    first.pk = None
    first.public_id = frey.public_id
    with pytest.raises(IntegrityError), transaction.atomic():
        first.save(force_insert=True)


def test_a_refused_application_leaves_no_file(frey: User, settings: Any) -> None:
    hand_in(frey)
    with pytest.raises(ValidationError):
        hand_in(frey)
    files = [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()]
    assert len(files) == 1


def test_only_doctors_apply(browse: Browse, alice: User, eve: User) -> None:
    for user in (alice, eve):
        with pytest.raises(PermissionDenied):
            hand_in(user)
        for path in ("", "apply/", "answer/"):
            assert browse(user).get(f"/settings/licence/{path}").status_code == 403


# Deciding


def test_verified_in_two_clicks(browse: Browse, frey: User, eve: User) -> None:
    application = hand_in(frey)
    client = browse(eve)
    page = client.get(f"{QUEUE}{application.pk}/change/").content.decode()
    assert f"/settings/licence/documents/{application.public_id}/pages/1/" in page  # beside the form
    assert "GMC 12345" in page
    seen = application.events.get().pk
    response = client.post(f"{QUEUE}{application.pk}/change/", {"to": "verified", "seen": seen})
    assert response.headers["Location"] == QUEUE
    assert is_verified_doctor(frey)
    assert steps(application)[-1] == (S.SUBMITTED, S.VERIFIED, eve.pk)
    assert subjects(frey)[-1] == "You are verified"
    assert frey.name not in client.get(QUEUE).content.decode().split('id="changelist-form"')[-1]


def test_rejected_with_a_reason_the_account_stays_and_applies_again(
    browse: Browse, frey: User, eve: User
) -> None:
    application = hand_in(frey)
    decide(application, eve, S.REJECTED, "The document shows another name.")
    frey.refresh_from_db()
    assert frey.is_active
    page = browse(frey).get("/settings/licence/").content.decode()
    assert "The document shows another name." in page
    assert "Apply again" in page
    assert 'value="GMC 12345"' in browse(frey).get("/settings/licence/apply/").content.decode()
    assert browse(frey).post("/settings/licence/apply/", form()).status_code == 302
    assert DoctorApplication.objects.filter(doctor=frey).count() == 2


@pytest.mark.parametrize("to", sorted(NEED_A_REASON))
def test_what_needs_a_reason_is_refused_without(
    browse: Browse, frey: User, eve: User, to: ApplicationStatus
) -> None:
    application = hand_in(frey)
    if to == S.SUSPENDED:
        decide(application, eve, S.VERIFIED)
    before = application.status
    seen = application.events.last()
    assert seen
    response = browse(eve).post(
        f"{QUEUE}{application.pk}/change/", {"to": to, "seen": seen.pk, "reason": " "}
    )
    assert response.status_code == 422
    assert "Write the reason: the doctor reads it." in response.content.decode()
    application.refresh_from_db()
    assert application.status == before


def test_reasons_stand_on_the_page_and_not_in_mails(frey: User, eve: User) -> None:
    decide(hand_in(frey), eve, S.REJECTED, "A delicate matter")
    assert not OutgoingMail.objects.filter(text__contains="delicate").exists()
    assert not any("delicate" in str(message.message()) for message in sent())


def test_more_is_asked_and_answered(browse: Browse, frey: User, eve: User, settings: Any) -> None:
    application = hand_in(frey)
    decide(application, eve, S.IN_REVIEW)
    decide(application, eve, S.MORE_ASKED, "The second page is missing.")
    assert verification.waiting_count() == 0
    client = browse(frey)
    assert "The second page is missing." in client.get("/settings/licence/").content.decode()
    assert "The second page is missing." in client.get("/settings/licence/answer/").content.decode()
    former = application.document.name
    answer = form(message="Here it is.", document=SimpleUploadedFile("both.pdf", a_pdf(pages=2)))
    assert client.post("/settings/licence/answer/", answer).status_code == 302
    application.refresh_from_db()
    assert application.status == S.SUBMITTED
    assert application.document.name != former
    assert steps(application)[-1] == (S.MORE_ASKED, S.SUBMITTED, frey.pk)
    assert "Here it is." in browse(eve).get(f"{QUEUE}{application.pk}/change/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_the_former_document_goes_when_another_has_come(frey: User, eve: User) -> None:
    application = hand_in(frey)
    decide(application, eve, S.MORE_ASKED, "It is blurred.")
    former, storage = str(application.document.name), application.document.storage
    verification.answer_application(
        application=application,
        doctor=frey,
        message="A sharper one.",
        licence=licence(),
        document=ReceivedDocument("application/pdf", a_pdf(pages=2)),
    )
    assert not storage.exists(former)
    assert storage.exists(str(application.document.name))


def test_an_answer_without_another_document_keeps_the_first(browse: Browse, frey: User, eve: User) -> None:
    application = hand_in(frey)
    decide(application, eve, S.MORE_ASKED, "Which canton?")
    answer = form(message="Zürich.", document="", licence_number="ZH 9")
    assert browse(frey).post("/settings/licence/answer/", answer).status_code == 302
    kept = DoctorApplication.objects.get()
    assert kept.document.name == application.document.name
    assert kept.licence_number == "ZH 9"


def test_an_answer_without_words_is_refused(browse: Browse, frey: User, eve: User) -> None:
    decide(hand_in(frey), eve, S.MORE_ASKED, "Which canton?")
    response = browse(frey).post("/settings/licence/answer/", form(message=""))
    assert response.status_code == 422
    assert "Write a sentence for the person who reads it." in response.content.decode()


def test_nobody_answers_for_somebody_else(frey: User, chen: User, eve: User) -> None:
    application = hand_in(frey)
    decide(application, eve, S.MORE_ASKED, "Which canton?")
    with pytest.raises(PermissionDenied):
        verification.answer_application(
            application=application, doctor=chen, message="Mine.", licence=licence()
        )


def test_taken_back_by_the_doctor(browse: Browse, frey: User) -> None:
    application = hand_in(frey)
    assert browse(frey).get("/settings/licence/withdraw/").status_code == 405
    assert browse(frey).post("/settings/licence/withdraw/").status_code == 302
    application.refresh_from_db()
    assert application.status == S.WITHDRAWN
    assert "Apply again" in browse(frey).get("/settings/licence/").content.decode()


def test_nobody_else_takes_it_back(frey: User, chen: User) -> None:
    with pytest.raises(PermissionDenied):
        verification.withdraw(application=hand_in(frey), by=chen)


# Who may decide


def test_nobody_verifies_themselves(browse: Browse, frey: User) -> None:
    application = hand_in(frey)
    frey.role = Role.ADMIN  # somebody gave them the role later
    frey.save()
    with pytest.raises(PermissionDenied):
        decide(application, frey, S.VERIFIED)
    client = browse(frey)
    page = client.get(f"{QUEUE}{application.pk}/change/").content.decode()
    assert "This is your own application." in page
    assert 'name="to"' not in page
    seen = application.events.get().pk
    sent_anyway = client.post(f"{QUEUE}{application.pk}/change/", {"to": "verified", "seen": seen})
    assert sent_anyway.status_code == 403
    application.refresh_from_db()
    assert application.status == S.SUBMITTED


@pytest.mark.parametrize("who", ["alice", "chen", "frey"])
def test_only_administrators_decide(
    browse: Browse, frey: User, request: pytest.FixtureRequest, who: str
) -> None:
    application = hand_in(frey)
    user = request.getfixturevalue(who)
    with pytest.raises(PermissionDenied):
        decide(application, user, S.VERIFIED)
    assert browse(user).get(QUEUE).status_code != 200
    assert browse(user).post(f"{QUEUE}{application.pk}/change/", {"to": "verified"}).status_code != 200
    application.refresh_from_db()
    assert application.status == S.SUBMITTED


def test_administrators_cannot_add_edit_or_delete(browse: Browse, frey: User, eve: User) -> None:
    application = hand_in(frey)
    client = browse(eve)
    assert client.get(f"{QUEUE}add/").status_code == 403
    assert client.post(f"{QUEUE}{application.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.post(f"{QUEUE}{application.pk}/change/", {"licence_number": "X"}).status_code == 422
    application.refresh_from_db()
    assert application.licence_number == "GMC 12345"
    assert client.get(f"{QUEUE}{application.pk}/history/").status_code == 200


@pytest.mark.parametrize("to", [S.EXPIRED, S.REPLACED, S.WITHDRAWN, S.SUBMITTED])
def test_what_is_not_an_administrators_is_not_theirs(frey: User, eve: User, to: ApplicationStatus) -> None:
    with pytest.raises(PermissionDenied):
        decide(hand_in(frey), eve, to)


def test_a_licence_that_ran_out_while_it_waited_is_not_verified(frey: User, eve: User) -> None:
    application = hand_in(frey, days=2)
    with (
        time_machine.travel(timezone.now() + timedelta(days=3)),
        pytest.raises(ValidationError, match="expired already"),
    ):
        decide(application, eve, S.VERIFIED)


def test_somebody_who_is_no_doctor_any_more_is_not_verified(frey: User, eve: User) -> None:
    application = hand_in(frey)
    User.objects.filter(pk=frey.pk).update(role=Role.PATIENT)
    with pytest.raises(ValidationError, match="no doctor's account"):
        decide(application, eve, S.VERIFIED)


# Two at once


def test_the_second_of_two_administrators_gets_a_sentence(
    browse: Browse, frey: User, eve: User, adam: User
) -> None:
    application = hand_in(frey)
    seen = application.events.get().pk
    address = f"{QUEUE}{application.pk}/change/"
    assert browse(eve).post(address, {"to": "verified", "seen": seen}).status_code == 302
    late = browse(adam).post(address, {"to": "rejected", "seen": seen, "reason": "Not legible"})
    assert late.status_code == 422
    assert "Somebody else has changed this application" in late.content.decode()
    assert "Not legible" in late.content.decode()  # what was written is not lost
    assert is_verified_doctor(frey)


def test_a_decision_about_an_old_answer_does_not_count(frey: User, eve: User, adam: User) -> None:
    """The status is what it was, but what it is about has changed."""
    application = hand_in(frey)
    old = application.events.get().pk
    decide(application, eve, S.MORE_ASKED, "Another one, please.")
    verification.answer_application(
        application=application, doctor=frey, message="So be it.", licence=licence()
    )
    with pytest.raises(verification.Overtaken):
        verification.decide(application=application, admin=adam, to=S.VERIFIED, seen=old)


@pytest.mark.django_db(transaction=True)
def test_two_at_the_same_moment_one_wins(frey: User, eve: User, adam: User) -> None:
    application = hand_in(frey)
    seen = application.events.get().pk
    barrier, outcomes = threading.Barrier(2), []

    def decides(admin: User, to: ApplicationStatus) -> None:
        own = DoctorApplication.objects.get(pk=application.pk)
        barrier.wait()
        try:
            verification.decide(application=own, admin=admin, to=to, reason="Because.", seen=seen)
            outcomes.append("done")
        except verification.Overtaken:
            outcomes.append("overtaken")
        finally:
            connection.close()

    threads = [
        threading.Thread(target=decides, args=args) for args in ((eve, S.VERIFIED), (adam, S.REJECTED))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", "overtaken"]
    assert application.events.count() == 2
    assert OutgoingMail.objects.filter(recipient=frey).count() == 2


# Suspending


def test_suspended_and_reinstated(
    browse: Browse, frey: User, eve: User, adam: User, stopped: list[tuple[User, str]]
) -> None:
    application = hand_in(frey)
    decide(application, eve, S.VERIFIED)
    decide(application, eve, S.SUSPENDED, "A complaint is being looked into.")
    assert not is_verified_doctor(frey)
    assert stopped == [(frey, "A complaint is being looked into.")]
    assert subjects(frey)[-1] == "You are suspended"
    for admin in (eve, adam):
        assert subjects(admin) == ["Jonas Frey is suspended"]
    assert "A complaint is being looked into." in browse(frey).get("/settings/licence/").content.decode()
    assert "Lift the suspension" in browse(eve).get(f"{QUEUE}{application.pk}/change/").content.decode()
    decide(application, adam, S.VERIFIED)
    assert is_verified_doctor(frey)
    assert subjects(frey)[-1] == "You are verified again"
    assert len(stopped) == 1


def test_what_cannot_be_told_is_not_done(frey: User, eve: User) -> None:
    """A suspension whose visits could not be flagged does not happen by half."""

    def fails(doctor: User, reason: str) -> None:
        raise RuntimeError

    application = hand_in(frey)
    decide(application, eve, S.VERIFIED)
    doctor_stopped.append(fails)
    try:
        with pytest.raises(RuntimeError), transaction.atomic():
            decide(application, eve, S.SUSPENDED, "A complaint.")
    finally:
        doctor_stopped.remove(fails)
    assert is_verified_doctor(frey)
    assert not ApplicationEvent.objects.filter(to_status=S.SUSPENDED).exists()


def test_giving_up_a_licence_in_force_ends_it(chen: User, stopped: list[tuple[User, str]]) -> None:
    standing = verification.standing_application(chen)
    assert standing
    verification.withdraw(application=standing, by=chen)
    assert not is_verified_doctor(chen)
    assert stopped == [(chen, "")]


# Renewing


def test_a_renewal_replaces_what_stood_without_a_gap(
    browse: Browse, chen: User, eve: User, stopped: list[tuple[User, str]]
) -> None:
    former = verification.standing_application(chen)
    assert former
    assert "Renew your licence" in browse(chen).get("/settings/licence/").content.decode()
    renewal = hand_in(chen, number="NEW 1")
    assert is_verified_doctor(chen)
    decide(renewal, eve, S.VERIFIED)
    former.refresh_from_db()
    assert (former.status, renewal.status) == (S.REPLACED, S.VERIFIED)
    assert is_verified_doctor(chen)
    assert stopped == []
    assert subjects(chen) == ["We have your licence", "You are verified"]


def test_a_rejected_renewal_leaves_what_stands(chen: User, eve: User) -> None:
    decide(hand_in(chen), eve, S.REJECTED, "Another name.")
    assert is_verified_doctor(chen)


# The clockwork


def test_a_licence_counts_on_its_last_day_and_not_after(
    frey: User, eve: User, stopped: list[tuple[User, str]]
) -> None:
    application = hand_in(frey, days=10)
    decide(application, eve, S.VERIFIED)
    last_day = timezone.now().replace(hour=23, minute=59) + timedelta(days=10)
    with time_machine.travel(last_day, tick=False):
        watch_licences()
        assert is_verified_doctor(frey)
    with time_machine.travel(last_day + timedelta(minutes=2), tick=False):
        assert not is_verified_doctor(frey)  # even before the clockwork has come by
        watch_licences()
        watch_licences()
    application.refresh_from_db()
    assert application.status == S.EXPIRED
    assert steps(application)[-1] == (S.VERIFIED, S.EXPIRED, None)
    assert stopped == [(frey, "")]
    assert OutgoingMail.objects.filter(recipient=frey, subject="Your licence has run out").count() == 1


def test_a_suspended_licence_runs_out_as_well(frey: User, eve: User, stopped: list[tuple[User, str]]) -> None:
    application = hand_in(frey, days=10)
    decide(application, eve, S.VERIFIED)
    decide(application, eve, S.SUSPENDED, "A complaint.")
    with time_machine.travel(timezone.now() + timedelta(days=11)):
        watch_licences()
    application.refresh_from_db()
    assert application.status == S.EXPIRED
    assert len(stopped) == 1  # told when it was suspended


def test_reminded_60_30_and_7_days_before_once_each(frey: User, eve: User) -> None:
    start = timezone.now()
    decide(hand_in(frey, days=100), eve, S.VERIFIED)
    reminded = {}
    for day in range(101):
        with time_machine.travel(start + timedelta(days=day)):
            before = LicenceReminder.objects.count()
            watch_licences()
            watch_licences()
            if LicenceReminder.objects.count() > before:
                reminded[day] = OutgoingMail.objects.filter(kind="licence_reminder").latest("pk").subject
    assert reminded == {
        40: "Your licence runs out in 60 days",
        70: "Your licence runs out in 30 days",
        93: "Your licence runs out in 7 days",
    }


def test_a_clockwork_that_stood_still_reminds_of_the_nearest_only(frey: User, eve: User) -> None:
    start = timezone.now()
    decide(hand_in(frey, days=100), eve, S.VERIFIED)
    with time_machine.travel(start + timedelta(days=95)):
        watch_licences()
    mail = OutgoingMail.objects.get(kind="licence_reminder")
    assert mail.subject == "Your licence runs out in 5 days"
    assert list(LicenceReminder.objects.values_list("days_before", flat=True)) == [7]


# Rules of the database, from both sides


@pytest.mark.parametrize("status", list(S))
def test_what_is_decided_has_a_time_and_nothing_else(frey: User, status: ApplicationStatus) -> None:
    application = hand_in(frey)
    rows = DoctorApplication.objects.filter(pk=application.pk)
    whole = None if status in PENDING else timezone.now()
    rows.update(status=status, decided_at=whole)
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.update(status=status, decided_at=timezone.now() if whole is None else None)


def test_an_event_that_needs_a_reason_has_one(frey: User, eve: User) -> None:
    application = hand_in(frey)
    ApplicationEvent.objects.create(application=application, to_status=S.REJECTED, by=eve, reason="So.")
    with pytest.raises(IntegrityError), transaction.atomic():
        ApplicationEvent.objects.create(application=application, to_status=S.REJECTED, by=eve)


def test_what_is_over_is_never_reopened() -> None:
    for status in (S.REJECTED, S.EXPIRED, S.REPLACED, S.WITHDRAWN):
        assert TRANSITIONS[status] == frozenset()


def test_the_queue_asks_the_database_the_same_number_of_times(browse: Browse, eve: User) -> None:
    client = browse(eve)
    client.get(QUEUE)
    counts = []
    for number in (1, 5):
        for count in range(DoctorApplication.objects.count(), number):
            hand_in(make_user(f"d{count}@example.org", f"Doctor {count}", Role.DOCTOR))
        with CaptureQueriesContext(connection) as queries:
            client.get(QUEUE)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_every_page_of_a_doctor_in_every_state(browse: Browse, frey: User, eve: User) -> None:
    client = browse(frey)
    application = hand_in(frey)
    for to, reason in (
        (S.IN_REVIEW, ""),
        (S.MORE_ASKED, "More."),
        (S.REJECTED, "No."),
    ):
        decide(application, eve, to, reason)
        assert client.get("/settings/licence/").status_code == 200
        assert browse(eve).get(f"{QUEUE}{application.pk}/change/").status_code == 200
    for status in ("", "?status=all", "?status=rejected", "?q=frey"):
        assert browse(eve).get(f"{QUEUE}{status}").status_code == 200
