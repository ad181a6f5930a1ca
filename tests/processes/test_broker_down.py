"""Without its broker the product still accepts uploads, quickly, and examines them when it is back."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.processes.platform import Client, Platform, lesion, wait_until
from tests.processes.proxy import Proxy

ACCEPT_SECONDS = 3
_seeds = count(2000)


@contextlib.contextmanager
def embedded_broker_gone(platform: Platform) -> Iterator[None]:
    """A file where the folder was: a folder without write permission would not stop root."""
    folder = platform.state_dir / "broker"
    away = folder.with_name("broker-away")
    folder.rename(away)
    while True:
        with contextlib.suppress(FileExistsError):
            folder.touch(exist_ok=False)
            break
        clear(folder)
    try:
        yield
    finally:
        folder.unlink()
        while True:
            with contextlib.suppress(OSError):
                away.rename(folder)
                break
            clear(folder)


def clear(folder: Path) -> None:
    """Whoever sends at the wrong moment makes the folder again."""
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def redis_gone(proxy: Proxy, how: str) -> Iterator[None]:
    getattr(proxy, how)()
    try:
        yield
    finally:
        proxy.restore()


def missing(platform: Platform) -> object:
    status, answer = platform.health()
    return answer["missing"] if status == 503 else None


def timed_upload(client: Client) -> tuple[str, float]:
    """The id of a new analysis, and the seconds until it was accepted."""
    image = lesion(next(_seeds))
    started = time.monotonic()
    status, answer = client.upload(image)
    seconds = time.monotonic() - started
    assert status == 202, answer
    return answer["id"], seconds


@pytest.mark.parametrize("how", ["refuse", "silence"] if os.environ.get("REDIS_URL") else ["no folder"])
def test_an_upload_is_accepted_without_a_broker_and_examined_with_it(
    platform: Platform, broker_proxy: Proxy | None, how: str
) -> None:
    """`refuse`: nobody listens at its address. `silence`: the address does not answer."""
    alice = platform.client()
    gone = redis_gone(broker_proxy, how) if broker_proxy else embedded_broker_gone(platform)
    # What an upload takes here anyway: a slow machine may take that in addition.
    _, usual = timed_upload(alice)
    sent = []
    with gone:
        for _ in range(3):
            identifier, seconds = timed_upload(alice)
            assert seconds < ACCEPT_SECONDS + usual
            sent.append(identifier)
        wait_until(lambda: missing(platform) == ["broker"], 60, "health to miss the broker alone")
        time.sleep(12)  # long enough for the workers and the clock to notice as well
        assert {alice.analysis(each)["status"] for each in sent} == {"queued"}
    wait_until(
        lambda: all(alice.analysis(each)["status"] == "done" for each in sent),
        platform.result_seconds,
        "results",
    )
    assert [platform.events(each).count("done") for each in sent] == [1, 1, 1]
