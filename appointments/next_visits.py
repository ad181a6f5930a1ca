"""The times at which a doctor can book the next visit of a patient, and where to begin looking."""

import datetime
from datetime import timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone

from appointments import notes
from appointments.booking import ALTERNATIVES, without_notice
from appointments.models import Appointment, Schedule
from appointments.picking import Picking, Wanted, free_for, pick
from appointments.slots import Slot

LOOK_FOR = timedelta(days=14)  # for other times, after the one that was taken


def asked_for(after: Appointment) -> datetime.date | None:
    """By when the doctor wrote that the patient should come again."""
    note = notes.latest_signed(after)
    return note.follow_up_on if note else None


def last_day(schedule: Schedule, zone: ZoneInfo) -> datetime.date:
    """The last one that the doctor's terms open."""
    return timezone.localdate(timezone.now() + timedelta(days=schedule.horizon_days), zone)


def picking(after: Appointment, schedule: Schedule, wanted: Wanted, zone: ZoneInfo) -> Picking:
    """What is asked to be seen; else the free day nearest to the one that the signed note names."""
    schedule = without_notice(schedule)
    wanted = Wanted(wanted.length or after.minutes, wanted.month, wanted.day)
    day = asked_for(after)
    if day is None or wanted.month or wanted.day:
        return _pick(after, schedule, wanted, zone)
    month = _pick(after, schedule, Wanted(wanted.length, month=day), zone)
    free = [each.date for week in month.weeks for each in week if each and each.count]
    if not free:
        return month
    nearest = min(free, key=lambda date: (abs(date - day), date))
    return _pick(after, schedule, Wanted(wanted.length, day=nearest), zone)


def _pick(after: Appointment, schedule: Schedule, wanted: Wanted, zone: ZoneInfo) -> Picking:
    return pick(schedule, wanted, patient=after.patient, zone=zone, urgent=True)


def length_of(after: Appointment, schedule: Schedule) -> int:
    """As long as the one before, where the doctor still offers that."""
    return after.minutes if after.minutes in schedule.lengths else schedule.lengths[0]


def free(
    after: Appointment,
    schedule: Schedule,
    *,
    length: int,
    since: datetime.datetime,
    until: datetime.datetime,
) -> list[Slot]:
    """The times in [since, until) that the doctor can give this patient."""
    schedule = without_notice(schedule)
    return free_for(after.patient, schedule, length=length, since=since, until=until, urgent=True)


def alternatives(after: Appointment, schedule: Schedule, start: datetime.datetime, length: int) -> list[Slot]:
    """The next free times from the one that was taken: whoever looks in spring is not offered tomorrow."""
    return free(after, schedule, length=length, since=start, until=start + LOOK_FOR)[:ALTERNATIVES]
