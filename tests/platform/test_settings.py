"""Settings are safe by default, and demo mode cannot be switched on without DEBUG."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.test import Client

from accounts import demo, verification
from accounts.directory import public_doctors
from accounts.models import OutgoingMail, Source, User
from dermaplatform import checks
from diagnosis.models import Analysis

ROOT = Path(__file__).resolve().parents[2]


def run(code: str, tmp_path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if k not in ("SECRET_KEY", "DEBUG", "DEMO")}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={
            **clean,
            "DERMA_STATE_DIR": str(tmp_path),
            "DJANGO_SETTINGS_MODULE": "dermaplatform.settings",
            **env,
        },
        capture_output=True,
        text=True,
        check=False,
    )


LOAD = "import django; django.setup(); "


def test_there_is_no_secret_by_default(tmp_path: Path) -> None:
    ran = run(LOAD, tmp_path)
    assert ran.returncode == 1
    assert "SECRET_KEY" in ran.stderr


def test_demo_without_debug_is_refused(tmp_path: Path) -> None:
    ran = run(LOAD, tmp_path, SECRET_KEY="x", DEMO="1")
    assert ran.returncode == 1
    assert "DEMO publishes accounts with a known password" in ran.stderr


def test_the_web_process_never_loads_tensorflow(tmp_path: Path) -> None:
    """Everything that the web imports, and an upload as far as it goes without a database."""
    code = (
        "import sys; from dermaplatform.wsgi import application; "
        "from django.urls import get_resolver; get_resolver().url_patterns; "
        "import diagnosis.tasks, diagnosis.uploads; "
        "from tests import images; diagnosis.uploads.examine(images.encoded(images.picture())); "
        "loaded = [m for m in sys.modules if m.split('.')[0] in ('tensorflow', 'keras')]; "
        "print(len(loaded))"
    )
    ran = run(LOAD + code, tmp_path, SECRET_KEY="x")
    assert ran.stdout.strip() == "0", ran.stderr


def test_demo_accounts_outside_the_demo_are_refused(db: None) -> None:
    with pytest.raises(CommandError, match="demo mode only"):
        call_command("load_demo")
    assert not User.objects.exists()


def test_the_demo_can_be_loaded_twice(db: None, settings: Any) -> None:
    settings.DEMO = settings.DEBUG = True
    call_command("load_demo", verbosity=0)
    call_command("load_demo", verbosity=0)
    assert User.objects.count() == len(demo.ACCOUNTS) + 1
    frey = User.objects.get(email="frey@example.org")
    assert not frey.has_usable_password()
    assert verification.waiting_count() == 1
    assert {profile.user.name for profile in public_doctors()} == {"Mei Chen", "Rafael Díaz"}
    assert not OutgoingMail.objects.exists()
    alice = User.objects.get(email="alice@example.org")
    assert alice.check_password("demo-derma-2026")
    assert alice.analyses.count() > 0
    assert alice.care_relations.in_force().filter(source=Source.SHARE).count() == 1


def test_checks_say_what_is_wrong(settings: Any) -> None:
    assert checks.media_is_not_public(None) == []
    settings.MEDIA_ROOT = django_settings.STATICFILES_DIRS[0] / "media"
    settings.DERMA_LEASE_SECONDS = 2
    settings.DERMA_RELEASE = "no-such-release"
    found = checks.media_is_not_public(None) + checks.lease_outlives_renewals(None)
    found += checks.release_is_fit(None)
    assert [message.id for message in found] == ["derma.E002", "derma.E003", "derma.E001"]


def test_with_debug_what_is_not_there_is_told_in_our_own_words(
    settings: Any, alice: User, bob: User, browse: Callable[[User], Client], submit: Callable[..., Analysis]
) -> None:
    settings.DEBUG = True
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "dermaplatform.middleware.OwnNotFound"]
    client = browse(alice)
    for url in ("/nowhere/", submit(bob).get_absolute_url()):
        answer = client.get(url)
        assert answer.status_code == 404
        assert "Derma" in answer.content.decode()
        assert "DEBUG" not in answer.content.decode()
    assert client.get("/api/v1/nowhere/").json()["code"] == "not_found"
    assert client.get("/about").status_code == 301  # a missing slash is still added


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("SITE_URL", "https://*", "derma.E004"),
        ("SITE_URL", "derma.example.org", "derma.E004"),
        ("SITE_URL", "https://.derma.example.org", "derma.E004"),  # of ALLOWED_HOSTS
        ("DERMA_RATES", {"upload": {"account": "sixty"}}, "derma.E005"),
        ("DERMA_TRUSTED_PROXIES", -1, "derma.E006"),
        ("DERMA_IDLE_MINUTES", 0, "derma.E006"),
        ("DERMA_BREAK_GLASS_MINUTES", 24 * 60 + 1, "derma.E006"),
        ("DERMA_EXPORT_DAYS", 0, "derma.E006"),
        ("DERMA_X_ACCEL", "media/", "derma.E007"),
        ("DERMA_X_ACCEL", "//elsewhere/", "derma.E007"),
        ("DERMA_REQUIRE_MFA", False, "derma.W001"),
    ],
)
def test_a_setting_that_does_not_make_sense_is_said_at_the_start(
    settings: Any, name: str, value: object, found: str
) -> None:
    settings.DERMA_REQUIRE_MFA = True
    settings.SECRET_KEY = "a-secret-of-the-length-that-one-should-have-0123456789-abcdefgh"
    before = {message.id for message in run_checks(include_deployment_checks=True)}
    setattr(settings, name, value)
    assert {message.id for message in run_checks(include_deployment_checks=True)} - before == {found}
