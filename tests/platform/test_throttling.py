"""How often somebody may ask: by account and by address, on pages and in the API."""

import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.core.cache import caches
from django.db import connection
from django.test import Client, RequestFactory
from rest_framework.test import APIClient

from accounts.models import User
from dermaplatform import caches as own
from dermaplatform import throttling
from dermaplatform.caches import RedisOrTable, counters
from dermaplatform.throttling import Rate, wait_for
from tests import images

API = "/api/v1/analyses/"
NEW = "/analyses/new/"
Browse = Callable[[User], Client]
AppOf = Callable[[User], APIClient]


@pytest.fixture(autouse=True)
def _a_quiet_moment() -> Any:
    """It stands still, so that no test falls into two windows however long it takes."""
    with time_machine.travel("2026-05-04T10:00:01Z", tick=False):
        yield


@pytest.fixture
def rates(settings: Any) -> Callable[..., None]:
    def in_force(action: str, **limits: str) -> None:
        settings.DERMA_RATES = {action: limits}

    return in_force


def test_a_rate_is_written_as_people_say_it() -> None:
    assert Rate.parse("60/10m") == Rate(60, 600)
    assert Rate.parse("5/s") == Rate(5, 1)
    assert Rate.parse("1/2h") == Rate(1, 7200)
    for wrong in ("", "60", "0/m", "-1/m", "60/10", "60/d", "60 / m"):
        with pytest.raises(ValueError, match="written like"):
            Rate.parse(wrong)


def test_what_the_defaults_allow(settings: Any) -> None:
    upload, api = settings.DERMA_RATES["upload"], settings.DERMA_RATES["api"]
    assert Rate.parse(upload["account"]) == Rate(60, 600)
    reads = Rate.parse(api["account"])
    assert reads.amount / reads.seconds >= 30
    for limits in (upload, api):  # a practice shares an address
        assert Rate.parse(limits["address"]).amount > Rate.parse(limits["account"]).amount


@pytest.mark.django_db
def test_the_last_that_is_allowed_and_the_first_that_is_not(rates: Callable[..., None]) -> None:
    rates("x", account="3/10s")
    assert [wait_for("x", account=1) for _ in range(3)] == [0, 0, 0]
    assert wait_for("x", account=1) == 9
    assert wait_for("x", account=2) == 0
    assert wait_for("y", account=1) == 0
    with time_machine.travel("2026-05-04T10:00:10Z", tick=False):
        assert wait_for("x", account=1) == 0


