"""Visits for calendar programs (RFC 5545, 5546): what is attached to mails, and the feed.

Nothing clinical: when, by video or at the clinic, and the address of the page. Times are in UTC, so no
program has to know a zone.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parseaddr
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from icalendar import Calendar, Event, vCalAddress, vText

from accounts.models import User
from accounts.reading import as_read_by
from accounts.relations import name_of
from appointments.models import CANCELLED, Appointment, Status
from dermaplatform.addresses import absolute

_PRODUCT = "-//Derma//Visits//EN"


def invitation(visit: Appointment, recipient: User) -> str:
    """A visit as it is now, to be put into this person's calendar, or taken out of it if it is off."""
    is_off = visit.status in CANCELLED
    with as_read_by(recipient):
        calendar = _calendar()
        calendar.add("method", "CANCEL" if is_off else "REQUEST")
        event = _event(visit, _("Visit booked with Derma"), timezone.now())
        organiser = vCalAddress(f"mailto:{parseaddr(settings.DEFAULT_FROM_EMAIL)[1]}")
        organiser.params["CN"] = vText("Derma")
        event["organizer"] = organiser
        attendee = vCalAddress(f"mailto:{recipient.email}")
        attendee.params["ROLE"] = vText("REQ-PARTICIPANT")
        attendee.params["PARTSTAT"] = vText("ACCEPTED")
        attendee.params["RSVP"] = vText("FALSE")
        event.add("attendee", attendee, encode=False)
        calendar.add_component(event)
    return _text(calendar)


def feed(user: User, visits: Iterable[tuple[Appointment, datetime]], *, with_names: bool) -> str:
    """This person's visits, each with its last change: the same text for as long as nothing has changed."""
    with as_read_by(user):
        calendar = _calendar()
        calendar.add("x-wr-calname", _("Visits (Derma)"))
        for visit, changed_at in visits:
            calendar.add_component(_event(visit, _title(visit, user, with_names), changed_at))
    return _text(calendar)


def _title(visit: Appointment, user: User, with_names: bool) -> str:
    """A patient reads the doctor's name; a doctor reads the patient's only where they asked for it."""
    if user.pk == visit.patient_id:
        return _("Visit: %(name)s") % {"name": name_of(visit.doctor)}
    return _("Visit: %(name)s") % {"name": visit.patient.name} if with_names else _("Visit")


def _calendar() -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    return calendar


def _event(visit: Appointment, title: str, stamp: datetime) -> Event:
    event = Event()
    event.add("uid", uid(visit))
    event.add("sequence", visit.sequence)
    event.add("dtstamp", stamp.astimezone(UTC))
    event.add("dtstart", visit.start.astimezone(UTC))
    event.add("dtend", visit.end.astimezone(UTC))
    event.add("summary", title)
    event.add("location", visit.get_place_display())
    event.add("url", absolute(visit.get_absolute_url()))
    event.add("class", "PRIVATE")
    event.add("status", _state(visit))
    return event


def uid(visit: Appointment) -> str:
    """The same for as long as the visit exists, wherever it is moved."""
    return f"{visit.public_id}@{urlsplit(settings.SITE_URL).hostname}"


def _state(visit: Appointment) -> str:
    if visit.status in CANCELLED:
        return "CANCELLED"
    return "TENTATIVE" if visit.status == Status.REQUESTED else "CONFIRMED"


def _text(calendar: Calendar) -> str:
    return str(calendar.to_ical(), encoding="utf-8")
