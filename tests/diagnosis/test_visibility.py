"""Who sees what of a patient: two patients, two doctors, and an administrator, each from both sides."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
import time_machine
from django.db import transaction
from django.test import Client
from django.utils import timezone
from hypothesis import strategies as st
from rest_framework.test import APIClient

from accounts.break_glass import break_glass
from accounts.models import (
    AccessEvent,
    ApplicationStatus,
    CareRelation,
    DoctorApplication,
    Opened,
    PatientProfile,
    Scope,
    Source,
    User,
)
from accounts.relations import revoke, share
from diagnosis import exporting, tasks
from diagnosis.models import Analysis
from diagnosis.patients import age_on, reading, visible_patients
from ml_models.taxonomy import CODES, Reason, Urgency
from tests.conftest import StandInEngine, assessment, make_user
from tests.test_pages import text

Ask = Callable[[User, str], Any]
Submit = Callable[..., Analysis]

PATIENTS = "/patients/"
API = "/api/v1/patients/"


def record_of(patient: User) -> str:
    return f"{PATIENTS}{patient.public_id}/"


def addresses(analysis: Analysis) -> list[str]:
    """Everything by which an analysis can be read."""
    page = analysis.get_absolute_url()
    api = f"/api/v1/analyses/{analysis.public_id}/"
    return [page, f"{page}state/", f"{page}image/", f"{page}thumbnail/", api, f"{api}image/"]


@pytest.fixture
def ask(browse: Callable[[User], Client], app_of: Callable[[User], APIClient]) -> Ask:
    """What somebody's browser, or app, is answered; read to its end, since a file stays open until then."""
    clients: dict[tuple[bool, User], Any] = {}

    def asked(user: User, path: str) -> Any:
        for_apps = path.startswith(("/api/", "http://testserver/api/"))
        key = (for_apps, user)
        clients[key] = clients.get(key) or (app_of if for_apps else browse)(user)
        answer = clients[key].get(path)
        if answer.streaming:
            b"".join(answer.streaming_content)
        return answer

    return asked


def statuses(ask: Ask, user: User, analysis: Analysis) -> set[int]:
    return {ask(user, path).status_code for path in addresses(analysis)}


@pytest.fixture
def profile(alice: User) -> PatientProfile:
    return PatientProfile.objects.create(
        user=alice,
        date_of_birth=date(1980, 2, 29),
        sex="female",
        skin_type=2,
        allergies="Penicillin",
        place="Basel",
        latitude="47.56",
        longitude="7.59",
    )


@pytest.fixture
def shared(alice: User, chen: User, submit: Submit) -> Analysis:
    """An analysis of Alice, who has opened her whole record to Dr Chen."""
    share(patient=alice, doctor=chen)
    return submit(alice)


# The rule


def test_a_name_that_nobody_can_have_finds_nobody(alice: User, chen: User, ask: Ask) -> None:
    share(patient=alice, doctor=chen)
    assert alice.name in text(ask(chen, f"{PATIENTS}?name=%20Alice%20"))
    for name in ("%00", "Alice%00", "a" * 151):
        answer = ask(chen, f"{PATIENTS}?name={name}")
        assert answer.status_code == 200
        assert "Nobody of this name" in text(answer)


def test_without_a_relation_a_doctor_sees_nothing(alice: User, chen: User, submit: Submit, ask: Ask) -> None:
    analysis = submit(alice)
    assert statuses(ask, chen, analysis) == {404}
    assert ask(chen, record_of(alice)).status_code == 404
    assert not AccessEvent.objects.exists()


def test_the_whole_record_opens_all_of_this_patient(
    alice: User, bob: User, chen: User, submit: Submit, ask: Ask
) -> None:
    share(patient=alice, doctor=chen)
    later, of_bob = submit(alice, 1), submit(bob, 2)
    assert statuses(ask, chen, later) == {200}
    assert statuses(ask, chen, of_bob) == {404}


