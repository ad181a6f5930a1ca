"""Reminders a day and an hour before a visit, never twice, whatever happened to the worker meanwhile.

Nobody is reminded of what they have only just been told: who books for this afternoon has the confirmation.
"""

from datetime import datetime, timedelta

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from accounts import notices as told
from accounts.models import User
from accounts.notices import Way
from accounts.notifications import notify
from appointments.booking.steps import changing
from appointments.models import Appointment, Reminder, ReminderKind, Status
from appointments.notices import about

log = structlog.get_logger(__name__)

KIND = "visit_reminder"
BEFORE = {ReminderKind.DAY: timedelta(hours=24), ReminderKind.HOUR: timedelta(hours=1)}


def send_due() -> int:
    """Remind both of every visit whose time has come; how many reminders. For the clockwork.

    After a pause only the nearer of the two is sent, and none once the visit has begun.
    """
    now = timezone.now()
    soon = Appointment.objects.filter(
        status=Status.CONFIRMED, start__gt=now, start__lte=now + BEFORE[ReminderKind.DAY]
    )
    sent = 0
    soon = soon.select_related("patient", "doctor").prefetch_related("events")
    for visit in soon.order_by("start", "pk"):
        if not _open(visit, kind_due(visit.start, now, sure_since(visit))):
            continue
        try:
            sent += _remind(visit)
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            log.exception("reminder_failed", visit=visit.pk, error=type(error).__name__)
    return sent


def kind_due(start: datetime, now: datetime, since: datetime) -> ReminderKind | None:
    """The nearer of the reminders whose time has come for a visit that has this start since then."""
    left = start - now
    if left <= timedelta(0):
        return None
    due = [kind for kind, before in BEFORE.items() if left <= before < start - since]
    return min(due, key=BEFORE.__getitem__, default=None)


def sure_since(visit: Appointment) -> datetime:
    """When both were last told that it takes place then: it was booked, confirmed by hand or moved there."""
    told_of = [
        event.at
        for event in visit.events.all()
        if event.to_status == Status.CONFIRMED and event.start_before != visit.start
    ]
    return max([visit.booked_at or visit.created_at, *told_of])


def _open(visit: Appointment, kind: ReminderKind | None) -> list[tuple[User, Way]]:
    """Who has yet to be told, and by which way; the ways that a person did not choose are not."""
    if kind is None:
        return []
    given = set(
        Reminder.objects.filter(appointment=visit, kind=kind, start=visit.start).values_list(
            "recipient", "channel"
        )
    )
    return [
        (person, way)
        for person in (visit.patient, visit.doctor)
        if person.is_active
        for way in sorted(told.ways(person, KIND))
        if (person.pk, way.value) not in given
    ]


def _remind(visit: Appointment) -> int:
    """The rows first, then the words, while nobody else changes the visit or reminds of it."""
    with changing(visit):
        kind = kind_due(visit.start, timezone.now(), sure_since(visit))
        if kind is None or visit.status != Status.CONFIRMED:
            return 0
        due = _open(visit, kind)
        Reminder.objects.bulk_create(
            Reminder(appointment=visit, kind=kind, start=visit.start, recipient=person, channel=way.value)
            for person, way in due
        )
        for person in {person.pk: person for person, _way in due}.values():
            ways = {way for who, way in due if who == person}
            notify(person, KIND, by=ways, **about(visit, person))
    return len(due)
