"""Cursors are ours: what somebody else has written into one is not found, and is no failure of ours."""

import re
from base64 import b64encode
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from tests.test_house_rules import PRODUCT

# Every list in pages, and who reads it.
LISTS = [
    ("alice", "analyses"),
    ("chen", "patients"),
    ("alice", "me/notices"),
    ("alice", "shares"),
    ("alice", "me/accesses"),
    ("alice", "appointments"),
    ("alice", "me/photo-requests"),
    ("chen", "follow-ups"),
]
POSITIONS = ("x", "\0", "2026-13-45", "2026-05-04T25:00:00Z")
BEFORE_ALL_TIME = "0001-01-01T00:00:00+14:00"  # PostgreSQL knows such a day, SQLite does not


def cursor(position: str) -> str:
    return b64encode(urlencode({"p": position}).encode()).decode()


@pytest.mark.parametrize(("who", "path"), LISTS)
def test_a_cursor_that_nobody_was_given_leads_nowhere(
    app_of: Callable[[User], APIClient], request: pytest.FixtureRequest, who: str, path: str
) -> None:
    client = app_of(request.getfixturevalue(who))
    assert client.get(f"/api/v1/{path}/").status_code == 200
    for position in POSITIONS:
        answer = client.get(f"/api/v1/{path}/", {"cursor": cursor(position)})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), position
    assert client.get(f"/api/v1/{path}/", {"cursor": cursor(BEFORE_ALL_TIME)}).status_code in (200, 404)


def test_each_list_uses_this_kind_of_pages() -> None:
    for path in PRODUCT:
        if path.name != "pagination.py":
            assert not re.search(r"rest_framework.*import .*CursorPagination", path.read_text()), path
