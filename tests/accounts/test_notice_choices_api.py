"""How a person wants to be told things, as an app reads and changes it."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts import notices
from accounts.models import NotificationChoice, User
from accounts.notices import Way

App = Callable[[User], APIClient]
URL = "/api/v1/me/notices/choices/"
ON = {"email": True, "in_app": True}


def test_everybody_reads_the_groups_that_are_theirs(alice: User, chen: User, eve: User, app_of: App) -> None:
    assert app_of(alice).get(URL).json() == {"visits": ON, "reminders": ON}
    assert app_of(chen).get(URL).json() == {"visits": ON, "reminders": ON, "sharing": ON}
    assert app_of(eve).get(URL).json() == {}


def test_what_is_not_sent_stays_as_it_is(chen: User, alice: User, app_of: App) -> None:
    app = app_of(chen)
    changed = app.patch(URL, {"sharing": {"email": False}}, format="json")
    assert changed.status_code == 200
    assert changed.json() == {"visits": ON, "reminders": ON, "sharing": {"email": False, "in_app": True}}
    assert app.get(URL).json() == changed.json()
    assert notices.ways(chen, "record_shared") == {Way.IN_APP}
    app.patch(URL, {"sharing": {"in_app": False}, "visits": {}}, format="json")
    assert notices.ways(chen, "record_shared") == set()
    back = app.patch(URL, {"sharing": ON}, format="json").json()
    assert back == {"visits": ON, "reminders": ON, "sharing": ON}
    assert app.patch(URL, {}, format="json").json() == back
    assert app_of(alice).get(URL).json() == {"visits": ON, "reminders": ON}


def test_the_page_and_the_app_change_the_same(alice: User, app_of: App) -> None:
    notices.choose(user=alice, chosen={"reminders": ["in_app"], "visits": []})
    assert app_of(alice).get(URL).json() == {
        "visits": {"email": False, "in_app": False},
        "reminders": {"email": False, "in_app": True},
    }


def test_a_group_of_others_cannot_be_switched(alice: User, eve: User, app_of: App) -> None:
    for person, body in (
        (alice, {"sharing": {"email": False}}),
        (alice, {"visits": {"email": False}, "sharing": {}}),
        (eve, {"visits": {"email": False}}),
    ):
        answer = app_of(person).patch(URL, body, format="json")
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown")
        assert answer.json()["detail"] == "This cannot be switched."
    assert not NotificationChoice.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {"visits": {"email": "yes"}},
        {"visits": {"in_app": 0}},
        {"visits": ["email"]},
        {"visits": None},
        ["visits"],
        "visits",
    ],
)
def test_what_makes_no_sense_is_refused(body: Any, alice: User, app_of: App) -> None:
    answer = app_of(alice).patch(URL, body, format="json")
    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert not NotificationChoice.objects.exists()


@pytest.mark.django_db
def test_visitors_are_asked_to_sign_in() -> None:
    assert APIClient().get(URL).status_code == 401
    assert APIClient().patch(URL, {"visits": {"email": False}}, format="json").status_code == 401
