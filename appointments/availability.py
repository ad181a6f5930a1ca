"""Doctors' free times, from the rows."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone

from accounts.models import DoctorApplication, Role, User
from appointments import slots
from appointments.models import Appointment, Schedule, ScheduleException, WeeklyRule
from appointments.slots import Slot, Taken, Terms

ALL_DAY = timedelta(days=2)  # of any calendar: a day may have 25 hours
# How far one search for the next free time looks at a time.
LOOK = timedelta(days=14)


def terms_of(schedule: Schedule) -> Terms:
    """A schedule with its rules and exceptions (prefetched or not) as plain values."""
    return Terms(
        zone=ZoneInfo(schedule.time_zone),
        lengths=tuple(schedule.lengths),
        buffer_before=schedule.buffer_before,
        buffer_after=schedule.buffer_after,
        notice_hours=schedule.notice_hours,
        horizon_days=schedule.horizon_days,
        visits_a_day=schedule.visits_a_day,
        release_hours=schedule.release_hours,
        rules=tuple(_rule(rule) for rule in schedule.rules.all()),
        exceptions=tuple(_exceptional(exception) for exception in schedule.exceptions.all()),
    )


def _hours(row: WeeklyRule | ScheduleException) -> slots.Hours:
    return slots.Hours(row.begins, row.ends, row.place, row.for_urgent)


def _rule(rule: WeeklyRule) -> slots.Rule:
    return slots.Rule(rule.weekday, _hours(rule), rule.valid_from, rule.valid_until)


def _exceptional(exception: ScheduleException) -> slots.Exceptional:
    return slots.Exceptional(exception.kind, exception.first_day, exception.last_day, _hours(exception))


def taken_from(
    doctors: Iterable[int], since: datetime, until: datetime, *, except_for: Appointment | None = None
) -> dict[int, list[Taken]]:
    """By doctor: all that blocks their time from a day before until a day after; stale holds do not."""
    now = timezone.now()
    rows = Appointment.objects.occupying().filter(
        doctor__in=list(doctors), blocked_until__gt=since - ALL_DAY, blocked_from__lt=until + ALL_DAY
    )
    if except_for is not None:
        rows = rows.exclude(pk=except_for.pk)
    found: dict[int, list[Taken]] = defaultdict(list)
    for doctor, expires, *times in rows.values_list(
        "doctor", "expires_at", "blocked_from", "blocked_until", "start"
    ):
        if expires is None or expires > now:
            found[doctor].append(Taken(*times))
    return found


def bookable(doctor: User) -> Schedule | None:
    """The schedule of a verified doctor who has one."""
    verified = DoctorApplication.objects.in_force().filter(doctor=doctor)
    if not (doctor.is_active and doctor.is_doctor and verified.exists()):
        return None
    return Schedule.objects.prefetch_related("rules", "exceptions").filter(doctor=doctor).first()


def free_times(
    schedule: Schedule,
    *,
    length: int,
    since: datetime,
    until: datetime,
    urgent: bool = False,
    except_for: Appointment | None = None,
) -> list[Slot]:
    """Times in [since, until) at which a visit of so many minutes can begin; two to four queries."""
    taken = taken_from([schedule.doctor_id], since, until, except_for=except_for)[schedule.doctor_id]
    return slots.free_slots(
        terms_of(schedule),
        taken,
        length=length,
        now=timezone.now(),
        since=since,
        until=until,
        urgent=urgent,
    )


def next_free(schedule: Schedule, *, length: int, count: int = 3, urgent: bool = False) -> list[Slot]:
    """The first `count` free times from now on."""
    now = timezone.now()
    until = now + timedelta(days=schedule.horizon_days)
    return free_times(schedule, length=length, since=now, until=until, urgent=urgent)[:count]


def next_free_times(doctors: Iterable[int]) -> dict[int, datetime]:
    """The next free time of many doctors, of the shortest visit; those without one are missing.

    A constant number of queries. Who is verified has been decided by whoever asks.
    """
    now = timezone.now()
    schedules = {
        schedule.doctor_id: schedule
        for schedule in Schedule.objects.filter(
            doctor__in=list(doctors), doctor__role=Role.DOCTOR, doctor__is_active=True
        ).prefetch_related("rules", "exceptions")
    }
    if not schedules:
        return {}
    furthest = now + timedelta(days=max(schedule.horizon_days for schedule in schedules.values()))
    taken = taken_from(schedules, now, furthest)
    found = {}
    for doctor, schedule in schedules.items():
        terms = terms_of(schedule)
        first = _first(terms, taken[doctor], now)
        if first is not None:
            found[doctor] = first
    return found


def _first(terms: Terms, taken: list[Taken], now: datetime) -> datetime | None:
    """Looks a stretch at a time: most doctors have something within days."""
    since, end = now, now + timedelta(days=terms.horizon_days)
    while since < end:
        until = min(since + LOOK, end)
        free = slots.free_slots(terms, taken, length=terms.step, now=now, since=since, until=until)
        if free:
            return free[0].start
        since = until
    return None
