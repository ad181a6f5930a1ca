"""The copy of one's data has the visits in it, as tables and as FHIR."""

import datetime
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.files.base import ContentFile
from django.utils import timezone

from accounts.models import User
from appointments import booking
from appointments.models import (
    Appointment,
    CalendarFeed,
    PhotoRequest,
    Rating,
    Schedule,
    ScheduleException,
    UrgentFollowUp,
    VisitFile,
    VisitNote,
    WaitlistEntry,
)
from diagnosis import jobs
from diagnosis.models import Analysis
from tests import fhir as official
from tests.accounts.test_export import bundle_of, copy_of, read, resources
from tests.conftest import assessment

NOON = datetime.datetime(2031, 3, 5, 12, 0, tzinfo=datetime.UTC)
Visit = Callable[..., Appointment]


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def full(
    *, alice: User, bob: User, visit: Visit, submit: Any, diaz_open: Schedule, clock: Any
) -> Appointment:
    """Alice's visit with all that can be around one, and visits of every other state. Bob has one too."""
    analysis: Analysis = submit(alice)
    claimed = jobs.claim(analysis.pk)
    assert claimed
    assert jobs.complete(claimed, assessment())
    done = visit(alice, reason="<script>It itches</script>\u2028", analyses=[analysis.public_id])
    doctor = done.doctor
    late = visit(alice, 8)
    booking.cancel(appointment=late, by=alice, reason="A cold")
    by_doctor = visit(alice, 30)
    booking.cancel(appointment=by_doctor, by=doctor, reason="I am ill")
    clock.move_to(done.start)
    booking.check_in(appointment=done, by=doctor)
    booking.complete(appointment=done, by=doctor)
    absent = visit(alice, 4)
    clock.move_to(absent.start)
    booking.no_show(appointment=absent, by=doctor)
    first = VisitNote.objects.create(
        appointment=done,
        author=doctor,
        diagnosis="A mole",
        advice="Wait",
        prescription="Cream",
        follow_up_on=datetime.date(2031, 9, 1),
        private="only for the doctor",
        signed_at=timezone.now(),
    )
    VisitNote.objects.create(
        appointment=done, author=doctor, amends=first, advice="Do not wait", signed_at=timezone.now()
    )
    VisitNote.objects.create(appointment=done, author=doctor, diagnosis="a draft")
    Rating.objects.create(appointment=done, stars=4, comment="Kind")
    for kind in ("application/pdf", "image/jpeg"):
        file = VisitFile(appointment=done, by=doctor, title="Letter", content_type=kind)
        file.file.save("x", ContentFile(f"%{kind}".encode()))
    booking.hold(patient=alice, doctor=diaz_open.doctor, start=timezone.now() + timedelta(days=3), length=30)
    coming = visit(alice, 12)
    WaitlistEntry.objects.create(
        patient=alice, doctor=doctor, appointment=coming, length=30, before=coming.start
    )
    PhotoRequest.objects.create(
        appointment=done, patient=alice, doctor=doctor, due_on=datetime.date(2031, 4, 1), note="the back"
    )
    UrgentFollowUp.objects.create(
        analysis=analysis, closed_at=timezone.now(), closed_by=doctor, word="seen today"
    )
    CalendarFeed.objects.create(user=alice, digest="1" * 64)
    visit(bob, 20, reason="Bob's own words")
    return done


def test_the_copy_has_everything(full: Appointment, alice: User) -> None:
    archive = copy_of(alice)
    data = json.loads(read(archive, "data.json"))
    visits = data["Your visits"]
    assert len(visits) == 5
    [row] = [row for row in visits if row["Number"] == str(full.public_id)]
    assert (row["State"], row["Doctor"], row["Your stars"], row["Your comment"]) == (
        "Completed", "Mei Chen", 4, "Kind",
    )  # fmt: skip
    assert row["Analyses"] == [str(full.attached.get().analysis.public_id)]
    assert {row["State"] for row in visits} == {
        "Completed", "Did not come", "Confirmed", "Cancelled by the patient", "Cancelled by the doctor",
    }  # fmt: skip
    assert "I am ill" in {row["Why it does not take place"] for row in visits}
    assert [row["Cancelled late"] for row in visits].count(True) == 1
    first, second = data["What doctors wrote about your visits"]
    assert (first["Prescription"], second["Amends"]) == ("Cream", first["Number"])
    assert data["Where you wait for an earlier visit"][0]["State"] == "Waiting"
    assert data["Pictures that doctors asked you for"][0]["What"] == "the back"
    assert data["Urgent results and what came of them"][0]["A doctor's word"] == "seen today"
    assert data["Private addresses of your calendar"]
    paths = row["Files"]
    assert [path.rpartition(".")[2] for path in paths] == ["pdf", "jpeg"]
    assert archive.read(paths[0]) == b"%application/pdf"
    index = read(archive, "index.html")
    assert "<script" not in index
    assert paths[1] in index


