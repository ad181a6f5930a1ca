"""`python -m appointments.bench`: how fast visits are booked and free times found, on each database there is.

A part of `make bench`. Each database is made for it and removed again; no server is started: the clients are
threads of two processes, as in the web server, each with a connection of its own.
"""

import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

CLIENTS = 20
PROCESSES = 2
DAYS = 28  # a month, so that its weekdays are always as many
DOCTORS = 200
SECONDS = 20.0  # for the month to fill up
AIM_MONTH_MS = 50
AIM_DOCTORS_MS = 300
POSTGRES = "postgres://postgres@127.0.0.1:5432/postgres"
MEASURE = "measure"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    if MEASURE in arguments:
        return measure(arguments[-1])
    reached = True
    for database, url in databases():
        with tempfile.TemporaryDirectory(prefix="derma-bench-") as folder, own_database(url) as own:
            dropped = ("DATABASE_URL", "REDIS_URL")
            environment = {key: value for key, value in os.environ.items() if key not in dropped}
            environment |= {"DERMA_STATE_DIR": folder, "SECRET_KEY": "only-for-bench"}
            environment |= {"DJANGO_SETTINGS_MODULE": "dermaplatform.settings"}
            if own:
                environment["DATABASE_URL"] = own
            command = [sys.executable, "-m", "appointments.bench", MEASURE, database]
            reached = not subprocess.run(command, env=environment, check=False).returncode and reached  # noqa: S603
    return 0 if reached else 1


def databases() -> Iterator[tuple[str, str]]:
    """Names and addresses; SQLite needs none."""
    yield "SQLite", ""
    import psycopg2

    url = os.environ.get("DATABASE_URL") or POSTGRES
    try:
        psycopg2.connect(url, connect_timeout=2).close()
    except psycopg2.OperationalError:
        say(f"  PostgreSQL does not answer at {url}; set DATABASE_URL to measure with it.")
    else:
        yield "PostgreSQL", url


@contextmanager
def own_database(url: str) -> Iterator[str]:
    """The address of a database beside the one that `url` names."""
    if not url:
        yield ""
        return
    import psycopg2

    name = f"derma_bench_{uuid.uuid4().hex[:12]}"
    server = psycopg2.connect(url)
    server.autocommit = True
    try:
        with server.cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{name}"')
        yield f"{url.rpartition('/')[0]}/{name}"
    finally:
        with server.cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        server.close()


def measure(database: str) -> int:
    """In a process whose settings name a database that is still empty."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    doctors = people("doctor", DOCTORS, hours_for_each=True)
    patients = people("patient", CLIENTS)
    found, seconds = fill(doctors[0], patients)
    collisions = overlaps()
    say(
        f"  {f'bookings, {CLIENTS} clients at once, {database}':<45} {found.booked / seconds:10.1f} /s"
        f"     {found.booked} booked, {found.late} came second, {found.busy} waited in vain,"
        f" {collisions} collisions"
    )
    month = month_ms(doctors[0])
    say(f"  {f'free times of a month, {database}':<45} {month:10.1f} ms     aim {AIM_MONTH_MS} ms")
    few, _ = next_free_ms(doctors[:10])
    queries, milliseconds = next_free_ms(doctors)
    say(
        f"  {f'next free time of {DOCTORS} doctors, {database}':<45} {milliseconds:10.1f} ms"
        f"     aim {AIM_DOCTORS_MS} ms; {queries} queries, {few} for 10 doctors"
    )
    reached = not collisions and found.booked and month <= AIM_MONTH_MS
    return 0 if reached and milliseconds <= AIM_DOCTORS_MS and queries == few else 1


def people(role: str, count: int, *, hours_for_each: bool = False) -> list[int]:
    """Primary keys; doctors are verified and see patients from nine to five, with a break at noon."""
    from django.utils import timezone

    from accounts.models import ApplicationStatus, DoctorApplication, User
    from appointments.models import Place, Schedule, WeeklyRule

    made = User.objects.bulk_create(
        User(email=f"{role}{number}@example.org", name=role, role=role, password="!")  # noqa: S106
        for number in range(count)
    )
    if hours_for_each:
        DoctorApplication.objects.bulk_create(
            DoctorApplication(
                doctor=doctor,
                licence_country="CH",
                licence_expires_on=timezone.localdate() + timedelta(days=365),
                status=ApplicationStatus.VERIFIED,
                decided_at=timezone.now(),
            )
            for doctor in made
        )
        schedules = Schedule.objects.bulk_create(
            Schedule(doctor=doctor, time_zone="Europe/Zurich", lengths=[15, 30], notice_hours=0)
            for doctor in made
        )
        WeeklyRule.objects.bulk_create(
            WeeklyRule(schedule=schedule, weekday=day, begins=begins, ends=ends, place=Place.CLINIC)
            for schedule in schedules
            for day in range(5)
            for begins, ends in ((540, 720), (780, 1020))
        )
    return [person.pk for person in made]


@dataclass
class Found:
    """What the clients met with, by how often."""

    booked: int = 0
    late: int = 0
    busy: int = 0  # SQLite lets somebody wait in vain where the others are greedy

    def __add__(self, other: "Found") -> "Found":
        return Found(self.booked + other.booked, self.late + other.late, self.busy + other.busy)


def fill(doctor: int, patients: list[int]) -> tuple[Found, float]:
    """What became of the month's times, and how many seconds it took."""
    from django.db import connections

    connections.close_all()  # a connection must not be shared with the processes that come
    context = multiprocessing.get_context("fork")
    started = time.perf_counter()
    shares = [(doctor, patients[number::PROCESSES]) for number in range(PROCESSES)]
    with context.Pool(PROCESSES) as pool:
        found = pool.starmap(fill_with, shares)
    seconds = time.perf_counter() - started
    return sum(found, Found()), seconds


