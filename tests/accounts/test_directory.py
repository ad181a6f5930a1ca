"""The public directory: who stands in it, who is found, how far away, and what nobody reads there."""

import itertools
import math
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from rest_framework.test import APIClient

from accounts import registries
from accounts.countries import COUNTRIES, country_choices
from accounts.directory import Search, public_doctors, search_doctors
from accounts.folding import Fold, fold
from accounts.geography import EARTH_RADIUS_KM, Position, coarse, distance_km, read_degrees
from accounts.models import ApplicationStatus, DoctorApplication, DoctorProfile, PatientProfile, Role, User
from accounts.practice import Practice, doctor_profile, save_practice
from accounts.spoken import LANGUAGES, language_choices
from tests import images
from tests.accounts.licences import decide, hand_in
from tests.conftest import make_doctor, make_user

Browse = Callable[[User], Client]
ZURICH = (Decimal("47.376900"), Decimal("8.541700"))
MADRID = (Decimal("40.416800"), Decimal("-3.703800"))
NEAR_ZURICH = Position.near(Decimal("47.4"), Decimal("8.5"))


def give_practice(
    doctor: User, place: tuple[Decimal, Decimal] | None = None, **answers: Any
) -> DoctorProfile:
    latitude, longitude = place or (None, None)
    return save_practice(doctor=doctor, practice=Practice(latitude=latitude, longitude=longitude, **answers))


def names(search: Search) -> list[str]:
    return [profile.user.name for profile in search_doctors(search)]


@pytest.fixture
def two(chen: User, diaz: User) -> tuple[DoctorProfile, DoctorProfile]:
    """Chen in Zurich, in person, Chinese and German; Díaz in Madrid, by video, Spanish."""
    return (
        give_practice(
            chen,
            ZURICH,
            title="Dr. med.",
            clinic_name="Skin at the lake",
            clinic_address="Seestrasse 1\n8002 Zürich",
            specialities=["dermatology", "skin_oncology"],
            languages=["zh", "de"],
            biography="I look closely.",
        ),
        give_practice(
            diaz,
            MADRID,
            accepts_video=True,
            accepts_in_person=False,
            specialities=["allergy"],
            languages=["es"],
        ),
    )


# Who stands in it


def test_only_verified_doctors_in_force_stand_in_it(chen: User, frey: User, alice: User) -> None:
    assert [profile.user for profile in public_doctors()] == [chen]


def test_who_stops_being_one_is_gone_at_once(browse: Browse, chen: User, diaz: User, eve: User) -> None:
    DoctorApplication.objects.filter(doctor=diaz).update(
        licence_expires_on=timezone.now().date() - timedelta(days=1)
    )
    assert [profile.user for profile in public_doctors()] == [chen]
    standing = DoctorApplication.objects.get(doctor=chen)
    decide(standing, eve, ApplicationStatus.SUSPENDED, "A complaint.")
    assert not public_doctors().exists()
    for doctor in (chen, diaz):
        for path in ("", "photo/"):
            assert Client().get(f"/doctors/{doctor.public_id}/{path}").status_code == 404
        assert APIClient().get(f"/api/v1/doctors/{doctor.public_id}/").status_code == 404


@pytest.mark.parametrize("change", [{"is_active": False}, {"role": Role.PATIENT}])
def test_an_account_that_is_no_doctors_any_more_is_gone(chen: User, change: dict[str, Any]) -> None:
    User.objects.filter(pk=chen.pk).update(**change)
    assert not public_doctors().exists()


def test_a_renewal_under_way_changes_nothing(chen: User) -> None:
    hand_in(chen)
    assert public_doctors().count() == 1


# Searching


@pytest.mark.parametrize(
    ("search", "found"),
    [
        (Search(), ["Mei Chen", "Rafael Díaz"]),
        (Search(name="chen"), ["Mei Chen"]),
        (Search(name="diaz RAF"), ["Rafael Díaz"]),
        (Search(name="DÍAZ"), ["Rafael Díaz"]),
        (Search(name="chen diaz"), []),
        (Search(name="%"), []),
        (Search(speciality="allergy"), ["Rafael Díaz"]),
        (Search(language="de"), ["Mei Chen"]),
        (Search(way="video"), ["Rafael Díaz"]),
        (Search(way="in_person"), ["Mei Chen"]),
        (Search(way="in_person", language="es"), []),
        (Search(near=NEAR_ZURICH), ["Mei Chen", "Rafael Díaz"]),
        (Search(near=Position.near(Decimal(41), Decimal(-4))), ["Rafael Díaz", "Mei Chen"]),
    ],
    ids=str,
)
def test_who_is_found(two: object, search: Search, found: list[str]) -> None:
    assert names(search) == found


