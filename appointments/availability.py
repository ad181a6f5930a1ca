"""Doctors' free times, from the rows."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils import timezone

from accounts.models import DoctorApplication, Role, User
from appointments import slots
from appointments.models import Appointment, ExceptionKind, Schedule, ScheduleException, WeeklyRule
from appointments.slots import Slot, Taken, Terms

# What a day of any calendar may hold: it has 25 hours at times, and 48 where it comes twice.
AROUND = timedelta(days=2)
# How far ahead the directory looks for everybody, before it looks further for those who have nothing.
NEAR = timedelta(days=7)
FURTHEST = timedelta(days=368)  # beyond any horizon, and the visit that begins there


def terms_of(schedule: Schedule) -> Terms:
    """A schedule with its rules and exceptions (prefetched or not) as plain values."""
    return replace(
        _bare_terms(schedule),
        rules=tuple(rule_of(rule) for rule in schedule.rules.all()),
        exceptions=tuple(exceptional_of(exception) for exception in schedule.exceptions.all()),
    )


def _bare_terms(schedule: Schedule) -> Terms:
    return Terms(
        zone=ZoneInfo(schedule.time_zone),
        lengths=tuple(schedule.lengths),
        buffer_before=schedule.buffer_before,
        buffer_after=schedule.buffer_after,
        notice_hours=schedule.notice_hours,
        horizon_days=schedule.horizon_days,
        visits_a_day=schedule.visits_a_day,
        release_hours=schedule.release_hours,
    )


def _hours(row: WeeklyRule | ScheduleException) -> slots.Hours:
    return slots.Hours(row.begins, row.ends, row.place, row.for_urgent)


def rule_of(rule: WeeklyRule) -> slots.Rule:
    return slots.Rule(rule.weekday, _hours(rule), rule.valid_from, rule.valid_until)


def exceptional_of(exception: ScheduleException) -> slots.Exceptional:
    return slots.Exceptional(exception.kind, exception.first_day, exception.last_day, _hours(exception))


def taken_from(
    doctors: Iterable[int], since: datetime, until: datetime, *, except_for: Appointment | None = None
) -> dict[int, list[Taken]]:
    """By doctor: all that blocks their time from a day before until a day after; stale holds do not."""
    now = timezone.now()
    rows = Appointment.objects.occupying().filter(
        doctor__in=list(doctors), blocked_until__gt=since - AROUND, blocked_from__lt=until + AROUND
    )
    if except_for is not None:
        rows = rows.exclude(pk=except_for.pk)
    found: dict[int, list[Taken]] = defaultdict(list)
    for doctor, expires, *times in rows.order_by().values_list(
        "doctor", "expires_at", "blocked_from", "blocked_until", "start"
    ):
        if expires is None or expires > now:
            found[doctor].append(Taken(*times))
    return found


def busy_of(
    patient: User | None, since: datetime, until: datetime, *, except_for: Appointment | None = None
) -> list[tuple[datetime, datetime]]:
    """When this patient has something else already, with whomever; stale holds do not count. One query."""
    if patient is None:
        return []
    now = timezone.now()
    rows = Appointment.objects.occupying().filter(patient=patient, start__lt=until, end__gt=since)
    if except_for is not None:
        rows = rows.exclude(pk=except_for.pk)
    return [
        (start, end)
        for start, end, expires in rows.order_by().values_list("start", "end", "expires_at")
        if expires is None or expires > now
    ]


def clear_of(free: Iterable[Slot], busy: Collection[tuple[datetime, datetime]]) -> Iterator[Slot]:
    """Those that lie over nothing in `busy`, one after the other."""
    return (slot for slot in free if not any(slot.start < end and slot.end > start for start, end in busy))


def bookable(doctor: User) -> Schedule | None:
    """The schedule of a verified doctor who has one."""
    verified = DoctorApplication.objects.in_force().filter(doctor=doctor)
    if not (doctor.is_active and doctor.is_doctor and verified.exists()):
        return None
    return Schedule.objects.prefetch_related("rules", "exceptions").filter(doctor=doctor).first()


def has_hours(schedule: Schedule) -> bool:
    """Whether the doctor sees patients at all: in some weeks, or on single days that are to come."""
    today = timezone.localdate(timezone=ZoneInfo(schedule.time_zone))
    return bool(schedule.rules.all()) or any(
        exception.kind != ExceptionKind.OFF and exception.last_day >= today
        for exception in schedule.exceptions.all()
    )


def free_times(
    schedule: Schedule,
    *,
    length: int,
    since: datetime,
    until: datetime,
    urgent: bool = False,
    except_for: Appointment | None = None,
) -> list[Slot]:
    """Times in [since, until) at which a visit of so many minutes can begin; one to three queries."""
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


def next_free(
    schedule: Schedule,
    *,
    length: int,
    count: int = 3,
    urgent: bool = False,
    patient: User | None = None,
    except_for: Appointment | None = None,
) -> list[Slot]:
    """The first `count` free times from now on; of a patient, those at which they have nothing else."""
    now = timezone.now()
    until = now + timedelta(days=schedule.horizon_days)
    taken = taken_from([schedule.doctor_id], now, until, except_for=except_for)[schedule.doctor_id]
    free = slots.each_free(
        terms_of(schedule), taken, length=length, now=now, since=now, until=until, urgent=urgent
    )
    busy = busy_of(patient, now, until + AROUND, except_for=except_for)
    return list(islice(clear_of(free, busy), count))


def next_free_times(doctors: Iterable[int]) -> dict[int, datetime]:
    """The next free time of many doctors, of the shortest visit; those without one are missing.

    Five queries at most, however many there are. Who is verified has been decided by whoever asks.
    """
    return {doctor: free[0].start for doctor, free in next_free_slots(doctors, count=1).items()}


def next_free_slots(
    doctors: Iterable[int],
    *,
    count: int,
    urgent: bool = False,
    patient: User | None = None,
    except_for: Appointment | None = None,
) -> dict[int, list[Slot]]:
    """The first `count` free times of each, of the shortest visit; for a patient it is one query more."""
    now = timezone.now()
    terms = _terms_of_many(list(doctors), now)
    found: dict[int, list[Slot]] = {doctor: [] for doctor in terms}
    busy = busy_of(patient, now, now + FURTHEST, except_for=except_for)
    for since, until in ((now, now + NEAR), (now + NEAR, now + FURTHEST)):
        left = {doctor: its for doctor, its in terms.items() if len(found[doctor]) < count}
        furthest = now + timedelta(days=max((its.horizon_days for its in left.values()), default=0))
        if since >= furthest:
            continue
        taken = taken_from(left, since, min(until, furthest), except_for=except_for)
        for doctor, its in left.items():
            free = slots.each_free(
                its, taken[doctor], length=its.step, now=now, since=since, until=until, urgent=urgent
            )
            found[doctor] += islice(clear_of(free, busy), count - len(found[doctor]))
    return {doctor: free for doctor, free in found.items() if free}


def _terms_of_many(doctors: Collection[int], now: datetime) -> dict[int, Terms]:
    """By doctor, in three queries; what is over is left out, and no row becomes an object on the way."""
    schedules = {
        schedule.pk: schedule
        for schedule in Schedule.objects.filter(
            doctor__in=doctors, doctor__role=Role.DOCTOR, doctor__is_active=True
        )
    }
    if not schedules:
        return {}
    yesterday = (now - AROUND).date()
    rules, exceptions = _rules_of_many(schedules, yesterday), _exceptions_of_many(schedules, yesterday)
    return {
        schedule.doctor_id: replace(
            _bare_terms(schedule), rules=tuple(rules[pk]), exceptions=tuple(exceptions[pk])
        )
        for pk, schedule in schedules.items()
    }


_HOURS = ("begins", "ends", "place", "for_urgent")


def _rules_of_many(schedules: Collection[int], since: date) -> dict[int, list[slots.Rule]]:
    rows: Any = (
        WeeklyRule.objects.filter(schedule__in=schedules)
        .filter(Q(valid_until=None) | Q(valid_until__gte=since))
        .values_list("schedule", "weekday", "valid_from", "valid_until", *_HOURS)
    )
    rules: dict[int, list[slots.Rule]] = defaultdict(list)
    for schedule, weekday, valid_from, valid_until, *hours in rows:
        rules[schedule].append(slots.Rule(weekday, slots.Hours(*hours), valid_from, valid_until))
    return rules


def _exceptions_of_many(schedules: Collection[int], since: date) -> dict[int, list[slots.Exceptional]]:
    rows: Any = ScheduleException.objects.filter(schedule__in=schedules, last_day__gte=since).values_list(
        "schedule", "kind", "first_day", "last_day", *_HOURS
    )
    exceptions: dict[int, list[slots.Exceptional]] = defaultdict(list)
    for schedule, kind, first_day, last_day, *hours in rows:
        exceptions[schedule].append(slots.Exceptional(kind, first_day, last_day, slots.Hours(*hours)))
    return exceptions
