"""What becomes of visits when one of the two is erased.

A visit with a note that a doctor has signed is a medical record, and the retention rule keeps it for
DERMA_RETENTION_YEARS from the last signature, without saying whose it is. A coming visit is called off, and a
bare row of it stays until its time is over, so that the other one can see what became of it. Every other
visit goes, with all that hangs on it.

Roles change: everybody is erased as the patient and as the doctor that they may have been.
"""

import datetime

from django.conf import settings
from django.db.models import Max, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.erasure import erased_people
from accounts.models import Notice, User
from accounts.registries import Erasure, Kept
from appointments import booking, notes, visit_files
from appointments.models import (
    ON_LIST,
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
    VisitNote,
    WaitlistEntry,
    WaitStatus,
    WeeklyRule,
)
from diagnosis.erasing import kept_until

_WHY = "erased"  # stands in the history of what is called off


def _visits_of(person: User) -> QuerySet[Appointment]:
    return Appointment.objects.filter(Q(patient=person) | Q(doctor=person))


def _obstacle(person: User) -> str:
    """A visit is going on; one that nobody closed afterwards is no obstacle."""
    now = timezone.now()
    going_on = Q(status=Status.CHECKED_IN) | Q(status=Status.CONFIRMED, start__lte=now)
    if _visits_of(person).filter(going_on, end__gt=now).exists():
        return _("You have a visit right now. Wait until it is over, and try again.")
    return ""


# What is kept


def _kept(visits: QuerySet[Appointment]) -> dict[int, datetime.date]:
    """By primary key: which of these visits the retention rule keeps, and until when."""
    signed = VisitNote.objects.filter(appointment__in=visits.order_by(), signed_at__isnull=False)
    latest = signed.order_by().values_list("appointment").annotate(at=Max("signed_at"))
    today = timezone.localdate()
    ends = {key: kept_until(at) for key, at in latest.values_list("appointment", "at")}
    return {key: end for key, end in ends.items() if end >= today}


def _told_of(kept: dict[int, datetime.date]) -> list[Kept]:
    if not kept:
        return []
    years: int = settings.DERMA_RETENTION_YEARS
    why = ngettext(
        "A doctor has signed notes about them, and such records are kept for %(years)d year, "
        "without your name.",
        "A doctor has signed notes about them, and such records are kept for %(years)d years, "
        "without your name.",
        years,
    )
    return [Kept(_("Visits with their notes"), len(kept), max(kept.values()), why % {"years": years})]


# Before and after


def _preview(person: User) -> tuple[dict[str, int], list[Kept]]:
    kept = _kept(Appointment.objects.filter(patient=person))
    counts = _counts_of_patient(person, kept) | _counts_of_doctor(person)
    counts[_("Private addresses of your calendar")] = CalendarFeed.objects.filter(user=person).count()
    return counts, _told_of(kept)


def _counts_of_patient(patient: User, kept: dict[int, datetime.date]) -> dict[str, int]:
    visits = Appointment.objects.filter(patient=patient, booked_at__isnull=False).exclude(pk__in=kept)
    return {
        _("Visits"): visits.count(),
        _("Ratings of visits"): Rating.objects.filter(appointment__patient=patient).count(),
        _("Places on waiting lists"): WaitlistEntry.objects.filter(patient=patient).count(),
        _("Pictures that doctors asked for"): PhotoRequest.objects.filter(patient=patient).count(),
    }


def _counts_of_doctor(doctor: User) -> dict[str, int]:
    return {
        _("Coming visits, which are called off"): Appointment.objects.coming().filter(doctor=doctor).count(),
        _("Hours and terms of a doctor"): Schedule.objects.filter(doctor=doctor).count(),
        _("Drafts of notes"): VisitNote.objects.filter(author=doctor, signed_at=None).count(),
    }