def test_doctors_without_a_place_come_last(two: object) -> None:
    make_doctor("young@example.org", "Ada Young")
    assert names(Search(near=NEAR_ZURICH)) == ["Mei Chen", "Rafael Díaz", "Ada Young"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text", ["Díaz", "ÅSE ØSTBY", "Đorđević", "Łukasz", "Ünal İ", "Στέφανος", "Ёлкин", ""]
)
def test_the_database_folds_as_python_does(text: str) -> None:
    if not text.isascii() and connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT datcollate FROM pg_database WHERE datname = current_database()")
            if cursor.fetchone()[0] in {"C", "POSIX"}:
                text = text.lower()  # such a database knows no other letters' case
    user = make_user("fold@example.org", text or "x")
    assert User.objects.annotate(folded=Fold("name")).get(pk=user.pk).folded == fold(text or "x")


# Distances


def great_circle(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Kilometres by the angle between two vectors: another way than the database's."""

    def vector(point: tuple[float, float]) -> tuple[float, float, float]:
        phi, lam = map(math.radians, point)
        return math.cos(phi) * math.cos(lam), math.cos(phi) * math.sin(lam), math.sin(phi)

    u, v = vector(a), vector(b)
    cross = (u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0])
    return EARTH_RADIUS_KM * math.atan2(math.hypot(*cross), sum(x * y for x, y in zip(u, v, strict=True)))


def degrees(limit: int, places: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(-limit, limit, places=places, allow_nan=False, allow_infinity=False)


class TestDistances(TestCase):
    """Against another formula, over the whole earth."""

    @classmethod
    def setUpTestData(cls) -> None:
        cls.profile = doctor_profile(make_doctor("somewhere@example.org", "Some Where"))  # type: ignore[attr-defined]

    @given(here=st.tuples(degrees(90, 2), degrees(180, 2)), there=st.tuples(degrees(90, 6), degrees(180, 6)))
    @example(here=(Decimal(0), Decimal("179.99")), there=(Decimal(0), Decimal("-179.99")))  # the date line
    @example(here=(Decimal(0), Decimal(180)), there=(Decimal(0), Decimal(-180)))
    @example(here=(Decimal("89.99"), Decimal(0)), there=(Decimal("89.99"), Decimal(180)))  # over the pole
    @example(here=(Decimal(90), Decimal(12)), there=(Decimal(90), Decimal(-150)))
    @example(here=(Decimal(-90), Decimal(0)), there=(Decimal(90), Decimal(0)))  # pole to pole
    @example(
        here=(Decimal("47.38"), Decimal("8.54")), there=(Decimal("-47.38"), Decimal("-171.46"))
    )  # antipodes
    @example(here=(Decimal("0.01"), Decimal("0.01")), there=(Decimal("0.01"), Decimal("0.01")))
    @hypothesis_settings(max_examples=150)
    def test_as_the_crow_flies(self, here: tuple[Decimal, Decimal], there: tuple[Decimal, Decimal]) -> None:
        DoctorProfile.objects.filter(pk=self.profile.pk).update(latitude=there[0], longitude=there[1])  # type: ignore[attr-defined]
        found = DoctorProfile.objects.annotate(distance=distance_km(Position(*here))).get()
        expected = great_circle((float(here[0]), float(here[1])), (float(there[0]), float(there[1])))
        assert found.distance == pytest.approx(expected, abs=0.001)


@pytest.mark.django_db
def test_a_known_distance() -> None:
    doctor = make_doctor("zurich@example.org", "Z")
    give_practice(doctor, ZURICH)
    [found] = search_doctors(Search(near=Position.near(*MADRID)))
    assert found.distance == pytest.approx(1245, abs=3)  # type: ignore[attr-defined]


# Coordinates that people type


@pytest.mark.parametrize(
    ("text", "value"),
    [("47.3769", "47.3769"), ("47,3769", "47.3769"), (" -90 ", "-90"), ("90", "90"), ("1e1", "10")],
)
def test_degrees_are_read_as_people_write_them(text: str, value: str) -> None:
    assert read_degrees(text, 90) == Decimal(value)


@pytest.mark.parametrize("text", ["90.000001", "-91", "1e99", "north", "nan", "inf", "47°", "4 7"])
def test_what_is_no_latitude_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        read_degrees(text, 90)


@given(degrees(180, 8))
def test_a_rounded_place_is_half_a_hundredth_away_at_most(value: Decimal) -> None:
    assert abs(coarse(value) - value) <= Decimal("0.005")
    assert abs(coarse(value)) <= 180


def test_an_exact_place_is_rounded_before_anything_else(client: Client, two: object) -> None:
    response = client.get("/doctors/?way=in_person&latitude=47.376913&longitude=8,541694")
    assert response.headers["Location"] == "/doctors/?way=in_person&latitude=47.38&longitude=8.54"
    page = client.get(response.headers["Location"]).content.decode()
    assert "less than 1 km away" in page
    assert "47.3769" not in re.sub(r'href="https://www.openstreetmap[^"]*"', "", page)


def test_no_log_says_where_somebody_is(
    client: Client, two: object, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    for path in ("/doctors/", "/api/v1/doctors/"):
        client.get(f"{path}?latitude=47.376913&longitude=8.541694")
        client.get(f"{path}?latitude=47.376913&longitude=no")
    logged = caplog.text + "".join(capfd.readouterr())
    assert "/doctors/" in logged
    assert "47.37" not in logged


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("latitude=91&longitude=8", "This lies outside of the earth"),
        ("latitude=47&longitude=181", "This lies outside of the earth"),
        ("latitude=north&longitude=8", "Write degrees as a number"),
        ("latitude=47", "A place needs both"),
        ("longitude=8", "A place needs both"),
        ("speciality=magic", "Select a valid choice"),
        ("language=xx", "Select a valid choice"),
        ("way=by+pigeon", "Select a valid choice"),
    ],
)
def test_a_search_that_is_not_understood_says_so(
    client: Client, two: object, query: str, sentence: str
) -> None:
    response = client.get(f"/doctors/?name=chen&{query}")
    page = response.content.decode()
    assert response.status_code == 422
    assert page.count(sentence) == 2
    assert 'value="chen"' in page
    assert "Mei Chen" in page  # what was understood still narrows
    assert "Rafael" not in page
    answer = APIClient().get(f"/api/v1/doctors/?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"]


