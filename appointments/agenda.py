"""A doctor's days: which visits lie in them, which requests wait."""

import datetime
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, QuerySet
from django.utils import timezone

from accounts.models import User
from appointments import visits
from appointments.models import BOOKED, Appointment, Status

# What takes place, took place or should have; what was called off is nothing to plan with.
SHOWN = (Status.REQUESTED, Status.CONFIRMED, Status.CHECKED_IN, Status.COMPLETED, Status.NO_SHOW)


@dataclass(frozen=True)
class Day:
    day: datetime.date
    visits: list[Appointment]


def days(doctor: User, first: datetime.date, number: int) -> list[Day]:
    """So many days of the doctor's calendar with their visits, by the doctor's clock; one query."""
    zone = doctor.zone
    since, until = (
        datetime.datetime.combine(day, datetime.time.min, tzinfo=zone)
        for day in (first, first + timedelta(days=number))
    )
    shown = visits.visible(doctor).filter(status__in=SHOWN, start__gte=since, start__lt=until)
    by_day: dict[datetime.date, list[Appointment]] = {
        first + timedelta(days=ahead): [] for ahead in range(number)
    }
    for appointment in shown.annotate(pictures=Count("attached")).order_by("start", "pk"):
        by_day[timezone.localdate(appointment.start, zone)].append(appointment)
    return [Day(day, found) for day, found in by_day.items()]


def next_of(day: Day) -> Appointment | None:
    """The visit of a day that goes on or comes next."""
    for appointment in day.visits:
        if appointment.is_coming and appointment.status != Status.REQUESTED:
            return appointment
    return None


def next_day(doctor: User, after: datetime.date) -> datetime.date | None:
    """The next day, by the doctor's clock, on which a visit is to take place."""
    midnight = datetime.datetime.combine(after + timedelta(days=1), datetime.time.min, tzinfo=doctor.zone)
    coming = visits.visible(doctor).filter(status__in=BOOKED, start__gte=midnight)
    first = coming.order_by("start").values_list("start", flat=True).first()
    return timezone.localdate(first, doctor.zone) if first else None


def requests_waiting(doctor: User) -> QuerySet[Appointment]:
    """What waits for the doctor's answer: urgent ones first, then what ends first."""
    waiting = visits.visible(doctor).filter(status=Status.REQUESTED, expires_at__gt=timezone.now())
    return waiting.annotate(pictures=Count("attached")).order_by("-urgent", "expires_at", "pk")


def monday_of(day: datetime.date) -> datetime.date:
    return day - timedelta(days=day.weekday())