def test_it_opens_it_to_this_doctor_only(shared: Analysis, bob: User, diaz: User, ask: Ask) -> None:
    for other in (bob, diaz):
        assert statuses(ask, other, shared) == {404}


def test_a_named_share_opens_what_it_names(alice: User, chen: User, submit: Submit, ask: Ask) -> None:
    named, other = submit(alice, 1), submit(alice, 2)
    share(patient=alice, doctor=chen, items=[named.public_id])
    assert statuses(ask, chen, named) == {200}
    assert statuses(ask, chen, other) == {404}


def test_it_ends_when_it_is_stopped_or_over(alice: User, chen: User, submit: Submit, ask: Ask) -> None:
    analysis = submit(alice)
    relation = share(patient=alice, doctor=chen, until=timezone.now() + timedelta(minutes=5))
    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        assert not Analysis.objects.visible_to(chen).exists()
        assert not visible_patients(chen).exists()
    assert statuses(ask, chen, analysis) == {200}
    revoke(relation=relation)
    assert statuses(ask, chen, analysis) == {404}
    assert ask(chen, record_of(alice)).status_code == 404


def test_a_visit_opens_a_record_from_its_beginning(alice: User, chen: User, submit: Submit) -> None:
    analysis = submit(alice)
    now = timezone.now()
    visit = CareRelation.objects.create(
        patient=alice,
        doctor=chen,
        scope=Scope.RECORD,
        source=Source.VISIT,
        since=now + timedelta(hours=1),
        until=now + timedelta(hours=2),
    )
    assert not Analysis.objects.visible_to(chen).exists()
    with time_machine.travel(visit.since):
        assert Analysis.objects.visible_to(chen).get() == analysis


@pytest.mark.parametrize("status", [ApplicationStatus.SUSPENDED, ApplicationStatus.EXPIRED])
def test_a_doctor_who_is_not_verified_any_more_sees_nothing(
    alice: User, chen: User, submit: Submit, ask: Ask, status: ApplicationStatus
) -> None:
    share(patient=alice, doctor=chen)
    analysis = submit(alice)
    application = DoctorApplication.objects.get(doctor=chen)
    assert application.move(status, by=None, reason="A complaint.")
    assert statuses(ask, chen, analysis) == {404}
    assert ask(chen, record_of(alice)).status_code == 404
    assert "Your licence comes first" in text(ask(chen, PATIENTS))


def test_an_administrator_sees_a_record_while_the_glass_is_broken(
    alice: User, bob: User, eve: User, submit: Submit, ask: Ask
) -> None:
    analysis, of_bob = submit(alice, 1), submit(bob, 2)
    assert statuses(ask, eve, analysis) == {404}
    break_glass(admin=eve, patient=alice, reason="She was found unconscious.", minutes=10)
    assert statuses(ask, eve, analysis) == {200}
    assert statuses(ask, eve, of_bob) == {404}
    assert "You opened this record in an emergency" in text(ask(eve, record_of(alice)))
    assert "You opened this record in an emergency" in text(ask(eve, analysis.get_absolute_url()))
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        assert not Analysis.objects.visible_to(eve).exists()


def test_another_administrator_sees_nothing_of_it(alice: User, eve: User, submit: Submit) -> None:
    submit(alice)
    break_glass(admin=eve, patient=alice, reason="She was found unconscious.", minutes=10)
    other = make_user("ida@example.org", "Ida Roth", eve.role)  # type: ignore[arg-type]
    assert not Analysis.objects.visible_to(other).exists()
    assert not visible_patients(other).exists()


steps = st.tuples(
    st.sampled_from(["share", "share all", "take out", "stop", "stop all"]),
    st.integers(0, 1),  # which patient
    st.integers(0, 1),  # which doctor
    st.integers(0, 1),  # which analysis
)


