"""Health says what is there, and names what is missing."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test import Client
from django.utils import timezone

from dermaplatform import health
from diagnosis.models import WorkerHeartbeat


@pytest.fixture
def broker_is_there(settings: Any, tmp_path: Path) -> Path:
    settings.REDIS_URL = ""
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"data_folder_in": str(tmp_path)}
    return tmp_path


def beat(**fields: Any) -> None:
    WorkerHeartbeat.objects.create(**{"worker": "host:1", "at": timezone.now(), **fields})


@pytest.mark.django_db
def test_all_there(client: Client, broker_is_there: Path) -> None:
    beat()
    answer = client.get("/api/v1/health/")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert answer.json()["missing"] == answer.json()["refusals"] == []


@pytest.mark.django_db
def test_it_names_what_is_missing(client: Client, broker_is_there: Path) -> None:
    beat(at=timezone.now() - timedelta(seconds=16))
    broker_is_there.rmdir()
    answer = client.get("/api/v1/health/")
    assert answer.status_code == 503
    assert answer.json()["missing"] == ["broker", "worker"]


@pytest.mark.django_db
def test_a_worker_that_refuses_its_release_is_missing(client: Client, broker_is_there: Path) -> None:
    beat(refusal="The golden probabilities are off.")
    answer = client.get("/api/v1/health/")
    assert answer.json()["missing"] == ["worker"]
    assert answer.json()["worker"] == "The golden probabilities are off."
    assert answer.json()["refusals"] == ["The golden probabilities are off."]


@pytest.mark.django_db
def test_while_another_is_fit_a_refusal_is_told_and_nothing_is_missing(
    client: Client, broker_is_there: Path
) -> None:
    beat(refusal="The golden probabilities are off.")
    beat(worker="host:2")
    beat(worker="host:3", refusal="Long gone.", at=timezone.now() - timedelta(seconds=16))
    answer = client.get("/api/v1/health/")
    assert (answer.status_code, answer.json()["worker"], answer.json()["missing"]) == (200, "ok", [])
    assert answer.json()["refusals"] == ["The golden probabilities are off."]


@pytest.mark.django_db
@pytest.mark.parametrize("vendor", sorted({connection.vendor, "postgresql"}))  # SQLite can play PostgreSQL
@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_is_not_there_is_said_and_not_stumbled_over(
    client: Client,
    broker_is_there: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    *,
    vendor: str,
    error: type[Exception],
) -> None:
    """Though requests are counted in it: Redis is not there either."""

    def is_down(*args: object, **kwargs: object) -> None:
        raise error

    settings.CACHES = {"default": settings.CACHES.get("table", settings.CACHES["default"])}
    with monkeypatch.context() as outage:
        outage.setattr(connection, "vendor", vendor)
        outage.setattr(connection, "in_atomic_block", False)
        outage.setattr(connection, "cursor", is_down)
        answer = client.get("/api/v1/health/")
    assert answer.status_code == 503
    assert answer.json()["missing"] == ["database", "worker"]


def test_a_redis_that_is_not_there_is_said_at_once(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    took = []
    for _ in range(3):  # the first imports, and a busy machine may stumble over another
        start = time.monotonic()
        assert health.broker_state() == "not reachable"
        took.append(time.monotonic() - start)
    assert min(took) < 2
