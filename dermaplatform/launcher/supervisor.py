"""Keeps a set of processes running, and stops them all."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from dermaplatform import guardian
from dermaplatform.launcher.console import last_line, say

# A worker in the middle of a job may use them; the row is the job, so killing loses nothing. What remains of
# the 10 s after Ctrl-C is for a slow machine.
STOP_SECONDS = 5.0
FIRST_PAUSE = 0.5  # seconds before a dead process is started again; doubled each time it dies young
LONGEST_PAUSE = 15.0
GROWN_UP = 30.0  # a process that lived longer starts with a clean record
LOG_BYTES = 5_000_000


class Guardian:
    """Our end of the process that outlives us (see dermaplatform.guardian)."""

    def __init__(self, lock: IO[str]) -> None:
        self._lock = lock
        self._groups: set[int] = set()
        self._process = self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", guardian.__file__],
            stdin=subprocess.PIPE,
            # It says nothing that has to be read, and must not hold the terminal open.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            pass_fds=[self._lock.fileno()],
            bufsize=0,
        )

    def _tell(self, sign: str, group: int) -> None:
        pipe = self._process.stdin
        # A broken pipe means that it died; `look_after` starts another, which is told of everybody.
        with contextlib.suppress(BrokenPipeError, ValueError):
            os.write(pipe.fileno() if pipe else -1, f"{sign}{group}\n".encode())

    def watch_me(self) -> None:
        """Called in a new process before it runs its program."""
        self._tell("+", os.getpid())

    def watch(self, group: int) -> None:
        self._groups.add(group)

    def forget(self, group: int) -> None:
        self._groups.discard(group)
        self._tell("-", group)

    def look_after(self) -> None:
        if self._process.poll() is not None:
            self._process = self._start()
            for group in self._groups:
                self._tell("+", group)

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(guardian.GRACE + 1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@dataclass
class Service:
    """A process to keep running. `name` is its role, its line on the console and its log file."""

    name: str
    argv: Sequence[str]
    pass_fds: Sequence[int] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    due: float = field(default_factory=time.monotonic)


class Supervisor:
    def __init__(self, *, state_dir: Path, environment: dict[str, str], lock: IO[str]) -> None:
        self.services: list[Service] = []
        self._state_dir = state_dir
        self._environment = environment
        self._guardian = Guardian(lock)
        self._published: dict[str, int] = {}
        self._put_off: set[str] = set()

    def spawn(
        self,
        argv: Sequence[str],
        *,
        output: IO[bytes] | None,
        pass_fds: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own; without `output` it writes where we write."""
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            env={**self._environment, **(env or {})},
            start_new_session=True,
            pass_fds=pass_fds,
            # The child itself tells the guardian: if we are killed right now, it must not be forgotten. We
            # have one thread, so running Python between fork and exec is safe.
            preexec_fn=self._guardian.watch_me,  # noqa: PLW1509
        )
        self._guardian.watch(process.pid)
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """Kill `process`, or what it left of its family."""
        guardian.kill_group(process.pid)
        process.wait()
        self._guardian.forget(process.pid)

    def log_path(self, service: Service) -> Path:
        return self._state_dir / "logs" / f"{service.name}.log"

    def _start(self, service: Service) -> None:
        path = self.log_path(service)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as log:
            service.process = self.spawn(service.argv, output=log, pass_fds=service.pass_fds, env=service.env)
        service.started = time.monotonic()

    def look_after(self) -> None:
        """Start what is due, and plan the next start of what has died."""
        with self._or_later("The guardian cannot be started"):
            self._guardian.look_after()
        now = time.monotonic()
        for service in self.services:
            if service.process is None:
                if now >= service.due:
                    with self._or_later(f"{service.name} cannot be started"):
                        self._start(service)
            elif service.process.poll() is not None:
                self._bury(service, service.process)
        with self._or_later("run/processes.json cannot be written"):
            self._publish()

    @contextlib.contextmanager
    def _or_later(self, what: str) -> Iterator[None]:
        """What the machine refuses, as on a full disk, is said once and tried again; the rest runs on."""
        try:
            yield
        except OSError as error:
            if what not in self._put_off:
                say(f"{what} ({error.strerror}); it is tried again and again.", warning=True)
            self._put_off.add(what)
        else:
            self._put_off.discard(what)

    def _bury(self, service: Service, process: subprocess.Popen[bytes]) -> None:
        self.end(process)
        service.process = None
        status = process.returncode
        now = time.monotonic()
        service.deaths = 1 if now - service.started > GROWN_UP else service.deaths + 1
        pause = min(FIRST_PAUSE * 2 ** (service.deaths - 1), LONGEST_PAUSE)
        service.due = now + pause
        cause = (
            f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        )
        say(f"{service.name} {cause}; it is started again in {pause:g} s.", warning=True)
        if status > 0 and (line := last_line(self.log_path(service))):
            say(f"  {line}")

    def _publish(self) -> None:
        """`run/processes.json`: process ids by role, for people and tests that want to look."""
        roles = {"launcher": os.getpid(), "guardian": self._guardian.pid}
        roles |= {
            service.name: service.process.pid for service in self.services if service.process is not None
        }
        if roles != self._published:
            path = self._state_dir / "run" / "processes.json"
            unfinished = path.with_suffix(".unfinished")
            unfinished.write_text(json.dumps(roles, indent=1) + "\n")
            unfinished.replace(path)
            self._published = roles

    def stop(self) -> None:
        """Ask everybody to end, kill who has not within STOP_SECONDS, and wait until nobody is left."""
        running = [
            (service.name, service.process) for service in self.services if service.process is not None
        ]
        for _, process in running:
            guardian.ask_to_stop(process.pid)
        end = time.monotonic() + STOP_SECONDS
        for name, process in running:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                say(f"{name} took too long and was killed; the next start takes up its job.")
            self.end(process)
        self.services.clear()
        (self._state_dir / "run" / "processes.json").unlink(missing_ok=True)
        self._guardian.close()


def listening_socket(host: str, port: int) -> socket.socket:
    """Held by the launcher, so that clients wait instead of being refused while the web server restarts.

    OSError if the port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener
