"""The bell never holds up or ends what a person does."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dermaplatform import bell
from dermaplatform.celery import app
from diagnosis.tasks import analyse


@pytest.fixture
def deaf_server() -> Iterator[int]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def redis_at(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    def at(port: int) -> None:
        url = f"redis://127.0.0.1:{port}/0"
        settings.REDIS_URL = url
        monkeypatch.setattr(app.conf, "broker_write_url", url)
        bell._connection.cache_clear()

    yield at
    bell._connection.cache_clear()


def test_a_broker_that_is_down(redis_at: Any) -> None:
    redis_at(1)
    assert bell.ring_now(analyse, 1) is False


def test_a_broker_whose_address_does_not_answer(redis_at: Any, deaf_server: int) -> None:
    redis_at(deaf_server)
    took = []
    for _ in range(2):  # a busy machine may stumble over one
        start = time.monotonic()
        assert bell.ring_now(analyse, 1) is False
        took.append(time.monotonic() - start)
    assert min(took) < 3


def test_the_broker_of_this_run_hears() -> None:
    assert bell.ring_now(analyse, 1) is True