# The pages


def test_visitors_read_the_directory_and_no_email_address(
    client: Client, two: tuple[DoctorProfile, DoctorProfile]
) -> None:
    addresses = ["/doctors/", *(f"/doctors/{profile.user.public_id}/" for profile in two)]
    for address in (*addresses, *(f"/api/v1{path}" for path in addresses)):
        response = client.get(address)
        assert response.status_code == 200
        assert "@" not in response.content.decode()
    page = client.get(addresses[1]).content.decode()
    for words in ("Dr. med. Mei Chen", "Skin at the lake", "8002 Zürich", "I look closely.", "Chinese"):
        assert words in page
    assert 'href="https://www.openstreetmap.org/?mlat=47.376900&amp;mlon=8.541700' in page
    assert 'rel="noopener"' in page


def test_an_unverified_doctor_sees_their_own_page_only(browse: Browse, frey: User, chen: User) -> None:
    page = browse(frey).get(f"/doctors/{frey.public_id}/").content.decode()
    assert "Only you see this page" in page
    assert browse(chen).get(f"/doctors/{frey.public_id}/").status_code == 404
    assert Client().get(f"/doctors/{frey.public_id}/").status_code == 404


def test_patients_share_from_a_doctors_page(browse: Browse, alice: User, chen: User) -> None:
    page = browse(alice).get(f"/doctors/{chen.public_id}/").content.decode()
    assert f"/share/?doctor={chen.public_id}" in page
    assert "/share/" not in Client().get(f"/doctors/{chen.public_id}/").content.decode()


def test_a_patient_with_a_place_searches_near_it(browse: Browse, alice: User, bob: User) -> None:
    PatientProfile.objects.create(
        user=alice, place="Oerlikon", latitude=Decimal("47.41"), longitude=Decimal("8.54")
    )
    page = browse(alice).get("/doctors/").content.decode()
    assert "Near Oerlikon" in page
    assert "latitude=47.41" in page
    assert "Near Oerlikon" not in browse(bob).get("/doctors/").content.decode()


