"""Who somebody is, signing up and in, and what a role opens."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Consent, ConsentKind, Role, User
from accounts.selectors import CONSENT_VERSIONS, has_consent
from accounts.services import give_consent
from tests.conftest import PASSWORD
from tests.mails import sent

SIGN_UP = {
    "email": "dora@example.org",
    "name": "Dora Lind",
    "password1": "a-long-and-good-one",
    "password2": "a-long-and-good-one",
}


def link_in_mail() -> str:
    found = re.search(r"https?://testserver(/\S+)", str(sent()[-1].body))
    assert found
    return found[1]


@pytest.mark.django_db
def test_signing_up_makes_a_patient_whose_address_is_confirmed_by_mail(client: Client) -> None:
    answer = client.post(reverse("account_signup"), {**SIGN_UP, "role": "admin", "is_superuser": "on"})
    assert answer.status_code == 302
    dora = User.objects.get(email="dora@example.org")
    assert (dora.role, dora.is_staff, dora.name) == (Role.PATIENT, False, "Dora Lind")
    assert not EmailAddress.objects.get(user=dora).verified
    link = link_in_mail()
    assert client.get(link).status_code == 200
    assert client.post(link).status_code == 302
    assert EmailAddress.objects.get(user=dora).verified


@pytest.mark.django_db
def test_an_unconfirmed_address_cannot_sign_in(client: Client) -> None:
    client.post(reverse("account_signup"), SIGN_UP)
    fresh = Client()
    fresh.post(reverse("account_login"), {"login": SIGN_UP["email"], "password": SIGN_UP["password1"]})
    assert "_auth_user_id" not in fresh.session


@pytest.mark.django_db
def test_an_app_signs_up_a_patient_too(client: Client) -> None:
    answer = client.post(
        "/_allauth/app/v1/auth/signup",
        {"email": "dora@example.org", "name": "Dora", "password": SIGN_UP["password1"], "role": "admin"},
        content_type="application/json",
    )
    assert answer.status_code == 401  # the address is not confirmed yet
    assert User.objects.get().role == Role.PATIENT


def test_signing_in_and_out(alice: User, client: Client) -> None:
    client.post(reverse("account_login"), {"login": "Alice@Example.org", "password": PASSWORD})
    assert client.session["_auth_user_id"] == str(alice.pk)
    client.post(reverse("account_logout"))
    assert "_auth_user_id" not in client.session


def test_a_forgotten_password_is_set_anew_by_a_link(alice: User, client: Client) -> None:
    client.post(reverse("account_reset_password"), {"email": alice.email})
    form_page = client.get(link_in_mail(), follow=True)
    form_url = form_page.redirect_chain[-1][0]
    client.post(form_url, {"password1": "another-good-one", "password2": "another-good-one"})
    alice.refresh_from_db()
    assert alice.check_password("another-good-one")


@pytest.mark.django_db
def test_asking_for_a_new_password_does_not_tell_who_has_an_account(client: Client, alice: User) -> None:
    known = client.post(reverse("account_reset_password"), {"email": alice.email})
    unknown = client.post(reverse("account_reset_password"), {"email": "nobody@example.org"})
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])


def test_in_demo_mode_the_link_is_on_the_page(client: Client, db: None, settings: Any) -> None:
    settings.DEMO = settings.DEBUG = True
    page = client.post(reverse("account_signup"), SIGN_UP, follow=True)
    assert "/accounts/confirm-email/" in page.content.decode()


def test_outside_the_demo_the_page_has_no_link_and_no_accounts(client: Client, db: None) -> None:
    page = client.post(reverse("account_signup"), SIGN_UP, follow=True)
    assert not re.search(r"/accounts/confirm-email/[^\"]", page.content.decode())
    assert "demo-derma" not in client.get(reverse("account_login")).content.decode()


def test_one_account_for_an_address_in_whatever_case(alice: User) -> None:
    with pytest.raises(ValidationError):
        User.objects.create_user("ALICE@example.org", PASSWORD, name="Another")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(email="Alice@Example.Org", name="Another")


def test_roles_are_the_three_that_exist(alice: User) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=alice.pk).update(role="nurse")


def test_the_command_line_makes_administrators(db: None) -> None:
    call_command("createsuperuser", email="root@example.org", name="Root", interactive=False, verbosity=0)
    root = User.objects.get()
    assert (root.role, root.is_staff) == (Role.ADMIN, True)
    root.is_active = False
    assert not root.has_perm("accounts.change_user")


def test_an_administrator_makes_and_changes_accounts(eve: User, browse: Callable[[User], Client]) -> None:
    client = browse(eve)
    new = {"email": "fay@example.org", "name": "Fay", "role": "doctor", "usable_password": "true"}
    new |= {"password1": SIGN_UP["password1"], "password2": SIGN_UP["password1"]}
    assert client.get("/admin/accounts/user/add/").status_code == 200
    assert client.post("/admin/accounts/user/add/", new).status_code == 302
    fay = User.objects.get(email="fay@example.org")
    assert (fay.role, fay.check_password(SIGN_UP["password1"])) == (Role.DOCTOR, True)
    url = f"/admin/accounts/user/{fay.pk}/change/"
    assert client.get(url).status_code == 200
    client.post(url, {"email": fay.email, "name": "Fay Roth", "role": "patient"})
    fay.refresh_from_db()
    assert (fay.name, fay.role, fay.is_active) == ("Fay Roth", Role.PATIENT, False)


@pytest.mark.parametrize(("who", "status"), [("alice", 302), ("chen", 302), ("eve", 200)])
def test_only_administrators_enter_the_admin(
    request: pytest.FixtureRequest, browse: Callable[[User], Client], who: str, status: int
) -> None:
    client = browse(request.getfixturevalue(who))
    assert client.get("/admin/accounts/user/").status_code == status


def test_consent_is_given_once_and_again_for_a_new_text(carol: User, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not has_consent(carol, ConsentKind.CARE)
    first = give_consent(user=carol, kind=ConsentKind.CARE)
    assert give_consent(user=carol, kind=ConsentKind.CARE) == first
    assert has_consent(carol, ConsentKind.CARE)
    monkeypatch.setitem(CONSENT_VERSIONS, ConsentKind.CARE, 2)
    assert not has_consent(carol, ConsentKind.CARE)
    give_consent(user=carol, kind=ConsentKind.CARE)
    first.refresh_from_db()
    assert first.withdrawn_at is not None
    assert has_consent(carol, ConsentKind.CARE)


def test_the_database_keeps_one_consent_in_force(carol: User) -> None:
    give_consent(user=carol, kind=ConsentKind.CARE)
    with pytest.raises(IntegrityError), transaction.atomic():
        Consent.objects.create(user=carol, kind=ConsentKind.CARE, version=2)
    with pytest.raises(IntegrityError), transaction.atomic():
        Consent.objects.create(
            user=carol,
            kind=ConsentKind.CARE,
            version=2,
            withdrawn_at=timezone.now() - timedelta(days=1),
        )


def test_the_consent_page(carol: User, browse: Callable[[User], Client]) -> None:
    client = browse(carol)
    assert client.get(reverse("accounts:consent")).status_code == 200
    client.post(reverse("accounts:consent"), {})
    assert not has_consent(carol, ConsentKind.CARE)
    client.post(reverse("accounts:consent"), {"agree": "on"})
    assert has_consent(carol, ConsentKind.CARE)


def test_the_administration_never_lets_anybody_into_an_account(
    eve: User, chen: User, alice: User, browse: Callable[[User], Client]
) -> None:
    client = browse(eve)
    url = f"/admin/accounts/user/{alice.pk}/"
    page = client.get(f"{url}change/").content.decode()
    assert 'name="email"' not in page
    assert "id_password" not in page
    client.post(
        f"{url}change/", {"email": "eve2@example.org", "name": "A", "role": "patient", "is_active": "on"}
    )
    alice.refresh_from_db()
    assert (alice.email, alice.name) == ("alice@example.org", "A")
    assert client.get(f"{url}password/").status_code == 403
    assert client.post(f"{url}delete/", {"post": "yes"}).status_code == 403
    for path in ("account/emailaddress", "mfa/authenticator", "usersessions/usersession"):
        assert client.get(f"/admin/{path}/").status_code == 404


@pytest.mark.parametrize("change", [{"role": "patient", "is_active": "on"}, {"role": "doctor"}])
def test_a_doctor_who_is_closed_is_out_at_once_and_others_hear_of_it(
    eve: User,
    chen: User,
    browse: Callable[[User], Client],
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, str],
) -> None:
    heard: list[tuple[User, str]] = []
    monkeypatch.setattr("accounts.admin.doctor_stopped", [lambda *told: heard.append(told)])
    inside = browse(chen)
    url = f"/admin/accounts/user/{chen.pk}/change/"
    client = browse(eve)
    client.post(url, {"name": chen.name, "role": "doctor", "is_active": "on"})
    assert heard == []
    client.post(url, {"name": chen.name, **change})
    assert [doctor for doctor, _reason in heard] == [chen]
    assert inside.get("/patients/").status_code in (302, 403)


def test_the_last_administrator_stays(eve: User, browse: Callable[[User], Client]) -> None:
    client = browse(eve)
    url = f"/admin/accounts/user/{eve.pk}/change/"
    answer = client.post(url, {"name": eve.name, "role": "patient", "is_active": "on"})
    assert "This is the last administrator" in answer.content.decode()
    eve.refresh_from_db()
    assert eve.is_admin
    User.objects.create_user("root@example.org", PASSWORD, name="Root", role=Role.ADMIN)
    client.post(url, {"name": eve.name, "role": "patient", "is_active": "on"})
    eve.refresh_from_db()
    assert eve.is_patient


def test_a_lost_second_factor_is_removed_and_its_owner_told(
    eve: User, chen: User, alice: User, browse: Callable[[User], Client]
) -> None:
    for person in (eve, chen, alice):
        TOTP.activate(person, generate_totp_secret())
    chosen = [person.pk for person in (eve, chen, alice)]
    browse(eve).post("/admin/accounts/user/", {"action": "remove_second_factor", "_selected_action": chosen})
    left = set(Authenticator.objects.values_list("user__email", flat=True))
    assert left == {eve.email, alice.email}
    (message,) = sent()
    assert message.to == [chen.email]
    assert "/accounts/2fa/" in str(message.body)


def test_wrong_passwords_count_under_whatever_name_the_site_is_asked(alice: User) -> None:
    def sign_in(password: str, host: str, number: int) -> int:
        answers = {"login": alice.email, "password": password}
        address = f"192.0.2.{number}"  # of those each is counted too
        return Client().post("/accounts/login/", answers, HTTP_HOST=host, REMOTE_ADDR=address).status_code

    hosts = ["testserver", "TESTSERVER", "testserver:81", "testserver:82", "TestServer:83"]
    assert [sign_in("wrong", host, number) for number, host in enumerate(hosts)] == [200] * 5
    assert sign_in(PASSWORD, "testserver:84", 99) == 429
