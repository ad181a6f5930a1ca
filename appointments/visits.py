"""A visit as its page shows it: what is open to whom, when, where, and what happened so far."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext as _

from accounts.access import open_to
from accounts.directory import public_doctors
from accounts.models import User
from accounts.relations import name_of
from accounts.selectors import is_verified_doctor
from appointments.models import (
    BOOKED,
    CANCELLED,
    Actor,
    Appointment,
    AppointmentEvent,
    Place,
    Status,
    VisitNote,
)
from appointments.models.appointments import AppointmentQuerySet
from diagnosis.models import Analysis

OPENS_BEFORE = timedelta(minutes=10)
FOLLOW_UPS_SHOWN = 5


def visible(user: object) -> AppointmentQuerySet:
    """Visits of this person, with the two who meet."""
    return Appointment.objects.visible_to(user).select_related(
        "patient", "doctor__doctor_profile", "relation"
    )


def coming(patient: User) -> QuerySet[Appointment]:
    """What this patient has booked, or holds for a moment; the next first."""
    now = timezone.now()
    held = Q(status=Status.HELD, expires_at__gt=now)
    return visible(patient).filter(held | Q(status__in=BOOKED, end__gt=now)).order_by("start", "pk")


def past(patient: User) -> QuerySet[Appointment]:
    """Visits that are over, and those that were called off; the latest first."""
    over = Q(end__lte=timezone.now()) | ~Q(status__in=BOOKED)
    return visible(patient).filter(over, booked_at__isnull=False).order_by("-start", "-pk")


def open_records(user: object, patients: Collection[int]) -> set[int]:
    """Which of these patients' records, by primary key, are open to this doctor as a whole."""
    if not patients or not isinstance(user, User) or not user.is_doctor:
        return set()
    rule = open_to(user, patient="pk", item=None)
    return set(User.objects.filter(rule, pk__in=patients).values_list("pk", flat=True))


def is_open_to(appointment: Appointment, user: User) -> bool:
    """Whether this person may read what the patient said and showed: the doctor while the record is open."""
    if user.pk == appointment.patient_id:
        return True
    if user.pk != appointment.doctor_id:
        return False
    return bool(open_records(user, [appointment.patient_id]))


def attached(appointment: Appointment, user: User) -> QuerySet[Analysis]:
    """The analyses that the patient wants to talk about, as far as they are open to this person."""
    mine = Analysis.objects.visible_to(user).filter(attached_to__appointment=appointment)
    return mine.order_by("attached_to__pk")


@dataclass(frozen=True)
class Room:
    """Where a video visit takes place. `url` is empty while the room is shut."""

    opens_at: datetime
    url: str


def room(appointment: Appointment) -> Room | None:
    """The room of a video visit that is still to come; only the two who meet are ever shown it."""
    waits = appointment.place == Place.VIDEO and appointment.is_coming
    if not waits or not is_verified_doctor(appointment.doctor):
        return None
    opens_at = appointment.start - OPENS_BEFORE
    sure = appointment.status in (Status.CONFIRMED, Status.CHECKED_IN)
    is_open = sure and opens_at <= timezone.now()
    base = settings.DERMA_VIDEO_BASE.rstrip("/")
    return Room(opens_at, f"{base}/derma-{appointment.room.hex}" if is_open else "")


def countdown(appointment: Appointment) -> str:
    """How long until then, in words; nothing for a visit that does not take place."""
    now = timezone.now()
    if appointment.status in CANCELLED:
        return ""
    if appointment.end <= now:
        return _("%(time)s ago") % {"time": timesince(appointment.end, now, depth=1)}
    if appointment.start <= now:
        return _("going on now")
    if appointment.start - now < timedelta(minutes=1):
        return _("in less than a minute")
    return _("in %(time)s") % {"time": timeuntil(appointment.start, now, depth=2)}


def elsewhere(appointment: Appointment, reader: User) -> str:
    """When it is on the clock of the other one; nothing if both clocks show the same."""
    other = appointment.doctor if reader.pk == appointment.patient_id else appointment.patient
    theirs = appointment.start.astimezone(other.zone)
    if theirs.utcoffset() == appointment.start.astimezone(reader.zone).utcoffset():
        return ""
    return _("It is %(time)s where %(person)s is (%(zone)s)") % {
        "time": date_format(theirs, "DATETIME_FORMAT"),
        "person": name_of(other),
        "zone": other.time_zone.replace("_", " "),
    }


@dataclass(frozen=True)
class Happening:
    """One step of a visit in words."""

    at: datetime
    words: str
    note: str


def history(appointment: Appointment, reader: User) -> list[Happening]:
    """What happened to a visit, the first first. How its time was held is nobody's business later."""
    events = appointment.events.exclude(to_status=Status.HELD).select_related("by__doctor_profile")
    return [_told(event, reader) for event in events]


def _told(event: AppointmentEvent, reader: User) -> Happening:
    status = Status(event.to_status)
    if event.start_before is not None:
        before = date_format(timezone.localtime(event.start_before), "DATETIME_FORMAT")
        words = _("Moved; it was %(time)s before") % {"time": before}
    elif not event.from_status and status == Status.CONFIRMED:
        words = _("Booked as the next visit")
    else:
        words = str(status.label)
    if event.by is not None:
        who = _("you") if event.by == reader else name_of(event.by)
        words = _("%(what)s, by %(who)s") % {"what": words, "who": who}
    # The clockwork's notes are for those who run it.
    spoken = event.by is not None and status in CANCELLED
    return Happening(event.at, words, event.note if spoken else "")


def followed_by(appointment: Appointment) -> QuerySet[Appointment]:
    """The coming visits that were booked as the next ones after it."""
    return Appointment.objects.coming().filter(follows=appointment)


def is_the_doctors_choice(appointment: Appointment) -> bool:
    """Whether the doctor booked it for the patient."""
    return appointment.events.filter(from_status="", actor=Actor.DOCTOR).exists()


def follow_up(note: VisitNote | None) -> VisitNote | None:
    """The note if it asks for a next visit that nobody has booked yet."""
    if note is None or note.follow_up_on is None:
        return None
    visit = note.appointment
    return None if _next_of(visit.patient_id, visit.doctor_id, visit.start).exists() else note


def follow_ups(patient: User) -> list[VisitNote]:
    """The next visits that doctors asked this patient for and that can be booked; what is due first."""
    next_one = _next_of(
        OuterRef("appointment__patient"), OuterRef("appointment__doctor"), OuterRef("appointment__start")
    )
    latest = VisitNote.objects.filter(
        ~Exists(next_one),
        appointment__patient=patient,
        appointment__doctor__in=public_doctors().values("user"),
        signed_at__isnull=False,
        amendments__signed_at=None,
    ).exclude(follow_up_on=None)
    notes = latest.select_related("appointment__doctor__doctor_profile").order_by("follow_up_on", "pk")
    return list(notes[:FOLLOW_UPS_SHOWN])


def _next_of(patient: Any, doctor: Any, start: Any) -> QuerySet[Appointment]:
    """What the two have booked after that moment, also once it has taken place."""
    lasting = (*BOOKED, Status.COMPLETED)
    return Appointment.objects.filter(status__in=lasting, patient=patient, doctor=doctor, start__gt=start)
