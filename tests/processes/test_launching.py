"""`make run`, from the outside: it starts once, and nothing of it stays."""

import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.processes.platform import REPOSITORY, Platform, free_port, wait_until

STOP_SECONDS = 10


def stop_seconds(platform: Platform) -> float:
    """Of what is promised, or half of what a slow machine has needed to get so far."""
    return max(STOP_SECONDS, platform.age / 2)


def launch(platform: Platform, **env: str) -> subprocess.CompletedProcess[str]:
    """A second launcher in the environment of a running platform."""
    return subprocess.run(
        [sys.executable, "-m", "dermaplatform.launcher"],
        cwd=REPOSITORY,
        env={**platform.environment, **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_url_and_the_accounts_are_printed(platform: Platform) -> None:
    wait_until(lambda: "Ready: " in platform.said(), 60, "the launcher to see that all is ready")
    for text in (platform.url, "alice@example.org", "eve@example.org", "demo-derma-2026"):
        assert text in platform.said()


def test_a_second_launcher_on_the_same_data_is_refused_in_a_sentence(platform: Platform) -> None:
    second = launch(platform, PORT=str(free_port()))
    assert second.returncode == 1
    assert second.stdout.count("\n") == 1
    assert f"already runs from {platform.state_dir} at {platform.url}" in second.stdout
    assert second.stderr == ""
    platform.wait_ready()


def test_a_taken_port_is_a_sentence(platform: Platform, tmp_path: Path) -> None:
    second = launch(platform, DERMA_STATE_DIR=str(tmp_path))
    assert second.returncode == 1
    assert second.stdout.count("\n") == 1
    assert f"Port {platform.port} cannot be used" in second.stdout
    assert second.stderr == ""


def test_what_a_check_refuses_stops_the_start_in_a_sentence(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "state", env={"DERMA_RELEASE": "no-such-1"})
    try:
        platform.state_dir.mkdir()
        refused = launch(platform)
        assert refused.returncode == 1
        assert "There is no release named 'no-such-1'" in refused.stdout
        assert "Derma was not started" in refused.stdout
        assert "Bringing the database up to date" not in refused.stdout
        assert refused.stderr == ""
    finally:
        platform.close()


def has_tensorflow(pid: int) -> bool:
    return "tensorflow" in Path(f"/proc/{pid}/maps").read_text()


def test_only_the_inference_worker_loads_tensorflow(platform: Platform) -> None:
    platform.client().call("GET", "api/v1/analyses/")
    for role, expected in (("web", False), ("worker-default", False), ("worker-inference", True)):
        for pid in platform.children(role):
            if expected:  # the other one of the pool may still be loading it
                wait_until(partial(has_tensorflow, pid), 240, "TensorFlow to be loaded")
            else:
                assert not has_tensorflow(pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP], ids=lambda n: n.name)
def test_a_signal_stops_everything_whenever_it_comes(tmp_path: Path, number: signal.Signals) -> None:
    """Pressed twice, too early: while everything is starting."""
    platform = Platform(tmp_path / "state")
    try:
        platform.start()
        platform.pid("worker-inference")
        started, allowed = time.monotonic(), stop_seconds(platform)
        assert platform.launcher is not None
        platform.launcher.send_signal(number)
        time.sleep(0.5)
        platform.stop(number)
        assert time.monotonic() - started < allowed
        assert platform.launcher.returncode == 0
        assert "Traceback" not in platform.said()
    finally:
        platform.close()


def test_ctrl_c_stops_make_run(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "state", command=["make", "run"])
    try:
        platform.start()
        platform.wait_ready()
        allowed = stop_seconds(platform)
        assert platform.stop(signal.SIGINT) < allowed
        assert "Traceback" not in platform.said()
        assert "rror" not in platform.said()
    finally:
        platform.close()


def test_make_alone_told_to_stop_takes_everything_with_it(tmp_path: Path) -> None:
    """As a tool does that knows only the process it started."""
    platform = Platform(tmp_path / "state", command=["make", "run"])
    try:
        platform.start()
        platform.pid("web")
        assert platform.launcher is not None
        platform.launcher.send_signal(signal.SIGINT)
        platform.launcher.wait(stop_seconds(platform))
        wait_until(lambda: not platform.processes(), 20, "the processes to end")
    finally:
        platform.close()


def test_stale_files_of_a_killed_run_do_not_matter(tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "run").mkdir(parents=True)
    (state / "run" / "lock").write_text("1 http://127.0.0.1:1/")
    (state / "run" / "processes.json").write_text("{")
    (state / "celerybeat.pid").write_text("1")
    for suffix in ("", ".db", ".dat", ".bak", ".dir"):
        (state / f"beat-schedule{suffix}").write_bytes(b"garbage")
    (state / "broker" / "messages" / "inference").mkdir(parents=True)
    (state / "broker" / "messages" / "inference" / "0-0-0.msg").touch()
    with Platform(state) as platform:
        identifier = platform.client().submit(3000)
        wait_until(lambda: platform.events(identifier)[-1] == "done", platform.result_seconds, "the result")
        assert "beat ended" not in platform.said()
