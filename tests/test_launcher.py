"""The supervisor with small stand-ins for the services; tests/processes does the same with the real ones."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dermaplatform.launcher.__main__ import CannotStart, Follow, Launcher, port_number
from dermaplatform.launcher.console import last_line
from dermaplatform.launcher.supervisor import Service, Supervisor, listening_socket

REPOSITORY = Path(__file__).resolve().parent.parent

# A leader that ends when it is asked to, with a child that does not.
FAMILY = """
import signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"])
open(sys.argv[1], "a").write(f"{child.pid}\\n")
time.sleep(600)
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
LAUNCHER = """
import sys, time
from pathlib import Path
from dermaplatform.launcher.supervisor import Service, Supervisor
state = Path(sys.argv[1])
(state / "run").mkdir()
supervisor = Supervisor(state_dir=state, environment={}, lock=(state / "run" / "lock").open("a+"))
supervisor.services = [Service("family", [sys.executable, "-c", sys.argv[2], str(state / "children")])]
while True:
    supervisor.look_after()
    time.sleep(0.05)
"""


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return met


def is_alive(pid: int) -> bool:
    """A zombie whose parent does not look is dead enough."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def pids(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    (tmp_path / "run").mkdir()
    with (tmp_path / "run" / "lock").open("a+") as lock:
        supervisor = Supervisor(state_dir=tmp_path, environment=dict(os.environ), lock=lock)
        yield supervisor
        supervisor.stop()


def leader(service: Service) -> int:
    assert service.process is not None
    return service.process.pid


def test_a_dead_process_is_started_again_without_its_orphans(supervisor: Supervisor, tmp_path: Path) -> None:
    children = tmp_path / "children"
    service = Service("family", [sys.executable, "-c", FAMILY, str(children)])
    supervisor.services = [service]
    supervisor.look_after()
    first = leader(service)
    assert wait_until(lambda: len(pids(children)) == 1)

    os.kill(first, signal.SIGKILL)

    def restarted() -> bool:
        supervisor.look_after()
        return service.process is not None and service.process.pid != first and len(pids(children)) == 2

    assert wait_until(restarted)
    old, new = pids(children)
    assert wait_until(lambda: not is_alive(old))
    assert is_alive(new)


def test_a_process_that_keeps_dying_is_started_less_and_less_often(
    supervisor: Supervisor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = Service("broken", [sys.executable, "-c", "raise SystemExit('no model here')"])
    supervisor.services = [service]

    looked = 0.0

    def died_twice() -> bool:
        nonlocal looked
        looked = time.monotonic()
        supervisor.look_after()
        return service.deaths == 2

    assert wait_until(died_twice)
    assert service.due - looked >= 1
    said = capsys.readouterr().out
    assert "broken ended with status 1; it is started again in 0.5 s." in said
    assert "broken ended with status 1; it is started again in 1 s." in said
    assert "no model here" in said


def test_stop_ends_the_willing_and_kills_the_stubborn(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dermaplatform.launcher.supervisor.STOP_SECONDS", 0.5)
    children = tmp_path / "children"
    stubborn = Service("stubborn", [sys.executable, "-c", STUBBORN])
    family = Service("family", [sys.executable, "-c", FAMILY, str(children)])
    supervisor.services = [family, stubborn]
    supervisor.look_after()
    assert wait_until(lambda: len(pids(children)) == 1)
    everybody = [leader(stubborn), leader(family), *pids(children)]
    started = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - started < 20  # they would sleep for 600
    assert wait_until(lambda: not any(is_alive(pid) for pid in everybody))


def test_nobody_survives_a_killed_launcher(tmp_path: Path) -> None:
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(tmp_path), FAMILY], cwd=REPOSITORY, stdout=subprocess.PIPE
    )
    with launcher:
        assert wait_until(lambda: len(pids(tmp_path / "children")) == 1)
        launcher.kill()
        output, _ = launcher.communicate(timeout=60)  # returns only if nobody holds its output open
    assert output == b""
    [child] = pids(tmp_path / "children")
    assert wait_until(lambda: not is_alive(child))


def test_a_killed_guardian_is_replaced_and_knows_everybody(tmp_path: Path) -> None:
    import json

    def roles() -> dict[str, int]:
        try:
            found: dict[str, int] = json.loads((tmp_path / "run" / "processes.json").read_text())
        except FileNotFoundError:
            return {}
        return found

    with subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(tmp_path), FAMILY], cwd=REPOSITORY
    ) as launcher:
        assert wait_until(lambda: len(pids(tmp_path / "children")) == 1 and "guardian" in roles())
        first = roles()["guardian"]
        os.kill(first, signal.SIGKILL)
        assert wait_until(lambda: roles()["guardian"] != first)
        launcher.kill()
    [child] = pids(tmp_path / "children")
    assert wait_until(lambda: not is_alive(child))


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with listening_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=f"Port {port} cannot be used .*PORT={port + 1}"):
            Launcher(port=port, state_dir=tmp_path, follow=None).run()


def test_one_state_folder_belongs_to_one_launcher(tmp_path: Path) -> None:
    first = Launcher(port=8123, state_dir=tmp_path, follow=None)
    with first._lock(), pytest.raises(CannotStart, match=r"already runs from .* at http://127.0.0.1:8123/"):
        Launcher(port=8124, state_dir=tmp_path, follow=None).run()


def test_a_state_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart, match="cannot be written"):
        Launcher(port=8123, state_dir=tmp_path / "file" / "var", follow=None).run()


def test_a_full_disk_ends_nothing_that_runs(
    supervisor: Supervisor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A log cannot be made and the list of processes not be written, until there is room again."""
    (tmp_path / "run" / "processes.unfinished").symlink_to("/dev/full")
    (tmp_path / "logs").touch()
    service = Service("sleeper", [sys.executable, "-c", "import time; time.sleep(600)"])
    supervisor.services = [service]
    for _ in range(3):
        supervisor.look_after()
    said = capsys.readouterr().out
    assert said.count("sleeper cannot be started (File exists)") == 1
    assert said.count("run/processes.json cannot be written (No space left on device)") == 1
    (tmp_path / "run" / "processes.unfinished").unlink()
    (tmp_path / "logs").unlink()
    supervisor.look_after()
    assert is_alive(leader(service))
    assert '"sleeper"' in (tmp_path / "run" / "processes.json").read_text()


