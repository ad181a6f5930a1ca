"""What people say about themselves, on the page and in the API."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import PatientProfile, User
from accounts.profiles import Why, patient_profile, update_account, update_profile
from accounts.validators import validate_birth_date
from tests import images

Browse = Callable[[User], Client]
AppOf = Callable[[User], APIClient]
ME = "/api/v1/me/"
ANSWERS = {
    "name": "Alice Sommer",
    "date_of_birth": "1990-05-17",
    "sex": "female",
    "skin_type": "2",
    "allergies": "Penicillin",
    "medication": "",
    "skin_cancer_history": "Mother: melanoma in 2011",
    "place": "Zürich",
    "latitude": "47.376887",
    "longitude": "8,541694",
}


def change(patient: User, **answers: Any) -> PatientProfile:
    return update_profile(patient=patient, by=patient, why=Why.PAGE, **answers)


# The profile


def test_a_profile_is_made_when_it_is_first_asked_for(alice: User) -> None:
    assert patient_profile(alice) == patient_profile(alice)
    assert PatientProfile.objects.count() == 1
    assert patient_profile(alice).sex == ""


@pytest.mark.parametrize(
    ("given", "kept"),
    [("47.376887", "47.38"), ("-0.004", "0.00"), ("89.999", "90.00"), ("47.125", "47.12"), ("47", "47.00")],
)
def test_coordinates_are_rounded_before_they_are_stored(alice: User, given: str, kept: str) -> None:
    profile = patient_profile(alice)
    profile.latitude, profile.longitude = Decimal(given), Decimal("8.5")
    profile.save()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT latitude FROM accounts_patientprofile "
            "UNION SELECT latitude FROM accounts_historicalpatientprofile"
        )
        stored = {Decimal(str(row[0])) for row in cursor if row[0] is not None}
    assert stored == {Decimal(kept)}


def test_an_update_past_the_model_is_rounded_too(alice: User) -> None:
    patient_profile(alice)
    PatientProfile.objects.update(latitude=Decimal("47.376887"), longitude=Decimal("8.541694"))
    profile = PatientProfile.objects.get()
    assert (profile.latitude, profile.longitude) == (Decimal("47.38"), Decimal("8.54"))


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("date_of_birth", date.today() + timedelta(days=2), "future"),  # noqa: DTZ011
        ("date_of_birth", date(1899, 12, 31), "before 1900"),
        ("sex", "other", "not a valid choice"),
        ("skin_type", 7, "not a valid choice"),
        ("latitude", Decimal("90.01"), "90"),
        ("longitude", Decimal("-180.01"), "-180"),
        ("latitude", Decimal("NaN"), "number"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(alice: User, field: str, value: Any, sentence: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        change(alice, **{field: value})
    assert sentence in " ".join(refusal.value.messages)


@pytest.mark.parametrize(
    "answers",
    [
        {"date_of_birth": date(1900, 1, 1)},
        {"skin_type": 6},
        {"latitude": Decimal(90), "longitude": Decimal(-180)},
        {"latitude": None, "longitude": None},
    ],
)
def test_what_can_be_is_kept(alice: User, answers: dict[str, Any]) -> None:
    change(alice, **answers)
    profile = PatientProfile.objects.get()
    assert {name: getattr(profile, name) for name in answers} == answers


def test_a_coordinate_alone_is_refused(alice: User) -> None:
    patient_profile(alice)
    with pytest.raises(ValidationError, match="both coordinates"):
        change(alice, latitude=Decimal(47))
    with pytest.raises(IntegrityError), transaction.atomic():
        PatientProfile.objects.filter(user=alice).update(latitude=Decimal(47))


def test_the_database_refuses_what_the_model_would(alice: User) -> None:
    patient_profile(alice)
    for answers in ({"sex": "?"}, {"skin_type": 9}, {"date_of_birth": date(1850, 1, 1)}):
        with pytest.raises(IntegrityError), transaction.atomic():
            PatientProfile.objects.update(**answers)


def test_every_change_leaves_a_version_with_who_and_why(alice: User, chen: User) -> None:
    change(alice, allergies="Penicillin")
    update_profile(patient=alice, by=chen, why=Why.APP, allergies="Latex")
    change(alice, allergies="Latex")
    latest, earlier, _first = PatientProfile.objects.get().history.all()
    assert (earlier.allergies, earlier.history_user, earlier.history_change_reason) == (
        "Penicillin",
        alice,
        Why.PAGE,
    )
    assert (latest.allergies, latest.history_user, latest.history_change_reason) == ("Latex", chen, Why.APP)


def test_only_patients_have_this_profile(chen: User, eve: User) -> None:
    for person in (chen, eve):
        with pytest.raises(PermissionDenied):
            patient_profile(person)


def test_what_is_refused_is_not_shown_either(alice: User) -> None:
    with pytest.raises(ValidationError):
        update_account(user=alice, name="Another", time_zone="Mars/Olympus")
    assert (alice.name, alice.time_zone) == ("Alice Sommer", "UTC")


def test_only_answers_are_changed(alice: User) -> None:
    with pytest.raises(TypeError):
        change(alice, user=alice)
    with pytest.raises(TypeError):
        update_account(user=alice, role="admin")


# The page


def test_the_page_keeps_every_answer(browse: Browse, alice: User) -> None:
    client = browse(alice)
    answer = client.post(reverse("accounts:profile"), ANSWERS)
    assert answer.status_code == 302
    profile = PatientProfile.objects.get(user=alice)
    assert (profile.latitude, profile.longitude) == (Decimal("47.38"), Decimal("8.54"))
    assert (profile.date_of_birth, profile.sex, profile.skin_type) == (date(1990, 5, 17), "female", 2)
    page = client.get(reverse("accounts:profile")).content.decode()
    assert 'value="1990-05-17"' in page
    assert "Mother: melanoma in 2011" in page
    version = profile.history.first()
    assert (version.history_user, version.history_change_reason) == (alice, Why.PAGE)


def test_a_mistake_loses_no_other_answer(browse: Browse, alice: User) -> None:
    future = (timezone.localdate() + timedelta(days=2)).isoformat()
    mistakes = {"date_of_birth": future, "latitude": "north"}
    response = browse(alice).post(reverse("accounts:profile"), ANSWERS | mistakes)
    page = response.content.decode()
    assert response.status_code == 422
    assert "lies in the future" in page
    assert "as a number" in page
    assert "Mother: melanoma in 2011" in page
    assert not PatientProfile.objects.filter(allergies="Penicillin").exists()


def test_a_doctor_and_an_administrator_say_their_name_alone(browse: Browse, frey: User, eve: User) -> None:
    for person in (frey, eve):
        client = browse(person)
        page = client.get(reverse("accounts:profile")).content.decode()
        assert "allergies" not in page
        client.post(reverse("accounts:profile"), ANSWERS | {"name": "Another Name"})
        person.refresh_from_db()
        assert person.name == "Another Name"
    assert not PatientProfile.objects.exists()


def test_a_name_that_was_checked_with_a_licence_stays(browse: Browse, app_of: AppOf, chen: User) -> None:
    client = browse(chen)
    assert "checked together with your licence" in client.get(reverse("accounts:profile")).content.decode()
    client.post(reverse("accounts:profile"), {"name": "Somebody Else"})
    answer = app_of(chen).patch(ME, {"name": "Somebody Else"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "name")
    assert app_of(chen).patch(ME, {"time_zone": "Europe/Zurich"}).status_code == 200
    chen.refresh_from_db()
    assert chen.name == "Mei Chen"


def test_nobody_is_without_a_name(browse: Browse, alice: User) -> None:
    assert browse(alice).post(reverse("accounts:profile"), ANSWERS | {"name": " "}).status_code == 422
    alice.refresh_from_db()
    assert alice.name == "Alice Sommer"


# The API


def test_the_api_shows_and_changes_the_own_profile(app_of: AppOf, alice: User) -> None:
    app = app_of(alice)
    before = app.get(ME).json()
    assert (before["id"], before["role"], before["profile"]["sex"]) == (str(alice.public_id), "patient", "")
    change = {
        "name": "Alice S.",
        "time_zone": "Europe/Zurich",
        "profile": {"latitude": "47.376887", "longitude": "8.5", "sex": "female"},
    }
    after = app.patch(ME, change).json()
    assert (after["name"], after["time_zone"]) == ("Alice S.", "Europe/Zurich")
    assert (after["profile"]["latitude"], after["profile"]["sex"]) == (47.38, "female")
    version = PatientProfile.objects.get().history.first()
    assert (version.history_user, version.history_change_reason) == (alice, Why.APP)
    assert app.get(ME).json() == after


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"language": "tlh"}, "language"),
        ({"name": ""}, "name"),
        ({"profile": {"date_of_birth": "2999-01-01"}}, "profile.date_of_birth"),
        ({"profile": {"latitude": "91", "longitude": "8"}}, "profile.latitude"),
        ({"profile": {"latitude": "NaN", "longitude": "8"}}, "profile.latitude"),
        ({"profile": {"latitude": "47"}}, "profile"),
        ({"profile": "none"}, "profile"),
    ],
)
def test_the_api_says_what_is_wrong_and_changes_nothing(
    app_of: AppOf, alice: User, change: dict[str, Any], field: str
) -> None:
    answer = app_of(alice).patch(ME, {"name": "Changed", **change})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"].startswith(field)
    alice.refresh_from_db()
    assert alice.name == "Alice Sommer"


def test_the_api_never_changes_role_or_address(app_of: AppOf, alice: User) -> None:
    app_of(alice).patch(ME, {"role": "admin", "email": "eve@example.org", "is_active": False})
    alice.refresh_from_db()
    assert (alice.role, alice.email, alice.is_active) == ("patient", "alice@example.org", True)


def test_a_doctor_has_no_patient_s_profile_in_the_api(app_of: AppOf, chen: User) -> None:
    app = app_of(chen)
    assert app.get(ME).json()["profile"] is None
    assert app.patch(ME, {"profile": {"sex": "female"}}).status_code == 400


@pytest.mark.django_db
def test_the_api_asks_who_it_is() -> None:
    assert APIClient().get(ME).status_code == 401


# Asked with a new analysis

NEW = {"image_type": "dermatoscopic", "body_site": "back"}


def picture() -> Any:
    return images.upload(images.encoded(images.picture()))


def test_a_new_analysis_asks_once_for_what_is_missing(browse: Browse, alice: User) -> None:
    client = browse(alice)
    page = client.get("/analyses/new/").content.decode()
    assert 'name="date_of_birth"' in page
    assert 'name="sex"' in page
    client.post("/analyses/new/", NEW | {"image": picture(), "date_of_birth": "1990-05-17", "sex": ""})
    profile = PatientProfile.objects.get(user=alice)
    assert (profile.date_of_birth, profile.sex) == (date(1990, 5, 17), "")
    version = profile.history.first()
    assert (version.history_user, version.history_change_reason) == (alice, Why.UPLOAD)
    page = client.get("/analyses/new/").content.decode()
    assert 'name="date_of_birth"' not in page
    assert 'name="sex"' in page


def test_a_new_analysis_needs_no_answer_about_the_patient(browse: Browse, alice: User) -> None:
    answer = browse(alice).post("/analyses/new/", NEW | {"image": picture()})
    assert answer.status_code == 302
    assert PatientProfile.objects.get(user=alice).date_of_birth is None


def test_an_answer_that_is_known_is_not_overwritten_by_an_upload(browse: Browse, alice: User) -> None:
    change(alice, sex="female", date_of_birth=date(1990, 5, 17))
    browse(alice).post("/analyses/new/", NEW | {"image": picture(), "sex": "male"})
    assert PatientProfile.objects.get(user=alice).sex == "female"


def test_a_wrong_birth_date_is_said_before_anything_is_stored(browse: Browse, alice: User) -> None:
    answer = browse(alice).post("/analyses/new/", NEW | {"image": picture(), "date_of_birth": "2999-01-01"})
    assert answer.status_code == 422
    assert "lies in the future" in answer.content.decode()
    assert not alice.analyses.exists()


def test_where_it_is_tomorrow_already_somebody_is_born_today() -> None:
    with time_machine.travel(datetime(2031, 3, 5, 12, tzinfo=UTC), tick=False):
        validate_birth_date(date(2031, 3, 6))  # in Auckland
        with pytest.raises(ValidationError, match="lies in the future"):
            validate_birth_date(date(2031, 3, 7))