def fill_with(doctor: int, patients: list[int]) -> Found:
    with ThreadPoolExecutor(len(patients)) as pool:
        return sum(pool.map(lambda patient: fill_as(doctor, patient), patients), Found())


def fill_as(doctor_id: int, patient_id: int) -> Found:
    """Book any of the month's times, one after the other, until there are none or the time is over."""
    from django.core.exceptions import ValidationError
    from django.db import OperationalError, connection
    from django.utils import timezone

    from accounts.models import User
    from appointments import booking
    from appointments.availability import free_times
    from appointments.models import Schedule

    doctor, patient = User.objects.get(pk=doctor_id), User.objects.get(pk=patient_id)
    schedule = Schedule.objects.prefetch_related("rules", "exceptions").get(doctor=doctor)
    now = timezone.now()
    chosen = free_times(schedule, length=30, since=now, until=now + timedelta(days=DAYS))
    random.shuffle(chosen)
    found = Found()
    end = time.monotonic() + SECONDS
    for slot in chosen:
        if time.monotonic() > end:
            break
        try:
            held = booking.hold(patient=patient, doctor=doctor, start=slot.start, length=30)
            booking.book(hold=held)
            found.booked += 1
        except (booking.SlotTaken, ValidationError):
            found.late += 1
        except OperationalError:
            found.busy += 1
    connection.close()
    return found


def overlaps() -> int:
    from django.db.models import Exists, F, OuterRef

    from appointments.models import Appointment

    others = Appointment.objects.occupying().filter(
        doctor=OuterRef("doctor"),
        blocked_from__lt=OuterRef("blocked_until"),
        blocked_until__gt=OuterRef("blocked_from"),
    )
    rows = Appointment.objects.occupying().annotate(own=F("pk"))
    return rows.filter(Exists(others.exclude(pk=OuterRef("own")))).count()


def median_ms(call: Callable[[], object], times: int) -> float:
    """Milliseconds; the first call warms up."""
    call()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken)


def month_ms(doctor: int) -> float:
    from django.utils import timezone

    from appointments.availability import free_times
    from appointments.models import Schedule

    now = timezone.now()

    def look() -> object:
        schedule = Schedule.objects.get(doctor=doctor)
        return free_times(schedule, length=15, since=now, until=now + timedelta(days=31))

    return median_ms(look, 15)


def next_free_ms(doctors: list[int]) -> tuple[int, float]:
    """Queries, and milliseconds."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from appointments.availability import next_free_times

    with CaptureQueriesContext(connection) as queries:
        next_free_times(doctors)
    return len(queries), median_ms(lambda: next_free_times(doctors), 7)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