def test_a_full_disk_at_the_start_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "lock").symlink_to("/dev/full")
    monkeypatch.setattr(os, "ftruncate", lambda *args: None)  # which a device has not
    with pytest.raises(CannotStart, match="cannot be written: No space left on device"):
        Launcher(port=8123, state_dir=tmp_path, follow=None).run()


@pytest.mark.parametrize(
    ("stops", "status", "said"),
    [(0, -9, "its preparation was ended by SIGKILL"), (1, -9, ""), (0, 1, "the reason stands above")],
)
def test_a_preparation_that_failed_is_told_unless_somebody_asked_to_stop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], stops: int, status: int, said: str
) -> None:
    class Ended:
        returncode = status

        def poll(self) -> int:
            return status

    class Stand:
        def spawn(self, *args: object, **kwargs: object) -> Ended:
            return Ended()

        def end(self, process: Ended) -> None:
            pass

    launcher = Launcher(port=8123, state_dir=tmp_path, follow=None)
    launcher._stops = stops
    assert not launcher._prepare(Stand())  # type: ignore[arg-type]
    out = capsys.readouterr().out
    assert said in out
    assert bool(out) == bool(said)


@pytest.mark.parametrize("text", ["", "http", "0", "65536", "-1", "80 80"])
def test_a_bad_port_is_one_sentence(text: str) -> None:
    with pytest.raises(CannotStart, match="PORT must be a number"):
        port_number(text)


def test_a_followed_parent_that_lives_is_no_reason_to_stop() -> None:
    assert not Follow(os.getppid()).has_ended()
    assert Follow(os.getpid()).has_ended()


def test_the_listener_is_taken_once() -> None:
    with listening_socket("127.0.0.1", 0) as one, pytest.raises(OSError, match="in use"):
        listening_socket("127.0.0.1", one.getsockname()[1])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"", ""), (b"one\ntwo\n\n  \n", "two"), (b"x" * 5000, "x" * 200), (b"\xff\n", "\ufffd")],
)
def test_the_last_line_of_a_log(tmp_path: Path, content: bytes, line: str) -> None:
    log = tmp_path / "log"
    log.write_bytes(content)
    assert last_line(log) == line
    assert last_line(tmp_path / "none") == ""
