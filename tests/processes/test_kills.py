"""Nothing that a patient uploaded is lost or stuck: the processes are killed in the middle of jobs."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tests.processes.platform import Client, Platform, lesion, wait_until

_seeds = count(1000)


def seed() -> int:
    return next(_seeds)


@pytest.fixture
def alice(platform: Platform) -> Client:
    return platform.client()


def catch_in_the_middle(platform: Platform, client: Client) -> tuple[str, list[str]]:
    """An analysis whose worker processes stand still in the middle of it, and all those sent."""
    pool = platform.children("worker-inference")

    def tell_pool(number: signal.Signals) -> None:
        for pid in pool:
            platform.kill(pid, number)

    for _ in range(20):
        platform.stand_still(pool)
        sent = [client.submit(seed()) for _ in range(4)]
        # Let it run for moments, until one is seen that it has begun and not ended.
        while True:
            tell_pool(signal.SIGCONT)
            time.sleep(0.01)
            tell_pool(signal.SIGSTOP)
            statuses = [client.analysis(each)["status"] for each in sent]
            if "running" in statuses:
                return sent[statuses.index("running")], sent
            if "queued" not in statuses:
                break
        tell_pool(signal.SIGCONT)
    raise AssertionError("no job could be caught in the middle")


def expect_one_result(platform: Platform, client: Client, *identifiers: str) -> None:
    waiting = list(identifiers)  # no more questions than the API allows: one at a time

    def finished() -> bool:
        with contextlib.suppress(OSError):  # the web server may be down, too
            while waiting and client.analysis(waiting[-1])["status"] not in ("queued", "running"):
                waiting.pop()
        return not waiting

    wait_until(finished, platform.result_seconds, "results")
    for each in identifiers:
        assert client.analysis(each)["status"] == "done"
        events = platform.events(each)
        assert events.count("done") == 1, events
        assert events[-1] == "done", events


@pytest.mark.parametrize(
    "victims",
    [
        pytest.param(lambda platform: platform.children("worker-inference"), id="pool"),
        pytest.param(lambda platform: [platform.pid("worker-inference")], id="worker"),
        pytest.param(
            lambda platform: [
                platform.pid(role) for role in ("worker-inference", "worker-default", "beat", "web")
            ],
            id="everything",
        ),
    ],
)
def test_a_job_ends_in_one_result_when_its_processes_are_killed(
    platform: Platform, alice: Client, victims: Callable[[Platform], list[int]]
) -> None:
    caught, sent = catch_in_the_middle(platform, alice)
    started = time.monotonic()
    for pid in victims(platform):
        platform.kill(pid)
    expect_one_result(platform, alice, *sent)
    assert time.monotonic() - started < platform.result_seconds
    # Begun twice: before the kill, and after it. A slow machine may lose a lease once more.
    assert 2 <= platform.events(caught).count("running") <= 3


def test_an_upload_is_not_lost_when_the_web_server_is_killed_under_it(
    platform: Platform, alice: Client
) -> None:
    images = [lesion(seed()) for _ in range(6)]
    accepted: dict[int, str] = {}

    def send_all() -> None:
        """Like an app: whoever got no answer sends again."""
        for number, image in enumerate(images):
            while number not in accepted:
                try:
                    status, answer = alice.upload(image)
                except OSError:
                    time.sleep(0.1)
                    continue
                assert status in (200, 202), answer
                accepted[number] = answer["id"]

    sender = threading.Thread(target=send_all)
    sender.start()
    killed = 0
    while sender.is_alive():
        if len(accepted) >= 2 * killed + 1 and killed < 2:
            platform.kill(platform.children("web")[0] if killed else platform.pid("web"))
            killed += 1
        sender.join(0.02)
    assert killed == 2
    assert len(set(accepted.values())) == len(images)
    expect_one_result(platform, alice, *accepted.values())


def test_a_job_survives_everything_the_launcher_included(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "state")
    with platform:
        alice = platform.client()
        _, sent = catch_in_the_middle(platform, alice)
        started = time.monotonic()
        platform.kill(platform.pid("launcher"))
        wait_until(lambda: not platform.processes(), 30, "the guardian to end everybody")
        platform.start()
        platform.wait_ready()
        expect_one_result(platform, alice, *sent)
        assert time.monotonic() - started < platform.result_seconds