@pytest.fixture
def two_by_two(
    alice: User, bob: User, chen: User, diaz: User, submit: Submit
) -> tuple[list[User], list[list[Analysis]]]:
    """Two doctors, and two analyses of each of two patients."""
    return [chen, diaz], [[submit(patient, seed) for seed in range(2)] for patient in (alice, bob)]


@hypothesis.settings(
    max_examples=25,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)
@hypothesis.given(story=st.lists(steps, max_size=12))
def test_whatever_is_shared_and_stopped_a_doctor_sees_what_is_open(
    two_by_two: tuple[list[User], list[list[Analysis]]], story: list[tuple[str, int, int, int]]
) -> None:
    doctors, analyses = two_by_two
    opened: set[tuple[User, User, Analysis | None]] = set()  # None: the whole record
    with transaction.atomic():
        for step, of_patient, with_doctor, number in story:
            doctor, analysis = doctors[with_doctor], analyses[of_patient][number]
            take(step, doctor, analysis)
            everything = step in ("share all", "stop all")
            named = [None] if everything else analyses[of_patient] if step == "stop" else [analysis]
            about = {(analysis.patient, doctor, what) for what in named}
            opened = opened | about if step.startswith("share") else opened - about
            for reader in doctors:
                seen = {
                    each
                    for those in analyses
                    for each in those
                    if {(each.patient, reader, each), (each.patient, reader, None)} & opened
                }
                assert set(Analysis.objects.visible_to(reader)) == seen
                assert set(visible_patients(reader)) == {each.patient for each in seen}
        transaction.set_rollback(True)


def take(step: str, doctor: User, analysis: Analysis) -> None:
    """Do what a patient does on the pages about sharing."""
    patient = analysis.patient
    if step.startswith("share"):
        share(patient=patient, doctor=doctor, items=None if step == "share all" else [analysis.public_id])
        return
    scope = Scope.RECORD if step == "stop all" else Scope.NAMED
    relation = CareRelation.objects.in_force().filter(patient=patient, doctor=doctor, scope=scope).first()
    if relation:
        revoke(relation=relation, item=analysis.public_id if step == "take out" else None)


# Everything is written down


def test_every_way_to_read_an_analysis_leaves_an_event(
    alice: User, chen: User, submit: Submit, ask: Ask
) -> None:
    relation = share(patient=alice, doctor=chen)
    analysis = submit(alice)
    for path in addresses(analysis):
        before = AccessEvent.objects.count()
        ask(chen, path)
        event = AccessEvent.objects.latest("pk")
        assert AccessEvent.objects.count() == before + 1, path
        assert (event.actor, event.patient, event.relation) == (chen, alice, relation)
        assert event.item == analysis.public_id
        assert event.opened == (Opened.IMAGE if "image" in path or "thumb" in path else Opened.ANALYSIS)


@pytest.mark.parametrize(
    ("path", "opened"),
    [
        (PATIENTS, Opened.PATIENTS),
        (f"{PATIENTS}{{id}}/", Opened.RECORD),
        (API, Opened.PATIENTS),
        (f"{API}{{id}}/", Opened.RECORD),
        ("/api/v1/analyses/", Opened.ANALYSES),
    ],
)
def test_every_list_leaves_an_event(
    shared: Analysis, chen: User, ask: Ask, path: str, opened: Opened
) -> None:
    assert ask(chen, path.format(id=shared.patient.public_id)).status_code == 200
    (event,) = AccessEvent.objects.all()
    assert (event.actor, event.patient, event.opened) == (chen, shared.patient, opened)


def test_what_patients_read_of_their_own_leaves_none(alice: User, submit: Submit, ask: Ask) -> None:
    analysis = submit(alice)
    assert statuses(ask, alice, analysis) == {200}
    ask(alice, "/api/v1/analyses/")
    ask(alice, "/analyses/")
    assert not AccessEvent.objects.exists()