def test_nobody_found_is_said(client: Client, two: object) -> None:
    assert "Nobody fits all of this" in client.get("/doctors/?name=nobody").content.decode()


@pytest.mark.django_db
def test_an_empty_directory_is_said(client: Client) -> None:
    assert "No doctor yet" in client.get("/doctors/").content.decode()


@pytest.mark.parametrize("path", ["/doctors/", "/doctors/?latitude=47.40&longitude=8.50", "/api/v1/doctors/"])
def test_a_page_asks_the_database_the_same_number_of_times(client: Client, db: None, path: str) -> None:
    counts = []
    for number in (2, 20):
        for count in range(DoctorProfile.objects.count(), number):
            doctor = make_doctor(f"doctor{count}@example.org", f"Doctor {count}")
            give_practice(doctor, ZURICH, specialities=["dermatology"], languages=["de", "fr"])
        with CaptureQueriesContext(connection) as queries:
            client.get(path)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_pages_of_a_long_list_keep_the_search(client: Client, db: None) -> None:
    for count in range(23):
        give_practice(make_doctor(f"doctor{count}@example.org", f"Doctor {count:02}"), languages=["de"])
    page = client.get("/doctors/?language=de").content.decode()
    assert "Page 1 of 2" in page
    assert 'href="?language=de&amp;page=2"' in page
    assert client.get("/doctors/?language=de&page=2").content.decode().count('class="thing doctor"') == 3
    assert client.get("/doctors/?page=none").status_code == 200
    first = APIClient().get("/api/v1/doctors/").json()
    second = APIClient().get(first["next"]).json()
    assert (first["count"], len(first["results"]), len(second["results"])) == (23, 20, 3)


# The next free time


@pytest.fixture
def free(chen: User) -> Iterator[list[list[int]]]:
    """An app above that knows a free time of Chen's."""
    asked: list[list[int]] = []

    def ask(doctors: Any) -> dict[int, Any]:
        asked.append(list(doctors))
        return {chen.pk: timezone.now().replace(year=2031, month=3, day=4, hour=9, minute=30)}

    registries.next_free_times.append(ask)
    yield asked
    registries.next_free_times.remove(ask)


def test_each_card_has_a_place_for_the_next_free_time(
    client: Client, two: object, free: list[list[int]], chen: User, diaz: User
) -> None:
    page = client.get("/doctors/").content.decode()
    assert "Next free time: March 4, 2031, 09:30" in page
    assert page.count("No free time at present") == 1
    assert [sorted(doctors) for doctors in free] == [sorted([chen.pk, diaz.pk])]  # once for the whole page
    answer = APIClient().get(f"/api/v1/doctors/{chen.public_id}/").json()
    assert answer["next_free"].startswith("2031-03-04T09:30")


def test_without_appointments_there_is_no_such_place(
    client: Client, two: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registries, "next_free_times", [])
    assert "free time" not in client.get("/doctors/").content.decode()


# The API


def test_the_api_finds_as_the_page_does(two: object, chen: User) -> None:
    answer = APIClient().get("/api/v1/doctors/?latitude=47.376913&longitude=8.541694&name=chen").json()
    [found] = answer["results"]
    assert found["id"] == str(chen.public_id)
    assert found["languages"] == ["de", "zh"]
    assert found["specialities"] == ["dermatology", "skin_oncology"]
    assert found["distance_km"] == pytest.approx(0.4, abs=0.2)
    assert "email" not in str(answer)


def test_the_api_lists_without_a_distance(two: object) -> None:
    assert [row["distance_km"] for row in APIClient().get("/api/v1/doctors/").json()["results"]] == [
        None,
        None,
    ]


def test_the_directory_is_only_read(two: object) -> None:
    for method in ("post", "put", "patch", "delete"):
        assert getattr(APIClient(), method)("/api/v1/doctors/").status_code in {401, 405}


# A doctor's own page


def practice_form(**fields: Any) -> dict[str, Any]:
    return {
        "title": "Dr.",
        "accepts_in_person": "on",
        "clinic_name": "Am See",
        "latitude": "47,376900",
        "longitude": "8.5417",
        "specialities": ["dermatology"],
        "languages": ["de", "so"],
    } | fields


