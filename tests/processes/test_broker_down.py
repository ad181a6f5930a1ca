"""Without its broker the product still accepts uploads, quickly, and examines them when it is back."""

import contextlib
import os
import time
from collections.abc import Iterator
from itertools import count

import pytest

from tests.processes.platform import Platform, lesion, wait_until
from tests.processes.proxy import Proxy

ACCEPT_SECONDS = 3
RESULT_SECONDS = 90
_seeds = count(2000)


@contextlib.contextmanager
def embedded_broker_gone(platform: Platform) -> Iterator[None]:
    """A file where the folder was: a folder without write permission would not stop root."""
    folder = platform.state_dir / "broker"
    away = folder.with_name("broker-away")
    folder.rename(away)
    folder.touch()
    try:
        yield
    finally:
        folder.unlink()
        away.rename(folder)


@contextlib.contextmanager
def redis_gone(proxy: Proxy, how: str) -> Iterator[None]:
    getattr(proxy, how)()
    try:
        yield
    finally:
        proxy.restore()


@pytest.mark.parametrize("how", ["refuse", "silence"] if os.environ.get("REDIS_URL") else ["no folder"])
def test_an_upload_is_accepted_without_a_broker_and_examined_with_it(
    platform: Platform, broker_proxy: Proxy | None, how: str
) -> None:
    """`refuse`: nobody listens at its address. `silence`: the address does not answer."""
    alice = platform.client()
    gone = redis_gone(broker_proxy, how) if broker_proxy else embedded_broker_gone(platform)
    sent = []
    with gone:
        for _ in range(3):
            image = lesion(next(_seeds))
            started = time.monotonic()
            status, answer = alice.upload(image)
            assert time.monotonic() - started < ACCEPT_SECONDS
            assert status == 202
            sent.append(answer["id"])
        status, answer = platform.health()
        assert status == 503
        assert answer["missing"] == ["broker"]
        time.sleep(12)  # long enough for the workers and the clock to notice as well
        assert {alice.analysis(each)["status"] for each in sent} == {"queued"}
    wait_until(
        lambda: all(alice.analysis(each)["status"] == "done" for each in sent), RESULT_SECONDS, "results"
    )
    assert [platform.events(each).count("done") for each in sent] == [1, 1, 1]
