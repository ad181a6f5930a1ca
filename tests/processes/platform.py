"""The whole product as `make run` starts it: real processes, real database, real broker, for tests to hurt.

It runs where the suite runs: on SQLite and the embedded broker, or on PostgreSQL and Redis when DATABASE_URL
and REDIS_URL are set, there in a database and under a key prefix of its own.
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import psycopg2
import redis

from ml_models import synthetic

REPOSITORY = Path(__file__).resolve().parent.parent.parent
DEMO_PASSWORD = "demo-derma-2026"
READY_SECONDS = 300  # a slow machine loads TensorFlow while other tests run
RESULT_SECONDS = 90  # what is promised from the kill of any process to the result

Answer = TypeVar("Answer")


def wait_until(condition: Callable[[], Answer], seconds: float, what: str) -> Answer:
    """The first truthy answer of `condition`; AssertionError if there is none in time."""
    end = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < end, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.05)
    return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def lesion(seed: int) -> bytes:
    """A generated image as a phone would send it."""
    out = BytesIO()
    synthetic.lesion(seed, (600, 450)).save(out, "JPEG", quality=90)
    return out.getvalue()


def _exchange(request: urllib.request.Request, timeout: float) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
    except http.client.HTTPException as error:  # killed in the middle of its answer
        raise ConnectionError(f"no whole answer: {error!r}") from error


class Client:
    """A mobile client of one person, over HTTP."""

    def __init__(self, url: str, email: str, password: str = DEMO_PASSWORD) -> None:
        self._url = url
        self._token = ""
        _, answer = self.call("POST", "_allauth/app/v1/auth/login", {"email": email, "password": password})
        self._token = answer["meta"]["session_token"]

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and JSON; OSError while nobody answers."""
        data = None if body is None else json.dumps(body).encode()
        return self._send(method, path, data, "application/json")

    def upload(self, image: bytes, **fields: str) -> tuple[int, Any]:
        mark = uuid.uuid4().hex
        parts = [
            f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        ]
        head = f'--{mark}\r\nContent-Disposition: form-data; name="image"; filename="spot.jpg"\r\n'
        parts += [head.encode(), b"Content-Type: image/jpeg\r\n\r\n", image, f"\r\n--{mark}--\r\n".encode()]
        return self._send(
            "POST", "api/v1/analyses/", b"".join(parts), f"multipart/form-data; boundary={mark}"
        )

    def submit(self, seed: int) -> str:
        """The id of a new analysis of a generated image."""
        status, answer = self.upload(lesion(seed))
        assert status == 202, answer
        return str(answer["id"])

    def analysis(self, identifier: str) -> Any:
        status, answer = self.call("GET", f"api/v1/analyses/{identifier}/")
        assert status == 200, answer
        return answer

    def _send(self, method: str, path: str, data: bytes | None, content_type: str) -> tuple[int, Any]:
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        if self._token:
            headers["X-Session-Token"] = self._token
        return _exchange(urllib.request.Request(self._url + path, data, headers, method=method), 30)  # noqa: S310