def test_a_doctor_writes_what_stands_there(browse: Browse, frey: User) -> None:
    client = browse(frey)
    photo = SimpleUploadedFile("me.png", images.rotated_jpeg())
    assert client.post("/settings/practice/", practice_form(photo=photo)).status_code == 302
    profile = DoctorProfile.objects.get(user=frey)
    assert (profile.latitude, profile.longitude) == (Decimal("47.3769"), Decimal("8.5417"))
    assert {row.code for row in profile.languages.all()} == {"de", "so"}
    assert str(profile.photo.name).startswith("doctors/")
    page = client.get("/settings/practice/").content.decode()
    assert 'value="47.3769"' in page
    assert re.search(r'value="so"[^>]*checked', page)
    assert page.index('value="so"') < page.index('value="af"')  # what is chosen stands first
    response = client.get(f"/doctors/{frey.public_id}/photo/")
    assert b"".join(response)[:3] == b"\xff\xd8\xff"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert Client().get(f"/doctors/{frey.public_id}/photo/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_photo_goes_with_its_file(browse: Browse, frey: User) -> None:
    client = browse(frey)
    client.post("/settings/practice/", practice_form(photo=SimpleUploadedFile("a", images.rotated_jpeg())))
    profile = DoctorProfile.objects.get(user=frey)
    former, storage = str(profile.photo.name), profile.photo.storage
    client.post("/settings/practice/", practice_form(photo=SimpleUploadedFile("b", images.rotated_jpeg())))
    profile.refresh_from_db()
    assert profile.photo.name != former
    assert not storage.exists(former)
    client.post("/settings/practice/", practice_form(without_photo="on"))
    profile.refresh_from_db()
    assert not profile.photo
    assert storage.listdir("doctors")[1] == []


def test_answers_can_be_taken_back(browse: Browse, chen: User, two: object) -> None:
    browse(chen).post("/settings/practice/", {"accepts_video": "on"})
    profile = DoctorProfile.objects.get(user=chen)
    assert not profile.languages.exists()
    assert not profile.specialities.exists()
    assert (profile.latitude, profile.clinic_name) == (None, "")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"latitude": "91"}, "This lies outside of the earth"),
        ({"longitude": ""}, "A place needs both"),
        ({"accepts_in_person": ""}, "Choose video, in person, or both"),
        ({"specialities": ["magic"]}, "Select a valid choice"),
        ({"languages": ["xx"]}, "Select a valid choice"),
        ({"photo": SimpleUploadedFile("me.jpg", b"none")}, "This file is not a JPEG or PNG picture"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_wrong_about_a_practice_is_said(
    browse: Browse, frey: User, wrong: dict[str, Any], sentence: str
) -> None:
    response = browse(frey).post("/settings/practice/", practice_form(**wrong))
    page = response.content.decode()
    assert response.status_code == 422
    assert sentence in page
    assert 'value="Am See"' in page
    assert DoctorProfile.objects.get(user=frey).clinic_name == ""


def test_only_doctors_have_a_practice(browse: Browse, alice: User, eve: User) -> None:
    for user in (alice, eve):
        assert browse(user).get("/settings/practice/").status_code == 403
    assert not DoctorProfile.objects.filter(user__in=[alice, eve]).exists()


# Lists to choose from


def test_lists_are_sorted_for_readers() -> None:
    languages = [name for _code, name in language_choices()]
    countries = [name for _code, name in country_choices()]
    for listed in (languages, countries):
        assert all(fold(a) <= fold(b) for a, b in itertools.pairwise(listed))
        assert len(set(listed)) == len(listed)
    assert {"de", "en", "zh", "ar"} <= LANGUAGES
    assert len(COUNTRIES) == 249


def test_a_search_keeps_working_after_midnight_elsewhere(client: Client, chen: User) -> None:
    """A licence ends at one moment for all readers."""
    DoctorApplication.objects.filter(doctor=chen).update(licence_expires_on=timezone.now().date())
    with timezone.override("Pacific/Kiritimati"):
        assert public_doctors().exists()
    with time_machine.travel(timezone.now() + timedelta(days=1)), timezone.override("Pacific/Pago_Pago"):
        assert not public_doctors().exists()