def _erase(person: User) -> tuple[dict[str, int], list[Kept], list[str]]:
    """Call off first, so that the others are told; then what was told of goes."""
    erased, kept = _preview(person)
    told_before = list(person.notices.values_list("pk", flat=True))
    booking.end_all(person=person, why=_WHY)
    person.notices.exclude(pk__in=told_before).delete()  # whoever leaves knows it
    _erase_own_things(person)
    _erase_doctor(person)
    return erased, kept, _erase_patient(person)


def _erase_own_things(person: User) -> None:
    CalendarFeed.objects.filter(user=person).delete()
    IdempotencyKey.objects.filter(user=person).delete()
    Reminder.objects.filter(recipient=person).delete()


# A patient


def _erase_patient(patient: User) -> list[str]:
    """The names of the files that went."""
    visits = Appointment.objects.filter(patient=patient)
    kept = _kept(visits)
    WaitlistEntry.objects.filter(patient=patient).delete()
    PhotoRequest.objects.filter(patient=patient).delete()
    UrgentFollowUp.objects.filter(analysis__patient=patient).delete()
    VisitNote.objects.filter(appointment__in=kept, signed_at=None).delete()
    Rating.objects.filter(appointment__in=kept).delete()
    # The relations go, and say no more which doctor could read the record until when.
    visits.update(relation=None)
    going = visits.exclude(pk__in=kept)
    files = _strip(going)
    _delete(going.filter(Q(end__lte=timezone.now()) | Q(booked_at=None)))
    return files


def _strip(visits: QuerySet[Appointment]) -> list[str]:
    """Leave of these visits that there was one, when, with whom, and that it does not take place."""
    files = visit_files.erase(visits)
    notes.erase(visits)
    keys = list(visits.values_list("pk", flat=True))
    for model in (AttachedAnalysis, Rating, Reminder, IdempotencyKey):
        model._default_manager.filter(appointment__in=keys).delete()
    AppointmentEvent.objects.filter(appointment__in=keys).exclude(note="").update(note=_WHY)
    Appointment.objects.filter(pk__in=keys).update(reason="", ended_because="", urgent=False)
    return files


def _delete(visits: QuerySet[Appointment]) -> None:
    """Delete bare rows. A visit that is kept may have followed one of them."""
    pages = {visit.pk: visit.get_absolute_url() for visit in visits}
    keys = list(pages)
    # What doctors were told would lead nowhere.
    Notice.objects.filter(recipient__in=visits.values("doctor"), url__in=pages.values()).delete()
    AppointmentEvent.objects.filter(appointment__in=keys).delete()
    Appointment.objects.filter(Q(follows__in=keys) | Q(pk__in=keys)).update(follows=None)
    Appointment.objects.filter(pk__in=keys).delete()


def erase_lapsed() -> list[str]:
    """Erase visits of patients who have gone that nothing keeps any longer."""
    over = Appointment.objects.filter(patient__in=erased_people(), end__lte=timezone.now())
    # The primary keys: on the way the rows lose what they were found by.
    keys = list(over.exclude(pk__in=_kept(over)).values_list("pk", flat=True))
    going = Appointment.objects.filter(pk__in=keys)
    files = _strip(going)
    _delete(going)
    return files


# A doctor


def _erase_doctor(doctor: User) -> None:
    """What is the doctor's own goes. Visits and signed notes are parts of patients' records and stay."""
    notes.erase_drafts(doctor)
    waiting = WaitlistEntry.objects.filter(doctor=doctor, status__in=ON_LIST)
    waiting.update(status=WaitStatus.LEFT, offer=None)
    PhotoRequest.objects.filter(doctor=doctor, closed_at=None).update(closed_at=timezone.now())
    for model in (WeeklyRule, ScheduleException):
        model._default_manager.filter(schedule__doctor=doctor).delete()
    Schedule.objects.filter(doctor=doctor).delete()


ERASURE = Erasure(preview=_preview, erase=_erase, obstacle=_obstacle)
