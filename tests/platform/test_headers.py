"""What every answer says about itself."""

from collections.abc import Callable

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from tests.conftest import PASSWORD

POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob: data:",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
}
PAGES = ("/", "/about/", "/accounts/login/", "/admin/", "/api/docs/", "/nowhere/", "/api/v1/schema/")


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_one_policy_for_everything(client: Client, path: str) -> None:
    answer = client.get(path)
    assert set(answer["Content-Security-Policy"].split("; ")) == POLICY
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "geolocation=(self)" in answer["Permissions-Policy"]


def test_what_a_person_saw_stays_in_no_cache(
    eve: User, alice: User, browse: Callable[[User], Client], app_of: Callable[[User], APIClient]
) -> None:
    for path in ("/", "/about/", "/admin/accounts/user/", "/admin/jsi18n/"):
        assert "no-store" in browse(eve).get(path)["Cache-Control"], path
    for path in ("/api/v1/analyses/", "/api/v1/nowhere/", "/_allauth/app/v1/auth/session"):
        assert "no-store" in app_of(alice).get(path)["Cache-Control"], path


def test_what_says_nothing_of_anybody_may_be_kept(client: Client) -> None:
    assert "Cache-Control" not in client.get("/about/")


def test_cookies_are_out_of_reach_of_scripts(alice: User, client: Client) -> None:
    answer = client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    for name in ("sessionid", "csrftoken"):
        assert answer.cookies[name]["httponly"], name
        assert answer.cookies[name]["samesite"] == "Lax"
