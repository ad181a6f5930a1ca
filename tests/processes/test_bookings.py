"""Fifty people want one time of one doctor, through a web server of two processes: one of them gets it."""

import http.client
import json
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.processes.platform import Platform, wait_until

CROWD = 50
ROUNDS = 20  # of each kind
MINUTE = timedelta(minutes=1)
PATH = "/api/v1/appointments/"
# Each begins so many minutes from the time and lasts so long, and overlaps each of the others.
ONE_SLOT = [(0, 30)]
OVERLAPPING = [(0, 30), (0, 60), (-30, 60)]
OCCUPYING = "('held', 'requested', 'confirmed', 'checked_in', 'completed', 'no_show')"
OVERLAPS = f"""
    SELECT count(*) FROM appointments_appointment a JOIN appointments_appointment b ON a.id < b.id
    WHERE a.status IN {OCCUPYING} AND b.status IN {OCCUPYING} AND (
        (a.doctor_id = b.doctor_id AND a.blocked_from < b.blocked_until AND a.blocked_until > b.blocked_from)
        OR (a.patient_id = b.patient_id AND a.start < b."end" AND a."end" > b.start))
"""  # noqa: S608


class Server(Platform):
    """The web server alone, with two processes; no worker, so health never says that all is well."""

    def start(self) -> None:
        self.state_dir.mkdir(parents=True, exist_ok=True)
        self.manage("migrate", "--verbosity=0")
        super().start()

    def wait_ready(self, seconds: float = 120) -> None:
        wait_until(lambda: self.health()[0] != 0, seconds, "an answer")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(
        tmp_path_factory.mktemp("bookings"),
        env={"DERMA_API_RATE_PER_ADDRESS": "100000/10s"},  # fifty people do not share an address
    )
    server._command = (
        *(sys.executable, "-m", "gunicorn", "dermaplatform.wsgi", "-w", "2", "-k", "gthread"),
        *("--threads", "10", "-b", f"127.0.0.1:{server.port}", "--no-control-socket"),
    )
    with server:
        yield server


@pytest.fixture(scope="module")
def crowd(server: Server) -> Any:
    """The doctor's id and fifty tokens."""
    from subprocess import run

    done = run(
        [sys.executable, "-m", "tests.processes.crowd", str(CROWD)],
        env=server.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


class Person:
    """A client with a connection of its own."""

    def __init__(self, server: Server, token: str, doctor: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        self._connection.connect()
        self._token = token
        self._doctor = doctor

    def book(self, start: datetime, length: int, gate: threading.Barrier) -> tuple[int, Any]:
        body = {"doctor": self._doctor, "start": start.isoformat(), "length": length, "reason": "A spot."}
        headers = {
            "Content-Type": "application/json",
            "X-Session-Token": self._token,
            "Idempotency-Key": uuid.uuid4().hex,
        }
        gate.wait(60)
        try:
            self._connection.request("POST", PATH, json.dumps(body), headers)
            answer = self._connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):  # kept open too long: once more
            self._connection.close()
            self._connection.request("POST", PATH, json.dumps(body), headers)
            answer = self._connection.getresponse()
        said = answer.read().decode()
        return answer.status, json.loads(said) if "json" in answer.headers["Content-Type"] else said

    def close(self) -> None:
        self._connection.close()


@pytest.mark.parametrize(
    ("wanted", "first_day"), [(ONE_SLOT, 1), (OVERLAPPING, 2 + ROUNDS)], ids=["one_slot", "overlapping"]
)
def test_one_of_fifty_wins(server: Server, crowd: Any, wanted: list[tuple[int, int]], first_day: int) -> None:
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    people = [Person(server, token, crowd["doctor"]) for token in crowd["tokens"]]
    try:
        with ThreadPoolExecutor(CROWD) as pool:
            for day in range(first_day, first_day + ROUNDS):
                gate = threading.Barrier(CROWD)
                answers = list(
                    pool.map(
                        lambda number, day=day, gate=gate: one_of(
                            wanted, people, number, noon + timedelta(days=day), gate
                        ),
                        range(CROWD),
                    )
                )
                check_round(answers)
    finally:
        for person in people:
            person.close()
    assert server.query(OVERLAPS) == [(0,)]
    [(visits,)] = server.query("SELECT count(*) FROM appointments_appointment WHERE status = 'confirmed'")
    assert visits % ROUNDS == 0


def one_of(
    wanted: list[tuple[int, int]],
    people: list[Person],
    number: int,
    time: datetime,
    gate: threading.Barrier,
) -> tuple[int, Any]:
    begins, length = wanted[number % len(wanted)]
    return people[number].book(time + begins * MINUTE, length, gate)


def check_round(answers: list[tuple[int, Any]]) -> None:
    """One has it; the others have a sentence and other times, which lie elsewhere."""
    [won] = [body for status, body in answers if status == 201]
    assert won["status"] == "confirmed"
    lost = [body for status, body in answers if status == 409]
    assert len(lost) == CROWD - 1, [answer for answer in answers if answer[0] not in (201, 409)][:3]
    for body in lost:
        assert (body["code"], len(body["next_free"])) == ("slot_taken", 3), body
        assert "taken" in body["detail"]
