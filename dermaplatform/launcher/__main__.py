"""Checks, prepares, starts, waits until everything answers, and looks after it until it is told to stop."""

import argparse
import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import IO

from dermaplatform.launcher.console import say
from dermaplatform.launcher.supervisor import Service, Supervisor, listening_socket

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parent.parent.parent
TICK = 0.3  # seconds between two looks at the processes
LOCK_PATIENCE = 10.0  # seconds that an earlier run, killed just now, may need to end
PATIENCE = 60.0  # seconds until we say what we are still waiting for


class CannotStart(Exception):
    """Carries the one sentence that says why and what to do."""


class Launcher:
    def __init__(self, *, port: int, state_dir: Path, follow: int | None) -> None:
        self.port = port
        self.url = f"http://{HOST}:{port}/"
        self.state_dir = state_dir
        # Two processes keep two cores busy: one decodes an image while the other runs the network.
        self.inference_processes = min(2, os.cpu_count() or 1)
        self._follow = Follow(follow) if follow else None
        self._stops = 0
        self._wake, self._wakeup_fd = os.pipe()

    def _listen_to_signals(self) -> None:
        for fd in (self._wake, self._wakeup_fd):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self._wakeup_fd, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
            signal.signal(number, self._on_stop)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
            signal.signal(signal.SIGHUP, self._on_stop)

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        self._stops += 1

    def _must_stop(self) -> bool:
        return self._stops > 0 or (self._follow is not None and self._follow.has_ended())

    def _pause(self, seconds: float) -> None:
        """Until a signal comes, a process dies or the time is over."""
        select.select([self._wake], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 512)

    def run(self) -> int:
        self._listen_to_signals()
        with self._lock() as lock, self._listener() as listener:
            supervisor = Supervisor(state_dir=self.state_dir, environment=self._environment(), lock=lock)
            try:
                is_prepared = self._prepare(supervisor)
                if is_prepared:
                    supervisor.services = self._services(listener.fileno())
                    self._keep_running(supervisor)
            finally:
                supervisor.stop()
                say("Stopped.")
        return 0 if is_prepared or self._must_stop() else 1

    def _prepare(self, supervisor: Supervisor) -> bool:
        process = supervisor.spawn([sys.executable, "-m", "dermaplatform.launcher.prepare"], output=None)
        try:
            while process.poll() is None and not self._must_stop():
                self._pause(TICK)
        finally:
            supervisor.end(process)
        if process.returncode < 0 and not self._must_stop():
            name = signal.Signals(-process.returncode).name
            say(f"Derma was not started: its preparation was ended by {name}.", warning=True)
        elif process.returncode > 0:
            say("Derma was not started; the reason stands above.", warning=True)
        return process.returncode == 0 and not self._must_stop()

    def _services(self, listener: int) -> list[Service]:
        python = sys.executable
        celery = [python, "-m", "celery", "-A", "dermaplatform"]
        web = [python, "-m", "gunicorn", "dermaplatform.wsgi", "-k", "gthread", "-w", "1", "--threads", "8"]
        web += ["-b", f"fd://{listener}", "--graceful-timeout", "4", "--no-control-socket"]
        services = [Service("web", web, pass_fds=[listener])]
        for queue, processes, env in (
            ("inference", self.inference_processes, _tensorflow_threads(self.inference_processes)),
            ("default", 1, {}),
        ):
            worker = ["worker", "-Q", queue, "-n", f"{queue}@%h", "-c", str(processes), "-l", "INFO"]
            worker += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
            services.append(Service(f"worker-{queue}", [*celery, *worker], env=env))
        # Without a pidfile, because the one of a killed beat would keep the next from starting.
        beat = ["beat", "-s", str(self.state_dir / "beat-schedule"), "--pidfile=", "-l", "INFO"]
        return [*services, Service("beat", [*celery, *beat])]

    def _keep_running(self, supervisor: Supervisor) -> None:
        readiness = Readiness(self.url, self.state_dir)
        say("Starting the web server, the workers for inference and for everything else, and the clock …")
        while not self._must_stop():
            supervisor.look_after()
            if not readiness.is_reached:
                readiness.look()
            self._pause(TICK)
        say("\nStopping …")

    def _environment(self) -> dict[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": "dermaplatform.settings",
            **os.environ,
            "DERMA_STATE_DIR": str(self.state_dir),
            "PORT": str(self.port),
            "PYTHONUNBUFFERED": "1",
        }

    @contextlib.contextmanager
    def _lock(self) -> Iterator[IO[str]]:
        """One launcher for one state folder. The guardian shares the lock, so a killed run still holds it."""
        try:
            (self.state_dir / "run").mkdir(parents=True, exist_ok=True)
            lock = (self.state_dir / "run" / "lock").open("a+")
        except OSError as error:
            raise self._unwritable(error) from error
        with lock:
            end = time.monotonic() + LOCK_PATIENCE
            while not _try_lock(lock):
                lock.seek(0)
                pid, _, url = lock.read().partition(" ")
                if _is_running(pid) or time.monotonic() > end or self._must_stop():
                    raise CannotStart(
                        f"Derma already runs from {self.state_dir} at {url} (process {pid}). Stop it there "
                        "with Ctrl-C, or set DERMA_STATE_DIR to another folder for a second one."
                    )
                self._pause(TICK)
            try:
                os.ftruncate(lock.fileno(), 0)
                # Past the buffer: what stays in that would be refused once more when the file is closed.
                os.write(lock.fileno(), f"{os.getpid()} {self.url}".encode())
            except OSError as error:
                raise self._unwritable(error) from error
            yield lock

    def _unwritable(self, error: OSError) -> CannotStart:
        return CannotStart(f"The folder {self.state_dir} cannot be written: {error.strerror}.")

    @contextlib.contextmanager
    def _listener(self) -> Iterator[socket.socket]:
        try:
            listener = listening_socket(HOST, self.port)
        except OSError as error:
            raise CannotStart(
                f"Port {self.port} cannot be used ({error.strerror}). "
                f"Stop the program that has it, or choose another port: make run PORT={self.port + 1}"
            ) from error
        with listener:
            yield listener


