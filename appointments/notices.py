"""What is told to people about visits, by the one way to write to a person."""

from datetime import datetime
from typing import Any

from django.dispatch import receiver
from django.urls import reverse

from accounts.models import NoticeGroup, User
from accounts.notifications import notify
from appointments import calendars
from appointments.models import CANCELLED, Appointment, Status, WaitlistEntry
from appointments.signals import Happened, visit_changed
from dermaplatform.addresses import absolute

# What both are told; checking in and not coming are known to those who are there, or are not.
_TOLD = {
    Happened.REQUESTED: "visit_requested",
    Happened.CONFIRMED: "visit_confirmed",
    Happened.BOOKED_NEXT: "visit_booked_next",
    Happened.DECLINED: "visit_declined",
    Happened.CANCELLED: "visit_cancelled",
    Happened.EXPIRED: "visit_expired",
    Happened.MOVED: "visit_moved",
    Happened.FLAGGED: "visit_flagged",
}
# The doctor has completed it, or knows that the licence is in force again.
_TOLD_TO_PATIENT = {Happened.COMPLETED: "visit_completed", Happened.UNFLAGGED: "visit_unflagged"}
GROUPS = {
    **dict.fromkeys(
        [*_TOLD.values(), *_TOLD_TO_PATIENT.values(), "visit_offer", "visit_summary"], NoticeGroup.VISITS
    ),
    "visit_reminder": NoticeGroup.REMINDERS,
}
_IN_CALENDARS = frozenset(
    {
        Happened.CONFIRMED,
        Happened.BOOKED_NEXT,
        Happened.DECLINED,
        Happened.CANCELLED,
        Happened.EXPIRED,
        Happened.MOVED,
    }
)


@receiver(visit_changed, sender=Appointment)
def _tell(
    appointment: Appointment,
    happened: Happened,
    by: User | None = None,
    start_before: datetime | None = None,
    **signal: Any,
) -> None:
    """Inside the transaction of the step: what is undone is told to nobody."""
    kind = _TOLD.get(happened) or _TOLD_TO_PATIENT.get(happened)
    if kind is None or (happened == Happened.COMPLETED and by is None):
        return  # a day after a visit that nobody ended, “read what the doctor has written” may be untrue
    people = [appointment.patient, appointment.doctor] if happened in _TOLD else [appointment.patient]
    with_calendar = happened in _IN_CALENDARS and _is_in_calendars(appointment)
    for person in people:
        context = about(appointment, person) | {"by_reader": by is not None and by.pk == person.pk}
        if start_before:
            context["start_before"] = start_before
        calendar = calendars.invitation(appointment, person) if with_calendar else ""
        notify(person, kind, calendar=calendar, **context)


def about(visit: Appointment, person: User) -> dict[str, Any]:
    """What a message about a visit may say: when, and to whom of the two it speaks; nobody's name."""
    return {
        "link": absolute(visit.get_absolute_url()),
        "start": visit.start,
        "is_doctor": person.pk == visit.doctor_id,
        "is_request": visit.status == Status.REQUESTED,
    }


def _is_in_calendars(visit: Appointment) -> bool:
    """A request that nobody has confirmed yet has never been in a calendar, so nothing takes it out."""
    if visit.status not in (*CANCELLED, Status.REQUESTED):
        return True
    return visit.events.filter(to_status=Status.CONFIRMED).exists()


def offer(entry: WaitlistEntry) -> None:
    """Tell somebody on the waiting list that a time is kept for them, in the present transaction."""
    offered = entry.offer
    if offered is not None and offered.expires_at is not None:
        link = absolute(reverse("appointments:offer", args=[entry.public_id]))
        notify(entry.patient, "visit_offer", link=link, until=offered.expires_at)
