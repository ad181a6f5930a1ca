"""What people were told, as an app reads it."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import notices
from accounts.models import Notice, User

App = Callable[[User], APIClient]
URL = "/api/v1/me/notices/"


@pytest.fixture
def told(chen: User) -> Notice:
    return notices.put(chen, "record_shared", "/patients/", {})


def test_ones_own_are_read(told: Notice, chen: User, app_of: App) -> None:
    later = notices.put(chen, "visit_flagged", "", {"start": timezone.now()})
    app = app_of(chen)
    first, second = app.get(URL).json()["results"]
    assert (first["id"], first["page"]) == (str(later.public_id), None)
    assert second["page"].endswith("/patients/")
    assert second["page"].startswith("http")
    assert second["text"]
    assert second["read_at"] is None
    read = app.post(f"{URL}{told.public_id}/read/").json()
    assert read["id"] == second["id"]
    assert read["read_at"]
    assert app.post(f"{URL}{told.public_id}/read/").json() == read
    assert notices.unread(chen) == 1
    assert app.post(f"{URL}read/").status_code == 204
    assert notices.unread(chen) == 0


def test_those_of_others_are_not_there(told: Notice, alice: User, diaz: User, eve: User, app_of: App) -> None:
    for other in (alice, diaz, eve):
        app = app_of(other)
        assert app.get(URL).json()["results"] == []
        assert app.post(f"{URL}{told.public_id}/read/").status_code == 404
        assert app.post(f"{URL}{uuid4()}/read/").status_code == 404
        assert app.post(f"{URL}read/").status_code == 204
    told.refresh_from_db()
    assert told.read_at is None


def test_times_are_those_of_the_person(chen: User, app_of: App) -> None:
    User.objects.filter(pk=chen.pk).update(time_zone="Asia/Tokyo")
    notice = notices.put(chen, "visit_flagged", "", {"start": datetime(2031, 3, 5, 20, tzinfo=UTC)})
    app = app_of(chen)
    [listed] = app.get(URL).json()["results"]
    read = app.post(f"{URL}{notice.public_id}/read/").json()
    for text in (listed["text"], read["text"]):
        assert "March 6, 2031" in text
    assert timezone.get_current_timezone_name() == "UTC"


@pytest.mark.parametrize("token", [None, "not-a-token"])
def test_a_stranger_reads_nothing(told: Notice, token: str | None) -> None:
    client = APIClient()
    if token:
        client.credentials(HTTP_X_SESSION_TOKEN=token)
    assert client.get(URL).status_code == 401
    for address in (f"{URL}read/", f"{URL}{told.public_id}/read/"):
        assert client.post(address).status_code == 401
