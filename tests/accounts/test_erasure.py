"""Erasing a person: everything goes, from every table and every file; what stays leads to nobody."""

import hashlib
import uuid
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import time_machine
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings as django_settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.db import connection
from django.db.models.fields.files import FieldFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import erasure, exporting, notices, registries
from accounts.models import (
    AccessEvent,
    ApplicationEvent,
    BreakGlass,
    CareRelation,
    ConsentKind,
    DataExport,
    DoctorApplication,
    DoctorProfile,
    ErasureReceipt,
    Opened,
    OutgoingMail,
    PatientProfile,
    Role,
    User,
)
from accounts.profiles import Why, update_profile
from accounts.registries import Erasure, Kept
from accounts.relations import share
from accounts.services import give_consent
from accounts.tasks import prepare_export
from diagnosis import erasing, jobs
from diagnosis.models import Analysis, AnalysisEvent
from tests import images
from tests.conftest import PASSWORD, assessment, make_doctor, make_user
from tests.mails import sent

Browse = Callable[[User], Client]
Submit = Callable[..., Analysis]
ERASE = "/settings/data/erase/"
CONFIRMED = {"understood": "on", "password": PASSWORD}


def finished(analysis: Analysis) -> Analysis:
    claimed = jobs.claim(analysis.pk)
    assert claimed
    assert jobs.complete(claimed, assessment())
    return claimed


def cells() -> list[tuple[str, Any]]:
    """Every value in every table, sessions in clear."""
    found: list[tuple[str, Any]] = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608
            found += [(table, cell) for row in cursor.fetchall() for cell in row]
    found += [("django_session", repr(session.get_decoded())) for session in Session.objects.all()]
    return found


def traces(*secrets: object) -> list[str]:
    """Where one of these values stands in the database or in a file, in whatever way it may be written."""
    spellings = {str(secret).lower() for secret in secrets}
    spellings |= {secret.hex for secret in secrets if isinstance(secret, uuid.UUID)}
    numbers = {secret for secret in secrets if isinstance(secret, Decimal)}
    found = []
    for table, cell in cells():
        if isinstance(cell, Decimal | float) and Decimal(str(cell)) in numbers:
            found.append(f"{table}: {cell}")
        written = bytes(cell).decode("latin-1") if isinstance(cell, bytes | memoryview) else str(cell)
        found += [f"{table}: {spelling}" for spelling in spellings if spelling in written.lower()]
    for path in files():
        content = path.read_bytes()
        written = f"{path} {hashlib.sha256(content).hexdigest()} {content.decode('latin-1')}".lower()
        found += [f"{path}: {spelling}" for spelling in spellings if spelling in written]
    return found


def files() -> list[Path]:
    return [path for path in Path(django_settings.MEDIA_ROOT).rglob("*") if path.is_file()]


@pytest.fixture
def quilla(db: None, submit: Submit, chen: User, eve: User, client: Client) -> User:
    """A patient whose every value can be recognised, with something in every table that can hold any."""
    person = make_user("quilla.marchbanks@example.org", "Quilla Marchbanks", consent=True)
    EmailAddress.objects.create(user=person, email="quilla.second@example.org", verified=True)
    answers: dict[str, Any] = {
        "date_of_birth": date(1931, 7, 19),
        "place": "Quilltown",
        "allergies": "quillaja bark",
        "latitude": Decimal("-47.31"),
        "longitude": Decimal("-163.77"),
    }
    update_profile(patient=person, by=person, why=Why.PAGE, **answers)
    update_profile(patient=person, by=person, why=Why.PAGE, place="Quillville")
    PatientProfile.history.update(history_change_reason="Quilla Marchbanks asked")
    analysis = finished(submit(person))
    relation = share(patient=person, doctor=chen, items=[analysis.public_id])
    share(patient=person, doctor=chen)
    glass = BreakGlass.objects.create(
        admin=eve,
        patient=person,
        reason="Quilla Marchbanks fainted",
        until=timezone.now() + timedelta(hours=1),
    )
    AccessEvent.objects.create(
        actor=chen, patient=person, opened=Opened.IMAGE, item=analysis.public_id, relation=relation
    )
    AccessEvent.objects.create(actor=eve, patient=person, opened=Opened.RECORD, break_glass=glass)
    prepare_export(exporting.request_export(user=person).pk)
    exporting.request_export(user=person)
    notices.choose(user=person, chosen={"visits": ["email"]})
    TOTP.activate(person, generate_totp_secret())
    LogEntry.objects.create(
        user=eve,
        content_type=ContentType.objects.get_for_model(User),
        object_id=str(person.pk),
        object_repr=str(person),
        action_flag=CHANGE,
        change_message="Quilla Marchbanks",
    )
    client.post(reverse("account_reset_password"), {"email": person.email})
    APIClient().post(
        "/_allauth/app/v1/auth/login", {"email": person.email, "password": "wrong"}, format="json"
    )
    return person


