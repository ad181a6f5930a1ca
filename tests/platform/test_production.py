"""The same pages with DEBUG off: collected and hashed static files, TLS, and no demo."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from accounts.models import User
from diagnosis.models import Analysis

PAGES = ("home", "about", "account_login", "account_signup", "account_reset_password")
PATIENT_PAGES = ("home", "diagnosis:history", "diagnosis:new", "accounts:consent", "account_email")
HASHED = re.compile(r"(?:href|src)=\"(/static/[^\"]+\.[0-9a-f]{12}\.(?:css|js|svg)[^\"]*)\"")


@pytest.fixture
def production(settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    }
    settings.WHITENOISE_AUTOREFRESH = False
    settings.SECURE_SSL_REDIRECT = True
    call_command("collectstatic", interactive=False, verbosity=0)


def test_pages_and_their_static_files(
    production: None, alice: User, browse: Callable[[User], Client], submit: Callable[..., Analysis]
) -> None:
    assert not configured.DEBUG
    analysis = submit(alice)
    visits = [(Client(), reverse(name)) for name in PAGES]
    visits += [(browse(alice), url) for url in [*map(reverse, PATIENT_PAGES), analysis.get_absolute_url()]]
    for client, url in visits:
        answer = client.get(url, secure=True)
        assert answer.status_code == 200, url
        assert "default-src 'none'" in answer["Content-Security-Policy"]
        assert "max-age=31536000" in answer["Strict-Transport-Security"]
        assert "demo-derma" not in answer.content.decode()
        files = HASHED.findall(answer.content.decode())
        assert files, url
        for file in files:
            served: Any = client.get(file, secure=True)
            assert served.status_code == 200, file
            assert b"".join(served.streaming_content), file


def test_errors_have_our_pages_and_tell_nothing(production: None, client: Client, db: None) -> None:
    answer = client.get("/nowhere/", secure=True)
    assert answer.status_code == 404
    assert "Derma" in answer.content.decode()
    assert "urlpatterns" not in answer.content.decode()


def test_plain_http_is_sent_to_tls(production: None, client: Client) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer["Location"]) == (301, "https://testserver/")


def test_django_finds_nothing_to_warn_of_in_a_deployment(settings: Any, production: None) -> None:
    settings.SECRET_KEY = "a-secret-of-the-length-that-one-should-have-0123456789-abcdefgh"
    settings.DERMA_REQUIRE_MFA = True  # as it is when nobody says otherwise
    call_command("check", deploy=True, fail_level="WARNING")
