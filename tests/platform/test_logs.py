"""Logs carry ids only."""

import logging
import re
from uuid import UUID

import pytest
from django.test import Client

from dermaplatform.logs import redact


def test_private_values_are_taken_out() -> None:
    event = {
        "event": "signed in as alice@example.org",
        "email": "alice@example.org",
        "nested": {"name": "Alice", "probabilities": [0.5], "analysis": 7},
        "list": ["bob.keller+x@example.org wrote"],
        "user_id": 3,
    }
    cleaned = redact(None, "info", event)
    assert "example.org" not in str(cleaned)
    assert "Alice" not in str(cleaned)
    assert cleaned["user_id"] == 3
    assert cleaned["nested"]["analysis"] == 7
    assert cleaned["nested"]["probabilities"] == "[redacted]"


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("GET /doctors/?latitude=47.37&longitude=8.54&q=Alice", "GET /doctors/?[redacted]"),
        ("GET /api/v1/doctors/?latitude=47.37", "GET /api/v1/doctors/?[redacted]"),
        ("Not Found: /doctors/?page=9&latitude=-33", "Not Found: /doctors/?[redacted]"),
        ("GET /accounts/confirm-email/MTox:secret/", "GET /accounts/confirm-email/[redacted]/"),
        ("GET /accounts/password/reset/key/3-abc-secret/", "GET /accounts/password/reset/key/[redacted]/"),
        (f"GET /erased/{UUID(int=7)}/", "GET /erased/[redacted]/"),
        ("GET /analyses/?", "GET /analyses/?"),
        (f"GET /analyses/{UUID(int=7)}/", f"GET /analyses/{UUID(int=7)}/"),
        ("What went wrong? x=1", "What went wrong? x=1"),
    ],
)
def test_a_line_says_where_and_not_what_was_asked(line: str, written: str) -> None:
    assert redact(None, "info", {"event": "request_started", "request": line})["request"] == written


def test_a_search_near_somebody_is_not_in_the_log(client: Client, db: None) -> None:
    written: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(self.format(record))

    [handler] = [handler for handler in logging.getLogger().handlers if handler.name == "stderr"]
    keep = Keep(logging.INFO)
    keep.setFormatter(handler.formatter)
    logging.getLogger().addHandler(keep)
    try:
        client.get("/doctors/?latitude=47.3769&longitude=8.5417&name=Somebody")
    finally:
        logging.getLogger().removeHandler(keep)
    assert any("/doctors/" in line for line in written)
    assert not re.search("47\\.3|8\\.54|Somebody|127\\.0\\.0\\.1", "".join(written))
