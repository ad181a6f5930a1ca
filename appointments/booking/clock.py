"""What happens to visits without either of the two: time passes, a doctor stops, somebody leaves."""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from appointments.booking.steps import changing, end, expire, is_stale, tell
from appointments.models import Actor, Appointment, Status
from appointments.signals import Happened

log = structlog.get_logger(__name__)

DOCTOR_STOPPED = "doctor_stopped"


def expire_stale() -> int:
    """End holds and requests whose time is over; how many. One that cannot be ended stops no other."""
    stale = Appointment.objects.stale().order_by("expires_at", "pk")
    return sum(_one_by_one(stale, lambda one: is_stale(one) and expire(one), "visit_not_expired"))


def complete_left() -> int:
    """Complete visits that were checked in and that nobody has ended for DERMA_COMPLETE_HOURS; how many.

    The patient was there, so it took place. The record closes as it would have: counted from the visit's end,
    not from now, because nobody did anything now.
    """
    ended = timezone.now() - timedelta(hours=settings.DERMA_COMPLETE_HOURS)
    left = Appointment.objects.filter(status=Status.CHECKED_IN, end__lte=ended).order_by("end", "pk")
    return sum(_one_by_one(left, _complete, "visit_not_completed"))


def _complete(appointment: Appointment) -> bool:
    if appointment.status != Status.CHECKED_IN:
        return False  # the doctor was quicker
    if not appointment.move(Status.COMPLETED, by=None, actor=Actor.CLOCK, note="left open"):
        return False
    tell(appointment, Happened.COMPLETED, by=None)
    return True


def _one_by_one(
    appointments: Iterable[Appointment], step: Callable[[Appointment], bool], failed: str
) -> Iterator[bool]:
    """One that cannot be changed stops no other."""
    for appointment in appointments:
        try:
            with changing(appointment):
                done = step(appointment)
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            log.exception(failed, visit=appointment.pk, error=type(error).__name__)
        else:
            yield done


def flag_coming(doctor: User, why: str = DOCTOR_STOPPED) -> int:
    """Mark the coming visits of a doctor who may not practise at present; how many.

    Whoever books with this doctor at the same moment is waited for, or will see that the doctor has stopped.
    """
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=doctor.pk)
        visits = Appointment.objects.coming().filter(doctor=doctor, flagged="")
        # Then their patients: one who is being erased changes the same visits, and is told of them too.
        patients = User.objects.filter(pk__in=visits.order_by().values("patient")).order_by("pk")
        list(patients.select_for_update(no_key=True))
        coming = list(visits)
        for appointment in coming:
            Appointment.objects.filter(pk=appointment.pk).update(flagged=why)
            appointment.flagged = why
            tell(appointment, Happened.FLAGGED, by=None)
    return len(coming)


def unflag_coming(doctor: User, why: str = DOCTOR_STOPPED) -> int:
    """The doctor may practise again: coming visits lose the mark, and take place as planned; how many."""
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=doctor.pk)
        flagged = list(Appointment.objects.coming().filter(doctor=doctor, flagged=why))
        for appointment in flagged:
            Appointment.objects.filter(pk=appointment.pk).update(flagged="")
            appointment.flagged = ""
            tell(appointment, Happened.UNFLAGGED, by=None)
    return len(flagged)


def end_all(*, person: User, why: str) -> int:
    """Call off every coming visit of somebody who leaves; how many.

    Runs in the transaction of whoever has locked that person, and locks no one else. A visit that is over
    stays as it is, and so does one that has begun.
    """
    open_ones = (Status.HELD, Status.REQUESTED, Status.CONFIRMED)
    mine = Appointment.objects.filter(status__in=open_ones)
    ended = 0
    with transaction.atomic():
        for appointment in (mine.filter(patient=person) | mine.filter(doctor=person)).order_by("pk"):
            if appointment.status == Status.HELD:
                ended += expire(appointment, why=why)
            elif appointment.is_coming or appointment.status == Status.REQUESTED:
                ended += _call_off(appointment, person, why)
    return ended


def _call_off(appointment: Appointment, person: User, why: str) -> bool:
    is_patient = appointment.patient_id == person.pk
    to = Status.CANCELLED_BY_PATIENT if is_patient else Status.CANCELLED_BY_DOCTOR
    if not appointment.may(to, Actor.CLOCK):
        to = Status.EXPIRED  # a request to a doctor who leaves
    if not appointment.move(to, by=None, actor=Actor.CLOCK, note=why, sequence=appointment.sequence + 1):
        return False
    end(appointment, Happened.CANCELLED, by=None)
    return True
