"""The copy of one's data: everything in it, readable and valid, for its owner, for some days."""

import io
import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4
from zipfile import ZipFile

import pytest
import time_machine
from django.conf import settings as django_settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.db.models.fields.files import FieldFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from accounts import exporting, fhir, registries
from accounts.archive import write_archive
from accounts.models import (
    AccessEvent,
    ConsentKind,
    DataExport,
    DoctorApplication,
    DoctorProfile,
    ExportStatus,
    Opened,
    PatientProfile,
    User,
)
from accounts.profiles import Why, update_profile
from accounts.relations import share
from accounts.services import give_consent, withdraw_consent
from accounts.tasks import prepare_export, sweep_exports
from dermaplatform import leases
from diagnosis import jobs
from diagnosis.models import Analysis, Problem, Status
from ml_models.taxonomy import Reason, Urgency
from tests import fhir as official
from tests.conftest import assessment
from tests.mails import sent

Browse = Callable[[User], Client]
Submit = Callable[..., Analysis]


def url(name: str, *args: object) -> str:
    return reverse(f"accounts:{name}", args=args)


def copy_of(user: User) -> ZipFile:
    target = io.BytesIO()
    write_archive(user, target, lambda per_cent: None)
    return ZipFile(target)


def stored(file: FieldFile) -> bytes:
    with file.open("rb") as opened:
        return bytes(opened.read())


def read(archive: ZipFile, name: str) -> str:
    return archive.read(name).decode()


def bundle_of(user: User) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(read(copy_of(user), "bundle.json"))
    return found


def resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


@pytest.fixture
def full(alice: User, chen: User, submit: Submit) -> User:
    """Alice, with something of everything."""
    answers: dict[str, Any] = {
        "date_of_birth": date(1980, 2, 29),
        "sex": "intersex",
        "skin_type": 3,
        "allergies": "<script>alert('penicillin')</script> & latex",
        "medication": "none\u00a0at\u2028all",
        "place": "Zürich",
        "latitude": Decimal("47.376"),
        "longitude": Decimal("8.541"),
    }
    update_profile(patient=alice, by=alice, why=Why.PAGE, **answers)
    update_profile(patient=alice, by=alice, why=Why.PAGE, medication="aspirin")
    give_consent(user=alice, kind=ConsentKind.RESEARCH)
    withdraw_consent(user=alice, kind=ConsentKind.RESEARCH)
    done, unsure, failed, _waiting = (submit(alice, seed=seed) for seed in range(4))
    for analysis, answer in (
        (done, assessment()),
        (unsure, assessment(urgency=Urgency.CANNOT_ASSESS, reasons=(Reason.PHONE_PHOTO,))),
    ):
        claimed = jobs.claim(analysis.pk)
        assert claimed
        assert jobs.complete(claimed, answer)
    claimed = jobs.claim(failed.pk)
    assert claimed
    assert claimed.move(Status.FAILED, problem=Problem.GAVE_UP)
    relation = share(patient=alice, doctor=chen)
    AccessEvent.objects.create(
        actor=chen, patient=alice, opened=Opened.ANALYSIS, item=done.public_id, relation=relation
    )
    return alice


@pytest.fixture
def ready(alice: User) -> DataExport:
    export = exporting.request_export(user=alice)
    prepare_export(export.pk)
    export.refresh_from_db()
    assert export.status == ExportStatus.READY
    return export


def test_the_copy_has_everything(full: User) -> None:
    archive = copy_of(full)
    names = archive.namelist()
    assert {"index.html", "style.css", "data.json", "bundle.json"} <= set(names)
    analyses = Analysis.objects.filter(patient=full)
    for analysis in analyses:
        [image] = [name for name in names if str(analysis.public_id) in name]
        assert archive.read(image) == stored(analysis.image)
    index = read(archive, "index.html")
    for words in ("Alice Sommer", "alice@example.org", "Zürich", "47.38", "Mei Chen", "aspirin", "Melanoma"):
        assert words in index
    data = json.loads(read(archive, "data.json"))
    assert len(data["Your analyses"]) == 4
    assert len(data["Your consents"]) == 2
    assert data["Who opened your record"][0]["Who"] == "Mei Chen"
    assert data["Who may see your record"][0]["Stopped"] is None
    assert len(data["Earlier versions of your profile"]) >= 2


