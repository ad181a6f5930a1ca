"""The cast, two of everything, and the few things that every test needs."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
from allauth.account.models import EmailAddress
from django.db import connection
from django.test import Client, TransactionTestCase
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import triggers
from accounts.models import (
    ApplicationStatus,
    ConsentKind,
    DoctorApplication,
    DoctorProfile,
    Role,
    User,
)
from accounts.services import give_consent
from appointments import note_triggers
from dermaplatform.celery import app
from diagnosis import worker
from diagnosis.models import Analysis
from diagnosis.services import submit_analysis
from ml_models.runtime import Assessment
from ml_models.taxonomy import CODES, Urgency
from tests import images

PASSWORD = "correct-horse-battery"

# A slow machine finds no error by being slow.
hypothesis.settings.register_profile(
    "derma", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("derma")


def pytest_configure(config: pytest.Config) -> None:
    """Keep files of one folder together, in whichever order they are named.

    Where a file beside a folder is named between two files in it, pytest 9.1 reads the folder twice and finds
    the fixtures of its conftest.py for the first of them only (pytest-dev/pytest#14971).
    """
    config.args.sort(key=lambda named: Path(named.partition("::")[0]).parent)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Groups that are not kept together start a platform and a browser on every worker."""
    if hasattr(session.config, "workerinput"):
        lost = [i for i in session.items if i.get_closest_marker("xdist_group") and "@" not in i.nodeid]
        assert not lost, f"pytest-xdist does not know the group of {lost[0].nodeid}"


@pytest.fixture(scope="session", autouse=True)
def _own_broker(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The real broker, in folders or under a key prefix of this run."""
    options = app.conf.broker_transport_options
    folder = tmp_path_factory.mktemp("broker")
    for key in options:
        if key.endswith(("folder", "folder_in", "folder_out")):
            options[key] = str(folder / Path(options[key]).name)
        elif key == "global_keyprefix":
            options[key] = f"derma-test-{uuid4().hex}:"


@pytest.fixture(scope="session", autouse=True)
def _access_log_ends_with_its_test() -> Iterator[None]:
    """Tests that commit are cleaned up by `flush`, which log and notes refuse; their guards come back."""
    case_class: Any = TransactionTestCase
    empty = case_class._fixture_teardown

    def without_guard(case: TransactionTestCase) -> None:
        triggers.remove(connection)
        note_triggers.remove(connection)
        empty(case)

    case_class._fixture_teardown = without_guard
    yield
    case_class._fixture_teardown = empty


@pytest.fixture(autouse=True)
def _test_settings(settings: Any, tmp_path: Path) -> None:
    """Own media; the plain test client instead of TLS and collected files; a hash that costs nothing."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.WHITENOISE_AUTOREFRESH = True
    settings.SECURE_SSL_REDIRECT = False
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.DERMA_REQUIRE_MFA = False  # on in the tests that are about it
    own = {"KEY_PREFIX": f"derma-test-{uuid4().hex}"}  # what is counted in one test counts in no other
    settings.CACHES = {name: cache | own for name, cache in settings.CACHES.items()}


def make_user(email: str, name: str, role: Role = Role.PATIENT, *, consent: bool = False) -> User:
    user = User.objects.create_user(email, PASSWORD, name=name, role=role)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    if consent:
        give_consent(user=user, kind=ConsentKind.CARE)
    return user


@pytest.fixture
def alice(db: None) -> User:
    return make_user("alice@example.org", "Alice Sommer", consent=True)


@pytest.fixture
def bob(db: None) -> User:
    return make_user("bob@example.org", "Bob Keller", consent=True)


@pytest.fixture
def carol(db: None) -> User:
    """A patient who has agreed to nothing yet."""
    return make_user("carol@example.org", "Carol Noether")


def make_doctor(email: str, name: str, *, verified: bool = True) -> User:
    """A doctor whose licence was verified by nobody in particular, or who has not applied yet."""
    doctor = make_user(email, name, Role.DOCTOR)
    DoctorProfile.objects.get_or_create(user=doctor)
    if verified:
        application = DoctorApplication.objects.create(
            doctor=doctor,
            licence_number=f"LIC-{doctor.pk}",
            licence_authority="Medical Council",
            licence_country="CH",
            licence_expires_on=timezone.localdate() + timedelta(days=365),
            document="documents/none.pdf",
            document_type="application/pdf",
        )
        assert application.move(ApplicationStatus.VERIFIED, by=None)
    return doctor


@pytest.fixture
def chen(db: None) -> User:
    return make_doctor("chen@example.org", "Mei Chen")


@pytest.fixture
def diaz(db: None) -> User:
    return make_doctor("diaz@example.org", "Rafael Díaz")


@pytest.fixture
def frey(db: None) -> User:
    """A doctor whom nobody has verified."""
    return make_doctor("frey@example.org", "Jonas Frey", verified=False)


@pytest.fixture
def eve(db: None) -> User:
    return make_user("eve@example.org", "Eve Marlow", Role.ADMIN)


@pytest.fixture
def browse() -> Callable[[User], Client]:
    """A browser in which this person is signed in."""

    def signed_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return signed_in


@pytest.fixture
def app_of() -> Callable[[User], APIClient]:
    """A mobile client of this person, signed in as an app does it."""

    def signed_in(user: User) -> APIClient:
        client = APIClient()
        answer = client.post(
            "/_allauth/app/v1/auth/login", {"email": user.email, "password": PASSWORD}, format="json"
        )
        client.credentials(HTTP_X_SESSION_TOKEN=answer.json()["meta"]["session_token"])
        return client

    return signed_in


@pytest.fixture
def submit() -> Callable[..., Analysis]:
    """A queued analysis of a small generated image of its own."""

    def submitted(patient: User, seed: int = 0, **fields: str) -> Analysis:
        upload = images.upload(images.encoded(images.picture(seed=seed)))
        return submit_analysis(patient=patient, upload=upload, **fields).analysis

    return submitted


def assessment(top: str = "mel", urgency: Urgency = Urgency.URGENT, **fields: object) -> Assessment:
    rest = 0.2 / (len(CODES) - 1)
    probabilities = {code: 0.8 if code == top else rest for code in CODES}
    values = {
        "top": top,
        "probabilities": probabilities,
        "urgency": urgency,
        "reasons": (),
        "release": "test",
        "domain": 0.1,
    }
    return Assessment(**(values | fields))  # type: ignore[arg-type]


class StandInEngine:
    """Answers at once what it was told to, or raises it: for tests of the queue, not of the network."""

    name = "test"

    def __init__(self) -> None:
        self.answer: Assessment | Exception = assessment()
        self.calls = 0

    def assess(self, pictures: list[object], image_types: list[object]) -> list[Assessment]:
        self.calls += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return [self.answer for _ in pictures]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInEngine]:
    """An inference worker in this process whose network is a stand-in."""
    standing = worker.InferenceWorker()
    stand_in = StandInEngine()
    standing.engine = stand_in  # type: ignore[assignment]
    monkeypatch.setattr(worker, "_worker", standing)
    yield stand_in
    standing.stop()