def digest(file: FieldFile) -> str:
    with file.open("rb") as opened:
        return hashlib.sha256(opened.read()).hexdigest()


def secrets_of(person: User) -> list[object]:
    analyses = Analysis.objects.filter(patient=person)
    return [
        "quill",
        person.email,
        "1931-07-19",
        Decimal("-47.31"),
        Decimal("-163.77"),
        person.public_id,
        *analyses.values_list("public_id", flat=True),
        *analyses.values_list("sha256", flat=True),
        *(digest(analysis.image) for analysis in analyses),
        *(digest(analysis.thumbnail) for analysis in analyses),
        *CareRelation.objects.filter(patient=person).values_list("public_id", flat=True),
        *DataExport.objects.filter(user=person).values_list("public_id", flat=True),
    ]


def test_nothing_of_a_patient_is_left_in_any_table_or_file(
    quilla: User, browse: Browse, django_capture_on_commit_callbacks: Any
) -> None:
    secrets = secrets_of(quilla)
    assert len(traces(*secrets)) > 40, "The test looks in the wrong places."
    browse(quilla)  # another device that is signed in
    here = Client()
    here.login(email=quilla.email, password=PASSWORD)
    with django_capture_on_commit_callbacks(execute=True):
        answer = here.post(ERASE, CONFIRMED)
    assert answer.status_code == 302
    sent()  # the last mail is blanked once it has gone
    assert traces(*secrets) == []
    assert files() == []
    assert "_auth_user_id" not in here.session


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's vacuum does it")
def test_deleted_rows_are_overwritten(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA secure_delete")
        assert cursor.fetchone() == (1,)


def test_the_others_keep_everything(
    quilla: User, bob: User, chen: User, submit: Submit, django_capture_on_commit_callbacks: Any
) -> None:
    others = set(User.objects.exclude(pk=quilla.pk))
    mine = finished(submit(bob, seed=5))
    update_profile(patient=bob, by=bob, why=Why.PAGE, place="Bern")
    share(patient=bob, doctor=chen)
    AccessEvent.objects.create(actor=chen, patient=bob, opened=Opened.IMAGE, item=mine.public_id)
    with django_capture_on_commit_callbacks(execute=True):
        erasure.erase(person=quilla)
    assert digest(Analysis.objects.get().image)
    assert AnalysisEvent.objects.filter(analysis=mine).exists()
    assert PatientProfile.objects.get().place == "Bern"
    assert CareRelation.objects.in_force().get().patient == bob
    assert AccessEvent.objects.get(patient=bob).item == mine.public_id
    assert set(User.objects.filter(is_active=True)) == others


def test_what_is_left_is_nobody(quilla: User) -> None:
    old = quilla.public_id
    erasure.erase(person=User.objects.get(pk=quilla.pk))
    left = User.objects.get(pk=quilla.pk)
    assert list(erasure.erased_people()) == [left]
    assert (left.is_active, left.has_usable_password(), left.last_login) == (False, False, None)
    assert left.public_id != old
    assert left.name == "Erased account"
    assert left.email.endswith("@erased.invalid")
    assert not Authenticator.objects.exists()


def test_the_log_keeps_that_a_record_was_opened(quilla: User, chen: User) -> None:
    at = list(AccessEvent.objects.values_list("at", flat=True))
    erasure.erase(person=quilla)
    events = list(AccessEvent.objects.all())
    assert [event.at for event in events] == at
    assert {event.actor.name for event in events} == {"Mei Chen", "Eve Marlow"}
    assert all(event.item is None and event.relation is None for event in events)


def test_nobody_can_sign_in_any_more(quilla: User, app_of: Callable[[User], APIClient]) -> None:
    here = Client()
    here.login(email=quilla.email, password=PASSWORD)
    EmailAddress.objects.filter(user=quilla).update(verified=True)
    Authenticator.objects.all().delete()
    app = app_of(quilla)
    assert app.get("/api/v1/me/consents/").status_code == 200
    erasure.erase(person=User.objects.get(pk=quilla.pk))
    assert app.get("/api/v1/me/consents/").status_code == 401
    assert here.get("/settings/data/").status_code == 302
    assert not Client().login(email="quilla.marchbanks@example.org", password=PASSWORD)


def test_the_sessions_of_others_go_on(quilla: User, browse: Browse) -> None:
    namesake = make_user(f"x.{quilla.email}", "Another")
    client = browse(namesake)
    session = client.session
    session["remembered"] = namesake.email
    session.save()
    half_signed_in = Client()
    session = half_signed_in.session
    session["remembered"] = [quilla.email.upper()]
    session.save()
    erasure.erase(person=quilla)
    assert client.get("/settings/data/").status_code == 200
    assert not Session.objects.filter(session_key=session.session_key).exists()


def test_an_address_that_was_only_added_is_still_a_strangers(
    quilla: User, chen: User, browse: Browse, client: Client
) -> None:
    EmailAddress.objects.create(user=quilla, email="zed@example.org")  # it never was confirmed
    zed = make_user("zed@example.org", "Zed Bauer")
    client.post(reverse("account_reset_password"), {"email": zed.email})
    going_on, signing_in = browse(zed), Client()
    naming_her = browse(chen)
    for browser, remembered in ((going_on, zed), (signing_in, zed), (naming_her, quilla)):
        session = browser.session
        session["remembered"] = remembered.email
        session.save()
    erasure.erase(person=User.objects.get(pk=quilla.pk))
    assert OutgoingMail.objects.get(address=zed.email).recipient == zed
    for browser in (going_on, naming_her):
        assert browser.get("/settings/data/").status_code == 200
    assert Session.objects.filter(session_key=signing_in.session.session_key).exists()


def test_the_address_is_free_again(quilla: User) -> None:
    email = quilla.email
    erasure.erase(person=quilla)
    assert make_user(email, "Another")


def test_an_erased_doctor_leaves_nothing_either(
    alice: User, submit: Submit, eve: User, django_capture_on_commit_callbacks: Any
) -> None:
    doctor = make_doctor("quillon@example.org", "Quillon Frost")
    application = DoctorApplication.objects.get(doctor=doctor)
    DoctorApplication.objects.filter(pk=application.pk).update(licence_number="QUILL-7", document="")
    application.document.save("x.pdf", ContentFile(b"%PDF quill"))
    ApplicationEvent.objects.create(application=application, to_status="in_review", by=eve, reason="Quillon?")
    profile = DoctorProfile.objects.get(user=doctor)
    profile.biography, profile.latitude = "Quillon Frost learned", Decimal("-47.313131")
    profile.longitude = Decimal("-163.771717")
    profile.photo.save("p.jpg", ContentFile(images.encoded(images.picture())))
    LogEntry.objects.create(
        user=eve,
        content_type=ContentType.objects.get_for_model(profile),
        object_id=str(profile.pk),
        object_repr=str(profile),
        action_flag=CHANGE,
    )
    analysis = finished(submit(alice))
    share(patient=alice, doctor=doctor)
    AccessEvent.objects.create(actor=doctor, patient=alice, opened=Opened.RECORD, address="203.0.113.77")
    stopped: list[User] = []
    registries.doctor_stopped.append(lambda who, reason: stopped.append(who))
    try:
        with django_capture_on_commit_callbacks(execute=True):
            erasure.erase(person=User.objects.get(pk=doctor.pk))
    finally:
        registries.doctor_stopped.pop()
    sent()
    assert stopped == [doctor]
    secrets = ("quill", Decimal("-47.313131"), doctor.public_id, application.public_id, "203.0.113.77")
    assert traces(*secrets) == []
    assert CareRelation.objects.get().revoked_at
    assert AccessEvent.objects.get().patient == alice
    assert Analysis.objects.get() == analysis


def test_the_last_administrator_stays(eve: User, browse: Browse) -> None:
    client = browse(eve)
    assert "You are the only administrator" in client.get(ERASE).content.decode()
    with pytest.raises(erasure.ErasureRefused):
        erasure.erase(person=eve)
    answer = client.post(ERASE, CONFIRMED)
    assert answer.status_code == 422
    make_user("second@example.org", "Second", Role.ADMIN)
    erasure.erase(person=User.objects.get(pk=eve.pk))
    assert User.objects.filter(role="admin", is_active=True).count() == 1


# Refused


def test_not_while_an_analysis_is_being_examined(alice: User, submit: Submit, browse: Browse) -> None:
    analysis = submit(alice)
    client = browse(alice)
    page = client.get(ERASE).content.decode()
    assert "is being examined right now" in page
    assert "Erase my account for good" not in page
    assert client.post(ERASE, CONFIRMED).status_code == 422
    jobs.claim(analysis.pk)
    assert client.post(ERASE, CONFIRMED).status_code == 422
    alice.refresh_from_db()
    assert alice.is_active
    assert Analysis.objects.exists()


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"understood": "on", "password": "wrong"}, "This is not your password"),
        ({"understood": "on", "password": ""}, "Write your password"),
        ({"password": PASSWORD}, "Tick this box"),
    ],
)
def test_the_password_is_asked_again(
    alice: User, browse: Browse, answers: dict[str, str], sentence: str
) -> None:
    answer = browse(alice).post(ERASE, answers)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    alice.refresh_from_db()
    assert alice.is_active


