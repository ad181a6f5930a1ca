"""Signing up as a patient, and applying as a doctor."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import DoctorProfile, Role, User
from accounts.selectors import is_verified_doctor
from tests.conftest import PASSWORD
from tests.mails import sent

Browse = Callable[[User], Client]
SIGN_UP = {
    "email": "dora@example.org",
    "name": "Dora Lind",
    "password1": "a-long-and-good-one",
    "password2": "a-long-and-good-one",
}
DOCTOR_PAGE = "/accounts/signup/doctor/"


@pytest.mark.django_db
def test_applying_as_a_doctor_makes_a_doctor_whom_nobody_has_verified(client: Client) -> None:
    assert client.get(DOCTOR_PAGE).status_code == 200
    assert client.post(DOCTOR_PAGE, SIGN_UP | {"role": "admin"}).status_code == 302
    dora = User.objects.get()
    assert (dora.role, dora.name, dora.is_staff) == (Role.DOCTOR, "Dora Lind", False)
    assert DoctorProfile.objects.filter(user=dora).exists()
    assert not is_verified_doctor(dora)
    assert not EmailAddress.objects.get(user=dora).verified


@pytest.mark.django_db
@pytest.mark.parametrize(
    "trick", [{"role": "doctor"}, {"is_staff": "on"}, {"role": "admin", "is_superuser": "1"}]
)
def test_what_is_sent_never_makes_a_role(client: Client, trick: dict[str, str]) -> None:
    client.post(reverse("account_signup"), SIGN_UP | trick)
    assert User.objects.get().role == Role.PATIENT


@pytest.mark.django_db
def test_apps_make_patients_only(client: Client) -> None:
    body = {"email": "dora@example.org", "name": "Dora", "password": SIGN_UP["password1"], "role": "doctor"}
    client.post("/_allauth/app/v1/auth/signup", body, content_type="application/json")
    assert User.objects.get().role == Role.PATIENT


@pytest.mark.django_db
def test_the_first_page_of_a_new_doctor_says_what_comes_next(client: Client) -> None:
    client.post(DOCTOR_PAGE, SIGN_UP)
    found = re.search(r"https?://testserver(/\S+)", str(sent()[-1].body))
    assert found
    page = client.post(found[1], follow=True).content.decode()
    assert "Hand in your licence" in page
    assert reverse("accounts:licence") in page


@pytest.mark.parametrize("page", ["/accounts/signup/", DOCTOR_PAGE])
def test_an_address_that_has_an_account_gets_the_same_answer(client: Client, alice: User, page: str) -> None:
    fresh = client.post(page, SIGN_UP)
    taken = Client().post(page, SIGN_UP | {"email": "ALICE@Example.org"})
    assert (fresh.status_code, fresh["Location"]) == (taken.status_code, taken["Location"])
    assert User.objects.filter(email__iexact="alice@example.org").count() == 1
    assert alice.email in sent()[-1].to


@pytest.mark.django_db
def test_a_mistake_keeps_the_other_answers(client: Client) -> None:
    page = client.post(DOCTOR_PAGE, SIGN_UP | {"password2": "another"}).content.decode()
    assert 'value="Dora Lind"' in page
    assert not User.objects.exists()


def test_a_link_is_good_once(client: Client, alice: User) -> None:
    client.post(reverse("account_reset_password"), {"email": alice.email})
    found = re.search(r"https?://testserver(/\S+)", str(sent()[-1].body))
    assert found
    form = client.get(found[1], follow=True).redirect_chain[-1][0]
    client.post(form, {"password1": "another-good-one", "password2": "another-good-one"})
    again = Client().get(found[1], follow=True).content.decode()
    assert "This link no longer works" in again


@pytest.mark.django_db
def test_a_confirmation_link_is_good_once(client: Client) -> None:
    client.post(reverse("account_signup"), SIGN_UP)
    found = re.search(r"https?://testserver(/\S+)", str(sent()[-1].body))
    assert found
    client.post(found[1])
    again = Client().get(found[1]).content.decode()
    assert "confirmed for another account already" in again or "has expired or was used before" in again


@pytest.mark.django_db
def test_links_run_out(client: Client, alice: User) -> None:
    client.post(reverse("account_signup"), SIGN_UP)
    confirm = re.search(r"https?://testserver(/\S+)", str(sent()[-1].body))
    client.post(reverse("account_reset_password"), {"email": alice.email})
    reset = re.search(r"https?://testserver(/\S+)", str(sent()[-1].body))
    assert confirm
    assert reset
    with time_machine.travel(timezone.now() + timedelta(days=4)):
        assert "has expired or was used before" in Client().get(confirm[1]).content.decode()
        assert "This link no longer works" in Client().get(reset[1], follow=True).content.decode()


def whose(client: Client) -> object:
    request = HttpRequest()
    request.session = client.session
    return get_user(request)


def test_signing_in_changes_the_session_s_key(client: Client, alice: User) -> None:
    client.get("/accounts/login/")
    session = client.session
    session["planted"] = "by somebody else"
    session.save()
    before = session.session_key
    client.cookies["sessionid"] = str(before)
    client.post(reverse("account_login"), {"login": alice.email, "password": PASSWORD})
    assert client.session.session_key != before
    assert whose(client) == alice


def test_a_new_password_ends_the_other_sessions(
    browse: Browse, app_of: Callable[[User], Client], alice: User
) -> None:
    here, elsewhere, app = browse(alice), browse(alice), app_of(alice)
    new = "another-good-one"
    here.post(
        reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": new, "password2": new}
    )
    assert here.get("/settings/").status_code == 200
    assert elsewhere.get("/settings/").status_code == 302
    assert app.get("/api/v1/me/").status_code == 401
