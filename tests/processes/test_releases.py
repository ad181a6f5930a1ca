"""An administrator activates another release, and the workers that run answer with it."""

from itertools import count

import pytest

from ml_models.release import RELEASES
from ml_models.runtime import default_release
from tests.processes.platform import Client, Platform, wait_until

OTHERS = sorted(path.name for path in RELEASES.iterdir() if path.is_dir() and path.name != default_release())
_seeds = count(7000)


def choose(platform: Platform, call: str) -> None:
    """Do as an administrator does, in a process of its own."""
    platform.manage(
        "shell",
        "-c",
        "from accounts.models import User\n"
        "from diagnosis import releases\n"
        "from diagnosis.models import Slot\n"
        "eve = User.objects.get(email='eve@example.org')\n"
        "number = lambda slot: getattr(releases.latest(slot), 'number', 0)\n"
        f"releases.{call}",
    )


PATIENCE = 240  # seconds: a slow machine loads another release, and checks it, while other tests run


def release_of_the_next(client: Client) -> str:
    sent = client.submit(next(_seeds))
    wait_until(lambda: client.analysis(sent)["status"] == "done", PATIENCE, "the result")
    return str(client.analysis(sent)["release"])


@pytest.mark.skipif(not OTHERS, reason="there is one release in the tree, so nothing to change to")
def test_running_workers_take_a_newly_activated_release_without_a_restart(platform: Platform) -> None:
    alice, pool = platform.client(), platform.children("worker-inference")
    before = release_of_the_next(alice)
    try:
        choose(
            platform, f"activate(release='{OTHERS[0]}', reason='A test.', by=eve, seen=number(Slot.ACTIVE))"
        )
        assert [release_of_the_next(alice) for _ in range(4)] == [OTHERS[0]] * 4
    finally:
        choose(platform, "roll_back(by=eve, seen=number(Slot.ACTIVE))")
    assert [release_of_the_next(alice) for _ in range(4)] == [before] * 4
    assert platform.children("worker-inference") == pool


def running_along(platform: Platform) -> set[tuple[object, object]]:
    """What the living workers run along, and why not; killed ones leave rows behind for a day."""
    living = platform.children("worker-inference")
    rows = platform.query("SELECT worker, shadow, shadow_refusal FROM diagnosis_workerheartbeat")
    return {(shadow, why) for worker, shadow, why in rows if int(str(worker).rpartition(":")[2]) in living}


@pytest.mark.skipif(not OTHERS, reason="there is one release in the tree, so nothing to run along")
def test_a_release_runs_along_and_nobody_sees_its_answers(platform: Platform) -> None:
    alice = platform.client()
    choose(platform, f"run_along(release='{OTHERS[0]}', reason='A test.', by=eve, seen=number(Slot.SHADOW))")
    try:
        wait_until(lambda: running_along(platform) == {(OTHERS[0], "")}, PATIENCE, "the release to run along")
        assert release_of_the_next(alice) == default_release()
        compared = "SELECT active, shadow FROM diagnosis_shadowresult"
        wait_until(lambda: platform.query(compared), PATIENCE, "a comparison")
        assert set(platform.query(compared)) == {(default_release(), OTHERS[0])}
    finally:
        choose(platform, "run_along(release='', reason='It is over.', by=eve, seen=number(Slot.SHADOW))")