def test_guessing_the_password_is_limited(alice: User, browse: Browse) -> None:
    client = browse(alice)
    answers = [client.post(ERASE, {"understood": "on", "password": "wrong"}).status_code for _ in range(12)]
    assert 429 in answers
    alice.refresh_from_db()
    assert alice.is_active


def test_who_has_no_password_chooses_one_first(alice: User, browse: Browse) -> None:
    alice.set_unusable_password()
    alice.save()
    page = browse(alice).get(ERASE).content.decode()
    assert "You have no password yet" in page
    assert "Erase my account for good" not in page


def test_a_fault_in_between_leaves_everything_as_it_was(
    quilla: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(person: User) -> None:
        raise ZeroDivisionError

    before = len(files())
    monkeypatch.setattr(erasure, "_make_nobody", fault)
    with pytest.raises(ZeroDivisionError):
        erasure.erase(person=quilla)
    assert Analysis.objects.exists()
    assert PatientProfile.objects.exists()
    assert len(files()) == before
    assert not ErasureReceipt.objects.exists()


def test_a_stranger_signs_in_first(client: Client) -> None:
    assert client.get(ERASE).status_code == 302
    assert client.post(ERASE, CONFIRMED).status_code == 302


# Shown first, and the receipt


def test_the_preview_says_what_goes(quilla: User, browse: Browse) -> None:
    found = erasure.preview(quilla)
    assert found.erased["Analyses with their images"] == 1
    assert found.erased["Further email addresses"] == 1
    assert found.erased["Shares with doctors"] == 2
    assert found.erased["Copies of your data"] == 2
    assert "Licences, with their documents" not in found.erased
    assert found.kept == []
    page = browse(quilla).get(ERASE).content.decode()
    assert "Analyses with their images" in page
    assert "Nothing of your record has to be kept." in page
    assert Analysis.objects.exists()


def test_the_receipt_says_what_went_and_not_whose_it_was(quilla: User, client: Client) -> None:
    promised = erasure.preview(quilla).erased
    receipt = erasure.erase(person=quilla)
    assert {row["what"]: row["count"] for row in receipt.erased} == promised
    answer = client.get(reverse("accounts:erasure-receipt", args=[receipt.public_id]))
    page = answer.content.decode()
    assert "Analyses with their images" in page
    assert "quill" not in page.lower()
    assert answer["X-Robots-Tag"] == "noindex"
    assert client.get(reverse("accounts:erasure-receipt", args=[uuid.uuid4()])).status_code == 404


def test_the_last_mail_brings_the_receipt(quilla: User) -> None:
    email = quilla.email
    receipt = erasure.erase(person=quilla)
    message = sent()[-1]
    assert message.to == [email]
    assert str(receipt.public_id) in message.body
    assert not OutgoingMail.objects.exclude(address="").exists()


# The retention rule


@pytest.fixture
def reviewed(alice: User, submit: Submit) -> Iterator[Analysis]:
    """An analysis that a doctor reviewed three years ago, and two that nobody did."""
    analysis, *_others = (finished(submit(alice, seed=seed)) for seed in range(3))
    at = timezone.now() - timedelta(days=3 * 365)
    erasing.review_times.append(lambda keys: {key: at for key in keys if key == analysis.pk})
    yield analysis
    erasing.review_times.pop()


def test_what_a_doctor_reviewed_is_kept_without_a_name(
    reviewed: Analysis, alice: User, browse: Browse, django_capture_on_commit_callbacks: Any
) -> None:
    found = erasure.preview(alice)
    assert found.erased["Analyses with their images"] == 2
    [kept] = found.kept
    assert (kept.count, kept.until.year) == (1, timezone.localdate().year + 7)
    page = browse(alice).get(ERASE).content.decode()
    assert "kept for 10 years, without your name" in page
    with django_capture_on_commit_callbacks(execute=True):
        receipt = erasure.erase(person=alice)
    assert Analysis.objects.get() == reviewed
    assert len(files()) == 2  # its image and its thumbnail
    assert Analysis.objects.get().patient.name == "Erased account"
    assert receipt.kept[0]["count"] == 1
    assert "kept for 10 years" in Client().get(f"/erased/{receipt.public_id}/").content.decode()


def test_the_number_of_years_is_a_setting(reviewed: Analysis, alice: User, settings: Any) -> None:
    settings.DERMA_RETENTION_YEARS = 1
    assert erasure.preview(alice).kept == []
    settings.DERMA_RETENTION_YEARS = 5
    assert len(erasure.preview(alice).kept) == 1


def test_what_was_kept_goes_when_its_time_is_over(
    reviewed: Analysis, alice: User, bob: User, submit: Submit, django_capture_on_commit_callbacks: Any
) -> None:
    staying = finished(submit(bob, seed=9))
    with django_capture_on_commit_callbacks(execute=True):
        erasure.erase(person=alice)
        erasure.erase_lapsed()
    assert set(Analysis.objects.all()) == {reviewed, staying}
    with (
        time_machine.travel(timezone.now() + timedelta(days=7 * 366)),
        django_capture_on_commit_callbacks(execute=True),
    ):
        erasure.erase_lapsed()
    assert Analysis.objects.get() == staying
    assert len(files()) == 2


def test_an_upload_that_came_a_moment_too_late_goes_as_well(
    alice: User, submit: Submit, django_capture_on_commit_callbacks: Any
) -> None:
    late = User.objects.get(pk=alice.pk)
    erasure.erase(person=alice)
    give_consent(user=late, kind=ConsentKind.CARE)
    submit(late)
    with django_capture_on_commit_callbacks(execute=True):
        erasure.erase_lapsed()
    assert not Analysis.objects.exists()
    assert files() == []


def test_kept_until_knows_leap_days() -> None:
    leap = timezone.now().replace(2024, 2, 29, 12)
    assert erasing.kept_until(leap) == date(2034, 3, 1)
    assert erasing.kept_until(leap.replace(day=28)) == date(2034, 2, 28)


def test_upper_apps_go_first_and_may_keep_or_refuse(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    refusal = ["Not during a visit."]

    def goes(person: User) -> tuple[dict[str, int], list[Kept], list[str]]:
        order.append(f"upper sees {person.name}")
        return {"Visits": 3}, [Kept("Notes", 1, date(2040, 1, 1), "The law.")], []

    upper = Erasure(
        preview=lambda person: ({"Visits": 3}, []), erase=goes, obstacle=lambda person: refusal[0]
    )
    monkeypatch.setattr(registries, "erasures", [*registries.erasures, upper])
    with pytest.raises(erasure.ErasureRefused, match="Not during a visit"):
        erasure.erase(person=alice)
    refusal[0] = ""
    receipt = erasure.erase(person=alice)
    assert order == ["upper sees Alice Sommer"]
    assert {"what": "Visits", "count": 3} in receipt.erased
    assert receipt.kept[0]["until"] == "2040-01-01"
