"""What becomes of visits when one of the two is erased.

A visit about which a doctor signed something is a medical record: the retention rule keeps it, with what was
signed and when, for DERMA_RETENTION_YEARS, without the patient's own words. Every other one goes. A
doctor's visits belong to the patients' records and stay; what is still to come is called off, the hours go.
"""

import datetime

from django.conf import settings
from django.db.models import Max, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.erasure import erased_people
from accounts.models import User
from accounts.registries import Erasure, Kept
from appointments import booking, notes, visit_files
from appointments.models import (
    Appointment,
    AppointmentEvent,
    AttachedAnalysis,
    CalendarFeed,
    IdempotencyKey,
    PhotoRequest,
    Rating,
    Reminder,
    Schedule,
    ScheduleException,
    Status,
    UrgentFollowUp,
    WaitlistEntry,
    WeeklyRule,
)
from diagnosis.erasing import kept_until

_ERASED = "account erased"


def _kept(visits: QuerySet[Appointment]) -> dict[int, datetime.date]:
    """By primary key: what the retention rule keeps of these, and until when."""
    signed = visits.filter(notes__signed_at__isnull=False).order_by()
    times = signed.values_list("pk").annotate(at=Max("notes__signed_at")).values_list("pk", "at")
    ends = {pk: kept_until(at) for pk, at in times}
    today = timezone.localdate()
    return {pk: end for pk, end in ends.items() if end >= today}


def _sort_out(
    visits: QuerySet[Appointment],
) -> tuple[QuerySet[Appointment], QuerySet[Appointment], list[Kept]]:
    """What goes, what stays, and how that is said."""
    kept = _kept(visits)
    going, staying = visits.exclude(pk__in=kept), visits.filter(pk__in=kept)
    if not kept:
        return going, staying, []
    years: int = settings.DERMA_RETENTION_YEARS
    why = ngettext(
        "A doctor has signed notes about them, and such records are kept for %(years)d year, "
        "without your name.",
        "A doctor has signed notes about them, and such records are kept for %(years)d years, "
        "without your name.",
        years,
    )
    return going, staying, [Kept(_("Visits"), len(kept), max(kept.values()), why % {"years": years})]


def _obstacle(person: User) -> str:
    going_on = Appointment.objects.filter(status=Status.CHECKED_IN)
    if going_on.filter(patient=person).exists() or going_on.filter(doctor=person).exists():
        return _("A visit of yours is going on. Wait until it is over, and try again.")
    return ""


def _preview(person: User) -> tuple[dict[str, int], list[Kept]]:
    if not person.is_patient:
        return {
            _("Hours in which you could be booked"): WeeklyRule.objects.filter(
                schedule__doctor=person
            ).count()
        }, []
    going, _staying, kept = _sort_out(Appointment.objects.filter(patient=person))
    return {_("Visits"): going.count()}, kept


def _erase(person: User) -> tuple[dict[str, int], list[Kept], list[str]]:
    erased, kept = _preview(person)
    booking.end_all(person=person, why=_ERASED)
    CalendarFeed.objects.filter(user=person).delete()
    Reminder.objects.filter(recipient=person).delete()
    IdempotencyKey.objects.filter(user=person).delete()
    if not person.is_patient:
        return erased, kept, _erase_doctor(person)
    PhotoRequest.objects.filter(patient=person).delete()
    UrgentFollowUp.objects.filter(analysis__patient=person).delete()
    WaitlistEntry.objects.filter(patient=person).delete()
    going, staying, kept = _sort_out(Appointment.objects.filter(patient=person))
    _without_words(staying)
    return erased, kept, [*visit_files.erase(staying), *_delete(going)]


def _erase_doctor(doctor: User) -> list[str]:
    """Drafts and hours are the doctor's alone; what was signed is the patients'."""
    WaitlistEntry.objects.filter(doctor=doctor).delete()
    for rows in (WeeklyRule, ScheduleException):
        rows.objects.filter(schedule__doctor=doctor).delete()
    Schedule.objects.filter(doctor=doctor).delete()
    notes.erase_drafts(doctor)
    return []


def _without_words(visits: QuerySet[Appointment]) -> None:
    """What stays says when, and what a doctor signed; nothing in the patient's words."""
    keys = list(visits.values_list("pk", flat=True))
    AppointmentEvent.objects.filter(appointment__in=keys).update(note="")
    Rating.objects.filter(appointment__in=keys).delete()
    Appointment.objects.filter(pk__in=keys).update(reason="", ended_because="", relation=None, follows=None)


def _delete(visits: QuerySet[Appointment]) -> list[str]:
    """Delete rows with all that hangs on them; the names of the files that belonged to them."""
    keys = list(visits.values_list("pk", flat=True))
    going = Appointment.objects.filter(pk__in=keys)
    notes.erase(going)
    files = visit_files.erase(going)
    for model in (AppointmentEvent, AttachedAnalysis, IdempotencyKey, PhotoRequest, Rating, Reminder):
        model.objects.filter(appointment__in=keys).delete()  # type: ignore[attr-defined]
    WaitlistEntry.objects.filter(appointment__in=keys).delete()
    WaitlistEntry.objects.filter(offer__in=keys).delete()
    UrgentFollowUp.objects.filter(appointment__in=keys).delete()
    Appointment.objects.filter(follows__in=keys).update(follows=None)
    going.delete()
    return files


def erase_lapsed() -> list[str]:
    """Delete visits of people who have gone that nothing keeps any longer."""
    going, _staying, _said = _sort_out(Appointment.objects.filter(patient__in=erased_people()))
    return _delete(going)


ERASURE = Erasure(preview=_preview, erase=_erase, obstacle=_obstacle)