def test_waiting_without_news_is_no_look(alice: User, chen: User, submit: Submit, ask: Ask) -> None:
    share(patient=alice, doctor=chen)
    analysis = submit(alice)
    state = f"{analysis.get_absolute_url()}state/"
    page = ask(chen, analysis.get_absolute_url()).content.decode()
    seen = page.split("seen=")[1].split('"')[0]
    before = AccessEvent.objects.count()
    assert ask(chen, f"{state}?seen={seen}").status_code == 204
    assert AccessEvent.objects.count() == before


def test_only_the_patients_browser_keeps_images(alice: User, chen: User, submit: Submit, ask: Ask) -> None:
    share(patient=alice, doctor=chen)
    path = f"{submit(alice).get_absolute_url()}image/"
    for user, rule in ((alice, "private, max-age=3600"), (chen, "no-store")):
        assert ask(user, path)["Cache-Control"] == rule


# The doctor's pages


def test_the_list_shows_whom_something_is_open_of(
    alice: User, bob: User, chen: User, submit: Submit, ask: Ask
) -> None:
    share(patient=bob, doctor=chen)
    share(patient=alice, doctor=chen, items=[submit(alice).public_id])
    page = text(ask(chen, PATIENTS))
    assert page.index("Alice Sommer") < page.index("Bob Keller")  # the latest share first
    assert "Some analyses" in page
    assert "The whole record" in page
    revoke(relation=CareRelation.objects.get(patient=bob))
    assert "Bob Keller" not in text(ask(chen, PATIENTS))


def test_the_list_is_searched_by_name(alice: User, bob: User, chen: User, ask: Ask) -> None:
    for patient in (alice, bob):
        share(patient=patient, doctor=chen)
    page = text(ask(chen, f"{PATIENTS}?name=SOMM+ali"))
    assert "Alice Sommer" in page
    assert "Bob Keller" not in page
    assert "Nobody of this name" in text(ask(chen, f"{PATIENTS}?name=Zoe"))
    assert not AccessEvent.objects.filter(patient=bob).exists()


def test_many_patients_come_in_pages_with_few_queries(
    alice: User, chen: User, ask: Ask, django_assert_max_num_queries: Any
) -> None:
    for number in range(22):
        share(patient=make_user(f"p{number}@example.org", f"Patient {number:02}"), doctor=chen)
    ask(chen, PATIENTS)
    with django_assert_max_num_queries(11):
        first = text(ask(chen, PATIENTS))
    assert "Patient 21" in first
    assert "Page 1 of 2" in first
    assert "Patient 00" in text(ask(chen, f"{PATIENTS}?page=2"))


@pytest.mark.usefixtures("profile")
def test_a_record_shows_profile_and_analyses(
    alice: User,
    chen: User,
    submit: Submit,
    ask: Ask,
    django_assert_max_num_queries: Any,
) -> None:
    share(patient=alice, doctor=chen)
    for seed in range(5):
        analysis = submit(alice, seed, body_site="face")
    ask(chen, record_of(alice))
    with django_assert_max_num_queries(16):
        response = ask(chen, record_of(alice))
    page = text(response)
    for words in (
        "Alice Sommer",
        "Female",
        "Penicillin",
        "II: fair",
        "Face",
        "until the patient stops sharing",
    ):
        assert words in page
    assert f"{analysis.get_absolute_url()}thumbnail/" in response.content.decode()
    assert "Basel" not in page
    assert "47.56" not in page


def test_a_named_share_shows_name_and_analyses_without_profile(
    alice: User, chen: User, profile: PatientProfile, submit: Submit, ask: Ask
) -> None:
    named, other = submit(alice, 1, body_site="face"), submit(alice, 2, body_site="back")
    share(patient=alice, doctor=chen, items=[named.public_id])
    page = text(ask(chen, record_of(alice)))
    assert "Alice Sommer" in page
    assert "One analysis is open to you" in page
    assert "Face" in page
    for hidden in ("Back", "Penicillin", "1980", "Skin type"):
        assert hidden not in page
    assert AccessEvent.objects.get().opened == Opened.ANALYSES
    shown = text(ask(chen, named.get_absolute_url()))
    assert "Female" not in shown
    assert ask(chen, other.get_absolute_url()).status_code == 404


