"""Nobody learns here who has an account: the same answer, after the same work."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client

from accounts.models import OutgoingMail, User
from tests.conftest import PASSWORD

NOBODY = "nobody@example.org"
GOOD = "a-long-and-good-one"
Ask = Callable[[Client, str], Any]


class CountingHasher(MD5PasswordHasher):
    """Hashing is what takes time: Argon2 a tenth of a second, everything else together a few milliseconds."""

    work = 0

    def encode(self, password: str, salt: str) -> str:
        type(self).work += 1
        return super().encode(password, salt)


@pytest.fixture(autouse=True)
def _counting(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["tests.platform.test_enumeration.CountingHasher"]


def app(path: str, **fields: str) -> Ask:
    def ask(client: Client, email: str) -> Any:
        return client.post(
            f"/_allauth/app/v1/auth/{path}", {"email": email} | fields, content_type="application/json"
        )

    return ask


def page(path: str, field: str = "email", **fields: str) -> Ask:
    def ask(client: Client, email: str) -> Any:
        return client.post(f"/accounts/{path}/", {field: email} | fields)

    return ask


NEW_PASSWORD = {"password1": GOOD, "password2": GOOD, "name": "Somebody"}
WAYS = {
    "sign in": page("login", "login", password="wrong"),
    "sign in by app": app("login", password="wrong"),
    "sign up": page("signup", **NEW_PASSWORD),
    "apply as a doctor": page("signup/doctor", **NEW_PASSWORD),
    "sign up by app": app("signup", password=GOOD, name="Somebody"),
    "forgotten password": page("password/reset"),
    "forgotten password by app": app("password/request"),
}


def seen(answer: Any, email: str) -> tuple[int, str, str]:
    """What somebody outside can compare; tokens are random anyway."""
    text = answer.content.decode().replace(email, "[email]")
    text = re.sub(r'value="\w{64}"|"session_token": "[^"]+"', "[token]", text)
    return answer.status_code, answer.headers.get("Location", ""), text


@pytest.mark.parametrize("way", WAYS)
def test_an_address_with_and_one_without_an_account(way: str, alice: User) -> None:
    answers, work, mails = [], [], []
    for email in (alice.email, NOBODY):
        CountingHasher.work = 0
        before = OutgoingMail.objects.count()
        client = Client()
        answer = WAYS[way](client, email)
        follow = client.get(answer["Location"]) if answer.status_code == 302 else None
        answers.append((seen(answer, email), follow and seen(follow, email)))
        work.append(CountingHasher.work)
        mails.append(OutgoingMail.objects.count() - before)
    assert answers[0] == answers[1]
    assert work[0] == work[1]
    assert mails[0] == mails[1]


def sign_in(email: str, password: str, **more: Any) -> Any:
    return Client().post("/accounts/login/", {"login": email, "password": password}, **more)


@pytest.mark.parametrize("email", ["alice@example.org", NOBODY])
def test_wrong_passwords_close_an_account_for_a_while_even_one_that_is_none(email: str, alice: User) -> None:
    for number in range(5):  # from everywhere: the account is counted, in whatever case it is written
        answer = sign_in(email if number % 2 else email.title(), "wrong", REMOTE_ADDR=f"192.0.2.{number}")
        assert answer.status_code == 200
    answer = sign_in(email, PASSWORD, REMOTE_ADDR="192.0.2.99")
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) >= 60
    assert "That was too often" in answer.content.decode()
    answer = app("login", password=PASSWORD)(Client(), email)
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) >= 60


def test_one_address_cannot_try_one_account_after_the_other(alice: User) -> None:
    for number in range(10):
        sign_in(f"somebody-{number}@example.org", "wrong")
    assert sign_in(alice.email, PASSWORD).status_code == 429
    assert sign_in(alice.email, PASSWORD, REMOTE_ADDR="192.0.2.9").status_code == 302


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "fields"), [("password/reset", {"email": "{}@example.org"}), ("signup", NEW_PASSWORD)]
)
def test_one_address_cannot_ask_without_end(path: str, fields: dict[str, str]) -> None:
    statuses = []
    for number in range(21):
        email = f"{number}@example.org"
        answer = Client().post(f"/accounts/{path}/", fields | {"email": email})
        statuses.append(answer.status_code)
    assert statuses == [302] * 20 + [429]
    assert "Retry-After" in answer


def test_one_mailbox_is_not_flooded_from_everywhere(alice: User) -> None:
    answers = [
        Client()
        .post("/accounts/password/reset/", {"email": alice.email}, REMOTE_ADDR=f"192.0.2.{number}")
        .status_code
        for number in range(6)
    ]
    assert answers == [302] * 5 + [429]