class Platform:
    """`with Platform(folder) as platform:` starts it, waits until it is ready, and leaves no process behind.

    `env` is added to the environment of demo mode. `command` is what starts it.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        port: int | None = None,
        env: Mapping[str, str] | None = None,
        command: Sequence[str] = (sys.executable, "-m", "dermaplatform.launcher"),
    ) -> None:
        self.state_dir = state_dir.resolve()
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.launcher: subprocess.Popen[bytes] | None = None
        self.started_in = 0.0  # seconds from its start until it was ready, the last time
        self._started = 0.0
        self._command = command
        self._name = f"derma_{uuid.uuid4().hex[:12]}"
        self._server = os.environ.get("DATABASE_URL", "")
        self._redis = os.environ.get("REDIS_URL", "")
        inherited = {
            key: value for key, value in os.environ.items() if key not in ("SECRET_KEY", "MAKEFLAGS")
        }
        self.environment = {
            **inherited,
            "DEBUG": "1",
            "DEMO": "1",
            "PORT": str(self.port),
            "DERMA_STATE_DIR": str(self.state_dir),
            **({"DATABASE_URL": self._own_database()} if self._server else {}),
            **({"REDIS_PREFIX": f"{self._name}:"} if self._redis else {}),
            **(env or {}),
        }

    def start(self) -> None:
        """Also again, after the launcher was killed."""
        if self.launcher is not None:
            self.launcher.wait(60)
        self.started_in, self._started = 0.0, time.monotonic()
        self.state_dir.mkdir(parents=True, exist_ok=True)
        with self.console.open("ab") as output:
            self.launcher = subprocess.Popen(
                self._command,
                cwd=REPOSITORY,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_hear_signals,  # noqa: PLW1509
            )

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Until health says ok. AssertionError, with what the launcher said, if it does not."""

        def ready() -> bool:
            assert self.launcher is not None
            assert self.launcher.poll() is None, f"the launcher ended:\n{self.said()}"
            return self.health()[0] == 200

        try:
            wait_until(ready, seconds, "health")
        except AssertionError as error:
            raise AssertionError(f"{error}; health says {self.health()}\n{self.said()}") from error
        self.started_in = self.started_in or self.age

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._started

    @property
    def result_seconds(self) -> float:
        """RESULT_SECONDS, or more on a machine on which the killed processes take long to start again."""
        return max(RESULT_SECONDS, 30 + 3 * self.started_in)

    def stop(self, number: signal.Signals = signal.SIGINT, seconds: float = 60) -> float:
        """Signal the launcher as Ctrl-C does; the seconds until the last process had gone."""
        assert self.launcher is not None
        started = time.monotonic()
        os.killpg(self.launcher.pid, number)
        self.launcher.wait(seconds)
        wait_until(lambda: not self.processes(), seconds, "the processes to end")
        return time.monotonic() - started

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop what runs, however it is, and remove what was made on the servers."""
        try:
            if self.launcher is not None and self.launcher.poll() is None:
                self.launcher.send_signal(signal.SIGTERM)
                self.launcher.wait(60)
        finally:
            for pid in self.processes():
                self.kill(pid)
            self._remove_own_database()
            self._remove_own_keys()

    @property
    def console(self) -> Path:
        return self.state_dir / "console.log"

    def said(self) -> str:
        return self.console.read_text(errors="replace")

    def health(self) -> tuple[int, Any]:
        """Status and answer; 0 while nobody answers."""
        try:
            return _exchange(urllib.request.Request(f"{self.url}api/v1/health/"), 5)  # noqa: S310
        except OSError:
            return 0, None

    def client(self, email: str = "alice@example.org", password: str = DEMO_PASSWORD) -> Client:
        return Client(self.url, email, password)

    def pid(self, role: str) -> int:
        """Of `launcher`, `guardian`, `web`, `worker-inference`, `worker-default` or `beat`."""

        def running() -> int:
            try:
                roles = json.loads((self.state_dir / "run" / "processes.json").read_text())
            except FileNotFoundError:
                return 0
            pid: int = roles.get(role, 0)
            return pid

        return wait_until(running, READY_SECONDS, f"{role} to run")

    def children(self, role: str) -> list[int]:
        """A worker's pool processes, or the web server's worker."""
        parent = str(self.pid(role))
        return wait_until(
            lambda: [pid for pid, stat in _stats() if stat[1] == parent],
            READY_SECONDS,
            f"{role} to have children",
        )

    def processes(self) -> list[int]:
        """Every living process that was started for this state folder, known by its environment."""
        mark = f"DERMA_STATE_DIR={self.state_dir}\0".encode()
        found = []
        for pid, stat in _stats():
            if stat[0] == "Z":
                continue
            try:
                if mark in Path(f"/proc/{pid}/environ").read_bytes() + b"\0":
                    found.append(pid)
            except OSError:
                continue
        return found

    @staticmethod
    def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    @contextlib.contextmanager
    def standing_worker(self) -> Iterator[None]:
        """No image is examined meanwhile, and what is sent keeps waiting."""
        pool = self.children("worker-inference")
        self.stand_still(pool)
        try:
            yield
        finally:
            for pid in pool:
                self.kill(pid, signal.SIGCONT)

    def stand_still(self, pids: Sequence[int]) -> None:
        """Stop these, but in the middle of no write: all others would wait for SQLite's one writer."""

        def still() -> bool:
            for pid in pids:
                self.kill(pid, signal.SIGSTOP)
            wait_until(
                lambda: not {pid for pid, stat in _stats() if stat[0] in "RSD"} & set(pids), 60, "a stop"
            )
            if self._can_be_written():
                return True
            for pid in pids:
                self.kill(pid, signal.SIGCONT)
            return False

        wait_until(still, 60, "the processes to stand still between two writes")

    def _can_be_written(self) -> bool:
        if self._server:
            return True
        file = sqlite3.connect(self.state_dir / "db.sqlite3", timeout=1, isolation_level=None)
        try:
            file.execute("BEGIN IMMEDIATE")
            file.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return False
        finally:
            file.close()
        return True

    def manage(self, *arguments: str) -> str:
        """The output of `manage.py` with these arguments, in this platform's environment."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
        return done.stdout

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        if self._server:
            connection = psycopg2.connect(self.environment["DATABASE_URL"])
            try:
                with connection.cursor() as cursor:
                    cursor.execute(sql)
                    return cursor.fetchall()
            finally:
                connection.close()
        file = sqlite3.connect(f"file:{self.state_dir / 'db.sqlite3'}?mode=ro", uri=True, timeout=20)
        try:
            return file.execute(sql).fetchall()
        finally:
            file.close()

    def events(self, identifier: str) -> list[str]:
        """The statuses that an analysis went to, in order."""
        rows = self.query(
            "SELECT a.public_id, e.to_status FROM diagnosis_analysisevent e "
            "JOIN diagnosis_analysis a ON a.id = e.analysis_id ORDER BY e.id"
        )
        wanted = uuid.UUID(identifier)
        return [status for public_id, status in rows if uuid.UUID(str(public_id)) == wanted]

    def _own_database(self) -> str:
        self._on_server(f'CREATE DATABASE "{self._name}"')
        return self._server.rpartition("/")[0] + f"/{self._name}"

    def _remove_own_database(self) -> None:
        if self._server:
            self._on_server(f'DROP DATABASE IF EXISTS "{self._name}" WITH (FORCE)')

    def _on_server(self, sql: str) -> None:
        connection = psycopg2.connect(self._server.rpartition("/")[0] + "/postgres")
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql)
        finally:
            connection.close()

    def _remove_own_keys(self) -> None:
        if self._redis:
            with redis.Redis.from_url(self._redis) as server:
                for key in server.scan_iter(f"{self._name}:*"):
                    server.delete(key)


def _hear_signals() -> None:
    """Tests under nohup or behind a shell's `&` would hand down that hang-ups and Ctrl-C are ignored."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def _stats() -> list[tuple[int, list[str]]]:
    """Of every process: its id, and its state, parent, group… (fields 3 on of /proc/PID/stat)."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            found.append((int(entry.name), stat.rpartition(")")[2].split()))
    return found