@pytest.mark.usefixtures("profile", "engine")
def test_a_doctor_reads_the_whole_result(shared: Analysis, chen: User, ask: Ask) -> None:
    tasks.analyse(shared.pk)
    response = ask(chen, shared.get_absolute_url())
    page = text(response)
    for words in ("Alice Sommer", "years", "Female", "Melanoma", "Dermatofibroma", "The patient reads:"):
        assert words in page
    for words in (
        "The picture that you sent",
        "Send again",
        "Take a new picture",
        "My analyses",
        "your doctor",
    ):
        assert words not in page
    assert "The picture that Alice Sommer sent." in response.content.decode()
    assert record_of(shared.patient) in response.content.decode()


@pytest.mark.parametrize("reason", [Reason.PHONE_PHOTO, Reason.NOT_A_LESION, Reason.OUT_OF_DOMAIN])
def test_a_doctor_reads_what_the_patient_is_spared(
    shared: Analysis, chen: User, engine: StandInEngine, ask: Ask, reason: Reason
) -> None:
    engine.answer = assessment(urgency=Urgency.CANNOT_ASSESS, reasons=(reason,))
    tasks.analyse(shared.pk)
    own = text(ask(shared.patient, shared.get_absolute_url()))
    page = text(ask(chen, shared.get_absolute_url()))
    assert "Melanoma" not in own
    assert "Melanoma" in page
    assert "has never learned from pictures of this kind" in page
    assert "The page of the patient does not show them." in page
    assert "What the computer noticed" in page


@pytest.mark.parametrize(("reason", "little"), [(Reason.OUT_OF_DOMAIN, True), (Reason.BLURRED, False)])
def test_the_copy_has_all_figures_and_says_which_mean_little(
    alice: User, submit: Submit, engine: StandInEngine, reason: Reason, little: bool
) -> None:
    engine.answer = assessment(urgency=Urgency.CANNOT_ASSESS, reasons=(reason,))
    tasks.analyse(submit(alice).pk)
    [row] = exporting.analyses(alice).rows
    assert len(row["Probabilities"]) == len(CODES)
    assert ("these values mean little" in row["Remarks"]) is little


def test_a_doctor_waits_with_the_patient(
    alice: User, chen: User, submit: Submit, engine: StandInEngine, ask: Ask
) -> None:
    share(patient=alice, doctor=chen)
    analysis = submit(alice)
    waiting = ask(chen, analysis.get_absolute_url())
    assert "There is no result yet." in text(waiting)
    assert 'hx-trigger="every' in waiting.content.decode()
    tasks.analyse(analysis.pk)
    news = ask(chen, f"{analysis.get_absolute_url()}state/?seen=queued-1")
    assert "The patient reads:" in text(news)
    assert "hx-get" not in news.content.decode()


def test_a_picture_without_result_offers_the_doctor_nothing_of_the_patients(
    alice: User, chen: User, submit: Submit, ask: Ask
) -> None:
    share(patient=alice, doctor=chen)
    analysis = submit(alice)
    now = timezone.now()
    Analysis.objects.filter(pk=analysis.pk).update(status="failed", problem="gave_up", finished_at=now)
    page = text(ask(chen, analysis.get_absolute_url()))
    assert "The computer has no result for this picture." in page
    assert "Send again" not in page


def test_empty_pages_say_why(chen: User, frey: User, eve: User, alice: User, ask: Ask) -> None:
    assert "Nobody shares with you yet" in text(ask(chen, PATIENTS))
    assert "Your licence comes first" in text(ask(frey, PATIENTS))
    assert "No record is open to you" in text(ask(eve, PATIENTS))
    share(patient=alice, doctor=chen)
    page = text(ask(chen, record_of(alice)))
    assert "No analyses yet" in page
    assert "has not answered the questions of the profile" in page


def test_these_pages_are_not_for_patients(alice: User, bob: User, ask: Ask, client: Client) -> None:
    for path in (PATIENTS, record_of(alice)):
        assert ask(alice, path).status_code == 403
        assert ask(bob, path).status_code == 403
        assert client.get(path).status_code == 302
    assert "no-store" in ask(alice, "/").headers["Cache-Control"]


def test_health_data_is_not_kept_by_caches(alice: User, chen: User, submit: Submit, ask: Ask) -> None:
    share(patient=alice, doctor=chen)
    for path in (PATIENTS, record_of(alice), submit(alice).get_absolute_url()):
        assert "no-store" in ask(chen, path).headers["Cache-Control"]


# The API of doctors


@pytest.mark.usefixtures("profile")
def test_an_app_reads_patients_and_records(
    alice: User, bob: User, chen: User, submit: Submit, ask: Ask
) -> None:
    share(patient=alice, doctor=chen)
    named = submit(bob)
    share(patient=bob, doctor=chen, items=[named.public_id])
    listed = ask(chen, API).json()["results"]
    assert [(row["name"], row["whole_record"]) for row in listed] == [
        ("Bob Keller", False),
        ("Alice Sommer", True),
    ]
    whole = ask(chen, listed[1]["url"]).json()
    assert (whole["profile"]["sex"], whole["profile"]["allergies"]) == ("female", "Penicillin")
    assert "latitude" not in whole["profile"]
    assert whole["analyses"] == []
    some = ask(chen, listed[0]["url"]).json()
    assert some["profile"] is None
    assert [row["id"] for row in some["analyses"]] == [str(named.public_id)]
    assert [row["id"] for row in ask(chen, some["analyses_url"]).json()["results"]] == [str(named.public_id)]


def test_an_app_narrows_analyses_to_a_patient(
    alice: User, bob: User, chen: User, submit: Submit, ask: Ask
) -> None:
    for seed, patient in enumerate((alice, bob)):
        share(patient=patient, doctor=chen)
        submit(patient, seed)
    assert len(ask(chen, "/api/v1/analyses/").json()["results"]) == 2
    (row,) = ask(chen, f"/api/v1/analyses/?patient={bob.public_id}").json()["results"]
    assert row["patient"] == str(bob.public_id)
    assert ask(chen, "/api/v1/analyses/?patient=nobody").status_code == 400
    assert ask(chen, f"/api/v1/analyses/?patient={uuid4()}").json()["results"] == []


def test_these_endpoints_are_not_for_patients(
    alice: User, bob: User, frey: User, diaz: User, ask: Ask
) -> None:
    record = f"{API}{alice.public_id}/"
    for path in (API, record):
        assert ask(alice, path).status_code == 403
        assert ask(bob, path).status_code == 403
        assert APIClient().get(path).status_code == 401
    for doctor in (frey, diaz):
        assert ask(doctor, API).json()["results"] == []
        assert ask(doctor, record).status_code == 404


# Small things


def test_ages_are_whole_years() -> None:
    born = date(1980, 2, 29)
    assert age_on(born, date(2025, 2, 28)) == 44
    assert age_on(born, date(2025, 3, 1)) == 45
    assert age_on(born, date(2024, 2, 29)) == 44


def test_a_reader_knows_what_was_said_and_no_more(
    alice: User, bob: User, chen: User, profile: PatientProfile
) -> None:
    for patient in (alice, bob):
        share(patient=patient, doctor=chen)
    known = reading(chen, alice)
    assert known.facts[1:] == ["Female", "skin type II: fair, burns easily, tans a little"]
    assert known.facts[0] == f"{known.age} years"
    assert reading(chen, bob).facts == []
