"""The settings area, and what it changes on every page."""

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest
from django.shortcuts import render
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.places import PLACES
from accounts.templatetags.settings_area import device, is_phone
from tests.conftest import PASSWORD

Browse = Callable[[User], Client]
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Mobile Safari/604"
)


def places(page: str) -> list[str]:
    return [str(place.title) for place in PLACES if f"<span>{place.title}</span>" in page]


def test_every_place_of_the_area_has_its_page() -> None:
    assert all(reverse(place.view) for place in PLACES)


@pytest.mark.parametrize(
    ("who", "own", "others"),
    [
        ("alice", {"Consents", "Sharing", "Who opened my record", "My data"}, {"Licence", "Practice"}),
        ("chen", {"Licence", "Practice"}, {"Sharing", "Who opened my record"}),
        ("eve", {"Profile", "Sign-in security"}, {"Sharing", "Licence"}),
    ],
)
@pytest.mark.django_db
def test_each_role_has_its_places(
    request: pytest.FixtureRequest, browse: Browse, who: str, own: set[str], others: set[str]
) -> None:
    client = browse(request.getfixturevalue(who))
    for path in ("/settings/", "/settings/profile/"):
        page = client.get(path).content.decode()
        assert own <= {str(place.title) for place in PLACES if str(place.title) in page}
    assert not others & set(places(page))
    assert 'aria-current="page"' in page


def test_visitors_sign_in_first(client: Client, db: None) -> None:
    for path in ("/settings/", "/settings/profile/", "/settings/language/", "/accounts/devices/"):
        assert client.get(path)["Location"] == f"/accounts/login/?next={path}"
    assert client.post("/settings/time-zone/").status_code == 302


# Language and time zone


def test_times_are_shown_in_the_person_s_zone(browse: Browse, alice: User) -> None:
    client = browse(alice)
    client.post("/settings/language/", {"language": "en", "time_zone": "Pacific/Kiritimati"})
    alice.refresh_from_db()
    assert (alice.language, alice.time_zone) == ("en", "Pacific/Kiritimati")
    page = client.get("/settings/language/")
    assert page.headers["Content-Language"] == "en"
    assert "Pacific/Kiritimati" in page.content.decode()


def test_the_zone_holds_for_one_request_only(
    browse: Browse, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def noted(request: HttpRequest, *args: Any) -> Any:
        seen.append(timezone.get_current_timezone_name())
        return render(request, *args)

    monkeypatch.setattr("accounts.views.settings.render", noted)
    alice.time_zone = "Asia/Tokyo"
    alice.save()
    browse(alice).get("/settings/")
    browse(bob).get("/settings/")
    assert seen == ["Asia/Tokyo", "UTC"]
    assert timezone.get_current_timezone_name() == "UTC"


def test_a_zone_that_is_not_known_is_refused_in_a_sentence(browse: Browse, alice: User) -> None:
    client = browse(alice)
    answer = client.post("/settings/language/", {"language": "", "time_zone": "Mars/Olympus"})
    assert answer.status_code == 422
    assert "This time zone is not known" in answer.content.decode()
    page = client.post("/settings/time-zone/", {"time_zone": "Mars/Olympus"}, follow=True)
    assert "This time zone is not known" in page.content.decode()
    alice.refresh_from_db()
    assert alice.time_zone == "UTC"


def test_a_zone_that_this_machine_has_forgotten_does_not_break_pages(browse: Browse, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(time_zone="Europe/Atlantis")
    assert browse(alice).get("/settings/").status_code == 200


def test_the_proposed_zone_is_taken_over_and_leads_back(browse: Browse, alice: User) -> None:
    client = browse(alice)
    assert 'data-zone="UTC"' in client.get("/").content.decode()
    answer = client.post("/settings/time-zone/", {"time_zone": "Europe/Zurich", "next": "/analyses/"})
    assert answer["Location"] == "/analyses/"
    alice.refresh_from_db()
    assert alice.time_zone == "Europe/Zurich"


@pytest.mark.parametrize("elsewhere", ["https://example.org/", "//example.org/", "javascript:alert(1)"])
def test_it_never_leads_to_another_site(browse: Browse, alice: User, elsewhere: str) -> None:
    answer = browse(alice).post("/settings/time-zone/", {"time_zone": "UTC", "next": elsewhere})
    assert answer["Location"] == "/"


def test_a_language_that_is_not_offered_is_refused(browse: Browse, alice: User) -> None:
    answer = browse(alice).post("/settings/language/", {"language": "tlh", "time_zone": "UTC"})
    assert answer.status_code == 422


# Devices


def test_devices_are_named_and_signed_out(alice: User) -> None:
    here, phone = Client(headers={"User-Agent": FIREFOX}), Client(headers={"User-Agent": IPHONE})
    for client in (phone, here):
        client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    page = here.get("/accounts/devices/").content.decode()
    assert "Firefox on Linux" in page
    assert "Safari on iPhone" in page
    assert "This device" in page
    here.post("/accounts/devices/")
    assert here.get("/settings/").status_code == 200
    assert phone.get("/settings/").status_code == 302
    assert "signed in nowhere else" in here.get("/accounts/devices/").content.decode()


def test_names_of_devices() -> None:
    assert device("okhttp/4.9") == "A browser or an app"
    assert is_phone(IPHONE)
    assert not is_phone(FIREFOX)


# The main navigation and the first page


@pytest.mark.parametrize(
    ("who", "labels"),
    [
        ("alice", ["Home", "New analysis", "My analyses", "Visits", "Doctors"]),
        ("chen", ["Home", "My day", "Patients", "Doctors", "About"]),
        ("eve", ["Home", "Administration", "About"]),
    ],
)
def test_the_main_places_of_each_role(
    request: pytest.FixtureRequest, db: None, browse: Browse, who: str, labels: list[str]
) -> None:
    page = browse(request.getfixturevalue(who)).get("/").content.decode()
    navigation = page[page.index('<nav class="places"') : page.index("</nav>")]
    positions = [navigation.index(f"<span>{label}</span>") for label in labels]
    assert positions == sorted(positions)
    assert navigation.count("<li>") == len(labels)


def test_an_unverified_doctor_reads_what_to_do_next(browse: Browse, frey: User) -> None:
    page = browse(frey).get("/").content.decode()
    assert "Hand in your licence" in page
    assert reverse("accounts:practice") in page


def test_a_verified_doctor_without_patients_reads_how_they_come(browse: Browse, chen: User) -> None:
    assert "Nobody has shared anything with you yet" in browse(chen).get("/").content.decode()


def test_an_administrator_reads_how_many_applications_wait(browse: Browse, eve: User) -> None:
    page = browse(eve).get("/").content.decode()
    assert "No application waits" in page
    assert reverse("admin:accounts_doctorapplication_changelist") in page