def test_what_is_not_the_patients_stays_out(full: Appointment, alice: User) -> None:
    archive = copy_of(alice)
    everything = b"".join(archive.read(name) for name in archive.namelist()).decode("utf-8", "replace")
    for private in ("only for the doctor", "a draft", "Bob's own words", "Bob Keller"):
        assert private not in everything


def test_visits_are_valid_fhir_r4(full: Appointment, alice: User) -> None:
    bundle = bundle_of(alice)
    assert official.errors(bundle) == []
    visits = {resource["id"]: resource for resource in resources(bundle, "Appointment")}
    assert sorted(resource["status"] for resource in visits.values()) == [
        "booked", "cancelled", "cancelled", "fulfilled", "noshow",
    ]  # fmt: skip
    done = visits[str(full.public_id)]
    assert (done["start"], done["minutesDuration"]) == ("2031-03-05T14:00:00+00:00", 30)
    patient, doctor = done["participant"]
    assert patient["actor"]["reference"] == f"urn:uuid:{alice.public_id}"
    assert doctor["actor"]["display"] == "Mei Chen"
    assert done["supportingInformation"]
    first, second = resources(bundle, "ClinicalImpression")
    assert first["summary"] == "A mole"
    assert second["previous"]["reference"] == f"urn:uuid:{first['id']}"
    there = {entry["fullUrl"] for entry in bundle["entry"]}
    named = {part.split('"')[0] for part in json.dumps(bundle).split('"reference": "')[1:]}
    assert named <= there


def test_a_request_and_what_ended_unanswered_are_fhir_too(
    alice: User, visit: Visit, chen_open: Schedule, clock: Any
) -> None:
    Schedule.objects.update(confirms_by_hand=True)
    declined = visit(alice, 30)
    booking.decline(appointment=declined, by=chen_open.doctor, reason="Holidays")
    visit(alice, 60)
    assert official.errors(bundle_of(alice)) == []
    assert [resource["status"] for resource in resources(bundle_of(alice), "Appointment")] == [
        "pending", "cancelled",
    ]  # fmt: skip
    clock.shift(timedelta(days=1))
    booking.expire_stale()
    assert {resource["status"] for resource in resources(bundle_of(alice), "Appointment")} == {"cancelled"}


def test_a_doctor_takes_hours_and_times_along_and_no_patients(full: Appointment, chen: User) -> None:
    ScheduleException.objects.create(
        schedule=Schedule.objects.get(doctor=chen),
        kind="off",
        first_day=datetime.date(2031, 4, 1),
        last_day=datetime.date(2031, 4, 2),
        begins=0,
        ends=1440,
        note="A wedding",
    )
    archive = copy_of(chen)
    data = json.loads(read(archive, "data.json"))
    assert len(data["Your visits"]) == 6
    assert len(data["Your hours"]) == 8
    assert (data["Your hours"][0]["Begins"], data["Your hours"][0]["Ends"]) == ("00:00", "24:00")
    assert data["Your hours"][-1]["Note"] == "A wedding"
    terms = {row["Question"]: row["Answer"] for row in data["Your terms"]}
    assert terms["Lengths of visits"] == [30, 60]
    assert terms["Time zone"] == "Europe/Zurich"
    everything = b"".join(archive.read(name) for name in archive.namelist()).decode()
    for private in ("Alice", "itches", "Bob", str(full.public_id)):
        assert private not in everything
    assert official.errors(bundle_of(chen)) == []


def test_who_has_nothing_of_it_has_no_such_section(bob: User, eve: User, diaz: User) -> None:
    for person in (bob, eve, diaz):
        titles = json.loads(read(copy_of(person), "data.json"))
        assert not [title for title in titles if "visit" in title.lower() or "hours" in title]