class Follow:
    """Ends with `make`: a tool that starts `make run` often signals or kills only make itself."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._caught = self._catches_interrupts()

    def _catches_interrupts(self) -> bool:
        try:
            status = Path(f"/proc/{self._pid}/status").read_text()
        except OSError:
            return False  # no Linux: then only its end is seen
        mask = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), "0")
        return bool(int(mask, 16) >> (signal.SIGINT - 1) & 1)

    def has_ended(self) -> bool:
        """Also true once make, told to stop, waits for us: it then no longer catches interrupts."""
        return os.getppid() != self._pid or (self._caught and not self._catches_interrupts())


class Readiness:
    """Asks the health address until everything answers, and says so once."""

    def __init__(self, url: str, state_dir: Path) -> None:
        self.is_reached = False
        self._url = url
        self._state_dir = state_dir
        self._started = time.monotonic()
        self._pages_seen = False
        self._patience = PATIENCE

    def look(self) -> None:
        missing = self._missing()
        if missing == []:
            self.is_reached = True
            say(f"\nReady: {self._url}", good=True)
            with contextlib.suppress(OSError):
                say((self._state_dir / "run" / "greeting.txt").read_text())
            say(f"Logs: {self._state_dir / 'logs'}. Ctrl-C stops everything.")
        elif missing is not None and not self._pages_seen:
            self._pages_seen = True
            say(f"The pages answer at {self._url}; loading the classifier takes some seconds more …")
        elif time.monotonic() - self._started > self._patience:
            self._patience *= 2
            what = ", ".join(missing) if missing else "the web server"
            say(f"Still waiting for: {what}. See {self._state_dir / 'logs'}.", warning=True)

    def _missing(self) -> list[str] | None:
        """What is not there yet; None if nobody answers."""
        try:
            with urllib.request.urlopen(f"{self._url}api/v1/health/", timeout=1) as response:  # noqa: S310
                json.load(response)
                return []
        except urllib.error.HTTPError as error:
            with contextlib.suppress(OSError, ValueError, AttributeError):
                missing: list[str] = json.load(error).get("missing", [])
                return missing or ["an answer to /api/v1/health/"]
            return [f"an answer to /api/v1/health/ (status {error.code})"]
        except (OSError, ValueError):
            return None


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_running(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _tensorflow_threads(processes: int) -> dict[str, str]:
    """Each process its share of the cores; otherwise each takes all, and they get in each other's way."""
    return {"TF_NUM_INTRAOP_THREADS": str(max(1, (os.cpu_count() or 1) // processes))}


def port_number(text: str) -> int:
    if text.isdecimal() and 0 < int(text) < 65536:
        return int(text)
    raise CannotStart(f"PORT must be a number from 1 to 65535, not {text!r}.")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dermaplatform.launcher", description=__doc__)
    parser.add_argument("--follow", type=int, metavar="PID", help="stop when this process, our parent, ends")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    try:
        launcher = Launcher(
            port=port_number(os.environ.get("PORT") or "8000"),
            state_dir=Path(os.environ.get("DERMA_STATE_DIR") or ROOT / "var").resolve(),
            follow=arguments.follow,
        )
        return launcher.run()
    except CannotStart as reason:
        say(str(reason), warning=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
