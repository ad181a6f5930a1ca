"""The second factor: who needs one, what stays closed without it, and how it is set up."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.mfa import OPEN_TO_DOCTORS, OPEN_VIEWS, lacks_second_factor
from accounts.models import User
from tests.conftest import PASSWORD

Browse = Callable[[User], Client]
AppOf = Callable[[User], APIClient]
SECRET = generate_totp_secret()
SET_UP = "/accounts/2fa/"


@pytest.fixture
def required(settings: Any) -> None:
    settings.DERMA_REQUIRE_MFA = True


def enrol(user: User) -> None:
    TOTP.activate(user, SECRET)


def code(secret: str = SECRET) -> str:
    now = list(yield_hotp_counters_from_time())[1]
    return str(format_hotp_value(hotp_value(secret, now)))


# Who needs one


@pytest.mark.usefixtures("required")
def test_doctors_and_administrators_need_one(alice: User, chen: User, frey: User, eve: User) -> None:
    assert [lacks_second_factor(person) for person in (alice, chen, frey, eve)] == [False, True, True, True]
    enrol(chen)
    assert not lacks_second_factor(chen)


@pytest.mark.usefixtures("required")
def test_recovery_codes_alone_are_no_second_factor(chen: User) -> None:
    RecoveryCodes.activate(chen)
    assert lacks_second_factor(chen)


def test_it_can_be_switched_off(chen: User, eve: User, browse: Browse) -> None:
    assert not lacks_second_factor(chen)
    assert browse(eve).get("/admin/").status_code == 200


# What is closed

CLOSED = {
    "chen": ["/", "/patients/", "/analyses/1f9d5a3e-0000-4000-8000-000000000000/"],
    "eve": ["/", "/admin/", "/admin/accounts/user/", "/admin/accounts/user/add/", "/patients/"],
}
OPEN = {
    "chen": [
        "/about/",
        "/doctors/",
        "/settings/",
        "/settings/profile/",
        "/settings/practice/",
        "/settings/licence/",
        "/settings/language/",
        "/accounts/email/",
        "/accounts/password/change/",
        "/accounts/devices/",
        "/accounts/logout/",
        SET_UP,
    ],
    "eve": ["/about/", "/doctors/", "/settings/", SET_UP, "/accounts/logout/"],
}


@pytest.mark.usefixtures("required")
@pytest.mark.parametrize("who", ["chen", "eve"])
def test_without_one_all_but_the_way_to_it_is_closed(
    request: pytest.FixtureRequest, db: None, browse: Browse, who: str
) -> None:
    client = browse(request.getfixturevalue(who))
    for path in CLOSED[who]:
        answer = client.get(path)
        assert (answer.status_code, answer.headers.get("Location")) == (302, SET_UP), path
        assert client.post(path).headers.get("Location") == SET_UP, path
    for path in OPEN[who]:
        assert client.get(path).status_code == 200, path


@pytest.mark.usefixtures("required")
@pytest.mark.parametrize("who", ["chen", "eve"])
def test_with_one_everything_is_as_it_was(
    request: pytest.FixtureRequest, db: None, browse: Browse, who: str
) -> None:
    user = request.getfixturevalue(who)
    enrol(user)
    client = browse(user)
    for path in CLOSED[who]:
        assert client.get(path).headers.get("Location") != SET_UP, path


@pytest.mark.usefixtures("required")
def test_a_part_of_a_page_sends_the_whole_page_there(browse: Browse, chen: User) -> None:
    answer = browse(chen).get("/patients/", headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == SET_UP


@pytest.mark.usefixtures("required")
def test_patients_and_visitors_are_not_asked(browse: Browse, alice: User, client: Client) -> None:
    assert browse(alice).get("/").status_code == 200
    assert client.get("/").status_code == 200


def test_every_open_view_exists() -> None:
    """A name with a mistake in it would close a page for ever, or open one that comes later."""

    def names(patterns: Any, prefix: str = "") -> set[str]:
        found = set()
        for pattern in patterns:
            if hasattr(pattern, "url_patterns"):
                space = f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix
                found |= names(pattern.url_patterns, space)
            elif pattern.name:
                found.add(prefix + pattern.name)
        return found

    assert names(get_resolver().url_patterns) >= OPEN_VIEWS | OPEN_TO_DOCTORS


def test_nothing_open_shows_a_patient() -> None:
    for name in OPEN_VIEWS | OPEN_TO_DOCTORS:
        assert not name.startswith(("diagnosis:", "api-analysis", "api-patient")), name


# Apps


@pytest.mark.usefixtures("required")
@pytest.mark.parametrize("who", ["chen", "eve"])
def test_apps_get_a_problem_that_says_so(
    request: pytest.FixtureRequest, db: None, app_of: AppOf, who: str
) -> None:
    app = app_of(request.getfixturevalue(who))
    for path in ("/api/v1/analyses/", "/api/v1/patients/"):
        answer = app.get(path)
        assert (answer.status_code, answer.json()["code"]) == (403, "mfa_required"), path
        assert answer.json()["setup_url"].endswith(SET_UP)
    for path in ("/api/v1/me/", "/api/v1/schema/", "/api/v1/doctors/"):
        assert app.get(path).status_code == 200, path


@pytest.mark.usefixtures("required")
def test_an_app_with_a_second_factor_signs_in_in_two_steps(chen: User) -> None:
    enrol(chen)
    app = APIClient()
    first = app.post("/_allauth/app/v1/auth/login", {"email": chen.email, "password": PASSWORD})
    assert first.status_code == 401
    token = first.json()["meta"]["session_token"]
    app.credentials(HTTP_X_SESSION_TOKEN=token)
    assert app.get("/api/v1/analyses/").status_code == 401
    second = app.post("/_allauth/app/v1/auth/2fa/authenticate", {"code": code()})
    assert second.status_code == 200
    app.credentials(HTTP_X_SESSION_TOKEN=second.json()["meta"].get("session_token", token))
    assert app.get("/api/v1/analyses/").status_code == 200


# Setting it up


def confirm(client: Client) -> None:
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})


@pytest.mark.usefixtures("required")
def test_setting_one_up_leads_back_to_where_somebody_wanted_to_go(
    browse: Browse, chen: User, django_capture_on_commit_callbacks: Any
) -> None:
    client = browse(chen)
    page = client.get("/patients/", follow=True).content.decode()
    assert "A second factor is needed first" in page
    confirm(client)
    form = client.get("/accounts/2fa/totp/activate/").content.decode()
    secret = client.session["mfa.totp.secret"]
    assert secret in form
    wrong = client.post("/accounts/2fa/totp/activate/", {"code": "12"}).content.decode()
    assert "This code is not right" in wrong
    with django_capture_on_commit_callbacks(execute=True):
        done = client.post("/accounts/2fa/totp/activate/", {"code": code(secret)}, follow=True)
    assert done.redirect_chain[-1][0] == "/accounts/2fa/recovery-codes/"
    assert 'href="/patients/"' in done.content.decode()
    assert client.get("/patients/").status_code == 200
    assert "Everything is open now" not in client.get(SET_UP).content.decode()


def test_sessions_from_before_end_when_the_first_one_is_set_up(
    chen: User, django_capture_on_commit_callbacks: Any
) -> None:
    def signed_in() -> Client:
        client = Client()
        client.post("/accounts/login/", {"login": chen.email, "password": PASSWORD})
        return client

    thief, owner = signed_in(), signed_in()
    confirm(owner)
    owner.get("/accounts/2fa/totp/activate/")
    with django_capture_on_commit_callbacks(execute=True):
        owner.post("/accounts/2fa/totp/activate/", {"code": code(owner.session["mfa.totp.secret"])})
    assert owner.get("/settings/").status_code == 200
    assert thief.get("/settings/").status_code == 302


def test_the_secret_is_not_readable_in_the_database(chen: User) -> None:
    enrol(chen)
    stored = Authenticator.objects.get(user=chen)
    assert SECRET not in str(stored.data)
    assert stored.wrap().validate_code(code())


def test_signing_in_asks_for_the_code(chen: User, client: Client) -> None:
    enrol(chen)
    answer = client.post("/accounts/login/", {"login": chen.email, "password": PASSWORD})
    assert answer["Location"].startswith("/accounts/2fa/authenticate/")
    assert client.get("/patients/").status_code == 302
    page = client.get("/accounts/2fa/authenticate/").content.decode()
    assert "One more step" in page
    assert (
        "This code is not right" in client.post("/accounts/2fa/authenticate/", {"code": "1"}).content.decode()
    )
    assert client.post("/accounts/2fa/authenticate/", {"code": code()}).status_code == 302
    assert client.get("/patients/").status_code == 200


def test_a_recovery_code_signs_in_once(chen: User) -> None:
    enrol(chen)
    spare = RecoveryCodes.activate(chen).get_unused_codes()[0]

    def sign_in() -> Client:
        client = Client()
        client.post("/accounts/login/", {"login": chen.email, "password": PASSWORD})
        client.post("/accounts/2fa/authenticate/", {"code": spare})
        return client

    assert sign_in().get("/patients/").status_code == 200
    assert sign_in().get("/patients/").status_code == 302


def test_the_administration_asks_for_the_code_too(eve: User, client: Client) -> None:
    enrol(eve)
    client.post("/admin/login/", {"username": eve.email, "password": PASSWORD})
    assert client.get("/admin/").status_code == 302


def test_changing_a_second_factor_needs_the_password_again(browse: Browse, chen: User) -> None:
    enrol(chen)
    client = browse(chen)
    answer = client.post("/accounts/2fa/totp/deactivate/")
    assert answer["Location"].startswith("/accounts/reauthenticate/")
    assert Authenticator.objects.filter(user=chen).exists()
    confirm(client)
    client.post("/accounts/2fa/totp/deactivate/")
    assert not Authenticator.objects.filter(user=chen).exists()


# Idle sessions


@pytest.mark.parametrize("who", ["chen", "eve"])
def test_an_idle_session_ends_with_a_sentence(
    request: pytest.FixtureRequest, db: None, browse: Browse, settings: Any, who: str
) -> None:
    settings.DERMA_IDLE_MINUTES = 15
    client = browse(request.getfixturevalue(who))
    path = "/admin/" if who == "eve" else "/patients/"
    now = timezone.now()
    for minutes in (0, 14, 28):  # every look counts
        with time_machine.travel(now + timedelta(minutes=minutes), tick=False):
            assert client.get(path).status_code == 200
    with time_machine.travel(now + timedelta(minutes=44), tick=False):
        answer = client.get(path)
        assert answer["Location"] == f"/accounts/login/?next={path}"
        page = client.get(answer["Location"]).content.decode()
        assert "nothing was done for 15 minutes" in page
        assert client.get(path).status_code == 302


def test_patients_are_not_signed_out(browse: Browse, alice: User) -> None:
    client = browse(alice)
    client.get("/")
    with time_machine.travel(timezone.now() + timedelta(hours=5), tick=False):
        assert client.get("/settings/").status_code == 200


def test_the_idle_time_can_be_switched_off(browse: Browse, chen: User, settings: Any) -> None:
    settings.DERMA_IDLE_MINUTES = 0
    client = browse(chen)
    client.get("/")
    with time_machine.travel(timezone.now() + timedelta(hours=5), tick=False):
        assert client.get("/settings/").status_code == 200


def test_an_idle_token_of_an_app_ends_too(app_of: AppOf, chen: User, alice: User) -> None:
    doctor, patient = app_of(chen), app_of(alice)
    now = timezone.now()
    for minutes in (0, 14, 28):
        with time_machine.travel(now + timedelta(minutes=minutes), tick=False):
            assert doctor.get("/api/v1/me/").status_code == 200
            assert patient.get("/api/v1/me/").status_code == 200
    with time_machine.travel(now + timedelta(minutes=44), tick=False):
        assert doctor.get("/_allauth/app/v1/auth/session").status_code == 410
        assert doctor.get("/api/v1/me/").status_code == 401
        assert patient.get("/api/v1/me/").status_code == 200


def test_looking_around_writes_little(browse: Browse, chen: User, django_assert_num_queries: Any) -> None:
    client = browse(chen)
    client.get("/settings/")
    with django_assert_num_queries(3):  # the session, the person and the bell, nothing written
        client.get("/settings/")