def test_the_index_stands_alone_and_escapes_everything(full: User) -> None:
    full.name = "<img src=x onerror=alert(1)>"
    full.save()
    index = read(copy_of(full), "index.html")
    assert "<script" not in index
    assert "&lt;script&gt;alert(&#x27;penicillin&#x27;)" in index
    assert "&lt;img src=x" in index
    assert "http://" not in index
    assert "https://" not in index


def test_the_index_tells_times_in_the_zone_of_the_person(alice: User) -> None:
    alice.time_zone = "Asia/Tokyo"
    alice.date_joined = timezone.now().replace(2026, 1, 2, 20, 0)
    assert "Jan. 3, 2026, 05:00" in read(copy_of(alice), "index.html")


def test_the_bundle_is_valid_fhir_r4(full: User) -> None:
    bundle = bundle_of(full)
    assert official.errors(bundle) == []
    counts = {
        kind: len(resources(bundle, kind))
        for kind in ("Patient", "Media", "DiagnosticReport", "Observation", "Consent")
    }
    # Two results, and three answers of the profile: skin type, allergies, medication.
    assert counts == {"Patient": 1, "Media": 4, "DiagnosticReport": 2, "Observation": 5, "Consent": 2}


def test_every_reference_of_the_bundle_leads_somewhere(full: User) -> None:
    bundle = bundle_of(full)
    there = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(there) == len(set(there))
    text = json.dumps(bundle)
    named = {part.split('"')[0] for part in text.split('"reference": "')[1:]}
    assert named
    assert named <= set(there)


def test_the_bundle_says_what_is_meant(full: User) -> None:
    bundle = bundle_of(full)
    [patient] = resources(bundle, "Patient")
    assert (patient["birthDate"], patient["gender"]) == ("1980-02-29", "other")
    [media] = [
        media
        for media in resources(bundle, "Media")
        if media["id"] == str(Analysis.objects.filter(patient=full, status=Status.FAILED).get().public_id)
    ]
    assert media["content"]["url"] in copy_of(full).namelist()
    active = {
        consent["scope"]["coding"][0]["code"]: consent["status"] for consent in resources(bundle, "Consent")
    }
    assert active == {"treatment": "active", "research": "inactive"}
    [melanoma, *_rest] = next(
        result["component"] for result in resources(bundle, "Observation") if "component" in result
    )
    assert (melanoma["code"]["text"], melanoma["valueQuantity"]["value"]) == ("Melanoma", 80)


def test_the_schema_finds_what_is_wrong(alice: User) -> None:
    bundle = bundle_of(alice)
    bundle["entry"][0]["resource"]["birthDate"] = "yesterday"
    bundle["entry"][0]["resource"]["colour"] = "red"
    assert len(official.errors(bundle)) == 2


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_words_make_valid_fhir(question: str, words: str) -> None:
    somebody = User(name="Anybody", role="patient")
    answer = fhir.answer(
        patient=somebody, public_id=uuid4(), question=question or "?", words=words, at=timezone.now()
    )
    assert not [error for error in official.errors(fhir.pruned(answer)) if "code" not in error]


def test_a_doctor_takes_their_practice_and_licence_along(chen: User) -> None:
    application = DoctorApplication.objects.get(doctor=chen)
    application.document.save("x.pdf", ContentFile(b"%PDF-1.4 licence"))
    DoctorProfile.objects.filter(user=chen).update(biography="Twenty years", clinic_name="Clinic")
    archive = copy_of(chen)
    [document] = [name for name in archive.namelist() if name.endswith(".pdf")]
    assert archive.read(document) == b"%PDF-1.4 licence"
    assert "Twenty years" in read(archive, "index.html")
    bundle = bundle_of(chen)
    assert official.errors(bundle) == []
    assert resources(bundle, "Practitioner")[0]["address"][0]["text"] == "Clinic"


def test_a_doctor_does_not_take_patients_along(full: User, chen: User) -> None:
    archive = copy_of(chen)
    everything = b"".join(archive.read(name) for name in archive.namelist()).decode()
    assert "When you opened records" in everything
    for private in (full.name, full.email, str(full.public_id)):
        assert private not in everything


def test_an_administrator_has_a_valid_copy_too(eve: User) -> None:
    assert official.errors(bundle_of(eve)) == []


def test_a_file_that_is_gone_is_named_instead_of_stopping_everything(full: User) -> None:
    analysis = Analysis.objects.filter(patient=full).first()
    assert analysis
    analysis.image.storage.delete(str(analysis.image.name))
    index = read(copy_of(full), "index.html")
    assert "Files that could not be found" in index
    assert str(analysis.public_id) in index.split("</section>")[0]