@pytest.mark.django_db
def test_the_longest_wait_counts(rates: Callable[..., None]) -> None:
    rates("x", account="1/10s", address="1/m")
    wait_for("x", account=1, address="192.0.2.1")
    assert wait_for("x", account=1, address="192.0.2.1") == 59
    assert wait_for("x", account=1, address="192.0.2.2") == 9
    assert wait_for("x", account=None, address=None) == 0


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [("192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("", None)],
)
def test_a_household_is_one_address(rf: RequestFactory, address: str, counted_as: str | None) -> None:
    assert throttling.network_of(rf.get("/", REMOTE_ADDR=address)) == counted_as


# The API


def test_one_account_is_held_back_and_another_is_not(
    rates: Callable[..., None], alice: User, bob: User, app_of: AppOf
) -> None:
    client, other = app_of(alice), app_of(bob)
    rates("api", account="2/m")
    assert [client.get(API).status_code for _ in range(2)] == [200, 200]
    answer = client.get(API)
    assert (answer.status_code, answer["Content-Type"]) == (429, "application/problem+json")
    assert answer["Retry-After"] == "59"
    assert answer.json()["code"] == "throttled"
    assert other.get(API).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("path", [API, "/api/v1/health/", "/_allauth/app/v1/config"])
def test_one_address_is_held_back_whoever_it_says_it_is(
    rates: Callable[..., None], client: Client, path: str
) -> None:
    rates("api", address="2/m")
    for token in ("one", "two"):
        assert client.get(path, headers={"X-Session-Token": token}).status_code != 429
    answer = client.get(path, headers={"X-Session-Token": "three"})
    assert (answer.status_code, answer["Retry-After"]) == (429, "59")
    assert answer.json()["status"] == 429
    assert client.get(path, REMOTE_ADDR="192.0.2.9").status_code != 429


@pytest.mark.django_db
def test_an_invented_forwarding_header_makes_no_new_address(
    rates: Callable[..., None], client: Client, settings: Any
) -> None:
    rates("api", address="1/m")
    for proxies in (0, 1):
        settings.DERMA_TRUSTED_PROXIES = proxies
        # A proxy of ours adds what it sees at the end; with none, the header means nothing.
        seen = [f"198.51.100.{number}, 192.0.2.{proxies}" for number in range(2)]
        answers = [client.get(API, headers={"X-Forwarded-For": header}).status_code for header in seen]
        assert answers == [401, 429]


# Uploads, on the page and in the API together


def picture() -> Any:
    return images.upload(images.encoded(images.picture()))


def test_images_are_counted_over_both_ways(
    rates: Callable[..., None], alice: User, bob: User, browse: Browse, app_of: AppOf
) -> None:
    app = app_of(alice)
    rates("upload", account="2/10m")
    answers = {"image_type": "dermatoscopic", "body_site": "back", "image": picture()}
    assert browse(alice).post(NEW, answers).status_code == 302
    assert app.post(API, {"image": picture()}, format="multipart").status_code == 200
    refused = app.post(API, {"image": picture()}, format="multipart")
    assert refused.status_code == 429
    assert 540 < int(refused["Retry-After"]) < 600  # the window began with the first picture
    page = browse(alice).post(NEW, answers | {"image": picture()})
    assert page.status_code == 429
    assert 540 < int(page["Retry-After"]) < 600
    assert "Please wait 10 minutes" in " ".join(page.content.decode().split())
    assert browse(alice).get(NEW).status_code == 200
    assert app.get(API).status_code == 200
    assert browse(bob).post(NEW, answers | {"image": picture()}).status_code == 302


def test_images_from_one_address(rates: Callable[..., None], alice: User, bob: User, app_of: AppOf) -> None:
    clients = [app_of(alice), app_of(bob), app_of(bob)]
    rates("upload", address="2/10m")
    sent = [client.post(API, {"image": picture()}, format="multipart").status_code for client in clients]
    assert sent == [202, 202, 429]


# The cache that is counted in


@pytest.mark.django_db(transaction=True)
def test_nothing_is_lost_when_many_count_at_once(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """In whichever cache these tests run with, if each may wait for its turn as long as that takes."""
    monkeypatch.setattr(own, "_PATIENCE", 60_000)
    patient = {"socket_connect_timeout": 60, "socket_timeout": 60} if settings.REDIS_URL else {}
    cache = settings.CACHES["default"]
    settings.CACHES = settings.CACHES | {"default": cache | {"OPTIONS": cache["OPTIONS"] | patient}}
    key = uuid4().hex

    def count(_: int) -> int:
        try:
            return counters().count({key: 1.9e9})[key]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(count, range(40))) == list(range(1, 41))


@pytest.mark.django_db
def test_what_has_expired_is_swept_away(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.CACHES = {"default": settings.CACHES.get("table", settings.CACHES["default"])}
    counters().count({"old": 1.0, "young": 2e9})
    monkeypatch.setattr(own, "_CLEANED_EVERY", 1)
    counters().count({"other": 2e9})
    assert counters().count({"young": 2e9})["young"] == 2
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_cache WHERE cache_key LIKE %s", ["%:old"])
        assert cursor.fetchone() == (0,)


@pytest.mark.django_db
def test_while_redis_is_silent_the_table_counts(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own._Line, "dead_until", 0.0)
    table = settings.CACHES.get("table", settings.CACHES["default"])
    settings.CACHES = {
        "default": {
            "BACKEND": "dermaplatform.caches.RedisOrTable",
            "LOCATION": "redis://127.0.0.1:1/0",
            "OPTIONS": {"socket_connect_timeout": 0.25, "socket_timeout": 0.25},
        },
        "table": table,
    }
    cache: Any = caches["default"]
    assert isinstance(cache, RedisOrTable)
    assert [cache.count({"n": 2e9})["n"] for _ in range(3)] == [1, 2, 3]
    assert cache.add("lock", 1, 10)
    assert not cache.add("lock", 1, 10)
    assert cache.get("lock") == 1
    assert cache.delete("lock")
    assert own._Line.dead_until > 0  # it is not asked again for a moment


@pytest.mark.skipif(connection.vendor != "sqlite", reason="Only SQLite has one writer at a time.")
@pytest.mark.django_db(transaction=True)
def test_somebody_who_writes_for_long_stops_no_reading() -> None:
    """Not counted is better than not answered, and neither waits for the 20 s of a real write."""
    counters().count({"before": time.time() + 60})
    writer = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    try:
        writer.execute("BEGIN IMMEDIATE")
        began = time.perf_counter()
        assert counters().count({"mine": time.time() + 60}) == {"mine": 0}
        assert time.perf_counter() - began < 10
        with connection.cursor() as cursor:
            assert cursor.execute("PRAGMA busy_timeout").fetchone() == (20_000,)
    finally:
        writer.close()
    assert counters().count({"mine": time.time() + 60}) == {"mine": 1}