def test_upper_apps_add_their_part(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    section = registries.ExportSection(
        "Visits", [{"When": "soon"}], files=[registries.ExportedFile("visits/1.txt", lambda: b"hello")]
    )
    monkeypatch.setattr(registries, "exporters", [*registries.exporters, lambda user: section])
    archive = copy_of(alice)
    assert archive.read("visits/1.txt") == b"hello"
    assert "Visits" in read(archive, "index.html")


def test_progress_goes_from_nothing_to_everything(full: User) -> None:
    seen: list[int] = []
    write_archive(full, io.BytesIO(), seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 100
    assert len(seen) == 5


# The job


def test_one_click_queues_and_a_second_changes_nothing(alice: User, browse: Browse) -> None:
    client = browse(alice)
    for _ in range(2):
        assert client.post(url("export")).status_code == 302
    assert DataExport.objects.get().status == ExportStatus.QUEUED


def test_ready_means_a_file_a_mail_and_an_end(ready: DataExport, alice: User) -> None:
    assert ready.progress == 100
    assert ready.size == ready.file.size
    assert ready.expires_at
    assert ready.expires_at - timezone.now() > timedelta(days=6, hours=23)
    [message] = sent()
    assert message.to == [alice.email]
    assert "7 days" in message.body
    assert url("privacy") in message.body


def test_it_is_prepared_once_however_often_the_bell_rings(ready: DataExport) -> None:
    name = ready.file.name
    prepare_export(ready.pk)
    ready.refresh_from_db()
    assert ready.file.name == name
    assert ready.attempts == 1


def test_a_newer_copy_takes_the_place_of_the_older(
    ready: DataExport, alice: User, django_capture_on_commit_callbacks: Any
) -> None:
    old_name = str(ready.file.name)
    newer = exporting.request_export(user=alice)
    with django_capture_on_commit_callbacks(execute=True):
        prepare_export(newer.pk)
    ready.refresh_from_db()
    assert (ready.status, ready.file.name) == (ExportStatus.EXPIRED, "")
    assert not default_storage.exists(old_name)
    newer.refresh_from_db()
    assert default_storage.exists(str(newer.file.name))


def test_after_its_days_it_cannot_be_had_and_the_sweep_deletes_it(
    ready: DataExport, alice: User, browse: Browse, django_capture_on_commit_callbacks: Any
) -> None:
    name = str(ready.file.name)
    with time_machine.travel(timezone.now() + timedelta(days=7, minutes=1)):
        client = browse(alice)
        assert client.get(url("export-file", ready.public_id)).status_code == 404
        with django_capture_on_commit_callbacks(execute=True):
            sweep_exports()
        ready.refresh_from_db()
        assert ready.status == ExportStatus.EXPIRED
        assert not default_storage.exists(name)
        assert "has been deleted" in client.get(url("privacy")).content.decode()
    with time_machine.travel(timezone.now() + timedelta(days=100)):
        sweep_exports()
    assert not DataExport.objects.exists()


def test_a_killed_worker_is_followed_by_another(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    export = exporting.request_export(user=alice)
    killed = exporting.claim(export.pk)
    assert killed
    assert exporting.claim(export.pk) is None
    monkeypatch.setattr(leases, "ring_now", lambda task, pk, **_: True)
    later = timezone.now() + exporting.LEASE + timedelta(seconds=1)
    with time_machine.travel(later, tick=False):
        sweep_exports()
    with time_machine.travel(later + timedelta(minutes=1)):
        prepare_export(export.pk)
        with pytest.raises(exporting.LeaseLost):
            exporting.prepare(killed)  # it was not dead but slow
    export.refresh_from_db()
    assert export.status == ExportStatus.READY
    kept = list(Path(django_settings.MEDIA_ROOT, "exports").iterdir())
    assert [file.name for file in kept] == [Path(str(export.file.name)).name]


def test_a_broken_disk_is_tried_three_times_and_then_said(
    alice: User, monkeypatch: pytest.MonkeyPatch, browse: Browse
) -> None:
    def full_disk(*args: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(exporting, "write_archive", full_disk)
    export = exporting.request_export(user=alice)
    start = timezone.now()
    for attempt in range(3):
        with time_machine.travel(start + timedelta(minutes=10 * attempt), tick=False):
            prepare_export(export.pk)
    export.refresh_from_db()
    assert (export.status, export.attempts) == (ExportStatus.FAILED, 3)
    assert "No space" in export.log
    with time_machine.travel(start + timedelta(minutes=21)):
        assert "could not make the copy" in sent()[-1].body
    page = browse(alice).get(url("privacy")).content.decode()
    assert "could not be made" in page
    assert "No space" not in page


def test_the_sweep_rings_for_what_waits(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[int] = []

    def heard(task: object, pk: int, **options: object) -> bool:
        rung.append(pk)
        return True

    monkeypatch.setattr(leases, "ring_now", heard)
    export = exporting.request_export(user=alice)
    sweep_exports()
    assert rung == []
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        sweep_exports()
    assert rung == [export.pk]


def test_the_database_keeps_jobs_whole(ready: DataExport, alice: User) -> None:
    for wrong in (
        {"status": ExportStatus.RUNNING, "file": ""},
        {"status": ExportStatus.EXPIRED},
        {"file": ""},
        {"progress": 101},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            DataExport.objects.filter(pk=ready.pk).update(**wrong)
    DataExport.objects.create(user=alice)
    with pytest.raises(IntegrityError), transaction.atomic():
        DataExport.objects.create(user=alice)


# Pages and API


def test_the_owner_downloads_and_nobody_else(
    ready: DataExport, alice: User, browse: Browse, request: pytest.FixtureRequest
) -> None:
    address = url("export-file", ready.public_id)
    answer = browse(alice).get(address)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
    assert answer["Content-Disposition"].startswith("attachment; filename=")
    assert answer["Cache-Control"] == "no-store"
    assert ZipFile(io.BytesIO(b"".join(answer.streaming_content))).testzip() is None  # type: ignore[attr-defined]
    for other in ("bob", "chen", "eve"):
        assert browse(request.getfixturevalue(other)).get(address).status_code == 404
    assert Client().get(address).status_code == 302


def test_the_page_shows_progress_and_becomes_the_result(alice: User, browse: Browse) -> None:
    client = browse(alice)
    client.post(url("export"))
    page = client.get(url("privacy")).content.decode()
    assert "waits its turn" in page
    assert 'hx-trigger="every 2s"' in page
    assert "http-equiv" in page  # without scripts
    export = DataExport.objects.get()
    state = url("export-state")
    assert client.get(state, {"seen": "queued-0"}).status_code == 204
    claimed = exporting.claim(export.pk)
    assert claimed
    exporting.note_progress(claimed, 40)
    part = client.get(state, {"seen": "queued-0"}).content.decode()
    assert "40 % are done" in part
    exporting.prepare(claimed)
    part = client.get(state, {"seen": "running-40"}).content.decode()
    assert url("export-file", export.public_id) in part
    assert "Your copy is ready." in part
    assert "hx-get" not in part


def test_the_state_asks_strangers_to_sign_in(client: Client) -> None:
    assert client.get(url("export-state")).status_code == 302
    assert client.get(url("export-state"), headers={"HX-Request": "true"}).headers["HX-Refresh"] == "true"


def test_an_app_asks_watches_and_downloads(
    alice: User, bob: User, app_of: Callable[[User], APIClient]
) -> None:
    app = app_of(alice)
    asked = app.post("/api/v1/me/exports/")
    assert (asked.status_code, asked.json()["status"], asked.json()["file"]) == (202, "queued", None)
    assert app.post("/api/v1/me/exports/").json()["id"] == asked.json()["id"]
    prepare_export(DataExport.objects.get().pk)
    done = app.get(asked.headers["Location"]).json()
    assert (done["status"], done["progress"]) == ("ready", 100)
    assert [row["id"] for row in app.get("/api/v1/me/exports/").json()] == [done["id"]]
    downloaded = app.get(done["file"], headers={"Accept": "application/zip"})
    assert ZipFile(io.BytesIO(b"".join(downloaded.streaming_content))).testzip() is None  # type: ignore[attr-defined]
    stranger = app_of(bob)
    assert stranger.get("/api/v1/me/exports/").json() == []
    assert stranger.get(done["url"]).status_code == 404
    assert stranger.get(done["file"]).status_code == 404
    assert APIClient().get(done["file"]).status_code == 401


def test_a_profile_without_answers_makes_no_empty_observations(alice: User) -> None:
    PatientProfile.objects.create(user=alice)
    bundle = bundle_of(alice)
    assert official.errors(bundle) == []
    assert not resources(bundle, "Observation")
